/* Events of the log that end the rights of somebody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/log.h"
#include "feed_reader.h"
#include "gateway/feed/feed_internal.h"

static void s_test_revoke(void **state)
{
    (void)state;
    static reader_t reader, slow, late;
    world_set_up(0, true);
    reader_subscribe(&reader, "a", FEED_START_LIVE, 0);
    reader_subscribe(&slow, "a", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    world_commit_some(2, 'a', 0);
    world_commit(0, 'R', 'x', 0); /* another one's */
    world_commit_some(1, 'a', 0);
    world_commit(0, 'R', 'h', 0);
    world_commit_some(1, 'a', 0);
    world_flow();
    assert_true(reader.is_ended);
    assert_int_equal(reader.end, ERR_FORBIDDEN);
    assert_int_equal(reader.count, 3);
    assert_int_equal(reader.seqs[2], 4);
    assert_false(slow.is_ended); /* takes what was before first */
    slow.takes_nothing = false;
    reader_take(&slow);
    world_flow();
    assert_true(slow.is_ended);
    assert_int_equal(slow.count, 3);
    reader_subscribe(&late, "a", FEED_START_AFTER, 0); /* by REPLAY or ring the same */
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
    reader_subscribe(&slow, "c", FEED_START_LIVE, 0);
    world_flow();
    slow.takes_nothing = true;
    world_commit_some(1, 'c', 0);
    world_flow();
    world_commit(0, 'R', 'h', 0);
    for (int i = 0; i < 110; i++) {
        world_commit_some(10, 'a', 0);
        world_flow();
    }
    world_commit_some(1, 'c', 0);
    world_flow();
    slow.takes_nothing = false;
    for (int i = 0; i < 10 && !slow.is_ended; i++) {
        reader_take(&slow);
        world_flow();
    }
    assert_true(slow.is_ended);
    assert_int_equal(slow.end, ERR_FORBIDDEN);
    reader_expect(&slow, 1, 1);
}

/* What was known when the right was granted ends nothing: who was invited again reads across his
 * old removal, by REPLAY and in the ring, and a newer one ends him wherever he begins. */
static void s_test_revoke_granted(void **state)
{
    (void)state;
    static reader_t again, last, live, raced, late;
    world_commit_some(3, 'a', -1);
    world_commit(0, 'R', 'h', -1); /* 4 */
    world_commit_some(3, 'a', -1);
    world_set_up(0, true);
    reader_subscribe_at(&again, "a", FEED_START_AFTER, 1, 7, NULL);
    reader_subscribe_at(&last, "a", FEED_START_LAST, 5, 7, NULL);
    reader_subscribe_at(&live, "a", FEED_START_LIVE, 0, 7, NULL);
    /* His right was looked at before the revoke was there, his start comes after it. */
    reader_subscribe_at(&raced, "a", FEED_START_LIVE, 0, 3, NULL);
    world_flow();
    assert_int_equal(again.count, 5);
    assert_int_equal(last.count, 5);
    assert_int_equal(last.seqs[0], 2);
    assert_true(live.is_active && live.count == 0);
    assert_true(raced.is_ended && raced.count == 0);
    assert_int_equal(raced.end, ERR_FORBIDDEN);
    world_commit_some(1, 'a', 0); /* 8 */
    world_commit(0, 'R', 'h', 0);
    world_commit_some(60, 'a', 0); /* 10 … */
    /* The newest 5 lie behind the revoke of 9 that his grant knew nothing of. */
    reader_subscribe_at(&late, "a", FEED_START_LAST, 5, 8, NULL);
    world_flow();
    reader_expect(&live, 8, 8);
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
    reader_subscribe_at(&one, "a", FEED_START_LIVE, 0, 0, "1");
    reader_subscribe_at(&two, "a", FEED_START_LIVE, 0, 0, "2");
    reader_subscribe_at(&none, "a", FEED_START_LIVE, 0, 0, NULL);
    world_flow();
    assert_int_equal(feed_counts(reader_feed).groups, 1);
    world_commit_some(1, 'a', 0);
    world_commit(0, 'S', '2', 0);
    world_commit(0, 'S', 'h', 0); /* nobody has that sub */
    world_commit_some(1, 'a', 0);
    world_flow();
    assert_true(two.is_ended);
    assert_int_equal(two.end, ERR_FORBIDDEN);
    reader_expect(&two, 1, 1);
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
    reader_subscribe(&slow, "a", FEED_START_LIVE, 0);
    reader_subscribe_at(&other, "a", FEED_START_LIVE, 0, 0, NULL);
    other.subscriber->handle = 0;
    world_flow();
    slow.takes_nothing = true;
    world_commit_some(100, 'a', 0);
    world_commit(0, 'R', 'h', 0);
    for (int i = 0; i < 130; i++) {
        world_commit_some(10, 'a', 0);
        world_flow();
    }
    assert_int_equal(other.count, 1400);
    slow.takes_nothing = false;
    slow.most = 30;
    for (int i = 0; i < 20 && !slow.is_ended; i++) {
        reader_take(&slow);
        world_flow();
    }
    assert_true(world.replays > 0 && slow.is_ended);
    assert_int_equal(slow.end, ERR_FORBIDDEN);
    reader_expect(&slow, 1, 100);
    assert_false(other.is_ended);
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        READER_TEST(s_test_revoke),         READER_TEST(s_test_revoke_gone),
        READER_TEST(s_test_revoke_granted), READER_TEST(s_test_revoke_sub),
        READER_TEST(s_test_revoke_in_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
