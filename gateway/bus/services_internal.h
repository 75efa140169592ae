/* gateway/bus/services_internal.h: what services.c (who is there) and services_calls.c (calls)
 * share. Private to this folder. */
#ifndef PARLEY_GATEWAY_BUS_SERVICES_INTERNAL_H
#define PARLEY_GATEWAY_BUS_SERVICES_INTERNAL_H

#include "common/cursor.h"
#include "common/metrics.h"
#include "common/table.h"
#include "gateway/bus/call.h"
#include "gateway/bus/instance.h"
#include "gateway/bus/resolver.h"
#include "gateway/bus/services.h"

enum { LISTENERS_MAX = 4, INSTANCES_MAX = 256 };

typedef enum {
    OUTCOME_OK,
    OUTCOME_ERROR,
    OUTCOME_UNAVAILABLE,
    OUTCOME_TIMEOUT,
    OUTCOME_LIMIT,
    OUTCOME_CANCELLED,
    OUTCOME_COUNT
} outcome_t;

/* The metrics of one field of one service. */
typedef struct call_series {
    UT_hash_handle hh;
    metric_t *outcomes[OUTCOME_COUNT];
    metric_t *latency;
    char field[];
} call_series_t;

/* A stream that is subscribed to. */
typedef struct topic {
    UT_hash_handle hh;
    size_t uses;
    char stream[];
} topic_t;

typedef struct service {
    services_t *services;
    char name[SERVICE_NAME_SIZE];
    list_t instances;
    manifest_t *active;      /* NULL until one was announced */
    service_manifest_t view; /* the active one's, with the newest epoch */
    char epoch[EPOCH_SIZE];  /* "" while unknown */
    unsigned active_gone_s;  /* for how long nobody announced the active manifest */
    list_t waiting;          /* calls without an instance */
    size_t in_flight;        /* calls, the waiting ones too */
    topic_t *topics;
    call_series_t *series;
    metric_t *up_gauge, *known_gauge, *in_flight_gauge, *retries;
} service_t;

/* A host name of the list and who stands behind it. */
typedef struct {
    resolver_t *resolver;
    service_t *service;
    char host[SERVICE_HOST_SIZE];
    char port[6];
    bool has_failed; /* and was logged */
} source_t;

struct services {
    loop_t *loop;
    char *gateway_id;
    char *keys_dir;
    bus_security_t security;
    uint32_t max_in_flight;
    services_accept_fn accept;
    void *accept_arg;
    service_t *list;
    size_t count;
    source_t *sources;
    size_t source_count;
    instance_options_t instance_options;
    uint32_t last_instance;
    uint64_t last_order;
    uint64_t generation; /* of the set of active manifests */
    bool is_sweeping;
    loop_timer_t *timer; /* every second */
    struct {
        services_listener_t fn;
        void *arg;
    } listeners[LISTENERS_MAX];
    size_t listener_count;
    /* Of services_calls.c. */
    calls_t *calls;
    list_t failed;
    bool is_failing;
    loop_timer_t *deadline_timer;
    int64_t deadline_armed_ms; /* INT64_MAX: not armed */
    arena_t *arena;            /* of one answer */
};

#define SERVICE_INSTANCE(node) LIST_ITEM(node, instance_t, node)
#define FOR_EACH_INSTANCE(service, node)                                                           \
    for (list_node_t *node = (service)->instances.next; node != &(service)->instances;             \
         node = node->next)

/* services.c */

/* NULL if no service of that name is configured; NULL and "" are names of none. */
service_t *services_find(services_t *self, const char *name);

void services_tell_change(services_t *self);

/* services_manifests.c: which manifest of a service is the active one (proto/bus.md 3) */
void services_on_manifest(instance_t *instance);
/* Every second: if the active manifest's last instance has left, the newest of those that are there
 * takes over. */
void services_reselect(service_t *service);

/* services_calls.c */
void services_calls_open(services_t *self);
void services_calls_close(services_t *self);
void services_on_answer(instance_t *instance, const bus_record_t *record);
void services_on_flushed(instance_t *instance);
/* Its calls go to others, wait, or fail. */
void services_on_lost(instance_t *instance);
/* Gives waiting calls to the instances that there are now. */
void services_dispatch_waiting(service_t *service);

#endif
