/* store/endpoint.h: the store's ROUTER socket: takes bus messages apart, gives calls to their
 * handlers and REPLAY and HEADS to whoever serves them, and sends all answers of a turn of the loop
 * to a peer as one message (proto/bus.md 2 … 6). Owned by main; loop thread only. */
#ifndef PARLEY_STORE_ENDPOINT_H
#define PARLEY_STORE_ENDPOINT_H

#include <stdbool.h>

#include "common/bus_record.h"
#include "common/bus_socket.h"
#include "common/loop.h"
#include "store/handler.h"

typedef struct {
    const char *bind; /* borrowed for the call */
    const bus_security_t *security;
    size_t calls_max; /* calls alive; beyond: LIMIT_EXCEEDED, outcome none */
    /* Appends the manifest, one JSON object, for a HELLO. */
    void (*manifest)(void *arg, buffer_t *out);
    /* REPLAY and HEADS, as calls with their body in args and the verb's name in field; answered
     * like calls. */
    store_handler_fn replay, heads;
    void *arg;
} endpoint_options_t;

/* Binds. NULL and the error of bus_socket_bind. */
endpoint_t *endpoint_new(loop_t *loop, const endpoint_options_t *options, err_t *err);

/* Adds a table of handlers, called with arg. The table is borrowed. */
void endpoint_add(endpoint_t *self, const store_handler_t *table, void *arg);

/* Appends the HTTP routes of all tables as a JSON list (proto/bus.md 3, `routes`). */
void endpoint_print_routes(const endpoint_t *self, buffer_t *out);

/* Calls that are not answered yet. */
size_t endpoint_load(const endpoint_t *self);

/* Reads no more; what is under way can still be answered. */
void endpoint_stop(endpoint_t *self);

/* Sends what was answered and closes; answers still go out for linger_ms at most. Calls that live
 * are freed: nobody may answer them any more. */
void endpoint_destroy(endpoint_t **self_p, int linger_ms);

#endif
