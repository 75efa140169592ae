/* How often passwords and codes may be tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "store/accounts/attempts.h"

static attempts_t *s_attempts;
static int64_t s_mono_us = 1000000;

static void s_sleep_ms(int64_t ms)
{
    s_mono_us += ms * 1000;
    clock_test_set(1800000000000000 + s_mono_us, s_mono_us);
}

static int s_setup(void **state)
{
    (void)state;
    s_sleep_ms(0);
    s_attempts = attempts_new(&(attempts_options_t){
        .delay_after = 5, .failures_per_minute = 60, .sign_ups_per_minute = 120});
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    attempts_destroy(&s_attempts);
    clock_test_off();
    return 0;
}

/* One attempt and its outcome; the wait if it was refused. */
static int64_t
s_try(attempt_kind_t kind, const char *name, const char *client, attempt_outcome_t outcome)
{
    attempt_t attempt;
    int64_t wait_ms = attempts_begin(s_attempts, kind, name, strlen(name), client, &attempt);
    attempts_end(s_attempts, &attempt, outcome);
    return wait_ms;
}

static int64_t s_wrong(const char *name, const char *client)
{
    return s_try(ATTEMPT_PASSWORD, name, client, ATTEMPT_WRONG);
}

static void test_delay_grows_from_the_fifth(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(s_wrong("ada", "10.0.0.1"), 0);
    static const int64_t delays_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < sizeof delays_s / sizeof *delays_s; i++) {
        assert_int_equal(s_wrong("ada", "10.0.0.1"), delays_s[i] * 1000);
        s_sleep_ms(delays_s[i] * 1000 - 1);
        assert_int_equal(s_wrong("ada", "10.0.0.1"), 1);
        s_sleep_ms(1);
        assert_int_equal(s_wrong("ada", "10.0.0.1"), 0);
    }
}

static void test_a_stranger_delays_only_himself(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        s_wrong("ada", "10.0.0.1");
    assert_int_not_equal(s_wrong("ada", "10.0.0.1"), 0);
    assert_int_equal(s_try(ATTEMPT_PASSWORD, "ada", "10.0.0.2", ATTEMPT_RIGHT), 0);
    assert_int_equal(s_wrong("bob", "10.0.0.1"), 0);
}

static void test_the_right_one_ends_it(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(s_wrong("ada", "10.0.0.1"), 0);
        assert_int_equal(s_try(ATTEMPT_PASSWORD, "ada", "10.0.0.1", ATTEMPT_RIGHT), 0);
    }
    for (int i = 0; i < 4; i++)
        s_wrong("ada", "10.0.0.1");
    s_sleep_ms(16 * 60 * 1000);
    for (int i = 0; i < 5; i++)
        assert_int_equal(s_wrong("ada", "10.0.0.1"), 0);
}

/* Who sends all attempts at once gets no more of them judged; who is right may come often. */
static void test_attempts_at_once(void **state)
{
    (void)state;
    attempt_t attempts[100], late;
    for (int i = 0; i < 100; i++)
        assert_int_equal(attempts_begin(s_attempts, ATTEMPT_PASSWORD, "ada", 3, NULL, &attempts[i]),
                         0);
    assert_int_equal(attempts_begin(s_attempts, ATTEMPT_PASSWORD, "ada", 3, NULL, &late), 100);
    for (int i = 0; i < 5; i++)
        attempts_end(s_attempts, &attempts[i], ATTEMPT_WRONG);
    s_sleep_ms(60000);
    assert_int_equal(attempts_begin(s_attempts, ATTEMPT_PASSWORD, "ada", 3, NULL, &late), 100);
    for (int i = 5; i < 100; i++)
        attempts_end(s_attempts, &attempts[i], ATTEMPT_UNJUDGED);
    assert_int_equal(attempts_begin(s_attempts, ATTEMPT_PASSWORD, "ada", 3, NULL, &late), 0);
    attempts_end(s_attempts, &late, ATTEMPT_RIGHT);
    assert_int_equal(s_wrong("ada", NULL), 0);
}

static void test_an_address_goes_through_accounts(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 200; i++) { /* the right ones do not count */
        snprintf(name, sizeof name, "user%d", i);
        assert_int_equal(s_try(ATTEMPT_PASSWORD, name, "10.0.0.1", ATTEMPT_RIGHT), 0);
    }
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "user%d", i);
        assert_int_equal(s_wrong(name, "10.0.0.1"), 0);
    }
    assert_int_equal(s_wrong("user99", "10.0.0.1"), 1000);
    assert_int_equal(s_wrong("user99", "10.0.0.2"), 0);
    s_sleep_ms(1000);
    assert_int_equal(s_wrong("user99", "10.0.0.1"), 0);
}

/* Six digits are few: many addresses together do not get far either. */
static void test_codes_of_one_account(void **state)
{
    (void)state;
    char client[24];
    int judged = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(client, sizeof client, "10.0.1.%d", i);
        judged += s_try(ATTEMPT_CODE, "ada", client, ATTEMPT_WRONG) == 0;
    }
    assert_int_equal(judged, 60);
    assert_int_equal(s_try(ATTEMPT_PASSWORD, "ada", "10.0.1.1", ATTEMPT_RIGHT), 0);
    s_sleep_ms(10000);
    assert_int_equal(s_try(ATTEMPT_CODE, "ada", "10.0.0.9", ATTEMPT_RIGHT), 0);
}

static void test_sign_ups(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++)
        assert_int_equal(attempts_sign_up(s_attempts, "10.0.0.1"), 0);
    assert_int_equal(attempts_sign_up(s_attempts, "10.0.0.1"), 500);
    assert_int_equal(attempts_sign_up(s_attempts, "10.0.0.2"), 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(attempts_sign_up(s_attempts, NULL), 0);
}

static void test_switched_off(void **state)
{
    (void)state;
    attempts_destroy(&s_attempts);
    s_attempts = attempts_new(&(attempts_options_t){0});
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(s_wrong("ada", "10.0.0.1"), 0);
        assert_int_equal(s_try(ATTEMPT_CODE, "ada", "10.0.0.1", ATTEMPT_WRONG), 0);
        assert_int_equal(attempts_sign_up(s_attempts, "10.0.0.1"), 0);
    }
}

/* A flood of names throws no pair out that is being delayed. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    char name[24];
    for (int i = 0; i < 7; i++) {
        s_wrong("ada", NULL);
        s_sleep_ms(5000);
    }
    s_wrong("ada", NULL);
    for (int i = 0; i < 300000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        s_wrong(name, NULL);
    }
    assert_int_not_equal(s_wrong("ada", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_delay_grows_from_the_fifth),
        TEST(test_a_stranger_delays_only_himself),
        TEST(test_the_right_one_ends_it),
        TEST(test_attempts_at_once),
        TEST(test_an_address_goes_through_accounts),
        TEST(test_codes_of_one_account),
        TEST(test_sign_ups),
        TEST(test_switched_off),
        TEST(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
