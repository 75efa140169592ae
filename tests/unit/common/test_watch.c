/* Many descriptors as one handle of the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/watch.h"

enum { PAIRS = 300 }; /* more than are told in one turn */

typedef struct {
    int fds[2]; /* fds[0] is watched */
    int watching, told;
} pair_t;

static loop_t *s_loop;
static watch_t *s_watch;
static pair_t s_pairs[PAIRS];

static void s_on_ready(void *owner, int events)
{
    pair_t *pair = owner;
    pair->told = events;
}

static void s_want(pair_t *pair, int events)
{
    watch_change(s_watch, pair->fds[0], pair->watching, events, pair);
    pair->watching = events;
}

/* What was told of it in some turns. */
static int s_told(pair_t *pair)
{
    pair->told = 0;
    for (int i = 0; i < 5; i++)
        uv_run(loop_uv(s_loop), UV_RUN_NOWAIT);
    return pair->told;
}

static int s_setup(void **state)
{
    (void)state;
    s_loop = loop_new();
    s_watch = watch_new(s_loop, s_on_ready);
    for (int i = 0; i < PAIRS; i++) {
        s_pairs[i] = (pair_t){.watching = 0};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s_pairs[i].fds) != 0)
            return -1;
    }
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        s_want(&s_pairs[i], 0);
        close(s_pairs[i].fds[0]);
        close(s_pairs[i].fds[1]);
    }
    watch_destroy(&s_watch);
    loop_destroy(&s_loop);
    return 0;
}

static void s_write(const pair_t *pair)
{
    assert_int_equal(write(pair->fds[1], "x", 1), 1);
}

static void test_what_is_wanted_is_told(void **state)
{
    pair_t *pair = &s_pairs[0];
    char byte;
    (void)state;
    s_want(pair, UV_READABLE);
    assert_int_equal(s_told(pair), 0);
    s_write(pair);
    assert_int_equal(s_told(pair), UV_READABLE);
    s_want(pair, UV_WRITABLE);
    assert_int_equal(s_told(pair), UV_WRITABLE);
    s_want(pair, UV_READABLE | UV_WRITABLE);
    assert_int_equal(s_told(pair), UV_READABLE | UV_WRITABLE);
    assert_int_equal(read(pair->fds[0], &byte, 1), 1);
    assert_int_equal(s_told(pair), UV_WRITABLE);
    s_want(pair, 0);
    assert_int_equal(s_told(pair), 0);
    s_want(pair, 0); /* again: nothing */
    s_want(pair, UV_READABLE);
    assert_int_equal(s_told(pair), 0);
    shutdown(pair->fds[1], SHUT_RDWR); /* the other end hangs up */
    assert_int_equal(s_told(pair), UV_READABLE | UV_WRITABLE);
}

static void test_many(void **state)
{
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        s_want(&s_pairs[i], UV_READABLE);
        s_write(&s_pairs[i]);
    }
    s_told(&s_pairs[0]);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(s_pairs[i].told, UV_READABLE);
}

/* The loop sleeps until something comes. */
static void s_on_first(void *owner, int events)
{
    s_on_ready(owner, events);
    loop_stop(s_loop);
}

static void s_on_timer(void *arg)
{
    s_write(arg);
}

static void test_it_wakes_the_loop(void **state)
{
    (void)state;
    pair_t *pair = &s_pairs[0];
    watch_t *watch = watch_new(s_loop, s_on_first);
    loop_timer_t *timer = loop_timer_new(s_loop, s_on_timer, pair);
    loop_timer_start(timer, 10, 0);
    watch_change(watch, pair->fds[0], 0, UV_READABLE, pair);
    pair->told = 0;
    loop_run(s_loop);
    assert_int_equal(pair->told, UV_READABLE);
    watch_change(watch, pair->fds[0], UV_READABLE, 0, pair);
    watch_destroy(&watch);
    loop_timer_destroy(&timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_wanted_is_told, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_many, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_it_wakes_the_loop, s_setup, s_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
