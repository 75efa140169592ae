#include "store/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"
#include "store/arguments.h"
#include "store/like.h"
#include "store/message.h"
#include "store/read_task.h"
#include "store/reader_sql.h"
#include "store/room.h"

enum { RESULT_BYTES_MAX = 12 * 1024 * 1024 };

struct reader {
    database_t *database;
    early_calls_t *early;
    tail_reader_t *tails;
    starts_t *starts;
    metric_t *metric_pages, *metric_filters, *metric_starts;
};

/* A call that waits for the database. */
typedef struct {
    read_task_t read;
    reader_t *reader;
    text_t room; /* borrowed from the call */
    bool is_private;
    /* What is to be checked against the head. */
    bool has_after, has_before;
    uint64_t after, before;
    const char *after_argument;
    bool forward;
    int tail_limit; /* the page is the room's newest messages, as many; 0: another one */
    start_t start;  /* of a subscription; */
    int last;       /* it begins with as many */
} task_t;

/* A task; or NULL, and fn gets the call once the log's epoch is known. */
static task_t *s_begin(reader_t *self, store_call_t *call, store_handler_fn fn)
{
    task_t *task = read_task_new(sizeof *task, self->database, self->early, call, fn, self);
    if (task)
        task->reader = self;
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
    cursor_base_t base = message_cursor_base(task->read.epoch, task->room.data, task->room.size);
    err_code_t code = cursor_parse(&base, text.data, text.size, seq, &err);
    if (code == ERR_OK && *seq <= INT64_MAX)
        return true;
    if (code == ERR_CURSOR_EXPIRED)
        store_call_fail(task->read.call, ERR_CURSOR_EXPIRED, NULL, "%s: %s", argument, err.text);
    else
        store_call_reject(task->read.call, argument, "%s is %s", argument,
                          code == ERR_OK ? "not a cursor" : err.text);
    return false;
}

/* Compares the cursors with the log's ends; false: the call is failed. */
static bool s_check_cursors(task_t *task, uint64_t head, uint64_t first)
{
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
        store_call_fail(task->read.call, ERR_CURSOR_EXPIRED, NULL, "%s: the cursor %s", argument,
                        expired);
    return !expired;
}

/* ---- Query.getMessages ---- */

static void s_print_page(task_t *task, const PGresult *rows)
{
    cursor_base_t base = message_cursor_base(task->read.epoch, task->room.data, task->room.size);
    message_t message = {.room = task->room.data, .room_size = task->room.size};
    int count = PQntuples(rows);
    if (count == 1 && PQgetisnull(rows, 0, 0))
        count = 0; /* an empty page of a private room */
    buffer_t *out = store_call_begin(task->read.call);
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
    store_call_done(task->read.call);
}

/* rows: of a statement that has head and first in two columns, from column on; none if nobody ever
 * wrote to the room. */
static bool s_check_ends(task_t *task, const PGresult *rows, int column)
{
    bool is_there = PQntuples(rows) > 0;
    return s_check_cursors(task, is_there ? (uint64_t)pg_bigint(rows, 0, column) : 0,
                           is_there ? (uint64_t)pg_bigint(rows, 0, column + 1) : 1);
}

/* Is the page to be shown? If not, the call is failed. */
static bool s_check_page(task_t *task, const pg_outcome_t *outcome)
{
    if (read_task_failed(&task->read, outcome))
        return false;
    if (!task->is_private)
        return outcome->count == 1 || s_check_ends(task, outcome->results[1], 0);
    if (PQntuples(outcome->results[0]) > 0)
        return s_check_ends(task, outcome->results[0], PRIVATE_PAGE_HEAD);
    room_refuse(task->read.call);
    return false;
}

static void s_on_page(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_check_page(task, outcome)) {
        free(task);
        return;
    }
    if (task->tail_limit)
        tail_reader_load(task->reader->tails, task->read.epoch, task->room, outcome->results[0],
                         task->tail_limit);
    s_print_page(task, outcome->results[0]);
    free(task);
}

static void s_send_page(task_t *task, const page_arguments_t *page)
{
    const store_call_t *call = task->read.call;
    char after[8], before[8], limit[8];
    buffer_t pattern = BUFFER_INIT(2 * FILTER_BYTES_MAX + 8);
    bool filtered = page->filter.data != NULL;
    bool checks_head = !task->is_private && (task->has_after || task->has_before);
    pg_put_int64(task->has_after ? (int64_t)task->after : -1, after);
    pg_put_int64(task->has_before ? (int64_t)task->before : INT64_MAX, before);
    pg_put_int64(page->limit, limit);
    if (filtered)
        like_pattern(&pattern, page->filter.data, page->filter.size);
    pg_param_t room = PG_BINARY(task->room.data, task->room.size);
    const pg_param_t params[] = {room, PG_BINARY(after, 8), PG_BINARY(before, 8),
                                 PG_BINARY(limit, 8), PG_TEXT(pattern.data)};
    const pg_param_t private_params[] = {
        room,
        PG_TEXT(call->handle ? call->handle : ""),
        PG_TEXT(room_caller_account(call)),
        params[1],
        params[2],
        params[3],
        params[4],
    };
    /* The head is read after the page: a cursor of a message that the page could show is never too
     * new. */
    pg_step_t steps[] = {
        {.statement = reader_sql_page(page->forward, filtered), .params = params},
        {.statement = &reader_sql_head, .params = &room},
    };
    if (task->is_private)
        steps[0] = (pg_step_t){.statement = reader_sql_private_page(page->forward, filtered),
                               .params = private_params};
    reader_t *self = task->reader;
    metric_inc(filtered ? self->metric_filters : self->metric_pages);
    pg_link_t *link = filtered ? database_filter(self->database) : database_reader(self->database);
    pg_link_read_steps(link, steps, checks_head ? 2 : 1, task->read.call->deadline_ms, s_on_page,
                       task);
    buffer_free(&pattern);
}

/* Is it just the newest messages that are wanted? */
static bool s_is_tail(const page_arguments_t *page)
{
    return !page->forward && !page->after.data && !page->before.data && !page->filter.data;
}

static void s_get_messages(void *arg, store_call_t *call)
{
    reader_t *self = arg;
    page_arguments_t page;
    text_t room;
    refusal_t refusal;
    if (!arguments_room(call->args, &room, &refusal) ||
        !arguments_page(call->args, &page, &refusal)) {
        s_reject(call, &refusal);
        return;
    }
    bool is_private = room_is_private(room.data, room.size);
    bool is_tail = s_is_tail(&page) && !is_private;
    if (is_tail && tail_reader_take(self->tails, call, room, page.limit, s_get_messages, self))
        return;
    task_t *task = s_begin(self, call, s_get_messages);
    if (!task)
        return;
    task->room = room;
    task->is_private = is_private;
    task->forward = page.forward;
    task->tail_limit = is_tail ? page.limit : 0;
    task->after_argument = "after";
    if (!s_cursor(task, "after", page.after, &task->has_after, &task->after) ||
        !s_cursor(task, "before", page.before, &task->has_before, &task->before)) {
        free(task);
        return;
    }
    if (task->has_after && task->has_before && task->after >= task->before) {
        store_call_reject(call, "after", "after must lie before the cursor of before");
        free(task);
        return;
    }
    s_send_page(task, &page);
}

/* ---- Subscription.addMessage ---- */

/* head was read in the snapshot in which the caller was let in; of a public room, which lets in
 * everybody, it may be older if he has a cursor. All changes of a private room's
 * members are events of the room, so he is a member as of this seq: a revoke at or below it was
 * made up for by an invitation, and each one beyond it ends the subscription, since the gateway
 * passes every seq beyond it, whether live or by REPLAY (proto/bus.md 4.4). So no removal slips in
 * between this answer and the subscription's start. */
static void s_print_start(task_t *task, uint64_t head)
{
    buffer_t *out = store_call_begin(task->read.call);
    char stream[STREAM_BYTES_MAX];
    memcpy(stream, STREAM_PREFIX, STREAM_PREFIX_SIZE);
    memcpy(stream + STREAM_PREFIX_SIZE, task->room.data, task->room.size);
    buffer_put_str(out, "{\"stream\":");
    buffer_put_json_string(out, stream, STREAM_PREFIX_SIZE + task->room.size);
    buffer_printf(out, ",\"epoch\":\"%s\",\"head\":%" PRIu64 ",\"start\":", task->read.epoch, head);
    if (task->has_after)
        buffer_printf(out, "{\"after\":%" PRIu64 "}}", task->after);
    else if (task->last)
        buffer_printf(out, "{\"last\":%d}}", task->last);
    else
        buffer_put_str(out, "\"live\"}");
    store_call_done(task->read.call);
}

static void s_on_start(void *arg, const pg_outcome_t *outcome, uint64_t head, uint64_t first)
{
    task_t *task = arg;
    if (!read_task_failed(&task->read, outcome)) {
        if (task->start.is_closed)
            room_refuse(task->read.call);
        else if (s_check_cursors(task, head, first))
            s_print_start(task, head);
    }
    free(task);
}

static void s_subscribe(void *arg, store_call_t *call)
{
    reader_t *self = arg;
    start_arguments_t start;
    text_t room;
    refusal_t refusal;
    bool is_right = strcmp(call->field, "Subscription.roomChanges") == 0
                        ? arguments_private_room(call->args, &room, &refusal)
                        : arguments_room(call->args, &room, &refusal);
    if (!is_right || !arguments_start(call->args, call->resume, &start, &refusal)) {
        s_reject(call, &refusal);
        return;
    }
    task_t *task = s_begin(self, call, s_subscribe);
    if (!task)
        return;
    task->room = room;
    task->after_argument = start.after_argument;
    metric_inc(self->metric_starts);
    if (!s_cursor(task, start.after_argument, start.after, &task->has_after, &task->after)) {
        free(task);
        return;
    }
    task->last = start.last;
    task->start = (start_t){.read = task->read,
                            .room = room,
                            .has_after = task->has_after,
                            .after = task->after,
                            .fn = s_on_start,
                            .arg = task};
    starts_read(self->starts, &task->start);
}

const store_handler_t reader_handlers[] = {{"Query.getMessages", s_get_messages},
                                           {"Subscription.addMessage", s_subscribe},
                                           {"Subscription.roomChanges", s_subscribe},
                                           {NULL, NULL}};

/* ---- life ---- */

reader_t *
reader_new(database_t *database, early_calls_t *early, tail_reader_t *tails, starts_t *starts)
{
    reader_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->database = database;
    self->early = early;
    self->tails = tails;
    self->starts = starts;
    self->metric_pages =
        metrics_counter("parley_store_pages_total", "pages of messages read", "kind=\"plain\"");
    self->metric_filters =
        metrics_counter("parley_store_pages_total", "pages of messages read", "kind=\"filter\"");
    self->metric_starts =
        metrics_counter("parley_store_subscription_starts_total", "subscriptions begun", NULL);
    return self;
}

void reader_destroy(reader_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
