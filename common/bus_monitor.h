/* common/bus_monitor.h: counts who is refused at a bound socket of the bus (proto/bus.md 1.2):
 * strangers, wrong keys, plain text. Loop thread. */
#ifndef PARLEY_COMMON_BUS_MONITOR_H
#define PARLEY_COMMON_BUS_MONITOR_H

#include <czmq.h>

#include "common/loop.h"

/* Metric parley_bus_refused_total{part,reason}; reason is
 *   key         CURVE, but the peer's key is not known
 *   handshake   a handshake that fails: no CURVE, or for another key of ours
 *   garbage     bytes that are no ZeroMQ
 *   unfinished  the peer gave up (it may have seen first that there is CURVE) or said nothing
 * and a line in the log, at most one a second. */
typedef struct bus_monitor bus_monitor_t;

/* part: a constant, "calls" or "events". socket is borrowed. Never NULL. */
bus_monitor_t *bus_monitor_new(loop_t *loop, zsock_t *socket, const char *part);
/* Before the socket is closed. */
void bus_monitor_destroy(bus_monitor_t **self_p);

#endif
