#include "store/rooms/room_lists.h"

#include <stdlib.h>

#include "common/clock.h"
#include "store/arguments.h"
#include "store/message.h"
#include "store/read_task.h"
#include "store/room.h"
#include "store/rooms/rooms_sql.h"

struct room_lists {
    database_t *database;
    early_calls_t *early;
};

typedef struct {
    read_task_t read;
    text_t room; /* borrowed from the call */
} task_t;

/* A task; or NULL, and fn gets the call once the log's epoch is known. */
static task_t *s_begin(room_lists_t *self, store_call_t *call, store_handler_fn fn)
{
    return read_task_new(sizeof(task_t), self->database, self->early, call, fn, self);
}

static void s_put(buffer_t *out, const char *before, const PGresult *rows, int row, int column)
{
    buffer_put_str(out, before);
    buffer_put_json_string(out, PQgetvalue(rows, row, column),
                           (size_t)PQgetlength(rows, row, column));
}

static void s_put_time(buffer_t *out, const char *before, const PGresult *rows, int row, int column)
{
    char text[CLOCK_ISO_SIZE];
    clock_iso(pg_unix_us(rows, row, column), text);
    buffer_put_str(out, before);
    buffer_put_json_string(out, text, CLOCK_ISO_SIZE - 1);
}

static void s_ask(room_lists_t *self, task_t *task, const pg_statement_t *statement, pg_done_fn fn)
{
    const store_call_t *call = task->read.call;
    const pg_param_t params[] = {PG_TEXT(call->handle ? call->handle : ""),
                                 PG_TEXT(room_caller_account(call)),
                                 PG_BINARY(task->room.data, task->room.size)};
    pg_link_read(database_reader(self->database), statement, params, call->deadline_ms, fn, task);
}

/* ---- Query.myRooms ---- */

static void s_on_mine(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!read_task_failed(&task->read, outcome)) {
        const PGresult *rows = outcome->results[0];
        buffer_t *out = store_call_begin(task->read.call);
        buffer_put_char(out, '[');
        for (int row = 0; row < PQntuples(rows); row++) {
            s_put(out, row > 0 ? ",{\"room\":" : "{\"room\":", rows, row, MINE_ROOM);
            s_put(out, ",\"title\":", rows, row, MINE_TITLE);
            s_put(out, ",\"role\":", rows, row, MINE_ROLE);
            s_put_time(out, ",\"createdAt\":", rows, row, MINE_CREATED_AT);
            buffer_put_char(out, '}');
        }
        buffer_put_char(out, ']');
        store_call_done(task->read.call);
    }
    free(task);
}

static void s_my_rooms(void *arg, store_call_t *call)
{
    room_lists_t *self = arg;
    task_t *task = s_begin(self, call, s_my_rooms);
    if (task)
        s_ask(self, task, &rooms_sql_mine, s_on_mine);
}

/* ---- Query.roomMembers ---- */

static void s_print_members(task_t *task, const PGresult *rows)
{
    char cursor[CURSOR_SIZE];
    cursor_base_t base = message_cursor_base(task->read.epoch, task->room.data, task->room.size);
    buffer_t *out = store_call_begin(task->read.call);
    buffer_put_char(out, '[');
    for (int row = 0; row < PQntuples(rows); row++) {
        cursor_print(&base, (uint64_t)pg_bigint(rows, row, MEMBER_SEQ), cursor);
        s_put(out, row > 0 ? ",{\"handle\":" : "{\"handle\":", rows, row, MEMBER_HANDLE);
        s_put(out, ",\"role\":", rows, row, MEMBER_ROLE);
        s_put(out, ",\"changedBy\":", rows, row, MEMBER_CHANGED_BY);
        s_put_time(out, ",\"changedAt\":", rows, row, MEMBER_CHANGED_AT);
        buffer_put_str(out, ",\"room\":");
        buffer_put_json_string(out, task->room.data, task->room.size);
        buffer_put_str(out, ",\"cursor\":\"");
        buffer_put(out, cursor, CURSOR_SIZE - 1);
        buffer_put_str(out, "\"}");
    }
    buffer_put_char(out, ']');
    store_call_done(task->read.call);
}

static void s_on_members(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!read_task_failed(&task->read, outcome)) {
        if (PQntuples(outcome->results[0]) == 0)
            room_refuse(task->read.call);
        else
            s_print_members(task, outcome->results[0]);
    }
    free(task);
}

static void s_room_members(void *arg, store_call_t *call)
{
    room_lists_t *self = arg;
    text_t room;
    refusal_t refusal;
    if (!arguments_private_room(call->args, &room, &refusal)) {
        store_call_reject(call, refusal.argument, "%s", refusal.err.text);
        return;
    }
    task_t *task = s_begin(self, call, s_room_members);
    if (!task)
        return;
    task->room = room;
    s_ask(self, task, &rooms_sql_members, s_on_members);
}

const store_handler_t room_lists_handlers[] = {
    {"Query.myRooms", s_my_rooms}, {"Query.roomMembers", s_room_members}, {NULL, NULL}};

/* ---- life ---- */

room_lists_t *room_lists_new(database_t *database, early_calls_t *early)
{
    room_lists_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->database = database;
    self->early = early;
    return self;
}

void room_lists_destroy(room_lists_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
