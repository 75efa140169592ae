/* gateway/feed/feed_idle.h: a function that runs once in each turn of the loop, which then looks at
 * its sockets and comes back without sleeping. Loop thread. */
#ifndef PARLEY_GATEWAY_FEED_FEED_IDLE_H
#define PARLEY_GATEWAY_FEED_FEED_IDLE_H

#include "common/loop.h"

typedef struct feed_idle feed_idle_t;

feed_idle_t *feed_idle_new(loop_t *loop, void (*fn)(void *arg), void *arg);
void feed_idle_destroy(feed_idle_t **self_p);
void feed_idle_start(feed_idle_t *self);
void feed_idle_stop(feed_idle_t *self);

#endif
