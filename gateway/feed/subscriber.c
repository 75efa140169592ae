#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/cells.h"
#include "gateway/feed/feed_internal.h"

/* What lies behind a subscriber's cursor. */
typedef enum {
    AHEAD_EVENT,     /* something to take */
    AHEAD_NOTHING,   /* not yet */
    AHEAD_PAGE,      /* something, but in no ring and no page */
    AHEAD_RENDERING, /* something, but it is not rendered yet */
    AHEAD_END,
} ahead_t;

static const struct {
    err_code_t code;
    const char *message;
} s_ends[] = {
    [END_NONE] = {ERR_OK, ""},
    [END_UNAVAILABLE] = {ERR_UNAVAILABLE, "the service does not confirm the subscription"},
    [END_EXPIRED] = {ERR_CURSOR_EXPIRED, "the subscription cannot go on from where it is"},
    [END_REVOKED] = {ERR_FORBIDDEN, "the right to read this stream was taken back"},
};

static bool s_is_listed(const subscriber_t *self)
{
    return self->node.next != &self->node;
}

static void s_set_catching_up(subscriber_t *self, bool is_catching_up)
{
    feed_t *feed = self->group->stream->feed;
    if (self->is_catching_up == is_catching_up)
        return;
    self->is_catching_up = is_catching_up;
    feed->counts.catching_up += is_catching_up ? 1 : (size_t)-1;
    metric_add(feed->metrics.catching_up, is_catching_up ? 1 : -1);
}

/* ---- looking ahead ---- */

/* The event behind the cursor, if it is in the ring or in a page; else why there is none. */
static ahead_t s_look(subscriber_t *self, event_t **event, page_t **page)
{
    stream_t *stream = self->group->stream;
    const ring_t *ring = &stream->ring;
    uint64_t seq = self->cursor + 1;
    *page = NULL;
    *event = NULL;
    if (self->end != END_NONE)
        return AHEAD_END;
    if (seq > ring_last(ring) || !stream->is_started)
        return stream->end != END_NONE ? AHEAD_END : AHEAD_NOTHING;
    if (seq >= ring->first) {
        *event = ring_at(ring, seq);
        return AHEAD_EVENT;
    }
    if (stream->end != END_NONE) {
        self->end = (uint8_t)stream->end;
        return AHEAD_END;
    }
    if (seq < stream->first_kept) {
        self->end = END_EXPIRED;
        return AHEAD_END;
    }
    *event = stream_event(stream, seq, page);
    return *event != NULL ? AHEAD_EVENT : AHEAD_PAGE;
}

/* Does it end this one's rights? What was known when they were granted does not. */
static bool s_is_revoked_by(const subscriber_t *self, const event_t *event)
{
    if (!event->is_revoke || event->whom == 0 || event->seq <= self->granted)
        return false;
    return event->whom == (event->is_by_sub ? self->sub : self->handle);
}

/* The same for the next event that the group takes; the cursor moves up to it. */
static ahead_t s_advance(subscriber_t *self, event_t **event, page_t **page)
{
    group_t *group = self->group;
    const ring_t *ring = &group->stream->ring;
    for (;;) {
        /* What left the ring since then was none of his. */
        if (self->cursor + 1 < ring->first && self->cursor >= group->last_taken_gone)
            self->cursor = ring->first - 1;
        ahead_t ahead = s_look(self, event, page);
        if (ahead != AHEAD_EVENT)
            return ahead;
        if (s_is_revoked_by(self, *event)) {
            self->end = END_REVOKED;
            return AHEAD_END;
        }
        if (!(*event)->is_revoke && group_takes(group, *event))
            return group_has_rendered(group, *event) ? AHEAD_EVENT : AHEAD_RENDERING;
        self->cursor++;
    }
}

/* It waits for nothing any more. */
static void s_unpark(subscriber_t *self)
{
    list_remove(&self->node);
    s_set_catching_up(self, false);
    self->is_rendering = false;
}

/* Where it belongs while there is nothing to take; who waits for it already keeps his place. */
static void s_park(subscriber_t *self, ahead_t ahead)
{
    if ((ahead == AHEAD_PAGE && self->is_catching_up) ||
        (ahead == AHEAD_RENDERING && self->is_rendering))
        return;
    s_unpark(self);
    if (ahead == AHEAD_NOTHING) {
        list_append(&self->group->waiting, &self->node);
    } else if (ahead == AHEAD_PAGE) {
        s_set_catching_up(self, true);
        pages_wait(self);
    } else if (ahead == AHEAD_RENDERING) {
        self->is_rendering = true;
        rendering_wait(self);
    } else {
        feed_wake_one(self); /* its turn is to end */
    }
}

/* ---- its turn ---- */

static cells_t s_cells = CELLS_INIT(sizeof(subscriber_t));

subscriber_t *subscriber_new(void)
{
    subscriber_t *self = cell_take(&s_cells);
    list_init(&self->node);
    return self;
}

static void s_free(subscriber_t *self)
{
    group_t *group = self->group;
    feed_t *feed = group->stream->feed;
    s_set_catching_up(self, false);
    list_remove(&self->node);
    if (feed->visiting == self)
        feed->visiting = NULL;
    feed->counts.subscribers--;
    metric_add(feed->metrics.subscribers, -1);
    cell_give(&s_cells, self);
    group_unuse(group);
}

static void s_end(subscriber_t *self)
{
    const stream_t *stream = self->group->stream;
    const subscriber_vtable_t *vtable = self->vtable;
    void *arg = self->arg;
    end_t end = self->end != END_NONE ? (end_t)self->end : stream->end;
    metric_inc(stream->feed->metrics.ended);
    s_free(self);
    vtable->on_end(arg, s_ends[end].code, s_ends[end].message);
}

/* Finds its place in the log. False: it waits for something, or ends. */
static bool s_activate(subscriber_t *self)
{
    stream_t *stream = self->group->stream;
    if (self->end != END_NONE || stream->end != END_NONE) {
        s_end(self);
        return false;
    }
    if (!stream->is_live) {
        starts_wait_live(self);
        return false;
    }
    if (self->needs_head) {
        starts_wait_heads(self);
        return false;
    }
    if (self->start == FEED_START_LAST && self->cursor > 0) {
        pages_seek(self);
        return false;
    }
    if (self->start != FEED_START_AFTER) {
        self->cursor = stream->head;
    } else if (self->cursor > stream->head) {
        starts_wait_heads(self); /* unheard of, or of the future */
        return false;
    } else if (self->cursor + 1 < stream->first_kept) {
        self->end = END_EXPIRED;
        s_end(self);
        return false;
    }
    self->is_active = true;
    return true;
}

void subscriber_visit(subscriber_t *self)
{
    feed_t *feed = self->group->stream->feed;
    event_t *event;
    page_t *page;
    s_unpark(self);
    if (!self->is_active) {
        if (!s_activate(self))
            return;
        feed->visiting = self;
        self->vtable->on_active(self->arg);
        bool has_left = feed->visiting != self;
        feed->visiting = NULL;
        if (has_left || s_is_listed(self))
            return; /* the other: it has taken what there was already */
    }
    ahead_t ahead = s_advance(self, &event, &page);
    if (ahead == AHEAD_EVENT)
        self->vtable->on_ready(self->arg);
    else if (ahead == AHEAD_END)
        s_end(self);
    else
        s_park(self, ahead);
}

/* ---- for its owner ---- */

bool subscriber_next(subscriber_t *self, feed_item_t *item)
{
    event_t *event;
    page_t *page;
    if (!self->is_active)
        return false;
    ahead_t ahead = s_advance(self, &event, &page);
    if (ahead != AHEAD_EVENT) {
        s_park(self, ahead);
        return false;
    }
    if (self->is_catching_up || self->is_rendering)
        s_unpark(self); /* it was asked before its turn */
    item->bytes = group_render(self->group, event, page);
    item->seq = event->seq;
    item->cursor = event->cursor;
    self->cursor = event->seq;
    metric_inc(self->group->stream->feed->metrics.deliveries);
    return true;
}

void subscriber_again(subscriber_t *self)
{
    if (!self->is_active)
        return;
    s_unpark(self);
    feed_wake_one(self);
}

bool subscriber_is_active(const subscriber_t *self)
{
    return self->is_active;
}

/* ---- spans: many take the same ---- */

void subscriber_begin_span(const subscriber_t *self, feed_span_t *span)
{
    const group_t *group = self->group;
    bool is_plain = self->is_active && group->rendering == NULL && !self->is_catching_up;
    *span = (feed_span_t){.group = is_plain ? group : NULL, .from = self->cursor};
}

void subscriber_end_span(const subscriber_t *self, feed_span_t *span, size_t count, bool is_cut)
{
    bool is_at_end = self->cursor == ring_last(&self->group->stream->ring);
    span->to = self->cursor;
    span->count = count;
    if (count == 0 || self->end != END_NONE || (!is_cut && !is_at_end))
        span->group = NULL;
}

bool subscriber_repeat(subscriber_t *self, const feed_span_t *span, bool *is_all)
{
    group_t *group = self->group;
    const stream_t *stream = group->stream;
    /* A revoke may end this one, though it did not end the other. */
    if (group != span->group || self->cursor != span->from || !self->is_active ||
        self->end != END_NONE || self->is_catching_up || stream->end != END_NONE ||
        span->from + 1 < stream->ring.first || stream->revoked > span->from)
        return false;
    self->cursor = span->to;
    metric_add(stream->feed->metrics.deliveries, (int64_t)span->count);
    *is_all = span->to == ring_last(&stream->ring);
    if (*is_all)
        s_park(self, AHEAD_NOTHING);
    return true;
}

void feed_unsubscribe(subscriber_t **self_p)
{
    subscriber_t *self = *self_p;
    *self_p = NULL;
    if (self != NULL)
        s_free(self);
}
