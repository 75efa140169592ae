/* Where a subscription begins, and what is known of it then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/log.h"
#include "feed_reader.h"
#include "gateway/feed/feed_internal.h"

static void s_test_late_head(void **state)
{
    (void)state;
    static reader_t reader;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(3, 'a', 0);
    world_publish_head(0, 0, 1);
    world_flow();
    assert_int_equal(world.heads, 1); /* asked, and it was only late */
    assert_false(reader.is_ended);
    world.streams[0].head = 2; /* the log goes back */
    world_publish_head(0, 0, 2);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    reader_expect(&reader, 1, 3);
    assert_int_equal(world.streams[0].uses, 0);
}

static void s_test_after(void **state)
{
    (void)state;
    static reader_t reader, second;
    world_commit_some(600, 'a', -1);
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_AFTER, 10);
    world_flow();
    assert_true(reader.is_active);
    reader_expect(&reader, 11, 600);
    assert_int_equal(world.replays, 3); /* 1…256, 257…512, 513…600 */
    world_commit_some(2, 'a', 0);
    world_flow();
    reader_expect(&reader, 11, 602);
    reader_subscribe(&second, "a", FEED_START_AFTER, 599);
    world_flow();
    reader_expect(&second, 600, 602);
    assert_int_equal(world.replays, 3); /* from the same page, then the ring */
    feed_unsubscribe(&second.subscriber);
    reader_subscribe(&second, "a", FEED_START_AFTER, 602);
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
    world_commit_some(5, 'a', -1);
    reader_subscribe(&early, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(2, 'a', -1); /* committed, not heard of */
    reader_subscribe(&future, "a", FEED_START_AFTER, 7);
    world_turn();
    assert_false(future.is_active);
    world_flow();
    assert_true(future.is_active); /* HEADS told that there is a 7 */
    world_pass(30);
    world_commit_some(1, 'a', 0);
    world_flow();
    world_pass(30);
    world_flow();
    reader_expect(&future, 8, 8);
    reader_expect(&early, 6, 8);
    feed_unsubscribe(&future.subscriber);
    reader_subscribe(&future, "a", FEED_START_AFTER, 9);
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
    world_commit_some(50, 'a', -1);
    world.streams[0].first = 20;
    reader_subscribe(&reader, "a", FEED_START_AFTER, 5);
    reader_subscribe(&edge, "a", FEED_START_AFTER, 19);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_CURSOR_EXPIRED);
    assert_int_equal(reader.count, 0);
    reader_expect(&edge, 20, 50);
    feed_unsubscribe(&edge.subscriber);
}

static void s_test_last(void **state)
{
    (void)state;
    static reader_t reader, second, all, none, big;
    world_set_up(0, true);
    for (int i = 0; i < 2000; i++)
        world_commit(0, i % 100 == 0 ? 'b' : 'a', ' ', -1);
    reader_subscribe(&reader, "a", FEED_START_LAST, 10);
    reader_subscribe(&second, "b", FEED_START_LAST, 10); /* 1001 1101 … 1901 */
    reader_subscribe(&all, "b", FEED_START_LAST, 50);    /* there are only 20 */
    reader_subscribe(&none, "c", FEED_START_LAST, 3);
    reader_subscribe(&big, "a", FEED_START_LAST, 1500);
    for (int i = 0; i < 10; i++)
        world_flow();
    reader_expect(&reader, 1991, 2000);
    assert_int_equal(second.count, 10);
    assert_int_equal(second.seqs[0], 1001);
    assert_int_equal(second.seqs[9], 1901);
    assert_int_equal(all.count, 20);
    assert_int_equal(all.seqs[0], 1);
    assert_int_equal(none.count, 0);
    assert_true(none.is_active);
    assert_int_equal(big.count, 1500);
    world_commit_some(1, 'c', 0);
    world_commit_some(1, 'a', 0);
    world_commit_some(1, 'b', 0);
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
    world_commit_some(100, 'a', -1);
    world.cut = 7;
    reader_subscribe(&reader, "a", FEED_START_LAST, 50);
    reader_subscribe(&all, "a", FEED_START_LAST, 500);
    for (int i = 0; i < 50; i++)
        world_flow();
    reader_expect(&reader, 51, 100);
    reader_expect(&all, 1, 100);
    world_commit_some(1, 'a', 0);
    world_flow();
    reader_expect(&reader, 51, 101);
    feed_unsubscribe(&reader.subscriber);
    feed_unsubscribe(&all.subscriber);
}

static void s_test_last_from_ring(void **state)
{
    (void)state;
    static reader_t reader, last;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(30, 'a', 0);
    world_flow();
    reader_subscribe(&last, "a", FEED_START_LAST, 4);
    world_flow();
    reader_expect(&last, 27, 30);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&last.subscriber);
    reader_subscribe(&last, "a", FEED_START_LAST, 1000); /* the ring has the whole log */
    world_flow();
    reader_expect(&last, 1, 30);
    assert_int_equal(world.replays, 0);
    feed_unsubscribe(&last.subscriber);
    feed_unsubscribe(&reader.subscriber);
}

/* What was committed before the subscription was asked for does not come to a live one, although
 * the stream was followed before and had not heard of it. */
static void s_test_live_is_now(void **state)
{
    (void)state;
    static reader_t old, live, exact, last;
    world_set_up(0, true);
    reader_subscribe(&old, "a", FEED_START_LIVE, 0);
    world_flow();
    world_commit_some(5, 'a', 0); /* on their way */
    reader_subscribe(&live, "a", FEED_START_LIVE, 0);
    reader_subscribe_at(&exact, "a", FEED_START_LIVE, 0, 4, NULL);
    reader_subscribe(&last, "a", FEED_START_LAST, 2);
    world_turn();
    assert_false(live.is_active || last.is_active);
    assert_true(exact.is_active); /* needs to ask nobody */
    world_commit_some(1, 'a', 0);
    world_turn();
    assert_int_equal(world.heads, 1); /* one for both */
    assert_true(world_answer(0));
    world_flow();
    assert_true(live.is_active && last.is_active);
    world_commit_some(1, 'a', 0);
    world_flow();
    reader_expect(&live, 7, 7);
    reader_expect(&exact, 5, 7);
    reader_expect(&last, 5, 7);
    reader_expect(&old, 1, 7);
    assert_int_equal(world.heads, 1);
}

/* HEADS that fail for long: a subscription is not left in silence. */
static void s_test_live_without_heads(void **state)
{
    (void)state;
    static reader_t old, live, future;
    world_set_up(0, true);
    reader_subscribe(&old, "a", FEED_START_LIVE, 0);
    world_flow();
    world.gives_rubbish = true;
    reader_subscribe(&live, "a", FEED_START_LIVE, 0);
    reader_subscribe(&future, "a", FEED_START_AFTER, 3);
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
    world_commit_some(1, 'a', 0);
    world_flow();
    reader_expect(&old, 1, 1);
    reader_subscribe(&live, "a", FEED_START_LIVE, 0);
    for (int i = 0; i < 30; i++) {
        world_pass(100);
        world_flow();
    }
    assert_true(live.is_active);
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

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        READER_TEST(s_test_late_head),
        READER_TEST(s_test_after),
        READER_TEST(s_test_after_the_end),
        READER_TEST(s_test_pruned),
        READER_TEST(s_test_last),
        READER_TEST(s_test_last_is_cut),
        READER_TEST(s_test_last_from_ring),
        READER_TEST(s_test_live_is_now),
        READER_TEST(s_test_live_without_heads),
        READER_TEST(s_test_read_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
