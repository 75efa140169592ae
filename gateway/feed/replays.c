#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/clock.h"
#include "gateway/feed/feed_internal.h"

enum { ARENA_BYTES = 2 * BUS_BODY_MAX };

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

static bool s_read(replays_t *self, const replay_t *replay, json_slice_t body, replay_answer_t *out)
{
    arena_reset(self->arena);
    return replay_answer_read(out, self->arena, replay->stream->name, body);
}

/* Is it what was asked for: from the place asked for, and something if there is something? */
static bool s_fits(const replay_t *replay, const replay_answer_t *answer)
{
    if (answer->count == 0)
        return replay->last > 0 ? answer->head < answer->first
                                : answer->head <= replay->after || answer->head < answer->first;
    uint64_t from = answer->events[0].seq;
    if (replay->last == 0)
        return from == replay->after + 1 || (from == answer->first && from > replay->after);
    /* The oldest part of the newest ones, if they are more than an answer holds. */
    uint64_t to = answer->events[answer->count - 1].seq;
    return to == answer->head || from == answer->first || answer->head - from + 1 == replay->last;
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
