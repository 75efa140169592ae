#include "store/publisher.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_monitor.h"
#include "common/bus_record.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/table.h"
#include "store/fault.h"
#include "store/heads_schedule.h"
#include "store/message.h"
#include "store/pg_array.h"
#include "store/room_set.h"

enum {
    MESSAGES_A_CALL = 256,
    WANTED_MAX = 200000,
    SCHEDULE_MAX = 100000,
    HEARD_MAX = 1000000,
    HEADS_A_QUERY = 1000,
    TICK_MS = 50,
    EVENT_MAX = 2 * 1024 * 1024,
    HEADS_ARRAY_MAX = HEADS_A_QUERY * (ROOM_BYTES_MAX + 8) + 64,
};

static const Oid s_heads_types[] = {PG_TEXT_ARRAY};
static const pg_statement_t s_heads = {
    .name = "publish_heads",
    .sql = "SELECT u.room, coalesce(r.last_seq, 0)::bigint FROM unnest($1::text[]) u(room)"
           " LEFT JOIN rooms r ON r.room = u.room COLLATE \"C\"",
    .param_count = 1,
    .types = s_heads_types,
    .binary_results = true,
};

/* A room whose head is to be read. */
typedef struct wanted {
    UT_hash_handle hh;
    size_t size;
    char room[];
} wanted_t;

struct publisher {
    loop_t *loop;
    database_t *database;
    zsock_t *socket;
    bus_monitor_t *monitor;
    loop_zmq_t *zmq;
    loop_timer_t *tick;
    heads_schedule_t *schedule;
    room_set_t *heard; /* somebody is subscribed to them */
    wanted_t *wanted;
    char *incarnation;
    buffer_t frame, topic;
    int asking; /* queries under way */
    bool ask_deferred, stopped;
    metric_t *metric_events, *metric_heads, *metric_queries, *metric_subscriptions,
        *metric_scheduled, *metric_dropped;
};

/* ---- frames ---- */

/* Topic and record of one EVENT. payload NULL: a head; type NULL: a revoke. */
static void s_publish(publisher_t *self,
                      const char *room,
                      size_t room_size,
                      uint64_t seq,
                      const char *type,
                      const char *payload,
                      size_t payload_size)
{
    static const bus_id_t no_id;
    const char *epoch = database_epoch(self->database);
    if (!epoch)
        return;
    buffer_clear(&self->topic);
    buffer_put_str(&self->topic, STREAM_PREFIX);
    buffer_put(&self->topic, room, room_size);
    buffer_put_char(&self->topic, '\0');
    buffer_t *out = &self->frame;
    buffer_clear(out);
    size_t offset = bus_record_begin(out, BUS_EVENT, 0, &no_id, 0);
    buffer_put_str(out, "{\"stream\":");
    buffer_put_json_string(out, self->topic.data, self->topic.size - 1);
    buffer_put_str(out, ",\"epoch\":\"");
    buffer_put_str(out, epoch);
    buffer_put_str(out, "\",\"seq\":");
    buffer_put_uint(out, seq);
    buffer_put_str(out, !payload ? ",\"kind\":\"head\",\"incarnation\":\""
                        : type   ? ",\"kind\":\"data\",\"incarnation\":\""
                                 : ",\"kind\":\"revoke\",\"incarnation\":\"");
    buffer_put_str(out, self->incarnation);
    buffer_put_char(out, '"');
    if (type) {
        buffer_put_str(out, ",\"type\":\"");
        buffer_put_str(out, type);
        buffer_put_char(out, '"');
    }
    if (payload) {
        buffer_put_str(out, ",\"payload\":");
        buffer_put(out, payload, payload_size);
    }
    buffer_put_char(out, '}');
    bus_record_end(out, offset);
    assert(!out->failed && !self->topic.failed);
    void *socket = zsock_resolve(self->socket);
    if (zmq_send(socket, self->topic.data, self->topic.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(socket, out->data, out->size, ZMQ_DONTWAIT);
    if (self->zmq)
        loop_zmq_kick(self->zmq);
}

/* ---- heads ---- */

static void s_ask(void *arg);
static void s_tick_on(publisher_t *self);

static void s_ask_soon(publisher_t *self)
{
    if (self->ask_deferred)
        return;
    self->ask_deferred = true;
    loop_defer(self->loop, s_ask, self);
}

static void s_want(publisher_t *self, const char *room, size_t size)
{
    wanted_t *wanted;
    HASH_FIND(hh, self->wanted, room, size, wanted);
    if (wanted || self->stopped)
        return;
    if (HASH_COUNT(self->wanted) >= WANTED_MAX) {
        metric_inc(self->metric_dropped); /* the gateway asks again */
        return;
    }
    wanted = calloc(1, sizeof *wanted + size);
    if (!wanted)
        abort();
    wanted->size = size;
    memcpy(wanted->room, room, size);
    HASH_ADD(hh, self->wanted, room, size, wanted);
    s_ask_soon(self);
}

/* One query's rooms, to ask again if it fails. */
typedef struct {
    publisher_t *publisher;
    wanted_t *rooms;
} heads_query_t;

static void s_on_heads(void *arg, const pg_outcome_t *outcome)
{
    heads_query_t *query = arg;
    publisher_t *self = query->publisher;
    self->asking--;
    if (outcome->code == ERR_OK) {
        const PGresult *rows = outcome->results[0];
        for (int i = 0; i < PQntuples(rows); i++)
            s_publish(self, PQgetvalue(rows, i, 0), (size_t)PQgetlength(rows, i, 0),
                      (uint64_t)pg_bigint(rows, i, 1), NULL, NULL, 0);
        metric_add(self->metric_heads, PQntuples(rows));
    } else if (!self->stopped) {
        log_warn("heads could not be read", log_str("reason", outcome->message), LOG_END);
    }
    wanted_t *wanted, *next;
    HASH_ITER(hh, query->rooms, wanted, next)
    {
        HASH_DEL(query->rooms, wanted);
        if (outcome->code != ERR_OK) /* later, with the schedule's delays */
            heads_schedule_touch(self->schedule, wanted->room, wanted->size, clock_mono_us());
        free(wanted);
    }
    free(query);
    if (outcome->code != ERR_OK)
        s_tick_on(self);
    else if (self->wanted && self->asking == 0)
        s_ask_soon(self);
}

/* One query for up to HEADS_A_QUERY of the rooms. It starts after their subscriptions were seen:
 * what was committed before is in it, what is committed later is published to them. */
static void s_ask_some(publisher_t *self)
{
    heads_query_t *query = calloc(1, sizeof *query);
    if (!query)
        abort();
    query->publisher = self;
    pg_array_t rooms;
    pg_array_init(&rooms, PG_TEXT_TYPE, HEADS_ARRAY_MAX);
    wanted_t *wanted, *next;
    HASH_ITER(hh, self->wanted, wanted, next)
    {
        if (rooms.count == HEADS_A_QUERY)
            break;
        HASH_DEL(self->wanted, wanted);
        pg_array_add(&rooms, wanted->room, wanted->size);
        HASH_ADD(hh, query->rooms, room, wanted->size, wanted);
    }
    assert(!rooms.bytes.failed);
    pg_param_t params[] = {pg_array_param(&rooms)};
    pg_link_read(database_reader(self->database), &s_heads, params, 0, s_on_heads, query);
    metric_inc(self->metric_queries);
    self->asking++;
    pg_array_free(&rooms);
}

static void s_ask_all(publisher_t *self)
{
    if (self->stopped || !database_is_ready(self->database, NULL, 0))
        return; /* publisher_on_database_ready comes back to it */
    while (self->wanted)
        s_ask_some(self);
}

/* What is wanted while a query is under way goes together into the next one, or at the next tick if
 * that one hangs. */
static void s_ask(void *arg)
{
    publisher_t *self = arg;
    self->ask_deferred = false;
    if (self->asking == 0)
        s_ask_all(self);
}

static void s_on_tick(void *arg)
{
    publisher_t *self = arg;
    int64_t now_us = clock_mono_us();
    const char *room;
    while ((room = heads_schedule_next(self->schedule, now_us)))
        if (room_set_may_have(self->heard, room, strlen(room)))
            s_want(self, room, strlen(room));
    metric_set(self->metric_scheduled, (int64_t)heads_schedule_count(self->schedule));
    if (self->wanted && !self->ask_deferred)
        s_ask_all(self);
    if (heads_schedule_is_empty(self->schedule) && !self->wanted)
        loop_timer_stop(self->tick);
}

static void s_tick_on(publisher_t *self)
{
    if (!loop_timer_is_active(self->tick) && !self->stopped)
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
}

/* ---- subscriptions ---- */

/* 01 topic: a gateway subscribed; 00 topic: the last one is gone. The topic is a stream's name and
 * a NUL. */
static void s_on_subscription(publisher_t *self, const char *data, size_t size)
{
    if (size < 1 || (data[0] != 0 && data[0] != 1))
        return;
    bool is_one = data[0] == 1;
    data++;
    size--;
    if (is_one)
        metric_inc(self->metric_subscriptions);
    if (is_one && FAULT_IS("small_hwm"))
        zsock_set_sndhwm(self->socket, FAULT_HWM);
    if (size < STREAM_PREFIX_SIZE + 2 || size > STREAM_BYTES_MAX + 1 || data[size - 1] != '\0' ||
        memcmp(data, STREAM_PREFIX, STREAM_PREFIX_SIZE) != 0 || memchr(data, '\0', size - 1) ||
        !utf8_is_valid(data, size))
        return; /* no stream of ours: nothing is ever published there */
    const char *room = data + STREAM_PREFIX_SIZE;
    size_t room_size = size - 1 - STREAM_PREFIX_SIZE;
    if (!is_one) {
        room_set_remove(self->heard, room, room_size);
        return;
    }
    room_set_add(self->heard, room, room_size);
    s_want(self, room, room_size);
    s_tick_on(self); /* asks again if the database is away now */
}

static void s_on_readable(void *arg)
{
    publisher_t *self = arg;
    void *socket = zsock_resolve(self->socket);
    for (int i = 0; i < MESSAGES_A_CALL; i++) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        int rc = zmq_msg_recv(&message, socket, ZMQ_DONTWAIT);
        if (rc >= 0)
            s_on_subscription(self, zmq_msg_data(&message), zmq_msg_size(&message));
        zmq_msg_close(&message);
        if (rc < 0)
            return;
    }
}

/* ---- for others ---- */

/* Later, with the schedule's delays. Not if nobody listens: who subscribes from now on, or whose
 * subscription is not seen yet, gets a head that is read after that. */
static void s_repeat_head(publisher_t *self, const char *room, size_t room_size)
{
    if (!room_set_may_have(self->heard, room, room_size))
        return;
    heads_schedule_touch(self->schedule, room, room_size, clock_mono_us());
    s_tick_on(self);
}

publisher_t *publisher_new(loop_t *loop,
                           const char *endpoint,
                           const bus_security_t *security,
                           database_t *database,
                           const char *incarnation,
                           err_t *err)
{
    zsock_t *socket = bus_socket_bind(BUS_SOCKET_XPUB, endpoint, security, err);
    if (!socket)
        return NULL;
    publisher_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->database = database;
    self->socket = socket;
    self->incarnation = strdup(incarnation);
    self->frame = (buffer_t)BUFFER_INIT(EVENT_MAX);
    self->topic = (buffer_t)BUFFER_INIT(STREAM_BYTES_MAX + 1);
    self->schedule = heads_schedule_new(SCHEDULE_MAX);
    self->heard = room_set_new(HEARD_MAX);
    self->monitor = bus_monitor_new(loop, socket, "events");
    self->zmq = loop_zmq_new(loop, zsock_resolve(socket), s_on_readable, self);
    self->tick = loop_timer_new(loop, s_on_tick, self);
    self->metric_events =
        metrics_counter("parley_store_events_published_total", "data events published", NULL);
    self->metric_heads =
        metrics_counter("parley_store_heads_published_total", "heads published", NULL);
    self->metric_queries =
        metrics_counter("parley_store_head_queries_total", "queries for heads to publish", NULL);
    self->metric_subscriptions = metrics_counter("parley_store_subscriptions_seen_total",
                                                 "subscriptions of gateways to topics", NULL);
    self->metric_scheduled =
        metrics_gauge("parley_store_rooms_active", "rooms whose heads are published again", NULL);
    self->metric_dropped =
        metrics_counter("parley_store_heads_dropped_total", "heads not read: too many", NULL);
    return self;
}

void publisher_event(publisher_t *self,
                     const char *room,
                     size_t room_size,
                     uint64_t seq,
                     const char *type,
                     const char *payload,
                     size_t payload_size)
{
    if (!FAULT_AT("skip_publish"))
        s_publish(self, room, room_size, seq, type, payload, payload_size);
    metric_inc(self->metric_events);
    s_repeat_head(self, room, room_size);
}

void publisher_revoke(publisher_t *self,
                      const char *room,
                      size_t room_size,
                      uint64_t seq,
                      const char *payload,
                      size_t payload_size)
{
    publisher_event(self, room, room_size, seq, NULL, payload, payload_size);
}

void publisher_head(publisher_t *self, const char *room, size_t room_size)
{
    if (room_set_may_have(self->heard, room, room_size))
        s_want(self, room, room_size);
    s_repeat_head(self, room, room_size);
}

void publisher_on_database_ready(publisher_t *self)
{
    if (self->wanted && !self->ask_deferred)
        s_ask(self);
}

void publisher_stop(publisher_t *self)
{
    self->stopped = true;
    loop_zmq_destroy(&self->zmq);
    loop_timer_stop(self->tick);
}

void publisher_destroy(publisher_t **self_p, int linger_ms)
{
    publisher_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_ask, self);
    loop_zmq_destroy(&self->zmq);
    loop_timer_destroy(&self->tick);
    wanted_t *wanted, *next;
    HASH_ITER(hh, self->wanted, wanted, next)
    {
        HASH_DEL(self->wanted, wanted);
        free(wanted);
    }
    heads_schedule_destroy(&self->schedule);
    room_set_destroy(&self->heard);
    buffer_free(&self->frame);
    buffer_free(&self->topic);
    bus_monitor_destroy(&self->monitor);
    zsock_set_linger(self->socket, linger_ms);
    zsock_destroy(&self->socket);
    free(self->incarnation);
    free(self);
}
