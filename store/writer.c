#include "store/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "store/arguments.h"
#include "store/batch.h"
#include "store/fault.h"
#include "store/room.h"
#include "store/writer_sql.h"

enum {
    QUEUE_MAX = 10000,
    QUEUE_BYTES_MAX = 64 * 1024 * 1024,
    BATCH_BYTES_MAX = 8 * 1024 * 1024,
    BATCH_UNDIVIDED = 32,     /* what waits is divided only beyond so many messages */
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    TICK_MS = 50,
    PAUSE_MS = 100, /* before the next attempt after a failure that is likely to come again */
    PAYLOAD_MAX = 1024 * 1024,
};

/* One call. The message's strings are borrowed from the call's arguments. */
typedef struct post {
    struct post *prev, *next;
    store_call_t *call;
    message_t message;
    const char *account; /* room_caller_account */
    size_t bytes;
    bool maybe_done; /* it was in a batch whose outcome is unknown */
    bool careful;    /* its room is guarded, or it may be stored already */
} post_t;

/* One group commit, until all its posts are answered or back in the queue. */
typedef struct {
    batch_t batch;
    post_t *posts[BATCH_MAX]; /* NULL: done with */
    bool is_fresh[BATCH_MAX]; /* of a leader: it was inserted now, not found */
    bool is_found[BATCH_MAX];
    bool is_secret[BATCH_MAX]; /* of a leader: found, but its sender is to know of no such room */
    int64_t sent_us;
} commit_t;

struct writer {
    loop_t *loop;
    database_t *database;
    publisher_t *publisher;
    tail_reader_t *tails;
    post_t *queue; /* in order of arrival */
    size_t queue_count, queue_bytes;
    commit_t commits[2];
    commit_t *sent;  /* the one under way, or NULL */
    commit_t *done;  /* the one before, whose answers wait for the end of the turn, or NULL */
    int batch_limit; /* smaller than BATCH_MAX while a bad row is looked for */
    int last_count;  /* messages of the batch before */
    bool kick_deferred, stopped;
    loop_timer_t *tick, *pause;
    buffer_t payload;
    metric_t *metric_queue, *metric_queue_bytes, *metric_batch, *metric_commit, *metric_careful,
        *metric_retries, *metric_duplicates, *metric_splits, *metric_expired;
};

static void s_kick(void *arg);
static void s_kick_soon(writer_t *self);

/* ---- the queue ---- */

static void s_count(writer_t *self)
{
    metric_set(self->metric_queue, (int64_t)self->queue_count);
    metric_set(self->metric_queue_bytes, (int64_t)self->queue_bytes);
}

static void s_enqueue(writer_t *self, post_t *post)
{
    DL_APPEND(self->queue, post);
    self->queue_count++;
    self->queue_bytes += post->bytes;
    if (!loop_timer_is_active(self->tick))
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
}

static void s_dequeue(writer_t *self, post_t *post)
{
    DL_DELETE(self->queue, post);
    self->queue_count--;
    self->queue_bytes -= post->bytes;
}

/* The end of a post that cannot be written in time. */
static void s_give_up(writer_t *self, post_t *post)
{
    pg_outcome_t outcome = {.code = ERR_UNAVAILABLE, .unknown = post->maybe_done, .message = ""};
    if (!self->stopped && pg_link_is_up(database_writer(self->database)))
        outcome.code = ERR_TIMEOUT;
    if (post->maybe_done) /* it may be in the log: then the gateways are to find it */
        publisher_head(self->publisher, post->message.room, post->message.room_size);
    metric_inc(self->metric_expired);
    store_call_fail_database(post->call, &outcome);
    free(post);
}

static void s_on_tick(void *arg)
{
    writer_t *self = arg;
    int64_t now_ms = clock_unix_ms();
    post_t *post, *next;
    DL_FOREACH_SAFE(self->queue, post, next)
    {
        if (now_ms < post->call->deadline_ms - DEADLINE_MARGIN_MS)
            continue;
        s_dequeue(self, post);
        s_give_up(self, post);
    }
    s_count(self);
    if (!self->queue)
        loop_timer_stop(self->tick);
}

/* ---- results ---- */

static void s_answer(store_call_t *call, const buffer_t *payload)
{
    store_call_answer(call, payload->data, payload->size);
}

/* Answers a call whose message is stored. False: it is the other one's of two who named the same
 * id, and whether he may know of the room was not asked: he has to try for himself. */
static bool s_answer_stored(writer_t *self, commit_t *commit, int index, int leader)
{
    const message_t *message = &commit->posts[leader]->message;
    store_call_t *call = commit->posts[index]->call;
    if (strlen(call->handle) == message->handle_size &&
        memcmp(call->handle, message->handle, message->handle_size) == 0) {
        s_answer(call, &self->payload);
        return true;
    }
    if (index != leader && room_is_private(message->room, message->room_size))
        return false;
    if (commit->is_secret[leader])
        room_refuse(call);
    else
        store_call_fail(call, ERR_CONFLICT, "\"argument\":\"messageId\"",
                        "messageId names a message of somebody else in this room");
    return true;
}

/* The leader's message is in the log: its event, if it is new, and answers to all that sent it. */
static void s_finish_post(writer_t *self, commit_t *commit, int leader, const char *epoch)
{
    post_t *post = commit->posts[leader];
    message_t *message = &post->message;
    cursor_base_t base = message_cursor_base(epoch, message->room, message->room_size);
    buffer_clear(&self->payload);
    message_print(&self->payload, message, &base);
    assert(!self->payload.failed);
    if (commit->is_fresh[leader]) {
        publisher_event(self->publisher, message->room, message->room_size, message->seq,
                        "createMessage", self->payload.data, self->payload.size);
        tail_reader_append(self->tails, epoch, message->room, message->room_size, message->seq,
                           self->payload.data, self->payload.size);
    } else { /* whoever wrote it may have died before publishing it */
        publisher_head(self->publisher, message->room, message->room_size);
        metric_inc(self->metric_duplicates);
    }
    /* The leader last: the message's strings live in its call. */
    for (int j = commit->batch.count - 1; j >= leader; j--) {
        post_t *same = commit->posts[j];
        if (!same || commit->batch.leader[j] != leader || !s_answer_stored(self, commit, j, leader))
            continue;
        commit->posts[j] = NULL;
        if (j != leader)
            free(same);
    }
    free(post);
}

/* What the batch found in the log, or put there, is told. */
static void s_finish(writer_t *self, commit_t *commit)
{
    const char *epoch = database_epoch(self->database);
    FAULT_EXIT("exit_after_commit");
    for (int i = 0; i < commit->batch.count; i++)
        if (batch_is_leader(&commit->batch, i) && commit->is_found[i])
            s_finish_post(self, commit, i, epoch);
}

static void s_finish_done(void *arg)
{
    writer_t *self = arg;
    commit_t *commit = self->done;
    if (!commit)
        return;
    self->done = NULL;
    loop_defer_cancel(self->loop, s_finish_done, self);
    s_finish(self, commit);
}

/* Puts what is left of the batch, and not in the log, back at the head of the queue. */
static void s_requeue(writer_t *self, commit_t *commit, bool maybe_done, bool careful)
{
    post_t *again = NULL;
    for (int i = 0; i < commit->batch.count; i++) {
        post_t *post = commit->posts[i];
        if (!post || (commit == self->done && commit->is_found[commit->batch.leader[i]]))
            continue;
        commit->posts[i] = NULL;
        post->maybe_done = post->maybe_done || maybe_done;
        post->careful = post->careful || careful;
        /* What a found row put into the message is not its own. */
        post->message.handle = post->call->handle;
        post->message.handle_size = strlen(post->call->handle);
        if (self->stopped) {
            s_give_up(self, post);
            continue;
        }
        DL_APPEND(again, post);
        self->queue_count++;
        self->queue_bytes += post->bytes;
    }
    DL_CONCAT(again, self->queue);
    self->queue = again;
    if (self->queue && !loop_timer_is_active(self->tick))
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
}

/* Rows: room, seq of its last message, created_at: of the rooms whose messages were inserted. */
static void s_take_rooms(commit_t *commit, const PGresult *rows)
{
    const batch_t *batch = &commit->batch;
    int row_of[BATCH_MAX];
    memset(row_of, -1, sizeof row_of);
    for (int row = 0; row < PQntuples(rows); row++) {
        int room =
            batch_find_room(batch, PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0));
        if (room >= 0)
            row_of[room] = row;
    }
    for (int i = 0; i < batch->count; i++) {
        int row = row_of[batch->room_of[i]];
        if (row < 0 || !batch_is_leader(batch, i))
            continue;
        message_t *message = &commit->posts[i]->message;
        message->seq = (uint64_t)(pg_bigint(rows, row, 1) - batch->back[i]);
        message->created_us = pg_unix_us(rows, row, 2);
        commit->is_found[i] = commit->is_fresh[i] = true;
    }
}

/* Rows begin with room, id, seq, created_at. With stored, handle and body follow, of who was first,
 * and whether who sends it now may know of it. */
static void s_take_rows(commit_t *commit, const PGresult *rows, bool stored)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        int index =
            batch_find(&commit->batch, PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0),
                       (const unsigned char *)PQgetvalue(rows, row, 1));
        if (index < 0)
            continue;
        message_t *message = &commit->posts[index]->message;
        commit->is_found[index] = true;
        message->seq = (uint64_t)pg_bigint(rows, row, 2);
        message->created_us = pg_unix_us(rows, row, 3);
        if (stored) {
            message->handle = PQgetvalue(rows, row, 4);
            message->handle_size = (size_t)PQgetlength(rows, row, 4);
            message->body = PQgetvalue(rows, row, 5);
            message->body_size = (size_t)PQgetlength(rows, row, 5);
            commit->is_secret[index] = !pg_bool(rows, row, 6);
        } else {
            commit->is_fresh[index] = true;
        }
    }
}

static void s_pause(writer_t *self)
{
    loop_timer_start(self->pause, PAUSE_MS, 0);
}

/* One bad row fails its batch: halve it until the row stands alone, then fail only that. */
static void s_split(writer_t *self, commit_t *commit, const pg_outcome_t *outcome)
{
    metric_inc(self->metric_splits);
    if (commit->batch.count > 1) {
        self->batch_limit = (commit->batch.count + 1) / 2;
        s_requeue(self, commit, outcome->unknown, outcome->unknown);
        return;
    }
    post_t *post = commit->posts[0];
    commit->posts[0] = NULL;
    self->batch_limit = BATCH_MAX;
    store_call_fail_database(post->call, outcome);
    free(post);
}

static bool s_is_transient(const char *sqlstate)
{
    return strcmp(sqlstate, "40P01") == 0 || strcmp(sqlstate, "40001") == 0 ||
           strcmp(sqlstate, "55P03") == 0;
}

static void s_on_failed(writer_t *self, commit_t *commit, const pg_outcome_t *outcome)
{
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0) {
        metric_inc(self->metric_careful);
        s_requeue(self, commit, false, true);
    } else if (outcome->code == ERR_INTERNAL && !s_is_transient(outcome->sqlstate)) {
        s_split(self, commit, outcome);
    } else {
        /* The database is away or slow: the same messages again, until their deadlines. */
        metric_inc(self->metric_retries);
        log_warn("batch failed, it is tried again", log_int("messages", commit->batch.count),
                 log_str("reason", outcome->message), log_bool("unknown", outcome->unknown),
                 LOG_END);
        s_requeue(self, commit, outcome->unknown, outcome->unknown);
        if (!self->stopped)
            s_pause(self);
    }
}

/* The batch under way has its outcome. */
static commit_t *s_take_sent(writer_t *self, const pg_outcome_t *outcome)
{
    commit_t *commit = self->sent;
    s_finish_done(self);
    self->sent = NULL;
    if (outcome->code == ERR_OK) {
        metric_observe(self->metric_commit, clock_mono_us() - commit->sent_us);
        /* The search for a bad row, if there is one, may take larger steps again. */
        int doubled = self->batch_limit * 2;
        self->batch_limit = doubled > BATCH_MAX ? BATCH_MAX : doubled;
    }
    return commit;
}

/* The next batch goes out first, so that the database works while answers are written. */
static void s_on_fast(void *arg, const pg_outcome_t *outcome)
{
    writer_t *self = arg;
    commit_t *commit = s_take_sent(self, outcome);
    if (outcome->code != ERR_OK) {
        s_on_failed(self, commit, outcome);
    } else {
        int rows = FAULT_IS("early_unlock") ? 2 : WRITER_FAST_ROWS;
        s_take_rooms(commit, outcome->results[rows]);
        self->done = commit;
        s_requeue(self, commit, false, true); /* messages of guarded rooms */
        loop_defer(self->loop, s_finish_done, self);
    }
    s_kick(self);
}

/* Leaders that are neither new nor there were refused by their rooms, and so were their senders'
 * repetitions. The same message by somebody else has not been tried. */
static void s_refuse_rest(commit_t *commit)
{
    for (int i = commit->batch.count - 1; i >= 0; i--) {
        post_t *post = commit->posts[i];
        int leader = commit->batch.leader[i];
        if (!post || commit->is_found[leader] ||
            strcmp(post->call->handle, commit->posts[leader]->call->handle) != 0)
            continue;
        commit->posts[i] = NULL;
        room_refuse(post->call);
        free(post);
    }
}

/* Answered at once: what was stored before lies in the outcome. */
static void s_on_careful(void *arg, const pg_outcome_t *outcome)
{
    writer_t *self = arg;
    commit_t *commit = s_take_sent(self, outcome);
    if (outcome->code != ERR_OK) {
        s_on_failed(self, commit, outcome);
    } else {
        s_take_rows(commit, outcome->results[WRITER_CAREFUL_NEW], false);
        s_take_rows(commit, outcome->results[WRITER_CAREFUL_ALL], true);
        s_finish(self, commit);
        s_refuse_rest(commit);
        s_requeue(self, commit, false, true);
    }
    s_kick(self);
}

/* ---- batches ---- */

/* Clients that wait for their answers send again when they have them, all at once. Half of them are
 * to be answered while the other half is written: else the database would have nothing to do while
 * they are, and they nothing while it works. So no batch takes more than half of those that are
 * there and those that the batch before has answered. */
static int s_share(const writer_t *self)
{
    size_t half = (self->queue_count + (size_t)self->last_count + 1) / 2;
    size_t share = half < BATCH_UNDIVIDED ? BATCH_UNDIVIDED : half;
    return share < (size_t)self->batch_limit ? (int)share : self->batch_limit;
}

/* Moves up to s_share posts of one kind (all careful, or none) from the queue into the batch,
 * past those of the other kind: messages of a private room are all careful, and those of an open
 * one are only at the queue's head, so no message overtakes another one of its room. */
static void s_fill(writer_t *self, commit_t *commit, bool *careful, int64_t *deadline_ms)
{
    batch_t *batch = &commit->batch;
    size_t bytes = 0;
    int limit = s_share(self);
    int64_t now_ms = clock_unix_ms();
    batch->count = 0;
    *deadline_ms = 0;
    post_t *post, *next;
    DL_FOREACH_SAFE(self->queue, post, next)
    {
        if (post->call->deadline_ms <= now_ms) {
            s_dequeue(self, post);
            s_give_up(self, post);
            continue;
        }
        if (batch->count == 0)
            *careful = post->careful;
        if (batch->count == limit || bytes + post->bytes > BATCH_BYTES_MAX)
            break;
        if (post->careful != *careful)
            continue;
        s_dequeue(self, post);
        bytes += post->bytes;
        int index = batch->count++;
        commit->posts[index] = post;
        batch->items[index] = &post->message;
        batch->accounts[index] = post->account;
        commit->is_fresh[index] = commit->is_found[index] = commit->is_secret[index] = false;
        if (post->call->deadline_ms > *deadline_ms)
            *deadline_ms = post->call->deadline_ms;
    }
    self->last_count = batch->count;
}

static void s_kick(void *arg)
{
    writer_t *self = arg;
    self->kick_deferred = false;
    pg_link_t *link = database_writer(self->database);
    if (self->sent || self->stopped || !self->queue || !pg_link_is_up(link) ||
        loop_timer_is_active(self->pause))
        return;
    bool careful = false;
    int64_t deadline_ms;
    commit_t *commit = &self->commits[self->done == &self->commits[0]];
    s_fill(self, commit, &careful, &deadline_ms);
    s_count(self);
    if (commit->batch.count == 0)
        return;
    batch_layout(&commit->batch);
    self->sent = commit;
    commit->sent_us = clock_mono_us();
    metric_observe(self->metric_batch, commit->batch.count);
    FAULT_EXIT("exit_before_commit");
    if (careful)
        writer_sql_careful(link, &commit->batch, deadline_ms, s_on_careful, self);
    else
        writer_sql_fast(link, &commit->batch, deadline_ms, s_on_fast, self);
}

/* At the end of this turn, so that all calls of a turn share a batch. */
static void s_kick_soon(writer_t *self)
{
    if (self->kick_deferred || self->sent || !self->queue)
        return;
    self->kick_deferred = true;
    loop_defer(self->loop, s_kick, self);
}

static void s_on_pause(void *arg)
{
    s_kick(arg);
}

/* ---- calls ---- */

static void s_create_message(void *arg, store_call_t *call)
{
    writer_t *self = arg;
    text_t room, body;
    parley_uuid_t id, call_id;
    refusal_t refusal;
    memcpy(call_id.bytes, call->id.bytes, sizeof call_id.bytes);
    if (!call->handle) {
        store_call_fail(call, ERR_UNAUTHENTICATED, NULL, "createMessage needs an identity");
        return;
    }
    if (!arguments_room(call->args, &room, &refusal) ||
        !arguments_body(call->args, &body, &refusal) ||
        !arguments_message_id(call->args, &call_id, &id, &refusal)) {
        store_call_reject(call, refusal.argument, "%s", refusal.err.text);
        return;
    }
    if (FAULT_IS("forget_ids"))
        id = uuid_v7(clock_unix_ms());
    if (self->queue_count >= QUEUE_MAX || self->queue_bytes + body.size > QUEUE_BYTES_MAX) {
        store_call_fail(call, ERR_LIMIT_EXCEEDED, "\"outcome\":\"none\",\"retryAfterMs\":500",
                        "too many messages are waiting for being stored");
        return;
    }
    post_t *post = calloc(1, sizeof *post);
    if (!post)
        abort();
    post->call = call;
    post->account = room_caller_account(call);
    post->careful = room_is_private(room.data, room.size);
    post->bytes = body.size + room.size + sizeof *post;
    post->message = (message_t){.room = room.data,
                                .room_size = room.size,
                                .handle = call->handle,
                                .handle_size = strlen(call->handle),
                                .body = body.data,
                                .body_size = body.size,
                                .id = id};
    if (self->stopped) {
        s_give_up(self, post);
        return;
    }
    s_enqueue(self, post);
    s_kick_soon(self);
}

const store_handler_t writer_handlers[] = {{"Mutation.createMessage", s_create_message},
                                           {NULL, NULL}};

void writer_on_link_up(writer_t *self)
{
    s_kick_soon(self);
}

/* ---- life ---- */

writer_t *
writer_new(loop_t *loop, database_t *database, publisher_t *publisher, tail_reader_t *tails)
{
    writer_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->publisher = publisher;
    self->tails = tails;
    self->batch_limit = BATCH_MAX;
    self->payload = (buffer_t)BUFFER_INIT(PAYLOAD_MAX);
    self->tick = loop_timer_new(loop, s_on_tick, self);
    self->pause = loop_timer_new(loop, s_on_pause, self);
    self->metric_queue =
        metrics_gauge("parley_store_write_queue", "messages waiting for a batch", NULL);
    self->metric_queue_bytes = metrics_gauge("parley_store_write_queue_bytes", "their bytes", NULL);
    self->metric_batch =
        metrics_size("parley_store_batch_size", "messages of a group commit", NULL);
    self->metric_commit =
        metrics_latency("parley_store_commit_seconds", "time of a group commit", NULL);
    self->metric_careful =
        metrics_counter("parley_store_careful_batches_total",
                        "batches repeated because a message was there already", NULL);
    self->metric_retries = metrics_counter("parley_store_batch_retries_total",
                                           "batches repeated because the database was away", NULL);
    self->metric_duplicates =
        metrics_counter("parley_store_duplicates_total", "messages that were there already", NULL);
    self->metric_splits = metrics_counter("parley_store_batch_splits_total",
                                          "batches halved to find a row that is refused", NULL);
    self->metric_expired =
        metrics_counter("parley_store_writes_expired_total",
                        "messages that could not be stored before their deadline", NULL);
    return self;
}

void writer_stop(writer_t *self)
{
    self->stopped = true;
    loop_timer_stop(self->tick);
    loop_timer_stop(self->pause);
    s_finish_done(self);
    post_t *post, *next;
    DL_FOREACH_SAFE(self->queue, post, next)
    {
        s_dequeue(self, post);
        s_give_up(self, post);
    }
}

void writer_destroy(writer_t **self_p)
{
    writer_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (int i = 0; self->sent && i < self->sent->batch.count; i++)
        free(self->sent->posts[i]); /* their calls died with the endpoint */
    post_t *post, *next;
    DL_FOREACH_SAFE(self->queue, post, next)
    free(post);
    loop_defer_cancel(self->loop, s_kick, self);
    loop_timer_destroy(&self->tick);
    loop_timer_destroy(&self->pause);
    buffer_free(&self->payload);
    free(self);
}
