/* common/watch.h: readiness of many descriptors, as one handle of the loop: a handle of libuv's for
 * each would be larger than most of what a connection holds, and costs three system calls to make.
 * Loop thread. */
#ifndef PARLEY_COMMON_WATCH_H
#define PARLEY_COMMON_WATCH_H

#include "common/loop.h"

typedef struct watch watch_t;

/* events: UV_READABLE | UV_WRITABLE; both on an error of the descriptor. */
typedef void (*watch_fn)(void *owner, int events);

watch_t *watch_new(loop_t *loop, watch_fn fn);
/* Nothing must be watched any more. */
void watch_destroy(watch_t **self_p);

/* What is watched for at fd from now on, instead of `before`; 0: nothing. Before fd is closed it
 * must be 0. The owner may be told once more in this turn of the loop what was so before. */
void watch_change(watch_t *self, int fd, int before, int events, void *owner);

#endif
