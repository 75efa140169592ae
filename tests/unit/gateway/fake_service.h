/* A service inside the test's own loop: binds a real ROUTER (and XPUB) and does what a test tells
 * it to. */
#ifndef PARLEY_TESTS_FAKE_SERVICE_H
#define PARLEY_TESTS_FAKE_SERVICE_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/bus_record.h"
#include "common/bus_socket.h"
#include "common/loop.h"

typedef struct fake_service fake_service_t;

struct fake_service {
    loop_t *loop;
    zsock_t *router;
    zsock_t *xpub;
    loop_zmq_t *router_watch;
    loop_zmq_t *xpub_watch;
    /* The manifest. */
    const char *name;
    const char *events; /* endpoint announced, or NULL */
    const char *sdl;
    const char *incarnation;
    const char *epoch;
    const char *more; /* further members, like ",\"idempotent\":[…]", or "" */
    bool is_ready;
    /* What it does. */
    bool is_deaf;       /* answers no HELLO */
    bool is_silent;     /* keeps calls without an answer */
    bool answers_heads; /* publishes head `head` for each topic that is subscribed to */
    uint64_t head;
    uint64_t (*head_of)(const char *stream); /* instead of `head`, if not NULL */
    /* Writes the answer (flags and body, as whole records) or nothing; NULL: echoes the body. */
    void (*on_call)(fake_service_t *self, const bus_record_t *record, buffer_t *out);
    /* What it saw. */
    size_t hellos, calls, messages, topics;
    bus_id_t last_id;
    char last_body[4096];
    char last_topic[256];
};

/* Binds; router and events endpoints; security NULL for ipc. */
void fake_service_open(fake_service_t *self,
                       loop_t *loop,
                       const char *endpoint,
                       const char *events_endpoint,
                       const bus_security_t *security);
void fake_service_close(fake_service_t *self);
/* A folder with endpoints for up to two services. */
typedef struct {
    char folder[64];
    char calls[2][96], events[2][96];
} fake_place_t;

void fake_place_make(fake_place_t *self);
void fake_place_remove(const fake_place_t *self);
/* A port that nobody listens on, on any address. */
int fake_service_port(void);
/* Publishes one EVENT with this body. */
void fake_service_publish(fake_service_t *self, const char *stream, const char *body);
void fake_service_event(
    fake_service_t *self, const char *stream, uint64_t seq, const char *kind, const char *rest);
/* Sends these bytes to the gateway that called last. */
void fake_service_send(fake_service_t *self, const void *data, size_t size);

/* Turns the loop until is_done(arg) or the time is over; says which. */
bool turn_until(loop_t *loop, bool (*is_done)(void *arg), void *arg, int timeout_ms);
void turn_for(loop_t *loop, int ms);

#endif
