/* The slow lane: who brings much waits for himself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/http/slow_lane.h"

enum { JOB_US = 900, PATIENCE_US = 100000 };

typedef struct {
    slow_job_t job;
    char name;
} work_t;

static loop_t *s_loop;
static slow_lane_t *s_lane;
static int64_t s_now_us;
static char s_done[100]; /* names of the jobs that ran; a turn of the loop ends with a blank */

static int s_setup(void **state)
{
    (void)state;
    s_now_us = 1000000;
    s_done[0] = '\0';
    clock_test_set(0, s_now_us);
    s_loop = loop_new();
    s_lane = slow_lane_new(s_loop, PATIENCE_US);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    slow_lane_destroy(&s_lane);
    loop_destroy(&s_loop);
    clock_test_off();
    metrics_shutdown();
    return 0;
}

static void s_say(char c)
{
    size_t size = strlen(s_done);
    s_done[size] = c;
    s_done[size + 1] = '\0';
}

static void s_work(void *arg)
{
    const work_t *work = arg;
    s_say(work->name);
    s_now_us += JOB_US;
    clock_test_set(0, s_now_us);
}

static void s_add(work_t *work, char name, uint64_t client)
{
    work->name = name;
    assert_true(slow_lane_add(s_lane, &work->job, client, 0, s_work, work));
}

static void s_nothing(void *arg)
{
    (void)arg;
}

static void s_turn(void)
{
    loop_defer(s_loop, s_nothing, NULL); /* there is something to turn for */
    uv_update_time(loop_uv(s_loop));
    uv_run(loop_uv(s_loop), UV_RUN_NOWAIT);
    s_say(' ');
}

/* Three jobs fit into a slice; the small client is served second, whatever the other brought. */
static void test_clients_take_turns(void **state)
{
    (void)state;
    work_t greedy[6], modest;
    for (int i = 0; i < 6; i++)
        s_add(&greedy[i], (char)('1' + i), 7);
    s_add(&modest, 'm', 8);
    assert_string_equal(s_done, "");
    for (int i = 0; i < 4; i++)
        s_turn();
    assert_string_equal(s_done, "1m2 345 6  ");
}

/* Whose time is over is told so before anything else is begun; he takes no more than a slice. */
static void test_who_waited_too_long(void **state)
{
    (void)state;
    work_t greedy[5], modest, late;
    for (int i = 0; i < 4; i++)
        s_add(&greedy[i], (char)('1' + i), 7);
    clock_test_set(0, s_now_us += PATIENCE_US);
    s_add(&modest, 'm', 3);
    s_add(&greedy[4], '5', 7);
    s_turn();
    assert_string_equal(s_done, "123 ");
    s_add(&late, 'l', 9);
    clock_test_set(0, s_now_us += PATIENCE_US / 2);
    s_turn();
    assert_string_equal(s_done, "123 4m5 ");
    s_turn();
    assert_string_equal(s_done, "123 4m5 l ");
}

/* Who has much to ask in one turn is told to wait; others are not, nor he in the next. */
static void test_share_of_a_turn(void **state)
{
    (void)state;
    for (int i = 0; i < SLOW_LANE_SHARE; i++)
        assert_false(slow_lane_claims(s_lane, 1000));
    assert_true(slow_lane_claims(s_lane, 1000));
    assert_false(slow_lane_claims(s_lane, 900000));
    s_turn();
    assert_false(slow_lane_claims(s_lane, 1000));
}

static void test_removed(void **state)
{
    (void)state;
    work_t a, b, c;
    s_add(&a, 'a', 1);
    s_add(&b, 'b', 1);
    s_add(&c, 'c', 2);
    slow_lane_remove(s_lane, &a.job);
    slow_lane_remove(s_lane, &c.job);
    s_turn();
    s_turn();
    assert_string_equal(s_done, "b  ");
    s_add(&a, 'a', 1);
    s_turn();
    assert_string_equal(s_done, "b  a ");
}

static void test_too_many(void **state)
{
    (void)state;
    work_t *works = calloc(SLOW_LANE_MAX + 1, sizeof *works);
    for (int i = 0; i < SLOW_LANE_MAX; i++)
        s_add(&works[i], '.', 1);
    work_t *more = &works[SLOW_LANE_MAX];
    assert_false(slow_lane_add(s_lane, &more->job, 2, 0, s_work, more));
    assert_int_equal(metric_value(metrics_counter("parley_slow_lane_refused_total", "", NULL)), 1);
    s_turn();
    s_add(more, 'm', 2);
    s_done[0] = '\0';
    s_turn();
    assert_string_equal(s_done, "m.. ");
    for (int i = 0; i < SLOW_LANE_MAX; i++)
        if (!list_is_empty(&works[i].job.node))
            slow_lane_remove(s_lane, &works[i].job);
    free(works);
}

static bool s_add_bytes(work_t *work, uint64_t client, size_t bytes)
{
    work->name = '.';
    return slow_lane_add(s_lane, &work->job, client, bytes, s_work, work);
}

/* What waits holds memory: of one client a part of what there is for all. */
static void test_too_much(void **state)
{
    (void)state;
    enum { CLIENTS = SLOW_LANE_BYTES / SLOW_LANE_CLIENT_BYTES };
    work_t works[CLIENTS], more;
    for (uint64_t i = 0; i < CLIENTS; i++) {
        assert_true(s_add_bytes(&works[i], i, SLOW_LANE_CLIENT_BYTES));
        assert_false(s_add_bytes(&more, i, 1));
    }
    assert_false(s_add_bytes(&more, CLIENTS, 1));
    slow_lane_remove(s_lane, &works[0].job);
    assert_true(s_add_bytes(&more, 0, SLOW_LANE_CLIENT_BYTES));
    for (int i = 0; i < CLIENTS; i++)
        s_turn();
    assert_true(s_add_bytes(&more, 0, SLOW_LANE_BYTES + 1)); /* larger than all, and alone */
    s_turn();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_clients_take_turns), TEST(test_share_of_a_turn), TEST(test_removed),
        TEST(test_too_many),           TEST(test_too_much),        TEST(test_who_waited_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
