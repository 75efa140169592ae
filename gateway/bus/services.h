/* gateway/bus/services.h: who is on the bus, what they announce, and calls to them (proto/bus.md).
 * Loop thread only. One object for all services; it owns a DEALER and a SUB per instance. */
#ifndef PARLEY_GATEWAY_BUS_SERVICES_H
#define PARLEY_GATEWAY_BUS_SERVICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus_record.h"
#include "common/bus_socket.h"
#include "common/err.h"
#include "common/json.h"
#include "common/loop.h"

typedef struct services services_t;

/* What a service announces (the active manifest). Borrowed until the next on_change. */
typedef struct {
    const char *name;
    const char *version;
    const char *sdl;
    const char *epoch;    /* NULL while unknown */
    const json_t *routes; /* list of {"method","path"}, or NULL */
    const json_t *issuer; /* {"iss","clientId","jwks"}, or NULL */
    bool has_events;
    bool has_auth; /* it answers AUTH (4.5) */
} service_manifest_t;

/* What an event says (proto/bus.md 7). All borrowed for the call. */
typedef struct {
    const char *service;
    const char *stream; /* NUL-terminated */
    const char *epoch;  /* 16 hex digits */
    uint64_t seq;
    enum { SERVICE_EVENT_DATA, SERVICE_EVENT_HEAD, SERVICE_EVENT_REVOKE } kind;
    json_slice_t type;    /* without quotes; empty for a head */
    json_slice_t payload; /* JSON value, not validated beyond the envelope; empty for a head */
    uint32_t instance;    /* names the instance within this process; never used again for another */
} service_event_t;

/* All optional. Called from the loop, never from inside a call to services_*. */
typedef struct {
    /* A manifest came, went or changed: rebuild the schema, look at routes and issuers. */
    void (*on_change)(void *arg);
    void (*on_event)(void *arg, const service_event_t *event);
    /* An instance can be called (HELLO answered, ready) or no more. */
    void (*on_instance)(void *arg, const char *service, uint32_t instance, bool up);
} services_listener_t;

/* Can these manifests (one of each service that has any) live together, does their SDL make one
 * schema? Else false with a sentence in *err: the newcomer is refused and logged, and what was
 * there before stays (proto/bus.md 3). Called before on_change, which follows if it says true: what
 * was built here can be kept for there. */
typedef bool (*services_accept_fn)(void *arg,
                                   const service_manifest_t *const *manifests,
                                   size_t count,
                                   err_t *err);

typedef struct {
    loop_t *loop;
    const char *list; /* "store=ipc:///x/s.ipc,echo=tcp://host:5555" */
    const char *gateway_id;
    bus_security_t security;
    uint32_t max_in_flight;    /* per service; 20,000 */
    services_accept_fn accept; /* NULL: every valid manifest is */
    void *accept_arg;
} services_options_t;

/* NULL and ERR_CONFIG if the list or the keys are wrong. Connecting goes on in the background. */
services_t *services_new(const services_options_t *options, err_t *err);
/* Calls without an answer are dropped: fn is not called. Not from inside its own callbacks. */
void services_destroy(services_t **self_p);
/* A second listener does not replace the first: each is told. At most 4. */
void services_listen(services_t *self, const services_listener_t *listener, void *arg);

/* Does every configured service have an instance that is ready? If not, a phrase that names one
 * into reason. */
bool services_are_ready(const services_t *self, char *reason, size_t size);
/* Has every configured service announced a valid manifest? */
bool services_are_announced(const services_t *self);
size_t services_count(const services_t *self); /* of services that announced a valid manifest */
const service_manifest_t *services_manifest(const services_t *self, size_t index);

/* ---- calls ---- */
typedef struct service_call service_call_t;

typedef struct {
    const char *service;
    const char *field;       /* "Mutation.createMessage" */
    json_slice_t args;       /* JSON map */
    json_slice_t selection;  /* JSON list, or empty */
    json_slice_t identity;   /* JSON map, or empty */
    json_slice_t resume;     /* text of a cursor, or empty; printed as a JSON string */
    const char *request;     /* id of the client's request, or NULL */
    const char *traceparent; /* or NULL */
    const char *client;      /* address of the client, or NULL (or ""): unknown */
    int64_t deadline_ms;     /* Unix time in milliseconds */
    bool is_long_poll;       /* it waits for news: it is no load for who is asked */
} service_request_t;

/* ok: json is the result (not validated). Else code, message and extensions are the error
 * (proto/bus.md 9; the gateway's own UNAVAILABLE and TIMEOUT look the same, with outcome). All
 * borrowed for the call. */
typedef struct {
    bool ok;
    json_slice_t json;
    const char *code;
    const char *message;
    json_slice_t extensions; /* JSON map or empty */
} service_answer_t;

typedef void (*service_answer_fn)(void *arg, const service_answer_t *answer);

/* Starts a call; everything in request is copied. fn is called exactly once, from the loop, never
 * from inside this function, unless the call is cancelled first. All calls of one turn to one
 * instance travel in one message. A call waits for an instance until 50 ms before its deadline,
 * then fails with UNAVAILABLE/none. Never NULL: what cannot even be queued fails through fn. The
 * call is gone when fn is called: forget it there. */
service_call_t *
services_call(services_t *self, const service_request_t *request, service_answer_fn fn, void *arg);
/* Nobody waits any more: fn will not be called. Leaves NULL; accepts NULL in *call_p. */
void service_call_cancel(service_call_t **call_p);

/* REPLAY and HEADS (proto/bus.md 5, 6): the answer is the raw body. after is used when last is 0.
 * Repeated on another instance when one is lost. */
service_call_t *services_replay(services_t *self,
                                const char *service,
                                const char *stream,
                                uint64_t after,
                                uint32_t last,
                                uint32_t limit,
                                int64_t deadline_ms,
                                service_answer_fn fn,
                                void *arg);
service_call_t *services_heads(services_t *self,
                               const char *service,
                               const char *const *streams,
                               size_t count,
                               bool settled,
                               int64_t deadline_ms,
                               service_answer_fn fn,
                               void *arg);

/* ---- events ---- */

/* Subscribes to the stream's topic on every instance of the service, now and later. Counted: as
 * many unsubscribes end it. */
void services_subscribe(services_t *self, const char *service, const char *stream);
void services_unsubscribe(services_t *self, const char *service, const char *stream);
/* Subscribes and unsubscribes once more on one instance, so that it publishes a fresh head. */
void services_poke(services_t *self, uint32_t instance, const char *stream);
/* The instances of the service that are up: ids into out (at most max), their number returned. */
size_t services_instances(const services_t *self, const char *service, uint32_t *out, size_t max);
/* Drops and makes anew the connection to an instance that does not answer pokes. */
void services_reconnect(services_t *self, uint32_t instance);

#endif
