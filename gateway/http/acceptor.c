#include "gateway/http/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    ACCEPTS_A_TURN = 64,
    ACCEPTS_AT_END = 65536, /* no queue is as long */
    PAUSE_MS = 50,          /* while there are no descriptors or there is no memory */
    WARN_EACH_S = 10,
};

struct acceptor {
    struct MHD_Daemon *daemon;
    mhd_loop_t *mhd;
    int fd; /* -1: closed */
    loop_fd_t *watched;
    loop_timer_t *pause;
    int64_t warned_us; /* 0: never */
};

/* ---- taking ---- */

/* The queue stays as it is, and readable: nobody looks until the pause is over. */
static void s_pause(acceptor_t *self, int errnum)
{
    int64_t now_us = clock_mono_us();
    if (self->warned_us == 0 || now_us - self->warned_us > (int64_t)WARN_EACH_S * 1000000) {
        log_warn("connections have to wait", log_str("reason", strerror(errnum)), LOG_END);
        self->warned_us = now_us;
    }
    loop_fd_want(self->watched, 0);
    loop_timer_start(self->pause, PAUSE_MS, 0);
}

/* What accept says of a connection that is gone already: the next one may be there. */
static bool s_is_of_one(int errnum)
{
    return errnum == ECONNABORTED || errnum == EINTR || errnum == EPROTO || errnum == EPERM;
}

static void s_take(acceptor_t *self, int most)
{
    struct sockaddr_storage address;
    int taken = 0;
    while (taken < most) {
        socklen_t size = sizeof address;
        struct sockaddr *peer = (struct sockaddr *)(void *)&address;
        int fd = accept4(self->fd, peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && !s_is_of_one(errno)) {
            if (errno != EAGAIN)
                s_pause(self, errno);
            break;
        }
        taken++;
        if (fd >= 0)
            MHD_add_connection(self->daemon, fd, peer, size); /* which closes it if it cannot */
    }
    if (taken > 0)
        mhd_loop_kick(self->mhd);
}

static void s_on_ready(void *arg, int events)
{
    (void)events;
    s_take(arg, ACCEPTS_A_TURN);
}

static void s_on_pause_over(void *arg)
{
    acceptor_t *self = arg;
    loop_fd_want(self->watched, UV_READABLE);
}

/* ---- life ---- */

acceptor_t *acceptor_new(loop_t *loop, int fd, struct MHD_Daemon *daemon, mhd_loop_t *mhd)
{
    acceptor_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->daemon = daemon;
    self->mhd = mhd;
    self->fd = fd;
    self->pause = loop_timer_new(loop, s_on_pause_over, self);
    self->watched = loop_fd_new(loop, fd, s_on_ready, self);
    loop_fd_want(self->watched, UV_READABLE);
    return self;
}

unsigned acceptor_port(const acceptor_t *self)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(self->fd, (struct sockaddr *)(void *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static void s_stop(acceptor_t *self)
{
    if (self->fd < 0)
        return;
    loop_fd_destroy(&self->watched);
    loop_timer_destroy(&self->pause);
    close(self->fd);
    self->fd = -1;
}

void acceptor_close(acceptor_t *self)
{
    if (self->fd >= 0)
        s_take(self, ACCEPTS_AT_END);
    s_stop(self);
}

void acceptor_destroy(acceptor_t **self_p)
{
    acceptor_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    s_stop(self);
    free(self);
}
