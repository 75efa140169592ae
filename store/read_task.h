/* store/read_task.h: what every read of the log begins and ends with: the epoch that its answer
 * names, and failing when the database is away or the log became another one meanwhile. */
#ifndef PARLEY_STORE_READ_TASK_H
#define PARLEY_STORE_READ_TASK_H

#include <stdbool.h>

#include "common/cursor.h"
#include "store/database.h"
#include "store/early_calls.h"
#include "store/handler.h"

/* The first member of a reader's own task. */
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

/* A task of `size` bytes, zeroed but for its read_task_t, for the caller to free. NULL if the log's
 * epoch is not known yet: then fn(owner, call) is called once it is. */
void *read_task_new(size_t size,
                    database_t *database,
                    early_calls_t *early,
                    store_call_t *call,
                    store_handler_fn fn,
                    void *owner);

/* Fails the call and returns true if the database failed it, or if the log became another one: what
 * was read would go out under the old one's name. */
bool read_task_failed(read_task_t *self, const pg_outcome_t *outcome);

#endif
