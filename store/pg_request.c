#include "store/pg_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t s_param_size(const pg_param_t *param)
{
    if (!param->data)
        return 0;
    return param->size < 0 ? strlen(param->data) + 1 : (size_t)param->size;
}

pg_request_t *pg_request_new(const pg_step_t *steps, int count)
{
    size_t size = sizeof(pg_request_t);
    for (int i = 0; i < count; i++) {
        size += (size_t)steps[i].statement->param_count * sizeof(pg_param_t);
        for (int p = 0; p < steps[i].statement->param_count; p++)
            size += s_param_size(&steps[i].params[p]);
    }
    pg_request_t *self = malloc(size);
    if (!self)
        abort(); /* sizes were bounded by validation and by the batch's limit */
    memset(self, 0, sizeof *self);
    self->count = count;
    self->failed_step = -1;
    char *at = (char *)(self + 1);
    for (int i = 0; i < count; i++) {
        self->statements[i] = steps[i].statement;
        self->params[i] = (pg_param_t *)(void *)at;
        at += (size_t)steps[i].statement->param_count * sizeof(pg_param_t);
    }
    for (int i = 0; i < count; i++)
        for (int p = 0; p < steps[i].statement->param_count; p++) {
            pg_param_t *copy = &self->params[i][p];
            *copy = steps[i].params[p];
            size_t bytes = s_param_size(copy);
            if (!copy->data)
                continue;
            if (bytes > 0)
                memcpy(at, copy->data, bytes);
            copy->data = at;
            at += bytes;
        }
    return self;
}

void pg_request_reset(pg_request_t *self)
{
    for (int i = 0; i < self->results_count; i++)
        PQclear(self->results[i]);
    self->results_count = 0;
    free(self->message);
    free(self->constraint);
    self->message = self->constraint = NULL;
    self->code = ERR_OK;
    self->unknown = false;
    self->sqlstate[0] = '\0';
    self->failed_step = -1;
    self->prepares = self->prepares_left = 0;
}

void pg_request_fail(pg_request_t *self, err_code_t code, bool unknown, const char *message)
{
    self->code = code;
    self->unknown = unknown;
    if (!self->message)
        self->message = strdup(message);
}

static err_code_t s_code_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "57014") == 0)
        return ERR_TIMEOUT;
    /* Connection exceptions, shutdowns, too many connections, read-only after a failover. */
    if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0 ||
        strncmp(sqlstate, "53", 2) == 0 || strcmp(sqlstate, "25006") == 0 || sqlstate[0] == '\0')
        return ERR_UNAVAILABLE;
    return ERR_INTERNAL;
}

/* Does the server close the connection after this error? Then a commit may have happened before it.
 */
static bool s_is_fatal(const PGresult *result, const char *sqlstate)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return sqlstate[0] == '\0' || (severity && strcmp(severity, "ERROR") != 0);
}

bool pg_request_fail_by(pg_request_t *self, const PGresult *result, int step)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    sqlstate = sqlstate ? sqlstate : "";
    if (self->code != ERR_OK)
        return false;
    snprintf(self->sqlstate, sizeof self->sqlstate, "%s", sqlstate);
    self->constraint = constraint ? strdup(constraint) : NULL;
    self->failed_step = step;
    pg_request_fail(self, s_code_of(sqlstate), s_is_fatal(result, sqlstate),
                    message ? message : "connection lost");
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0 ||
           strcmp(sqlstate, "25006") == 0;
}

void pg_request_finish(pg_request_t *self)
{
    pg_outcome_t outcome = {
        .code = self->code,
        .unknown = self->unknown,
        .message = self->message ? self->message : "",
        .constraint = self->constraint,
        .failed_step = self->failed_step,
        .count = self->code == ERR_OK ? self->results_count : 0,
        .results = self->results,
    };
    memcpy(outcome.sqlstate, self->sqlstate, sizeof outcome.sqlstate);
    self->fn(self->arg, &outcome);
    pg_request_reset(self);
    free(self);
}
