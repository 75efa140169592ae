#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/clock.h"
#include "gateway/feed/feed_internal.h"

enum { ARENA_BYTES = BUS_BODY_MAX };

/* One HEADS request. Streams that end meanwhile leave a NULL. */
struct heads_call {
    list_node_t node;
    heads_t *heads;
    service_call_t *call;
    bool is_settled;
    size_t count;
    stream_t *streams[BUS_HEADS_MAX];
    uint64_t known[BUS_HEADS_MAX]; /* each one's head when it was asked */
};

static void s_send(void *arg);

static stream_t *s_stream_of(list_node_t *ticket_node)
{
    return LIST_ITEM(LIST_ITEM(ticket_node, heads_ticket_t, node), stream_t, heads);
}

void heads_open(heads_t *self, feed_t *feed)
{
    self->feed = feed;
    list_init(&self->wanted);
    list_init(&self->calls);
    self->arena = arena_new(ARENA_BYTES);
    self->asked = metrics_counter("parley_feed_heads_total", "HEADS requests", "outcome=\"ok\"");
    self->failed =
        metrics_counter("parley_feed_heads_total", "HEADS requests", "outcome=\"failed\"");
}

void heads_close(heads_t *self)
{
    loop_defer_cancel(self->feed->loop, s_send, self);
    for (list_node_t *node; (node = list_first(&self->calls)) != NULL;) {
        heads_call_t *call = LIST_ITEM(node, heads_call_t, node);
        list_remove(node);
        service_call_cancel(&call->call);
        free(call);
    }
    arena_destroy(&self->arena);
}

/* ---- answers ---- */

static void s_on_retry(void *arg)
{
    stream_t *stream = arg;
    heads_want(stream, stream->heads.is_settled);
}

/* The stream's answer is there (or never comes): it may ask again. */
static void s_release(stream_t *stream)
{
    heads_ticket_t *ticket = &stream->heads;
    bool is_wanted = ticket->state == HEADS_ASKED_AND_WANTED;
    ticket->state = HEADS_NONE;
    ticket->call = NULL;
    if (is_wanted)
        heads_want(stream, ticket->is_settled);
}

/* The stream has no answer: it asks again later. */
static void s_retry(const heads_call_t *call, stream_t *stream)
{
    stream->heads.state = HEADS_NONE;
    stream->heads.call = NULL;
    stream->heads.is_settled = stream->heads.is_settled || call->is_settled;
    alarm_set(stream->feed->alarms, &stream->heads.retry,
              feed_backoff_ms(stream->heads.failures++));
    starts_on_heads_failed(stream);
}

static void s_fail(heads_call_t *call)
{
    metric_inc(call->heads->failed);
    for (size_t i = 0; i < call->count; i++)
        if (call->streams[i] != NULL)
            s_retry(call, call->streams[i]);
}

static bool s_count(json_slice_t map, const char *name, uint64_t *out)
{
    json_slice_t value;
    return json_get(map, name, &value) && json_to_uint64(value, out);
}

static bool s_is_of(const heads_call_t *call, json_slice_t item, const stream_t *stream)
{
    json_slice_t value;
    if (!json_get(item, "stream", &value))
        return false;
    const char *name = json_string_decode(call->heads->arena, value, NULL);
    return name != NULL && strcmp(name, stream->name) == 0;
}

/* The answer of one stream; it may end by it. */
static void s_take(heads_call_t *call, size_t index, const char *epoch, json_slice_t item)
{
    uint64_t head, first;
    stream_t *stream = call->streams[index];
    if (stream == NULL)
        return;
    epoch_match_t match = EPOCH_STALE;
    if (s_is_of(call, item, stream) && s_count(item, "head", &head) &&
        s_count(item, "first", &first))
        match = stream_match_epoch(stream, epoch);
    if (match == EPOCH_NEW)
        return; /* the stream has ended */
    if (match == EPOCH_STALE) {
        s_retry(call, stream);
        return;
    }
    stream->heads.failures = 0;
    s_release(stream);
    stream_on_heads(stream, head, first, call->known[index]);
}

static bool s_read(heads_call_t *call, json_slice_t body)
{
    heads_t *self = call->heads;
    json_slice_t value, list, item;
    cursor_base_t base;
    if (!json_validate(body.data, body.size, BUS_BODY_DEPTH_MAX, NULL))
        return false;
    json_slice_t map = json_trim(body);
    if (json_kind(map) != JSON_MAP || !json_get(map, "epoch", &value) ||
        !json_get(map, "heads", &list) || json_kind(list) != JSON_LIST)
        return false;
    arena_reset(self->arena);
    const char *epoch = json_string_decode(self->arena, value, NULL);
    if (epoch == NULL || cursor_base(&base, epoch, "", 0) != ERR_OK)
        return false;
    size_t count = 0;
    for (json_walk_t walk = json_walk(list); json_walk_item(&walk, &item); count++)
        if (json_kind(item) != JSON_MAP)
            return false;
    if (count != call->count)
        return false;
    json_walk_t walk = json_walk(list);
    for (size_t i = 0; json_walk_item(&walk, &item); i++)
        s_take(call, i, epoch, item);
    return true;
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    heads_call_t *call = arg;
    list_remove(&call->node);
    call->call = NULL;
    if (!answer->ok || !s_read(call, answer->json))
        s_fail(call);
    else
        metric_inc(call->heads->asked);
    free(call);
}

/* ---- asking ---- */

static void s_add(heads_call_t *call, stream_t *stream)
{
    list_remove(&stream->heads.node);
    stream->heads.state = HEADS_ASKED;
    stream->heads.is_settled = false;
    stream->heads.call = call;
    stream->heads.place = call->count;
    call->known[call->count] = stream->head;
    call->streams[call->count++] = stream;
    starts_on_heads_asked(stream);
}

/* Takes from wanted those that can travel with its first one. */
static void s_send_one(heads_t *self)
{
    const stream_t *model = s_stream_of(list_first(&self->wanted));
    const feed_service_t *service = model->service;
    heads_call_t *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort();
    call->heads = self;
    call->is_settled = model->heads.is_settled;
    list_node_t *next;
    for (list_node_t *node = self->wanted.next;
         node != &self->wanted && call->count < BUS_HEADS_MAX; node = next) {
        next = node->next;
        stream_t *stream = s_stream_of(node);
        if (stream->service == service && stream->heads.is_settled == call->is_settled)
            s_add(call, stream);
    }
    const char *names[BUS_HEADS_MAX];
    for (size_t i = 0; i < call->count; i++)
        names[i] = call->streams[i]->name;
    list_append(&self->calls, &call->node);
    call->call =
        services_heads(self->feed->services, service->name, names, call->count, call->is_settled,
                       clock_unix_ms() + FEED_CALL_MS, s_on_answer, call);
}

static void s_send(void *arg)
{
    heads_t *self = arg;
    self->is_sending = false;
    while (!list_is_empty(&self->wanted))
        s_send_one(self);
}

void heads_ticket_init(stream_t *stream)
{
    list_init(&stream->heads.node);
    alarm_init(&stream->heads.retry, s_on_retry, stream);
}

void heads_want(stream_t *stream, bool is_settled)
{
    heads_t *self = &stream->feed->heads;
    heads_ticket_t *ticket = &stream->heads;
    ticket->is_settled = ticket->is_settled || is_settled;
    alarm_clear(stream->feed->alarms, &ticket->retry);
    if (ticket->state == HEADS_ASKED)
        ticket->state = HEADS_ASKED_AND_WANTED; /* what is under way may have been read too early */
    if (ticket->state != HEADS_NONE)
        return;
    ticket->state = HEADS_WANTED;
    list_append(&self->wanted, &ticket->node);
    if (self->is_sending)
        return;
    self->is_sending = true;
    loop_defer(self->feed->loop, s_send, self);
}

void heads_forget(stream_t *stream)
{
    heads_ticket_t *ticket = &stream->heads;
    list_remove(&ticket->node);
    alarm_clear(stream->feed->alarms, &ticket->retry);
    if (ticket->call != NULL)
        ticket->call->streams[ticket->place] = NULL;
    ticket->call = NULL;
    ticket->state = HEADS_NONE;
}
