#include "gateway/realtime/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cells.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/http/event_data.h"
#include "gateway/realtime/realtime_private.h"

enum {
    UNANSWERED_MAX = 4,         /* packets sent again and again to a machine that is silent */
    CLOSING_S = 5,              /* for the peer to answer a close frame */
    PONG_S = 10,                /* for the peer's machine to answer a ping */
    WAITING_UNREAD = 64 * 1024, /* who does not take his answers is not read from */
};

static const int64_t SECOND_US = 1000000;

static cells_t s_cells = CELLS_INIT(sizeof(conn_t));

conn_t *conn_of(session_t *session)
{
    return LIST_ITEM(session, conn_t, session);
}

static void s_watch_for(conn_t *self, int events)
{
    watch_change(self->realtime->watch, self->fd, self->watching, events, self);
    self->watching = (uint8_t)events;
}

/* ---- ends ---- */

/* The states go one way only. */
static void s_advance(conn_t *self, conn_state_t state)
{
    if (state > self->state)
        self->state = state;
}

void conn_end(conn_t *self, const char *reason)
{
    realtime_t *realtime = self->realtime;
    if (self->state == CONN_ENDED)
        return;
    s_advance(self, CONN_ENDED);
    log_debug("connection ended", log_str("connection", self->session.request_id),
              log_str("dialect", self->session.dialect->name), log_str("reason", reason),
              log_int("duration_us", clock_mono_us() - self->opened_us), LOG_END);
    realtime_forget(realtime, self, reason);
    session_stop_all(&self->session);
    wheel_remove(&self->timer);
    s_watch_for(self, 0);
    close(self->fd);
    self->fd = -1;
}

void conn_free(conn_t *self)
{
    session_clear(&self->session);
    outlet_clear(&self->outlet);
    ws_codec_clear(&self->codec);
    list_remove(&self->marked);
    list_remove(&self->all);
    cell_give(&s_cells, self);
}

/* What waits is sent, then the writing side is closed and the peer's end awaited. */
static void s_begin_closing(conn_t *self)
{
    s_advance(self, CONN_CLOSING);
    session_stop_all(&self->session);
    ws_codec_stop(&self->codec);
    wheel_set(&self->realtime->wheel, &self->timer, self->realtime->wheel.now_s + CLOSING_S);
    realtime_mark(self->realtime, self);
}

void conn_close(conn_t *self, uint16_t code, const char *reason)
{
    if (self->state != CONN_OPEN)
        return;
    if (self->is_websocket)
        ws_frame_put_close(&self->outlet.rest, code, reason);
    log_debug("connection is closed", log_str("connection", self->session.request_id),
              log_int("code", code), log_str("reason", reason), LOG_END);
    s_begin_closing(self);
}

/* ---- out ---- */

void conn_begin(conn_t *self, json_slice_t answer)
{
    if (!answer.size)
        return;
    buffer_put(&self->outlet.rest, answer.data, answer.size);
    realtime_mark(self->realtime, self);
}

void conn_send(conn_t *self, const char *text, size_t size)
{
    if (self->state != CONN_OPEN)
        return;
    if (self->is_websocket)
        ws_frame_put(&self->outlet.rest, WS_TEXT, text, size);
    else
        buffer_put(&self->outlet.rest, text, size);
    realtime_mark(self->realtime, self);
}

void conn_send_buffer(conn_t *self, buffer_t *text)
{
    if (!text->failed)
        conn_send(self, text->data, text->size);
    buffer_free(text);
}

static void s_put_frame(buffer_t *out, const stream_t *stream, const feed_item_t *item)
{
    const char *suffix = stream->session->dialect->suffix;
    size_t suffix_size = strlen(suffix);
    size_t size = shared_bytes_size(item->bytes);
    uint8_t header[WS_HEADER_MAX];
    size_t header_size = ws_frame_header(header, WS_TEXT, stream->prefix_size + size + suffix_size);
    char *at = buffer_reserve(out, header_size + stream->prefix_size + size + suffix_size);
    if (!at)
        return; /* outlet_next fails, and the connection with it */
    memcpy(at, header, header_size);
    at += header_size;
    memcpy(at, stream->text, stream->prefix_size);
    at += stream->prefix_size;
    memcpy(at, shared_bytes_data(item->bytes), size);
    at += size;
    memcpy(at, suffix, suffix_size);
    out->size += header_size + stream->prefix_size + size + suffix_size;
}

static void s_put_event(buffer_t *out, const stream_t *stream, const feed_item_t *item)
{
    buffer_put_str(out, "id: ");
    buffer_put_str(out, item->cursor);
    buffer_put_char(out, '\n');
    buffer_put(out, stream->text, stream->prefix_size);
    event_data_put(out, shared_bytes_data(item->bytes), shared_bytes_size(item->bytes));
    buffer_put_str(out, stream->session->dialect->suffix);
}

static void s_pull(void *arg, buffer_t *out, size_t limit)
{
    conn_t *self = arg;
    session_put_fn put = self->is_websocket ? s_put_frame : s_put_event;
    size_t taken = session_take(&self->session, put, out, limit, &self->realtime->take);
    metric_add(self->realtime->deliveries, (int64_t)taken);
}

/* After something changed. A socket that has ended is not watched. */
static void s_watch(conn_t *self)
{
    bool full = outlet_waiting(&self->outlet) > WAITING_UNREAD;
    int events = full ? 0 : UV_READABLE;
    if (self->outlet.blocked)
        events |= UV_WRITABLE;
    s_watch_for(self, events);
}

/* What was to go out has gone, or not. */
static void s_settle(conn_t *self, outlet_result_t result)
{
    realtime_t *realtime = self->realtime;
    switch (result) {
    case OUTLET_IDLE:
        if (self->state == CONN_CLOSING)
            shutdown(self->fd, SHUT_WR); /* all is said */
        break;
    case OUTLET_MORE:
        realtime_mark(realtime, self);
        break;
    case OUTLET_BLOCKED:
        break;
    case OUTLET_BROKEN:
        self->broken = true;
        break;
    }
    if (self->broken)
        realtime_mark(realtime, self); /* ends there, not under a caller's feet */
    else
        s_watch(self);
}

void conn_on_sent(void *owner, const char *data, size_t size, ssize_t sent)
{
    conn_t *self = owner;
    if (sent > 0)
        metric_add(self->realtime->sent_bytes, sent);
    s_settle(self, outlet_sent(&self->outlet, data, size, sent));
}

/* Most of a room's audience gets the bytes that the one before got. */
static bool s_repeat(conn_t *self)
{
    realtime_t *realtime = self->realtime;
    if (!outlet_is_empty(&self->outlet) || !sender_can_put_again(realtime->sender))
        return false;
    size_t taken = session_repeat(&self->session, &realtime->take);
    if (taken == 0)
        return false;
    outlet_begin(&self->outlet);
    metric_add(realtime->deliveries, (int64_t)taken);
    sender_put_again(realtime->sender, self->fd, self);
    return true;
}

/* What there is to send goes to the sender, with that of others. */
static void s_offer(conn_t *self)
{
    sender_t *sender = self->realtime->sender;
    bool is_only_pulled = outlet_is_empty(&self->outlet);
    outlet_piece_t piece;
    if (s_repeat(self))
        return;
    bool is_whole = outlet_next(&self->outlet, sender_buffer(sender), s_pull, self, &piece);
    if (!is_whole || !is_only_pulled)
        session_take_forget(&self->realtime->take);
    if (!is_whole)
        s_settle(self, OUTLET_BROKEN);
    else if (piece.size == 0)
        s_settle(self, OUTLET_IDLE);
    else if (piece.data != NULL)
        sender_put_from(sender, self->fd, piece.data, piece.size, self);
    else
        sender_put(sender, self->fd, piece.size, self);
}

void conn_wake(conn_t *self)
{
    if (self->state == CONN_OPEN && !self->outlet.blocked)
        realtime_mark(self->realtime, self);
}

void conn_work(conn_t *self)
{
    if (self->outlet.rest.failed)
        self->broken = true;
    if (self->broken)
        conn_end(self, self->state == CONN_CLOSING ? "closed" : "gone");
    else if (self->state == CONN_ENDED)
        return;
    else if (self->outlet.blocked)
        s_watch(self); /* more may wait for the socket now than is read beyond */
    else
        s_offer(self);
}

/* ---- in ---- */

static void s_on_message(void *arg, ws_opcode_t opcode, const char *data, size_t size)
{
    conn_t *self = arg;
    metric_inc(self->realtime->received);
    if (opcode == WS_BINARY)
        conn_close(self, WS_CLOSE_UNSUPPORTED_DATA, "only text messages are spoken here");
    else
        self->session.dialect->on_message(&self->session, data, size);
    if (self->session.has_other_rights)
        conn_close(self, CLOSE_FORBIDDEN, session_is_over(&self->session));
}

static void s_on_control(void *arg, ws_opcode_t opcode)
{
    (void)arg; /* that something came is all that counts */
    (void)opcode;
}

/* The peer has closed or broke the protocol: what the codec wants said is said, then it ends. */
static void s_on_closed(conn_t *self, uint16_t code)
{
    buffer_t *replies = &self->realtime->replies;
    log_debug("connection was closed by the client or broke the protocol",
              log_str("connection", self->session.request_id), log_int("code", code), LOG_END);
    if (self->state == CONN_OPEN)
        buffer_put(&self->outlet.rest, replies->data, replies->size);
    s_begin_closing(self);
}

void conn_feed(conn_t *self, const void *data, size_t size)
{
    static const ws_codec_events_t events = {.on_message = s_on_message,
                                             .on_control = s_on_control};
    buffer_t *replies = &self->realtime->replies;
    uint16_t code;
    if (self->state == CONN_ENDED || !self->is_websocket || !size)
        return;
    self->heard_us = clock_mono_us();
    self->pinged = false;
    if (self->state == CONN_CLOSING)
        return; /* until the peer hangs up */
    if (!ws_codec_feed(&self->codec, data, size, &events, self, replies, &code)) {
        s_on_closed(self, code);
    } else if (replies->size && self->state == CONN_OPEN) {
        buffer_put(&self->outlet.rest, replies->data, replies->size);
        realtime_mark(self->realtime, self);
    }
    buffer_clear(replies);
}

static void s_read(conn_t *self)
{
    ssize_t n = recv(self->fd, self->realtime->input, REALTIME_READ_CHUNK, MSG_DONTWAIT);
    if (n > 0)
        conn_feed(self, self->realtime->input, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        conn_end(self, self->state == CONN_CLOSING ? "closed" : "gone");
}

void conn_on_io(void *owner, int events)
{
    conn_t *self = owner;
    if (self->state == CONN_ENDED)
        return;
    if (events & UV_READABLE)
        s_read(self);
    if (self->state == CONN_ENDED || !(events & UV_WRITABLE))
        return;
    self->outlet.blocked = false;
    realtime_mark(self->realtime, self);
}

/* ---- times ---- */

/* Does the peer's machine acknowledge what is sent, or at least that it cannot take it now? A
 * reader that stalls is alive, one whose cable was cut is not. */
static bool s_machine_answers(const conn_t *self)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(self->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return true; /* the socket will say so itself */
    return info.tcpi_retransmits < UNANSWERED_MAX && info.tcpi_probes < UNANSWERED_MAX;
}

static void s_ping(conn_t *self)
{
    realtime_t *realtime = self->realtime;
    if (self->session.dialect->on_beat)
        self->session.dialect->on_beat(&self->session);
    if (self->is_websocket && !outlet_waiting(&self->outlet)) {
        ws_frame_put(&self->outlet.rest, WS_PING, NULL, 0);
        self->pinged = true;
    }
    realtime_mark(realtime, self);
}

void conn_on_time(conn_t *self)
{
    realtime_t *realtime = self->realtime;
    const realtime_options_t *options = &realtime->options;
    const dialect_t *dialect = self->session.dialect;
    int64_t now_us = clock_mono_us();
    int64_t stalled_us = (int64_t)options->stalled_timeout_s * SECOND_US;
    const char *over = session_is_over(&self->session);
    if (self->state == CONN_CLOSING) {
        conn_end(self, "closed");
    } else if (!self->session.initialised && dialect->code_init_timeout) {
        conn_close(self, dialect->code_init_timeout, dialect->reason_init_timeout);
    } else if (over) {
        conn_close(self, CLOSE_FORBIDDEN, over);
    } else if (outlet_waiting(&self->outlet) && now_us - self->outlet.progress_us > stalled_us) {
        conn_end(self, "stalled");
    } else if (self->pinged && now_us - self->heard_us > stalled_us) {
        conn_end(self, "stalled");
    } else if (!s_machine_answers(self)) {
        conn_end(self, "unreachable");
    } else {
        session_end_expired(&self->session);
        if (self->state != CONN_OPEN)
            return;
        bool silent = now_us - self->heard_us >= (int64_t)options->ping_interval_s * SECOND_US;
        if (silent || dialect->on_beat)
            s_ping(self);
        uint32_t wait_s = self->pinged ? PONG_S : options->ping_interval_s;
        wheel_set(&realtime->wheel, &self->timer, realtime->wheel.now_s + wait_s);
    }
}

/* ---- beginning ---- */

conn_t *conn_new(realtime_t *realtime, int fd, bool is_websocket, const dialect_t *dialect)
{
    conn_t *self = cell_take(&s_cells);
    const realtime_options_t *options = &realtime->options;
    self->realtime = realtime;
    self->fd = fd;
    self->is_websocket = is_websocket;
    self->opened_us = self->heard_us = clock_mono_us();
    list_init(&self->all);
    list_init(&self->marked);
    wheel_node_init(&self->timer);
    outlet_init(&self->outlet, options->max_waiting_bytes);
    ws_codec_init(&self->codec, options->max_message_bytes);
    session_init(&self->session, realtime, dialect);
    s_watch(self);
    uint32_t wait_s =
        dialect->code_init_timeout ? options->init_timeout_s : options->ping_interval_s;
    /* The wheel's second has begun already. */
    wheel_set(&realtime->wheel, &self->timer, realtime->wheel.now_s + wait_s + 1);
    return self;
}
