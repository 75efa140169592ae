/* What large groups have for themselves. They are not woken for each of the events that come
 * quickly: one write then carries several. And whoever is where another was takes what he took at
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "common/log.h"
#include "feed_world.h"
#include "gateway/feed/feed.h"

enum { READERS = 10, REST_MS = 10 }; /* with a millisecond for each of them */

typedef struct {
    subscriber_t *subscriber;
    size_t count, readies;
    bool is_lazy;
    err_code_t end;
} reader_t;

static feed_t *s_feed;
static reader_t s_readers[READERS];

static void s_on_active(void *arg)
{
    (void)arg;
}

static void s_on_ready(void *arg)
{
    reader_t *self = arg;
    feed_item_t item;
    self->readies++;
    while (!self->is_lazy && subscriber_next(self->subscriber, &item))
        assert_int_equal(item.seq, ++self->count);
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    reader_t *self = arg;
    (void)message;
    self->end = code;
    self->subscriber = NULL;
}

static void s_subscribe(reader_t *self)
{
    static const subscriber_vtable_t vtable = {
        .on_active = s_on_active, .on_ready = s_on_ready, .on_end = s_on_end};
    gql_execution_t *execution = world_execution("a");
    feed_subscription_t subscription = {.service = "store",
                                        .stream = world.streams[0].name,
                                        .epoch = world.epoch,
                                        .start = FEED_START_LIVE,
                                        .handle = "h"};
    *self = (reader_t){.subscriber = NULL};
    self->subscriber = feed_subscribe(s_feed, &subscription, &execution, &vtable, self);
}

static int s_begin(uint32_t each_us)
{
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.rest_each_us = each_us;
    limits.rest_max_ms = REST_MS + 2;
    world_open();
    s_feed = world_feed(&limits);
    world_set_up(0, true);
    for (int i = 0; i < READERS; i++)
        s_subscribe(&s_readers[i]);
    world_flow();
    return 0;
}

static int s_setup(void **state)
{
    (void)state;
    return s_begin(1000);
}

static int s_setup_small(void **state)
{
    (void)state;
    return s_begin(400); /* 4 ms for all: no rest */
}

static int s_setup_large(void **state)
{
    (void)state;
    return s_begin(100000); /* a second, if there were no limit */
}

static int s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < READERS; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    feed_destroy(&s_feed);
    world_close();
    return 0;
}

static void s_commit(int count)
{
    for (int i = 0; i < count; i++)
        world_commit(0, 'a', ' ', 0);
    world_flow();
}

static void s_have(size_t count, size_t readies)
{
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(s_readers[i].count, count);
        assert_int_equal(s_readers[i].readies, readies);
    }
}

static void test_events_that_come_quickly_go_together(void **state)
{
    (void)state;
    s_commit(1);
    s_have(1, 1); /* the first waits for nothing */
    s_commit(1);
    s_commit(2);
    world_pass(REST_MS - 1);
    s_have(1, 1);
    world_pass(5);
    s_have(4, 2);
    s_commit(1);
    s_have(4, 2);
    world_pass(REST_MS + 1);
    s_have(5, 3);
    world_pass(REST_MS + 1);
    s_commit(1); /* rested long enough */
    s_have(6, 4);
}

static void test_the_longest_rest(void **state)
{
    (void)state;
    s_commit(1);
    s_commit(1);
    world_pass(REST_MS);
    s_have(1, 1);
    world_pass(5);
    s_have(2, 2);
}

static void test_few_never_rest(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 5; i++) {
        s_commit(1);
        s_have(i, i);
    }
}

static void test_a_full_write_waits_no_longer(void **state)
{
    (void)state;
    s_commit(1);
    s_commit(31);
    s_have(1, 1);
    s_commit(1);
    s_have(33, 2);
}

static void test_a_revoke_waits_for_nobody(void **state)
{
    (void)state;
    s_commit(1);
    s_commit(1);
    world_commit(0, 'R', 'h', 0);
    world_flow();
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(s_readers[i].end, ERR_FORBIDDEN);
        assert_int_equal(s_readers[i].count, 2); /* what was before it came first */
    }
}

static void test_all_leave_in_between(void **state)
{
    (void)state;
    s_commit(1);
    s_commit(1);
    for (int i = 0; i < READERS; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    world_pass(5 * REST_MS);
    s_subscribe(&s_readers[0]);
    world_flow();
    s_readers[0].count = 2; /* it begins behind what was */
    s_commit(1);
    assert_int_equal(s_readers[0].count, 3);
}

/* ---- spans ---- */

/* Takes until there is no more, or most. */
static size_t s_take(reader_t *self, size_t most, feed_span_t *span)
{
    feed_item_t item;
    size_t count = 0;
    subscriber_begin_span(self->subscriber, span);
    while (count < most && subscriber_next(self->subscriber, &item)) {
        assert_int_equal(item.seq, ++self->count);
        count++;
    }
    subscriber_end_span(self->subscriber, span, count, count == most);
    return count;
}

/* They are told that there is something, and do not take it yet. */
static int s_setup_lazy(void **state)
{
    (void)state;
    s_begin(0);
    for (int i = 0; i < READERS; i++)
        s_readers[i].is_lazy = true;
    return 0;
}

static bool s_repeat(reader_t *self, const feed_span_t *span, bool expect_all)
{
    bool is_all = !expect_all;
    if (!subscriber_repeat(self->subscriber, span, &is_all))
        return false;
    assert_int_equal(is_all, expect_all);
    self->count += span->count;
    return true;
}

static void test_who_is_there_takes_the_same(void **state)
{
    (void)state;
    feed_span_t span;
    feed_item_t item;
    s_commit(5);
    assert_int_equal(s_take(&s_readers[0], 100, &span), 5);
    for (int i = 1; i < READERS; i++)
        assert_true(s_repeat(&s_readers[i], &span, true));
    assert_false(s_repeat(&s_readers[1], &span, true)); /* he is there no more */
    for (int i = 0; i < READERS; i++)
        assert_false(subscriber_next(s_readers[i].subscriber, &item));
    s_commit(1); /* all are woken: they were parked */
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(s_readers[i].readies, 2);
        assert_int_equal(s_take(&s_readers[i], 100, &span), 1);
        assert_int_equal(s_readers[i].count, 6);
    }
}

static void test_who_is_elsewhere_does_not(void **state)
{
    (void)state;
    feed_span_t span;
    s_commit(3);
    assert_int_equal(s_take(&s_readers[0], 1, &span), 1); /* cut: there is more */
    assert_true(s_repeat(&s_readers[1], &span, false));
    assert_int_equal(s_take(&s_readers[0], 100, &span), 2);
    assert_false(s_repeat(&s_readers[2], &span, true));
    assert_true(s_repeat(&s_readers[1], &span, true));
    assert_int_equal(s_take(&s_readers[2], 100, &span), 3);
    assert_int_equal(s_take(&s_readers[2], 100, &span), 0);
    assert_false(s_repeat(&s_readers[1], &span, true)); /* nothing cannot be repeated */
    /* What came since is not in it, and waits for him. */
    s_commit(1);
    assert_int_equal(s_take(&s_readers[0], 100, &span), 1);
    s_commit(1);
    assert_true(s_repeat(&s_readers[1], &span, false));
    assert_int_equal(s_take(&s_readers[1], 100, &span), 1);
}

static void test_a_revoke_is_not_jumped_over(void **state)
{
    (void)state;
    feed_span_t span;
    s_commit(1);
    world_commit(0, 'R', 'x', 0); /* somebody else's; but that is for each to find out */
    world_flow();
    s_commit(1);
    assert_int_equal(s_take(&s_readers[0], 1, &span), 1);
    assert_false(s_repeat(&s_readers[1], &span, false));
}

#define REST_TEST(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, s_teardown)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        REST_TEST(test_events_that_come_quickly_go_together, s_setup),
        REST_TEST(test_the_longest_rest, s_setup_large),
        REST_TEST(test_few_never_rest, s_setup_small),
        REST_TEST(test_a_full_write_waits_no_longer, s_setup),
        REST_TEST(test_a_revoke_waits_for_nobody, s_setup),
        REST_TEST(test_all_leave_in_between, s_setup),
        REST_TEST(test_who_is_there_takes_the_same, s_setup_lazy),
        REST_TEST(test_who_is_elsewhere_does_not, s_setup_lazy),
        REST_TEST(test_a_revoke_is_not_jumped_over, s_setup_lazy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
