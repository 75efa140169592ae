/* The feed in a world of virtual time: what is published arrives once and in order. */
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

static void s_test_live(void **state)
{
    (void)state;
    static reader_t reader;
    world_commit_some(5, 'a', -1);
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    assert_false(reader.is_active);
    world_turn();
    assert_false(reader.is_active); /* no head yet */
    world_flow();
    assert_true(reader.is_active);
    assert_int_equal(reader.count, 0);
    world_commit_some(3, 'a', 0);
    world_flow();
    reader_expect(&reader, 6, 8);
    assert_int_equal(world.replays, 0);
    assert_memory_equal(reader.last, "a {\"stream\":0,\"seq\":8} AQDA_-4AwP_u", 35);
    assert_true(sizeof(struct subscriber) <= 100);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_two_instances(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    world_set_up(1, true);
    world.instances[1].is_mute = true;
    world_commit_some(2, 'a', -1);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    assert_false(reader.is_active);
    world.instances[1].knows[0] = true;
    world_commit_some(1, 'a', 1); /* data proves nothing: it may be of an earlier subscription */
    world_flow();
    assert_false(reader.is_active);
    world.instances[1].knows[0] = false;
    world_commit_some(1, 'a', 1); /* 1 does not know of the subscription: nobody hears of it */
    world.instances[1].is_mute = false;
    world_flow();
    assert_true(reader.is_active); /* at the higher of the heads */
    world_commit_some(1, 'a', 1);
    world_commit_some(1, 'a', 0);
    world_deliver(0, 0, false); /* 6 before 5 */
    world_deliver(1, 0, false);
    world_flow();
    reader_expect(&reader, 5, 6);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_hole(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(4, 'a', 0);
    world_deliver(0, 0, false);
    world_deliver(0, 1, false); /* 3 */
    world_turn();
    reader_expect(&reader, 1, 1);
    world_pass(10);
    assert_int_equal(world_request_count(), 0); /* it may close by itself */
    world_deliver(0, 0, false);                 /* 2 */
    world_flow();
    reader_expect(&reader, 1, 4);
    world_pass(50);
    assert_int_equal(world.replays, 0);
    world_commit_some(2, 'a', -1); /* lost */
    world_commit_some(2, 'a', 0);
    world_deliver(0, 0, false);
    world_deliver(0, 0, false);
    world_pass(15);
    assert_int_equal(world_request_count(), 0);
    world_pass(10);
    assert_int_equal(world_request_count(), 1);
    world_pass(100);
    assert_int_equal(world_request_count(), 1); /* one at a time */
    world_flow();
    reader_expect(&reader, 1, 8);
    assert_int_equal(world.replays, 1);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_lost_last(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(1200, 'a', -1);
    world_publish_head(0, 0, 1200);
    world_flow();
    world_pass(30);
    for (int i = 0; i < 10; i++)
        world_flow();
    reader_expect(&reader, 1, 1200);
    assert_int_equal(world.replays, 3);
    feed_unsubscribe(&reader.subscriber);
}

/* A thousand who come at once are served by shared pages and rendered for once. */
static void s_test_shared(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static reader_t readers[COUNT];
    world_set_up(0, true);
    world_commit_some(600, 'a', -1);
    for (int i = 0; i < COUNT; i++)
        reader_subscribe(&readers[i], "a", FEED_START_AFTER, (uint64_t)(i % 50) * 10);
    assert_int_equal(world_executions(), 1);
    assert_int_equal(feed_counts(reader_feed).groups, 1);
    assert_int_equal(feed_counts(reader_feed).subscribers, COUNT);
    for (int i = 0; i < 5; i++)
        world_flow();
    for (int i = 0; i < COUNT; i++)
        reader_expect(&readers[i], (uint64_t)(i % 50) * 10 + 1, 600);
    assert_true(world.replays <= 5);
    assert_int_equal(world.renders, 600);
    assert_int_equal(feed_counts(reader_feed).catching_up, 0);
    size_t turns = world.turns;
    world_commit_some(1, 'a', 0);
    world_deliver(0, 0, false);
    world_turn();
    size_t told = 0;
    for (int i = 0; i < COUNT; i++)
        told += readers[i].seqs[readers[i].count - 1] == 601;
    assert_int_equal(told, 256); /* a slice */
    world_settle(100);
    assert_int_equal(world.turns - turns, 4);
    assert_int_equal(world.renders, 601);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(readers[i].seqs[readers[i].count - 1], 601);
        feed_unsubscribe(&readers[i].subscriber);
    }
    assert_int_equal(world_executions(), 0);
}

static void s_test_stalled(void **state)
{
    (void)state;
    static reader_t fast, slow;
    world_set_up(0, true);
    reader_subscribe(&fast, "a", FEED_START_LIVE, 0);
    reader_subscribe(&slow, "a", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    for (int i = 0; i < 300; i++) {
        world_commit_some(10, 'a', 0);
        world_flow();
    }
    reader_expect(&fast, 1, 3000);
    assert_int_equal(slow.readies, 1); /* not bothered again */
    assert_int_equal(world.replays, 0);
    slow.takes_nothing = false;
    slow.most = 100;
    while (slow.count < 3000) { /* its socket is writable */
        reader_take(&slow);
        world_flow();
    }
    reader_expect(&slow, 1, 3000);
    assert_int_equal(world.replays, 8); /* up to 1,976, the rest from the ring */
    slow.most = 0;
    subscriber_again(slow.subscriber);
    world_flow();
    world_commit_some(1, 'a', 0);
    world_flow();
    reader_expect(&slow, 1, 3001);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&slow.subscriber);
}

/* One who takes nothing of what happens stays where he is, and needs no REPLAY for it. */
static void s_test_other_types(void **state)
{
    (void)state;
    static reader_t fast, other;
    world_set_up(0, true);
    reader_subscribe(&fast, "a", FEED_START_LIVE, 0);
    reader_subscribe(&other, "b", FEED_START_LIVE, 0);
    world_flow();
    for (int i = 0; i < 300; i++) {
        world_commit_some(10, 'a', 0);
        world_flow();
    }
    world_commit_some(1, 'b', 0);
    world_flow();
    assert_int_equal(other.count, 1);
    assert_int_equal(other.seqs[0], 3001);
    assert_int_equal(other.readies, 1);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&other.subscriber);
}

/* The longest names that the bus allows: they are found again. */
static void s_test_long_name(void **state)
{
    (void)state;
    enum { SERVICE = 64, STREAM = BUS_STREAM_MAX };
    char name[STREAM + 1], service[SERVICE + 1];
    memset(name, 'x', STREAM);
    memset(service, 's', SERVICE);
    name[STREAM] = service[SERVICE] = '\0';
    assert_null(stream_find(reader_feed, service, name));
    stream_t *stream = stream_new(reader_feed, service, name);
    assert_ptr_equal(stream_find(reader_feed, service, name), stream);
    stream_destroy(&stream);
    assert_null(stream_find(reader_feed, service, name));
}

static void s_test_epoch(void **state)
{
    (void)state;
    static reader_t reader, stalled, fresh, stale;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    reader_subscribe(&stalled, "a", FEED_START_LIVE, 0);
    world_flow();
    stalled.takes_nothing = true;
    world_commit_some(3, 'a', 0);
    world_flow();
    snprintf(world.announced, sizeof world.announced, "1111111111111111");
    world_tell_change();
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    assert_false(stalled.is_ended);
    reader_subscribe(&stale, "a", FEED_START_AFTER, 1); /* the service's answer was on its way */
    snprintf(world.epoch, sizeof world.epoch, "1111111111111111");
    reader_subscribe(&fresh, "a", FEED_START_LIVE, 0);
    world_flow();
    assert_true(fresh.is_active);
    assert_true(stale.is_ended);
    snprintf(world.epoch, sizeof world.epoch, "00c0ffee00c0ffee");
    world_commit_some(1, 'a', 0); /* a frame of old */
    world_flow();
    assert_false(fresh.is_ended);
    assert_int_equal(fresh.count, 0);
    snprintf(world.epoch, sizeof world.epoch, "1111111111111111");
    world_commit_some(1, 'a', 0);
    world_flow();
    world_pass(30);
    world_flow();
    assert_int_equal(fresh.count, 2);
    stalled.takes_nothing = false;
    reader_take(&stalled);
    world_flow();
    assert_true(stalled.is_ended);
    reader_expect(&stalled, 1, 3);
    feed_unsubscribe(&fresh.subscriber);
}

static void s_test_no_heads(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    world.instances[0].is_mute = true;
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_pass(3500);
    assert_int_equal(world.pokes, 3);
    assert_int_equal(world.reconnects, 0);
    world_pass(1000);
    assert_int_equal(world.reconnects, 1);
    world_set_up(0, false);
    world_pass(6000);
    assert_true(reader.is_ended); /* 10 s */
    assert_int_equal(reader.end, ERR_UNAVAILABLE);
    assert_false(reader.is_active);
    world_flow();
}

/* An instance that sends heads of other streams is only slow: it is asked again, not dropped. */
static void s_test_slow_heads(void **state)
{
    (void)state;
    static reader_t waiting, other;
    world_set_up(0, true);
    world.instances[0].is_mute_of[0] = true;
    reader_subscribe(&waiting, "a", FEED_START_LIVE, 0);
    reader_stream = 1;
    reader_subscribe(&other, "a", FEED_START_LIVE, 0);
    for (int i = 0; i < 6; i++) {
        world_publish_head(0, 1, 0);
        world_flow();
        world_pass(1000);
    }
    assert_true(other.is_active);
    assert_in_range(world.pokes, 5, 6);
    assert_int_equal(world.reconnects, 0);
    world_pass(3500);
    assert_int_equal(world.reconnects, 1); /* now it is silent */
    world.instances[0].is_mute_of[0] = false;
    world_flow();
    assert_true(waiting.is_active);
    feed_unsubscribe(&waiting.subscriber);
    feed_unsubscribe(&other.subscriber);
}

/* However many streams wait for it, a silent instance is connected to anew once. */
static void s_test_silent_for_all(void **state)
{
    (void)state;
    static reader_t first, second;
    world_set_up(0, true);
    world.instances[0].is_mute = true;
    reader_subscribe(&first, "a", FEED_START_LIVE, 0);
    world_pass(500);
    reader_stream = 1;
    reader_subscribe(&second, "a", FEED_START_LIVE, 0);
    world_pass(6000);
    assert_int_equal(world.reconnects, 1);
    world.instances[0].is_mute = false;
    world_flow();
    assert_true(first.is_active && second.is_active);
    feed_unsubscribe(&first.subscriber);
    feed_unsubscribe(&second.subscriber);
}

/* One that comes up again without a new connection sends no head by itself. */
static void s_test_first_poke(void **state)
{
    (void)state;
    static reader_t reader, second;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_set_up(0, false);
    world_set_up(0, true);
    world.instances[0].surfaces[0] = 0;
    world.instances[0].knows[0] = true;
    reader_subscribe(&second, "a", FEED_START_LIVE, 0);
    world_flow();
    assert_false(second.is_active);
    world_pass(350);
    assert_int_equal(world.pokes, 1);
    world_flow();
    assert_true(second.is_active);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&second.subscriber);
    world_pass(1500);
    world_flow();
}

static void s_test_loss(void **state)
{
    (void)state;
    static reader_t reader, waiting;
    world_set_up(0, true);
    world_set_up(1, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(1, 'a', -1); /* committed by 1, which dies before it publishes */
    world_set_up(1, false);
    world_turn();
    assert_int_equal(world.settled, 1);
    world_flow();
    world_pass(30);
    world_flow();
    reader_expect(&reader, 1, 1);
    world_commit_some(1, 'a', -1); /* its orphan commits */
    world_pass(1000);
    assert_int_equal(world.settled, 2);
    world_flow();
    world_pass(30);
    world_flow();
    reader_expect(&reader, 1, 2);
    world_set_up(0, false); /* nobody is there: it waits and heals */
    world_commit_some(2, 'a', -1);
    reader_subscribe(&waiting, "a", FEED_START_LIVE, 0);
    world_pass(500);
    assert_false(waiting.is_active || reader.is_ended);
    world_set_up(1, true);
    world_flow();
    world_pass(30);
    world_flow();
    assert_true(waiting.is_active);
    reader_expect(&reader, 1, 4);
    world_commit_some(1, 'a', 1);
    world_flow();
    reader_expect(&reader, 1, 5);
    reader_expect(&waiting, 5, 5);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&waiting.subscriber);
    world_pass(2000);
    world_flow();
}

static void s_test_failing_replays(void **state)
{
    (void)state;
    static reader_t reader, behind;
    world_set_up(0, true);
    world_commit_some(300, 'a', -1);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    reader_subscribe(&behind, "a", FEED_START_AFTER, 0);
    world_settle(10);
    world_surface(0);
    world_deliver(0, 0, false);
    world_settle(10);
    world.fails_with = "UNAVAILABLE";
    world_flow();
    world_commit_some(2, 'a', -1);
    world_commit_some(1, 'a', 0);
    world_flow();
    for (int i = 0; i < 20; i++) {
        world_pass(100);
        world_flow();
    }
    assert_true(world.replays > 4 && world.replays < 40); /* with growing waits */
    world.fails_with = NULL;
    world.gives_rubbish = true;
    for (int i = 0; i < 30; i++) {
        world_pass(100);
        world_flow();
    }
    world.gives_rubbish = false;
    world.cut = 7;
    for (int i = 0; i < 30; i++) {
        world_pass(100);
        world_flow();
    }
    reader_expect(&reader, 301, 303);
    reader_expect(&behind, 1, 303);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&behind.subscriber);
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        READER_TEST(s_test_live),
        READER_TEST(s_test_two_instances),
        READER_TEST(s_test_hole),
        READER_TEST(s_test_lost_last),
        READER_TEST(s_test_shared),
        READER_TEST(s_test_stalled),
        READER_TEST(s_test_other_types),
        READER_TEST(s_test_long_name),
        READER_TEST(s_test_epoch),
        READER_TEST(s_test_no_heads),
        READER_TEST(s_test_slow_heads),
        READER_TEST(s_test_silent_for_all),
        READER_TEST(s_test_first_poke),
        READER_TEST(s_test_loss),
        READER_TEST(s_test_failing_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
