#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/bus/services_internal.h"

/* Nobody announces the active manifest for so long: another one's turn. */
enum { ACTIVE_GONE_S = 3 };

/* The first time that this incarnation announces this manifest makes it the newest. */
static void s_order(services_t *self, instance_t *instance)
{
    const manifest_t *manifest = instance->manifest;
    if (instance->order != 0 &&
        strcmp(instance->order_incarnation, manifest_incarnation(manifest)) == 0 &&
        memcmp(instance->order_hash, manifest_hash(manifest), MANIFEST_HASH_SIZE) == 0)
        return;
    instance->order = ++self->last_order;
    instance->refused_at = 0;
    snprintf(instance->order_incarnation, sizeof instance->order_incarnation, "%s",
             manifest_incarnation(manifest));
    memcpy(instance->order_hash, manifest_hash(manifest), MANIFEST_HASH_SIZE);
}

static bool s_is_newest(const instance_t *instance)
{
    service_t *service = instance->service;
    FOR_EACH_INSTANCE(service, node)
    {
        const instance_t *other = SERVICE_INSTANCE(node);
        if (other->manifest != NULL && other->is_accepted && other->order > instance->order)
            return false;
    }
    return true;
}

/* May the manifest live beside those of the other services? */
static bool s_fits(instance_t *instance, err_t *err)
{
    service_t *service = instance->service;
    services_t *self = service->services;
    if (self->accept == NULL)
        return true;
    const service_manifest_t **set = calloc(self->count, sizeof set[0]);
    if (set == NULL)
        abort();
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (&self->list[i] == service)
            set[count++] = manifest_view(instance->manifest);
        else if (self->list[i].active != NULL)
            set[count++] = &self->list[i].view;
    }
    bool fits = self->accept(self->accept_arg, set, count, err);
    free(set);
    return fits;
}

static void s_activate(service_t *service, manifest_t *manifest)
{
    manifest_unref(&service->active);
    service->active = manifest_ref(manifest);
    service->active_gone_s = 0;
    log_info("manifest of a service is active", log_str("service", service->name),
             log_str("version", manifest_view(manifest)->version),
             log_str("instance", manifest_instance(manifest)), LOG_END);
}

/* Sets the view that others see; true if the epoch is another one than before. */
static bool s_update_view(service_t *service, const char *epoch)
{
    bool is_new = epoch != NULL && strcmp(epoch, service->epoch) != 0;
    if (is_new)
        snprintf(service->epoch, sizeof service->epoch, "%s", epoch);
    if (service->active != NULL) {
        service->view = *manifest_view(service->active);
        service->view.epoch = service->epoch[0] != '\0' ? service->epoch : NULL;
    }
    return is_new;
}

/* False: it collides with other services. Logged once for each set of manifests it collides with.
 */
static bool s_check(instance_t *instance)
{
    services_t *self = instance->service->services;
    err_t err = ERR_INIT;
    if (instance->refused_at == self->generation)
        return false;
    if (s_fits(instance, &err))
        return true;
    instance->refused_at = self->generation;
    log_error("manifest of a service is refused", log_str("service", instance->name),
              log_str("endpoint", instance->endpoint), log_str("reason", err.text), LOG_END);
    return false;
}

void services_on_manifest(instance_t *instance)
{
    service_t *service = instance->service;
    services_t *self = service->services;
    s_order(self, instance);
    bool is_active =
        service->active != NULL && manifest_is_same(service->active, instance->manifest);
    bool is_change = false;
    if (!is_active && s_is_newest(instance)) {
        instance->is_accepted = s_check(instance);
        is_change = instance->is_accepted;
        if (is_change)
            s_activate(service, instance->manifest);
    } else {
        instance->is_accepted = true; /* active, or older: for the fields that it has */
    }
    if (instance->is_accepted && s_update_view(service, manifest_view(instance->manifest)->epoch))
        is_change = true;
    if (is_change)
        services_tell_change(self);
}

void services_reselect(service_t *service)
{
    instance_t *newest = NULL;
    FOR_EACH_INSTANCE(service, node)
    {
        instance_t *instance = SERVICE_INSTANCE(node);
        if (instance->manifest == NULL || !instance->is_accepted)
            continue;
        if (service->active != NULL && manifest_is_same(service->active, instance->manifest)) {
            service->active_gone_s = 0;
            return;
        }
        if (newest == NULL || instance->order > newest->order)
            newest = instance;
    }
    if (newest == NULL || ++service->active_gone_s < ACTIVE_GONE_S || !s_check(newest))
        return;
    s_activate(service, newest->manifest);
    s_update_view(service, NULL);
    services_tell_change(service->services);
    services_dispatch_waiting(service);
}
