#include "store/pg_link.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "store/pg_dial.h"
#include "store/pg_prepared.h"
#include "store/pg_request.h"

enum {
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 2000,
    CONNECT_TIMEOUT_MS = 5000,
    SETUP_TIMEOUT_MS = 5000,
    SILENCE_MS = 3000, /* beyond statement_timeout: then the server is taken for dead */
    SILENCE_DEFAULT_MS = 60000,
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    TICK_MS = 50,
    REASON_SIZE = 512,
};

/* HELD: connected, and not opened yet. */
typedef enum {
    LINK_CLOSED,
    LINK_WAITING,
    LINK_DIALING,
    LINK_HELD,
    LINK_SETTING_UP,
    LINK_UP
} link_state_t;

struct pg_link {
    loop_t *loop;
    pg_link_options_t options;
    char *name, *setup_sql;
    pg_target_t *target;
    link_state_t state;
    pg_dial_t *dial;
    unsigned attempts; /* since the last time it was up */
    unsigned dialed;   /* in all */
    PGconn *conn;
    loop_fd_t *fd;
    loop_timer_t *retry_timer, *setup_timer, *tick;
    PGresult *setup_result;
    char reason[REASON_SIZE];
    char logged[REASON_SIZE];
    pg_prepared_t prepared;
    pg_request_t *waiting, *sent, *refused; /* lists in order */
    size_t waiting_count, sent_count, refused_count;
    int64_t
        progress_us; /* when the server last said something, or was asked while nothing was open */
    bool flush_deferred, reset_wanted;
    bool is_prepared; /* and not opened yet */
    bool destroying;
    metric_t *metric_up, *metric_waiting, *metric_sent, *metric_connects, *metric_losses,
        *metric_time;
};

static void s_finish(pg_link_t *self, pg_request_t *request)
{
    metric_observe(self->metric_time, clock_mono_us() - request->given_us);
    pg_request_finish(request);
}

static void s_count(pg_link_t *self)
{
    metric_set(self->metric_waiting, (int64_t)self->waiting_count);
    metric_set(self->metric_sent, (int64_t)self->sent_count);
}

/* ---- state ---- */

static void s_dial(pg_link_t *self);
static void s_pump(pg_link_t *self);

static void s_set_reason(pg_link_t *self, const char *reason)
{
    snprintf(self->reason, sizeof self->reason, "%s", reason);
}

static void s_on_retry(void *arg)
{
    s_dial(arg);
}

/* A connection ends, and the server says that it stops or starts, also when somebody restarts it on
 * purpose; that it cannot be reached is worth a warning. */
static log_level_t s_level(bool was_up, const char *reason)
{
    bool is_restart = strstr(reason, "is shutting down") || strstr(reason, "is starting up");
    return was_up || is_restart ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}

/* The connection is gone, or could not be made. The one way out of all states above WAITING. */
static void s_down(pg_link_t *self, const char *reason)
{
    bool was_up = self->state == LINK_UP;
    char text[REASON_SIZE];
    snprintf(text, sizeof text, "%s", reason);
    pg_dial_destroy(&self->dial);
    loop_fd_destroy(&self->fd);
    loop_timer_stop(self->setup_timer);
    if (self->setup_result)
        PQclear(self->setup_result);
    self->setup_result = NULL;
    if (self->conn)
        PQfinish(self->conn);
    self->conn = NULL;
    self->prepared.count = 0;
    self->reset_wanted = false;
    self->state = LINK_WAITING;
    s_set_reason(self, text);
    if (!self->destroying && strcmp(self->logged, text) != 0) {
        bool is_quiet = self->options.quiet || self->is_prepared;
        log_write(is_quiet ? LOG_LEVEL_DEBUG : s_level(was_up, text), "database away",
                  log_str("link", self->name), log_str("reason", text), LOG_END);
        snprintf(self->logged, sizeof self->logged, "%s", text);
    }
    /* What was sent: reads go back to the head of the queue, the rest ends with unknown outcome. */
    pg_request_t *lost = self->sent, *request, *next;
    self->sent = NULL;
    self->sent_count = 0;
    pg_request_t *again = NULL;
    DL_FOREACH_SAFE(lost, request, next)
    {
        DL_DELETE(lost, request);
        if (request->repeatable && !self->destroying) {
            pg_request_reset(request);
            DL_APPEND(again, request);
            self->waiting_count++;
        } else {
            if (request->code == ERR_OK || request->unknown)
                pg_request_fail(request, ERR_UNAVAILABLE, true, text);
            DL_APPEND(self->refused, request);
            self->refused_count++;
        }
    }
    DL_CONCAT(again, self->waiting);
    self->waiting = again;
    unsigned shift = self->attempts < 6 ? self->attempts : 6;
    unsigned delay = (unsigned)BACKOFF_MIN_MS << shift;
    delay = delay > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : delay;
    delay = delay / 2 + randombytes_uniform(delay / 2 + 1);
    self->attempts++;
    if (!self->destroying)
        loop_timer_start(self->retry_timer, delay, 0);
    metric_set(self->metric_up, 0);
    s_count(self);
    if (was_up) {
        metric_inc(self->metric_losses);
        if (self->options.on_state && !self->destroying)
            self->options.on_state(self->options.arg, false);
    }
}

/* What ended without an answer is told at the end of the turn. */
static void s_tell_refused(void *arg)
{
    pg_link_t *self = arg;
    while (self->refused) {
        pg_request_t *request = self->refused;
        DL_DELETE(self->refused, request);
        self->refused_count--;
        s_finish(self, request);
    }
}

static void s_lose(pg_link_t *self, const char *reason)
{
    s_down(self, reason);
    loop_defer(self->loop, s_tell_refused, self);
}

static void s_lose_conn(pg_link_t *self)
{
    char text[REASON_SIZE];
    snprintf(text, sizeof text, "%s", PQerrorMessage(self->conn));
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
    s_lose(self, n > 0 ? text : "the connection was closed");
}

/* ---- connecting ---- */

static void s_up(pg_link_t *self)
{
    self->state = LINK_UP;
    self->attempts = 0;
    self->reason[0] = '\0';
    self->logged[0] = '\0';
    self->progress_us = clock_mono_us();
    metric_set(self->metric_up, 1);
    metric_inc(self->metric_connects);
    log_debug("database connected", log_str("link", self->name), LOG_END);
    if (self->options.on_state)
        self->options.on_state(self->options.arg, true);
    if (self->state == LINK_UP)
        s_pump(self);
}

static void s_on_fd(void *arg, int events);

static void s_flush(pg_link_t *self)
{
    int left = PQflush(self->conn);
    if (left < 0) {
        s_lose_conn(self);
        return;
    }
    loop_fd_want(self->fd, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* The setup queries answered: judge the last result. */
static void s_setup_done(pg_link_t *self)
{
    loop_timer_stop(self->setup_timer);
    if (self->options.check_sql && !self->options.check(self->options.arg, self->setup_result)) {
        s_lose(self,
               self->reason[0] ? self->reason : "the database is not the one that was expected");
        return;
    }
    PQclear(self->setup_result);
    self->setup_result = NULL;
    if (!PQenterPipelineMode(self->conn)) {
        s_lose_conn(self);
        return;
    }
    s_up(self);
}

static void s_setup_failed(pg_link_t *self, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate && message && self->options.on_setup_error)
        self->options.on_setup_error(self->options.arg, sqlstate, message);
    s_lose(self, message ? message : "the connection was lost while it was set up");
}

static void s_read_setup(pg_link_t *self)
{
    while (!PQisBusy(self->conn)) {
        PGresult *result = PQgetResult(self->conn);
        if (!result) {
            s_setup_done(self);
            return;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK) {
            PQclear(result);
            continue;
        }
        PQclear(self->setup_result);
        self->setup_result = result;
        if (status != PGRES_TUPLES_OK) {
            s_setup_failed(self, result);
            return;
        }
    }
}

static void s_on_setup_timeout(void *arg)
{
    s_lose(arg, "the database does not answer");
}

static void s_set_up(pg_link_t *self)
{
    self->state = LINK_SETTING_UP;
    if (!PQsendQuery(self->conn, self->setup_sql)) {
        s_lose_conn(self);
        return;
    }
    loop_timer_start(self->setup_timer, self->options.setup_timeout_ms, 0);
    s_flush(self);
}

static void s_on_dialed(void *arg, PGconn *conn, const char *reason)
{
    pg_link_t *self = arg;
    if (!conn) {
        s_lose(self,
               reason[0] ? reason : "cannot connect"); /* destroys the dial, whose text reason is */
        return;
    }
    pg_dial_destroy(&self->dial);
    self->conn = conn;
    self->fd = loop_fd_new(self->loop, PQsocket(conn), s_on_fd, self);
    if (!self->is_prepared) {
        s_set_up(self);
        return;
    }
    self->state = LINK_HELD;
    loop_fd_want(self->fd, UV_READABLE); /* its end */
}

static void s_dial(pg_link_t *self)
{
    self->state = LINK_DIALING;
    self->dial = pg_dial_start(self->loop, self->target, self->dialed++, CONNECT_TIMEOUT_MS,
                               s_on_dialed, self);
}

/* ---- sending ---- */

static void s_pump(pg_link_t *self)
{
    if (self->state != LINK_UP)
        return;
    bool sent = false;
    while (self->waiting && self->sent_count < self->options.pipeline_max) {
        pg_request_t *request = self->waiting;
        DL_DELETE(self->waiting, request);
        self->waiting_count--;
        if (!self->sent)
            self->progress_us = clock_mono_us();
        DL_APPEND(self->sent, request);
        self->sent_count++;
        sent = true;
        if (!pg_prepared_send(&self->prepared, self->conn, request)) {
            s_lose_conn(self);
            return;
        }
    }
    s_count(self);
    if (sent)
        s_flush(self);
}

static void s_pump_deferred(void *arg)
{
    pg_link_t *self = arg;
    self->flush_deferred = false;
    s_pump(self);
}

/* All that one turn of the loop gives goes out together. */
static void s_pump_soon(pg_link_t *self)
{
    if (self->flush_deferred)
        return;
    self->flush_deferred = true;
    loop_defer(self->loop, s_pump_deferred, self);
}

/* ---- receiving ---- */

/* One result of the pipeline, for the oldest request. Takes result. */
static void s_on_result(pg_link_t *self, PGresult *result)
{
    pg_request_t *request = self->sent;
    switch (pg_prepared_receive(&self->prepared, request, result)) {
    case PG_RESULT_MORE:
        return;
    case PG_RESULT_RESET:
        self->reset_wanted = true;
        return;
    case PG_RESULT_LAST:
        DL_DELETE(self->sent, request);
        self->sent_count--;
        s_finish(self, request);
        return;
    }
}

static void s_read_results(pg_link_t *self)
{
    int nulls = 0;
    while (self->state == LINK_UP && self->sent && !PQisBusy(self->conn)) {
        PGresult *result = PQgetResult(self->conn);
        if (result) {
            nulls = 0;
            s_on_result(self, result);
        } else if (++nulls > 2) {
            s_lose(self, "the pipeline lost its order");
            return;
        }
        if (self->state == LINK_UP && PQstatus(self->conn) == CONNECTION_BAD) {
            s_lose_conn(self);
            return;
        }
    }
    if (self->state == LINK_UP && self->reset_wanted)
        s_lose(self, "started anew");
}

static void s_read_notifications(pg_link_t *self)
{
    PGnotify *notification;
    while (self->state == LINK_UP && (notification = PQnotifies(self->conn))) {
        if (self->options.on_notify)
            self->options.on_notify(self->options.arg, notification->extra);
        PQfreemem(notification);
    }
}

static void s_on_fd(void *arg, int events)
{
    pg_link_t *self = arg;
    if ((events & UV_READABLE) && !PQconsumeInput(self->conn)) {
        /* Results that came before the end are still there. */
        if (self->state == LINK_UP)
            s_read_results(self);
        if (self->conn)
            s_lose_conn(self);
        return;
    }
    self->progress_us = clock_mono_us();
    if (self->state == LINK_SETTING_UP)
        s_read_setup(self);
    else
        s_read_results(self);
    s_read_notifications(self);
    if (self->state == LINK_UP)
        s_pump(self);
    if (self->conn)
        s_flush(self);
}

/* ---- deadlines ---- */

static void s_expire_waiting(pg_link_t *self)
{
    int64_t now_ms = clock_unix_ms();
    pg_request_t *request, *next;
    DL_FOREACH_SAFE(self->waiting, request, next)
    {
        if (request->deadline_ms == 0 || now_ms < request->deadline_ms - DEADLINE_MARGIN_MS)
            continue;
        DL_DELETE(self->waiting, request);
        self->waiting_count--;
        pg_request_fail(request, ERR_UNAVAILABLE, false,
                        self->state == LINK_UP ? "the database is too slow"
                                               : "the database is away");
        DL_APPEND(self->refused, request);
        self->refused_count++;
    }
    if (self->refused)
        s_tell_refused(self);
}

static void s_on_tick(void *arg)
{
    pg_link_t *self = arg;
    if (self->waiting)
        s_expire_waiting(self);
    unsigned silence_ms = self->options.statement_timeout_ms
                              ? self->options.statement_timeout_ms + SILENCE_MS
                              : SILENCE_DEFAULT_MS;
    if (self->state == LINK_UP && self->sent &&
        clock_mono_us() - self->progress_us > (int64_t)silence_ms * 1000)
        s_lose(self, "the database does not answer");
    if (!self->waiting && !self->sent)
        loop_timer_stop(self->tick);
}

/* ---- life ---- */

static char *s_setup_sql(const pg_link_options_t *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    /* The server notices a dead client's machine, whose locks would block others. Our statements
     * are short: compiling them costs more than it saves, and with enable_seqscan=off every plan
     * that has no other way looks expensive enough for it. */
    fputs("SET tcp_keepalives_idle=10; SET tcp_keepalives_interval=5; SET tcp_keepalives_count=3;"
          " SET timezone='UTC'; SET jit=off;",
          out);
    if (options->settings)
        fprintf(out, " %s;", options->settings);
    fprintf(out, " %s; SET statement_timeout=%u",
            options->check_sql ? options->check_sql : "SELECT", options->statement_timeout_ms);
    fclose(out);
    return text;
}

pg_link_t *pg_link_new(loop_t *loop, const pg_link_options_t *options, err_t *err)
{
    char application[64];
    snprintf(application, sizeof application, "parley-store %s", options->name);
    pg_target_t *target = pg_target_new(options->conninfo, application, err);
    if (!target)
        return NULL;
    pg_link_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->options = *options;
    if (self->options.pipeline_max == 0)
        self->options.pipeline_max = 1;
    if (self->options.queue_max == 0)
        self->options.queue_max = 1000;
    if (self->options.setup_timeout_ms == 0)
        self->options.setup_timeout_ms = SETUP_TIMEOUT_MS;
    self->name = strdup(options->name);
    self->setup_sql = s_setup_sql(options);
    self->target = target;
    self->retry_timer = loop_timer_new(loop, s_on_retry, self);
    self->setup_timer = loop_timer_new(loop, s_on_setup_timeout, self);
    self->tick = loop_timer_new(loop, s_on_tick, self);
    s_set_reason(self, "not connected yet");
    char labels[64];
    snprintf(labels, sizeof labels, "link=\"%s\"", self->name);
    self->metric_up =
        metrics_gauge("parley_store_database_up", "1 while the connection is up", labels);
    self->metric_waiting = metrics_gauge("parley_store_database_waiting",
                                         "transactions waiting for being sent", labels);
    self->metric_sent =
        metrics_gauge("parley_store_database_sent", "transactions sent, not answered", labels);
    self->metric_connects =
        metrics_counter("parley_store_database_connects_total", "connections made", labels);
    self->metric_losses =
        metrics_counter("parley_store_database_losses_total", "connections lost", labels);
    self->metric_time = metrics_latency("parley_store_database_seconds",
                                        "time of a transaction, waiting included", labels);
    return self;
}

void pg_link_open(pg_link_t *self)
{
    bool was_prepared = self->is_prepared;
    self->is_prepared = false;
    if (was_prepared && self->state == LINK_HELD) {
        s_set_up(self);
    } else if (self->state == LINK_CLOSED || (was_prepared && self->state == LINK_WAITING)) {
        loop_timer_stop(self->retry_timer);
        s_dial(self);
    }
}

void pg_link_prepare(pg_link_t *self)
{
    if (self->state != LINK_CLOSED)
        return;
    self->is_prepared = true;
    s_dial(self);
}

bool pg_link_is_up(const pg_link_t *self)
{
    return self->state == LINK_UP;
}

const char *pg_link_reason(const pg_link_t *self)
{
    return self->state == LINK_UP ? "" : self->reason;
}

size_t pg_link_load(const pg_link_t *self)
{
    return self->waiting_count + self->sent_count;
}

static void s_give(pg_link_t *self, pg_request_t *request)
{
    request->given_us = clock_mono_us();
    if (self->waiting_count >= self->options.queue_max) {
        pg_request_fail(request, ERR_LIMIT_EXCEEDED, false, "the queue is full");
        DL_APPEND(self->refused, request);
        self->refused_count++;
        loop_defer(self->loop, s_tell_refused, self);
        return;
    }
    DL_APPEND(self->waiting, request);
    self->waiting_count++;
    if (!loop_timer_is_active(self->tick))
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
    if (self->state == LINK_UP)
        s_pump_soon(self);
}

static pg_request_t *
s_request(const pg_step_t *steps, int count, int64_t deadline_ms, pg_done_fn fn, void *arg)
{
    assert(count > 0 && count <= PG_LINK_STEPS_MAX);
    pg_request_t *request = pg_request_new(steps, count);
    request->fn = fn;
    request->arg = arg;
    request->deadline_ms = deadline_ms;
    return request;
}

void pg_link_run(pg_link_t *self,
                 const pg_step_t *steps,
                 int count,
                 int64_t deadline_ms,
                 pg_done_fn fn,
                 void *arg)
{
    s_give(self, s_request(steps, count, deadline_ms, fn, arg));
}

void pg_link_read(pg_link_t *self,
                  const pg_statement_t *statement,
                  const pg_param_t *params,
                  int64_t deadline_ms,
                  pg_done_fn fn,
                  void *arg)
{
    pg_step_t step = {.statement = statement, .params = params};
    pg_link_read_steps(self, &step, 1, deadline_ms, fn, arg);
}

void pg_link_read_steps(pg_link_t *self,
                        const pg_step_t *steps,
                        int count,
                        int64_t deadline_ms,
                        pg_done_fn fn,
                        void *arg)
{
    pg_request_t *request = s_request(steps, count, deadline_ms, fn, arg);
    request->repeatable = true;
    s_give(self, request);
}

static void s_reset_deferred(void *arg)
{
    pg_link_t *self = arg;
    if (self->state == LINK_UP || self->state == LINK_SETTING_UP)
        s_lose(self, "started anew");
}

void pg_link_reset(pg_link_t *self)
{
    loop_defer(self->loop, s_reset_deferred, self);
}

void pg_link_destroy(pg_link_t **self_p)
{
    pg_link_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    self->destroying = true;
    if (self->state > LINK_WAITING)
        s_down(self, "shutting down");
    pg_request_t *request, *next;
    DL_FOREACH_SAFE(self->waiting, request, next)
    {
        DL_DELETE(self->waiting, request);
        pg_request_fail(request, ERR_UNAVAILABLE, false, "shutting down");
        DL_APPEND(self->refused, request);
    }
    s_tell_refused(self);
    loop_defer_cancel(self->loop, s_tell_refused, self);
    loop_defer_cancel(self->loop, s_pump_deferred, self);
    loop_defer_cancel(self->loop, s_reset_deferred, self);
    loop_timer_destroy(&self->retry_timer);
    loop_timer_destroy(&self->setup_timer);
    loop_timer_destroy(&self->tick);
    pg_target_destroy(&self->target);
    free(self->name);
    free(self->setup_sql);
    free(self);
}
