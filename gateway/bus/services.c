#include "gateway/bus/services.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/bus/services_internal.h"

enum {
    TICK_MS = 1000,
};

service_t *services_find(services_t *self, const char *name)
{
    if (name == NULL || *name == '\0')
        return NULL;
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->list[i].name, name) == 0)
            return &self->list[i];
    return NULL;
}

/* ---- telling ---- */

void services_tell_change(services_t *self)
{
    self->generation++;
    for (size_t i = 0; i < self->listener_count; i++)
        if (self->listeners[i].fn.on_change != NULL)
            self->listeners[i].fn.on_change(self->listeners[i].arg);
}

static void s_on_event(instance_t *instance, const service_event_t *event)
{
    services_t *self = instance->service->services;
    for (size_t i = 0; i < self->listener_count; i++)
        if (self->listeners[i].fn.on_event != NULL)
            self->listeners[i].fn.on_event(self->listeners[i].arg, event);
}

static bool s_is_up(const instance_t *instance)
{
    return instance_is_callable(instance) && instance_is_live(instance);
}

static void s_count(service_t *service)
{
    int64_t up = 0, known = 0;
    FOR_EACH_INSTANCE(service, node)
    {
        known++;
        up += SERVICE_INSTANCE(node)->was_up;
    }
    metric_set(service->up_gauge, up);
    metric_set(service->known_gauge, known);
}

static void s_on_state(instance_t *instance)
{
    service_t *service = instance->service;
    services_t *self = service->services;
    bool is_up = s_is_up(instance);
    bool has_changed = is_up != instance->was_up;
    instance->was_up = is_up;
    circuit_set(&instance->circuit, instance_state(instance));
    s_count(service);
    for (size_t i = 0; has_changed && i < self->listener_count; i++)
        if (self->listeners[i].fn.on_instance != NULL)
            self->listeners[i].fn.on_instance(self->listeners[i].arg, service->name, instance->id,
                                              is_up);
    if (instance_is_callable(instance))
        services_dispatch_waiting(service);
}

/* ---- instances ---- */

static void s_on_lost(instance_t *instance);
static void s_on_refused(instance_t *instance);

static void s_on_events_open(instance_t *instance)
{
    topic_t *topic, *next;
    HASH_ITER(hh, instance->service->topics, topic, next)
    instance_topic(instance, topic->stream, true);
}

static const instance_vtable_t s_vtable = {
    .on_manifest = services_on_manifest,
    .on_answer = services_on_answer,
    .on_event = s_on_event,
    .on_flushed = services_on_flushed,
    .on_lost = s_on_lost,
    .on_state = s_on_state,
    .on_refused = s_on_refused,
    .on_events_open = s_on_events_open,
};

static err_code_t
s_add_instance(service_t *service, const source_t *source, const char *endpoint, err_t *err)
{
    services_t *self = service->services;
    err_t own_err = ERR_INIT;
    instance_t *instance = instance_new(&self->instance_options, ++self->last_instance,
                                        service->name, endpoint, &own_err);
    if (instance == NULL)
        return err_set(err, own_err.code, "%s", own_err.text);
    instance->service = service;
    instance->source = source;
    list_append(&service->instances, &instance->node);
    s_count(service);
    return ERR_OK;
}

static void s_remove_instance(instance_t *instance)
{
    service_t *service = instance->service;
    log_info("service instance is gone", log_str("service", service->name),
             log_str("endpoint", instance->endpoint), LOG_END);
    list_remove(&instance->node);
    instance_destroy(&instance);
    s_count(service);
}

/* Does what must not be done from inside an instance's own callbacks. */
static void s_sweep(void *arg)
{
    services_t *self = arg;
    self->is_sweeping = false;
    for (size_t i = 0; i < self->count; i++) {
        list_node_t *next;
        list_t *list = &self->list[i].instances;
        for (list_node_t *node = list->next; node != list; node = next) {
            instance_t *instance = SERVICE_INSTANCE(node);
            next = node->next;
            if (instance->is_vanished && !instance_is_connected(instance)) {
                s_remove_instance(instance);
            } else if (instance->is_restart_wanted) {
                instance->is_restart_wanted = false;
                instance_restart(instance);
                next = list->next; /* the lost calls' new choices have moved others */
            }
        }
    }
}

static void s_want_sweep(services_t *self)
{
    if (self->is_sweeping)
        return;
    self->is_sweeping = true;
    loop_defer(self->loop, s_sweep, self);
}

static void s_on_lost(instance_t *instance)
{
    services_on_lost(instance);
    if (instance->is_vanished)
        s_want_sweep(instance->service->services);
}

static void s_on_refused(instance_t *instance)
{
    instance->is_restart_wanted = true;
    s_want_sweep(instance->service->services);
}

/* ---- host names ---- */

static instance_t *s_find_endpoint(service_t *service, const char *endpoint)
{
    FOR_EACH_INSTANCE(service, node)
    {
        if (strcmp(SERVICE_INSTANCE(node)->endpoint, endpoint) == 0)
            return SERVICE_INSTANCE(node);
    }
    return NULL;
}

static void s_log_source(source_t *self, const char *failure)
{
    bool has_failed = failure != NULL;
    if (has_failed && !self->has_failed)
        log_warn("host of a service cannot be looked up", log_str("service", self->service->name),
                 log_str("host", self->host), log_str("reason", failure), LOG_END);
    self->has_failed = has_failed;
}

static void
s_on_addresses(void *arg, const char *const *addresses, size_t count, const char *failure)
{
    source_t *self = arg;
    service_t *service = self->service;
    s_log_source(self, failure);
    if (failure != NULL)
        return;
    FOR_EACH_INSTANCE(service, node)
    {
        if (SERVICE_INSTANCE(node)->source == self)
            SERVICE_INSTANCE(node)->is_vanished = true;
    }
    for (size_t i = 0; i < count; i++) {
        err_t err = ERR_INIT;
        char endpoint[SERVICE_ENDPOINT_SIZE];
        service_endpoint_join(endpoint, addresses[i], self->port);
        instance_t *instance = s_find_endpoint(service, endpoint);
        if (instance != NULL)
            instance->is_vanished = false;
        else if (s_add_instance(service, self, endpoint, &err) != ERR_OK)
            log_error("service cannot be reached", log_str("service", service->name),
                      log_str("endpoint", endpoint), log_str("reason", err.text), LOG_END);
    }
    s_want_sweep(service->services);
}

/* ---- making ---- */

static metric_t *s_metric(metric_t *(*make)(const char *, const char *, const char *),
                          const service_t *service,
                          const char *name,
                          const char *help)
{
    buffer_t labels = BUFFER_INIT(1024);
    metrics_label(&labels, "service", service->name, strlen(service->name));
    buffer_put_char(&labels, '\0');
    metric_t *metric = make(name, help, labels.data);
    buffer_free(&labels);
    return metric;
}

static service_t *s_add_service(services_t *self, const char *name)
{
    service_t *service = services_find(self, name);
    if (service != NULL)
        return service;
    service = &self->list[self->count++];
    service->services = self;
    snprintf(service->name, sizeof service->name, "%s", name);
    list_init(&service->instances);
    list_init(&service->waiting);
    service->up_gauge = s_metric(metrics_gauge, service, "parley_bus_instances_up",
                                 "Instances that take calls and send events");
    service->known_gauge = s_metric(metrics_gauge, service, "parley_bus_instances",
                                    "Instances that are configured or found by name");
    service->in_flight_gauge =
        s_metric(metrics_gauge, service, "parley_bus_in_flight", "Calls without an answer");
    service->retries = s_metric(metrics_counter, service, "parley_bus_retries_total",
                                "Calls sent again after their instance was lost");
    return service;
}

/* The keys of a host name's instances are needed only when it is found: miss them at the start. */
static err_code_t s_check_keys(const services_t *self, const char *name, err_t *err)
{
    char path[512];
    if (self->security.plain_tcp)
        return ERR_OK;
    if (self->keys_dir == NULL)
        return err_set(err, ERR_CONFIG,
                       "the bus over tcp needs --keys (or, without encryption, --plain-tcp)");
    snprintf(path, sizeof path, "%s/%s.key", self->keys_dir, self->security.own);
    if (access(path, R_OK) == 0)
        snprintf(path, sizeof path, "%s/services/%s.pub", self->keys_dir, name);
    if (access(path, R_OK) != 0)
        return err_set(err, ERR_CONFIG, "cannot read the bus key %s", path);
    return ERR_OK;
}

static err_code_t s_add_source(services_t *self, const service_entry_t *entry, err_t *err)
{
    if (s_check_keys(self, entry->name, err) != ERR_OK)
        return ERR_CONFIG;
    source_t *source = &self->sources[self->source_count++];
    source->service = services_find(self, entry->name);
    snprintf(source->host, sizeof source->host, "%s", entry->host);
    snprintf(source->port, sizeof source->port, "%s", entry->port);
    source->resolver = resolver_new(self->loop, entry->host, s_on_addresses, source);
    return ERR_OK;
}

static err_code_t s_open(services_t *self, const char *list, err_t *err)
{
    service_entry_t *entries;
    size_t count;
    err_code_t code = service_list_read(list, &entries, &count, err);
    if (code != ERR_OK)
        return code;
    self->list = calloc(count + 1, sizeof self->list[0]);
    self->sources = calloc(count + 1, sizeof self->sources[0]);
    if (self->list == NULL || self->sources == NULL)
        abort();
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        service_t *service = s_add_service(self, entries[i].name);
        code = entries[i].is_host_name ? s_add_source(self, &entries[i], err)
                                       : s_add_instance(service, NULL, entries[i].endpoint, err);
    }
    free(entries);
    return code;
}

static void s_on_tick(void *arg)
{
    services_t *self = arg;
    for (size_t i = 0; i < self->count; i++)
        services_reselect(&self->list[i]);
}

services_t *services_new(const services_options_t *options, err_t *err)
{
    services_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    const bus_security_t *security = &options->security;
    self->loop = options->loop;
    self->gateway_id = strdup(options->gateway_id != NULL ? options->gateway_id : "gateway");
    self->keys_dir = security->keys_dir != NULL ? strdup(security->keys_dir) : NULL;
    self->security = (bus_security_t){
        .keys_dir = self->keys_dir, .own = "gateway", .plain_tcp = security->plain_tcp};
    self->max_in_flight = options->max_in_flight > 0 ? options->max_in_flight : 20000;
    self->accept = options->accept;
    self->accept_arg = options->accept_arg;
    self->instance_options = (instance_options_t){.loop = self->loop,
                                                  .security = &self->security,
                                                  .vtable = &s_vtable,
                                                  .gateway_id = self->gateway_id};
    self->generation = 1;
    self->timer = loop_timer_new(self->loop, s_on_tick, self);
    services_calls_open(self);
    if (s_open(self, options->list != NULL ? options->list : "", err) != ERR_OK) {
        services_destroy(&self);
        return NULL;
    }
    loop_timer_start(self->timer, TICK_MS, TICK_MS);
    return self;
}

static void s_close_service(service_t *service)
{
    for (list_node_t *node; (node = list_first(&service->instances)) != NULL;) {
        instance_t *instance = SERVICE_INSTANCE(node);
        list_remove(node);
        instance_destroy(&instance);
    }
    topic_t *topic, *next;
    HASH_ITER(hh, service->topics, topic, next)
    {
        HASH_DEL(service->topics, topic);
        free(topic);
    }
    manifest_unref(&service->active);
}

void services_destroy(services_t **self_p)
{
    services_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_sweep, self);
    loop_timer_destroy(&self->timer);
    for (size_t i = 0; i < self->source_count; i++)
        resolver_destroy(&self->sources[i].resolver);
    for (size_t i = 0; i < self->count; i++)
        s_close_service(&self->list[i]);
    services_calls_close(self);
    free(self->sources);
    free(self->list);
    free(self->gateway_id);
    free(self->keys_dir);
    free(self);
}

void services_listen(services_t *self, const services_listener_t *listener, void *arg)
{
    assert(self->listener_count < LISTENERS_MAX);
    self->listeners[self->listener_count].fn = *listener;
    self->listeners[self->listener_count].arg = arg;
    self->listener_count++;
}

/* ---- looking ---- */

bool services_are_ready(const services_t *self, char *reason, size_t size)
{
    for (size_t i = 0; i < self->count; i++) {
        service_t *service = &self->list[i];
        bool is_ready = false;
        FOR_EACH_INSTANCE(service, node)
        {
            is_ready = is_ready || instance_is_callable(SERVICE_INSTANCE(node));
        }
        if (!is_ready || service->active == NULL) {
            snprintf(reason, size, "service %s is away", service->name);
            return false;
        }
    }
    return true;
}

bool services_are_announced(const services_t *self)
{
    return services_count(self) == self->count;
}

size_t services_count(const services_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += self->list[i].active != NULL;
    return count;
}

const service_manifest_t *services_manifest(const services_t *self, size_t index)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i].active != NULL && index-- == 0)
            return &self->list[i].view;
    return NULL;
}

/* ---- events ---- */

static void s_set_topic(service_t *service, const char *stream, bool subscribe)
{
    FOR_EACH_INSTANCE(service, node)
    {
        instance_topic(SERVICE_INSTANCE(node), stream, subscribe);
    }
}

void services_subscribe(services_t *self, const char *service_name, const char *stream)
{
    service_t *service = services_find(self, service_name);
    if (service == NULL)
        return;
    topic_t *topic = NULL;
    HASH_FIND_STR(service->topics, stream, topic);
    if (topic != NULL) {
        topic->uses++;
        return;
    }
    size_t size = strlen(stream) + 1;
    topic = calloc(1, sizeof *topic + size);
    if (topic == NULL)
        abort();
    topic->uses = 1;
    memcpy(topic->stream, stream, size);
    HASH_ADD_STR(service->topics, stream, topic);
    s_set_topic(service, stream, true);
}

void services_unsubscribe(services_t *self, const char *service_name, const char *stream)
{
    service_t *service = services_find(self, service_name);
    topic_t *topic = NULL;
    if (service != NULL)
        HASH_FIND_STR(service->topics, stream, topic);
    if (topic == NULL || --topic->uses > 0)
        return;
    s_set_topic(service, stream, false);
    HASH_DEL(service->topics, topic);
    free(topic);
}

static instance_t *s_find_instance(services_t *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++)
        FOR_EACH_INSTANCE(&self->list[i], node)
        {
            if (SERVICE_INSTANCE(node)->id == id)
                return SERVICE_INSTANCE(node);
        }
    return NULL;
}

void services_poke(services_t *self, uint32_t id, const char *stream)
{
    instance_t *instance = s_find_instance(self, id);
    topic_t *topic = NULL;
    if (instance != NULL)
        HASH_FIND_STR(instance->service->topics, stream, topic);
    if (topic == NULL)
        return;
    instance_topic(instance, stream, true);
    instance_topic(instance, stream, false); /* SUB counts: the first one stays */
}

size_t services_instances(const services_t *self, const char *name, uint32_t *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        service_t *service = &self->list[i];
        if (strcmp(service->name, name) != 0)
            continue;
        FOR_EACH_INSTANCE(service, node)
        {
            if (SERVICE_INSTANCE(node)->was_up && count < max)
                out[count++] = SERVICE_INSTANCE(node)->id;
        }
    }
    return count;
}

void services_reconnect(services_t *self, uint32_t id)
{
    instance_t *instance = s_find_instance(self, id);
    if (instance == NULL)
        return;
    instance->is_restart_wanted = true;
    s_want_sweep(self);
}
