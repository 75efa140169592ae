#include "common/mhd_loop.h"

#include <stdlib.h>

#include "common/clock.h"

enum { RUNS_A_TURN = 8, TURN_US = 2000 };

struct mhd_loop {
    loop_t *loop;
    struct MHD_Daemon *daemon;
    loop_fd_t *fd;
    loop_timer_t *timer;
    int64_t timer_due_us; /* of the running timer */
    bool is_kicked;
    bool has_more; /* for the next turn */
};

/* Starts the timer unless it fires early enough already: an early run costs less than a restart at
 * every request. */
static void s_start_timer(mhd_loop_t *self, uint64_t after_ms)
{
    int64_t due_us = clock_mono_us() + (int64_t)after_ms * 1000;
    if (loop_timer_is_active(self->timer) && self->timer_due_us <= due_us)
        return;
    self->timer_due_us = due_us;
    loop_timer_start(self->timer, after_ms, 0);
}

static void s_run(void *arg)
{
    mhd_loop_t *self = arg;
    self->is_kicked = false;
    if (self->has_more)
        loop_defer_cancel(self->loop, s_run, self);
    self->has_more = false;
    int64_t until_us = clock_mono_us() + TURN_US;
    for (int i = 0; i < RUNS_A_TURN; i++) {
        MHD_run(self->daemon);
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        if (MHD_get_timeout(self->daemon, &timeout_ms) != MHD_YES)
            return;
        if (timeout_ms > 0) {
            s_start_timer(self, timeout_ms);
            return;
        }
        if (clock_mono_us() >= until_us)
            break;
    }
    self->has_more = true;
    loop_next_turn(self->loop, s_run, self); /* the others' turn */
}

static void s_on_ready(void *arg, int events)
{
    (void)events;
    s_run(arg);
}

mhd_loop_t *mhd_loop_new(loop_t *loop, struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    mhd_loop_t *self = calloc(1, sizeof *self);
    if (self == NULL || info == NULL)
        abort(); /* the daemon was started without MHD_USE_EPOLL */
    self->loop = loop;
    self->daemon = daemon;
    self->timer = loop_timer_new(loop, s_run, self);
    self->fd = loop_fd_new(loop, info->epoll_fd, s_on_ready, self);
    loop_fd_want(self->fd, UV_READABLE);
    return self;
}

void mhd_loop_kick(mhd_loop_t *self)
{
    if (self->is_kicked)
        return;
    self->is_kicked = true;
    loop_defer(self->loop, s_run, self);
}

void mhd_loop_destroy(mhd_loop_t **self_p)
{
    mhd_loop_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_run, self);
    loop_fd_destroy(&self->fd);
    loop_timer_destroy(&self->timer);
    free(self);
}
