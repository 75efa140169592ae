/* Tails of rooms in memory, against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/tail_cache.h"

static void s_append(tail_cache_t *cache, const char *room, uint64_t seq)
{
    char json[32];
    int size = snprintf(json, sizeof json, "{\"n\":%d}", (int)seq);
    tail_cache_append(cache, tail_cache_find(cache, room, strlen(room)), seq, json, (size_t)size);
}

static void s_assert_shows(const tail_t *tail, int count, int first, int last)
{
    buffer_t got = BUFFER_INIT(100000), wanted = BUFFER_INIT(100000);
    tail_print(tail, count, &got);
    buffer_put_char(&wanted, '[');
    for (int i = first; i <= last; i++)
        buffer_printf(&wanted, "%s{\"n\":%d}", i > first ? "," : "", i);
    buffer_put_char(&wanted, ']');
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, wanted.size);
    buffer_free(&got);
    buffer_free(&wanted);
}

static void test_newest(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(1000000);
    assert_null(tail_cache_find(cache, "a", 1));
    const tail_t *tail = tail_cache_begin(cache, "a", 1, 0, true);
    s_assert_shows(tail, 5, 1, 0);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        s_append(cache, "a", seq);
        assert_int_equal(tail_end(tail), seq);
        int held = (int)seq <= TAIL_MAX
                       ? (int)seq
                       : TAIL_KEEP + ((int)seq - TAIL_MAX - 1) % (TAIL_MAX - TAIL_KEEP) + 1;
        assert_int_equal(tail_has(tail, held + 1),
                         seq <= TAIL_MAX); /* complete until it was shortened */
        assert_true(tail_has(tail, held));
        s_assert_shows(tail, held, (int)seq - held + 1, (int)seq);
        s_assert_shows(tail, 1, (int)seq, (int)seq);
    }
    tail_cache_destroy(&cache);
    tail_cache_destroy(&cache);
}

static void test_an_incomplete_tail_knows_it(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(1000000);
    const tail_t *tail = tail_cache_begin(cache, "a", 1, 10, false);
    assert_false(tail_has(tail, 1));
    s_append(cache, "a", 11);
    assert_true(tail_has(tail, 1));
    assert_false(tail_has(tail, 2));
    tail_cache_destroy(&cache);
}

static void test_large_messages_are_shortened(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(100000000);
    tail_t *tail = tail_cache_begin(cache, "a", 1, 0, true);
    size_t size = TAIL_BYTES_MAX / 3 + 1; /* two fit */
    char *json = malloc(size);
    assert_non_null(json);
    memset(json, 'x', size);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        tail_cache_append(cache, tail, seq, json, size);
        assert_true(tail_has(tail, 1));
        assert_true(tail_cache_bytes(cache) < 2 * TAIL_BYTES_MAX);
    }
    tail_cache_append(cache, tail, 21, json, size);
    assert_false(tail_has(tail, 3));
    free(json);
    tail_cache_destroy(&cache);
}

static void test_another_epoch_forgets(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(1000000);
    tail_cache_set_epoch(cache, "00000000000000aa");
    tail_cache_begin(cache, "a", 1, 0, true);
    tail_cache_set_epoch(cache, "00000000000000aa");
    assert_non_null(tail_cache_find(cache, "a", 1));
    tail_cache_set_epoch(cache, "00000000000000ab");
    assert_null(tail_cache_find(cache, "a", 1));
    tail_cache_destroy(&cache);
}

static void test_the_longest_unused_goes(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(20000);
    char room[8];
    for (int i = 0; i < 1000; i++) {
        int size = snprintf(room, sizeof room, "r%d", i);
        tail_cache_begin(cache, room, (size_t)size, 0, true);
        s_append(cache, room, 1);
        assert_non_null(tail_cache_find(cache, room, (size_t)size));
        if (i > 0)
            assert_non_null(tail_cache_find(cache, "r0", 2)); /* always in use */
        else
            assert_non_null(tail_cache_find(cache, room, (size_t)size));
        assert_true(tail_cache_bytes(cache) < 25000);
    }
    assert_null(tail_cache_find(cache, "r1", 2));
    tail_cache_forget(cache, "r0", 2);
    tail_cache_forget(cache, "r0", 2);
    assert_null(tail_cache_find(cache, "r0", 2));
    tail_cache_destroy(&cache);
}

static void test_mark(void **state)
{
    (void)state;
    tail_cache_t *cache = tail_cache_new(20000);
    tail_t *tail = tail_cache_begin(cache, "a", 1, 0, true);
    assert_true(tail_mark(tail, 1));
    assert_false(tail_mark(tail, 1));
    assert_true(tail_mark(tail, 2));
    tail_cache_destroy(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest),
        cmocka_unit_test(test_an_incomplete_tail_knows_it),
        cmocka_unit_test(test_large_messages_are_shortened),
        cmocka_unit_test(test_another_epoch_forgets),
        cmocka_unit_test(test_the_longest_unused_goes),
        cmocka_unit_test(test_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
