/* gateway/feed/feed.h: the log fan-out. A stream keeps one ring of recent events; subscribers with
 * the same document, variables and rights form a group, for which an event is rendered once; a
 * subscriber is a cursor. Pull: nothing is queued for a subscriber, whoever cannot take costs
 * nothing, whoever falls behind the ring catches up by REPLAY at its own pace. Loop thread only. It
 * knows no socket: it hands events to whom it was given. */
#ifndef PARLEY_GATEWAY_FEED_FEED_H
#define PARLEY_GATEWAY_FEED_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/shared_bytes.h"
#include "gateway/bus/services.h"
#include "gateway/graphql/graphql.h"

typedef struct feed feed_t;
typedef struct subscriber subscriber_t;

typedef struct {
    uint32_t ring_events;  /* 1,024 a stream */
    size_t ring_bytes;     /* 4 MiB a stream … */
    size_t rings_bytes;    /* … and 256 MiB of all: with many streams each keeps its share */
    uint32_t slice;        /* 256 subscribers between two looks at the sockets */
    uint32_t rest_each_us; /* 100 for each of its subscribers, … */
    uint32_t rest_max_ms;  /* … at most 100: a group's rest between events that come quickly */
    uint32_t idle_ms;      /* 30,000: an unused stream is unsubscribed after that */
    uint32_t call_ms;      /* 10,000: deadline of a call that an event's rendering needs */
} feed_limits_t;

extern const feed_limits_t FEED_LIMITS_DEFAULT;

/* limits NULL: the defaults. loop and services outlive it. */
feed_t *feed_new(loop_t *loop, services_t *services, const feed_limits_t *limits);
/* Every subscriber was unsubscribed or has ended before. */
void feed_destroy(feed_t **self_p);

/* Called from the loop, never from inside feed_subscribe or feed_unsubscribe. */
typedef struct {
    /* The subscription is live from here on (proto/bus.md 7): acknowledge it. Once, before anything
     * is delivered. */
    void (*on_active)(void *arg);
    /* There is something to take and the subscriber is not marked as waiting: take with
     * subscriber_next until it says false or the socket is full. May unsubscribe. */
    void (*on_ready)(void *arg);
    /* It is over (CURSOR_EXPIRED, FORBIDDEN, UNAVAILABLE, …); what was before is still taken first.
     * The subscriber is invalid after this call, which is the last: do not unsubscribe. */
    void (*on_end)(void *arg, err_code_t code, const char *message);
} subscriber_vtable_t;

typedef struct {
    const char *service;
    const char *stream;
    const char *epoch;
    enum { FEED_START_LIVE, FEED_START_AFTER, FEED_START_LAST } start;
    uint64_t start_value; /* seq, or number of events */
    bool has_head;
    uint64_t head;      /* if has_head: the stream's last seq when the right was granted */
    const char *rights; /* part of the group: equal rights see equal events; "" if all do */
    const char *handle; /* whom a revoke ends that names a handle; NULL: no such one does */
    const char *sub;    /* the same for one that names a `sub` */
    /* Who asks, for calls that an event's rendering needs (proto/bus.md 4.1, without claims), or
     * empty. Groups that need calls are of one identity. */
    json_slice_t identity;
} feed_subscription_t;

/* The service's answer to Subscription.x (proto/bus.md 4.4) read into out, whose strings live in
 * arena. ERR_INTERNAL if it is none. */
err_code_t
feed_read_source(arena_t *arena, json_slice_t answer, feed_subscription_t *out, err_t *err);

/* Adds a subscriber. Takes *execution_p (the group keeps the first one, others are destroyed).
 * Strings are copied or shared. Never NULL. */
subscriber_t *feed_subscribe(feed_t *self,
                             const feed_subscription_t *subscription,
                             gql_execution_t **execution_p,
                             const subscriber_vtable_t *vtable,
                             void *arg);
/* Ends it silently; leaves NULL; accepts NULL in *self_p. */
void feed_unsubscribe(subscriber_t **self_p);

/* One event, rendered for this subscriber's group: {"data":{…},"extensions":{"cursor":"…"}}.
 * Borrowed until the loop's turn ends; take a reference to keep it (a frame sent in part). */
typedef struct {
    shared_bytes_t *bytes;
    uint64_t seq;
    const char *cursor; /* NUL-terminated, 34 characters; borrowed like bytes */
} feed_item_t;

/* The next event behind the cursor, which moves on; false if there is none now (on_ready will
 * come). Whoever stops before false (socket full) goes on by himself when his socket is writable
 * again, with no call in between: a subscriber that does not take costs nothing. */
bool subscriber_next(subscriber_t *self, feed_item_t *item);
/* Asks for on_ready again in this or the next turn, for one who stopped although his socket was not
 * full. */
void subscriber_again(subscriber_t *self);
bool subscriber_is_active(const subscriber_t *self);

/* What a subscriber took between two places, for others of its group who are where it was: they
 * take the same bytes. Good while nothing else happens to the feed. */
typedef struct {
    const void *group; /* NULL: nothing that could be repeated */
    uint64_t from, to;
    size_t count; /* of events */
} feed_span_t;

/* It begins where the subscriber is. */
void subscriber_begin_span(const subscriber_t *self, feed_span_t *span);
/* It ends where the subscriber is, who has taken count events since then, until subscriber_next
 * said false or, if is_cut, for some other reason. */
void subscriber_end_span(const subscriber_t *self, feed_span_t *span, size_t count, bool is_cut);
/* Takes all of the span at once, if that is what subscriber_next would give. *is_all: that was all
 * there is (as if subscriber_next had said false). */
bool subscriber_repeat(subscriber_t *self, const feed_span_t *span, bool *is_all);

/* For metrics. */
typedef struct {
    size_t streams, groups, subscribers, catching_up;
} feed_counts_t;
feed_counts_t feed_counts(const feed_t *self);

#endif
