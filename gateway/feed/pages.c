#include <stdlib.h>

#include "common/bus_record.h"
#include "gateway/feed/feed_internal.h"

/* ---- pages ---- */

event_t *pages_find(stream_t *stream, uint64_t seq, page_t **page_p)
{
    for (list_node_t *node = stream->pages.next; node != &stream->pages; node = node->next) {
        page_t *page = LIST_ITEM(node, page_t, node);
        if (seq < page->first || seq - page->first >= page->count)
            continue;
        list_remove(&page->lru);
        list_append(&stream->feed->pages, &page->lru);
        page->is_used = true;
        *page_p = page;
        return page->events[seq - page->first];
    }
    return NULL;
}

void pages_destroy(page_t *page)
{
    feed_t *feed = page->stream->feed;
    feed->pages_bytes -= page->bytes;
    list_remove(&page->node);
    list_remove(&page->lru);
    for (uint32_t i = 0; i < page->count; i++)
        event_bury(&page->events[i], &feed->graves);
    free(page);
}

/* Gives back the longest unused ones, but never `kept`. */
static void s_make_room(feed_t *feed, const page_t *kept)
{
    while (feed->pages_bytes > FEED_PAGES_BYTES) {
        page_t *page = LIST_ITEM(list_first(&feed->pages), page_t, lru);
        if (page == kept)
            return;
        pages_destroy(page);
    }
}

void pages_sweep(void *arg)
{
    feed_t *feed = arg;
    list_node_t *next;
    for (list_node_t *node = feed->pages.next; node != &feed->pages; node = next) {
        page_t *page = LIST_ITEM(node, page_t, lru);
        next = node->next;
        if (!page->is_used)
            pages_destroy(page);
        else
            page->is_used = false;
    }
    if (!list_is_empty(&feed->pages))
        alarm_set(feed->alarms, &feed->pages_alarm, FEED_PAGE_IDLE_MS);
}

void pages_account(page_t *page, size_t bytes)
{
    feed_t *feed = page->stream->feed;
    page->bytes += bytes;
    feed->pages_bytes += bytes;
    s_make_room(feed, page);
    if (feed->pages_bytes <= FEED_PAGES_BYTES)
        return;
    /* Many groups read this one page: it is rendered again for those who come back to it. */
    size_t dropped = 0;
    for (uint32_t i = 0; i < page->count; i++)
        dropped += event_drop_all_rendered(page->events[i], &feed->graves);
    page->bytes -= dropped;
    feed->pages_bytes -= dropped;
}

void pages_add(stream_t *stream, const replay_answer_t *answer)
{
    if (answer->count == 0)
        return;
    page_t *page = calloc(1, sizeof *page + answer->count * sizeof(event_t *));
    if (page == NULL)
        abort();
    page->stream = stream;
    page->is_used = true;
    page->first = answer->events[0].seq;
    page->count = (uint32_t)answer->count;
    size_t bytes = sizeof *page;
    for (size_t i = 0; i < answer->count; i++) {
        const replay_event_t *event = &answer->events[i];
        page->events[i] =
            event_new(&stream->base, event->seq, event->is_revoke, event->type, event->payload);
        bytes += event_cost(page->events[i]) + sizeof(event_t *);
    }
    list_prepend(&stream->pages, &page->node);
    list_append(&stream->feed->pages, &page->lru);
    if (!alarm_is_set(&stream->feed->pages_alarm))
        alarm_set(stream->feed->alarms, &stream->feed->pages_alarm, FEED_PAGE_IDLE_MS);
    pages_account(page, bytes);
}

void pages_drop_group(stream_t *stream, uint32_t index)
{
    for (list_node_t *node = stream->pages.next; node != &stream->pages; node = node->next) {
        page_t *page = LIST_ITEM(node, page_t, node);
        for (uint32_t i = 0; i < page->count; i++) {
            size_t size = event_drop_rendered(page->events[i], index, &stream->feed->graves);
            page->bytes -= size;
            stream->feed->pages_bytes -= size;
        }
    }
}

/* ---- requests ---- */

static page_request_t *s_request_of(replay_t *replay)
{
    return LIST_ITEM(replay, page_request_t, replay);
}

static void s_destroy_request(page_request_t *self)
{
    feed_t *feed = self->replay.stream->feed;
    replay_cancel(&self->replay);
    alarm_clear(feed->alarms, &self->retry);
    feed_wake(feed, &self->waiters, true);
    list_remove(&self->node);
    free(self);
}

static void s_retry_request(page_request_t *self)
{
    alarm_set(self->replay.stream->feed->alarms, &self->retry, feed_backoff_ms(self->failures++));
}

static void s_end_waiters(list_t *waiters, end_t end)
{
    for (list_node_t *node = waiters->next; node != waiters; node = node->next)
        LIST_ITEM(node, subscriber_t, node)->end = (uint8_t)end;
}

static void s_on_page(replay_t *replay, const replay_answer_t *answer, err_code_t failure)
{
    page_request_t *self = s_request_of(replay);
    stream_t *stream = replay->stream;
    if (answer == NULL && failure == ERR_CURSOR_EXPIRED) {
        s_end_waiters(&self->waiters, END_EXPIRED);
        s_destroy_request(self);
        return;
    }
    epoch_match_t match = answer != NULL ? stream_match_epoch(stream, answer->epoch) : EPOCH_STALE;
    if (match == EPOCH_NEW)
        return; /* the stream has ended, and this request with it */
    if (match == EPOCH_STALE) {
        s_retry_request(self);
        return;
    }
    if (answer->first > stream->first_kept)
        stream->first_kept = answer->first;
    if (answer->count == 0 && answer->first <= replay->after + 1) {
        heads_want(stream, false); /* there should be something: has the log gone back? */
        s_retry_request(self);
        return;
    }
    pages_add(stream, answer);
    s_destroy_request(self); /* its waiters come before all others, while the page is there */
}

static void s_on_retry_request(void *arg)
{
    page_request_t *self = arg;
    if (list_is_empty(&self->waiters))
        s_destroy_request(self);
    else
        replay_start(&self->replay, false);
}

/* Where to begin so that others can share the page: at a multiple of FEED_PAGE_EVENTS, or where a
 * page that was cut short ends. */
static uint64_t s_begin(const stream_t *stream, uint64_t cursor)
{
    uint64_t after = cursor - cursor % FEED_PAGE_EVENTS;
    for (list_node_t *node = stream->pages.next; node != &stream->pages; node = node->next) {
        const page_t *page = LIST_ITEM(node, page_t, node);
        uint64_t last = page->first + page->count - 1;
        if (last > after && last <= cursor)
            after = last;
    }
    return after;
}

static page_request_t *s_new_request(stream_t *stream, uint64_t cursor)
{
    page_request_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    list_init(&self->waiters);
    list_init(&self->replay.node);
    alarm_init(&self->retry, s_on_retry_request, self);
    self->replay.stream = stream;
    self->replay.after = s_begin(stream, cursor);
    self->replay.limit = FEED_PAGE_EVENTS - (uint32_t)(self->replay.after % FEED_PAGE_EVENTS);
    self->replay.fn = s_on_page;
    list_append(&stream->page_requests, &self->node);
    replay_start(&self->replay, false);
    return self;
}

void pages_wait(subscriber_t *subscriber)
{
    stream_t *stream = subscriber->group->stream;
    uint64_t cursor = subscriber->cursor;
    page_request_t *found = NULL;
    for (list_node_t *node = stream->page_requests.next; node != &stream->page_requests;
         node = node->next) {
        page_request_t *request = LIST_ITEM(node, page_request_t, node);
        if (cursor >= request->replay.after &&
            cursor - request->replay.after < request->replay.limit)
            found = request;
    }
    if (found == NULL)
        found = s_new_request(stream, cursor);
    list_append(&found->waiters, &subscriber->node);
}

/* ---- seeks: where do the newest n events begin? ---- */

static void s_destroy_seek(seek_t *self)
{
    feed_t *feed = self->replay.stream->feed;
    replay_cancel(&self->replay);
    alarm_clear(feed->alarms, &self->retry);
    feed_wake(feed, &self->waiters, true);
    list_remove(&self->node);
    group_unuse(self->group);
    free(self);
}

/* Never beyond the place where its right was granted: there may be a revoke behind it. */
static void s_place(subscriber_t *subscriber, uint64_t cursor)
{
    subscriber->start = FEED_START_AFTER;
    subscriber->cursor =
        subscriber->is_bounded && cursor > subscriber->granted ? subscriber->granted : cursor;
}

static void s_finish_seek(seek_t *self, uint64_t cursor)
{
    for (list_node_t *node = self->waiters.next; node != &self->waiters; node = node->next)
        s_place(LIST_ITEM(node, subscriber_t, node), cursor);
    s_destroy_seek(self);
}

/* Counts from the newest of the answer downwards. True if the last wanted one was found: *cursor is
 * before it. */
static bool s_count_taken(seek_t *self, const replay_answer_t *answer, uint64_t *cursor)
{
    for (size_t i = answer->count; i > 0; i--) {
        const replay_event_t *event = &answer->events[i - 1];
        if (event->is_revoke ||
            !gql_execution_takes(self->group->execution, event->type.data, event->type.size))
            continue;
        if (--self->left == 0) {
            *cursor = event->seq - 1;
            return true;
        }
    }
    return false;
}

/* The next older events, or the end if there are none. */
static void s_seek_further(seek_t *self, uint64_t first)
{
    if (self->low <= first || self->seen >= FEED_SEEK_EVENTS ||
        ++self->rounds >= FEED_SEEK_ROUNDS) {
        s_finish_seek(self, self->low - 1);
        return;
    }
    uint64_t most = self->low - first;
    uint64_t step = self->step < most ? self->step : most;
    self->replay.last = 0;
    self->replay.limit = (uint32_t)step;
    self->replay.after = self->low - 1 - step;
    replay_start(&self->replay, false);
}

static void s_on_found(replay_t *replay, const replay_answer_t *answer, err_code_t failure)
{
    seek_t *self = LIST_ITEM(replay, seek_t, replay);
    stream_t *stream = replay->stream;
    uint64_t cursor;
    (void)failure; /* all are tried again: the service has granted the subscription */
    if (list_is_empty(&self->waiters)) {
        s_destroy_seek(self);
        return;
    }
    epoch_match_t match = answer != NULL ? stream_match_epoch(stream, answer->epoch) : EPOCH_STALE;
    if (match == EPOCH_NEW)
        return;
    if (match == EPOCH_STALE) {
        alarm_set(stream->feed->alarms, &self->retry, feed_backoff_ms(self->failures++));
        return;
    }
    if (answer->first > stream->first_kept)
        stream->first_kept = answer->first;
    if (self->low == 0)
        self->low = answer->head + 1;
    pages_add(stream, answer); /* its subscribers want them next */
    bool is_whole = answer->count > 0 && answer->events[answer->count - 1].seq == self->low - 1;
    if (!is_whole) { /* cut short at its upper end: ask for less */
        uint32_t less = (uint32_t)(answer->count / 2);
        self->step = less > 0 ? less : 1;
    } else if (s_count_taken(self, answer, &cursor)) {
        s_finish_seek(self, cursor);
        return;
    } else {
        self->low = answer->events[0].seq;
        self->seen += answer->count;
    }
    s_seek_further(self, answer->first);
}

static void s_on_retry_seek(void *arg)
{
    seek_t *self = arg;
    if (list_is_empty(&self->waiters))
        s_destroy_seek(self);
    else
        replay_start(&self->replay, false);
}

static seek_t *s_new_seek(group_t *group, uint64_t wanted)
{
    stream_t *stream = group->stream;
    seek_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    list_init(&self->waiters);
    list_init(&self->replay.node);
    alarm_init(&self->retry, s_on_retry_seek, self);
    group->uses++;
    self->group = group;
    self->wanted = wanted;
    self->left = wanted;
    self->step = FEED_REPLAY_EVENTS;
    self->replay.stream = stream;
    self->replay.last = wanted < BUS_REPLAY_MAX ? (uint32_t)wanted : BUS_REPLAY_MAX;
    self->replay.limit = self->replay.last;
    self->replay.fn = s_on_found;
    list_append(&stream->seeks, &self->node);
    replay_start(&self->replay, false);
    return self;
}

/* In the ring alone? */
static bool s_seek_in_ring(const subscriber_t *subscriber, uint64_t *cursor)
{
    const stream_t *stream = subscriber->group->stream;
    uint64_t left = subscriber->cursor;
    if (ring_last(&stream->ring) < stream->head)
        return false; /* the newest ones are not there yet */
    for (uint64_t seq = ring_last(&stream->ring); seq >= stream->ring.first; seq--) {
        const event_t *event = ring_at(&stream->ring, seq);
        if (event->is_revoke || !group_takes(subscriber->group, event))
            continue;
        *cursor = seq - 1;
        if (--left == 0)
            return true;
    }
    *cursor = stream->ring.first - 1;
    return stream->ring.first <= stream->first_kept;
}

void pages_seek(subscriber_t *subscriber)
{
    stream_t *stream = subscriber->group->stream;
    uint64_t cursor;
    if (s_seek_in_ring(subscriber, &cursor)) {
        s_place(subscriber, cursor);
        feed_wake_one(subscriber);
        return;
    }
    seek_t *found = NULL;
    for (list_node_t *node = stream->seeks.next; node != &stream->seeks; node = node->next) {
        seek_t *seek = LIST_ITEM(node, seek_t, node);
        if (seek->group == subscriber->group && seek->wanted == subscriber->cursor)
            found = seek;
    }
    if (found == NULL)
        found = s_new_seek(subscriber->group, subscriber->cursor);
    list_append(&found->waiters, &subscriber->node);
}

void pages_close(stream_t *stream)
{
    for (list_node_t *node; (node = list_first(&stream->page_requests)) != NULL;)
        s_destroy_request(LIST_ITEM(node, page_request_t, node));
    for (list_node_t *node; (node = list_first(&stream->seeks)) != NULL;)
        s_destroy_seek(LIST_ITEM(node, seek_t, node));
    for (list_node_t *node; (node = list_first(&stream->pages)) != NULL;)
        pages_destroy(LIST_ITEM(node, page_t, node));
}
