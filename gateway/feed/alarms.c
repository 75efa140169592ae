#include "gateway/feed/alarms.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"

struct alarms {
    loop_timer_t *timer;
    int64_t armed_us; /* INT64_MAX: not armed */
    alarm_t **heap;   /* by due_us; from 1 */
    uint32_t count;
    uint32_t capacity;
};

static void s_place(alarms_t *self, uint32_t place, alarm_t *alarm)
{
    self->heap[place] = alarm;
    alarm->place = place;
}

static void s_rise(alarms_t *self, alarm_t *alarm)
{
    uint32_t place = alarm->place;
    for (; place > 1 && self->heap[place / 2]->due_us > alarm->due_us; place /= 2)
        s_place(self, place, self->heap[place / 2]);
    s_place(self, place, alarm);
}

static void s_sink(alarms_t *self, alarm_t *alarm)
{
    uint32_t place = alarm->place;
    for (uint32_t child; (child = 2 * place) <= self->count; place = child) {
        if (child < self->count && self->heap[child + 1]->due_us < self->heap[child]->due_us)
            child++;
        if (alarm->due_us <= self->heap[child]->due_us)
            break;
        s_place(self, place, self->heap[child]);
    }
    s_place(self, place, alarm);
}

static void s_arm(alarms_t *self)
{
    if (self->count == 0 || self->heap[1]->due_us >= self->armed_us)
        return;
    int64_t wait_us = self->heap[1]->due_us - clock_mono_us();
    self->armed_us = self->heap[1]->due_us;
    loop_timer_start(self->timer, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 0, 0);
}

static void s_on_timer(void *arg)
{
    alarms_t *self = arg;
    int64_t now_us = clock_mono_us();
    self->armed_us = INT64_MAX;
    while (self->count > 0 && self->heap[1]->due_us <= now_us) {
        alarm_t *alarm = self->heap[1];
        alarm_clear(self, alarm);
        alarm->fn(alarm->arg);
    }
    s_arm(self);
}

alarms_t *alarms_new(loop_t *loop)
{
    alarms_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->timer = loop_timer_new(loop, s_on_timer, self);
    self->armed_us = INT64_MAX;
    return self;
}

void alarms_destroy(alarms_t **self_p)
{
    alarms_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    assert(self->count == 0);
    loop_timer_destroy(&self->timer);
    free(self->heap);
    free(self);
}

static void s_grow(alarms_t *self)
{
    if (self->count + 1 < self->capacity)
        return;
    self->capacity = self->capacity > 0 ? self->capacity * 2 : 64;
    self->heap = realloc(self->heap, self->capacity * sizeof(alarm_t *));
    if (self->heap == NULL)
        abort();
}

void alarm_set(alarms_t *self, alarm_t *alarm, int64_t after_ms)
{
    alarm->due_us = clock_mono_us() + after_ms * 1000;
    if (!alarm_is_set(alarm)) {
        s_grow(self);
        s_place(self, ++self->count, alarm);
    }
    s_rise(self, alarm);
    s_sink(self, alarm);
    s_arm(self);
}

void alarm_clear(alarms_t *self, alarm_t *alarm)
{
    if (!alarm_is_set(alarm))
        return;
    uint32_t place = alarm->place;
    alarm_t *last = self->heap[self->count--];
    alarm->place = 0;
    if (last == alarm)
        return;
    s_place(self, place, last);
    s_rise(self, last);
    s_sink(self, last);
}
