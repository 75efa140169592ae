#include "store/tail_reader.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "store/message.h"
#include "store/pg_array.h"
#include "store/read_task.h"
#include "store/reader_sql.h"
#include "store/tail_cache.h"

enum {
    CACHE_BYTES = 64 * 1024 * 1024,
    ROOMS_MAX = 256, /* of one proof */
    TICK_MS = 50,
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    MESSAGE_JSON_MAX = 1024 * 1024,
    ARRAY_MAX = ROOMS_MAX * (ROOM_BYTES_MAX + 16) + 64,
};

/* A call that waits for its room's tail to be proven. */
typedef struct wait {
    struct wait *prev, *next;
    read_task_t task;
    text_t room; /* borrowed from the call */
    int limit;
    store_handler_fn again;
    void *arg;
} wait_t;

struct tail_reader {
    loop_t *loop;
    database_t *database;
    tail_cache_t *cache;
    loop_timer_t *tick; /* while calls wait */
    wait_t *waiting;    /* for the next proof */
    wait_t *proving;    /* for the one under way */
    uint64_t proofs;
    bool prove_deferred, stopped;
    buffer_t json;
    metric_t *metric_hits, *metric_misses, *metric_proofs, *metric_repaired, *metric_bytes;
};

static void s_prove(void *arg);

static void s_fail_away(wait_t *wait)
{
    static const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
    store_call_fail_database(wait->task.call, &away);
    free(wait);
}

/* Calls that wait behind a proof which the database does not answer have deadlines of their own. */
static void s_on_tick(void *arg)
{
    tail_reader_t *self = arg;
    int64_t limit_ms = clock_unix_ms() + DEADLINE_MARGIN_MS;
    wait_t *wait, *next;
    DL_FOREACH_SAFE(self->waiting, wait, next)
    {
        if (wait->task.call->deadline_ms > limit_ms && !self->stopped)
            continue;
        DL_DELETE(self->waiting, wait);
        s_fail_away(wait);
    }
    if (!self->waiting)
        loop_timer_stop(self->tick);
}

static void s_add_waiting(tail_reader_t *self, wait_t *wait)
{
    DL_APPEND(self->waiting, wait);
    if (!loop_timer_is_active(self->tick))
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
}

static void s_prove_soon(tail_reader_t *self)
{
    if (self->prove_deferred || self->proving || !self->waiting || self->stopped)
        return;
    self->prove_deferred = true;
    loop_defer(self->loop, s_prove, self);
}

/* ---- results ---- */

/* Beyond the tail's end the log has this row. */
static void s_repair(tail_reader_t *self, const char *epoch, const PGresult *rows, int row)
{
    message_t message = {.room = PQgetvalue(rows, row, TAILS_ROOM),
                         .room_size = (size_t)PQgetlength(rows, row, TAILS_ROOM)};
    tail_t *tail = tail_cache_find(self->cache, message.room, message.room_size);
    message_from_row(&message, rows, row, TAILS_MESSAGE);
    if (!tail || message.seq <= tail_end(tail))
        return; /* this store's own commit was quicker */
    const char *type = PQgetvalue(rows, row, TAILS_TYPE);
    if (message.seq != tail_end(tail) + 1 || strcmp(type, "createMessage") != 0) {
        /* Too much is missing, or something happened that may change what older messages look like.
         */
        tail_cache_forget(self->cache, message.room, message.room_size);
        return;
    }
    cursor_base_t base = message_cursor_base(epoch, message.room, message.room_size);
    buffer_clear(&self->json);
    message_print(&self->json, &message, &base);
    tail_cache_append(self->cache, tail, message.seq, self->json.data, self->json.size);
    metric_inc(self->metric_repaired);
}

/* A room of which as many rows came as one proof returns may lack more. */
static void s_forget_cut(tail_reader_t *self, const PGresult *rows)
{
    int run = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        const char *room = PQgetvalue(rows, row, TAILS_ROOM);
        size_t size = (size_t)PQgetlength(rows, row, TAILS_ROOM);
        bool same = row > 0 && (size_t)PQgetlength(rows, row - 1, TAILS_ROOM) == size &&
                    memcmp(PQgetvalue(rows, row - 1, TAILS_ROOM), room, size) == 0;
        run = same ? run + 1 : 1;
        if (run == TAILS_ROWS_MAX)
            tail_cache_forget(self->cache, room, size);
    }
}

static void s_answer(tail_reader_t *self, wait_t *wait)
{
    store_call_t *call = wait->task.call;
    tail_t *tail = tail_cache_find(self->cache, wait->room.data, wait->room.size);
    if (!tail || !tail_has(tail, wait->limit)) {
        metric_inc(self->metric_misses);
        wait->again(wait->arg, call);
        return;
    }
    tail_print(tail, wait->limit, store_call_begin(call));
    store_call_done(call);
    metric_inc(self->metric_hits);
}

/* The database is away: those that have time wait on. */
static bool s_waits_on(tail_reader_t *self, wait_t *wait, const pg_outcome_t *outcome)
{
    if (outcome->code != ERR_UNAVAILABLE || self->stopped ||
        wait->task.call->deadline_ms <= clock_unix_ms() + 2 * DEADLINE_MARGIN_MS)
        return false;
    s_add_waiting(self, wait);
    return true;
}

static void s_on_proof(void *arg, const pg_outcome_t *outcome)
{
    tail_reader_t *self = arg;
    wait_t *list = self->proving, *wait, *next;
    self->proving = NULL;
    const char *epoch = database_epoch(self->database);
    if (outcome->code == ERR_OK && strcmp(list->task.epoch, epoch) == 0) {
        for (int row = 0; row < PQntuples(outcome->results[0]); row++)
            s_repair(self, epoch, outcome->results[0], row);
        s_forget_cut(self, outcome->results[0]);
    }
    metric_set(self->metric_bytes, (int64_t)tail_cache_bytes(self->cache));
    DL_FOREACH_SAFE(list, wait, next)
    {
        DL_DELETE(list, wait);
        if (s_waits_on(self, wait, outcome))
            continue;
        if (!read_task_failed(&wait->task, outcome))
            s_answer(self, wait);
        free(wait);
    }
    s_prove_soon(self);
}

/* ---- proofs ---- */

/* Rooms of one proof and the ends of their tails. */
typedef struct {
    pg_array_t rooms, ends;
} proof_t;

/* Moves the calls of up to ROOMS_MAX rooms (and of one epoch) from waiting to proving. */
static void s_collect(tail_reader_t *self, proof_t *proof, int64_t *deadline_ms)
{
    wait_t *wait, *next;
    *deadline_ms = 0;
    DL_FOREACH_SAFE(self->waiting, wait, next)
    {
        if (self->proving && strcmp(self->proving->task.epoch, wait->task.epoch) != 0)
            break;
        tail_t *tail = tail_cache_find(self->cache, wait->room.data, wait->room.size);
        if (tail && proof->rooms.count == ROOMS_MAX)
            break;
        /* Without a tail, because it was forgotten meanwhile, the call will be given back. */
        if (tail && tail_mark(tail, self->proofs)) {
            pg_array_add(&proof->rooms, wait->room.data, wait->room.size);
            pg_array_add_int64(&proof->ends, (int64_t)tail_end(tail));
        }
        DL_DELETE(self->waiting, wait);
        DL_APPEND(self->proving, wait);
        if (*deadline_ms == 0 || wait->task.call->deadline_ms < *deadline_ms)
            *deadline_ms = wait->task.call->deadline_ms;
    }
}

static void s_prove(void *arg)
{
    tail_reader_t *self = arg;
    self->prove_deferred = false;
    if (self->proving || !self->waiting || self->stopped)
        return;
    proof_t proof;
    self->proofs++;
    int64_t deadline_ms;
    pg_array_init(&proof.rooms, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&proof.ends, PG_INT8, ARRAY_MAX);
    s_collect(self, &proof, &deadline_ms);
    const pg_param_t params[] = {pg_array_param(&proof.rooms), pg_array_param(&proof.ends)};
    pg_link_read(database_reader(self->database), &reader_sql_tails, params, deadline_ms,
                 s_on_proof, self);
    metric_inc(self->metric_proofs);
    pg_array_free(&proof.rooms);
    pg_array_free(&proof.ends);
}

/* ---- for others ---- */

bool tail_reader_take(tail_reader_t *self,
                      store_call_t *call,
                      text_t room,
                      int limit,
                      store_handler_fn again,
                      void *arg)
{
    read_task_t task;
    if (self->stopped || !read_task_init(&task, self->database, call))
        return false;
    tail_cache_set_epoch(self->cache, task.epoch);
    const tail_t *tail = tail_cache_find(self->cache, room.data, room.size);
    if (!tail || !tail_has(tail, limit)) {
        metric_inc(self->metric_misses);
        return false;
    }
    wait_t *wait = calloc(1, sizeof *wait);
    if (!wait)
        abort();
    wait->task = task;
    wait->room = room;
    wait->limit = limit;
    wait->again = again;
    wait->arg = arg;
    s_add_waiting(self, wait);
    s_prove_soon(self);
    return true;
}

void tail_reader_load(
    tail_reader_t *self, const char *epoch, text_t room, const PGresult *rows, int limit)
{
    int count = PQntuples(rows);
    tail_cache_set_epoch(self->cache, epoch);
    tail_t *tail = tail_cache_find(self->cache, room.data, room.size);
    message_t message = {.room = room.data, .room_size = room.size};
    uint64_t newest = count > 0 ? (uint64_t)pg_bigint(rows, 0, 0) : 0;
    if (limit > TAIL_MAX || (tail && tail_end(tail) > newest))
        return; /* it is newer than these rows */
    uint64_t oldest = count > 0 ? (uint64_t)pg_bigint(rows, count - 1, 0) : 1;
    tail = tail_cache_begin(self->cache, room.data, room.size, oldest - 1, count < limit);
    cursor_base_t base = message_cursor_base(epoch, room.data, room.size);
    for (int row = count - 1; row >= 0; row--) {
        message_from_row(&message, rows, row, 0);
        buffer_clear(&self->json);
        message_print(&self->json, &message, &base);
        tail_cache_append(self->cache, tail, message.seq, self->json.data, self->json.size);
    }
}

void tail_reader_append(tail_reader_t *self,
                        const char *epoch,
                        const char *room,
                        size_t room_size,
                        uint64_t seq,
                        const char *json,
                        size_t size)
{
    tail_cache_set_epoch(self->cache, epoch);
    tail_t *tail = tail_cache_find(self->cache, room, room_size);
    if (tail && seq == tail_end(tail) + 1)
        tail_cache_append(self->cache, tail, seq, json, size);
}

tail_reader_t *tail_reader_new(loop_t *loop, database_t *database)
{
    tail_reader_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->cache = tail_cache_new(CACHE_BYTES);
    self->tick = loop_timer_new(loop, s_on_tick, self);
    self->json = (buffer_t)BUFFER_INIT(MESSAGE_JSON_MAX);
    self->metric_hits =
        metrics_counter("parley_store_tail_hits_total", "pages served from memory", NULL);
    self->metric_misses =
        metrics_counter("parley_store_tail_misses_total", "newest pages that were read", NULL);
    self->metric_proofs =
        metrics_counter("parley_store_tail_proofs_total", "statements that proved tails", NULL);
    self->metric_repaired = metrics_counter("parley_store_tail_repairs_total",
                                            "messages of other stores added to tails", NULL);
    self->metric_bytes = metrics_gauge("parley_store_tail_bytes", "memory of tails", NULL);
    return self;
}

void tail_reader_stop(tail_reader_t *self)
{
    self->stopped = true;
    s_on_tick(self);
}

void tail_reader_destroy(tail_reader_t **self_p)
{
    tail_reader_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_prove, self);
    loop_timer_destroy(&self->tick);
    tail_cache_destroy(&self->cache);
    buffer_free(&self->json);
    free(self);
}
