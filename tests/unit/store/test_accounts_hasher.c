/* store/accounts/hasher: answers, bounds, stopping in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "store/accounts/hasher.h"

typedef struct {
    loop_t *loop;
    int expected; /* answers after which the loop stops */
    int count;
    int outcomes[HASHER_STOPPED + 1];
} seen_t;

static void s_on_done(void *arg, hasher_outcome_t outcome)
{
    seen_t *seen = arg;
    seen->outcomes[outcome]++;
    if (++seen->count == seen->expected)
        loop_stop(seen->loop);
}

static void s_wait(seen_t *seen, int expected)
{
    seen->expected = expected;
    if (seen->count < expected)
        loop_run(seen->loop);
    assert_int_equal(seen->count, expected);
}

static int64_t s_deadline_ms(void)
{
    return clock_unix_ms() + 30000;
}

static void test_hash_and_verify(void **state)
{
    (void)state;
    seen_t seen = {.loop = loop_new()};
    hasher_t *hasher = hasher_new(seen.loop);
    char hash[PASSWORD_HASH_SIZE];
    assert_true(hasher_compute("passw0rd", 8, hash));
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
    assert_true(hasher_verify(hasher, hash, "passw0rd", 8, s_deadline_ms(), s_on_done, &seen));
    s_wait(&seen, 1);
    assert_int_equal(seen.outcomes[HASHER_OK], 1);
    assert_true(hasher_verify(hasher, hash, "passw0rd", 7, s_deadline_ms(), s_on_done, &seen));
    assert_true(hasher_verify(hasher, hash, "passw0re", 8, s_deadline_ms(), s_on_done, &seen));
    assert_true(hasher_verify(hasher, NULL, "passw0rd", 8, s_deadline_ms(), s_on_done, &seen));
    assert_true(hasher_verify(hasher, "no hash", "", 0, s_deadline_ms(), s_on_done, &seen));
    s_wait(&seen, 5);
    assert_int_equal(seen.outcomes[HASHER_MISMATCH], 4);
    hasher_destroy(&hasher);
    loop_destroy(&seen.loop);
}

/* What one comparison cost, in CPU time of this process: a busy machine makes it take longer, but
 * not do more. */
static int64_t s_cost_us(hasher_t *hasher, seen_t *seen, const char *hash)
{
    struct timespec start, end;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start), 0);
    assert_true(hasher_verify(hasher, hash, "wrong", 5, s_deadline_ms(), s_on_done, seen));
    s_wait(seen, seen->count + 1);
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end), 0);
    return (end.tv_sec - start.tv_sec) * INT64_C(1000000) + (end.tv_nsec - start.tv_nsec) / 1000;
}

static int64_t s_less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void test_nobody_takes_as_long(void **state)
{
    (void)state;
    seen_t seen = {.loop = loop_new()};
    hasher_t *hasher = hasher_new(seen.loop);
    char hash[PASSWORD_HASH_SIZE];
    assert_true(hasher_compute("passw0rd", 8, hash));
    int64_t somebody_us = INT64_MAX, nobody_us = INT64_MAX;
    for (int i = 0; i < 4; i++) { /* in turn, so that whatever slows memory slows both */
        somebody_us = s_less(somebody_us, s_cost_us(hasher, &seen, hash));
        nobody_us = s_less(nobody_us, s_cost_us(hasher, &seen, NULL));
    }
    assert_int_equal(seen.outcomes[HASHER_MISMATCH], 8);
    assert_in_range(nobody_us, somebody_us / 2, somebody_us * 2);
    hasher_destroy(&hasher);
    loop_destroy(&seen.loop);
}

static void test_bounds(void **state)
{
    (void)state;
    seen_t seen = {.loop = loop_new()};
    hasher_t *hasher = hasher_new(seen.loop);
    int taken = 0;
    while (taken < 1000 &&
           hasher_verify(hasher, "no hash", "x", 1, s_deadline_ms(), s_on_done, &seen))
        taken++;
    assert_int_equal(taken, HASHER_WORKERS + HASHER_QUEUE_MAX);
    assert_true(hasher_wait_ms(hasher) > 100);
    s_wait(&seen, taken); /* "no hash" is refused without work, so this is quick */
    assert_int_equal(seen.outcomes[HASHER_MISMATCH], taken);
    assert_true(hasher_verify(hasher, "no hash", "x", 1, s_deadline_ms(), s_on_done, &seen));
    s_wait(&seen, taken + 1);
    /* Whose deadline passes while others are ahead is not worked for. */
    for (int i = 0; i < HASHER_WORKERS; i++)
        assert_true(hasher_verify(hasher, NULL, "x", 1, s_deadline_ms(), s_on_done, &seen));
    assert_true(hasher_verify(hasher, NULL, "x", 1, clock_unix_ms() + 1, s_on_done, &seen));
    s_wait(&seen, taken + 1 + HASHER_WORKERS + 1);
    assert_int_equal(seen.outcomes[HASHER_LATE], 1);
    hasher_destroy(&hasher);
    loop_destroy(&seen.loop);
}

static void test_stop(void **state)
{
    (void)state;
    seen_t seen = {.loop = loop_new()};
    hasher_t *hasher = hasher_new(seen.loop);
    for (int i = 0; i < 5; i++)
        assert_true(hasher_verify(hasher, NULL, "passw0rd", 8, s_deadline_ms(), s_on_done, &seen));
    hasher_stop(hasher);
    assert_int_equal(seen.outcomes[HASHER_STOPPED], 5);
    assert_false(hasher_verify(hasher, NULL, "passw0rd", 8, s_deadline_ms(), s_on_done, &seen));
    hasher_destroy(&hasher);
    assert_null(hasher);
    hasher_destroy(&hasher);
    loop_destroy(&seen.loop); /* the two that run end here */
    assert_int_equal(seen.count, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_and_verify),
        cmocka_unit_test(test_nobody_takes_as_long),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_stop),
    };
    int failed = cmocka_run_group_tests_name("store/accounts hasher", tests, NULL, NULL);
    metrics_shutdown();
    return failed;
}
