#include "store/read_task.h"

#include <stdlib.h>
#include <string.h>

void *read_task_new(size_t size,
                    database_t *database,
                    early_calls_t *early,
                    store_call_t *call,
                    store_handler_fn fn,
                    void *owner)
{
    read_task_t *task = calloc(1, size);
    if (!task)
        abort();
    if (read_task_init(task, database, call))
        return task;
    free(task);
    early_calls_add(early, call, fn, owner);
    return NULL;
}

bool read_task_failed(read_task_t *self, const pg_outcome_t *outcome)
{
    static const pg_outcome_t changed = {.code = ERR_UNAVAILABLE, .message = ""};
    const char *epoch = database_epoch(self->database);
    if (outcome->code == ERR_OK && epoch && strcmp(epoch, self->epoch) == 0)
        return false;
    store_call_fail_database(self->call, outcome->code == ERR_OK ? &changed : outcome);
    return true;
}
