/* gateway/realtime/conn.h: a connection that left HTTP: a WebSocket or an event stream. It owns the
 * descriptor, reads and writes it, keeps its times, and is freed at the end of the turn in which it
 * ended. Loop thread only. */
#ifndef PARLEY_GATEWAY_REALTIME_CONN_H
#define PARLEY_GATEWAY_REALTIME_CONN_H

#include "common/loop.h"
#include "gateway/realtime/outlet.h"
#include "gateway/realtime/session.h"
#include "gateway/realtime/wheel.h"
#include "gateway/realtime/ws_codec.h"

typedef enum {
    CONN_OPEN,
    CONN_CLOSING, /* the close frame is said; the peer's is awaited */
    CONN_ENDED,   /* nothing is done with it any more */
} conn_state_t;

typedef struct conn conn_t;
struct conn {
    list_node_t all; /* in realtime's list of open or closing connections */
    list_node_t
        marked; /* in realtime's list of those with something to do at the end of the turn */
    wheel_node_t timer;
    realtime_t *realtime;
    outlet_t outlet;
    ws_codec_t codec;
    session_t session;
    conn_state_t state;
    bool is_websocket;
    bool broken;      /* a send failed */
    bool pinged;      /* and nothing came since */
    uint8_t watching; /* what the socket is watched for */
    int fd;
    int64_t opened_us;
    int64_t heard_us; /* monotonic: when the last byte came */
};

/* Takes fd. Something may be sent at once. */
conn_t *conn_new(realtime_t *realtime, int fd, bool is_websocket, const dialect_t *dialect);

/* The connection around a session. */
conn_t *conn_of(session_t *session);

/* The answer to the handshake, before anything else; nothing is done if it is empty. */
void conn_begin(conn_t *self, json_slice_t answer);

/* Says text: one message of a WebSocket, or raw bytes of an event stream. It goes out at the end of
 * this turn. */
void conn_send(conn_t *self, const char *text, size_t size);
/* The same from a buffer, which is freed; nothing is said if it failed. */
void conn_send_buffer(conn_t *self, buffer_t *text);

/* Ends the connection in good order: a WebSocket with this code and reason, an event stream after
 * what is there to send. Operations end at once. */
void conn_close(conn_t *self, uint16_t code, const char *reason);

/* Input that came before the connection was ours. */
void conn_feed(conn_t *self, const void *data, size_t size);

/* Something became ready to be taken. */
void conn_wake(conn_t *self);

/* For realtime: what is to be done at the end of a turn, but for sender_flush; what its socket is
 * ready for; what the sender did; when its time has come. */
void conn_work(conn_t *self);
void conn_on_io(void *owner, int events);
void conn_on_sent(void *owner, const char *data, size_t size, ssize_t sent);
void conn_on_time(conn_t *self);
/* Ends it at once; it is freed at the end of the turn. reason is a constant, for logs and metrics.
 */
void conn_end(conn_t *self, const char *reason);
void conn_free(conn_t *self);

#endif
