#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/feed/feed_internal.h"

enum { TRIMMED_BYTES = 16 * 1024 };

/* ---- waking ---- */

void group_wake_now(group_t *self)
{
    feed_t *feed = self->stream->feed;
    alarm_clear(feed->alarms, &self->rest);
    self->woken_us = clock_mono_us();
    self->woken_seq = ring_last(&self->stream->ring);
    feed_wake(feed, &self->waiting, false);
}

static void s_on_rested(void *arg)
{
    group_wake_now(arg);
}

/* How long it does not want to be woken again. */
static int64_t s_rest_ms(const group_t *self)
{
    const feed_limits_t *limits = &self->stream->feed->limits;
    uint64_t rest_ms = (uint64_t)self->uses * limits->rest_each_us / 1000;
    if (rest_ms < FEED_REST_LEAST_MS)
        return 0;
    return rest_ms < limits->rest_max_ms ? (int64_t)rest_ms : limits->rest_max_ms;
}

void group_wake(group_t *self, const event_t *event)
{
    if (list_is_empty(&self->waiting))
        return;
    int64_t left_ms = s_rest_ms(self);
    if (left_ms > 0)
        left_ms -= (clock_mono_us() - self->woken_us) / 1000;
    if (left_ms <= 0 || event->seq >= self->woken_seq + FEED_REST_EVENTS)
        group_wake_now(self);
    else if (!alarm_is_set(&self->rest))
        alarm_set(self->stream->feed->alarms, &self->rest, left_ms);
}

/* ---- life ---- */

static uint32_t s_free_index(stream_t *stream)
{
    for (uint32_t i = 0; i < stream->index_capacity; i++)
        if (stream->by_index[i] == NULL)
            return i;
    uint32_t index = stream->index_capacity;
    stream->index_capacity = index > 0 ? index * 2 : 1;
    stream->by_index = realloc(stream->by_index, stream->index_capacity * sizeof(group_t *));
    if (stream->by_index == NULL)
        abort();
    for (uint32_t i = index; i < stream->index_capacity; i++)
        stream->by_index[i] = NULL;
    return index;
}

static group_t *
s_new(stream_t *stream, const char *key, gql_execution_t *execution, json_slice_t identity)
{
    size_t size = strlen(key) + 1;
    group_t *self = calloc(1, sizeof *self + size);
    if (self == NULL)
        abort();
    self->stream = stream;
    self->execution = execution;
    list_init(&self->waiting);
    alarm_init(&self->rest, s_on_rested, self);
    /* What left the ring before the group was there it may have taken. */
    self->last_taken_gone = stream->ring.first - 1;
    self->index = s_free_index(stream);
    stream->by_index[self->index] = self;
    memcpy(self->key, key, size);
    HASH_ADD_STR(stream->groups, key, self);
    stream->feed->counts.groups++;
    metric_add(stream->feed->metrics.groups, 1);
    stream_use(stream);
    if (gql_execution_event_needs_calls(execution))
        self->rendering = rendering_new(self, identity);
    return self;
}

/* What services answer may depend on who asks. */
static char *s_key(const feed_subscription_t *who, const gql_execution_t *execution)
{
    const char *execution_key = gql_execution_group_key(execution);
    const char *rights = who->rights != NULL ? who->rights : "";
    size_t identity_size = gql_execution_event_needs_calls(execution) ? who->identity.size : 0;
    size_t rights_size = strlen(rights);
    buffer_t key = BUFFER_INIT(SIZE_MAX);
    buffer_reserve(&key, strlen(execution_key) + rights_size + identity_size + 64);
    buffer_put_uint(&key, rights_size);
    buffer_put_char(&key, ' ');
    buffer_put_uint(&key, identity_size);
    buffer_put_char(&key, ' ');
    buffer_put(&key, rights, rights_size);
    buffer_put(&key, who->identity.data, identity_size);
    buffer_put(&key, execution_key, strlen(execution_key) + 1);
    if (key.failed)
        abort();
    return key.data;
}

group_t *group_get(stream_t *stream, const feed_subscription_t *who, gql_execution_t **execution_p)
{
    char *key = s_key(who, *execution_p);
    group_t *self = NULL;
    HASH_FIND_STR(stream->groups, key, self);
    if (self != NULL)
        gql_execution_destroy(execution_p);
    else
        self = s_new(stream, key, *execution_p, who->identity);
    *execution_p = NULL;
    free(key);
    self->uses++;
    return self;
}

void group_forget_rendered(group_t *self)
{
    stream_t *stream = self->stream;
    for (uint64_t seq = stream->ring.first; seq <= ring_last(&stream->ring); seq++)
        stream->rendered_bytes -=
            event_drop_rendered(ring_at(&stream->ring, seq), self->index, &stream->feed->graves);
    pages_drop_group(stream, self->index);
}

void group_unuse(group_t *self)
{
    stream_t *stream = self->stream;
    assert(self->uses > 0);
    if (--self->uses > 0)
        return;
    assert(list_is_empty(&self->waiting));
    alarm_clear(stream->feed->alarms, &self->rest);
    rendering_destroy(&self->rendering);
    group_forget_rendered(self);
    HASH_DEL(stream->groups, self);
    stream->by_index[self->index] = NULL;
    gql_execution_destroy(&self->execution);
    stream->feed->counts.groups--;
    metric_add(stream->feed->metrics.groups, -1);
    free(self);
    stream_unuse(stream);
}

/* ---- rendering ---- */

bool group_takes(const group_t *self, const event_t *event)
{
    return gql_execution_takes(self->execution, event->text, event->type_size);
}

/* What is too large to be sent is told as such, in its place. */
static void s_render_too_large(buffer_t *out, const event_t *event)
{
    buffer_clear(out);
    buffer_printf(out,
                  "{\"data\":null,\"errors\":[{\"message\":\"the event is larger than the limit of "
                  "%zu bytes\",\"extensions\":{\"code\":\"LIMIT_EXCEEDED\"}}],"
                  "\"extensions\":{\"cursor\":\"%s\"}}",
                  out->limit, event->cursor);
}

bool group_has_rendered(const group_t *self, const event_t *event)
{
    const rendering_t *rendering = self->rendering;
    return rendering == NULL || event_rendered(event, self->index) != NULL ||
           (rendering->last != NULL && rendering->last_seq == event->seq);
}

/* Keeps what was rendered at its event; page is where that lies (NULL: in the ring). Borrowed. */
static shared_bytes_t *s_keep(group_t *self, event_t *event, page_t *page, const buffer_t *text)
{
    shared_bytes_t *bytes = shared_bytes_dup(text->data, text->size);
    shared_bytes_t *kept = bytes;
    size_t size = event_set_rendered(event, self->index, &kept);
    if (page != NULL)
        pages_account(page, size);
    else
        stream_account(self->stream, event, self->index, size);
    return bytes;
}

shared_bytes_t *group_keep_rendered(group_t *self, uint64_t seq, const buffer_t *text)
{
    page_t *page;
    event_t *event = stream_event(self->stream, seq, &page);
    metric_inc(self->stream->feed->metrics.renders);
    if (event == NULL || event_rendered(event, self->index) != NULL)
        return shared_bytes_dup(text->data, text->size);
    return shared_bytes_ref(s_keep(self, event, page, text));
}

/* What services gave for it: at the event, or, if it was pushed out, what waits to be taken. */
static shared_bytes_t *s_take_rendered(group_t *self, const event_t *event)
{
    rendering_t *rendering = self->rendering;
    shared_bytes_t *bytes = event_rendered(event, self->index);
    if (rendering == NULL || rendering->last_seq != event->seq)
        return bytes;
    if (bytes == NULL)
        bytes = rendering->last;
    graves_bury_bytes(&self->stream->feed->graves, &rendering->last);
    return bytes;
}

shared_bytes_t *group_render(group_t *self, event_t *event, page_t *page)
{
    shared_bytes_t *bytes = s_take_rendered(self, event);
    if (bytes != NULL)
        return bytes;
    assert(self->rendering == NULL);
    buffer_t *out = &self->stream->feed->rendering;
    buffer_clear(out);
    gql_execution_render(self->execution, event_payload(event), event->payload_size, event->cursor,
                         out);
    if (out->failed || out->size == 0)
        s_render_too_large(out, event);
    if (out->size > TRIMMED_BYTES)
        gql_execution_trim(
            self->execution); /* not each group shall keep room for its largest event */
    metric_inc(self->stream->feed->metrics.renders);
    return s_keep(self, event, page, out);
}
