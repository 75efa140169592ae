#include "fake_bus.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- services ---- */

struct service_call {
    fake_call_t *call;
};

fake_call_t fake_calls[FAKE_CALLS_MAX];
size_t fake_call_count;
size_t fake_cancelled;
static service_call_t s_handles[FAKE_CALLS_MAX];

void fake_bus_reset(void)
{
    memset(fake_calls, 0, sizeof fake_calls);
    memset(fake_subscribers, 0, sizeof fake_subscribers);
    fake_call_count = fake_cancelled = fake_subscriber_count = 0;
    fake_manifest = NULL;
}

static void s_copy(char *out, size_t size, json_slice_t text)
{
    snprintf(out, size, "%.*s", (int)text.size, text.data ? text.data : "");
}

service_call_t *
services_call(services_t *self, const service_request_t *request, service_answer_fn fn, void *arg)
{
    (void)self;
    assert(fake_call_count < FAKE_CALLS_MAX);
    fake_call_t *call = &fake_calls[fake_call_count];
    service_call_t *handle = &s_handles[fake_call_count++];
    snprintf(call->field, sizeof call->field, "%s", request->field);
    s_copy(call->args, sizeof call->args, request->args);
    s_copy(call->identity, sizeof call->identity, request->identity);
    s_copy(call->resume, sizeof call->resume, request->resume);
    call->deadline_ms = request->deadline_ms;
    call->fn = fn;
    call->arg = arg;
    call->open = true;
    handle->call = call;
    return handle;
}

void service_call_cancel(service_call_t **call_p)
{
    if (!*call_p)
        return;
    assert((*call_p)->call->open);
    (*call_p)->call->open = false;
    fake_cancelled++;
    *call_p = NULL;
}

const service_manifest_t *fake_manifest;

size_t services_count(const services_t *self)
{
    (void)self;
    return fake_manifest ? 1 : 0;
}

const service_manifest_t *services_manifest(const services_t *self, size_t index)
{
    (void)self;
    (void)index;
    return fake_manifest;
}

static void s_answer(const char *field, const service_answer_t *answer)
{
    for (size_t i = 0; i < fake_call_count; i++) {
        fake_call_t *call = &fake_calls[i];
        if (!call->open || strcmp(call->field, field) != 0)
            continue;
        call->open = false;
        call->fn(call->arg, answer);
        return;
    }
    assert(false && "nobody asked");
}

void fake_answer(const char *field, const char *json)
{
    service_answer_t answer = {.ok = true, .json = {.data = json, .size = strlen(json)}};
    s_answer(field, &answer);
}

void fake_reject_with(const char *field,
                      const char *code,
                      const char *message,
                      const char *extensions)
{
    service_answer_t answer = {.code = code,
                               .message = message,
                               .extensions = {.data = extensions, .size = strlen(extensions)}};
    s_answer(field, &answer);
}

void fake_reject(const char *field, const char *code, const char *message)
{
    fake_reject_with(field, code, message, "");
}

/* ---- feed ---- */

struct subscriber {
    size_t index;
    gql_execution_t *execution;
    subscriber_vtable_t vtable;
    void *arg;
    unsigned published, taken;
    bool waiting; /* it was told, and has not taken all */
    bool active;
    shared_bytes_t *bytes; /* of the last item */
    char cursor[35];
};

const feed_limits_t FEED_LIMITS_DEFAULT = {0};
subscriber_t *fake_subscribers[FAKE_SUBSCRIBERS_MAX];
size_t fake_subscriber_count;
unsigned fake_repeats;

err_code_t
feed_read_source(arena_t *arena, json_slice_t answer, feed_subscription_t *out, err_t *err)
{
    json_slice_t stream;
    *out = (feed_subscription_t){.epoch = "00c0ffee00c0ffee"};
    if (!json_get(answer, "stream", &stream))
        return err_set(err, ERR_INTERNAL, "the service named no stream");
    out->stream = json_string_decode(arena, stream, NULL);
    return ERR_OK;
}

subscriber_t *feed_subscribe(feed_t *self,
                             const feed_subscription_t *subscription,
                             gql_execution_t **execution_p,
                             const subscriber_vtable_t *vtable,
                             void *arg)
{
    (void)self;
    (void)subscription;
    assert(fake_subscriber_count < FAKE_SUBSCRIBERS_MAX);
    subscriber_t *subscriber = calloc(1, sizeof *subscriber);
    subscriber->index = fake_subscriber_count++;
    subscriber->execution = *execution_p;
    *execution_p = NULL;
    subscriber->vtable = *vtable;
    subscriber->arg = arg;
    fake_subscribers[subscriber->index] = subscriber;
    return subscriber;
}

void feed_unsubscribe(subscriber_t **self_p)
{
    subscriber_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    fake_subscribers[self->index] = NULL;
    gql_execution_destroy(&self->execution);
    shared_bytes_unref(&self->bytes);
    free(self);
}

bool subscriber_next(subscriber_t *self, feed_item_t *item)
{
    if (self->taken == self->published) {
        self->waiting = false;
        return false;
    }
    char text[64];
    int size = snprintf(text, sizeof text, "{\"data\":{\"n\":%u}}", ++self->taken);
    shared_bytes_unref(&self->bytes);
    self->bytes = shared_bytes_dup(text, (size_t)size);
    snprintf(self->cursor, sizeof self->cursor, "cursor-%u", self->taken);
    *item = (feed_item_t){.bytes = self->bytes, .seq = self->taken, .cursor = self->cursor};
    return true;
}

/* All subscribers are of one group, and get the same. */
void subscriber_begin_span(const subscriber_t *self, feed_span_t *span)
{
    *span = (feed_span_t){.group = fake_subscribers, .from = self->taken};
}

void subscriber_end_span(const subscriber_t *self, feed_span_t *span, size_t count, bool is_cut)
{
    (void)is_cut;
    span->to = self->taken;
    span->count = count;
    if (!count)
        span->group = NULL;
}

bool subscriber_repeat(subscriber_t *self, const feed_span_t *span, bool *is_all)
{
    if (self->taken != span->from || self->published < span->to)
        return false;
    self->taken = (unsigned)span->to;
    *is_all = self->taken == self->published;
    if (*is_all)
        self->waiting = false;
    fake_repeats++;
    return true;
}

size_t fake_subscribers_left(void)
{
    size_t count = 0;
    for (size_t i = 0; i < fake_subscriber_count; i++)
        count += fake_subscribers[i] != NULL;
    return count;
}

void fake_activate(subscriber_t *subscriber)
{
    subscriber->active = true;
    subscriber->vtable.on_active(subscriber->arg);
}

void fake_publish(subscriber_t *subscriber, unsigned count)
{
    subscriber->published += count;
    if (subscriber->waiting)
        return;
    subscriber->waiting = true;
    subscriber->vtable.on_ready(subscriber->arg);
}

void fake_end(subscriber_t *subscriber, err_code_t code, const char *message)
{
    subscriber_vtable_t vtable = subscriber->vtable;
    void *arg = subscriber->arg;
    feed_unsubscribe(&subscriber);
    vtable.on_end(arg, code, message);
}

unsigned fake_taken(const subscriber_t *subscriber)
{
    return subscriber->taken;
}
