/* common/mhd_loop.h: a libmicrohttpd daemon (external epoll, no thread of its own) driven by the
 * loop. */
#ifndef PARLEY_COMMON_MHD_LOOP_H
#define PARLEY_COMMON_MHD_LOOP_H

#include <microhttpd.h>

#include "common/loop.h"

typedef struct mhd_loop mhd_loop_t;

/* daemon was started with MHD_USE_EPOLL and without an internal thread; it stays the caller's, who
 * stops it after mhd_loop_destroy. */
mhd_loop_t *mhd_loop_new(loop_t *loop, struct MHD_Daemon *daemon);
/* Runs the daemon at the end of this turn: after a resume, which takes effect only in the next
 * MHD_run. */
void mhd_loop_kick(mhd_loop_t *self);
void mhd_loop_destroy(mhd_loop_t **self_p);

#endif
