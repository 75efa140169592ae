/* What the feed keeps is bounded, and goes when nobody needs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "feed_reader.h"
#include "gateway/feed/feed_internal.h"

/* Pages that nobody reads any more do not stay; who comes later has them read again. */
static void s_test_pages_go(void **state)
{
    (void)state;
    static reader_t early, late;
    world_set_up(0, true);
    world_commit_some(600, 'a', -1);
    reader_subscribe(&early, "a", FEED_START_AFTER, 10);
    world_flow();
    reader_expect(&early, 11, 600);
    size_t replays = world.replays;
    assert_true(reader_feed->pages_bytes > 0);
    world_pass(2 * FEED_PAGE_IDLE_MS + 100);
    assert_int_equal(reader_feed->pages_bytes, 0);
    assert_true(list_is_empty(&reader_feed->pages));
    assert_false(alarm_is_set(&reader_feed->pages_alarm));
    reader_subscribe(&late, "a", FEED_START_AFTER, 10);
    world_flow();
    reader_expect(&late, 11, 600);
    assert_true(world.replays > replays);
    feed_unsubscribe(&late.subscriber);
    feed_unsubscribe(&early.subscriber);
}

static void s_test_idle(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    feed_unsubscribe(&reader.subscriber);
    world_pass(29000);
    assert_int_equal(world.streams[0].uses, 1);
    world_commit_some(2, 'a', 0);
    world_flow();
    reader_subscribe(&reader, "a", FEED_START_AFTER, 0);
    world_flow();
    reader_expect(&reader, 1, 2); /* from the warm ring */
    assert_int_equal(world.replays, 0);
    world_pass(31000);
    assert_int_equal(world.streams[0].uses, 1);
    feed_unsubscribe(&reader.subscriber);
    world_pass(31000);
    assert_int_equal(world.streams[0].uses, 0);
    assert_int_equal(feed_counts(reader_feed).streams, 0);
}

static void s_test_ring_bytes(void **state)
{
    (void)state;
    static reader_t fast, slow;
    feed_destroy(&reader_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000; /* some ten events, and of what was rendered */
    reader_feed = world_feed(&limits);
    world_set_up(0, true);
    reader_subscribe(&fast, "a", FEED_START_LIVE, 0);
    reader_subscribe(&slow, "ab", FEED_START_LIVE, 0);
    world_flow();
    slow.most = 1;
    for (int i = 0; i < 500; i++) {
        world_commit_some(1, 'a', 0);
        world_flow();
        if (i % 3 == 0 && slow.readies > 0)
            reader_take(&slow);
    }
    const stream_t *stream = stream_find(reader_feed, "store", world.streams[0].name);
    assert_true(stream->ring.count < 20 && stream->ring.bytes <= 2000);
    assert_true(stream->rendered_bytes <= 2000);
    reader_expect(&fast, 1, 500);
    slow.most = 0;
    while (slow.count < 500) {
        reader_take(&slow);
        world_flow();
    }
    reader_expect(&slow, 1, 500);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&slow.subscriber);
}

/* What waits behind a hole is bounded like the ring; REPLAY brings what did not fit. */
static void s_test_early_bytes(void **state)
{
    (void)state;
    static reader_t reader;
    feed_destroy(&reader_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000;
    reader_feed = world_feed(&limits);
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    const stream_t *stream = stream_find(reader_feed, "store", world.streams[0].name);
    world_commit_some(1, 'a', -1); /* the hole */
    world_commit_some(200, 'a', 0);
    for (int i = 0; i < 200; i++) {
        world_deliver(0, i % 3 && world.instances[0].frame_count > 1 ? 1 : 0, false);
        size_t held = 0;
        for (size_t k = 0; k < stream->early_count; k++)
            held += event_cost(stream->early[k]);
        assert_int_equal(held, stream->early_bytes);
        assert_true(held <= limits.ring_bytes);
    }
    assert_true(stream->early_count > 5);
    for (int i = 0; i < 10; i++) {
        world_pass(30);
        world_flow();
    }
    reader_expect(&reader, 1, 201);
    assert_int_equal(stream->early_bytes, 0);
    feed_unsubscribe(&reader.subscriber);
}

/* Each with rights of his own: a group for each. */
static void s_subscribe_groups(reader_t *readers, int count, int start)
{
    for (int i = 0; i < count; i++) {
        char rights[16];
        snprintf(rights, sizeof rights, "r%d", i);
        reader_rights = rights;
        reader_subscribe(&readers[i], "a", start, 0);
    }
    reader_rights = "";
}

/* Many groups: what is kept of their renderings, and the tables of them, stays below the limit, and
 * no group keeps the room for a large event. */
static void s_test_many_groups(void **state)
{
    (void)state;
    enum { GROUPS = 1000, EVENTS = 50 };
    static reader_t readers[GROUPS];
    feed_destroy(&reader_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 200000;
    reader_feed = world_feed(&limits);
    world_set_up(0, true);
    s_subscribe_groups(readers, GROUPS, FEED_START_LIVE);
    world_flow();
    assert_int_equal(feed_counts(reader_feed).groups, GROUPS);
    const stream_t *stream = stream_find(reader_feed, "store", world.streams[0].name);
    for (int i = 0; i < EVENTS; i++) {
        world_commit_some(1, 'a', 0);
        world_flow();
        size_t held = 0;
        for (uint64_t seq = stream->ring.first; seq <= ring_last(&stream->ring); seq++) {
            const event_t *event = ring_at(&stream->ring, seq);
            held += event->rendered_bytes;
            assert_true(event->rendered_bytes >= event->rendered_capacity * sizeof(void *));
        }
        assert_int_equal(held, stream->rendered_bytes);
        assert_true(held <= limits.ring_bytes);
    }
    for (int i = 0; i < GROUPS; i++)
        reader_expect(&readers[i], 1, EVENTS);
    assert_int_equal(world.trims, 0);
    /* All renderings of one event are more than that: of old events and of new ones some go. */
    world.padding = 1000;
    for (int i = 0; i < 5; i++) {
        world_commit_some(1, 'a', 0);
        world_flow();
        assert_true(stream->rendered_bytes <= limits.ring_bytes);
    }
    world.padding = 20000;
    world_commit_some(1, 'a', 0);
    world_flow();
    assert_int_equal(world.trims, GROUPS);
    assert_true(stream->rendered_bytes <= limits.ring_bytes);
    for (int i = 0; i < GROUPS; i++)
        feed_unsubscribe(&readers[i].subscriber);
    assert_int_equal(stream->rendered_bytes,
                     ring_at(&stream->ring, ring_last(&stream->ring))->rendered_bytes);
}

/* Many groups read the same older events: one page, whose renderings have a limit, too. */
static void s_test_many_groups_of_a_page(void **state)
{
    (void)state;
    enum { GROUPS = 200, EVENTS = 20 };
    static reader_t readers[GROUPS];
    feed_destroy(&reader_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000;
    reader_feed = world_feed(&limits);
    world_set_up(0, true);
    world.padding = 20000;
    world_commit_some(EVENTS, 'a', -1);
    s_subscribe_groups(readers, GROUPS, FEED_START_AFTER);
    for (int turn = 0; turn < 10 * EVENTS && readers[GROUPS - 1].count < EVENTS; turn++) {
        world_flow();
        assert_true(reader_feed->pages_bytes <= FEED_PAGES_BYTES);
    }
    for (int i = 0; i < GROUPS; i++) {
        reader_expect(&readers[i], 1, EVENTS);
        feed_unsubscribe(&readers[i].subscriber);
    }
}

static void s_test_leaving(void **state)
{
    (void)state;
    static reader_t readers[6];
    world_set_up(0, true);
    world_commit_some(300, 'a', -1);
    reader_subscribe(&readers[0], "a", FEED_START_LIVE, 0);
    feed_unsubscribe(&readers[0].subscriber); /* before its turn */
    feed_unsubscribe(&readers[0].subscriber);
    reader_subscribe(&readers[0], "a", FEED_START_LIVE, 0);
    world_settle(5);
    feed_unsubscribe(&readers[0].subscriber); /* pending */
    reader_subscribe(&readers[1], "a", FEED_START_AFTER, 0);
    reader_subscribe_at(&readers[2], "b", FEED_START_LAST, 5, 300, NULL);
    reader_subscribe(&readers[3], "a", FEED_START_AFTER, 999);
    world_settle(5);
    world_surface(0);
    world_deliver(0, 0, false);
    world_settle(5);
    assert_int_equal(world_request_count(), 3);
    for (int i = 1; i < 4; i++)
        feed_unsubscribe(&readers[i].subscriber); /* while it waits for an answer */
    world_flow();
    for (int i = 1; i < 4; i++)
        assert_int_equal(readers[i].count, 0);
    assert_int_equal(world_executions(), 0);
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        READER_TEST(s_test_pages_go),    READER_TEST(s_test_idle),
        READER_TEST(s_test_ring_bytes),  READER_TEST(s_test_early_bytes),
        READER_TEST(s_test_many_groups), READER_TEST(s_test_many_groups_of_a_page),
        READER_TEST(s_test_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
