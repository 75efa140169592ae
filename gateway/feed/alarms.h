/* gateway/feed/alarms.h: many moments at which something is due, in one timer of the loop. An alarm
 * lies inside its owner; a cleared one costs nothing. Loop thread. */
#ifndef PARLEY_GATEWAY_FEED_ALARMS_H
#define PARLEY_GATEWAY_FEED_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"

typedef struct alarms alarms_t;

typedef struct {
    void (*fn)(void *arg);
    void *arg;
    int64_t due_us;
    uint32_t place; /* in the heap, from 1; 0: not set */
} alarm_t;

alarms_t *alarms_new(loop_t *loop);
/* All alarms must be cleared. */
void alarms_destroy(alarms_t **self_p);

static inline void alarm_init(alarm_t *alarm, void (*fn)(void *arg), void *arg)
{
    *alarm = (alarm_t){.fn = fn, .arg = arg};
}

static inline bool alarm_is_set(const alarm_t *alarm)
{
    return alarm->place != 0;
}

/* fn(arg) after after_ms; one that is set already is moved. */
void alarm_set(alarms_t *self, alarm_t *alarm, int64_t after_ms);
void alarm_clear(alarms_t *self, alarm_t *alarm);

#endif
