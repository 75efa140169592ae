/* The loop of the feed's world, in virtual time. */
#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "feed_world.h"
#include "gateway/feed/feed_idle.h"

struct loop_timer {
    struct loop_timer *next;
    void (*fn)(void *arg);
    void *arg;
    int64_t due_us; /* 0: stopped */
};

struct feed_idle {
    void (*fn)(void *arg);
    void *arg;
    bool is_on;
};

typedef struct {
    void (*fn)(void *arg);
    void *arg;
} deferred_t;

static int64_t s_now_us;
static loop_timer_t *s_timers;
static feed_idle_t *s_idle;
static deferred_t s_deferred[4096];
static size_t s_deferred_count;

loop_timer_t *loop_timer_new(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    loop_timer_t *self = calloc(1, sizeof *self);
    self->fn = fn;
    self->arg = arg;
    self->next = s_timers;
    s_timers = self;
    return self;
}

void loop_timer_start(loop_timer_t *self, uint64_t after_ms, uint64_t every_ms)
{
    assert(every_ms == 0);
    self->due_us = s_now_us + (int64_t)after_ms * 1000;
}

void loop_timer_stop(loop_timer_t *self)
{
    self->due_us = 0;
}

bool loop_timer_is_active(const loop_timer_t *self)
{
    return self->due_us != 0;
}

void loop_timer_destroy(loop_timer_t **self_p)
{
    for (loop_timer_t **at = &s_timers; *at != NULL; at = &(*at)->next)
        if (*at == *self_p) {
            *at = (*self_p)->next;
            break;
        }
    free(*self_p);
    *self_p = NULL;
}

void loop_defer(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    assert(s_deferred_count < sizeof s_deferred / sizeof s_deferred[0]);
    s_deferred[s_deferred_count++] = (deferred_t){fn, arg};
}

void loop_defer_cancel(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    for (size_t i = 0; i < s_deferred_count; i++)
        if (s_deferred[i].fn == fn && s_deferred[i].arg == arg)
            s_deferred[i].fn = NULL;
}

feed_idle_t *feed_idle_new(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    s_idle = calloc(1, sizeof *s_idle);
    s_idle->fn = fn;
    s_idle->arg = arg;
    return s_idle;
}

void feed_idle_destroy(feed_idle_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
    s_idle = NULL;
}

void feed_idle_start(feed_idle_t *self)
{
    self->is_on = true;
}

void feed_idle_stop(feed_idle_t *self)
{
    self->is_on = false;
}

static bool s_fire_timers(void)
{
    for (loop_timer_t *timer = s_timers; timer != NULL; timer = timer->next)
        if (timer->due_us != 0 && timer->due_us <= s_now_us) {
            timer->due_us = 0;
            timer->fn(timer->arg);
            return true; /* the list may have changed */
        }
    return false;
}

bool world_turn(void)
{
    world.turns++;
    while (s_fire_timers())
        ;
    world_end_calls();
    if (s_idle != NULL && s_idle->is_on)
        s_idle->fn(s_idle->arg);
    for (size_t i = 0; i < s_deferred_count; i++) {
        deferred_t deferred = s_deferred[i];
        s_deferred[i].fn = NULL;
        if (deferred.fn != NULL)
            deferred.fn(deferred.arg);
    }
    s_deferred_count = 0;
    return s_idle != NULL && s_idle->is_on;
}

void world_settle(int most)
{
    while (most-- > 0 && world_turn())
        ;
}

static void s_set_time(int64_t now_us)
{
    s_now_us = now_us;
    clock_test_set(1700000000000000 + now_us, now_us);
}

void world_pass(int ms)
{
    int step = ms > 500 ? 50 : 5;
    for (; ms > 0; ms -= step) {
        s_set_time(s_now_us + (int64_t)(ms < step ? ms : step) * 1000);
        world_turn();
    }
}

int64_t world_now_ms(void)
{
    return s_now_us / 1000;
}

void world_open_loop(void)
{
    s_deferred_count = 0;
    s_set_time(1000000);
}

bool world_loop_is_empty(void)
{
    return s_timers == NULL && s_idle == NULL;
}
