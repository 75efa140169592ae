#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/bus/service_list.h"
#include "gateway/feed/feed_internal.h"

enum { KEY_MAX = SERVICE_NAME_SIZE + BUS_STREAM_MAX + 1 };

int64_t feed_backoff_ms(unsigned failures)
{
    int64_t wait_ms = FEED_RETRY_MS;
    while (failures-- > 0 && wait_ms < FEED_RETRY_MAX_MS)
        wait_ms *= 2;
    return wait_ms < FEED_RETRY_MAX_MS ? wait_ms : FEED_RETRY_MAX_MS;
}

static void s_check_gap(stream_t *self);

#ifdef PARLEY_FAULTS
/* A negative control for tests: with PARLEY_FAULT=ignore_holes the feed forgets its first duty, and
 * they must notice. */
static bool s_ignores_holes(void)
{
    const char *fault = getenv("PARLEY_FAULT");
    return fault != NULL && strcmp(fault, "ignore_holes") == 0;
}

static void s_forget_hole(stream_t *self, uint64_t seq)
{
    if (!self->is_started || seq <= ring_last(&self->ring) + 1 || !s_ignores_holes())
        return;
    ring_free(&self->ring, &self->feed->graves);
    self->rendered_bytes = 0;
    self->ring.first = seq;
}
#else
#define s_ignores_holes() false
#define s_forget_hole(self, seq) ((void)0)
#endif

/* ---- the ring ---- */

static void s_shift(stream_t *self)
{
    event_t *event = ring_shift(&self->ring);
    for (group_t *group = self->groups; group != NULL; group = group->hh.next)
        if (event->is_revoke || group_takes(group, event))
            group->last_taken_gone = event->seq;
    self->rendered_bytes -= event->rendered_bytes;
    event_bury(&event, &self->feed->graves);
}

/* What the ring, and what is rendered of it, may hold. */
static size_t s_limit_bytes(const stream_t *self)
{
    const feed_limits_t *limits = &self->feed->limits;
    size_t share = limits->rings_bytes / (self->feed->counts.streams + 1);
    if (share < FEED_RING_LEAST_BYTES)
        share = FEED_RING_LEAST_BYTES;
    return share < limits->ring_bytes ? share : limits->ring_bytes;
}

/* Takes the event, the next in order: whoever waits for one of its type has something to take. */
static void s_push(stream_t *self, event_t *event)
{
    size_t limit_bytes = s_limit_bytes(self);
    ring_push(&self->ring, event);
    if (self->head < event->seq)
        self->head = event->seq;
    if (event->is_revoke && event->whom == 0)
        log_warn("a revoke names nobody", log_str("service", self->service->name),
                 log_str("stream", self->name), log_int("seq", (int64_t)event->seq), LOG_END);
    while (self->ring.count > 1 &&
           (self->ring.count > self->feed->limits.ring_events || self->ring.bytes > limit_bytes))
        s_shift(self);
    if (event->is_revoke)
        self->revoked = event->seq;
    for (group_t *group = self->groups; group != NULL; group = group->hh.next)
        if (event->is_revoke)
            group_wake_now(group);
        else if (group_takes(group, event))
            group_wake(group, event);
    metric_inc(self->feed->metrics.events);
}

void stream_account(stream_t *self, event_t *event, uint32_t index, size_t bytes)
{
    graves_t *graves = &self->feed->graves;
    size_t limit_bytes = s_limit_bytes(self);
    self->rendered_bytes += bytes;
    if (event->seq < self->rendered_from)
        self->rendered_from = event->seq;
    if (self->rendered_from < self->ring.first)
        self->rendered_from = self->ring.first;
    /* It can be rendered again: of other events first, oldest first, then of this one for others.
     */
    uint64_t seq = self->rendered_from;
    for (; self->rendered_bytes > limit_bytes && seq <= ring_last(&self->ring); seq++)
        if (seq != event->seq)
            self->rendered_bytes -= event_drop_all_rendered(ring_at(&self->ring, seq), graves);
    self->rendered_from = seq < event->seq ? seq : event->seq;
    if (self->rendered_bytes > limit_bytes)
        self->rendered_bytes -= event_drop_rendered_but(event, index, graves);
}

event_t *stream_event(stream_t *self, uint64_t seq, page_t **page_p)
{
    *page_p = NULL;
    if (seq > ring_last(&self->ring))
        return NULL;
    return seq >= self->ring.first ? ring_at(&self->ring, seq) : pages_find(self, seq, page_p);
}

/* ---- early ones, behind a hole ---- */

/* Takes the event. Beyond the limits the last ones go: REPLAY will bring them again. */
static void s_keep_early(stream_t *self, event_t *event)
{
    size_t at = self->early_count, limit_bytes = s_limit_bytes(self);
    while (at > 0 && self->early[at - 1]->seq > event->seq)
        at--;
    if (at > 0 && self->early[at - 1]->seq == event->seq) {
        event_destroy(&event);
        return;
    }
    if (self->early_count == self->early_capacity) {
        self->early_capacity = self->early_capacity > 0 ? self->early_capacity * 2 : 8;
        self->early = realloc(self->early, self->early_capacity * sizeof(event_t *));
        if (self->early == NULL)
            abort();
    }
    memmove(&self->early[at + 1], &self->early[at], (self->early_count - at) * sizeof(event_t *));
    self->early[at] = event;
    self->early_count++;
    self->early_bytes += event_cost(event);
    while (self->early_count > FEED_EARLY_MAX ||
           (self->early_count > 1 && self->early_bytes > limit_bytes)) {
        event_t *last = self->early[--self->early_count];
        self->early_bytes -= event_cost(last);
        event_destroy(&last);
    }
}

/* Moves into the ring what fits now. */
static void s_take_early(stream_t *self)
{
    size_t taken = 0;
    for (; taken < self->early_count; taken++) {
        event_t *event = self->early[taken];
        if (event->seq > ring_last(&self->ring) + 1)
            break;
        self->early_bytes -= event_cost(event);
        if (event->seq == ring_last(&self->ring) + 1)
            s_push(self, event);
        else
            event_destroy(&event);
    }
    self->early_count -= taken;
    if (taken > 0)
        memmove(self->early, self->early + taken, self->early_count * sizeof(event_t *));
    if (self->early_count == 0) {
        free(self->early);
        self->early = NULL;
        self->early_capacity = 0;
    }
}

static void s_drop_early(stream_t *self)
{
    for (size_t i = 0; i < self->early_count; i++)
        event_destroy(&self->early[i]);
    free(self->early);
    self->early = NULL;
    self->early_count = 0;
    self->early_capacity = 0;
    self->early_bytes = 0;
}

/* ---- holes: one REPLAY at a time ---- */

static void s_ask_for_gap(stream_t *self)
{
    if (!self->is_in_gap)
        metric_inc(self->feed->metrics.gaps_found);
    self->is_in_gap = true;
    self->gap_replay.after = ring_last(&self->ring);
    self->gap_replay.limit = FEED_REPLAY_EVENTS;
    replay_start(&self->gap_replay, true);
}

static void s_on_gap_alarm(void *arg)
{
    stream_t *self = arg;
    if (self->head > ring_last(&self->ring) && !replay_is_under_way(&self->gap_replay))
        s_ask_for_gap(self);
}

/* What is missing before first is gone for ever: who has not got beyond it ends, the others go on.
 */
static void s_jump(stream_t *self, uint64_t first)
{
    ring_free(&self->ring, &self->feed->graves);
    self->ring.first = first;
    self->rendered_bytes = 0;
    for (group_t *group = self->groups; group != NULL; group = group->hh.next) {
        group->last_taken_gone = first - 1;
        feed_wake(self->feed, &group->waiting, false);
    }
}

static void s_on_gap_answer(replay_t *replay, const replay_answer_t *answer, err_code_t failure)
{
    stream_t *self = replay->stream;
    uint64_t before = ring_last(&self->ring);
    if (answer == NULL && failure == ERR_CURSOR_EXPIRED) {
        stream_expire(self, END_EXPIRED);
        return;
    }
    epoch_match_t match = answer != NULL ? stream_match_epoch(self, answer->epoch) : EPOCH_STALE;
    if (match == EPOCH_NEW)
        return;
    if (match == EPOCH_STALE) {
        alarm_set(self->feed->alarms, &self->gap_alarm, feed_backoff_ms(self->gap_failures++));
        return;
    }
    if (answer->first > self->first_kept)
        self->first_kept = answer->first;
    if (answer->first > before + 1)
        s_jump(self, answer->first);
    for (size_t i = 0; i < answer->count; i++) {
        const replay_event_t *event = &answer->events[i];
        if (event->seq == ring_last(&self->ring) + 1)
            s_push(self, event_new(&self->base, event->seq, event->is_revoke, event->type,
                                   event->payload));
    }
    s_take_early(self);
    if (answer->head > self->head)
        self->head = answer->head;
    if (ring_last(&self->ring) > before) {
        self->gap_failures = 0;
        if (self->head > ring_last(&self->ring))
            s_ask_for_gap(self);
        else
            s_check_gap(self);
    } else if (self->head > before) { /* nothing came: has the log gone back? */
        heads_want(self, false);
        alarm_set(self->feed->alarms, &self->gap_alarm, feed_backoff_ms(self->gap_failures++));
    } else {
        s_check_gap(self);
    }
}

static void s_check_gap(stream_t *self)
{
    if (!self->is_started || replay_is_under_way(&self->gap_replay) || s_ignores_holes())
        return;
    if (self->head > ring_last(&self->ring)) {
        if (!alarm_is_set(&self->gap_alarm))
            alarm_set(self->feed->alarms, &self->gap_alarm, FEED_GAP_MS);
        return;
    }
    alarm_clear(self->feed->alarms, &self->gap_alarm);
    if (self->is_in_gap)
        metric_inc(self->feed->metrics.gaps_filled);
    self->is_in_gap = false;
}

/* ---- the beginning ---- */

void stream_start(stream_t *self)
{
    self->is_started = true;
    self->ring.first = self->head_frame + 1;
    self->rendered_from = self->ring.first;
    for (group_t *group = self->groups; group != NULL; group = group->hh.next)
        group->last_taken_gone = self->head_frame;
    s_take_early(self);
    s_check_gap(self);
}

/* ---- what the bus brings ---- */

epoch_match_t stream_match_epoch(stream_t *self, const char *epoch)
{
    if (!self->has_epoch) {
        if (cursor_base(&self->base, epoch, self->name, strlen(self->name)) != ERR_OK)
            return EPOCH_STALE;
        snprintf(self->epoch, sizeof self->epoch, "%s", epoch);
        self->has_epoch = true;
    }
    if (strcmp(self->epoch, epoch) == 0)
        return EPOCH_SAME;
    const char *announced = NULL;
    for (size_t i = 0; i < services_count(self->feed->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->feed->services, i);
        if (strcmp(manifest->name, self->service->name) == 0)
            announced = manifest->epoch;
    }
    if (announced != NULL && strcmp(announced, self->epoch) == 0)
        return EPOCH_STALE; /* an instance that has not noticed yet */
    log_warn("the log of a service has a new epoch", log_str("service", self->service->name),
             log_str("stream", self->name), log_str("epoch", epoch), LOG_END);
    stream_expire(self, END_EXPIRED);
    return EPOCH_NEW;
}

static void s_on_head(stream_t *self, uint32_t instance, uint64_t seq)
{
    bool is_below = seq < self->head;
    if (self->head < seq)
        self->head = seq;
    if (self->head_frame < seq)
        self->head_frame = seq;
    starts_on_head(self, instance);
    s_check_gap(self);
    if (self->is_started && is_below)
        heads_want(self, false); /* normally it is only late */
}

static void s_on_data(stream_t *self, const service_event_t *event)
{
    if (self->is_started && event->seq <= ring_last(&self->ring)) {
        metric_inc(self->feed->metrics.repeated);
        return;
    }
    s_forget_hole(self, event->seq);
    event_t *copy = event_new(&self->base, event->seq, event->kind == SERVICE_EVENT_REVOKE,
                              event->type, event->payload);
    if (self->head < event->seq)
        self->head = event->seq;
    if (self->is_started && event->seq == ring_last(&self->ring) + 1) {
        s_push(self, copy);
        s_take_early(self);
    } else {
        s_keep_early(self, copy);
    }
    s_check_gap(self);
}

void stream_on_event(stream_t *self, const service_event_t *event)
{
    if (stream_match_epoch(self, event->epoch) != EPOCH_SAME)
        return;
    if (event->kind == SERVICE_EVENT_HEAD)
        s_on_head(self, event->instance, event->seq);
    else
        s_on_data(self, event);
}

void stream_on_instance(stream_t *self, uint32_t instance, bool up)
{
    starts_on_instance(self, instance, up);
    if (!up) /* it may have committed what it had no time to publish */
        heads_want(self, true);
}

void stream_on_heads(stream_t *self, uint64_t head, uint64_t first, uint64_t known)
{
    if (first > self->first_kept)
        self->first_kept = first;
    if (head < known) {
        log_error("the log of a service went back", log_str("service", self->service->name),
                  log_str("stream", self->name), log_int("was", (int64_t)known),
                  log_int("is", (int64_t)head), LOG_END);
        metric_inc(self->feed->metrics.went_back);
        stream_expire(self, END_EXPIRED);
        return;
    }
    if (head > self->head)
        self->head = head;
    starts_on_heads(self, head);
    s_check_gap(self);
}

void stream_raise_head(stream_t *self, uint64_t head)
{
    if (head <= self->head)
        return;
    self->head = head;
    s_check_gap(self);
}

/* ---- life ---- */

/* Leaves the bus and asks no more; what is in the ring stays. */
static void s_unlist(stream_t *self)
{
    feed_t *feed = self->feed;
    if (!self->is_listed)
        return;
    self->is_listed = false;
    HASH_DEL(feed->streams, self);
    services_unsubscribe(feed->services, self->service->name, self->name);
    replay_cancel(&self->gap_replay);
    heads_forget(self);
    alarm_clear(feed->alarms, &self->gap_alarm);
    alarm_clear(feed->alarms, &self->live_alarm);
    alarm_clear(feed->alarms, &self->idle_alarm);
    s_drop_early(self);
    feed->counts.streams--;
    metric_add(feed->metrics.streams, -1);
}

void stream_expire(stream_t *self, end_t end)
{
    feed_t *feed = self->feed;
    if (self->end != END_NONE)
        return;
    self->end = end;
    metric_inc(feed->metrics.expired);
    s_unlist(self);
    starts_end(self);
    for (group_t *group = self->groups; group != NULL; group = group->hh.next)
        feed_wake(feed, &group->waiting, false);
    self->uses++;
    pages_close(self); /* may give back groups */
    if (--self->uses == 0)
        stream_destroy(&self);
}

static void s_on_idle_alarm(void *arg)
{
    stream_t *self = arg;
    stream_destroy(&self);
}

stream_t *stream_find(feed_t *feed, const char *service, const char *name)
{
    char key[KEY_MAX];
    stream_t *self = NULL;
    int size = snprintf(key, sizeof key, "%s\n%s", service, name);
    assert(size > 0 && (size_t)size < sizeof key);
    HASH_FIND(hh, feed->streams, key, (size_t)size, self);
    return self;
}

stream_t *stream_new(feed_t *feed, const char *service, const char *name)
{
    size_t size = strlen(service) + strlen(name) + 2;
    stream_t *self = calloc(1, sizeof *self + size);
    if (self == NULL)
        abort();
    snprintf(self->key, size, "%s\n%s", service, name);
    self->feed = feed;
    self->service = feed_service(feed, service);
    self->name = self->key + strlen(service) + 1;
    self->ring.first = 1;
    self->first_kept = 1;
    self->is_listed = true;
    starts_init(self);
    list_init(&self->pages);
    list_init(&self->page_requests);
    list_init(&self->seeks);
    list_init(&self->gap_replay.node);
    self->gap_replay.stream = self;
    self->gap_replay.fn = s_on_gap_answer;
    alarm_init(&self->gap_alarm, s_on_gap_alarm, self);
    alarm_init(&self->idle_alarm, s_on_idle_alarm, self);
    heads_ticket_init(self);
    HASH_ADD(hh, feed->streams, key, size - 1, self);
    feed->counts.streams++;
    metric_add(feed->metrics.streams, 1);
    services_subscribe(feed->services, service, self->name);
    return self;
}

void stream_destroy(stream_t **self_p)
{
    stream_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    assert(self->uses == 0);
    s_unlist(self);
    pages_close(self);
    ring_free(&self->ring, &self->feed->graves);
    free(self->members);
    free(self->by_index);
    free(self);
}

void stream_use(stream_t *self)
{
    self->uses++;
    alarm_clear(self->feed->alarms, &self->idle_alarm);
}

void stream_unuse(stream_t *self)
{
    if (--self->uses > 0)
        return;
    if (self->end != END_NONE)
        stream_destroy(&self);
    else
        alarm_set(self->feed->alarms, &self->idle_alarm, self->feed->limits.idle_ms);
}
