#include "gateway/feed/feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/clock.h"
#include "gateway/feed/feed_internal.h"

const feed_limits_t FEED_LIMITS_DEFAULT = {.ring_events = 1024,
                                           .ring_bytes = 4 * 1024 * 1024,
                                           .rings_bytes = 256 * 1024 * 1024,
                                           .slice = 256,
                                           .rest_each_us = 100,
                                           .rest_max_ms = 100,
                                           .idle_ms = 30000,
                                           .call_ms = 10000};

enum { RENDERED_MAX = 17 * 1024 * 1024 };

#define SEQ_MAX ((uint64_t)1 << 53)

/* ---- turns ---- */

/* One slice; the loop looks at its sockets before the next one. */
static void s_on_idle(void *arg)
{
    feed_t *self = arg;
    for (uint32_t i = 0; i < self->limits.slice; i++) {
        list_node_t *node = list_first(&self->ready);
        if (node == NULL)
            break;
        subscriber_visit(LIST_ITEM(node, subscriber_t, node));
    }
    if (list_is_empty(&self->ready))
        feed_idle_stop(self->idle);
}

void feed_wake(feed_t *self, list_t *list, bool front)
{
    if (list_is_empty(list))
        return;
    if (front)
        list_splice_front(&self->ready, list);
    else
        list_splice(&self->ready, list);
    feed_idle_start(self->idle);
}

void feed_wake_one(subscriber_t *subscriber)
{
    feed_t *self = subscriber->group->stream->feed;
    list_append(&self->ready, &subscriber->node);
    feed_idle_start(self->idle);
}

/* ---- what the bus says ---- */

/* The second HEADS after a loss. */
static void s_on_settle(void *arg)
{
    feed_service_t *service = arg;
    for (stream_t *stream = service->feed->streams; stream != NULL; stream = stream->hh.next)
        if (stream->service == service)
            heads_want(stream, true);
}

feed_service_t *feed_service(feed_t *self, const char *name)
{
    for (feed_service_t *service = self->service_list; service != NULL; service = service->next)
        if (strcmp(service->name, name) == 0)
            return service;
    size_t size = strlen(name) + 1;
    feed_service_t *service = calloc(1, sizeof *service + size);
    if (service == NULL)
        abort();
    memcpy(service->name, name, size);
    service->feed = self;
    alarm_init(&service->settle, s_on_settle, service);
    replays_open(&service->replays, self);
    list_init(&service->render_queue);
    service->up_count = services_instances(self->services, name, service->up, FEED_INSTANCES_MAX);
    service->next = self->service_list;
    self->service_list = service;
    return service;
}

static void s_on_event(void *arg, const service_event_t *event)
{
    feed_t *self = arg;
    stream_t *stream = stream_find(self, event->service, event->stream);
    if (stream != NULL)
        stream_on_event(stream, event);
}

static void s_on_instance(void *arg, const char *name, uint32_t instance, bool up)
{
    feed_t *self = arg;
    feed_service_t *service = feed_service(self, name);
    service->up_count = services_instances(self->services, name, service->up, FEED_INSTANCES_MAX);
    for (stream_t *stream = self->streams; stream != NULL; stream = stream->hh.next)
        if (stream->service == service)
            stream_on_instance(stream, instance, up);
    if (!up) {
        starts_forget_instance(service, instance);
        alarm_set(self->alarms, &service->settle, FEED_SETTLE_MS);
    }
}

/* An instance may announce a new epoch before it publishes anything. */
static void s_on_change(void *arg)
{
    feed_t *self = arg;
    for (size_t i = 0; i < services_count(self->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->services, i);
        stream_t *stream, *next;
        HASH_ITER(hh, self->streams, stream, next)
        {
            if (manifest->epoch != NULL && stream->has_epoch &&
                strcmp(stream->service->name, manifest->name) == 0)
                stream_match_epoch(stream, manifest->epoch);
        }
    }
}

/* ---- life ---- */

static metric_t *s_counter(const char *name, const char *help)
{
    return metrics_counter(name, help, NULL);
}

static void s_open_metrics(feed_t *self)
{
    self->metrics.deliveries =
        s_counter("parley_feed_deliveries_total", "Events taken by subscribers");
    self->metrics.renders =
        s_counter("parley_feed_renders_total", "Events rendered, once for each group");
    self->metrics.events = s_counter("parley_feed_events_total", "Events of streams in use");
    self->metrics.repeated =
        s_counter("parley_feed_repeated_events_total", "Events that were there already");
    self->metrics.gaps_found =
        s_counter("parley_feed_gaps_found_total", "Holes that did not close by themselves");
    self->metrics.gaps_filled =
        s_counter("parley_feed_gaps_filled_total", "Holes filled by REPLAY");
    self->metrics.pokes =
        s_counter("parley_feed_pokes_total", "Subscriptions repeated to get a head");
    self->metrics.reconnects = s_counter("parley_feed_forced_reconnects_total",
                                         "Connections made anew because no head came");
    self->metrics.went_back =
        s_counter("parley_feed_logs_gone_back_total", "Streams whose log lost its end");
    self->metrics.expired =
        s_counter("parley_feed_streams_expired_total", "Streams that ended with CURSOR_EXPIRED");
    self->metrics.ended =
        s_counter("parley_feed_ended_total", "Subscriptions ended by the gateway");
    self->metrics.streams = metrics_gauge("parley_feed_streams", "Streams with a ring", NULL);
    self->metrics.groups =
        metrics_gauge("parley_feed_groups", "Groups for which an event is rendered once", NULL);
    self->metrics.subscribers = metrics_gauge("parley_feed_subscribers", "Subscriptions", NULL);
    self->metrics.catching_up =
        metrics_gauge("parley_feed_catching_up", "Subscriptions that wait for older events", NULL);
    self->metrics.rendering = metrics_gauge(
        "parley_feed_rendering", "Events whose rendering waits for calls to services", NULL);
}

feed_t *feed_new(loop_t *loop, services_t *services, const feed_limits_t *limits)
{
    feed_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->loop = loop;
    self->services = services;
    self->limits = limits != NULL ? *limits : FEED_LIMITS_DEFAULT;
    list_init(&self->ready);
    list_init(&self->pages);
    self->idle = feed_idle_new(loop, s_on_idle, self);
    self->alarms = alarms_new(loop);
    alarm_init(&self->pages_alarm, pages_sweep, self);
    self->rendering = (buffer_t)BUFFER_INIT(RENDERED_MAX);
    graves_init(&self->graves, loop);
    heads_open(&self->heads, self);
    s_open_metrics(self);
    static const services_listener_t listener = {
        .on_change = s_on_change, .on_event = s_on_event, .on_instance = s_on_instance};
    services_listen(services, &listener, self);
    return self;
}

void feed_destroy(feed_t **self_p)
{
    feed_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    assert(self->counts.subscribers == 0); /* each was unsubscribed by its owner */
    stream_t *stream, *next;
    HASH_ITER(hh, self->streams, stream, next)
    {
        pages_close(stream); /* seeks hold groups */
        stream_destroy(&stream);
    }
    heads_close(&self->heads);
    while (self->service_list != NULL) {
        feed_service_t *service = self->service_list;
        self->service_list = service->next;
        alarm_clear(self->alarms, &service->settle);
        replays_close(&service->replays);
        free(service);
    }
    alarm_clear(self->alarms, &self->pages_alarm);
    alarms_destroy(&self->alarms);
    feed_idle_destroy(&self->idle);
    graves_empty(&self->graves);
    buffer_free(&self->rendering);
    free(self);
}

/* ---- subscribing ---- */

static err_code_t s_read_start(json_slice_t start, feed_subscription_t *out)
{
    json_slice_t value;
    out->start = FEED_START_LIVE;
    out->start_value = 0;
    if (start.size == 0 || json_kind(start) == JSON_NULL_VALUE ||
        (start.size == 6 && memcmp(start.data, "\"live\"", 6) == 0))
        return ERR_OK;
    if (json_kind(start) != JSON_MAP)
        return ERR_INTERNAL;
    if (json_get(start, "after", &value))
        out->start = FEED_START_AFTER;
    else if (json_get(start, "last", &value))
        out->start = FEED_START_LAST;
    else
        return ERR_INTERNAL;
    bool is_count = json_to_uint64(value, &out->start_value);
    return is_count && out->start_value <= SEQ_MAX ? ERR_OK : ERR_INTERNAL;
}

/* The members of the answer as they stand in the text; empty if absent. */
typedef struct {
    json_slice_t stream, epoch, start, head;
} source_members_t;

static source_members_t s_read_members(json_slice_t answer)
{
    source_members_t found = {0};
    json_slice_t key, value, map = json_trim(answer);
    if (json_kind(map) != JSON_MAP)
        return found;
    for (json_walk_t walk = json_walk(map); json_walk_member(&walk, &key, &value);) {
        if (json_key_is(key, "stream", 6))
            found.stream = value;
        else if (json_key_is(key, "epoch", 5))
            found.epoch = value;
        else if (json_key_is(key, "start", 5))
            found.start = value;
        else if (json_key_is(key, "head", 4))
            found.head = value;
    }
    return found;
}

err_code_t
feed_read_source(arena_t *arena, json_slice_t answer, feed_subscription_t *out, err_t *err)
{
    size_t size = 0;
    cursor_base_t base;
    if (!json_validate(answer.data, answer.size, BUS_BODY_DEPTH_MAX, NULL))
        return err_set(err, ERR_INTERNAL, "the service's answer is no JSON");
    source_members_t source = s_read_members(answer);
    if (source.stream.size == 0)
        return err_set(err, ERR_INTERNAL, "the service named no stream");
    out->stream = json_string_decode(arena, source.stream, &size);
    if (out->stream == NULL || size == 0 || size > BUS_STREAM_MAX || strlen(out->stream) != size)
        return err_set(err, ERR_INTERNAL, "the service named no valid stream");
    if (source.epoch.size == 0)
        return err_set(err, ERR_INTERNAL, "the service named no epoch");
    out->epoch = json_string_decode(arena, source.epoch, NULL);
    if (out->epoch == NULL || cursor_base(&base, out->epoch, out->stream, size) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "the service named no valid epoch");
    if (s_read_start(source.start, out) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "the service named no valid start");
    out->has_head = source.head.size > 0 && json_kind(source.head) != JSON_NULL_VALUE;
    out->head = 0;
    if (out->has_head && (!json_to_uint64(source.head, &out->head) || out->head > SEQ_MAX))
        return err_set(err, ERR_INTERNAL, "the service named no valid head");
    return ERR_OK;
}

/* The stream to be subscribed to. *is_stale: the subscription is of an epoch that is over. *is_new:
 * its heads are read from now on. */
static stream_t *
s_get_stream(feed_t *self, const feed_subscription_t *subscription, bool *is_stale, bool *is_new)
{
    stream_t *stream = stream_find(self, subscription->service, subscription->stream);
    *is_stale = *is_new = false;
    if (stream != NULL) {
        epoch_match_t match = stream_match_epoch(stream, subscription->epoch);
        *is_stale = match == EPOCH_STALE;
        if (match != EPOCH_NEW)
            return stream;
    }
    stream = stream_new(self, subscription->service, subscription->stream);
    stream_match_epoch(stream, subscription->epoch);
    *is_new = true;
    return stream;
}

/* Where it begins, as far as that is known already (proto/bus.md 4.4). */
static void s_set_start(subscriber_t *self, const feed_subscription_t *subscription, bool is_new)
{
    bool is_live = subscription->start == FEED_START_LIVE ||
                   (subscription->start == FEED_START_LAST && subscription->start_value == 0);
    self->start = (uint8_t)subscription->start;
    self->cursor = subscription->start_value;
    self->granted = subscription->has_head ? subscription->head : 0;
    if (subscription->has_head && is_live) {
        self->start = FEED_START_AFTER;
        self->cursor = subscription->head;
    }
    self->is_bounded = subscription->has_head;
    self->needs_head = !subscription->has_head && !is_new && self->start != FEED_START_AFTER;
}

static uint64_t s_hash(const char *name)
{
    return name != NULL ? identity_hash(name, strlen(name)) : 0;
}

subscriber_t *feed_subscribe(feed_t *self,
                             const feed_subscription_t *subscription,
                             gql_execution_t **execution_p,
                             const subscriber_vtable_t *vtable,
                             void *arg)
{
    bool is_stale, is_new;
    stream_t *stream = s_get_stream(self, subscription, &is_stale, &is_new);
    subscriber_t *subscriber = subscriber_new();
    subscriber->group = group_get(stream, subscription, execution_p);
    subscriber->vtable = vtable;
    subscriber->arg = arg;
    s_set_start(subscriber, subscription, is_new);
    subscriber->handle = s_hash(subscription->handle);
    subscriber->sub = s_hash(subscription->sub);
    if (is_stale)
        subscriber->end = END_EXPIRED;
    else if (subscription->has_head)
        stream_raise_head(stream, subscription->head);
    self->counts.subscribers++;
    metric_add(self->metrics.subscribers, 1);
    feed_wake_one(subscriber);
    return subscriber;
}

feed_counts_t feed_counts(const feed_t *self)
{
    return self->counts;
}
