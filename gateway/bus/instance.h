/* gateway/bus/instance.h: the connection to one instance of a service: a DEALER, a SUB while it is
 * connected and has streams, a monitor on each, HELLO (proto/bus.md 1, 3, 7). It moves records and
 * events; which call goes where decides services.c, whose struct members are marked so. Loop
 * thread. Sockets are made and closed here only; close it from a function that was put off with
 * loop_defer, never from one of its own callbacks. */
#ifndef PARLEY_GATEWAY_BUS_INSTANCE_H
#define PARLEY_GATEWAY_BUS_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/bus_record.h"
#include "common/bus_socket.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "gateway/bus/circuit.h"
#include "gateway/bus/link.h"
#include "gateway/bus/manifest.h"
#include "gateway/bus/service_list.h"

typedef struct instance instance_t;

typedef struct {
    /* A manifest came (it is in self->manifest) that differs from the one before or was not
     * accepted. */
    void (*on_manifest)(instance_t *self);
    /* An answer to a CALL, REPLAY or HEADS; borrowed for the call. */
    void (*on_answer)(instance_t *self, const bus_record_t *record);
    void (*on_event)(instance_t *self, const service_event_t *event);
    /* All that was buffered has been handed to ZeroMQ. */
    void (*on_flushed)(instance_t *self);
    /* The connection is gone; what was in flight here has an unknown fate. */
    void (*on_lost)(instance_t *self);
    /* instance_is_callable or instance_is_live may have changed. */
    void (*on_state)(instance_t *self);
    /* It refused our handshakes: maybe keys have changed. Let it be restarted, which reads them. */
    void (*on_refused)(instance_t *self);
    /* Asks for all topics: call instance_topic with each. */
    void (*on_events_open)(instance_t *self);
} instance_vtable_t;

struct instance {
    /* Of services.c and services_calls.c. */
    list_node_t node; /* in its service */
    struct service *service;
    const void *source; /* the resolver that found it, or NULL */
    list_t buffered;    /* calls */
    list_t sent;        /* calls */
    size_t in_flight;   /* of them, without long polls */
    uint64_t order;     /* of its incarnation's manifest: the newest wins */
    char order_incarnation[SERVICE_NAME_SIZE];
    uint8_t order_hash[MANIFEST_HASH_SIZE];
    uint64_t refused_at; /* the generation of manifests that its own collided with; 0: none */
    bool is_accepted, was_up;
    bool is_vanished; /* its address is no longer one of the host's */
    bool is_restart_wanted;
    circuit_t circuit;
    /* What it was made with. */
    uint32_t id;
    loop_t *loop;
    const bus_security_t *security;
    const instance_vtable_t *vtable;
    const char *gateway_id;
    char name[SERVICE_NAME_SIZE]; /* the service's */
    char endpoint[SERVICE_ENDPOINT_SIZE];
    metric_t *malformed, *reconnects, *dropped, *refused;
    /* The connection. */
    link_t *calls;
    link_t *events;      /* NULL without streams or connection */
    loop_timer_t *timer; /* HELLO */
    loop_timer_t *retry; /* of a flush that ZeroMQ had no room for */
    loop_timer_t *rekey; /* a handshake was refused: to another key, or the files read again */
    unsigned key_turn;   /* which of the service's keys is tried */
    buffer_t out;        /* records of this turn, or of longer while ZeroMQ takes none */
    bool is_flushing;
    arena_t *arena;       /* of one event or answer */
    manifest_t *manifest; /* the last valid one of this connection; NULL before */
    uint8_t manifest_body[MANIFEST_HASH_SIZE]; /* hash of the last answer to HELLO, valid or not */
    bool has_manifest_body;
    bool is_manifest_broken; /* the last answer is none; `manifest` is of one before it */
    bus_id_t hello_id;
    bool hello_is_answered;
    unsigned hello_ticks; /* seconds since the last HELLO's first sending, or its answer */
    int64_t complained_at_us;
};

/* What all instances share; borrowed for as long as one lives. */
typedef struct {
    loop_t *loop;
    const bus_security_t *security;
    const instance_vtable_t *vtable;
    const char *gateway_id;
} instance_options_t;

/* NULL and ERR_CONFIG if the endpoint or the keys are wrong. */
instance_t *instance_new(const instance_options_t *options,
                         uint32_t id,
                         const char *name,
                         const char *endpoint,
                         err_t *err);
void instance_destroy(instance_t **self_p);
/* Closes its sockets and makes new ones; on_lost first if it was connected. */
void instance_restart(instance_t *self);

/* Answers HELLO and is ready: calls may go to it, if its manifest was accepted. */
bool instance_is_callable(const instance_t *self);
/* Events come from it (or it has none to give). */
bool instance_is_live(const instance_t *self);
bool instance_is_connected(const instance_t *self);
circuit_state_t instance_state(const instance_t *self);
/* Is there room for a record of this size? */
bool instance_has_room(const instance_t *self, size_t size);
/* Appends a record; it leaves with the others at the end of the turn (on_flushed). */
void instance_send(instance_t *self, const void *record, size_t size);
/* Subscribes to the stream's topic, or unsubscribes; nothing without events. */
void instance_topic(instance_t *self, const char *stream, bool subscribe);

#endif
