#include "store/rooms/room_changes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/uuid.h"
#include "store/accounts/account_rules.h"
#include "store/arguments.h"
#include "store/fault.h"
#include "store/message.h"
#include "store/room.h"
#include "store/room_event.h"
#include "store/rooms/rooms_sql.h"

enum {
    PAUSE_MS = 100,           /* before the next attempt */
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    PAYLOAD_MAX = 64 * 1024,
    ROOM_NAME_SIZE = sizeof ROOM_PRIVATE + UUID_TEXT_SIZE,
};

/* One call. Texts are borrowed from its arguments, or constant. */
typedef struct change {
    struct change *prev, *next; /* among those that wait for the next attempt */
    room_changes_t *owner;
    store_call_t *call;
    const char *what; /* the mutation's field name */
    text_t room, target, role, title;
    bool maybe_done;               /* an attempt ended with unknown outcome */
    char new_room[ROOM_NAME_SIZE]; /* createRoom: what room points to */
    char folded[HANDLE_FOLDED_SIZE], target_folded[HANDLE_FOLDED_SIZE];
    bool is_folded, is_target_folded;
} change_t;

struct room_changes {
    loop_t *loop;
    database_t *database;
    publisher_t *publisher;
    change_t *waiting;
    loop_timer_t *pause;
    buffer_t payload;
    bool stopped;
    metric_t *metric_changes, *metric_retries, *metric_repeated;
};

/* ---- ends ---- */

static const struct {
    const char *refusal;
    err_code_t code;
    const char *extensions;
    const char *message;
} s_refusals[] = {
    {"role", ERR_FORBIDDEN, NULL, "your role in the room does not allow that"},
    {"member", ERR_CONFLICT, "\"argument\":\"handle\"", "handle names a member of the room"},
    {"absent", ERR_NOT_FOUND, "\"argument\":\"handle\"", "handle names no member of the room"},
    {"last-owner", ERR_CONFLICT, NULL,
     "the last owner of a room can neither leave nor take another role: make somebody else owner "
     "first"},
    {"full", ERR_LIMIT_EXCEEDED, "\"outcome\":\"none\"", "a room has at most 1000 members"},
};

static void s_refuse(change_t *change, const char *refusal)
{
    for (size_t i = 0; i < sizeof s_refusals / sizeof s_refusals[0]; i++)
        if (strcmp(refusal, s_refusals[i].refusal) == 0) {
            store_call_fail(change->call, s_refusals[i].code, s_refusals[i].extensions, "%s",
                            s_refusals[i].message);
            return;
        }
    room_refuse(change->call);
}

/* One row of the change: prints its payload, and publishes it if it is new. */
static void s_take_row(change_t *change, const PGresult *rows, int row)
{
    room_changes_t *self = change->owner;
    const char *type = PQgetvalue(rows, row, CHANGE_TYPE);
    size_t type_size = (size_t)PQgetlength(rows, row, CHANGE_TYPE);
    message_t event = {
        .room = change->room.data,
        .room_size = change->room.size,
        .handle = PQgetvalue(rows, row, CHANGE_HANDLE),
        .handle_size = (size_t)PQgetlength(rows, row, CHANGE_HANDLE),
        .body = PQgetvalue(rows, row, CHANGE_BODY),
        .body_size = (size_t)PQgetlength(rows, row, CHANGE_BODY),
        .seq = (uint64_t)pg_bigint(rows, row, CHANGE_SEQ),
        .created_us = pg_unix_us(rows, row, CHANGE_CREATED_AT),
    };
    cursor_base_t base =
        message_cursor_base(database_epoch(self->database), event.room, event.room_size);
    buffer_clear(&self->payload);
    room_event_print(&self->payload, type, type_size, &event, &base);
    assert(!self->payload.failed);
    if (!pg_bool(rows, row, CHANGE_IS_NEW)) { /* whoever made it may have died before publishing */
        publisher_head(self->publisher, event.room, event.room_size);
        metric_inc(self->metric_repeated);
    } else if (room_event_is_revoke(type, type_size)) {
        publisher_revoke(self->publisher, event.room, event.room_size, event.seq,
                         self->payload.data, self->payload.size);
    } else {
        publisher_event(self->publisher, event.room, event.room_size, event.seq, type,
                        self->payload.data, self->payload.size);
    }
}

static void s_finish(change_t *change, const PGresult *rows)
{
    room_changes_t *self = change->owner;
    int count = PQntuples(rows);
    assert(count > 0);
    if (!PQgetisnull(rows, 0, CHANGE_REFUSAL)) {
        s_refuse(change, PQgetvalue(rows, 0, CHANGE_REFUSAL));
    } else {
        FAULT_EXIT("exit_after_commit");
        for (int row = 0; row < count; row++)
            s_take_row(change, rows, row);
        metric_inc(self->metric_changes);
        store_call_answer(change->call, self->payload.data, self->payload.size);
    }
    free(change);
}

static void s_fail(change_t *change, const pg_outcome_t *outcome)
{
    pg_outcome_t last = *outcome;
    last.unknown = last.unknown || change->maybe_done;
    if (last.unknown) /* it may be in the log: then the gateways are to find it */
        publisher_head(change->owner->publisher, change->room.data, change->room.size);
    store_call_fail_database(change->call, &last);
    free(change);
}

/* ---- attempts ---- */

static bool s_is_transient(const pg_outcome_t *outcome)
{
    return outcome->code == ERR_UNAVAILABLE ||
           (outcome->code == ERR_INTERNAL &&
            (strcmp(outcome->sqlstate, "40P01") == 0 || strcmp(outcome->sqlstate, "40001") == 0 ||
             strcmp(outcome->sqlstate, "55P03") == 0));
}

static void s_on_done(void *arg, const pg_outcome_t *outcome)
{
    change_t *change = arg;
    room_changes_t *self = change->owner;
    if (outcome->code == ERR_OK) {
        s_finish(change, outcome->results[0]);
        return;
    }
    change->maybe_done = change->maybe_done || outcome->unknown;
    if (self->stopped || !s_is_transient(outcome) ||
        change->call->deadline_ms < clock_unix_ms() + PAUSE_MS + DEADLINE_MARGIN_MS) {
        s_fail(change, outcome);
        return;
    }
    metric_inc(self->metric_retries);
    DL_APPEND(self->waiting, change);
    if (!loop_timer_is_active(self->pause))
        loop_timer_start(self->pause, PAUSE_MS, 0);
}

static pg_param_t s_text(text_t text)
{
    return text.data ? PG_BINARY(text.data, text.size) : PG_NULL;
}

static void s_run(change_t *change)
{
    const store_call_t *call = change->call;
    char members_max[8];
    pg_put_int64(ROOM_MEMBERS_MAX, members_max);
    const pg_param_t params[] = {
        PG_TEXT(change->what),
        s_text(change->room),
        PG_BINARY(call->id.bytes, sizeof call->id.bytes),
        PG_TEXT(call->handle),
        change->is_folded ? PG_TEXT(change->folded) : PG_NULL,
        PG_TEXT(room_caller_account(call)),
        s_text(change->target),
        change->is_target_folded ? PG_TEXT(change->target_folded) : PG_NULL,
        s_text(change->role),
        s_text(change->title),
        PG_BINARY(members_max, sizeof members_max),
    };
    const pg_step_t step = {.statement = &rooms_sql_change, .params = params};
    FAULT_EXIT("exit_before_commit");
    pg_link_run(database_writer(change->owner->database), &step, 1, call->deadline_ms, s_on_done,
                change);
}

static void s_on_pause(void *arg)
{
    room_changes_t *self = arg;
    change_t *list = self->waiting, *change, *next;
    self->waiting = NULL;
    DL_FOREACH_SAFE(list, change, next)
    {
        DL_DELETE(list, change);
        s_run(change);
    }
}

/* ---- calls ---- */

/* Reads the arguments that the mutation has. */
static bool s_read(change_t *change, const json_t *args, refusal_t *refusal)
{
    const char *what = change->what;
    bool is_invite = strcmp(what, "inviteToRoom") == 0, is_role = strcmp(what, "setRoomRole") == 0;
    if (strcmp(what, "createRoom") == 0) {
        parley_uuid_t id;
        char text[UUID_TEXT_SIZE];
        memcpy(id.bytes, change->call->id.bytes, sizeof id.bytes);
        uuid_print(&id, text);
        snprintf(change->new_room, sizeof change->new_room, ROOM_PRIVATE "%s", text);
        change->room = (text_t){change->new_room, strlen(change->new_room)};
        return arguments_title(args, &change->title, refusal);
    }
    if (!arguments_private_room(args, &change->room, refusal))
        return false;
    if (strcmp(what, "leaveRoom") == 0)
        return true;
    if (!arguments_handle(args, &change->target, refusal))
        return false;
    return !(is_invite || is_role) || arguments_role(args, &change->role, refusal);
}

static void s_change(void *arg, store_call_t *call)
{
    room_changes_t *self = arg;
    refusal_t refusal;
    const char *what = strchr(call->field, '.') + 1;
    if (!call->handle) {
        store_call_fail(call, ERR_UNAUTHENTICATED, NULL, "%s needs an identity", what);
        return;
    }
    change_t *change = calloc(1, sizeof *change);
    if (!change)
        abort();
    change->owner = self;
    change->call = call;
    change->what = what;
    if (!s_read(change, call->args, &refusal)) {
        store_call_reject(call, refusal.argument, "%s", refusal.err.text);
        free(change);
        return;
    }
    change->is_folded = account_fold(call->handle, strlen(call->handle), change->folded);
    change->is_target_folded =
        change->target.data &&
        account_fold(change->target.data, change->target.size, change->target_folded);
    static const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
    if (self->stopped)
        s_fail(change, &away);
    else
        s_run(change);
}

const store_handler_t room_changes_handlers[] = {
    {"Mutation.createRoom", s_change},  {"Mutation.inviteToRoom", s_change},
    {"Mutation.setRoomRole", s_change}, {"Mutation.removeFromRoom", s_change},
    {"Mutation.leaveRoom", s_change},   {NULL, NULL}};

/* ---- life ---- */

room_changes_t *room_changes_new(loop_t *loop, database_t *database, publisher_t *publisher)
{
    room_changes_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->publisher = publisher;
    self->payload = (buffer_t)BUFFER_INIT(PAYLOAD_MAX);
    self->pause = loop_timer_new(loop, s_on_pause, self);
    self->metric_changes = metrics_counter("parley_store_room_changes_total",
                                           "changes of private rooms and their members", NULL);
    self->metric_retries = metrics_counter("parley_store_room_change_retries_total",
                                           "repeated because the database was away", NULL);
    self->metric_repeated =
        metrics_counter("parley_store_room_changes_repeated_total", "that were made already", NULL);
    return self;
}

void room_changes_stop(room_changes_t *self)
{
    static const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
    change_t *change, *next;
    self->stopped = true;
    loop_timer_stop(self->pause);
    DL_FOREACH_SAFE(self->waiting, change, next)
    {
        DL_DELETE(self->waiting, change);
        s_fail(change, &away);
    }
}

void room_changes_destroy(room_changes_t **self_p)
{
    room_changes_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_timer_destroy(&self->pause);
    buffer_free(&self->payload);
    free(self);
}
