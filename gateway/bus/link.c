#include "gateway/bus/link.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READS_AT_LOSS = 100000, /* messages that are still read when a connection is lost */
    WATCHED = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
              ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
              ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

struct link {
    const link_vtable_t *vtable;
    void *arg;
    zsock_t *socket;
    zsock_t *monitor;
    loop_zmq_t *socket_watch;
    loop_zmq_t *monitor_watch;
    bool is_connected;
};

static void *s_handle(const link_t *self)
{
    return zsock_resolve(self->socket);
}

static void s_on_readable(void *arg)
{
    link_t *self = arg;
    self->vtable->on_readable(self->arg);
}

/* Answers that arrived before the loss must not be taken for lost. */
static void s_read_rest(link_t *self)
{
    for (int i = 0; i < READS_AT_LOSS; i++) {
        int events = 0;
        size_t size = sizeof events;
        if (zmq_getsockopt(s_handle(self), ZMQ_EVENTS, &events, &size) != 0 ||
            !(events & ZMQ_POLLIN))
            return;
        self->vtable->on_readable(self->arg);
    }
}

static void s_handle_event(link_t *self, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        if (self->is_connected) /* its loss was not told */
            break;
        self->is_connected = true;
        self->vtable->on_connected(self->arg);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        s_read_rest(self);
        if (!self->is_connected)
            break;
        self->is_connected = false;
        self->vtable->on_lost(self->arg);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        self->vtable->on_refused(self->arg, "it does not accept this gateway's key");
        break;
    default:
        self->vtable->on_refused(self->arg, "the handshake failed: no such bus or another key");
        break;
    }
}

/* A monitor's message is two frames: number (16 bits, native) with a value, and an address. */
static void s_on_monitor(void *arg)
{
    link_t *self = arg;
    void *monitor = zsock_resolve(self->monitor);
    uint16_t event = 0;
    bool more = true;
    for (int i = 0; more; i++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        more = zmq_msg_recv(&frame, monitor, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&frame);
        if (i == 0 && zmq_msg_size(&frame) >= sizeof event)
            memcpy(&event, zmq_msg_data(&frame), sizeof event);
        zmq_msg_close(&frame);
    }
    if (event != 0)
        s_handle_event(self, event);
}

link_t *link_new(loop_t *loop,
                 bus_socket_kind_t kind,
                 const char *endpoint,
                 const char *service,
                 unsigned key_turn,
                 const bus_security_t *security,
                 const link_vtable_t *vtable,
                 void *arg,
                 err_t *err)
{
    static unsigned s_count;
    zsock_t *socket = bus_socket_prepare(kind, endpoint, service, key_turn, security, err);
    if (socket == NULL)
        return NULL;
    link_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->vtable = vtable;
    self->arg = arg;
    self->socket = socket;
    zsock_set_ipv6(socket, 1);
    /* The monitor first: the connection comes about in ZeroMQ's own thread, and may be quick. */
    char address[64];
    snprintf(address, sizeof address, "inproc://parley-link-%u", s_count++);
    if (zmq_socket_monitor(s_handle(self), address, WATCHED) != 0)
        abort(); /* out of memory or of descriptors */
    self->monitor = zsock_new(ZMQ_PAIR);
    if (self->monitor == NULL || zmq_connect(zsock_resolve(self->monitor), address) != 0)
        abort();
    if (zmq_connect(s_handle(self), endpoint) != 0) {
        err_set(err, ERR_CONFIG, "cannot connect to %s: %s", endpoint, zmq_strerror(errno));
        link_destroy(&self);
        return NULL;
    }
    self->socket_watch = loop_zmq_new(loop, s_handle(self), s_on_readable, self);
    self->monitor_watch = loop_zmq_new(loop, zsock_resolve(self->monitor), s_on_monitor, self);
    return self;
}

void link_destroy(link_t **self_p)
{
    link_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    loop_zmq_destroy(&self->monitor_watch);
    loop_zmq_destroy(&self->socket_watch);
    zmq_socket_monitor(s_handle(self), NULL, 0);
    zsock_destroy(&self->monitor);
    zsock_destroy(&self->socket);
    free(self);
}

bool link_is_connected(const link_t *self)
{
    return self->is_connected;
}

bool link_receive(link_t *self, zmq_msg_t *frame, bool *more)
{
    if (zmq_msg_recv(frame, s_handle(self), ZMQ_DONTWAIT) < 0)
        return false;
    *more = zmq_msg_more(frame);
    return true;
}

bool link_send(link_t *self, const void *data, size_t size)
{
    int rc = zmq_send(s_handle(self), data, size, ZMQ_DONTWAIT);
    loop_zmq_kick(self->socket_watch);
    return rc >= 0;
}

void link_topic(link_t *self, const void *topic, size_t size, bool subscribe)
{
    zmq_setsockopt(s_handle(self), subscribe ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, topic, size);
    loop_zmq_kick(self->socket_watch);
}
