/* Subscriptions that have not begun: those of a stream that is not live (proto/bus.md 7: every
 * instance that is up has sent a head), and those whose place HEADS shall tell (4.4). */
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/feed/feed_internal.h"

/* ---- who is live ---- */

static member_t *s_member(stream_t *stream, uint32_t instance)
{
    for (size_t i = 0; i < stream->member_count; i++)
        if (stream->members[i].instance == instance)
            return &stream->members[i];
    stream->members = realloc(stream->members, (stream->member_count + 1) * sizeof(member_t));
    if (stream->members == NULL)
        abort();
    stream->members[stream->member_count] = (member_t){.instance = instance};
    return &stream->members[stream->member_count++];
}

static heard_t *s_heard(feed_service_t *service, uint32_t instance)
{
    for (size_t i = 0; i < service->heard_count; i++)
        if (service->heard[i].instance == instance)
            return &service->heard[i];
    if (service->heard_count == FEED_INSTANCES_MAX)
        service->heard_count--; /* more than are looked at */
    service->heard[service->heard_count] = (heard_t){.instance = instance};
    return &service->heard[service->heard_count++];
}

void starts_forget_instance(feed_service_t *service, uint32_t instance)
{
    for (size_t i = 0; i < service->heard_count; i++)
        if (service->heard[i].instance == instance) {
            service->heard[i] = service->heard[--service->heard_count];
            return;
        }
}

static bool s_are_all_live(stream_t *stream)
{
    const feed_service_t *service = stream->service;
    for (size_t i = 0; i < service->up_count; i++)
        if (!s_member(stream, service->up[i])->is_live)
            return false;
    return service->up_count > 0;
}

static void s_update_live(stream_t *stream)
{
    stream->is_live = s_are_all_live(stream);
    if (stream->is_live) {
        if (!stream->is_started)
            stream_start(stream);
        alarm_clear(stream->feed->alarms, &stream->live_alarm);
        feed_wake(stream->feed, &stream->pending, false);
        return;
    }
    bool is_waiting = stream->service->up_count > 0 || !list_is_empty(&stream->pending);
    if (is_waiting && !alarm_is_set(&stream->live_alarm))
        alarm_set(stream->feed->alarms, &stream->live_alarm, FEED_POKE_MS);
}

/* No head from it for a second. While heads of other streams come it is only slow: to connect anew
 * would throw away what it has done, for every stream, and make it slower yet. */
static void s_urge(stream_t *stream, member_t *member)
{
    heard_t *heard = s_heard(stream->service, member->instance);
    int64_t now_us = clock_mono_us();
    bool is_silent = now_us - heard->head_us >= (int64_t)FEED_POKES_MAX * FEED_POKE_MS * 1000;
    if (member->pokes < FEED_POKES_MAX || !is_silent) {
        if (member->pokes < FEED_POKES_MAX)
            member->pokes++;
        metric_inc(stream->feed->metrics.pokes);
        services_poke(stream->feed->services, member->instance, stream->name);
        return;
    }
    member->pokes = 0;
    heard->head_us = now_us; /* other streams wait for the new connection */
    metric_inc(stream->feed->metrics.reconnects);
    log_warn("service instance sends no heads: connecting anew",
             log_str("service", stream->service->name), log_int("instance", member->instance),
             LOG_END);
    services_reconnect(stream->feed->services, member->instance);
}

/* They have waited too long. */
static void s_give_up(stream_t *stream, list_t *waiting)
{
    for (list_node_t *node = waiting->next; node != waiting; node = node->next)
        LIST_ITEM(node, subscriber_t, node)->end = END_UNAVAILABLE;
    feed_wake(stream->feed, waiting, false);
}

static void s_on_live_alarm(void *arg)
{
    stream_t *stream = arg;
    const feed_service_t *service = stream->service;
    for (size_t i = 0; i < service->up_count; i++) {
        member_t *member = s_member(stream, service->up[i]);
        if (!member->is_live)
            s_urge(stream, member);
    }
    if (clock_mono_us() - stream->pending_since_us >= (int64_t)FEED_PENDING_MS * 1000)
        s_give_up(stream, &stream->pending);
    s_update_live(stream);
}

void starts_on_head(stream_t *stream, uint32_t instance)
{
    member_t *member = s_member(stream, instance);
    s_heard(stream->service, instance)->head_us = clock_mono_us();
    member->is_live = true;
    member->pokes = 0;
    if (!stream->is_live)
        s_update_live(stream);
}

void starts_on_instance(stream_t *stream, uint32_t instance, bool up)
{
    for (size_t i = 0; !up && i < stream->member_count; i++)
        if (stream->members[i].instance == instance) {
            stream->members[i] = stream->members[--stream->member_count];
            break;
        }
    s_update_live(stream);
    if (up && !stream->is_live)
        alarm_set(stream->feed->alarms, &stream->live_alarm, FEED_FIRST_POKE_MS);
}

void starts_wait_live(subscriber_t *subscriber)
{
    stream_t *stream = subscriber->group->stream;
    if (list_is_empty(&stream->pending))
        stream->pending_since_us = clock_mono_us();
    list_append(&stream->pending, &subscriber->node);
    s_update_live(stream);
}

/* ---- whose place HEADS shall tell ---- */

void starts_wait_heads(subscriber_t *subscriber)
{
    stream_t *stream = subscriber->group->stream;
    if (list_is_empty(&stream->doubtful) && list_is_empty(&stream->doubted))
        stream->doubtful_since_us = clock_mono_us();
    list_append(&stream->doubtful, &subscriber->node);
    heads_want(stream, false);
}

void starts_on_heads_asked(stream_t *stream)
{
    list_splice(&stream->doubted, &stream->doubtful);
}

/* The head is known: one that starts there has its place, one whose start is beyond it ends. */
static void s_settle(subscriber_t *subscriber, uint64_t head)
{
    bool is_live = subscriber->start == FEED_START_LIVE ||
                   (subscriber->start == FEED_START_LAST && subscriber->cursor == 0);
    if (subscriber->needs_head && is_live) {
        subscriber->start = FEED_START_AFTER;
        subscriber->cursor = head;
    }
    subscriber->needs_head = false;
    if (subscriber->start == FEED_START_AFTER && subscriber->cursor > head)
        subscriber->end = END_EXPIRED;
}

void starts_on_heads(stream_t *stream, uint64_t head)
{
    for (list_node_t *node = stream->doubted.next; node != &stream->doubted; node = node->next)
        s_settle(LIST_ITEM(node, subscriber_t, node), head);
    feed_wake(stream->feed, &stream->doubted, false);
    stream->doubtful_since_us = clock_mono_us(); /* who is left came later */
}

void starts_on_heads_failed(stream_t *stream)
{
    if (clock_mono_us() - stream->doubtful_since_us < (int64_t)FEED_DOUBT_MS * 1000)
        return;
    list_splice(&stream->doubted, &stream->doubtful);
    s_give_up(stream, &stream->doubted);
}

/* ---- life ---- */

void starts_init(stream_t *stream)
{
    list_init(&stream->pending);
    list_init(&stream->doubtful);
    list_init(&stream->doubted);
    alarm_init(&stream->live_alarm, s_on_live_alarm, stream);
}

void starts_end(stream_t *stream)
{
    feed_wake(stream->feed, &stream->pending, false);
    feed_wake(stream->feed, &stream->doubtful, false);
    feed_wake(stream->feed, &stream->doubted, false);
}
