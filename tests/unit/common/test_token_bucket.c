/* Token buckets, the table of them, and the keys of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/address_key.h"
#include "common/token_bucket.h"

static const int64_t SECOND = 1000000000;

static void test_rate(void **state)
{
    (void)state;
    token_rate_t rate = token_rate(10, SECOND, 3);
    token_bucket_t bucket = 0;
    int64_t now = 5 * SECOND;
    for (int i = 0; i < 3; i++)
        assert_int_equal(token_take(rate, &bucket, now), 0);
    assert_int_equal(token_take(rate, &bucket, now), SECOND / 10);
    assert_int_equal(token_take(rate, &bucket, now + SECOND / 20), SECOND / 20);
    assert_int_equal(token_take(rate, &bucket, now + SECOND / 10), 0);
    assert_int_not_equal(token_take(rate, &bucket, now + SECOND / 10), 0);
    /* Over a long time exactly the rate, and never more than the burst at once. */
    now += 1000 * SECOND;
    int taken = 0;
    for (int64_t t = 0; t < 10 * SECOND; t += SECOND / 1000)
        taken += token_take(rate, &bucket, now + t) == 0;
    assert_int_equal(taken, 3 + 99);
}

static void test_no_limit(void **state)
{
    (void)state;
    token_bucket_t bucket = 0;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(token_take(token_rate(0, SECOND, 0), &bucket, SECOND), 0);
}

static void test_debt_is_bounded(void **state)
{
    (void)state;
    token_rate_t rate = token_rate(10, SECOND, 10);
    token_bucket_t bucket = 0;
    token_charge(rate, &bucket, 1000000, SECOND);
    assert_int_equal(token_take(rate, &bucket, SECOND), SECOND + SECOND / 10);
    token_give_back(rate, &bucket);
    assert_int_equal(token_take(rate, &bucket, SECOND), SECOND);
}

/* A flood of new keys throws nobody out who has less than they. */
static void test_table_forgets_the_fullest(void **state)
{
    (void)state;
    token_rate_t rate = token_rate(10, SECOND, 10);
    token_table_t *table = token_table_new(64);
    token_charge(rate, token_table_find(table, 7), 15, SECOND);
    for (uint64_t key = 100; key < 10000; key++)
        token_take(rate, token_table_find(table, key), SECOND);
    assert_int_not_equal(token_take(rate, token_table_find(table, 7), SECOND), 0);
    token_table_destroy(&table);
}

static void test_address_keys(void **state)
{
    (void)state;
    assert_int_equal(address_key("2001:db8::1"), address_key("2001:db8::ffff:1"));
    assert_int_not_equal(address_key("2001:db8::1"), address_key("2001:db8:0:1::1"));
    assert_int_not_equal(address_key("10.0.0.1"), address_key("10.0.0.2"));
    assert_int_equal(address_key(NULL), address_key(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_debt_is_bounded),
        cmocka_unit_test(test_table_forgets_the_fullest),
        cmocka_unit_test(test_address_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
