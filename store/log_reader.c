#include "store/log_reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "store/arguments.h"
#include "store/message.h"
#include "store/pg_array.h"
#include "store/read_task.h"
#include "store/reader_sql.h"
#include "store/room_event.h"

enum {
    REPLAY_BYTES = 4 * 1024 * 1024, /* of one statement */
    REPLAYS_MAX = 16,               /* of one statement */
    REPLAYS_ARRAY_MAX = REPLAYS_MAX * (ROOM_BYTES_MAX + 16) + 64,
    ROOMS_ARRAY_MAX = BUS_HEADS_MAX * (ROOM_BYTES_MAX + 8) + 64,
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
};

typedef struct task task_t;

struct log_reader {
    loop_t *loop;
    database_t *database;
    early_calls_t *early;
    task_t *replays; /* of this turn, `after` a seq */
    bool ask_deferred, stopped;
    metric_t *metric_replays, *metric_replayed, *metric_heads;
};

/* A room that was asked for, and what was found. */
typedef struct {
    text_t room;     /* borrowed from the call */
    size_t position; /* in the question */
    int64_t last, first;
} head_t;

/* A call that waits for the database. */
struct task {
    read_task_t read;         /* first: read_task_new fills it */
    struct task *prev, *next; /* among those of one statement */
    log_reader_t *reader;
    text_t room; /* of a REPLAY, borrowed from the call */
    int64_t after, most;
    head_t *heads;
    size_t heads_count;
};

/* A task; or NULL, and fn gets the call once the log's epoch is known. */
static task_t *s_begin(log_reader_t *self, store_call_t *call, store_handler_fn fn)
{
    task_t *task = read_task_new(sizeof *task, self->database, self->early, call, fn, self);
    if (task)
        task->reader = self;
    return task;
}

static void s_end(task_t *task)
{
    free(task->heads);
    free(task);
}

/* ---- REPLAY ---- */

/* The room of a stream's name; false if it is no stream of ours. */
static bool s_room_of_stream(const json_t *value, text_t *room)
{
    const char *name = json_string_value(value);
    size_t size = json_string_length(value);
    if (!name || size <= STREAM_PREFIX_SIZE || size > STREAM_BYTES_MAX ||
        memcmp(name, STREAM_PREFIX, STREAM_PREFIX_SIZE) != 0 || memchr(name, '\0', size))
        return false;
    *room = (text_t){name + STREAM_PREFIX_SIZE, size - STREAM_PREFIX_SIZE};
    return true;
}

static void s_print_stream(buffer_t *out, const task_t *task)
{
    const json_t *stream = json_object_get(task->read.call->args, "stream");
    buffer_put_str(out, "{\"stream\":");
    buffer_put_json_string(out, json_string_value(stream), json_string_length(stream));
}

enum { REPLAY_HEAD, REPLAY_FIRST, REPLAY_TYPE, REPLAY_MESSAGE, REPLAY_PLACE = 8 };

/* Its rows are those from begin to end - 1. */
static void s_print_replay(task_t *task, const PGresult *rows, int begin, int end)
{
    cursor_base_t base = message_cursor_base(task->read.epoch, task->room.data, task->room.size);
    message_t message = {.room = task->room.data, .room_size = task->room.size};
    buffer_t *out = store_call_begin(task->read.call);
    size_t begun = out->size;
    s_print_stream(out, task);
    buffer_printf(out, ",\"epoch\":\"%s\",\"head\":%" PRId64 ",\"first\":%" PRId64 ",\"events\":[",
                  task->read.epoch, pg_bigint(rows, begin, REPLAY_HEAD),
                  pg_bigint(rows, begin, REPLAY_FIRST));
    int i = begin;
    for (; i < end && !PQgetisnull(rows, i, REPLAY_TYPE); i++) {
        if (i > begin && out->size - begun > REPLAY_BYTES)
            break; /* escapes made it grow; the gateway asks for the rest */
        message_from_row(&message, rows, i, REPLAY_MESSAGE);
        buffer_put_str(out, i > begin ? ",{\"seq\":" : "{\"seq\":");
        buffer_put_uint(out, message.seq);
        const char *type = PQgetvalue(rows, i, REPLAY_TYPE);
        size_t type_size = (size_t)PQgetlength(rows, i, REPLAY_TYPE);
        if (room_event_is_revoke(type, type_size)) {
            buffer_put_str(out, ",\"kind\":\"revoke\"");
        } else {
            buffer_put_str(out, ",\"type\":");
            buffer_put_json_string(out, type, type_size);
        }
        buffer_put_str(out, ",\"payload\":");
        room_event_print(out, type, type_size, &message, &base);
        buffer_put_char(out, '}');
    }
    buffer_put_str(out, "]}");
    metric_add(task->reader->metric_replayed, i - begin);
    store_call_done(task->read.call);
}

static void s_on_replay(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!read_task_failed(&task->read, outcome))
        s_print_replay(task, outcome->results[0], 0, PQntuples(outcome->results[0]));
    s_end(task);
}

static void s_ask_soon(log_reader_t *self, task_t *task);

/* The database is away, and the time of one of the list is over: those that have time wait on. */
static bool s_waits_on(task_t *task, const pg_outcome_t *outcome)
{
    log_reader_t *self = task->reader;
    if (outcome->code != ERR_UNAVAILABLE || self->stopped ||
        task->read.call->deadline_ms <= clock_unix_ms() + 2 * DEADLINE_MARGIN_MS)
        return false;
    s_ask_soon(self, task);
    return true;
}

/* Each of the list has one row at least, in the list's order. */
static void s_on_replays(void *arg, const pg_outcome_t *outcome)
{
    task_t *list = arg, *task, *next;
    const PGresult *rows = outcome->code == ERR_OK ? outcome->results[0] : NULL;
    int row = 0;
    int64_t place = 0;
    DL_FOREACH_SAFE(list, task, next)
    {
        int begin = row;
        place++;
        while (rows && row < PQntuples(rows) && pg_bigint(rows, row, REPLAY_PLACE) == place)
            row++;
        assert(!rows || row > begin);
        DL_DELETE(list, task);
        if (s_waits_on(task, outcome))
            continue;
        if (!read_task_failed(&task->read, outcome))
            s_print_replay(task, rows, begin, row);
        s_end(task);
    }
}

/* Replays of one turn, as of thousands who come back together, share a statement and its bytes. */
static void s_ask_replays(log_reader_t *self, task_t *list, int count)
{
    task_t *task;
    pg_array_t rooms, afters, mosts;
    int64_t deadline_ms = INT64_MAX;
    char bytes[8];
    pg_array_init(&rooms, PG_TEXT_TYPE, REPLAYS_ARRAY_MAX);
    pg_array_init(&afters, PG_INT8, REPLAYS_ARRAY_MAX);
    pg_array_init(&mosts, PG_INT8, REPLAYS_ARRAY_MAX);
    DL_FOREACH(list, task)
    {
        pg_array_add(&rooms, task->room.data, task->room.size);
        pg_array_add_int64(&afters, task->after);
        pg_array_add_int64(&mosts, task->most);
        if (task->read.call->deadline_ms < deadline_ms)
            deadline_ms = task->read.call->deadline_ms;
    }
    assert(!rooms.bytes.failed);
    pg_put_int64(REPLAY_BYTES / count, bytes);
    const pg_param_t params[] = {pg_array_param(&rooms), pg_array_param(&afters),
                                 pg_array_param(&mosts), PG_BINARY(bytes, 8)};
    pg_link_read(database_reader(self->database), &reader_sql_replays, params, deadline_ms,
                 s_on_replays, list);
    pg_array_free(&rooms);
    pg_array_free(&afters);
    pg_array_free(&mosts);
}

/* The head of the list is its owner on the way. */
static void s_ask(void *arg)
{
    log_reader_t *self = arg;
    self->ask_deferred = false;
    while (self->replays) {
        task_t *list = NULL, *task, *next;
        int count = 0;
        DL_FOREACH_SAFE(self->replays, task, next)
        {
            if (count == REPLAYS_MAX)
                break;
            DL_DELETE(self->replays, task);
            DL_APPEND(list, task);
            count++;
        }
        s_ask_replays(self, list, count);
    }
}

static void s_ask_soon(log_reader_t *self, task_t *task)
{
    DL_APPEND(self->replays, task);
    if (!self->ask_deferred)
        loop_defer(self->loop, s_ask, self);
    self->ask_deferred = true;
}

static void s_ask_last(task_t *task, int64_t last)
{
    char from[8], count[8], bytes[8];
    pg_put_int64(last, from);
    pg_put_int64(task->most, count);
    pg_put_int64(REPLAY_BYTES, bytes);
    const pg_param_t params[] = {PG_BINARY(task->room.data, task->room.size), PG_BINARY(from, 8),
                                 PG_BINARY(count, 8), PG_BINARY(bytes, 8)};
    pg_link_read(database_reader(task->reader->database), &reader_sql_replay_last, params,
                 task->read.call->deadline_ms, s_on_replay, task);
}

void log_reader_replay(void *arg, store_call_t *call)
{
    log_reader_t *self = arg;
    text_t room;
    const json_t *after = json_object_get(call->args, "after"),
                 *last = json_object_get(call->args, "last");
    const json_t *limit = json_object_get(call->args, "limit");
    if (!s_room_of_stream(json_object_get(call->args, "stream"), &room)) {
        store_call_fail(call, ERR_NOT_FOUND, "\"argument\":\"stream\"",
                        "the store has no such stream");
        return;
    }
    if (json_is_integer(after) == json_is_integer(last) || !json_is_integer(limit) ||
        json_integer_value(json_is_integer(after) ? after : last) < 0) {
        store_call_fail(call, ERR_INTERNAL, NULL,
                        "a REPLAY wants `stream`, `limit` and either `after` or `last`");
        return;
    }
    task_t *task = s_begin(self, call, log_reader_replay);
    if (!task)
        return;
    json_int_t wanted = json_integer_value(limit);
    task->room = room;
    task->most = wanted < 1 ? 1 : wanted > BUS_REPLAY_MAX ? BUS_REPLAY_MAX : wanted;
    metric_inc(self->metric_replays);
    if (json_is_integer(last)) {
        s_ask_last(task, json_integer_value(last));
        return;
    }
    task->after = json_integer_value(after);
    s_ask_soon(self, task);
}

/* ---- HEADS ---- */

static int s_by_room(const void *a_p, const void *b_p)
{
    const head_t *a = a_p, *b = b_p;
    size_t size = a->room.size < b->room.size ? a->room.size : b->room.size;
    int order = memcmp(a->room.data, b->room.data, size);
    return order ? order : (a->room.size > b->room.size) - (a->room.size < b->room.size);
}

static int s_by_position(const void *a_p, const void *b_p)
{
    const head_t *a = a_p, *b = b_p;
    return (a->position > b->position) - (a->position < b->position);
}

static void s_print_heads(task_t *task)
{
    buffer_t *out = store_call_begin(task->read.call);
    const json_t *streams = json_object_get(task->read.call->args, "streams");
    buffer_printf(out, "{\"epoch\":\"%s\",\"heads\":[", task->read.epoch);
    for (size_t i = 0; i < task->heads_count; i++) {
        const json_t *stream = json_array_get(streams, i);
        buffer_put_str(out, i > 0 ? ",{\"stream\":" : "{\"stream\":");
        buffer_put_json_string(out, json_string_value(stream), json_string_length(stream));
        buffer_printf(out, ",\"head\":%" PRId64 ",\"first\":%" PRId64 "}", task->heads[i].last,
                      task->heads[i].first);
    }
    buffer_put_str(out, "]}");
    store_call_done(task->read.call);
}

static void s_on_heads(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!read_task_failed(&task->read, outcome)) {
        const PGresult *rows = outcome->results[0];
        assert((size_t)PQntuples(rows) == task->heads_count);
        for (size_t i = 0; i < task->heads_count; i++) {
            task->heads[i].last = pg_bigint(rows, (int)i, 0);
            task->heads[i].first = pg_bigint(rows, (int)i, 1);
        }
        s_print_heads(task);
    }
    s_end(task);
}

/* Rows are distinct rooms; the question may repeat one. */
static void s_on_settled(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (read_task_failed(&task->read, outcome)) {
        s_end(task);
        return;
    }
    const PGresult *rows = outcome->results[1];
    for (int row = 0; row < PQntuples(rows); row++) {
        const head_t key = {.room = {PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0)}};
        head_t *any = bsearch(&key, task->heads, task->heads_count, sizeof key, s_by_room);
        assert(any);
        while (any > task->heads && s_by_room(any - 1, &key) == 0)
            any--;
        for (; any < task->heads + task->heads_count && s_by_room(any, &key) == 0; any++) {
            any->last = pg_bigint(rows, row, 1);
            any->first = pg_bigint(rows, row, 2);
        }
    }
    qsort(task->heads, task->heads_count, sizeof *task->heads, s_by_position);
    s_print_heads(task);
    s_end(task);
}

static void s_ask_heads(task_t *task)
{
    pg_array_t rooms;
    pg_array_init(&rooms, PG_TEXT_TYPE, ROOMS_ARRAY_MAX);
    for (size_t i = 0; i < task->heads_count; i++)
        pg_array_add(&rooms, task->heads[i].room.data, task->heads[i].room.size);
    assert(!rooms.bytes.failed);
    pg_param_t params[] = {pg_array_param(&rooms)};
    pg_link_read(database_reader(task->reader->database), &reader_sql_heads, params,
                 task->read.call->deadline_ms, s_on_heads, task);
    pg_array_free(&rooms);
}

static void s_ask_settled(task_t *task)
{
    pg_array_t rooms;
    pg_array_init(&rooms, PG_TEXT_TYPE, ROOMS_ARRAY_MAX);
    qsort(task->heads, task->heads_count, sizeof *task->heads, s_by_room);
    for (size_t i = 0; i < task->heads_count; i++)
        if (i == 0 || s_by_room(&task->heads[i - 1], &task->heads[i]) != 0)
            pg_array_add(&rooms, task->heads[i].room.data, task->heads[i].room.size);
    assert(!rooms.bytes.failed);
    pg_param_t params[] = {pg_array_param(&rooms)};
    const pg_step_t steps[] = {{.statement = &reader_sql_begin},
                               {.statement = &reader_sql_settle, .params = params},
                               {.statement = &reader_sql_rollback}};
    pg_link_read_steps(database_control(task->reader->database), steps, 3,
                       task->read.call->deadline_ms, s_on_settled, task);
    pg_array_free(&rooms);
}

void log_reader_heads(void *arg, store_call_t *call)
{
    log_reader_t *self = arg;
    const json_t *streams = json_object_get(call->args, "streams");
    size_t count = json_array_size(streams);
    if (!json_is_array(streams)) {
        store_call_fail(call, ERR_INTERNAL, NULL, "a HEADS wants `streams`, a list");
        return;
    }
    if (count > BUS_HEADS_MAX) {
        store_call_reject(call, "streams", "streams must have at most %d items", BUS_HEADS_MAX);
        return;
    }
    task_t *task = s_begin(self, call, log_reader_heads);
    if (!task)
        return;
    task->heads = calloc(count ? count : 1, sizeof *task->heads);
    if (!task->heads)
        abort();
    task->heads_count = count;
    for (size_t i = 0; i < count; i++) {
        task->heads[i].position = i;
        task->heads[i].first = 1;
        if (!s_room_of_stream(json_array_get(streams, i), &task->heads[i].room)) {
            store_call_fail(call, ERR_NOT_FOUND, "\"argument\":\"streams\"",
                            "the store has no such stream");
            s_end(task);
            return;
        }
    }
    metric_inc(self->metric_heads);
    if (json_is_true(json_object_get(call->args, "settled")))
        s_ask_settled(task);
    else
        s_ask_heads(task);
}

/* ---- life ---- */

log_reader_t *log_reader_new(loop_t *loop, database_t *database, early_calls_t *early)
{
    log_reader_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->early = early;
    self->metric_replays = metrics_counter("parley_store_replays_total", "REPLAYs read", NULL);
    self->metric_replayed =
        metrics_counter("parley_store_replayed_events_total", "events sent in REPLAYs", NULL);
    self->metric_heads = metrics_counter("parley_store_heads_total", "HEADS read", NULL);
    return self;
}

void log_reader_stop(log_reader_t *self)
{
    self->stopped = true;
}

void log_reader_destroy(log_reader_t **self_p)
{
    log_reader_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_ask, self);
    task_t *task, *next;
    DL_FOREACH_SAFE(self->replays, task, next)
    s_end(task); /* their calls died with the endpoint */
    free(self);
}
