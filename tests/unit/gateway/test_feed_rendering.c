/* Events whose rendering needs calls to services: once for a group, in order, and whoever waits
 * costs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "feed_world.h"
#include "gateway/feed/feed_internal.h"

enum { READERS = 600, SEEN_MAX = 2048 };

typedef struct {
    subscriber_t *subscriber;
    bool is_active, is_ended, takes_nothing;
    err_code_t end;
    uint64_t seqs[SEEN_MAX];
    size_t count;
    size_t failed;  /* with an error */
    char last[128]; /* what came behind the cursor */
} reader_t;

static feed_t *s_feed;
static reader_t s_readers[READERS];

static void s_take(reader_t *self)
{
    feed_item_t item;
    while (subscriber_next(self->subscriber, &item)) {
        assert_true(self->count < SEEN_MAX);
        self->seqs[self->count++] = item.seq;
        char text[256];
        snprintf(text, sizeof text, "%.*s", (int)shared_bytes_size(item.bytes),
                 shared_bytes_data(item.bytes));
        const char *cursor = strstr(text, item.cursor);
        assert_non_null(cursor);
        snprintf(self->last, sizeof self->last, "%s", cursor + strlen(item.cursor));
        self->failed += strchr(self->last, '!') != NULL;
    }
}

static void s_on_active(void *arg)
{
    ((reader_t *)arg)->is_active = true;
}

static void s_on_ready(void *arg)
{
    reader_t *self = arg;
    if (!self->takes_nothing)
        s_take(self);
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    reader_t *self = arg;
    (void)message;
    self->is_ended = true;
    self->end = code;
    self->subscriber = NULL;
}

static const subscriber_vtable_t s_vtable = {
    .on_active = s_on_active, .on_ready = s_on_ready, .on_end = s_on_end};

/* All that was committed until now is behind it; after: from there on. */
static reader_t *
s_subscribe_to(int stream, int index, const char *types, const char *who, int after)
{
    reader_t *self = &s_readers[index];
    gql_execution_t *execution = world_execution(types);
    feed_subscription_t subscription = {.service = "store",
                                        .stream = world.streams[stream].name,
                                        .epoch = world.epoch,
                                        .start = after >= 0 ? FEED_START_AFTER : FEED_START_LIVE,
                                        .start_value = after >= 0 ? (uint64_t)after : 0,
                                        .handle = who,
                                        .identity = {who, strlen(who)}};
    feed_unsubscribe(&self->subscriber);
    memset(self, 0, sizeof *self);
    self->subscriber = feed_subscribe(s_feed, &subscription, &execution, &s_vtable, self);
    return self;
}

static reader_t *s_subscribe(int index, const char *types, const char *who)
{
    return s_subscribe_to(0, index, types, who, -1);
}

static void s_expect(const reader_t *self, uint64_t from, uint64_t to)
{
    assert_int_equal(self->count, to - from + 1);
    for (size_t i = 0; i < self->count; i++)
        assert_int_equal(self->seqs[i], from + i);
}

static void s_commit(int count)
{
    for (int i = 0; i < count; i++)
        world_commit(0, 'a', ' ', 0);
}

static void s_deliver_all(void)
{
    while (world.instances[0].frame_count > 0)
        world_deliver(0, 0, false);
    world_settle(50);
}

static void s_open_with(const feed_limits_t *limits)
{
    world_open();
    memset(s_readers, 0, sizeof s_readers);
    s_feed = world_feed(limits);
    world_set_up(0, true);
}

static int s_setup(void **state)
{
    (void)state;
    s_open_with(NULL);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < READERS; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    assert_int_equal(metric_value(s_feed->metrics.rendering), 0);
    feed_destroy(&s_feed);
    world_close();
    return 0;
}

/* ---- */

static void s_test_once(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada"), *b = s_subscribe(1, "@a", "ada");
    reader_t *c = s_subscribe(2, "@a", "bob"), *plain = s_subscribe(3, "a", "ada");
    reader_t *other = s_subscribe(4, "a", "bob");
    world_flow();
    assert_int_equal(feed_counts(s_feed).groups, 3); /* ada's, bob's, and all who need no call */
    s_commit(1);
    s_deliver_all();
    assert_int_equal(world.calls, 2);
    assert_true(plain->count == 1 && other->count == 1 && a->count == 0 && c->count == 0);
    world_flow();
    s_expect(a, 1, 1);
    s_expect(b, 1, 1);
    s_expect(c, 1, 1);
    assert_string_equal(a->last, " ada");
    assert_string_equal(b->last, " ada");
    assert_string_equal(c->last, " bob");
    assert_int_equal(world.calls, 2);
    s_commit(20);
    world_flow();
    s_expect(a, 1, 21);
    s_expect(c, 1, 21);
    assert_int_equal(world.calls, 42);
    assert_int_equal(world.calls_most, 2); /* one event of a group at a time */
    reader_t *resumed = s_subscribe_to(0, 5, "@a", "ada", 10);
    world_flow();
    s_expect(resumed, 11, 21); /* as it was rendered */
    assert_int_equal(world.calls, 42);
}

/* The service is slow: the later events of its groups wait, others do not. */
static void s_test_slow(void **state)
{
    (void)state;
    reader_t *slow = s_subscribe(0, "@a", "ada"), *plain = s_subscribe(1, "a", "ada");
    reader_t *elsewhere = s_subscribe_to(1, 2, "@a", "ada", -1);
    world_flow();
    s_commit(1);
    s_deliver_all();
    assert_int_equal(world_request_count(), 1);
    for (int i = 0; i < 150; i++) {
        s_commit(10);
        s_deliver_all();
    }
    s_expect(plain, 1, 1501);
    assert_int_equal(slow->count, 0);
    assert_int_equal(world_request_count(), 1); /* nothing grows */
    world_commit(1, 'a', ' ', 0);
    s_deliver_all();
    assert_int_equal(world_request_count(), 2);
    assert_true(world_answer(1));
    world_settle(50);
    s_expect(elsewhere, 1, 1);
    const stream_t *stream = stream_find(s_feed, "store", world.streams[0].name);
    assert_int_equal(stream->ring.count, 1024);
    for (int i = 0; i < 20; i++)
        world_flow(); /* behind the ring: by pages, then the ring again */
    s_expect(slow, 1, 1501);
    assert_true(world.replays > 0);
    assert_int_equal(slow->failed, 0);
    assert_int_equal(world.calls, 1502);
    assert_int_equal(feed_counts(s_feed).catching_up, 0);
}

static void s_test_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++)
        world_commit(0, i % 3 == 0 ? 'b' : 'a', ' ', -1);
    reader_t *a = s_subscribe_to(0, 0, "@b", "ada", 0), *b = s_subscribe_to(0, 1, "@b", "ada", 300);
    for (int i = 0; i < 10; i++)
        world_flow();
    assert_int_equal(a->count, 200);
    assert_int_equal(b->count, 100);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(a->seqs[i], 3 * i + 1);
    assert_string_equal(b->last, " ada");
    assert_int_equal(world.calls, 200); /* whoever comes first */
}

static void s_test_error(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada");
    world_flow();
    world.fails_with = "NOT_FOUND";
    s_commit(1);
    world_flow();
    assert_string_equal(a->last, " !NOT_FOUND");
    world.fails_with = NULL;
    world.holes = 2;
    s_commit(1);
    world_flow();
    assert_string_equal(a->last, " ada ada");
    world.holes = 0; /* its parent was null: nothing to ask for */
    s_commit(300);
    world_flow();
    assert_string_equal(a->last, "");
    s_expect(a, 1, 302);
    assert_int_equal(world.calls, 3);
}

/* Nobody is there: an error after the deadline; soon, as long as that lasts; and whoever reads the
 * event later, when the service is back, gets it whole. */
static void s_test_away(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada"), *b = s_subscribe(1, "@a", "bob");
    world_flow();
    s_commit(1);
    world_flow();
    world.holds_calls = true;
    s_commit(5);
    s_deliver_all();
    world_pass(9900);
    s_expect(a, 1, 1);
    world_pass(100);
    s_expect(a, 1, 2);
    assert_string_equal(a->last, " !UNAVAILABLE");
    world_pass(1000); /* 4 × 200 ms */
    s_expect(a, 1, 6);
    s_expect(b, 1, 6);
    assert_int_equal(a->failed, 5);
    world.holds_calls = false;
    s_commit(1);
    world_flow();
    s_expect(a, 1, 7);
    assert_string_equal(a->last, " ada");
    reader_t *resumed = s_subscribe_to(0, 2, "@a", "ada", 0);
    world_flow();
    s_expect(resumed, 1, 7);
    assert_int_equal(resumed->failed, 0);
    world.holds_calls = true; /* it has its whole deadline again */
    s_commit(1);
    s_deliver_all();
    world_pass(9900);
    s_expect(a, 1, 7);
    world.holds_calls = false;
    world_flow();
    s_expect(a, 1, 8);
    assert_int_equal(a->failed, 5);
}

/* An event for 600 identities: so many calls are not under way at once. */
static void s_test_window(void **state)
{
    (void)state;
    for (int i = 0; i < READERS; i++) {
        char who[16];
        snprintf(who, sizeof who, "u%d", i);
        s_subscribe(i, "@a", who);
    }
    world_flow();
    s_commit(2);
    s_deliver_all();
    assert_int_equal(world.calls_under_way, FEED_RENDER_CALLS_MAX);
    for (int i = 0; i < 300; i++) { /* who leaves makes room */
        feed_unsubscribe(&s_readers[i].subscriber);
        assert_true(world.calls_under_way <= FEED_RENDER_CALLS_MAX);
    }
    assert_int_equal(world.calls_under_way, FEED_RENDER_CALLS_MAX);
    world_flow();
    for (int i = 300; i < READERS; i++) {
        char who[16];
        snprintf(who, sizeof who, " u%d", i);
        s_expect(&s_readers[i], 1, 2);
        assert_string_equal(s_readers[i].last, who);
    }
    assert_int_equal(world.calls_most, FEED_RENDER_CALLS_MAX);
    assert_int_equal(world.calls_under_way, 0);
}

static void s_test_leaving(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada"), *b = s_subscribe(1, "@a", "ada");
    world_flow();
    s_commit(3);
    s_deliver_all();
    feed_unsubscribe(&a->subscriber); /* the other one waits on */
    assert_int_equal(world.calls_under_way, 1);
    world_flow();
    s_expect(b, 1, 3);
    s_commit(1);
    s_deliver_all();
    assert_int_equal(world.calls_under_way, 1);
    feed_unsubscribe(&b->subscriber); /* and nobody does */
    assert_int_equal(world.calls_under_way, 0);
    assert_int_equal(world_executions(), 0);
    world_flow();
    /* Of one whose second call waits for its turn none is begun. */
    world.holes = 2;
    for (int i = 0; i < 129; i++) {
        char who[16];
        snprintf(who, sizeof who, "u%d", i);
        s_subscribe(i, "@a", who);
    }
    world_flow();
    s_commit(1);
    s_deliver_all();
    size_t calls = world.calls;
    assert_int_equal(world.calls_under_way, FEED_RENDER_CALLS_MAX);
    for (int i = 0; i < 129; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    assert_int_equal(world.calls_under_way, 0);
    assert_int_equal(world.calls, calls + 2); /* the last one's, when the first one left */
}

/* One who reads old events does not keep the one who reads the newest ones waiting, nor the other
 * way round. */
static void s_test_fair(void **state)
{
    (void)state;
    reader_t *new = s_subscribe(0, "@a", "ada");
    world_flow();
    new->takes_nothing = true;
    s_commit(100);
    s_deliver_all();
    feed_unsubscribe(&new->subscriber);
    new = s_subscribe(0, "@a", "ada");
    reader_t *old = s_subscribe_to(0, 1, "@a", "ada", 0);
    reader_t *middle = s_subscribe_to(0, 2, "@a", "ada", 50);
    while (!new->is_active) {
        world_turn();
        world_answer(0);
    }
    s_commit(20);
    s_deliver_all();
    size_t calls = world.calls;
    while (new->count < 20 && world.calls - calls < 100) {
        assert_true(world_answer(0));
        world_settle(50);
    }
    assert_true(world.calls - calls <= 3 * 20 + 3);
    assert_true(old->count >= 15 && middle->count >= 15);
    world_flow();
    s_expect(new, 101, 120);
}

/* So little room that what one group rendered pushes out the other's: each goes on. */
static void s_test_little_room(void **state)
{
    (void)state;
    feed_destroy(&s_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 300; /* an event and what is rendered of it */
    limits.ring_events = 4;
    s_feed = world_feed(&limits);
    for (int i = 0; i < 6; i++) {
        char who[16];
        snprintf(who, sizeof who, "u%d", i % 3);
        s_subscribe(i, "@a", who);
    }
    world_flow();
    for (int i = 0; i < 100; i++) {
        s_commit(3);
        s_deliver_all();
        world_answer(0);
    }
    for (int i = 0; i < 60; i++)
        world_flow();
    for (int i = 0; i < 6; i++)
        s_expect(&s_readers[i], 1, 300);
    const stream_t *stream = stream_find(s_feed, "store", world.streams[0].name);
    assert_true(stream->rendered_bytes <= 2 * 300);
}

/* A revoke meets one whose event is being rendered: what is before it is taken, nothing behind. */
static void s_test_revoke(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada"), *b = s_subscribe(1, "@a", "bob");
    world_flow();
    s_commit(2);
    world_commit(0, 'R', 'x', 0);
    s_commit(1);
    s_deliver_all();
    a->subscriber->handle = identity_hash("x", 1);
    world_flow();
    assert_true(a->is_ended);
    assert_int_equal(a->end, ERR_FORBIDDEN);
    s_expect(a, 1, 2);
    assert_int_equal(b->count, 3);
}

/* The log is another one while an event is rendered: it is taken, then the subscription ends. */
static void s_test_epoch(void **state)
{
    (void)state;
    reader_t *a = s_subscribe(0, "@a", "ada");
    world_flow();
    s_commit(2);
    s_deliver_all();
    snprintf(world.announced, sizeof world.announced, "1111111111111111");
    world_tell_change();
    world_settle(50);
    assert_false(a->is_ended);
    world_flow();
    s_expect(a, 1, 2);
    assert_true(a->is_ended);
    assert_int_equal(a->end, ERR_CURSOR_EXPIRED);
}

#define RENDERING_TEST(fn) cmocka_unit_test_setup_teardown(fn, s_setup, s_teardown)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        RENDERING_TEST(s_test_once),        RENDERING_TEST(s_test_slow),
        RENDERING_TEST(s_test_pages),       RENDERING_TEST(s_test_error),
        RENDERING_TEST(s_test_away),        RENDERING_TEST(s_test_window),
        RENDERING_TEST(s_test_leaving),     RENDERING_TEST(s_test_fair),
        RENDERING_TEST(s_test_little_room), RENDERING_TEST(s_test_revoke),
        RENDERING_TEST(s_test_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
