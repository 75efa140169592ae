#include "store/read_task.h"

#include <string.h>

bool read_task_failed(read_task_t *self, const pg_outcome_t *outcome)
{
    static const pg_outcome_t changed = {.code = ERR_UNAVAILABLE, .message = ""};
    const char *epoch = database_epoch(self->database);
    if (outcome->code == ERR_OK && epoch && strcmp(epoch, self->epoch) == 0)
        return false;
    store_call_fail_database(self->call, outcome->code == ERR_OK ? &changed : outcome);
    return true;
}
