#include "common/curl_loop.h"

#include <stdlib.h>

/* A transfer; found by CURLOPT_PRIVATE. */
typedef struct {
    curl_done_fn fn;
    void *arg;
} transfer_t;

struct curl_loop {
    loop_t *loop;
    CURLM *multi;
    loop_timer_t *timer;
};

/* A descriptor of libcurl's that is watched. */
typedef struct {
    curl_loop_t *owner;
    curl_socket_t fd;
    loop_fd_t *watch;
} socket_t;

/* ---- what has ended ---- */

static void s_finish(curl_loop_t *self, CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    transfer_t *transfer = (transfer_t *)(void *)private;
    curl_done_fn fn = transfer->fn;
    void *arg = transfer->arg;
    curl_multi_remove_handle(self->multi, easy);
    free(transfer);
    fn(arg, result);
}

static void s_act(curl_loop_t *self, curl_socket_t fd, int events)
{
    int running, left;
    const CURLMsg *message;
    curl_multi_socket_action(self->multi, fd, events, &running);
    while ((message = curl_multi_info_read(self->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            s_finish(self, message->easy_handle, message->data.result);
}

/* ---- what libcurl waits for ---- */

static void s_on_ready(void *arg, int events)
{
    socket_t *socket = arg;
    int bits = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
               (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    s_act(socket->owner, socket->fd, bits); /* socket may be gone now */
}

static void s_forget_socket(curl_loop_t *self, socket_t *socket, curl_socket_t fd)
{
    if (!socket)
        return;
    curl_multi_assign(self->multi, fd, NULL);
    loop_fd_destroy(&socket->watch);
    free(socket);
}

static int s_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    curl_loop_t *self = arg;
    socket_t *socket = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        s_forget_socket(self, socket, fd);
        return 0;
    }
    if (!socket) {
        socket = calloc(1, sizeof *socket);
        if (!socket)
            abort();
        socket->owner = self;
        socket->fd = fd;
        socket->watch = loop_fd_new(self->loop, fd, s_on_ready, socket);
        curl_multi_assign(self->multi, fd, socket);
    }
    loop_fd_want(socket->watch, (what & CURL_POLL_IN ? UV_READABLE : 0) |
                                    (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}

static void s_on_timer(void *arg)
{
    s_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int s_on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    curl_loop_t *self = arg;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(self->timer);
    else
        loop_timer_start(self->timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- life ---- */

curl_loop_t *curl_loop_new(loop_t *loop)
{
    curl_loop_t *self = calloc(1, sizeof *self);
    if (!self || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !(self->multi = curl_multi_init()))
        abort();
    self->loop = loop;
    self->timer = loop_timer_new(loop, s_on_timer, self);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, s_on_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, s_on_timeout);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    return self;
}

void curl_loop_destroy(curl_loop_t **self_p)
{
    curl_loop_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    curl_multi_cleanup(self->multi); /* closes idle connections: their sockets are removed */
    loop_timer_destroy(&self->timer);
    free(self);
    curl_global_cleanup();
}

void curl_loop_start(curl_loop_t *self, CURL *easy, curl_done_fn fn, void *arg)
{
    transfer_t *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        abort();
    *transfer = (transfer_t){.fn = fn, .arg = arg};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (curl_multi_add_handle(self->multi, easy) != CURLM_OK)
        abort(); /* out of memory, or a handle that runs already */
}

void curl_loop_cancel(curl_loop_t *self, CURL *easy)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    curl_multi_remove_handle(self->multi, easy);
    free(private);
}
