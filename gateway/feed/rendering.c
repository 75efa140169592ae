/* Events whose rendering needs calls to services (fields with @resolve): one at a time for a group,
 * once for all its subscribers, in the order in which they ask. Who waits has taken nothing yet: he
 * stays behind in the ring or in pages, and nothing grows. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/feed/feed_internal.h"

/* One of the calls of the event that is being rendered. */
struct render_call {
    list_node_t node;   /* in its rendering */
    list_node_t queued; /* in its service, until its turn comes */
    rendering_t *rendering;
    feed_service_t *service;
    service_call_t *call;       /* NULL while it is queued */
    const gql_call_t *question; /* the execution's */
};

/* ---- calls ---- */

static void s_on_answer(void *arg, const service_answer_t *answer);

static void s_start_call(render_call_t *self)
{
    feed_service_t *service = self->service;
    const feed_t *feed = service->feed;
    const rendering_t *rendering = self->rendering;
    uint32_t wait_ms = service->is_away ? FEED_AWAY_MS : feed->limits.call_ms;
    service_request_t request = {
        .service = service->name,
        .field = self->question->field,
        .args = self->question->args,
        .selection = self->question->selection,
        .identity = {rendering->identity, rendering->identity_size},
        .deadline_ms = clock_unix_ms() + wait_ms,
    };
    service->render_calls++;
    self->call = services_call(feed->services, &request, s_on_answer, self);
}

static void s_start_queued(feed_service_t *service)
{
    while (service->render_calls < FEED_RENDER_CALLS_MAX) {
        list_node_t *node = list_first(&service->render_queue);
        if (node == NULL)
            return;
        list_remove(node);
        s_start_call(LIST_ITEM(node, render_call_t, queued));
    }
}

static void s_free_call(render_call_t *self)
{
    list_remove(&self->queued);
    list_remove(&self->node);
    free(self);
}

static void s_cancel_calls(rendering_t *self)
{
    /* None of them shall be started in the place of another one. */
    for (list_node_t *node = self->calls.next; node != &self->calls; node = node->next)
        list_remove(&LIST_ITEM(node, render_call_t, node)->queued);
    for (list_node_t *node; (node = list_first(&self->calls)) != NULL;) {
        render_call_t *call = LIST_ITEM(node, render_call_t, node);
        feed_service_t *service = call->service;
        if (call->call != NULL)
            service->render_calls--;
        service_call_cancel(&call->call);
        s_free_call(call);
        s_start_queued(service);
    }
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    render_call_t *call = arg;
    rendering_t *self = call->rendering;
    feed_service_t *service = call->service;
    gql_execution_t *execution = self->group->execution;
    uint32_t index = call->question->index;
    service->is_away = !answer->ok && strcmp(answer->code, err_code_name(ERR_UNAVAILABLE)) == 0;
    self->is_lacking = self->is_lacking || service->is_away;
    service->render_calls--;
    s_free_call(call);
    s_start_queued(service);
    if (answer->ok) {
        gql_execution_resolve(execution, index, answer->json.data, answer->json.size);
    } else {
        gql_failure_t failure = {
            .code = answer->code, .message = answer->message, .extensions = answer->extensions};
        gql_execution_reject(execution, index, &failure);
    }
    rendering_go_on(self);
}

/* ---- what the engine asks for ---- */

static void s_host_call(void *arg, const gql_call_t *question)
{
    rendering_t *self = arg;
    render_call_t *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort();
    list_init(&call->node);
    list_init(&call->queued);
    call->rendering = self;
    call->question = question;
    call->service = feed_service(self->group->stream->feed, question->service);
    list_append(&self->calls, &call->node);
    list_append(&call->service->render_queue, &call->queued);
}

static void s_host_flush(void *arg)
{
    rendering_t *self = arg;
    list_node_t *next;
    for (list_node_t *node = self->calls.next; node != &self->calls; node = next) {
        next = node->next;
        s_start_queued(LIST_ITEM(node, render_call_t, node)->service);
    }
}

/* Those who wait for this event have something to take. */
static void s_wake(rendering_t *self, uint64_t seq)
{
    list_t ready;
    list_node_t *next;
    list_init(&ready);
    for (list_node_t *node = self->waiters.next; node != &self->waiters; node = next) {
        next = node->next;
        if (LIST_ITEM(node, subscriber_t, node)->cursor + 1 != seq)
            continue;
        list_remove(node);
        list_append(&ready, node);
    }
    feed_wake(self->group->stream->feed, &ready, false);
}

static void s_host_done(void *arg, const buffer_t *response, size_t error_count)
{
    rendering_t *self = arg;
    feed_t *feed = self->group->stream->feed;
    uint64_t seq = self->seq;
    (void)error_count;
    if (self->has_lacking && !self->is_lacking)
        group_forget_rendered(self->group); /* the service is back: let nobody get its errors now */
    self->has_lacking = self->is_lacking;
    graves_bury_bytes(&feed->graves, &self->last);
    self->last = group_keep_rendered(self->group, seq, response);
    self->last_seq = seq;
    self->seq = 0;
    metric_add(feed->metrics.rendering, -1);
    s_wake(self, seq);
}

static void s_host_fault(void *arg, const gql_call_t *call, const char *what)
{
    const rendering_t *self = arg;
    log_warn("a service's answer is broken", log_str("stream", self->group->stream->name),
             log_str("service", call->service), log_str("field", call->field),
             log_str("reason", what), LOG_END);
}

/* ---- one event after the other ---- */

static void s_start(rendering_t *self, const event_t *event)
{
    static const gql_host_t host = {
        .call = s_host_call, .flush = s_host_flush, .done = s_host_done, .fault = s_host_fault};
    self->seq = event->seq;
    self->is_lacking = false;
    metric_add(self->group->stream->feed->metrics.rendering, 1);
    gql_execution_start_event(self->group->execution, event_payload(event), event->payload_size,
                              event->cursor, &host, self);
}

void rendering_go_on(rendering_t *self)
{
    group_t *group = self->group;
    page_t *page;
    if (self->is_going_on || self->seq != 0)
        return;
    self->is_going_on = true;
    for (list_node_t *node; self->seq == 0 && (node = list_first(&self->waiters)) != NULL;) {
        subscriber_t *subscriber = LIST_ITEM(node, subscriber_t, node);
        const event_t *event = stream_event(group->stream, subscriber->cursor + 1, &page);
        if (event != NULL && !group_has_rendered(group, event)) {
            s_start(self, event);
            continue;
        }
        list_remove(node); /* it left the ring, or is there already: he looks again */
        feed_wake_one(subscriber);
    }
    if (self->seq == 0)
        gql_execution_trim(group->execution);
    self->is_going_on = false;
}

void rendering_wait(subscriber_t *subscriber)
{
    rendering_t *self = subscriber->group->rendering;
    list_append(&self->waiters, &subscriber->node);
    rendering_go_on(self);
}

rendering_t *rendering_new(group_t *group, json_slice_t identity)
{
    rendering_t *self = calloc(1, sizeof *self + identity.size + 1);
    if (self == NULL)
        abort();
    self->group = group;
    self->identity_size = identity.size;
    if (identity.size > 0)
        memcpy(self->identity, identity.data, identity.size);
    list_init(&self->waiters);
    list_init(&self->calls);
    return self;
}

void rendering_destroy(rendering_t **self_p)
{
    rendering_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL)
        return;
    feed_t *feed = self->group->stream->feed;
    s_cancel_calls(self);
    if (self->seq != 0)
        metric_add(feed->metrics.rendering, -1);
    graves_bury_bytes(&feed->graves, &self->last);
    free(self);
}
