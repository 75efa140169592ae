#include "gateway/realtime/realtime.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/http/negotiate.h"
#include "gateway/realtime/dialects.h"
#include "gateway/realtime/realtime_private.h"

enum {
    TICK_MS = 500,
    DRAIN_TICK_MS = 100,
    PIECE_EXTRA = 1024 * 1024,
    REPLIES_MAX = 1024 * 1024,
    DECODED_TIMES = 4, /* a message's bytes, at most: a request in a string is decoded twice */
    DECODED_EXTRA = 64 * 1024,
};

static int64_t s_now_s(void)
{
    return clock_mono_us() / 1000000;
}

/* ---- the end of a turn ---- */

static void s_work(void *arg)
{
    realtime_t *self = arg;
    list_t marked;
    list_init(&marked);
    list_splice(&marked, &self->marked);
    self->deferred = false; /* who is marked from now on has his turn later */
    while (!list_is_empty(&marked)) {
        conn_t *conn = LIST_ITEM(list_first(&marked), conn_t, marked);
        list_remove(&conn->marked);
        conn_work(conn);
    }
    sender_flush(self->sender);
    while (!list_is_empty(&self->ended))
        conn_free(LIST_ITEM(list_first(&self->ended), conn_t, all));
}

static void s_defer(realtime_t *self)
{
    if (self->deferred)
        return;
    self->deferred = true;
    loop_defer(self->options.loop, s_work, self);
}

void realtime_mark(realtime_t *self, conn_t *conn)
{
    if (!list_is_empty(&conn->marked) || conn->state == CONN_ENDED)
        return;
    list_append(&self->marked, &conn->marked);
    s_defer(self);
}

/* ---- connections ---- */

static metric_t *s_open_gauge(realtime_t *self, const dialect_t *dialect)
{
    size_t i = 0;
    while (self->spoken[i].dialect && self->spoken[i].dialect != dialect)
        i++;
    if (!self->spoken[i].dialect) {
        char labels[64];
        assert(i < REALTIME_DIALECTS);
        snprintf(labels, sizeof labels, "dialect=\"%s\"", dialect->name);
        self->spoken[i].dialect = dialect;
        self->spoken[i].open = metrics_gauge("parley_connections",
                                             "Open connections by what is spoken on them.", labels);
    }
    return self->spoken[i].open;
}

void realtime_forget(realtime_t *self, conn_t *conn, const char *reason)
{
    char labels[120];
    snprintf(labels, sizeof labels, "dialect=\"%s\",reason=\"%s\"", conn->session.dialect->name,
             reason);
    metric_inc(metrics_counter("parley_connections_ended_total",
                               "WebSockets and event streams that ended, by reason.", labels));
    metric_add(s_open_gauge(self, conn->session.dialect), -1);
    connection_limits_leave(self->options.connections, conn->session.client_key);
    list_remove(&conn->marked);
    list_remove(&conn->all);
    list_append(&self->ended, &conn->all);
    self->count--;
    s_defer(self);
}

static char *s_dup(const char *text)
{
    if (!text || !*text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static conn_t *
s_add(realtime_t *self, int fd, bool is_websocket, const dialect_t *dialect, uint64_t client_key)
{
    conn_t *conn = conn_new(self, fd, is_websocket, dialect);
    conn->session.client_key = client_key;
    connection_limits_enter(self->options.connections, client_key);
    list_append(&self->all, &conn->all);
    self->count++;
    metric_add(s_open_gauge(self, dialect), 1);
    return conn;
}

static const char *s_choose(void *arg, const http_handshake_t *handshake)
{
    (void)arg;
    const dialect_t *dialect = dialect_choose(handshake);
    return dialect ? dialect_protocol(dialect) : NULL;
}

static void s_open_websocket(void *arg,
                             int fd,
                             const http_handshake_t *handshake,
                             const char *chosen,
                             const void *extra,
                             size_t extra_size)
{
    realtime_t *self = arg;
    (void)chosen;
    const dialect_t *dialect = dialect_choose(handshake);
    conn_t *conn = s_add(self, fd, true, dialect ? dialect : &DIALECT_NONE, handshake->client_key);
    session_t *session = &conn->session;
    session->authorization = s_dup(handshake->authorization);
    session->api_key = s_dup(handshake->api_key);
    session_set_names(session, handshake->request_id, handshake->client);
    conn_begin(conn, handshake->answer);
    log_debug("WebSocket opened", log_str("connection", session->request_id),
              log_str("dialect", session->dialect->name), log_str("client", session->client),
              LOG_END);
    if (session->dialect->on_open)
        session->dialect->on_open(session, handshake);
    conn_feed(conn, extra, extra_size);
}

static void
s_open_event_stream(void *arg, int fd, operation_t **operation_p, const http_event_stream_t *stream)
{
    realtime_t *self = arg;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_t *conn = s_add(self, fd, false, &DIALECT_EVENT_STREAM, stream->client_key);
    session_set_names(&conn->session, stream->request_id, stream->client);
    conn->session.identity = stream->identity ? identity_ref(stream->identity) : NULL;
    conn->session.generation = auth_generation(self->options.auth);
    event_stream_start(&conn->session, operation_p, stream);
}

static size_t s_count(void *arg)
{
    return realtime_count(arg);
}

const http_hooks_t REALTIME_HOOKS = {
    .websocket_choose = s_choose,
    .websocket_open = s_open_websocket,
    .event_stream_open = s_open_event_stream,
    .count = s_count,
};

/* ---- time ---- */

static void s_on_due(void *arg, wheel_node_t *node)
{
    (void)arg;
    conn_on_time(LIST_ITEM(node, conn_t, timer));
}

static void s_on_tick(void *arg)
{
    realtime_t *self = arg;
    wheel_turn(&self->wheel, s_now_s(), s_on_due, self);
}

static void s_on_drain_tick(void *arg)
{
    realtime_t *self = arg;
    size_t left = self->drain_step;
    list_node_t *node = self->all.next;
    while (left && node != &self->all) {
        conn_t *conn = LIST_ITEM(node, conn_t, all);
        node = node->next;
        if (conn->state != CONN_OPEN)
            continue;
        conn_close(conn, WS_CLOSE_GOING_AWAY, "the server is going away");
        left--;
    }
}

void realtime_drain(realtime_t *self, uint32_t spread_ms)
{
    size_t ticks = spread_ms / DRAIN_TICK_MS + 1;
    if (self->drain_timer)
        return;
    self->drain_step = self->count / ticks + 1;
    self->drain_timer = loop_timer_new(self->options.loop, s_on_drain_tick, self);
    loop_timer_start(self->drain_timer, 0, DRAIN_TICK_MS);
}

void realtime_recheck(realtime_t *self)
{
    for (list_node_t *node = self->all.next, *next; node != &self->all; node = next) {
        conn_t *conn = LIST_ITEM(node, conn_t, all);
        next = node->next;
        if (conn->state != CONN_OPEN)
            continue;
        const char *over = session_is_over(&conn->session);
        if (over)
            conn_close(conn, CLOSE_FORBIDDEN, over);
        else
            session_recheck(&conn->session);
    }
}

size_t realtime_count(const realtime_t *self)
{
    return self->count;
}

/* ---- the whole ---- */

realtime_t *realtime_new(const realtime_options_t *options, err_t *err)
{
    sender_t *sender = sender_new(options->sender_mode, options->max_waiting_bytes + PIECE_EXTRA,
                                  conn_on_sent, err);
    if (!sender)
        return NULL;
    realtime_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->sender = sender;
    self->watch = watch_new(options->loop, conn_on_io);
    self->input = malloc(REALTIME_READ_CHUNK);
    if (!self->input)
        abort();
    self->arena = arena_new(options->max_message_bytes * DECODED_TIMES + DECODED_EXTRA);
    list_init(&self->all);
    list_init(&self->marked);
    list_init(&self->ended);
    self->replies = (buffer_t)BUFFER_INIT(REPLIES_MAX);
    self->subscriptions =
        metrics_gauge("parley_subscriptions", "Subscriptions that have their stream.", NULL);
    self->deliveries =
        metrics_counter("parley_deliveries_total", "Events handed to subscribers.", NULL);
    self->received = metrics_counter("parley_websocket_messages_received_total",
                                     "Messages that clients sent.", NULL);
    self->sent_bytes = metrics_counter("parley_sent_bytes_total",
                                       "Bytes sent on WebSockets and event streams.", NULL);
    wheel_init(&self->wheel, s_now_s());
    self->timer = loop_timer_new(options->loop, s_on_tick, self);
    loop_timer_start(self->timer, TICK_MS, TICK_MS);
    return self;
}

void realtime_destroy(realtime_t **self_p)
{
    realtime_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    while (!list_is_empty(&self->all))
        conn_end(LIST_ITEM(list_first(&self->all), conn_t, all), "shutdown");
    s_work(self);
    loop_defer_cancel(self->options.loop, s_work, self);
    loop_timer_destroy(&self->timer);
    loop_timer_destroy(&self->drain_timer);
    watch_destroy(&self->watch);
    sender_destroy(&self->sender);
    buffer_free(&self->replies);
    free(self->input);
    arena_destroy(&self->arena);
    free(self);
}
