#include "common/bus_monitor.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

enum {
    EVENTS_A_CALL = 64,
    COMPLAIN_US = 1000000,
    WATCHED = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
              ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
              ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

typedef enum { REFUSED_KEY, REFUSED_HANDSHAKE, REFUSED_GARBAGE, REFUSED_UNFINISHED } refusal_t;

static const char *const reasons[] = {"key", "handshake", "garbage", "unfinished"};

struct bus_monitor {
    zsock_t *socket;
    zsock_t *monitor;
    loop_zmq_t *watch;
    const char *part;
    metric_t *refused[sizeof reasons / sizeof *reasons];
    int64_t complained_at_us;
    bool is_told;   /* why the connection whose end comes next was refused */
    uint32_t *open; /* by descriptor: when it was accepted, while its handshake lasts; else 0 */
    size_t size;
    uint32_t accepted;
};

static void s_refuse(bus_monitor_t *self, refusal_t refusal)
{
    int64_t now_us = clock_mono_us();
    metric_inc(self->refused[refusal]);
    if (self->complained_at_us && now_us - self->complained_at_us < COMPLAIN_US)
        return;
    self->complained_at_us = now_us;
    log_warn("refused on the bus", log_str("part", self->part), log_str("reason", reasons[refusal]),
             LOG_END);
}

static uint32_t *s_slot(bus_monitor_t *self, int32_t fd)
{
    if (fd < 0)
        return NULL;
    size_t needed = (size_t)fd + 1;
    if (needed > self->size) {
        size_t size = needed * 2;
        self->open = realloc(self->open, size * sizeof *self->open);
        if (!self->open)
            abort();
        memset(self->open + self->size, 0, (size - self->size) * sizeof *self->open);
        self->size = size;
    }
    return &self->open[fd];
}

/* ZeroMQ does not say whose handshake came to a good end: a handshake takes milliseconds, so most
 * likely it is that of the connection that came last. */
static void s_settle(bus_monitor_t *self)
{
    uint32_t *newest = NULL;
    for (size_t i = 0; i < self->size; i++)
        if (self->open[i] && (!newest || self->open[i] > *newest))
            newest = &self->open[i];
    if (newest)
        *newest = 0;
}

static void s_handle(bus_monitor_t *self, uint16_t event, int32_t value)
{
    uint32_t *slot = NULL;
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        if ((slot = s_slot(self, value)))
            *slot = ++self->accepted;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        s_settle(self);
        break;
    case ZMQ_EVENT_DISCONNECTED: /* follows a failure at once */
        slot = s_slot(self, value);
        if (!self->is_told && slot && *slot)
            s_refuse(self, REFUSED_GARBAGE);
        self->is_told = false;
        if (slot)
            *slot = 0;
        break;
    default:
        self->is_told = true;
        s_refuse(self, event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH       ? REFUSED_KEY
                       : event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ? REFUSED_HANDSHAKE
                                                                      : REFUSED_UNFINISHED);
        break;
    }
}

/* A monitor's message: number (16 bits) and value (32 bits), native, then an address. */
static bool s_receive(bus_monitor_t *self)
{
    void *monitor = zsock_resolve(self->monitor);
    uint8_t head[6] = {0};
    bool is_there = false, more = true;
    for (int i = 0; more; i++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        more = zmq_msg_recv(&frame, monitor, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&frame);
        if (i == 0 && zmq_msg_size(&frame) >= sizeof head) {
            is_there = true;
            memcpy(head, zmq_msg_data(&frame), sizeof head);
        }
        zmq_msg_close(&frame);
    }
    if (!is_there)
        return false;
    uint16_t event;
    int32_t value;
    memcpy(&event, head, sizeof event);
    memcpy(&value, head + sizeof event, sizeof value);
    s_handle(self, event, value);
    return true;
}

static void s_on_readable(void *arg)
{
    bus_monitor_t *self = arg;
    for (int i = 0; i < EVENTS_A_CALL; i++)
        if (!s_receive(self))
            return;
}

bus_monitor_t *bus_monitor_new(loop_t *loop, zsock_t *socket, const char *part)
{
    static unsigned s_count;
    bus_monitor_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->socket = socket;
    self->part = part;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "part=\"%s\",reason=\"%s\"", part, reasons[i]);
        self->refused[i] = metrics_counter("parley_bus_refused_total",
                                           "Connections to the bus that were refused.", labels);
    }
    char address[64];
    snprintf(address, sizeof address, "inproc://parley-bound-%u", s_count++);
    if (zmq_socket_monitor(zsock_resolve(socket), address, WATCHED) != 0)
        abort(); /* out of memory or of descriptors */
    self->monitor = zsock_new(ZMQ_PAIR);
    if (!self->monitor || zmq_connect(zsock_resolve(self->monitor), address) != 0)
        abort();
    self->watch = loop_zmq_new(loop, zsock_resolve(self->monitor), s_on_readable, self);
    return self;
}

void bus_monitor_destroy(bus_monitor_t **self_p)
{
    bus_monitor_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_zmq_destroy(&self->watch);
    zmq_socket_monitor(zsock_resolve(self->socket), NULL, 0);
    zsock_destroy(&self->monitor);
    free(self->open);
    free(self);
}
