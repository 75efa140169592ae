/* store/read_task.h: what every read of the log begins and ends with: the epoch that its answer
 * names, and failing when the database is away or the log became another one meanwhile. */
#ifndef PARLEY_STORE_READ_TASK_H
#define PARLEY_STORE_READ_TASK_H

#include <stdbool.h>

#include "common/cursor.h"
#include "store/database.h"
#include "store/handler.h"

/* Embedded in a reader's own task, which owns it. */
typedef struct {
    database_t *database;
    store_call_t *call;
    char epoch[EPOCH_SIZE];
} read_task_t;

/* False if the epoch is not known yet: then the call belongs to early_calls. */
static inline bool read_task_init(read_task_t *self, database_t *database, store_call_t *call)
{
    const char *epoch = database_epoch(database);
    if (!epoch)
        return false;
    self->database = database;
    self->call = call;
    for (size_t i = 0; i < sizeof self->epoch; i++)
        self->epoch[i] = epoch[i];
    return true;
}

/* Fails the call and returns true if the database failed it, or if the log became another one: what
 * was read would go out under the old one's name. */
bool read_task_failed(read_task_t *self, const pg_outcome_t *outcome);

#endif
