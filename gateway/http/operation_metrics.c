#include "gateway/http/operation_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/metrics.h"

enum { SLOTS = 1024, FIELDS_MAX = 120, PROBES = 8 };

/* Series are kept in an open hash table, so that counting needs no text to be printed. Who finds no
 * slot has its series looked up by name each time. */
typedef struct {
    const char *type; /* NULL: free */
    const char *outcome;
    char fields[FIELDS_MAX];
    metric_t *requests;
    metric_t *latency;
} slot_t;

struct operation_metrics {
    slot_t slots[SLOTS];
};

operation_metrics_t *operation_metrics_new(void)
{
    operation_metrics_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void operation_metrics_destroy(operation_metrics_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

static void s_look_up(slot_t *slot)
{
    buffer_t labels = BUFFER_INIT(1024);
    metrics_label(&labels, "type", slot->type, strlen(slot->type));
    metrics_label(&labels, "fields", slot->fields, strlen(slot->fields));
    buffer_put_char(&labels, '\0');
    slot->latency = metrics_latency("parley_request_duration_seconds",
                                    "Time from request to response, by operation type and root "
                                    "fields.",
                                    labels.data);
    labels.size--;
    metrics_label(&labels, "outcome", slot->outcome, strlen(slot->outcome));
    buffer_put_char(&labels, '\0');
    slot->requests =
        metrics_counter("parley_requests_total",
                        "GraphQL operations by type, root fields and outcome.", labels.data);
    buffer_free(&labels);
}

static size_t s_hash(const char *type, const char *fields, const char *outcome)
{
    uint32_t hash = 2166136261u;
    for (const char *c = fields; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    hash = (hash ^ (uint8_t)type[0]) * 16777619u;
    for (const char *c = outcome; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    return hash;
}

static slot_t *
s_find(operation_metrics_t *self, const char *type, const char *fields, const char *outcome)
{
    size_t hash = s_hash(type, fields, outcome);
    for (size_t i = 0; i < PROBES; i++) {
        slot_t *slot = &self->slots[(hash + i) % SLOTS];
        if (!slot->type) {
            slot->type = type;
            slot->outcome = outcome;
            strncat(slot->fields, fields, FIELDS_MAX - 1);
            s_look_up(slot);
            return slot;
        }
        if (!strcmp(slot->type, type) && !strcmp(slot->outcome, outcome) &&
            !strncmp(slot->fields, fields, FIELDS_MAX - 1))
            return slot;
    }
    return NULL;
}

void operation_metrics_count(operation_metrics_t *self,
                             const char *type,
                             const char *fields,
                             const char *outcome,
                             int64_t duration_us)
{
    slot_t stray = {.type = type, .outcome = outcome, .fields = ""};
    slot_t *slot = s_find(self, type, fields, outcome);
    if (!slot) {
        slot = &stray;
        strncat(slot->fields, fields, FIELDS_MAX - 1);
        s_look_up(slot);
    }
    metric_inc(slot->requests);
    metric_observe(slot->latency, duration_us);
}
