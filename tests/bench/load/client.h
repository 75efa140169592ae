/* tests/bench/load/client.h: one connection of the load generator, a subscriber or a poster, in one
 * of the protocols that the measured systems speak. Non-blocking; owned by the load; one thread.
 *
 * An event is found in a frame by the members "body" (it begins with the microsecond, of the
 * monotonic clock, of its posting) and "cursor" (Parley's 34 characters, proto/bus.md 8, or a
 * decimal number): its number in its room. */
#ifndef PARLEY_BENCH_CLIENT_H
#define PARLEY_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/load/copies.h"
#include "tests/bench/load/tally.h"

typedef enum {
    DIALECT_TRANSPORT_WS, /* graphql-transport-ws; posts are createMessage over HTTP */
    DIALECT_RAW,          /* each frame is an event; posts are HTTP bodies handed on as they are */
    DIALECT_NATS,         /* the NATS protocol, in WebSocket frames; posts over TCP */
} dialect_t;

typedef struct {
    char name[64];
    char newest[40];  /* cursor of the newest answered post; "" if there is none */
    char cursor[40];  /* subscribers begin behind it; "" if they do not */
    uint64_t numbers; /* handed out to events that get their number here (raw, nats) */
    copies_t *copies; /* what its subscribers got lately */
} room_t;

/* What all clients share. */
typedef struct {
    dialect_t dialect;
    const char *token;
    int epoll; /* watches all clients; an event's data.ptr is the client */
    bool is_measuring;
    int64_t window_us;     /* only events that were posted since then are measured */
    int64_t now_unix_us;   /* of the read under way */
    uint64_t acknowledged; /* subscribers whose handshake is done and whose subscribe is sent */
    int64_t last_event_us; /* when the newest event came, of the monotonic clock */
    tally_t tally;
} load_t;

typedef struct {
    load_t *load;
    room_t *room; /* a subscriber's own; a poster's at the moment */
    int fd;       /* -1: the server closed an idle poster; it is opened again when it is needed */
    int port;
    bool is_poster;
    bool is_busy; /* poster: a request is under way */
    enum { UPGRADING, ACKNOWLEDGING, SUBSCRIBED } phase;
    uint64_t last;     /* number of the newest event; 0: none yet */
    uint64_t received; /* events */
    int64_t posted_us;
    char *rest; /* bytes of an incomplete frame or answer */
    size_t rest_size;
} client_t;

/* Connects over loopback, has it watched and, for a subscriber, begins the handshake. Exits if it
 * cannot. */
void client_open(client_t *self, load_t *load, room_t *room, bool is_poster, int port);
/* Reads what came; exits when the server closed the connection of a subscriber or in an answer. */
void client_read(client_t *self);
/* Posts one event into room; the poster must not be busy. */
void client_post(client_t *self, room_t *room);

void load_die(const char *what);

#endif
