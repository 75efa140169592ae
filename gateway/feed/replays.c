#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/clock.h"
#include "gateway/feed/feed_internal.h"

enum { ARENA_BYTES = 2 * BUS_BODY_MAX };

#define SEQ_MAX ((uint64_t)1 << 53)

static void s_start_some(void *arg);

void replays_open(replays_t *self, feed_t *feed)
{
    self->feed = feed;
    list_init(&self->urgent);
    list_init(&self->queued);
    self->arena = arena_new(ARENA_BYTES);
    self->ok = metrics_counter("parley_feed_replays_total", "REPLAY requests", "outcome=\"ok\"");
    self->failed =
        metrics_counter("parley_feed_replays_total", "REPLAY requests", "outcome=\"failed\"");
    self->waiting_gauge =
        metrics_gauge("parley_feed_replays_in_flight", "REPLAY requests under way", NULL);
}

void replays_close(replays_t *self)
{
    loop_defer_cancel(self->feed->loop, s_start_some, self);
    arena_destroy(&self->arena);
}

/* ---- reading an answer ---- */

static bool s_read_count(json_slice_t map, const char *name, uint64_t *out)
{
    json_slice_t value;
    return json_get(map, name, &value) && json_to_uint64(value, out) && *out <= SEQ_MAX;
}

static bool s_read_event(json_slice_t map, replay_event_t *event)
{
    json_slice_t key, value;
    memset(event, 0, sizeof *event);
    if (json_kind(map) != JSON_MAP)
        return false;
    json_walk_t walk = json_walk(map);
    while (json_walk_member(&walk, &key, &value)) {
        if (json_key_is(key, "seq", 3) && !json_to_uint64(value, &event->seq))
            return false;
        if (json_key_is(key, "payload", 7))
            event->payload = value;
        if (json_key_is(key, "type", 4) && json_kind(value) == JSON_STRING_VALUE)
            event->type = (json_slice_t){value.data + 1, value.size - 2};
        if (json_key_is(key, "kind", 4))
            event->is_revoke = value.size == 8 && memcmp(value.data, "\"revoke\"", 8) == 0;
    }
    return event->seq > 0 && event->payload.size > 0 && (event->type.size > 0 || event->is_revoke);
}

/* Events in order and without a hole; at most BUS_REPLAY_MAX. */
static bool s_read_events(arena_t *arena, json_slice_t map, replay_answer_t *answer)
{
    json_slice_t list, item;
    if (!json_get(map, "events", &list) || json_kind(list) != JSON_LIST)
        return false;
    replay_event_t *events = arena_alloc(arena, BUS_REPLAY_MAX * sizeof events[0]);
    if (events == NULL)
        return false;
    json_walk_t walk = json_walk(list);
    while (json_walk_item(&walk, &item)) {
        size_t i = answer->count;
        if (i == BUS_REPLAY_MAX || !s_read_event(item, &events[i]) || events[i].seq > answer->head)
            return false;
        if (i > 0 && events[i].seq != events[i - 1].seq + 1)
            return false;
        answer->count++;
    }
    answer->events = events;
    return true;
}

static bool s_read(replays_t *self, const replay_t *replay, json_slice_t body, replay_answer_t *out)
{
    json_slice_t value;
    memset(out, 0, sizeof *out);
    arena_reset(self->arena);
    if (!json_validate(body.data, body.size, BUS_BODY_DEPTH_MAX, NULL))
        return false;
    json_slice_t map = json_trim(body);
    if (json_kind(map) != JSON_MAP || !json_get(map, "stream", &value))
        return false;
    const char *stream = json_string_decode(self->arena, value, NULL);
    if (stream == NULL || strcmp(stream, replay->stream->name) != 0)
        return false;
    if (!json_get(map, "epoch", &value))
        return false;
    out->epoch = json_string_decode(self->arena, value, NULL);
    cursor_base_t base;
    if (out->epoch == NULL || cursor_base(&base, out->epoch, "", 0) != ERR_OK)
        return false;
    if (!s_read_count(map, "head", &out->head) || !s_read_count(map, "first", &out->first))
        return false;
    return s_read_events(self->arena, map, out);
}

/* Is it what was asked for: from the place asked for, and something if there is something? */
static bool s_fits(const replay_t *replay, const replay_answer_t *answer)
{
    if (answer->count == 0)
        return replay->last > 0 ? answer->head < answer->first
                                : answer->head <= replay->after || answer->head < answer->first;
    uint64_t from = answer->events[0].seq;
    if (replay->last > 0)
        return answer->events[answer->count - 1].seq == answer->head;
    return from == replay->after + 1 || (from == answer->first && from > replay->after);
}

/* ---- the queue ---- */

static void s_next(replays_t *self)
{
    if (self->is_starting || (list_is_empty(&self->urgent) && list_is_empty(&self->queued)))
        return;
    self->is_starting = true;
    loop_defer(self->feed->loop, s_start_some, self);
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    replay_t *replay = arg;
    replays_t *self = &replay->stream->service->replays;
    replay_answer_t read;
    replay->call = NULL;
    self->in_flight--;
    metric_add(self->waiting_gauge, -1);
    s_next(self);
    if (!answer->ok) {
        metric_inc(self->failed);
        replay->fn(replay, NULL, err_code_from_name(answer->code, strlen(answer->code)));
    } else if (!s_read(self, replay, answer->json, &read) || !s_fits(replay, &read)) {
        metric_inc(self->failed);
        replay->fn(replay, NULL, ERR_INTERNAL);
    } else {
        metric_inc(self->ok);
        replay->fn(replay, &read, ERR_OK);
    }
}

static void s_start(replays_t *self, list_node_t *node)
{
    replay_t *replay = LIST_ITEM(node, replay_t, node);
    const stream_t *stream = replay->stream;
    list_remove(node);
    self->in_flight++;
    metric_add(self->waiting_gauge, 1);
    replay->call = services_replay(self->feed->services, stream->service->name, stream->name,
                                   replay->after, replay->last, replay->limit,
                                   clock_unix_ms() + FEED_CALL_MS, s_on_answer, replay);
}

static void s_start_some(void *arg)
{
    replays_t *self = arg;
    self->is_starting = false;
    while (self->in_flight < FEED_REPLAYS_MAX) {
        list_node_t *node = list_first(&self->urgent);
        if (node == NULL)
            node = list_first(&self->queued);
        if (node == NULL)
            return;
        s_start(self, node);
    }
}

void replay_start(replay_t *self, bool is_urgent)
{
    replays_t *replays = &self->stream->service->replays;
    list_append(is_urgent ? &replays->urgent : &replays->queued, &self->node);
    if (replays->in_flight < FEED_REPLAYS_MAX)
        s_next(replays);
}

void replay_cancel(replay_t *self)
{
    list_remove(&self->node);
    if (self->call == NULL)
        return;
    replays_t *replays = &self->stream->service->replays;
    service_call_cancel(&self->call);
    replays->in_flight--;
    metric_add(replays->waiting_gauge, -1);
    s_next(replays);
}

bool replay_is_under_way(const replay_t *self)
{
    return self->call != NULL || self->node.next != &self->node;
}
