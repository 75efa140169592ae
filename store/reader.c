#include "store/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/metrics.h"
#include "store/arguments.h"
#include "store/like.h"
#include "store/message.h"
#include "store/pg_array.h"
#include "store/reader_sql.h"

enum {
    REPLAY_BYTES = 4 * 1024 * 1024,
    RESULT_BYTES_MAX = 12 * 1024 * 1024,
    ROOMS_ARRAY_MAX = BUS_HEADS_MAX * (ROOM_BYTES_MAX + 8) + 64,
};

struct reader {
    database_t *database;
    metric_t *metric_pages, *metric_filters, *metric_replays, *metric_replayed, *metric_heads,
        *metric_starts;
};

/* A call that waits for the database. */
typedef struct {
    reader_t *reader;
    store_call_t *call;
    text_t room; /* borrowed from the call */
    char epoch[EPOCH_SIZE];
    /* Of a page or a subscription: what is to be checked against the head, 0 for absent. */
    bool has_after, has_before;
    uint64_t after, before;
    const char *after_argument;
    bool forward;
    /* Of heads: the rooms as they were asked for, in byte order. */
    struct head *heads;
    size_t heads_count;
} task_t;

static void s_end(task_t *task)
{
    free(task->heads);
    free(task);
}

/* A task, or NULL and the call is failed: before the first contact with the database nothing is
 * known of its log. */
static task_t *s_begin(reader_t *self, store_call_t *call)
{
    const char *epoch = database_epoch(self->database);
    if (!epoch) {
        const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
        store_call_fail_database(call, &away);
        return NULL;
    }
    task_t *task = calloc(1, sizeof *task);
    if (!task)
        abort();
    task->reader = self;
    task->call = call;
    memcpy(task->epoch, epoch, sizeof task->epoch);
    return task;
}

static void s_reject(store_call_t *call, const refusal_t *refusal)
{
    store_call_reject(call, refusal->argument, "%s", refusal->err.text);
}

/* ---- cursors ---- */

/* Reads a cursor argument; false: the call is failed. */
static bool s_cursor(task_t *task, const char *argument, text_t text, bool *is_there, uint64_t *seq)
{
    *is_there = text.data != NULL;
    if (!text.data)
        return true;
    err_t err = ERR_INIT;
    cursor_base_t base = message_cursor_base(task->epoch, task->room.data, task->room.size);
    err_code_t code = cursor_parse(&base, text.data, text.size, seq, &err);
    if (code == ERR_OK && *seq <= INT64_MAX)
        return true;
    if (code == ERR_CURSOR_EXPIRED)
        store_call_fail(task->call, ERR_CURSOR_EXPIRED, NULL, "%s: %s", argument, err.text);
    else
        store_call_reject(task->call, argument, "%s is %s", argument,
                          code == ERR_OK ? "not a cursor" : err.text);
    return false;
}

/* Compares the cursors with the head that was read; false: the call is failed. rows: of
 * reader_sql_head. */
static bool s_check_cursors(task_t *task, const PGresult *rows)
{
    uint64_t head = 0, first = 1;
    if (PQntuples(rows) == 1) {
        head = (uint64_t)pg_bigint(rows, 0, 0);
        first = (uint64_t)pg_bigint(rows, 0, 1);
    }
    const char *expired = NULL, *argument = task->after_argument;
    if (task->has_after && task->after > head)
        expired = "lies beyond the end of the log";
    else if (task->has_after && task->after + 1 < first)
        expired = "lies before what is still kept";
    else if (task->has_before && task->before > head)
        expired = "lies beyond the end of the log", argument = "before";
    else if (task->has_before && task->before < first)
        expired = "lies before what is still kept", argument = "before";
    if (expired)
        store_call_fail(task->call, ERR_CURSOR_EXPIRED, NULL, "%s: the cursor %s", argument,
                        expired);
    return !expired;
}

/* ---- Query.getMessages ---- */

static void s_print_page(task_t *task, const PGresult *rows)
{
    cursor_base_t base = message_cursor_base(task->epoch, task->room.data, task->room.size);
    message_t message = {.room = task->room.data, .room_size = task->room.size};
    int count = PQntuples(rows);
    buffer_t *out = store_call_begin(task->call);
    size_t begun = out->size;
    buffer_put_char(out, '[');
    /* A page too large for the bus is refused by store_call_done: stop when it is sure. */
    for (int i = 0; i < count && out->size - begun <= RESULT_BYTES_MAX; i++) {
        message_from_row(&message, rows, task->forward ? i : count - 1 - i, 0);
        if (i > 0)
            buffer_put_char(out, ',');
        message_print(out, &message, &base);
    }
    buffer_put_char(out, ']');
    store_call_done(task->call);
}

static void s_on_page(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code != ERR_OK)
        store_call_fail_database(task->call, outcome);
    else if (outcome->count == 1 || s_check_cursors(task, outcome->results[1]))
        s_print_page(task, outcome->results[0]);
    s_end(task);
}

static void s_send_page(task_t *task, const page_arguments_t *page)
{
    char after[8], before[8], limit[8];
    buffer_t pattern = BUFFER_INIT(2 * FILTER_BYTES_MAX + 8);
    bool filtered = page->filter.data != NULL;
    pg_put_int64(task->has_after ? (int64_t)task->after : -1, after);
    pg_put_int64(task->has_before ? (int64_t)task->before : INT64_MAX, before);
    pg_put_int64(page->limit, limit);
    if (filtered)
        like_pattern(&pattern, page->filter.data, page->filter.size);
    pg_param_t room = PG_BINARY(task->room.data, task->room.size);
    const pg_param_t params[] = {room, PG_BINARY(after, 8), PG_BINARY(before, 8),
                                 PG_BINARY(limit, 8), PG_TEXT(pattern.data)};
    /* The head is read after the page: a cursor of a message that the page could show is never too
     * new. */
    const pg_step_t steps[] = {
        {.statement = reader_sql_page(page->forward, filtered), .params = params},
        {.statement = &reader_sql_head, .params = &room},
    };
    reader_t *self = task->reader;
    metric_inc(filtered ? self->metric_filters : self->metric_pages);
    pg_link_t *link = filtered ? database_filter(self->database) : database_reader(self->database);
    pg_link_read_steps(link, steps, task->has_after || task->has_before ? 2 : 1,
                       task->call->deadline_ms, s_on_page, task);
    buffer_free(&pattern);
}

static void s_get_messages(void *arg, store_call_t *call)
{
    page_arguments_t page;
    text_t room;
    refusal_t refusal;
    if (!arguments_room(call->args, &room, &refusal) ||
        !arguments_page(call->args, &page, &refusal)) {
        s_reject(call, &refusal);
        return;
    }
    task_t *task = s_begin(arg, call);
    if (!task)
        return;
    task->room = room;
    task->forward = page.forward;
    task->after_argument = "after";
    if (!s_cursor(task, "after", page.after, &task->has_after, &task->after) ||
        !s_cursor(task, "before", page.before, &task->has_before, &task->before)) {
        s_end(task);
        return;
    }
    if (task->has_after && task->has_before && task->after >= task->before) {
        store_call_reject(call, "after", "after must lie before the cursor of before");
        s_end(task);
        return;
    }
    s_send_page(task, &page);
}

/* ---- Subscription.addMessage ---- */

static void s_print_start(task_t *task, int last)
{
    buffer_t *out = store_call_begin(task->call);
    char stream[STREAM_BYTES_MAX];
    memcpy(stream, STREAM_PREFIX, STREAM_PREFIX_SIZE);
    memcpy(stream + STREAM_PREFIX_SIZE, task->room.data, task->room.size);
    buffer_put_str(out, "{\"stream\":");
    buffer_put_json_string(out, stream, STREAM_PREFIX_SIZE + task->room.size);
    buffer_printf(out, ",\"epoch\":\"%s\",\"start\":", task->epoch);
    if (task->has_after)
        buffer_printf(out, "{\"after\":%" PRIu64 "}}", task->after);
    else if (last)
        buffer_printf(out, "{\"last\":%d}}", last);
    else
        buffer_put_str(out, "\"live\"}");
    store_call_done(task->call);
}

static void s_on_start(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code != ERR_OK)
        store_call_fail_database(task->call, outcome);
    else if (s_check_cursors(task, outcome->results[0]))
        s_print_start(task, 0);
    s_end(task);
}

static void s_add_message(void *arg, store_call_t *call)
{
    reader_t *self = arg;
    start_arguments_t start;
    text_t room;
    refusal_t refusal;
    if (!arguments_room(call->args, &room, &refusal) ||
        !arguments_start(call->args, call->resume, &start, &refusal)) {
        s_reject(call, &refusal);
        return;
    }
    task_t *task = s_begin(self, call);
    if (!task)
        return;
    task->room = room;
    task->after_argument = start.after_argument;
    metric_inc(self->metric_starts);
    if (!s_cursor(task, start.after_argument, start.after, &task->has_after, &task->after)) {
        s_end(task);
    } else if (!task->has_after) {
        s_print_start(task, start.last);
        s_end(task);
    } else {
        pg_param_t params[] = {PG_BINARY(room.data, room.size)};
        pg_link_read(database_reader(self->database), &reader_sql_head, params, call->deadline_ms,
                     s_on_start, task);
    }
}

const store_handler_t reader_handlers[] = {{"Query.getMessages", s_get_messages},
                                           {"Subscription.addMessage", s_add_message},
                                           {NULL, NULL}};

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
    const json_t *stream = json_object_get(task->call->args, "stream");
    buffer_put_str(out, "{\"stream\":");
    buffer_put_json_string(out, json_string_value(stream), json_string_length(stream));
}

enum { REPLAY_HEAD, REPLAY_FIRST, REPLAY_TYPE, REPLAY_MESSAGE };

static void s_print_replay(task_t *task, const PGresult *rows)
{
    cursor_base_t base = message_cursor_base(task->epoch, task->room.data, task->room.size);
    message_t message = {.room = task->room.data, .room_size = task->room.size};
    buffer_t *out = store_call_begin(task->call);
    size_t begun = out->size;
    s_print_stream(out, task);
    buffer_printf(out, ",\"epoch\":\"%s\",\"head\":%" PRId64 ",\"first\":%" PRId64 ",\"events\":[",
                  task->epoch, pg_bigint(rows, 0, REPLAY_HEAD), pg_bigint(rows, 0, REPLAY_FIRST));
    int i = 0;
    for (; i < PQntuples(rows) && !PQgetisnull(rows, i, REPLAY_TYPE); i++) {
        if (i > 0 && out->size - begun > REPLAY_BYTES)
            break; /* escapes made it grow; the gateway asks for the rest */
        message_from_row(&message, rows, i, REPLAY_MESSAGE);
        buffer_put_str(out, i > 0 ? ",{\"seq\":" : "{\"seq\":");
        buffer_put_uint(out, message.seq);
        buffer_put_str(out, ",\"type\":");
        buffer_put_json_string(out, PQgetvalue(rows, i, REPLAY_TYPE),
                               (size_t)PQgetlength(rows, i, REPLAY_TYPE));
        buffer_put_str(out, ",\"payload\":");
        message_print(out, &message, &base);
        buffer_put_char(out, '}');
    }
    buffer_put_str(out, "]}");
    metric_add(task->reader->metric_replayed, i);
    store_call_done(task->call);
}

static void s_on_replay(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code != ERR_OK)
        store_call_fail_database(task->call, outcome);
    else
        s_print_replay(task, outcome->results[0]);
    s_end(task);
}

void reader_replay(reader_t *self, store_call_t *call)
{
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
    task_t *task = s_begin(self, call);
    if (!task)
        return;
    task->room = room;
    char from[8], count[8], bytes[8];
    json_int_t wanted = json_integer_value(limit);
    pg_put_int64(json_integer_value(json_is_integer(after) ? after : last), from);
    pg_put_int64(wanted < 1 ? 1 : wanted > BUS_REPLAY_MAX ? BUS_REPLAY_MAX : wanted, count);
    pg_put_int64(REPLAY_BYTES, bytes);
    const pg_param_t params[] = {PG_BINARY(room.data, room.size), PG_BINARY(from, 8),
                                 PG_BINARY(count, 8), PG_BINARY(bytes, 8)};
    metric_inc(self->metric_replays);
    pg_link_read(database_reader(self->database),
                 json_is_integer(after) ? &reader_sql_replay_after : &reader_sql_replay_last,
                 params, call->deadline_ms, s_on_replay, task);
}

/* ---- HEADS ---- */

/* A room that was asked for, and what was found. */
typedef struct head {
    text_t room;
    size_t position; /* in the question */
    int64_t last, first;
} head_t;

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
    buffer_t *out = store_call_begin(task->call);
    const json_t *streams = json_object_get(task->call->args, "streams");
    buffer_printf(out, "{\"epoch\":\"%s\",\"heads\":[", task->epoch);
    for (size_t i = 0; i < task->heads_count; i++) {
        const json_t *stream = json_array_get(streams, i);
        buffer_put_str(out, i > 0 ? ",{\"stream\":" : "{\"stream\":");
        buffer_put_json_string(out, json_string_value(stream), json_string_length(stream));
        buffer_printf(out, ",\"head\":%" PRId64 ",\"first\":%" PRId64 "}", task->heads[i].last,
                      task->heads[i].first);
    }
    buffer_put_str(out, "]}");
    store_call_done(task->call);
}

static void s_on_heads(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code != ERR_OK) {
        store_call_fail_database(task->call, outcome);
    } else {
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
    if (outcome->code != ERR_OK) {
        store_call_fail_database(task->call, outcome);
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
                 task->call->deadline_ms, s_on_heads, task);
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
    pg_link_read_steps(database_control(task->reader->database), steps, 3, task->call->deadline_ms,
                       s_on_settled, task);
    pg_array_free(&rooms);
}

void reader_heads(reader_t *self, store_call_t *call)
{
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
    task_t *task = s_begin(self, call);
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

reader_t *reader_new(database_t *database)
{
    reader_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->database = database;
    self->metric_pages =
        metrics_counter("parley_store_pages_total", "pages of messages read", "kind=\"plain\"");
    self->metric_filters =
        metrics_counter("parley_store_pages_total", "pages of messages read", "kind=\"filter\"");
    self->metric_replays = metrics_counter("parley_store_replays_total", "REPLAYs read", NULL);
    self->metric_replayed =
        metrics_counter("parley_store_replayed_events_total", "events sent in REPLAYs", NULL);
    self->metric_heads = metrics_counter("parley_store_heads_total", "HEADS read", NULL);
    self->metric_starts =
        metrics_counter("parley_store_subscription_starts_total", "subscriptions begun", NULL);
    return self;
}

void reader_destroy(reader_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
