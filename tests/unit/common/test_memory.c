/* arena, blocks, cells, buffer, shared_bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/blocks.h"
#include "common/buffer.h"
#include "common/cells.h"
#include "common/shared_bytes.h"

static void s_test_arena_hands_out_aligned_memory_that_stays(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    char *first = arena_memdup(arena, "first", 5);
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *memory = arena_alloc(arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        memset(memory, 0xAA, size);
    }
    assert_non_null(arena_alloc(arena, 1024 * 1024));
    assert_string_equal(first, "first");
    int *numbers = arena_calloc(arena, 100, sizeof *numbers);
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers[i], 0);
    assert_string_equal(arena_printf(arena, "%d-%s", 42, "x"), "42-x");
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 16));
    arena_destroy(&arena);
    assert_null(arena);
    arena_destroy(&arena);
}

static void s_test_blocks_are_apart_and_empty_slabs_go(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static char *blocks[COUNT];
    size_t before = block_slabs();
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = block_take();
        memset(blocks[i], i % 251, BLOCK_BYTES);
    }
    size_t most = block_slabs();
    assert_true(most >= before + COUNT / 64);
    for (int i = 0; i < COUNT; i++)
        for (int at = 0; at < BLOCK_BYTES; at += 511)
            assert_int_equal((unsigned char)blocks[i][at], i % 251);
    for (int i = 0; i < COUNT; i += 2)
        block_give(blocks[i]);
    for (int i = 0; i < COUNT; i += 2)
        blocks[i] = block_take();
    assert_int_equal(block_slabs(), most); /* what was given is taken again */
    for (int i = 0; i < COUNT; i++)
        block_give(blocks[i]);
    block_give(NULL);
    assert_true(block_slabs() > before + 1); /* some stay for the next wave */
    assert_true(block_slabs() < most);
    blocks_trim(); /* the wave is not over yet for it */
    assert_true(block_slabs() > before + 1);
    blocks_trim();
    assert_true(block_slabs() <= before + 1);
    blocks[0] = block_take();
    assert_true(block_slabs() <= before + 1); /* the spare one */
    block_give(blocks[0]);
}

static void s_test_cells_lie_together_and_empty_chunks_go(void **state)
{
    (void)state;
    enum { COUNT = 5000, SIZE = 100 };
    static char *cells[COUNT];
    cells_t pool = CELLS_INIT(SIZE);
    for (int i = 0; i < COUNT; i++) {
        cells[i] = cell_take_from_chunk(&pool);
        assert_int_equal((uintptr_t)cells[i] % 16, 0);
        for (int at = 0; at < SIZE; at++)
            assert_int_equal(cells[i][at], 0);
        memset(cells[i], i % 127 + 1, SIZE);
    }
    size_t most = pool.chunks;
    assert_in_range(most, COUNT * 112 / (128 * 1024), COUNT * 112 / (128 * 1024) + 1);
    for (int i = 0; i < COUNT; i++)
        for (int at = 0; at < SIZE; at++)
            assert_int_equal(cells[i][at], i % 127 + 1);
    for (int i = 0; i < COUNT; i += 2)
        cell_give_to_chunk(&pool, cells[i]);
    for (int i = 0; i < COUNT; i += 2) {
        cells[i] = cell_take_from_chunk(&pool);
        assert_int_equal(cells[i][0], 0); /* zeroed again */
    }
    assert_int_equal(pool.chunks, most);
    for (int i = COUNT - 1; i >= 0; i--)
        cell_give_to_chunk(&pool, cells[i]);
    cell_give_to_chunk(&pool, NULL);
    assert_int_equal(pool.chunks, 1);
}

static void s_test_arena_has_a_ceiling(void **state)
{
    (void)state;
    arena_t *arena = arena_new(1024);
    assert_non_null(arena_alloc(arena, 1000));
    assert_null(arena_alloc(arena, 1000));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_calloc(arena, SIZE_MAX / 2, 3));
    assert_null(arena_memdup(arena, "", SIZE_MAX));
    assert_non_null(arena_alloc(arena, 16));
    arena_fail_after(arena, 2);
    arena_reset(arena);
    assert_non_null(arena_alloc(arena, 1));
    assert_null(arena_alloc(arena, 1));
    assert_null(arena_printf(arena, "x"));
    arena_fail_after(arena, 0);
    assert_non_null(arena_alloc(arena, 1));
    arena_destroy(&arena);
}

static void s_test_buffer_grows_to_its_ceiling_and_no_further(void **state)
{
    (void)state;
    buffer_t buffer = BUFFER_INIT(1000);
    for (int i = 0; i < 1000; i++)
        buffer_put_char(&buffer, 'x');
    assert_false(buffer.failed);
    assert_true(buffer.capacity <= 1000);
    buffer_put_char(&buffer, 'y');
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 1000);
    buffer_clear(&buffer);
    buffer_put(&buffer, "0123456789", 10);
    assert_null(buffer_reserve(&buffer, 991));
    buffer_put_char(&buffer, 'z'); /* would fit, but something before it is missing */
    assert_int_equal(buffer.size, 10);
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    buffer_free(&buffer);
}

static void s_test_buffer_prints(void **state)
{
    (void)state;
    buffer_t buffer = BUFFER_INIT(4096);
    buffer_put_int(&buffer, INT64_MIN);
    buffer_put_char(&buffer, ' ');
    buffer_put_uint(&buffer, UINT64_MAX);
    buffer_printf(&buffer, " %s %d", "a", 7);
    buffer_put_char(&buffer, '\0');
    assert_string_equal(buffer.data, "-9223372036854775808 18446744073709551615 a 7");
    buffer_consume(&buffer, 21);
    assert_string_equal(buffer.data, "18446744073709551615 a 7");
    buffer_clear(&buffer);
    static const char text[] = "a\"\\\b\f\n\r\t\x01\x1f/é\xE2\x80\xA8\xE2\x80\xA9\xE2\x82\xAC";
    buffer_put_json_string(&buffer, text, sizeof text - 1);
    buffer_put_char(&buffer, '\0');
    assert_string_equal(buffer.data, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/é\\u2028\\u2029€\"");
    size_t size;
    char *data = buffer_take(&buffer, &size);
    assert_int_equal(buffer.size, 0);
    free(data);
    buffer_free(&buffer);
}

static void s_test_shared_bytes_live_until_the_last_reference(void **state)
{
    (void)state;
    shared_bytes_t *a = shared_bytes_dup("hello", 5), *b = shared_bytes_ref(a);
    shared_bytes_unref(&a);
    assert_null(a);
    assert_int_equal(shared_bytes_size(b), 5);
    assert_memory_equal(shared_bytes_data(b), "hello", 5);
    shared_bytes_unref(&b);
    shared_bytes_unref(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_arena_hands_out_aligned_memory_that_stays),
        cmocka_unit_test(s_test_arena_has_a_ceiling),
        cmocka_unit_test(s_test_blocks_are_apart_and_empty_slabs_go),
        cmocka_unit_test(s_test_cells_lie_together_and_empty_chunks_go),
        cmocka_unit_test(s_test_buffer_grows_to_its_ceiling_and_no_further),
        cmocka_unit_test(s_test_buffer_prints),
        cmocka_unit_test(s_test_shared_bytes_live_until_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
