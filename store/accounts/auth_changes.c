#include "store/accounts/auth_changes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/cursor.h"
#include "common/list.h"
#include "common/log.h"
#include "common/uuid.h"

enum {
    CLEANING_MS = 600000,
    CLEANING_TIMEOUT_MS = 5000,
    RETRY_MS = 1000,
    HASH_SIZE = 32,
    HASH_TEXT_SIZE = 44
};

/* A call that is held or read for. */
typedef struct {
    list_node_t node; /* among the held ones; alone while it is read for */
    auth_changes_t *owner;
    store_call_t *call; /* NULL: was answered by auth_changes_stop */
    char epoch[EPOCH_SIZE];
    int64_t after;
    int64_t until_ms;
} waiter_t;

struct auth_changes {
    loop_t *loop;
    pg_link_t *link;
    list_t held;
    list_t reading;
    loop_timer_t *over; /* when the first of the held calls is */
    loop_timer_t *retry, *cleaning;
    /* The last change, as the last look found it. */
    char epoch[EPOCH_SIZE];
    int64_t seq;
    bool is_known;   /* nothing has changed since, if the link stands */
    bool is_looking; /* a look is under way … */
    bool look_again; /* … and something was notified meanwhile */
    bool is_stopped;
};

/* ---- the statements ---- */

static const pg_statement_t s_head = {
    .name = "auth_head",
    .sql = "SELECT e.epoch, h.last_seq FROM auth_changes h, store_epoch e",
    .binary_results = true,
};

/* $1: the epoch that the gateway knows, $2: its last number. One row at least. */
#define SINCE "seq > CASE WHEN h.is_reset THEN 0 ELSE $2 END"
static const Oid s_changes_types[] = {PG_TEXT_TYPE, PG_INT8};
static const pg_statement_t s_changes = {
    .name = "auth_changes",
    .sql = "WITH h AS (SELECT e.epoch, c.last_seq, e.epoch <> $1 OR c.last_seq < $2 AS is_reset"
           " FROM auth_changes c, store_epoch e)"
           " SELECT h.epoch, h.last_seq, h.is_reset, x.* FROM h LEFT JOIN LATERAL ("
           "(SELECT seq, session_id AS id, until, NULL::text AS name, NULL::bytea AS hash,"
           " NULL::boolean AS can_write, false AS is_revoked FROM ended_sessions WHERE " SINCE
           " AND until > clock_timestamp() ORDER BY seq LIMIT 5001)"
           " UNION ALL (SELECT seq, id, expires_at, name, hash, can_write, revoked_at IS NOT NULL"
           " FROM api_keys WHERE " SINCE " ORDER BY seq LIMIT 5001)"
           " ORDER BY seq LIMIT 5001) x ON true ORDER BY x.seq",
    .param_count = 2,
    .types = s_changes_types,
    .binary_results = true,
};
enum { EPOCH, LAST_SEQ, IS_RESET, SEQ, ID, UNTIL, NAME, HASH, CAN_WRITE, IS_REVOKED };

static const pg_statement_t s_clean = {
    .name = "auth_clean",
    .sql = "DELETE FROM ended_sessions WHERE until < clock_timestamp() - interval '10 minutes'",
};

/* ---- answers ---- */

static void s_free(waiter_t *waiter)
{
    list_remove(&waiter->node);
    free(waiter);
}

static void s_answer_nothing(waiter_t *waiter)
{
    buffer_t *out = store_call_begin(waiter->call);
    buffer_printf(out, "{\"epoch\":\"%s\",\"seq\":%lld}", waiter->epoch, (long long)waiter->after);
    store_call_done(waiter->call);
    s_free(waiter);
}

static void s_put_time(buffer_t *out, const char *name, const PGresult *rows, int row)
{
    if (!PQgetisnull(rows, row, UNTIL))
        buffer_printf(out, ",\"%s\":%lld", name, (long long)(pg_unix_us(rows, row, UNTIL) / 1000));
}

static void s_put_key(buffer_t *out, const PGresult *rows, int row)
{
    char hash[HASH_TEXT_SIZE];
    sodium_bin2base64(hash, sizeof hash, (const uint8_t *)PQgetvalue(rows, row, HASH), HASH_SIZE,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buffer_put_str(out, ",\"name\":");
    buffer_put_json_string(out, PQgetvalue(rows, row, NAME), strlen(PQgetvalue(rows, row, NAME)));
    buffer_printf(out, ",\"hash\":\"%s\",\"rights\":\"%s\"", hash,
                  pg_bool(rows, row, CAN_WRITE) ? "write" : "read");
    s_put_time(out, "expires", rows, row);
}

static void s_put_change(buffer_t *out, const PGresult *rows, int row)
{
    char id[UUID_TEXT_SIZE];
    parley_uuid_t uuid;
    memcpy(uuid.bytes, PQgetvalue(rows, row, ID), sizeof uuid.bytes);
    uuid_print(&uuid, id);
    bool is_session = PQgetisnull(rows, row, HASH), is_revoked = pg_bool(rows, row, IS_REVOKED);
    buffer_printf(out, "{\"%s\":\"%s\"",
                  is_session   ? "session"
                  : is_revoked ? "revoked"
                               : "key",
                  id);
    if (is_session)
        s_put_time(out, "until", rows, row);
    else if (!is_revoked)
        s_put_key(out, rows, row);
    buffer_put_char(out, '}');
}

static void s_print(buffer_t *out, const PGresult *rows)
{
    int count = PQgetisnull(rows, 0, SEQ) ? 0 : PQntuples(rows);
    bool has_more = count > AUTH_CHANGES_AN_ANSWER;
    if (has_more)
        count = AUTH_CHANGES_AN_ANSWER;
    int64_t seq = has_more ? pg_bigint(rows, count - 1, SEQ) : pg_bigint(rows, 0, LAST_SEQ);
    buffer_printf(out, "{\"epoch\":\"%s\",\"seq\":%lld,\"reset\":%s,\"more\":%s,\"changes\":[",
                  PQgetvalue(rows, 0, EPOCH), (long long)seq,
                  pg_bool(rows, 0, IS_RESET) ? "true" : "false", has_more ? "true" : "false");
    for (int row = 0; row < count; row++) {
        if (row > 0)
            buffer_put_char(out, ',');
        s_put_change(out, rows, row);
    }
    buffer_put_str(out, "]}");
}

/* ---- reading ---- */

static void s_hold(waiter_t *waiter);

static void s_on_changes(void *arg, const pg_outcome_t *outcome)
{
    waiter_t *waiter = arg;
    if (!waiter->call) {
        s_free(waiter);
        return;
    }
    if (outcome->code != ERR_OK) {
        store_call_fail_database(waiter->call, outcome);
        s_free(waiter);
        return;
    }
    const PGresult *rows = outcome->results[0];
    bool is_news = pg_bool(rows, 0, IS_RESET) || pg_bigint(rows, 0, LAST_SEQ) != waiter->after;
    if (!is_news) {
        s_hold(waiter);
        return;
    }
    s_print(store_call_begin(waiter->call), rows);
    store_call_done(waiter->call);
    s_free(waiter);
}

static void s_read(waiter_t *waiter)
{
    auth_changes_t *self = waiter->owner;
    char after[8];
    pg_put_int64(waiter->after, after);
    pg_param_t params[] = {PG_TEXT(waiter->epoch), PG_BINARY(after, sizeof after)};
    list_remove(&waiter->node);
    list_append(&self->reading, &waiter->node);
    pg_link_read(self->link, &s_changes, params, waiter->call->deadline_ms, s_on_changes, waiter);
}

/* ---- holding ---- */

static bool s_is_behind(const auth_changes_t *self, const waiter_t *waiter)
{
    return strcmp(waiter->epoch, self->epoch) != 0 || waiter->after != self->seq;
}

static void s_end_waits(void *arg)
{
    auth_changes_t *self = arg;
    int64_t now_ms = clock_unix_ms(), first_ms = INT64_MAX;
    for (list_node_t *node = self->held.next, *next; node != &self->held; node = next) {
        waiter_t *waiter = LIST_ITEM(node, waiter_t, node);
        next = node->next;
        if (now_ms >= waiter->until_ms)
            s_answer_nothing(waiter);
        else if (waiter->until_ms < first_ms)
            first_ms = waiter->until_ms;
    }
    if (first_ms != INT64_MAX)
        loop_timer_start(self->over, (uint64_t)(first_ms - now_ms), 0);
}

/* The waiter has all there was when somebody looked last. */
static void s_hold(waiter_t *waiter)
{
    auth_changes_t *self = waiter->owner;
    list_remove(&waiter->node);
    list_append(&self->held, &waiter->node);
    s_end_waits(self);
}

/* ---- looking ---- */

static void s_on_head(void *arg, const pg_outcome_t *outcome)
{
    auth_changes_t *self = arg;
    self->is_looking = false;
    if (self->is_stopped)
        return;
    if (outcome->code != ERR_OK || PQntuples(outcome->results[0]) != 1) {
        loop_timer_start(self->retry, RETRY_MS, 0);
        return;
    }
    snprintf(self->epoch, sizeof self->epoch, "%s", PQgetvalue(outcome->results[0], 0, 0));
    self->seq = pg_bigint(outcome->results[0], 0, 1);
    self->is_known = !self->look_again;
    for (list_node_t *node = self->held.next, *next; node != &self->held; node = next) {
        waiter_t *waiter = LIST_ITEM(node, waiter_t, node);
        next = node->next;
        if (s_is_behind(self, waiter))
            s_read(waiter);
    }
    if (self->look_again)
        auth_changes_look(self);
}

void auth_changes_look(auth_changes_t *self)
{
    if (self->is_stopped)
        return;
    self->is_known = false;
    self->look_again = self->is_looking;
    if (self->is_looking)
        return;
    self->is_looking = true;
    pg_link_read(self->link, &s_head, NULL, 0, s_on_head, self);
}

static void s_on_retry(void *arg)
{
    auth_changes_look(arg);
}

/* ---- calls ---- */

/* Who does not want to wait is told what the table says now; a notification may be on its way. */
static bool s_must_read(const auth_changes_t *self, const waiter_t *waiter, json_int_t wait_ms)
{
    return wait_ms == 0 || !self->is_known || !pg_link_is_up(self->link) ||
           s_is_behind(self, waiter);
}

/* args: {"epoch", "after", "waitMs"}, all optional. */
static void s_auth_call(void *arg, store_call_t *call)
{
    auth_changes_t *self = arg;
    const char *epoch = json_string_value(json_object_get(call->args, "epoch"));
    const json_t *after = json_object_get(call->args, "after");
    json_int_t wait_ms = json_integer_value(json_object_get(call->args, "waitMs"));
    if (self->is_stopped) {
        store_call_fail(call, ERR_UNAVAILABLE, "\"outcome\":\"none\",\"retryAfterMs\":1000",
                        "the store is stopping");
        return;
    }
    if (wait_ms < 0 || wait_ms > AUTH_CHANGES_WAIT_MAX_MS)
        wait_ms = AUTH_CHANGES_WAIT_MAX_MS;
    waiter_t *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        abort();
    list_init(&waiter->node);
    waiter->owner = self;
    waiter->call = call;
    waiter->until_ms = clock_unix_ms() + wait_ms;
    if (epoch && strlen(epoch) == EPOCH_SIZE - 1 && json_is_integer(after)) {
        memcpy(waiter->epoch, epoch, EPOCH_SIZE);
        waiter->after = json_integer_value(after);
    }
    if (s_must_read(self, waiter, wait_ms))
        s_read(waiter);
    else
        s_hold(waiter);
}

const store_handler_t auth_changes_handlers[] = {{"AUTH", s_auth_call}, {NULL, NULL}};

/* ---- life ---- */

static void s_on_cleaned(void *arg, const pg_outcome_t *outcome)
{
    (void)arg; /* whatever went wrong, the next time will do */
    if (outcome->code == ERR_INTERNAL)
        log_warn("ended sessions not forgotten", log_str("error", outcome->message), LOG_END);
}

static void s_on_cleaning(void *arg)
{
    auth_changes_t *self = arg;
    pg_step_t step = {.statement = &s_clean};
    if (pg_link_is_up(self->link))
        pg_link_run(self->link, &step, 1, clock_unix_ms() + CLEANING_TIMEOUT_MS, s_on_cleaned,
                    self);
}

auth_changes_t *auth_changes_new(loop_t *loop, pg_link_t *link)
{
    auth_changes_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->link = link;
    list_init(&self->held);
    list_init(&self->reading);
    self->over = loop_timer_new(loop, s_end_waits, self);
    self->retry = loop_timer_new(loop, s_on_retry, self);
    self->cleaning = loop_timer_new(loop, s_on_cleaning, self);
    loop_timer_start(self->cleaning, CLEANING_MS, CLEANING_MS);
    return self;
}

void auth_changes_stop(auth_changes_t *self)
{
    if (self->is_stopped)
        return;
    self->is_stopped = true;
    loop_timer_destroy(&self->over);
    loop_timer_destroy(&self->retry);
    loop_timer_destroy(&self->cleaning);
    while (!list_is_empty(&self->held))
        s_answer_nothing(LIST_ITEM(list_first(&self->held), waiter_t, node));
    for (list_node_t *node = self->reading.next; node != &self->reading; node = node->next) {
        waiter_t *waiter = LIST_ITEM(node, waiter_t, node);
        if (waiter->call)
            store_call_fail(waiter->call, ERR_UNAVAILABLE,
                            "\"outcome\":\"none\",\"retryAfterMs\":1000", "the store is stopping");
        waiter->call = NULL;
    }
}

void auth_changes_destroy(auth_changes_t **self_p)
{
    auth_changes_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    auth_changes_stop(self);
    while (!list_is_empty(&self->reading))
        s_free(LIST_ITEM(list_first(&self->reading), waiter_t, node));
    free(self);
}
