/* What is remembered of rooms: where their logs were seen to end, and who listens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/log_ends.h"
#include "store/room_set.h"

static void
s_expect(const log_ends_t *ends, const char *room, size_t size, int64_t now_us, uint64_t wanted)
{
    uint64_t head = 0, first = 0;
    assert_int_equal(log_ends_find(ends, room, size, now_us, &head, &first), wanted > 0);
    assert_int_equal(head, wanted);
    assert_int_equal(first, wanted > 0 ? wanted / 2 : 0);
}

static void test_ends_are_kept_for_a_while(void **state)
{
    (void)state;
    log_ends_t *ends = log_ends_new(10, 1000);
    s_expect(ends, "a", 1, 0, 0);
    log_ends_note(ends, "a", 1, 40, 20, 100);
    log_ends_note(ends, "ab", 2, 8, 4, 100);
    s_expect(ends, "a", 1, 1100, 40);
    s_expect(ends, "ab", 2, 1100, 8);
    s_expect(ends, "a", 1, 1101, 0);
    log_ends_note(ends, "a", 1, 60, 30, 1000);
    s_expect(ends, "a", 1, 2000, 60);
    log_ends_forget(ends);
    s_expect(ends, "a", 1, 1000, 0);
    log_ends_destroy(&ends);
    log_ends_destroy(&ends);
}

static void test_ends_of_another_epoch_are_forgotten(void **state)
{
    (void)state;
    log_ends_t *ends = log_ends_new(10, 1000);
    log_ends_set_epoch(ends, "00c0ffee00c0ffee");
    log_ends_note(ends, "a", 1, 40, 20, 0);
    log_ends_set_epoch(ends, "00c0ffee00c0ffee");
    s_expect(ends, "a", 1, 0, 40);
    log_ends_set_epoch(ends, "00c0ffee00c0ffef");
    s_expect(ends, "a", 1, 0, 0);
    log_ends_destroy(&ends);
}

static void test_ends_are_bounded(void **state)
{
    (void)state;
    log_ends_t *ends = log_ends_new(2, 1000);
    log_ends_note(ends, "a", 1, 2, 1, 0);
    log_ends_note(ends, "b", 1, 4, 2, 1);
    log_ends_note(ends, "a", 1, 6, 3, 2);
    log_ends_note(ends, "c", 1, 8, 4, 3); /* b was noted longest ago */
    s_expect(ends, "a", 1, 3, 6);
    s_expect(ends, "b", 1, 3, 0);
    s_expect(ends, "c", 1, 3, 8);
    log_ends_destroy(&ends);
}

static void test_a_set_of_rooms(void **state)
{
    (void)state;
    room_set_t *set = room_set_new(2);
    assert_false(room_set_may_have(set, "a", 1));
    room_set_remove(set, "a", 1);
    room_set_add(set, "a", 1);
    room_set_add(set, "a", 1);
    room_set_add(set, "ab", 2);
    assert_true(room_set_may_have(set, "a", 1));
    room_set_remove(set, "a", 1);
    assert_false(room_set_may_have(set, "a", 1));
    assert_true(room_set_may_have(set, "ab", 2));
    room_set_add(set, "c", 1);
    assert_false(room_set_may_have(set, "d", 1));
    room_set_add(set, "e", 1); /* does not fit: who knows who else did not */
    assert_true(room_set_may_have(set, "e", 1));
    assert_true(room_set_may_have(set, "d", 1));
    room_set_destroy(&set);
    room_set_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_are_kept_for_a_while),
        cmocka_unit_test(test_ends_of_another_epoch_are_forgotten),
        cmocka_unit_test(test_ends_are_bounded),
        cmocka_unit_test(test_a_set_of_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
