/* gateway/bus/circuit.h: the state of the way to one instance of a service, in the metrics: one
 * gauge for each state, 1 for the one that it is in, and how often instances of its service came
 * into each. The gauges go when the instance goes, so that addresses that came and went leave
 * nothing. Embedded in its instance; loop thread. */
#ifndef PARLEY_GATEWAY_BUS_CIRCUIT_H
#define PARLEY_GATEWAY_BUS_CIRCUIT_H

#include "common/metrics.h"

typedef enum {
    CIRCUIT_DOWN,    /* no connection */
    CIRCUIT_JOINING, /* connected; the manifest or the events' connection is awaited */
    CIRCUIT_REFUSED, /* its manifest is broken or collides with others */
    CIRCUIT_UNREADY, /* says that it cannot answer calls now */
    CIRCUIT_SUSPECT, /* connected, but has not answered HELLO for 3 s: gets no new calls */
    CIRCUIT_UP,
    CIRCUIT_COUNT
} circuit_state_t;

typedef struct {
    circuit_state_t state;
    metric_t *gauges[CIRCUIT_COUNT];
    metric_t *changes[CIRCUIT_COUNT];
} circuit_t;

/* Of an instance that is down. */
void circuit_open(circuit_t *self, const char *service, const char *endpoint);
void circuit_close(circuit_t *self);
void circuit_set(circuit_t *self, circuit_state_t state);

#endif
