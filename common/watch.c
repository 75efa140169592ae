#include "common/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 256 };

struct watch {
    uv_poll_t poll;
    watch_fn fn;
    int epoll;
    size_t count; /* of descriptors that are watched */
};

static int s_events(uint32_t ready)
{
    if (ready & (EPOLLERR | EPOLLHUP))
        return UV_READABLE | UV_WRITABLE;
    return (ready & EPOLLIN ? UV_READABLE : 0) | (ready & EPOLLOUT ? UV_WRITABLE : 0);
}

/* Who is not reached now is in the next turn: others of the loop wait, too. */
static void s_on_poll(uv_poll_t *poll, int status, int ignored)
{
    watch_t *self = poll->data;
    struct epoll_event events[EVENTS_A_TURN];
    (void)status;
    (void)ignored;
    int count = epoll_wait(self->epoll, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < count; i++)
        self->fn(events[i].data.ptr, s_events(events[i].events));
}

watch_t *watch_new(loop_t *loop, watch_fn fn)
{
    watch_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->fn = fn;
    self->poll.data = self;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0 || uv_poll_init(loop_uv(loop), &self->poll, self->epoll) != 0)
        abort();
    uv_poll_start(&self->poll, UV_READABLE, s_on_poll);
    return self;
}

static void s_on_closed(uv_handle_t *handle)
{
    watch_t *self = handle->data;
    close(self->epoll);
    free(self);
}

void watch_destroy(watch_t **self_p)
{
    watch_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    assert(self->count == 0);
    uv_close((uv_handle_t *)&self->poll, s_on_closed);
}

void watch_change(watch_t *self, int fd, int before, int events, void *owner)
{
    struct epoll_event event = {.data.ptr = owner};
    int operation = EPOLL_CTL_MOD;
    if (events == before)
        return;
    if (events & UV_READABLE)
        event.events |= EPOLLIN;
    if (events & UV_WRITABLE)
        event.events |= EPOLLOUT;
    if (before == 0) {
        operation = EPOLL_CTL_ADD;
        self->count++;
    } else if (events == 0) {
        operation = EPOLL_CTL_DEL;
        self->count--;
    }
    if (epoll_ctl(self->epoll, operation, fd, &event) != 0)
        abort(); /* out of kernel memory, or an owner has closed it already */
}
