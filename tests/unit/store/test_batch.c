/* The layout of group commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/batch.h"

static message_t s_messages[BATCH_MAX];

static void s_add(batch_t *batch, const char *room, unsigned char id)
{
    message_t *message = &s_messages[batch->count];
    *message = (message_t){.room = room, .room_size = strlen(room)};
    message->id.bytes[15] = id;
    batch->items[batch->count++] = message;
}

static void test_one(void **state)
{
    (void)state;
    batch_t batch = {.count = 0};
    s_add(&batch, "a", 1);
    batch_layout(&batch);
    assert_int_equal(batch.room_count, 1);
    assert_int_equal(batch.room_counts[0], 1);
    assert_int_equal(batch.back[0], 0);
    assert_true(batch_is_leader(&batch, 0));
    assert_int_equal(batch_find(&batch, "a", 1, s_messages[0].id.bytes), 0);
}

static void test_back_counts_what_follows(void **state)
{
    (void)state;
    batch_t batch = {.count = 0};
    s_add(&batch, "b", 1);
    s_add(&batch, "a", 2);
    s_add(&batch, "b", 3);
    s_add(&batch, "b", 2);
    batch_layout(&batch);
    const int back[] = {2, 0, 1, 0};
    assert_memory_equal(batch.back, back, sizeof back);
    assert_int_equal(batch.room_count, 2);
    assert_string_equal(batch.items[batch.rooms[0]]->room, "a");
    assert_string_equal(batch.items[batch.rooms[1]]->room, "b");
    assert_int_equal(batch.room_counts[0], 1);
    assert_int_equal(batch.room_counts[1], 3);
}

static void test_repetitions_follow_the_first(void **state)
{
    (void)state;
    batch_t batch = {.count = 0};
    s_add(&batch, "a", 9);
    s_add(&batch, "a", 1);
    s_add(&batch, "b", 1);
    s_add(&batch, "a", 1);
    s_add(&batch, "a", 9);
    s_add(&batch, "a", 1);
    batch_layout(&batch);
    const int leader[] = {0, 1, 2, 1, 0, 1};
    assert_memory_equal(batch.leader, leader, sizeof leader);
    assert_int_equal(batch.room_counts[0], 2);
    assert_int_equal(batch.back[0], 1);
    assert_int_equal(batch.back[1], 0);
    assert_int_equal(batch_find(&batch, "a", 1, s_messages[5].id.bytes), 1);
}

/* Rooms are locked in the order of collation "C", else two stores deadlock. */
static void test_rooms_are_in_byte_order(void **state)
{
    (void)state;
    static const char *const given[] = {"b",   "\xc3\xa9",         "a", "B", "aa",
                                        "a b", "\xf0\x9f\x98\x80", "Z", "~"};
    static const char *const sorted[] = {
        "B", "Z", "a", "a b", "aa", "b", "~", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    batch_t batch = {.count = 0};
    for (unsigned i = 0; i < sizeof given / sizeof given[0]; i++)
        s_add(&batch, given[i], (unsigned char)i);
    batch_layout(&batch);
    assert_int_equal(batch.room_count, 9);
    for (int i = 0; i < 9; i++)
        assert_string_equal(batch.items[batch.rooms[i]]->room, sorted[i]);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(batch_find_room(&batch, sorted[i], strlen(sorted[i])), i);
        assert_string_equal(sorted[batch.room_of[i]], given[i]);
    }
    assert_int_equal(batch_find_room(&batch, "", 0), -1);
    assert_int_equal(batch_find_room(&batch, "a a", 3), -1);
    assert_int_equal(batch_find_room(&batch, "\xf0\x9f\x98\x81", 4), -1);
}

static void test_find_knows_what_is_not_there(void **state)
{
    (void)state;
    batch_t batch = {.count = 0};
    s_add(&batch, "ab", 1);
    s_add(&batch, "b", 2);
    batch_layout(&batch);
    assert_int_equal(batch_find(&batch, "a", 1, s_messages[0].id.bytes), -1);
    assert_int_equal(batch_find(&batch, "ab", 2, s_messages[1].id.bytes), -1);
    assert_int_equal(batch_find(&batch, "zz", 2, s_messages[1].id.bytes), -1);
}

/* Against the definition, on random batches of full size. */
static void test_random_batches(void **state)
{
    (void)state;
    static const char *const rooms[] = {"x", "y", "xx", "", "yz"};
    srand(7);
    for (int round = 0; round < 200; round++) {
        batch_t batch = {.count = 0};
        int count = 1 + rand() % BATCH_MAX;
        for (int i = 0; i < count; i++)
            s_add(&batch, rooms[rand() % 5], (unsigned char)(rand() % 60));
        batch_layout(&batch);
        for (int i = 0; i < count; i++) {
            int leader = i, back = 0;
            for (int j = i - 1; j >= 0; j--)
                if (strcmp(s_messages[i].room, s_messages[j].room) == 0 &&
                    s_messages[i].id.bytes[15] == s_messages[j].id.bytes[15])
                    leader = j;
            assert_int_equal(batch.leader[i], leader);
            for (int j = i + 1; j < count; j++)
                back += batch.leader[j] == j && strcmp(s_messages[i].room, s_messages[j].room) == 0;
            assert_int_equal(batch.back[i], leader == i ? back : 0);
            assert_int_equal(batch_find(&batch, s_messages[i].room, s_messages[i].room_size,
                                        s_messages[i].id.bytes),
                             leader);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_back_counts_what_follows),
        cmocka_unit_test(test_repetitions_follow_the_first),
        cmocka_unit_test(test_rooms_are_in_byte_order),
        cmocka_unit_test(test_find_knows_what_is_not_there),
        cmocka_unit_test(test_random_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
