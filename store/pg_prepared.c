#include "store/pg_prepared.h"

#include <assert.h>

/* ---- sending ---- */

static bool s_has(const pg_prepared_t *self, const pg_statement_t *statement)
{
    for (int i = 0; i < self->count; i++)
        if (self->statements[i] == statement)
            return true;
    return false;
}

static void s_forget(pg_prepared_t *self, const pg_statement_t *statement)
{
    for (int i = 0; i < self->count; i++)
        if (self->statements[i] == statement)
            self->statements[i] = self->statements[--self->count];
}

/* PREPARE in a transaction of its own, so that the failure of another statement does not skip it.
 */
static bool s_send_prepare(pg_prepared_t *self,
                           PGconn *conn,
                           pg_request_t *request,
                           const pg_statement_t *statement)
{
    assert(self->count < PG_PREPARED_MAX);
    if (!PQsendPrepare(conn, statement->name, statement->sql,
                       statement->types ? statement->param_count : 0, statement->types) ||
        !PQpipelineSync(conn))
        return false;
    self->statements[self->count++] = statement;
    request->preparing[request->prepares++] = statement;
    request->prepares_left++;
    return true;
}

static bool s_send_step(PGconn *conn, const pg_statement_t *statement, const pg_param_t *params)
{
    const char *values[PG_LINK_PARAMS_MAX];
    int lengths[PG_LINK_PARAMS_MAX], formats[PG_LINK_PARAMS_MAX];
    for (int i = 0; i < statement->param_count; i++) {
        values[i] = params[i].data;
        lengths[i] = params[i].size < 0 ? 0 : params[i].size;
        formats[i] = params[i].size < 0 ? 0 : 1;
    }
    return PQsendQueryPrepared(conn, statement->name, statement->param_count, values, lengths,
                               formats, statement->binary_results ? 1 : 0) == 1;
}

bool pg_prepared_send(pg_prepared_t *self, PGconn *conn, pg_request_t *request)
{
    for (int i = 0; i < request->count; i++)
        if (!s_has(self, request->statements[i]) &&
            !s_send_prepare(self, conn, request, request->statements[i]))
            return false;
    for (int i = 0; i < request->count; i++)
        if (!s_send_step(conn, request->statements[i], request->params[i]))
            return false;
    return PQpipelineSync(conn) == 1;
}

/* ---- receiving ---- */

/* Of a PREPARE that goes before the transaction. */
static pg_result_kind_t
s_receive_prepare(pg_prepared_t *self, pg_request_t *request, PGresult *result)
{
    pg_result_kind_t kind = PG_RESULT_MORE;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        request->prepares_left--;
    } else if (status != PGRES_COMMAND_OK) {
        s_forget(self, request->preparing[request->prepares - request->prepares_left]);
        if (pg_request_fail_by(request, result, -1))
            kind = PG_RESULT_RESET;
    }
    PQclear(result);
    return kind;
}

pg_result_kind_t pg_prepared_receive(pg_prepared_t *self, pg_request_t *request, PGresult *result)
{
    if (request->prepares_left > 0)
        return s_receive_prepare(self, request, result);
    pg_result_kind_t kind = PG_RESULT_MORE;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        if (request->code == ERR_OK && request->results_count != request->count)
            pg_request_fail(request, ERR_UNAVAILABLE, true, "results are missing");
        return PG_RESULT_LAST;
    }
    if (status == PGRES_FATAL_ERROR && pg_request_fail_by(request, result, request->results_count))
        kind = PG_RESULT_RESET;
    if (request->code == ERR_OK && request->results_count < request->count &&
        (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)) {
        request->results[request->results_count++] = result;
        return kind;
    }
    if (request->code == ERR_OK)
        pg_request_fail(request, ERR_UNAVAILABLE, true, "unexpected result");
    PQclear(result);
    return kind;
}
