/* gateway/bus/link.h: one connecting ZeroMQ socket of the bus with its monitor, in the loop. It
 * says when the connection comes about and when it is lost, and that there is something to receive.
 * Loop thread; not to be destroyed from inside its own callbacks. */
#ifndef PARLEY_GATEWAY_BUS_LINK_H
#define PARLEY_GATEWAY_BUS_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/bus_socket.h"
#include "common/loop.h"

typedef struct link link_t;

typedef struct {
    /* Receive with link_receive, one message or a bounded batch. */
    void (*on_readable)(void *arg);
    /* The connection is there, security handshake included; or it is lost. What was received before
     * the loss was read before. */
    void (*on_connected)(void *arg);
    void (*on_lost)(void *arg);
    /* A handshake failed (keys, version); tried again in the background. reason is a phrase. */
    void (*on_refused)(void *arg, const char *reason);
} link_vtable_t;

/* key_turn: see bus_socket_prepare. NULL and ERR_CONFIG as there. */
link_t *link_new(loop_t *loop,
                 bus_socket_kind_t kind,
                 const char *endpoint,
                 const char *service,
                 unsigned key_turn,
                 const bus_security_t *security,
                 const link_vtable_t *vtable,
                 void *arg,
                 err_t *err);
void link_destroy(link_t **self_p);
bool link_is_connected(const link_t *self);

/* One frame into *frame (an initialised zmq_msg_t); false if there is none. *more: is it followed
 * by others of its message? */
bool link_receive(link_t *self, zmq_msg_t *frame, bool *more);
/* One message of one frame, copied. False if ZeroMQ takes none now. */
bool link_send(link_t *self, const void *data, size_t size);
/* topic of a SUB. */
void link_topic(link_t *self, const void *topic, size_t size, bool subscribe);

#endif
