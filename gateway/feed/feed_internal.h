/* gateway/feed/feed_internal.h: what the files of this folder share. Private to it. Who is who:
 *
 *   feed ─▶ service (who of its instances is up) and streams
 *   stream ─▶ ring of events, early ones behind a hole, members (which instances are live for it),
 *             groups, pages of older events, waiting subscribers
 *   group ─▶ one execution, which renders; its waiting subscribers; if rendering needs calls to
 *             services: the rendering, one event at a time, and who waits for it
 *   subscriber ─▶ a cursor, in at most one list: of those who wait for its stream to be live
 *             (pending), for an event (its group's waiting), for its rendering, for a page or a
 *             seek, or who have something to take (the feed's ready). In none: it has stopped by
 *             itself.
 */
#ifndef PARLEY_GATEWAY_FEED_FEED_INTERNAL_H
#define PARLEY_GATEWAY_FEED_FEED_INTERNAL_H

#include "common/cursor.h"
#include "common/list.h"
#include "common/metrics.h"
#include "common/table.h"
#include "gateway/feed/alarms.h"
#include "gateway/feed/event.h"
#include "gateway/feed/feed.h"
#include "gateway/feed/feed_idle.h"
#include "gateway/feed/replay_answer.h"

enum {
    FEED_INSTANCES_MAX = 256,
    FEED_GAP_MS = 20,         /* a hole may close by itself for so long */
    FEED_POKE_MS = 1000,      /* without a head */
    FEED_FIRST_POKE_MS = 300, /* after an instance came up: it may have been connected before */
    FEED_POKES_MAX = 3,       /* then an instance that sent no head at all is connected anew */
    FEED_PENDING_MS = 10000,  /* a subscription waits so long for its stream to be live … */
    FEED_DOUBT_MS = 9000,     /* … and so long for HEADS: less than the deadline of one */
    FEED_SETTLE_MS = 1000,    /* between the two HEADS after a loss */
    FEED_RETRY_MS = 100,      /* first wait after a failed request … */
    FEED_RETRY_MAX_MS = 2000, /* … and the longest */
    FEED_CALL_MS = 10000,     /* deadline of REPLAY and HEADS */
    FEED_REPLAYS_MAX = 8,     /* under way at once to one service */
    FEED_REPLAY_EVENTS = 500, /* that a hole asks for at once */
    FEED_PAGE_EVENTS = 256,   /* pages begin at multiples of it, so that many can share them */
    FEED_PAGES_BYTES = 64 * 1024 * 1024, /* of all pages of all streams */
    FEED_PAGE_IDLE_MS = 5000, /* or twice that after it was last read from, a page is dropped */
    FEED_SEEK_EVENTS = 20000, /* looked at to find the last n that a group takes … */
    FEED_SEEK_ROUNDS = 2000,  /* … in at most so many requests */
    FEED_RING_LEAST_BYTES = 32 * 1024, /* a stream's share of feed_limits_t.rings_bytes */
    FEED_EARLY_MAX = 1024,             /* events kept behind a hole */
    FEED_RENDER_CALLS_MAX = 256,       /* calls of events under way at once to one service */
    FEED_REST_LEAST_MS = 5,            /* what is less is no rest worth a timer */
    FEED_REST_EVENTS = 32,             /* fill a write: nobody rests when there are so many */
    FEED_AWAY_MS = 250, /* deadline of a call to a service that was away the last time */
};

typedef struct stream stream_t;
typedef struct feed_group group_t; /* not struct group: <grp.h> has one */

typedef enum { END_NONE, END_UNAVAILABLE, END_EXPIRED, END_REVOKED } end_t;

struct subscriber {
    list_node_t node;
    group_t *group;
    const subscriber_vtable_t *vtable;
    void *arg;
    uint64_t cursor;      /* the last seq that it has; before it is active, start_value */
    uint64_t handle, sub; /* identity_hash; 0: none */
    uint64_t granted;     /* revokes up to this seq were known when its right was granted */
    uint8_t start;
    uint8_t end;     /* end_t of this one alone */
    bool needs_head; /* where it starts, HEADS shall tell */
    bool is_bounded; /* it starts at `granted` at the latest */
    bool is_active;
    bool is_catching_up; /* waits for a page */
    bool is_rendering;   /* waits for its event's rendering */
};

struct feed_group {
    UT_hash_handle hh;
    stream_t *stream;
    gql_execution_t *execution;
    struct rendering *rendering; /* NULL: needs no calls */
    list_t waiting;
    alarm_t rest; /* set: the waiting ones are woken then */
    int64_t woken_us;
    uint64_t woken_seq;       /* the newest event then */
    size_t uses;              /* subscribers and seeks */
    uint64_t last_taken_gone; /* seq of the newest event that it takes and that left the ring */
    uint32_t index;
    char key[];
};

/* ---- requests to services ---- */

typedef struct replay replay_t;
struct replay {
    list_node_t node; /* in a queue */
    service_call_t *call;
    stream_t *stream;
    uint64_t after;
    uint32_t last, limit;
    /* answer NULL: it failed with this code; try again later or give up. */
    void (*fn)(replay_t *self, const replay_answer_t *answer, err_code_t failure);
};

typedef struct {
    feed_t *feed;
    list_t urgent; /* holes: all subscribers of a stream wait */
    list_t queued; /* pages and seeks */
    size_t in_flight;
    bool is_starting;
    arena_t *arena;
    metric_t *ok, *failed, *waiting_gauge;
} replays_t;

void replays_open(replays_t *self, feed_t *feed);
void replays_close(replays_t *self);
/* It is in no queue and has no call. fn is called later, never from inside. */
void replay_start(replay_t *self, bool is_urgent);
void replay_cancel(replay_t *self);
bool replay_is_under_way(const replay_t *self);

typedef enum { HEADS_NONE, HEADS_WANTED, HEADS_ASKED, HEADS_ASKED_AND_WANTED } heads_state_t;
typedef struct heads_call heads_call_t;

/* A stream's part in HEADS. */
typedef struct {
    list_node_t node; /* in heads_t.wanted */
    heads_state_t state;
    bool is_settled;
    heads_call_t *call; /* of ASKED */
    size_t place;       /* in the call */
    alarm_t retry;
    unsigned failures;
} heads_ticket_t;

typedef struct {
    feed_t *feed;
    list_t wanted;
    list_t calls;
    bool is_sending;
    arena_t *arena;
    metric_t *asked, *failed;
} heads_t;

void heads_open(heads_t *self, feed_t *feed);
void heads_close(heads_t *self);
/* Asks for the stream's head, together with others of this turn; stream_on_heads is told. */
void heads_want(stream_t *stream, bool is_settled);
void heads_ticket_init(stream_t *stream);
void heads_forget(stream_t *stream);

/* ---- pages ---- */

typedef struct {
    list_node_t node; /* in its stream, newest first */
    list_node_t lru;  /* in the feed, longest unused first */
    stream_t *stream;
    uint64_t first;
    uint32_t count;
    bool is_used; /* since pages_sweep came by */
    size_t bytes; /* with what was rendered */
    event_t *events[];
} page_t;

/* A REPLAY for a page, and who waits for it. */
typedef struct {
    list_node_t node; /* in its stream */
    replay_t replay;
    list_t waiters;
    alarm_t retry;
    unsigned failures;
} page_request_t;

/* Looks for the last n events that a group takes. */
typedef struct {
    list_node_t node; /* in its stream */
    replay_t replay;
    list_t waiters;
    alarm_t retry;
    unsigned failures;
    unsigned rounds;
    uint64_t seen;  /* events looked at */
    uint32_t step;  /* events to look at in the next round */
    group_t *group; /* holds a use of it */
    uint64_t wanted;
    uint64_t left; /* to be found yet */
    uint64_t low;  /* all beyond this was looked at; 0: nothing yet */
} seek_t;

/* The event of that seq from a page; NULL if none has it. *page_p is where it lies. */
event_t *pages_find(stream_t *stream, uint64_t seq, page_t **page_p);
/* Puts the subscriber, which is in no list, among those who wait for the page with cursor + 1. */
void pages_wait(subscriber_t *subscriber);
void pages_add(stream_t *stream, const replay_answer_t *answer);
/* What was rendered in it has grown. */
void pages_account(page_t *page, size_t bytes);
void pages_drop_group(stream_t *stream, uint32_t index);
/* Drops pages and requests; those who wait become ready. */
void pages_close(stream_t *stream);
/* Finds where the subscriber's last n events begin; then it becomes ready, with FEED_START_AFTER.
 */
void pages_seek(subscriber_t *subscriber);
void pages_destroy(page_t *page);
/* On the feed's pages_alarm: drops the pages that were not read from since the last time. */
void pages_sweep(void *feed);

/* ---- streams ---- */

/* An instance that a stream has heard from or waits for. */
typedef struct {
    uint32_t instance;
    bool is_live;
    uint8_t pokes;
} member_t;

/* When an instance last sent a head, of any stream. */
typedef struct {
    uint32_t instance;
    int64_t head_us; /* 0: never; or when it was connected anew */
} heard_t;

typedef struct feed_service {
    struct feed_service *next;
    feed_t *feed;
    uint32_t up[FEED_INSTANCES_MAX];
    size_t up_count;
    heard_t heard[FEED_INSTANCES_MAX];
    size_t heard_count;
    alarm_t settle; /* the second HEADS after a loss */
    replays_t replays;
    list_t render_queue; /* calls of events that wait for their turn */
    size_t render_calls; /* under way */
    bool is_away;        /* so ended the last of them */
    char name[];
} feed_service_t;

struct stream {
    UT_hash_handle hh;
    feed_t *feed;
    feed_service_t *service;
    const char *name; /* within key */
    size_t uses;      /* its groups */
    end_t end;        /* not NONE: dead, in no table; lives until nobody uses it */
    bool is_listed;   /* in the feed's table, and subscribed to on the bus */
    /* The log. */
    bool has_epoch;
    bool is_started; /* the ring has its place */
    char epoch[EPOCH_SIZE];
    cursor_base_t base;
    ring_t ring;
    uint64_t head;       /* the highest seq that anybody spoke of */
    uint64_t first_kept; /* what is before is gone from the log; at least 1 */
    uint64_t revoked;    /* seq of the newest revoke that was in the ring */
    uint64_t head_frame; /* highest seq of head frames, before it is started */
    event_t **early;     /* behind a hole, by seq; bounded like the ring */
    size_t early_count, early_capacity, early_bytes;
    size_t rendered_bytes;  /* in the ring */
    uint64_t rendered_from; /* nothing is rendered before this seq */
    /* Who is live. */
    bool is_live;
    member_t *members;
    size_t member_count;
    alarm_t live_alarm;
    int64_t pending_since_us;
    list_t pending;
    list_t doubtful; /* subscribers whose start the head decides: HEADS shall tell it … */
    list_t doubted;  /* … and is being asked */
    int64_t doubtful_since_us;
    /* Holes. */
    alarm_t gap_alarm;
    replay_t gap_replay;
    unsigned gap_failures;
    bool is_in_gap;
    heads_ticket_t heads;
    /* Others. */
    group_t *groups;
    group_t **by_index; /* NULL where free */
    uint32_t index_capacity;
    list_t pages, page_requests, seeks;
    alarm_t idle_alarm;
    char key[]; /* service, newline, name */
};

/* NULL if there is none. */
stream_t *stream_find(feed_t *feed, const char *service, const char *name);
stream_t *stream_new(feed_t *feed, const char *service, const char *name);
/* Nobody uses it any more. */
void stream_destroy(stream_t **self_p);
/* Is this its epoch? Adopts the first one it hears of. If another one is the log's now, the stream
 * ends (and may be freed, if nobody uses it); if the other one is an old one, it is only not
 * matched. */
typedef enum { EPOCH_SAME, EPOCH_STALE, EPOCH_NEW } epoch_match_t;
epoch_match_t stream_match_epoch(stream_t *self, const char *epoch);
void stream_on_event(stream_t *self, const service_event_t *event);
void stream_on_heads(stream_t *self, uint64_t head, uint64_t first, uint64_t known);
/* A service said so when it granted a subscription. */
void stream_raise_head(stream_t *self, uint64_t head);
/* The event of that seq from the ring (*page_p is NULL) or a page; NULL if it is in none. */
event_t *stream_event(stream_t *self, uint64_t seq, page_t **page_p);
void stream_on_instance(stream_t *self, uint32_t instance, bool up);
/* Every instance that is up is live: all beyond the highest head comes by itself (proto/bus.md 7).
 */
void stream_start(stream_t *self);
/* No subscription of it can go on: all end with this when they have taken what is in the ring. */
void stream_expire(stream_t *self, end_t end);
void stream_use(stream_t *self);
void stream_unuse(stream_t *self);
/* Something was rendered for an event in the ring, by the group of that index: keeps all that is
 * rendered, but for this one rendering, below its limit. */
void stream_account(stream_t *self, event_t *event, uint32_t index, size_t bytes);
/* For the wait after `failures` failed requests. */
int64_t feed_backoff_ms(unsigned failures);

/* ---- subscriptions that have not begun: starts.c ---- */

void starts_init(stream_t *stream);
/* The stream ends: they become ready. */
void starts_end(stream_t *stream);
/* A subscriber, which is in no list, waits until its stream is live, or until HEADS tells the head.
 */
void starts_wait_live(subscriber_t *subscriber);
void starts_wait_heads(subscriber_t *subscriber);
/* The instance's subscription is live; it came or went. */
void starts_on_head(stream_t *stream, uint32_t instance);
void starts_on_instance(stream_t *stream, uint32_t instance, bool up);
/* It is gone, for all streams of the service. */
void starts_forget_instance(feed_service_t *service, uint32_t instance);
/* HEADS is about to be sent: its answer settles all doubts that there are now. */
void starts_on_heads_asked(stream_t *stream);
void starts_on_heads(stream_t *stream, uint64_t head);
/* It will be asked again: who has waited too long ends. */
void starts_on_heads_failed(stream_t *stream);

/* ---- subscribers ---- */

/* Zeroed, in no list. */
subscriber_t *subscriber_new(void);

/* ---- groups ---- */

/* Takes *execution_p. One more use. */
group_t *group_get(stream_t *stream, const feed_subscription_t *who, gql_execution_t **execution_p);
void group_unuse(group_t *self);
bool group_takes(const group_t *self, const event_t *event);
/* The event, the stream's newest, is for its waiting subscribers: they become ready. If they are
 * many and were woken a moment ago, a little later, so that one write carries several events: it
 * costs nearly the same. */
void group_wake(group_t *self, const event_t *event);
/* The same at once. */
void group_wake_now(group_t *self);
/* Can group_render be asked for it? If not, rendering_wait is to be. */
bool group_has_rendered(const group_t *self, const event_t *event);
/* The event as this group sees it; page is where it lies (NULL: in the ring). Borrowed. */
shared_bytes_t *group_render(group_t *self, event_t *event, page_t *page);
/* It was rendered elsewhere: keeps it at the event, if that is still there. A reference for the
 * caller. */
shared_bytes_t *group_keep_rendered(group_t *self, uint64_t seq, const buffer_t *text);
/* Whatever was rendered will be rendered again. */
void group_forget_rendered(group_t *self);

/* ---- events whose rendering needs calls ---- */

typedef struct render_call render_call_t;

typedef struct rendering {
    group_t *group;
    list_t waiters;       /* subscribers, longest waiting first */
    list_t calls;         /* of the event under way */
    uint64_t seq;         /* of the event under way; 0: none is */
    shared_bytes_t *last; /* the newest one, until somebody takes it: others may push it out */
    uint64_t last_seq;
    bool is_going_on;
    bool is_lacking;  /* for the event under way a service was away */
    bool has_lacking; /* and for the one before */
    size_t identity_size;
    char identity[];
} rendering_t;

/* The identity is copied. */
rendering_t *rendering_new(group_t *group, json_slice_t identity);
/* Cancels its calls. Nobody waits any more. Accepts NULL in *self_p. */
void rendering_destroy(rendering_t **self_p);
/* The subscriber, which is in no list, becomes ready when the event behind its cursor is rendered.
 */
void rendering_wait(subscriber_t *subscriber);
/* Renders what is waited for, if nothing is under way. */
void rendering_go_on(rendering_t *self);

/* ---- the feed ---- */

struct feed {
    loop_t *loop;
    services_t *services;
    feed_limits_t limits;
    stream_t *streams;
    feed_service_t *service_list;
    list_t ready;
    feed_idle_t *idle;
    subscriber_t *visiting; /* set to NULL by feed_unsubscribe of it */
    alarms_t *alarms;
    graves_t graves;
    heads_t heads;
    list_t pages; /* longest unused first */
    size_t pages_bytes;
    alarm_t pages_alarm; /* set while there are any */
    buffer_t rendering;
    feed_counts_t counts;
    struct {
        metric_t *deliveries, *renders, *gaps_found, *gaps_filled, *events, *repeated, *pokes,
            *reconnects, *went_back, *expired, *ended;
        metric_t *streams, *groups, *subscribers, *catching_up, *rendering;
    } metrics;
};

/* Its turn: it is told what there is, waits, or ends. It may be gone afterwards. */
void subscriber_visit(subscriber_t *self);
feed_service_t *feed_service(feed_t *self, const char *name);
/* They become ready; list is empty then. front: before all others. */
void feed_wake(feed_t *self, list_t *list, bool front);
void feed_wake_one(subscriber_t *subscriber);

#endif
