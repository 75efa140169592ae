#include "store/starts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "store/log_ends.h"
#include "store/message.h"
#include "store/pg_array.h"
#include "store/reader_sql.h"
#include "store/room.h"

enum {
    STARTS_MAX = 4000, /* of one statement */
    IDENTITY_BYTES_MAX = ROOM_BYTES_MAX,
    ARRAY_MAX = STARTS_MAX * (ROOM_BYTES_MAX + 16) + 64,
    TICK_MS = 50,
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    /* The more came with the last statement, the more are waited for before the next. */
    PACE_US = 2000, /* for each of them */
    PACE_MAX_US = 400000,
    ENOUGH = STARTS_MAX, /* so many need not wait for more */
    /* Where so many begin at once more will come: what was read for them is remembered for these.
     */
    MANY = 8,
    ENDS_MAX = 10000,
    ENDS_KEEP_US = 5000000,
};

struct starts {
    loop_t *loop;
    database_t *database;
    loop_timer_t *timer; /* while some wait */
    start_t *waiting;    /* for the next statement */
    start_t *asked;      /* by the one under way */
    size_t waiting_count;
    int64_t next_us;  /* no other statement before */
    int64_t asked_us; /* the one under way */
    log_ends_t *ends; /* what statements for many found */
    bool ask_deferred, stopped;
    metric_t *metric_queries, *metric_known;
};

static void s_ask(void *arg);

static void s_add(starts_t *self, start_t *start)
{
    DL_APPEND(self->waiting, start);
    self->waiting_count++;
}

static void s_take(starts_t *self, start_t *start)
{
    DL_DELETE(self->waiting, start);
    self->waiting_count--;
}

static void s_fail_away(start_t *start)
{
    static const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
    start->fn(start->arg, &away, 0, 0);
}

/* Those behind a statement that the database does not answer have deadlines of their own. */
static void s_expire(starts_t *self)
{
    int64_t limit_ms = clock_unix_ms() + DEADLINE_MARGIN_MS;
    start_t *start, *next;
    DL_FOREACH_SAFE(self->waiting, start, next)
    {
        if (start->read.call->deadline_ms > limit_ms && !self->stopped)
            continue;
        s_take(self, start);
        s_fail_away(start);
    }
}

/* Now, or when the timer comes to it. */
static void s_ask_soon(starts_t *self)
{
    if (!self->waiting || self->stopped)
        return;
    int64_t wait_us = self->waiting_count < ENOUGH ? self->next_us - clock_mono_us() : 0;
    if (!self->asked && !self->ask_deferred && wait_us <= 0) {
        self->ask_deferred = true;
        loop_defer(self->loop, s_ask, self);
    } else if (!loop_timer_is_active(self->timer)) {
        int64_t wait_ms = wait_us / 1000 + 1;
        bool is_soon = !self->asked && wait_ms > 0 && wait_ms < TICK_MS;
        loop_timer_start(self->timer, is_soon ? (uint64_t)wait_ms : TICK_MS, 0);
    }
}

static void s_on_timer(void *arg)
{
    starts_t *self = arg;
    s_expire(self);
    s_ask_soon(self);
}

/* Is its place known to be in the log? Everybody may read a public room, and within an epoch the
 * log only grows: what it had a moment ago it has. Whether a place is not (any more) in the log,
 * and where a start without a cursor is, only the database knows. */
static bool s_is_known(const starts_t *self, const start_t *start, uint64_t *head, uint64_t *first)
{
    if (!start->has_after || room_is_private(start->room.data, start->room.size))
        return false;
    log_ends_set_epoch(self->ends, start->read.epoch);
    return log_ends_find(self->ends, start->room.data, start->room.size, clock_mono_us(), head,
                         first) &&
           start->after <= *head && start->after + 1 >= *first;
}

static void s_answer_known(starts_t *self, start_t *start, uint64_t head, uint64_t first)
{
    static const pg_outcome_t known = {.code = ERR_OK, .message = ""};
    metric_inc(self->metric_known);
    start->fn(start->arg, &known, head, first);
}

/* Some more may be known now. */
static void s_answer_waiting(starts_t *self)
{
    start_t *start, *next;
    uint64_t head, first;
    DL_FOREACH_SAFE(self->waiting, start, next)
    {
        if (!s_is_known(self, start, &head, &first))
            continue;
        s_take(self, start);
        s_answer_known(self, start, head, first);
    }
}

static void s_note(starts_t *self, const start_t *start, uint64_t head, uint64_t first)
{
    log_ends_set_epoch(self->ends, start->read.epoch);
    log_ends_note(self->ends, start->room.data, start->room.size, head, first, self->asked_us);
}

/* The database is away: those that have time wait on. */
static bool s_waits_on(starts_t *self, start_t *start, const pg_outcome_t *outcome)
{
    if (outcome->code != ERR_UNAVAILABLE || self->stopped ||
        start->read.call->deadline_ms <= clock_unix_ms() + 2 * DEADLINE_MARGIN_MS)
        return false;
    s_add(self, start);
    return true;
}

/* Rows are in the order of those who asked. */
static void s_on_heads(void *arg, const pg_outcome_t *outcome)
{
    starts_t *self = arg;
    start_t *list = self->asked, *start, *next;
    const PGresult *rows = outcome->code == ERR_OK ? outcome->results[0] : NULL;
    bool are_many = rows && PQntuples(rows) >= MANY;
    int row = 0;
    self->asked = NULL;
    DL_FOREACH_SAFE(list, start, next)
    {
        uint64_t head = rows ? (uint64_t)pg_bigint(rows, row, 0) : 0;
        uint64_t first = rows ? (uint64_t)pg_bigint(rows, row, 1) : 0;
        DL_DELETE(list, start);
        start->is_closed = rows && pg_bool(rows, row, 2);
        if (are_many)
            s_note(self, start, head, first);
        if (rows || !s_waits_on(self, start, outcome))
            start->fn(start->arg, outcome, head, first);
        row++;
    }
    s_answer_waiting(self);
    s_ask_soon(self);
}

/* A handle or account; nobody's is empty. One that is too long for the arrays is no member's. */
static void s_add_text(pg_array_t *array, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    pg_array_add(array, text ? text : "", size <= IDENTITY_BYTES_MAX ? size : 0);
}

static void s_ask(void *arg)
{
    starts_t *self = arg;
    self->ask_deferred = false;
    if (self->asked || !self->waiting || self->stopped)
        return;
    pg_array_t rooms, handles, accounts;
    start_t *start, *next;
    int64_t deadline_ms = 0;
    pg_array_init(&rooms, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&handles, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&accounts, PG_TEXT_TYPE, ARRAY_MAX);
    DL_FOREACH_SAFE(self->waiting, start, next)
    {
        if (rooms.count == STARTS_MAX)
            break;
        s_take(self, start);
        DL_APPEND(self->asked, start);
        pg_array_add(&rooms, start->room.data, start->room.size);
        s_add_text(&handles, start->read.call->handle);
        s_add_text(&accounts, room_caller_account(start->read.call));
        if (deadline_ms == 0 || start->read.call->deadline_ms < deadline_ms)
            deadline_ms = start->read.call->deadline_ms;
    }
    int64_t pace_us = ((int64_t)rooms.count - 1) * PACE_US;
    self->asked_us = clock_mono_us();
    self->next_us = self->asked_us + (pace_us < PACE_MAX_US ? pace_us : PACE_MAX_US);
    assert(!rooms.bytes.failed && !handles.bytes.failed && !accounts.bytes.failed);
    const pg_param_t params[] = {pg_array_param(&rooms), pg_array_param(&handles),
                                 pg_array_param(&accounts)};
    pg_link_read(database_reader(self->database), &reader_sql_starts, params, deadline_ms,
                 s_on_heads, self);
    metric_inc(self->metric_queries);
    pg_array_free(&rooms);
    pg_array_free(&handles);
    pg_array_free(&accounts);
    s_ask_soon(self); /* the timer, for those that are left */
}

void starts_read(starts_t *self, start_t *start)
{
    if (self->stopped) {
        s_fail_away(start);
        return;
    }
    uint64_t head, first;
    if (s_is_known(self, start, &head, &first)) {
        s_answer_known(self, start, head, first);
        return;
    }
    s_add(self, start);
    s_ask_soon(self);
}

void starts_on_database_ready(starts_t *self)
{
    log_ends_forget(self->ends);
}

starts_t *starts_new(loop_t *loop, database_t *database)
{
    starts_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->timer = loop_timer_new(loop, s_on_timer, self);
    self->ends = log_ends_new(ENDS_MAX, ENDS_KEEP_US);
    self->metric_queries = metrics_counter("parley_store_start_queries_total",
                                           "statements that read heads for subscriptions", NULL);
    self->metric_known =
        metrics_counter("parley_store_starts_known_total",
                        "subscriptions resumed at a place that was read for others", NULL);
    return self;
}

void starts_stop(starts_t *self)
{
    self->stopped = true;
    s_expire(self);
}

void starts_destroy(starts_t **self_p)
{
    starts_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_ask, self);
    loop_timer_destroy(&self->timer);
    log_ends_destroy(&self->ends);
    free(self);
}
