#include "gateway/bus/circuit.h"

#include <string.h>

enum { LABELS_MAX = 2048 };

static const char *const s_names[CIRCUIT_COUNT] = {
    [CIRCUIT_DOWN] = "down",       [CIRCUIT_JOINING] = "joining", [CIRCUIT_REFUSED] = "refused",
    [CIRCUIT_UNREADY] = "unready", [CIRCUIT_SUSPECT] = "suspect", [CIRCUIT_UP] = "up",
};

static void s_put(buffer_t *out, const char *name, const char *value)
{
    metrics_label(out, name, value, strlen(value));
}

static metric_t *s_change(const char *service, const char *state)
{
    buffer_t labels = BUFFER_INIT(LABELS_MAX);
    s_put(&labels, "service", service);
    s_put(&labels, "state", state);
    buffer_put_char(&labels, '\0');
    metric_t *metric = metrics_counter("parley_bus_instance_changes_total",
                                       "Times that an instance came into a state", labels.data);
    buffer_free(&labels);
    return metric;
}

static metric_t *s_gauge(const char *service, const char *endpoint, const char *state)
{
    buffer_t labels = BUFFER_INIT(LABELS_MAX);
    s_put(&labels, "service", service);
    s_put(&labels, "endpoint", endpoint);
    s_put(&labels, "state", state);
    buffer_put_char(&labels, '\0');
    metric_t *metric = metrics_gauge("parley_bus_instance_state",
                                     "1 for the state that an instance is in", labels.data);
    buffer_free(&labels);
    return metric;
}

void circuit_open(circuit_t *self, const char *service, const char *endpoint)
{
    for (int i = 0; i < CIRCUIT_COUNT; i++) {
        self->changes[i] = s_change(service, s_names[i]);
        self->gauges[i] = s_gauge(service, endpoint, s_names[i]);
        metric_set(self->gauges[i], i == CIRCUIT_DOWN);
    }
    self->state = CIRCUIT_DOWN;
}

void circuit_close(circuit_t *self)
{
    for (int i = 0; i < CIRCUIT_COUNT; i++)
        metrics_remove(&self->gauges[i]);
}

void circuit_set(circuit_t *self, circuit_state_t state)
{
    if (state == self->state)
        return;
    metric_set(self->gauges[self->state], 0);
    metric_set(self->gauges[state], 1);
    metric_inc(self->changes[state]);
    self->state = state;
}
