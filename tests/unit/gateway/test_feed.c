/* The feed in a world of virtual time: each rule on its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "feed_world.h"
#include "gateway/feed/feed_internal.h"

typedef struct {
    subscriber_t *subscriber;
    bool is_active, is_ended, takes_nothing;
    size_t readies;
    err_code_t end;
    uint64_t seqs[4096];
    size_t count;
    size_t most; /* items it takes at a time; 0: all */
    char last[128];
} reader_t;

static feed_t *s_feed;
static const char *s_rights = "";
static reader_t *s_readers[2048]; /* of this test, to clean up after a failure */
static size_t s_reader_count;

static void s_take(reader_t *self)
{
    feed_item_t item;
    for (size_t i = 0; self->most == 0 || i < self->most; i++) {
        if (!subscriber_next(self->subscriber, &item))
            return;
        assert_true(self->count < sizeof self->seqs / sizeof self->seqs[0]);
        self->seqs[self->count++] = item.seq;
        snprintf(self->last, sizeof self->last, "%.*s", (int)shared_bytes_size(item.bytes),
                 shared_bytes_data(item.bytes));
        assert_int_equal(strlen(item.cursor), 34);
        assert_non_null(strstr(self->last, item.cursor));
    }
}

static void s_on_active(void *arg)
{
    reader_t *self = arg;
    assert_false(self->is_active || self->is_ended);
    assert_true(subscriber_is_active(self->subscriber));
    self->is_active = true;
}

static void s_on_ready(void *arg)
{
    reader_t *self = arg;
    assert_true(self->is_active);
    self->readies++;
    if (!self->takes_nothing)
        s_take(self);
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    reader_t *self = arg;
    assert_false(self->is_ended);
    assert_true(strlen(message) > 0);
    self->is_ended = true;
    self->end = code;
    self->subscriber = NULL;
}

static const subscriber_vtable_t s_vtable = {
    .on_active = s_on_active, .on_ready = s_on_ready, .on_end = s_on_end};

/* granted: the head that the service named; -1: it named none. */
static void s_subscribe_at(
    reader_t *self, const char *types, int start, uint64_t value, int granted, const char *sub)
{
    bool is_known = false;
    for (size_t i = 0; i < s_reader_count; i++)
        is_known = is_known || s_readers[i] == self;
    if (!is_known)
        s_readers[s_reader_count++] = self;
    memset(self, 0, sizeof *self);
    gql_execution_t *execution = world_execution(types);
    feed_subscription_t subscription = {.service = "store",
                                        .stream = world.streams[0].name,
                                        .epoch = world.epoch,
                                        .start_value = value,
                                        .rights = s_rights,
                                        .has_head = granted >= 0,
                                        .head = granted >= 0 ? (uint64_t)granted : 0,
                                        .handle = "h",
                                        .sub = sub};
    subscription.start = start == FEED_START_AFTER  ? FEED_START_AFTER
                         : start == FEED_START_LAST ? FEED_START_LAST
                                                    : FEED_START_LIVE;
    self->subscriber = feed_subscribe(s_feed, &subscription, &execution, &s_vtable, self);
    assert_null(execution);
    assert_non_null(self->subscriber);
}

static void s_subscribe(reader_t *self, const char *types, int start, uint64_t value)
{
    s_subscribe_at(self, types, start, value, -1, NULL);
}

static void s_expect(const reader_t *self, uint64_t from, uint64_t to)
{
    assert_int_equal(self->count, to - from + 1);
    for (size_t i = 0; i < self->count; i++)
        assert_int_equal(self->seqs[i], from + i);
}

static void s_commit(int count, char type, int instance)
{
    for (int i = 0; i < count; i++)
        world_commit(0, type, ' ', instance);
}

static int s_setup(void **state)
{
    (void)state;
    world_open();
    s_feed = world_feed(NULL);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    for (; s_reader_count > 0; s_reader_count--)
        feed_unsubscribe(&s_readers[s_reader_count - 1]->subscriber);
    feed_destroy(&s_feed);
    world_close();
    return 0;
}

/* ---- */

static void s_test_live(void **state)
{
    (void)state;
    static reader_t reader;
    s_commit(5, 'a', -1);
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    assert_false(reader.is_active);
    world_turn();
    assert_false(reader.is_active); /* no head yet */
    world_flow();
    assert_true(reader.is_active);
    assert_int_equal(reader.count, 0);
    s_commit(3, 'a', 0);
    world_flow();
    s_expect(&reader, 6, 8);
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
    s_commit(2, 'a', -1);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    assert_false(reader.is_active);
    world.instances[1].knows[0] = true;
    s_commit(1, 'a', 1); /* data proves nothing: it may be of an earlier subscription */
    world_flow();
    assert_false(reader.is_active);
    world.instances[1].knows[0] = false;
    s_commit(1, 'a', 1); /* 1 does not know of the subscription: nobody hears of it */
    world.instances[1].is_mute = false;
    world_flow();
    assert_true(reader.is_active); /* at the higher of the heads */
    s_commit(1, 'a', 1);
    s_commit(1, 'a', 0);
    world_deliver(0, 0, false); /* 6 before 5 */
    world_deliver(1, 0, false);
    world_flow();
    s_expect(&reader, 5, 6);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_hole(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(4, 'a', 0);
    world_deliver(0, 0, false);
    world_deliver(0, 1, false); /* 3 */
    world_turn();
    s_expect(&reader, 1, 1);
    world_pass(10);
    assert_int_equal(world_request_count(), 0); /* it may close by itself */
    world_deliver(0, 0, false);                 /* 2 */
    world_flow();
    s_expect(&reader, 1, 4);
    world_pass(50);
    assert_int_equal(world.replays, 0);
    s_commit(2, 'a', -1); /* lost */
    s_commit(2, 'a', 0);
    world_deliver(0, 0, false);
    world_deliver(0, 0, false);
    world_pass(15);
    assert_int_equal(world_request_count(), 0);
    world_pass(10);
    assert_int_equal(world_request_count(), 1);
    world_pass(100);
    assert_int_equal(world_request_count(), 1); /* one at a time */
    world_flow();
    s_expect(&reader, 1, 8);
    assert_int_equal(world.replays, 1);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_lost_last(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(1200, 'a', -1);
    world_publish_head(0, 0, 1200);
    world_flow();
    world_pass(30);
    for (int i = 0; i < 10; i++)
        world_flow();
    s_expect(&reader, 1, 1200);
    assert_int_equal(world.replays, 3);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_late_head(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(3, 'a', 0);
    world_publish_head(0, 0, 1);
    world_flow();
    assert_int_equal(world.heads, 1); /* asked, and it was only late */
    assert_false(reader.is_ended);
    world.streams[0].head = 2; /* the log goes back */
    world_publish_head(0, 0, 2);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    s_expect(&reader, 1, 3);
    assert_int_equal(world.streams[0].uses, 0);
}

static void s_test_after(void **state)
{
    (void)state;
    static reader_t reader, second;
    s_commit(600, 'a', -1);
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_AFTER, 10);
    world_flow();
    assert_true(reader.is_active);
    s_expect(&reader, 11, 600);
    assert_int_equal(world.replays, 3); /* 1…256, 257…512, 513…600 */
    s_commit(2, 'a', 0);
    world_flow();
    s_expect(&reader, 11, 602);
    s_subscribe(&second, "a", FEED_START_AFTER, 599);
    world_flow();
    s_expect(&second, 600, 602);
    assert_int_equal(world.replays, 3); /* from the same page, then the ring */
    feed_unsubscribe(&second.subscriber);
    s_subscribe(&second, "a", FEED_START_AFTER, 602);
    world_flow();
    assert_true(second.is_active);
    feed_unsubscribe(&second.subscriber);
    feed_unsubscribe(&reader.subscriber);
}

static void s_test_after_the_end(void **state)
{
    (void)state;
    static reader_t early, future;
    world_set_up(0, true);
    s_commit(5, 'a', -1);
    s_subscribe(&early, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(2, 'a', -1); /* committed, not heard of */
    s_subscribe(&future, "a", FEED_START_AFTER, 7);
    world_turn();
    assert_false(future.is_active);
    world_flow();
    assert_true(future.is_active); /* HEADS told that there is a 7 */
    world_pass(30);
    s_commit(1, 'a', 0);
    world_flow();
    world_pass(30);
    world_flow();
    s_expect(&future, 8, 8);
    s_expect(&early, 6, 8);
    feed_unsubscribe(&future.subscriber);
    s_subscribe(&future, "a", FEED_START_AFTER, 9);
    world_flow();
    assert_true(future.is_ended);
    assert_false(future.is_active);
    assert_int_equal(future.end, ERR_CURSOR_EXPIRED);
    feed_unsubscribe(&early.subscriber);
}

static void s_test_pruned(void **state)
{
    (void)state;
    static reader_t reader, edge;
    world_set_up(0, true);
    s_commit(50, 'a', -1);
    world.streams[0].first = 20;
    s_subscribe(&reader, "a", FEED_START_AFTER, 5);
    s_subscribe(&edge, "a", FEED_START_AFTER, 19);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    assert_int_equal(reader.count, 0);
    s_expect(&edge, 20, 50);
    feed_unsubscribe(&edge.subscriber);
}

static void s_test_last(void **state)
{
    (void)state;
    static reader_t reader, second, all, none, big;
    world_set_up(0, true);
    for (int i = 0; i < 2000; i++)
        world_commit(0, i % 100 == 0 ? 'b' : 'a', ' ', -1);
    s_subscribe(&reader, "a", FEED_START_LAST, 10);
    s_subscribe(&second, "b", FEED_START_LAST, 10); /* 1001 1101 … 1901 */
    s_subscribe(&all, "b", FEED_START_LAST, 50);    /* there are only 20 */
    s_subscribe(&none, "c", FEED_START_LAST, 3);
    s_subscribe(&big, "a", FEED_START_LAST, 1500);
    for (int i = 0; i < 10; i++)
        world_flow();
    s_expect(&reader, 1991, 2000);
    assert_int_equal(second.count, 10);
    assert_int_equal(second.seqs[0], 1001);
    assert_int_equal(second.seqs[9], 1901);
    assert_int_equal(all.count, 20);
    assert_int_equal(all.seqs[0], 1);
    assert_int_equal(none.count, 0);
    assert_true(none.is_active);
    assert_int_equal(big.count, 1500);
    s_commit(1, 'c', 0);
    s_commit(1, 'a', 0);
    s_commit(1, 'b', 0);
    world_flow();
    assert_int_equal(none.count, 1);
    assert_int_equal(none.seqs[0], 2001);
    assert_int_equal(reader.seqs[10], 2002);
    assert_int_equal(second.seqs[10], 2003);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&second.subscriber);
    feed_unsubscribe(&all.subscriber);
    feed_unsubscribe(&none.subscriber);
    feed_unsubscribe(&big.subscriber);
}

/* The newest n are more than an answer holds: what comes is their oldest part. */
static void s_test_last_is_cut(void **state)
{
    (void)state;
    static reader_t reader, all;
    world_set_up(0, true);
    s_commit(100, 'a', -1);
    world.cut = 7;
    s_subscribe(&reader, "a", FEED_START_LAST, 50);
    s_subscribe(&all, "a", FEED_START_LAST, 500);
    for (int i = 0; i < 50; i++)
        world_flow();
    s_expect(&reader, 51, 100);
    s_expect(&all, 1, 100);
    s_commit(1, 'a', 0);
    world_flow();
    s_expect(&reader, 51, 101);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&all.subscriber);
}

static void s_test_last_from_ring(void **state)
{
    (void)state;
    static reader_t reader, last;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(30, 'a', 0);
    world_flow();
    s_subscribe(&last, "a", FEED_START_LAST, 4);
    world_flow();
    s_expect(&last, 27, 30);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&last.subscriber);
    s_subscribe(&last, "a", FEED_START_LAST, 1000); /* the ring has the whole log */
    world_flow();
    s_expect(&last, 1, 30);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&last.subscriber);
    feed_unsubscribe(&reader.subscriber);
}

/* Pages that nobody reads any more do not stay; who comes later has them read again. */
static void s_test_pages_go(void **state)
{
    (void)state;
    static reader_t early, late;
    world_set_up(0, true);
    s_commit(600, 'a', -1);
    s_subscribe(&early, "a", FEED_START_AFTER, 10);
    world_flow();
    s_expect(&early, 11, 600);
    size_t replays = world.replays;
    assert_true(s_feed->pages_bytes > 0);
    world_pass(2 * FEED_PAGE_IDLE_MS + 100);
    assert_int_equal(s_feed->pages_bytes, 0);
    assert_true(list_is_empty(&s_feed->pages));
    assert_false(alarm_is_set(&s_feed->pages_alarm));
    s_subscribe(&late, "a", FEED_START_AFTER, 10);
    world_flow();
    s_expect(&late, 11, 600);
    assert_true(world.replays > replays);
    feed_unsubscribe(&late.subscriber);
    feed_unsubscribe(&early.subscriber);
}

/* A thousand who come at once are served by shared pages and rendered for once. */
static void s_test_shared(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static reader_t readers[COUNT];
    world_set_up(0, true);
    s_commit(600, 'a', -1);
    for (int i = 0; i < COUNT; i++)
        s_subscribe(&readers[i], "a", FEED_START_AFTER, (uint64_t)(i % 50) * 10);
    assert_int_equal(world_executions(), 1);
    assert_int_equal(feed_counts(s_feed).groups, 1);
    assert_int_equal(feed_counts(s_feed).subscribers, COUNT);
    for (int i = 0; i < 5; i++)
        world_flow();
    for (int i = 0; i < COUNT; i++)
        s_expect(&readers[i], (uint64_t)(i % 50) * 10 + 1, 600);
    assert_true(world.replays <= 5);
    assert_int_equal(world.renders, 600);
    assert_int_equal(feed_counts(s_feed).catching_up, 0);
    size_t turns = world.turns;
    s_commit(1, 'a', 0);
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
    s_subscribe(&fast, "a", FEED_START_LIVE, 0);
    s_subscribe(&slow, "a", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    for (int i = 0; i < 300; i++) {
        s_commit(10, 'a', 0);
        world_flow();
    }
    s_expect(&fast, 1, 3000);
    assert_int_equal(slow.readies, 1); /* not bothered again */
    assert_int_equal(world.replays, 0);
    slow.takes_nothing = false;
    slow.most = 100;
    while (slow.count < 3000) { /* its socket is writable */
        s_take(&slow);
        world_flow();
    }
    s_expect(&slow, 1, 3000);
    assert_int_equal(world.replays, 8); /* up to 1,976, the rest from the ring */
    slow.most = 0;
    subscriber_again(slow.subscriber);
    world_flow();
    s_commit(1, 'a', 0);
    world_flow();
    s_expect(&slow, 1, 3001);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&slow.subscriber);
}

/* One who takes nothing of what happens stays where he is, and needs no REPLAY for it. */
static void s_test_other_types(void **state)
{
    (void)state;
    static reader_t fast, other;
    world_set_up(0, true);
    s_subscribe(&fast, "a", FEED_START_LIVE, 0);
    s_subscribe(&other, "b", FEED_START_LIVE, 0);
    world_flow();
    for (int i = 0; i < 300; i++) {
        s_commit(10, 'a', 0);
        world_flow();
    }
    s_commit(1, 'b', 0);
    world_flow();
    assert_int_equal(other.count, 1);
    assert_int_equal(other.seqs[0], 3001);
    assert_int_equal(other.readies, 1);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&other.subscriber);
}

static void s_test_revoke(void **state)
{
    (void)state;
    static reader_t reader, slow, late;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    s_subscribe(&slow, "a", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    s_commit(2, 'a', 0);
    world_commit(0, 'R', 'x', 0); /* another one's */
    s_commit(1, 'a', 0);
    world_commit(0, 'R', 'h', 0);
    s_commit(1, 'a', 0);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_FORBIDDEN);
    assert_int_equal(reader.count, 3);
    assert_int_equal(reader.seqs[2], 4);
    assert_false(slow.is_ended); /* takes what was before first */
    slow.takes_nothing = false;
    s_take(&slow);
    world_flow();
    assert_true(slow.is_ended);
    assert_int_equal(slow.count, 3);
    s_subscribe(&late, "a", FEED_START_AFTER, 0); /* by REPLAY or ring the same */
    world_flow();
    assert_true(late.is_ended);
    assert_int_equal(late.count, 3);
}

/* A revoke is not skipped by one who takes nothing of what left the ring. */
static void s_test_revoke_gone(void **state)
{
    (void)state;
    static reader_t slow;
    world_set_up(0, true);
    s_subscribe(&slow, "c", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    s_commit(1, 'c', 0);
    world_flow();
    world_commit(0, 'R', 'h', 0);
    for (int i = 0; i < 110; i++) {
        s_commit(10, 'a', 0);
        world_flow();
    }
    s_commit(1, 'c', 0);
    world_flow();
    slow.takes_nothing = false;
    for (int i = 0; i < 10 && !slow.is_ended; i++) {
        s_take(&slow);
        world_flow();
    }
    assert_true(slow.is_ended);
    assert_int_equal(slow.end, ERR_FORBIDDEN);
    s_expect(&slow, 1, 1);
}

/* What was known when the right was granted ends nothing: who was invited again reads across his
 * old removal, by REPLAY and in the ring, and a newer one ends him wherever he begins. */
static void s_test_revoke_granted(void **state)
{
    (void)state;
    static reader_t again, last, live, raced, late;
    s_commit(3, 'a', -1);
    world_commit(0, 'R', 'h', -1); /* 4 */
    s_commit(3, 'a', -1);
    world_set_up(0, true);
    s_subscribe_at(&again, "a", FEED_START_AFTER, 1, 7, NULL);
    s_subscribe_at(&last, "a", FEED_START_LAST, 5, 7, NULL);
    s_subscribe_at(&live, "a", FEED_START_LIVE, 0, 7, NULL);
    /* His right was looked at before the revoke was there, his start comes after it. */
    s_subscribe_at(&raced, "a", FEED_START_LIVE, 0, 3, NULL);
    world_flow();
    assert_int_equal(again.count, 5);
    assert_int_equal(last.count, 5);
    assert_int_equal(last.seqs[0], 2);
    assert_true(live.is_active && live.count == 0);
    assert_true(raced.is_ended && raced.count == 0);
    assert_int_equal(raced.end, ERR_FORBIDDEN);
    s_commit(1, 'a', 0); /* 8 */
    world_commit(0, 'R', 'h', 0);
    s_commit(60, 'a', 0); /* 10 … */
    /* The newest 5 lie behind the revoke of 9 that his grant knew nothing of. */
    s_subscribe_at(&late, "a", FEED_START_LAST, 5, 8, NULL);
    world_flow();
    s_expect(&live, 8, 8);
    assert_true(live.is_ended && again.is_ended && last.is_ended && late.is_ended);
    assert_int_equal(live.end, ERR_FORBIDDEN);
    assert_int_equal(again.count, 6);
    assert_int_equal(late.end, ERR_FORBIDDEN);
    assert_int_equal(late.count, 0);
}

/* One group, three people: the one who is named by `sub` ends, whatever the handles are. */
static void s_test_revoke_sub(void **state)
{
    (void)state;
    static reader_t one, two, none;
    world_set_up(0, true);
    s_subscribe_at(&one, "a", FEED_START_LIVE, 0, 0, "1");
    s_subscribe_at(&two, "a", FEED_START_LIVE, 0, 0, "2");
    s_subscribe_at(&none, "a", FEED_START_LIVE, 0, 0, NULL);
    world_flow();
    assert_int_equal(feed_counts(s_feed).groups, 1);
    s_commit(1, 'a', 0);
    world_commit(0, 'S', '2', 0);
    world_commit(0, 'S', 'h', 0); /* nobody has that sub */
    s_commit(1, 'a', 0);
    world_flow();
    assert_true(two.is_ended);
    assert_int_equal(two.end, ERR_FORBIDDEN);
    s_expect(&two, 1, 1);
    assert_false(one.is_ended || none.is_ended);
    assert_int_equal(one.count, 2);
    assert_int_equal(one.seqs[1], 4);
    assert_int_equal(none.count, 2);
}

/* A stalled reader meets the revoke in a page that it catches up by, not after it. */
static void s_test_revoke_in_page(void **state)
{
    (void)state;
    static reader_t slow, other;
    world_set_up(0, true);
    s_subscribe(&slow, "a", FEED_START_LIVE, 0);
    s_subscribe_at(&other, "a", FEED_START_LIVE, 0, 0, NULL);
    other.subscriber->handle = 0;
    world_flow();
    slow.takes_nothing = true;
    s_commit(100, 'a', 0);
    world_commit(0, 'R', 'h', 0);
    for (int i = 0; i < 130; i++) {
        s_commit(10, 'a', 0);
        world_flow();
    }
    assert_int_equal(other.count, 1400);
    slow.takes_nothing = false;
    slow.most = 30;
    for (int i = 0; i < 20 && !slow.is_ended; i++) {
        s_take(&slow);
        world_flow();
    }
    assert_true(world.replays > 0 && slow.is_ended);
    assert_int_equal(slow.end, ERR_FORBIDDEN);
    s_expect(&slow, 1, 100);
    assert_false(other.is_ended);
}

/* What was committed before the subscription was asked for does not come to a live one, although
 * the stream was followed before and had not heard of it. */
static void s_test_live_is_now(void **state)
{
    (void)state;
    static reader_t old, live, exact, last;
    world_set_up(0, true);
    s_subscribe(&old, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(5, 'a', 0); /* on their way */
    s_subscribe(&live, "a", FEED_START_LIVE, 0);
    s_subscribe_at(&exact, "a", FEED_START_LIVE, 0, 4, NULL);
    s_subscribe(&last, "a", FEED_START_LAST, 2);
    world_turn();
    assert_false(live.is_active || last.is_active);
    assert_true(exact.is_active); /* needs to ask nobody */
    s_commit(1, 'a', 0);
    world_turn();
    assert_int_equal(world.heads, 1); /* one for both */
    assert_true(world_answer(0));
    world_flow();
    assert_true(live.is_active && last.is_active);
    s_commit(1, 'a', 0);
    world_flow();
    s_expect(&live, 7, 7);
    s_expect(&exact, 5, 7);
    s_expect(&last, 5, 7);
    s_expect(&old, 1, 7);
    assert_int_equal(world.heads, 1);
}

/* HEADS that fail for long: a subscription is not left in silence. */
static void s_test_live_without_heads(void **state)
{
    (void)state;
    static reader_t old, live, future;
    world_set_up(0, true);
    s_subscribe(&old, "a", FEED_START_LIVE, 0);
    world_flow();
    world.gives_rubbish = true;
    s_subscribe(&live, "a", FEED_START_LIVE, 0);
    s_subscribe(&future, "a", FEED_START_AFTER, 3);
    for (int i = 0; i < 80; i++) {
        world_pass(100);
        world_flow();
    }
    assert_false(live.is_ended || live.is_active);
    for (int i = 0; i < 40; i++) {
        world_pass(100);
        world_flow();
    }
    assert_true(live.is_ended && future.is_ended);
    assert_int_equal(live.end, ERR_UNAVAILABLE);
    assert_int_equal(future.end, ERR_UNAVAILABLE);
    world.gives_rubbish = false;
    s_commit(1, 'a', 0);
    world_flow();
    s_expect(&old, 1, 1);
    s_subscribe(&live, "a", FEED_START_LIVE, 0);
    for (int i = 0; i < 30; i++) {
        world_pass(100);
        world_flow();
    }
    assert_true(live.is_active);
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
    assert_null(stream_find(s_feed, service, name));
    stream_t *stream = stream_new(s_feed, service, name);
    assert_ptr_equal(stream_find(s_feed, service, name), stream);
    stream_destroy(&stream);
    assert_null(stream_find(s_feed, service, name));
}

static void s_test_epoch(void **state)
{
    (void)state;
    static reader_t reader, stalled, fresh, stale;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    s_subscribe(&stalled, "a", FEED_START_LIVE, 0);
    world_flow();
    stalled.takes_nothing = true;
    s_commit(3, 'a', 0);
    world_flow();
    snprintf(world.announced, sizeof world.announced, "1111111111111111");
    world_tell_change();
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    assert_false(stalled.is_ended);
    s_subscribe(&stale, "a", FEED_START_AFTER, 1); /* the service's answer was on its way */
    snprintf(world.epoch, sizeof world.epoch, "1111111111111111");
    s_subscribe(&fresh, "a", FEED_START_LIVE, 0);
    world_flow();
    assert_true(fresh.is_active);
    assert_true(stale.is_ended);
    snprintf(world.epoch, sizeof world.epoch, "00c0ffee00c0ffee");
    s_commit(1, 'a', 0); /* a frame of old */
    world_flow();
    assert_false(fresh.is_ended);
    assert_int_equal(fresh.count, 0);
    snprintf(world.epoch, sizeof world.epoch, "1111111111111111");
    s_commit(1, 'a', 0);
    world_flow();
    world_pass(30);
    world_flow();
    assert_int_equal(fresh.count, 2);
    stalled.takes_nothing = false;
    s_take(&stalled);
    world_flow();
    assert_true(stalled.is_ended);
    s_expect(&stalled, 1, 3);
    feed_unsubscribe(&fresh.subscriber);
}

static void s_test_no_heads(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    world.instances[0].is_mute = true;
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
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

/* One that comes up again without a new connection sends no head by itself. */
static void s_test_first_poke(void **state)
{
    (void)state;
    static reader_t reader, second;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_set_up(0, false);
    world_set_up(0, true);
    world.instances[0].surfaces[0] = 0;
    world.instances[0].knows[0] = true;
    s_subscribe(&second, "a", FEED_START_LIVE, 0);
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
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    s_commit(1, 'a', -1); /* committed by 1, which dies before it publishes */
    world_set_up(1, false);
    world_turn();
    assert_int_equal(world.settled, 1);
    world_flow();
    world_pass(30);
    world_flow();
    s_expect(&reader, 1, 1);
    s_commit(1, 'a', -1); /* its orphan commits */
    world_pass(1000);
    assert_int_equal(world.settled, 2);
    world_flow();
    world_pass(30);
    world_flow();
    s_expect(&reader, 1, 2);
    world_set_up(0, false); /* nobody is there: it waits and heals */
    s_commit(2, 'a', -1);
    s_subscribe(&waiting, "a", FEED_START_LIVE, 0);
    world_pass(500);
    assert_false(waiting.is_active || reader.is_ended);
    world_set_up(1, true);
    world_flow();
    world_pass(30);
    world_flow();
    assert_true(waiting.is_active);
    s_expect(&reader, 1, 4);
    s_commit(1, 'a', 1);
    world_flow();
    s_expect(&reader, 1, 5);
    s_expect(&waiting, 5, 5);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&waiting.subscriber);
    world_pass(2000);
    world_flow();
}

static void s_test_idle(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    feed_unsubscribe(&reader.subscriber);
    world_pass(29000);
    assert_int_equal(world.streams[0].uses, 1);
    s_commit(2, 'a', 0);
    world_flow();
    s_subscribe(&reader, "a", FEED_START_AFTER, 0);
    world_flow();
    s_expect(&reader, 1, 2); /* from the warm ring */
    assert_int_equal(world.replays, 0);
    world_pass(31000);
    assert_int_equal(world.streams[0].uses, 1);
    feed_unsubscribe(&reader.subscriber);
    world_pass(31000);
    assert_int_equal(world.streams[0].uses, 0);
    assert_int_equal(feed_counts(s_feed).streams, 0);
}

static void s_test_failing_replays(void **state)
{
    (void)state;
    static reader_t reader, behind;
    world_set_up(0, true);
    s_commit(300, 'a', -1);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    s_subscribe(&behind, "a", FEED_START_AFTER, 0);
    world_settle(10);
    world_surface(0);
    world_deliver(0, 0, false);
    world_settle(10);
    world.fails_with = "UNAVAILABLE";
    world_flow();
    s_commit(2, 'a', -1);
    s_commit(1, 'a', 0);
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
    s_expect(&reader, 301, 303);
    s_expect(&behind, 1, 303);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&behind.subscriber);
}

static void s_test_ring_bytes(void **state)
{
    (void)state;
    static reader_t fast, slow;
    feed_destroy(&s_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000; /* some ten events, and of what was rendered */
    s_feed = world_feed(&limits);
    world_set_up(0, true);
    s_subscribe(&fast, "a", FEED_START_LIVE, 0);
    s_subscribe(&slow, "ab", FEED_START_LIVE, 0);
    world_flow();
    slow.most = 1;
    for (int i = 0; i < 500; i++) {
        s_commit(1, 'a', 0);
        world_flow();
        if (i % 3 == 0 && slow.readies > 0)
            s_take(&slow);
    }
    const stream_t *stream = stream_find(s_feed, "store", world.streams[0].name);
    assert_true(stream->ring.count < 20 && stream->ring.bytes <= 2000);
    assert_true(stream->rendered_bytes <= 2000);
    s_expect(&fast, 1, 500);
    slow.most = 0;
    while (slow.count < 500) {
        s_take(&slow);
        world_flow();
    }
    s_expect(&slow, 1, 500);
    feed_unsubscribe(&fast.subscriber);
    feed_unsubscribe(&slow.subscriber);
}

/* What waits behind a hole is bounded like the ring; REPLAY brings what did not fit. */
static void s_test_early_bytes(void **state)
{
    (void)state;
    static reader_t reader;
    feed_destroy(&s_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000;
    s_feed = world_feed(&limits);
    world_set_up(0, true);
    s_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    const stream_t *stream = stream_find(s_feed, "store", world.streams[0].name);
    s_commit(1, 'a', -1); /* the hole */
    s_commit(200, 'a', 0);
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
    s_expect(&reader, 1, 201);
    assert_int_equal(stream->early_bytes, 0);
    feed_unsubscribe(&reader.subscriber);
}

/* Many groups: what is kept of their renderings, and the tables of them, stays below the limit, and
 * no group keeps the room for a large event. */
static void s_test_many_groups(void **state)
{
    (void)state;
    enum { GROUPS = 1000, EVENTS = 50 };
    static reader_t readers[GROUPS];
    feed_destroy(&s_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 200000;
    s_feed = world_feed(&limits);
    world_set_up(0, true);
    for (int i = 0; i < GROUPS; i++) {
        char rights[16];
        snprintf(rights, sizeof rights, "r%d", i);
        s_rights = rights;
        s_subscribe(&readers[i], "a", FEED_START_LIVE, 0);
    }
    s_rights = "";
    world_flow();
    assert_int_equal(feed_counts(s_feed).groups, GROUPS);
    const stream_t *stream = stream_find(s_feed, "store", world.streams[0].name);
    for (int i = 0; i < EVENTS; i++) {
        s_commit(1, 'a', 0);
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
        s_expect(&readers[i], 1, EVENTS);
    assert_int_equal(world.trims, 0);
    /* All renderings of one event are more than that: of old events and of new ones some go. */
    world.padding = 1000;
    for (int i = 0; i < 5; i++) {
        s_commit(1, 'a', 0);
        world_flow();
        assert_true(stream->rendered_bytes <= limits.ring_bytes);
    }
    world.padding = 20000;
    s_commit(1, 'a', 0);
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
    feed_destroy(&s_feed);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_bytes = 2000;
    s_feed = world_feed(&limits);
    world_set_up(0, true);
    world.padding = 20000;
    s_commit(EVENTS, 'a', -1);
    for (int i = 0; i < GROUPS; i++) {
        char rights[16];
        snprintf(rights, sizeof rights, "r%d", i);
        s_rights = rights;
        s_subscribe(&readers[i], "a", FEED_START_AFTER, 0);
    }
    s_rights = "";
    for (int turn = 0; turn < 10 * EVENTS && readers[GROUPS - 1].count < EVENTS; turn++) {
        world_flow();
        assert_true(s_feed->pages_bytes <= FEED_PAGES_BYTES);
    }
    for (int i = 0; i < GROUPS; i++) {
        s_expect(&readers[i], 1, EVENTS);
        feed_unsubscribe(&readers[i].subscriber);
    }
}

static void s_test_leaving(void **state)
{
    (void)state;
    static reader_t readers[6];
    world_set_up(0, true);
    s_commit(300, 'a', -1);
    s_subscribe(&readers[0], "a", FEED_START_LIVE, 0);
    feed_unsubscribe(&readers[0].subscriber); /* before its turn */
    feed_unsubscribe(&readers[0].subscriber);
    s_subscribe(&readers[0], "a", FEED_START_LIVE, 0);
    world_settle(5);
    feed_unsubscribe(&readers[0].subscriber); /* pending */
    s_subscribe(&readers[1], "a", FEED_START_AFTER, 0);
    s_subscribe_at(&readers[2], "b", FEED_START_LAST, 5, 300, NULL);
    s_subscribe(&readers[3], "a", FEED_START_AFTER, 999);
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

static void s_test_read_source(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    static const struct {
        const char *text;
        bool ok;
        int start;
        uint64_t value;
        int head; /* -1: none */
    } cases[] = {
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"start\":\"live\"}", true,
         FEED_START_LIVE, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\"}", true, FEED_START_LIVE, 0, -1},
        {" {\"start\":{\"after\":7},\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\"} ", true,
         FEED_START_AFTER, 7, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"start\":{\"last\":20}}", true,
         FEED_START_LAST, 20, -1},
        {"null", false, 0, 0, -1},
        {"", false, 0, 0, -1},
        {"{", false, 0, 0, -1},
        {"{\"stream\":null,\"epoch\":\"00c0ffee00c0ffee\"}", false, 0, 0, -1},
        {"{\"stream\":\"\",\"epoch\":\"00c0ffee00c0ffee\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\\u0000b\",\"epoch\":\"00c0ffee00c0ffee\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"xyz\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"start\":\"never\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"start\":{\"after\":-1}}", false, 0, 0,
         -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"start\":{}}", false, 0, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":0}", true, FEED_START_LIVE, 0,
         0},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":40,\"start\":{\"last\":2}}",
         true, FEED_START_LAST, 2, 40},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":null}", true, FEED_START_LIVE,
         0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":\"1\"}", false, 0, 0, -1},
        {"{\"stream\":\"a\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":99999999999999999}", false, 0,
         0, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        feed_subscription_t out = {0};
        json_slice_t answer = {cases[i].text, strlen(cases[i].text)};
        err_code_t code = feed_read_source(arena, answer, &out, &err);
        assert_int_equal(code == ERR_OK, cases[i].ok);
        if (!cases[i].ok) {
            assert_int_equal(code, ERR_INTERNAL);
            continue;
        }
        assert_string_equal(out.stream, "a");
        assert_string_equal(out.epoch, "00c0ffee00c0ffee");
        assert_int_equal(out.start, cases[i].start);
        assert_int_equal(out.start_value, cases[i].value);
        assert_int_equal(out.has_head, cases[i].head >= 0);
        assert_int_equal(out.head, cases[i].head >= 0 ? cases[i].head : 0);
    }
    arena_destroy(&arena);
}

#define FEED_TEST(fn) cmocka_unit_test_setup_teardown(fn, s_setup, s_teardown)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        FEED_TEST(s_test_live),
        FEED_TEST(s_test_two_instances),
        FEED_TEST(s_test_hole),
        FEED_TEST(s_test_lost_last),
        FEED_TEST(s_test_late_head),
        FEED_TEST(s_test_after),
        FEED_TEST(s_test_after_the_end),
        FEED_TEST(s_test_pruned),
        FEED_TEST(s_test_last),
        FEED_TEST(s_test_last_is_cut),
        FEED_TEST(s_test_last_from_ring),
        FEED_TEST(s_test_pages_go),
        FEED_TEST(s_test_shared),
        FEED_TEST(s_test_stalled),
        FEED_TEST(s_test_other_types),
        FEED_TEST(s_test_revoke),
        FEED_TEST(s_test_revoke_gone),
        FEED_TEST(s_test_revoke_granted),
        FEED_TEST(s_test_revoke_sub),
        FEED_TEST(s_test_revoke_in_page),
        FEED_TEST(s_test_live_is_now),
        FEED_TEST(s_test_live_without_heads),
        FEED_TEST(s_test_long_name),
        FEED_TEST(s_test_epoch),
        FEED_TEST(s_test_no_heads),
        FEED_TEST(s_test_first_poke),
        FEED_TEST(s_test_loss),
        FEED_TEST(s_test_idle),
        FEED_TEST(s_test_failing_replays),
        FEED_TEST(s_test_ring_bytes),
        FEED_TEST(s_test_early_bytes),
        FEED_TEST(s_test_many_groups),
        FEED_TEST(s_test_many_groups_of_a_page),
        FEED_TEST(s_test_leaving),
        FEED_TEST(s_test_read_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
