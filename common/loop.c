#include "common/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "common/log.h"

enum { DEFER_ROUNDS = 8, ZMQ_CALLS_A_TURN = 64, STOP_SIGNALS = 2 };

typedef struct {
    void (*fn)(void *arg);
    void *arg;
} deferred_t;

typedef struct {
    deferred_t *items;
    size_t count, capacity;
} deferred_list_t;

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* right before the loop sleeps */
    uv_check_t check;     /* the end of a turn */
    uv_idle_t awake;      /* active while something is put off: the loop does not sleep */
    uv_signal_t stop_signals[STOP_SIGNALS];
    void (*on_stop)(void *arg);
    void *on_stop_arg;
    deferred_list_t deferred; /* for the end of this turn */
    deferred_list_t next;     /* for the end of the next one */
    uint64_t turn;
    size_t next_due;    /* of those: they were there before this turn looked around */
    loop_zmq_t *kicked; /* sockets to look at in the end of this turn */
};

struct loop_zmq {
    uv_poll_t poll;
    loop_t *loop;
    loop_zmq_t *next_kicked;
    void *socket; /* NULL once destroyed */
    void (*on_readable)(void *arg);
    void *arg;
    bool is_kicked;
};

struct loop_timer {
    uv_timer_t timer;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_fd {
    uv_poll_t poll;
    int wanted;
    void (*on_ready)(void *arg, int events);
    void *arg;
};

/* handle->data is the object around the handle. */
static void s_free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static void *s_new(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        abort();
    return memory;
}

/* ---- the end of a turn ---- */

static void s_on_awake(uv_idle_t *idle)
{
    (void)idle; /* being active is its work */
}

static void s_stay_awake(loop_t *self)
{
    if (!uv_is_active((uv_handle_t *)&self->awake))
        uv_idle_start(&self->awake, s_on_awake);
}

/* Lets the socket's user receive; true if there may be more after the turn's share was used up. */
static bool s_zmq_drain(loop_zmq_t *self)
{
    for (int i = 0; i < ZMQ_CALLS_A_TURN && self->socket != NULL; i++) {
        int events = 0;
        size_t size = sizeof events;
        if (zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &size) != 0 || !(events & ZMQ_POLLIN))
            return false;
        self->on_readable(self->arg);
    }
    return self->socket != NULL;
}

static void s_run_kicked(loop_t *self)
{
    loop_zmq_t *kicked = self->kicked;
    self->kicked = NULL;
    for (loop_zmq_t *zmq = kicked, *next; zmq != NULL; zmq = next) {
        next = zmq->next_kicked;
        zmq->is_kicked = false;
        if (zmq->socket == NULL)
            uv_close((uv_handle_t *)&zmq->poll, s_free_handle);
        else if (s_zmq_drain(zmq))
            loop_zmq_kick(zmq);
    }
}

/* Runs the first of the list; what is added meanwhile stays. */
static void s_run_list(deferred_list_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        deferred_t deferred = list->items[i]; /* the list may move while it runs */
        list->items[i].fn = NULL;
        if (deferred.fn != NULL)
            deferred.fn(deferred.arg);
    }
    list->count -= count;
    for (size_t i = 0; i < list->count; i++)
        list->items[i] = list->items[count + i];
}

static void s_on_check(uv_check_t *check)
{
    loop_t *self = check->data;
    s_run_kicked(self);
    s_run_list(&self->next, self->next_due);
    self->next_due = 0;
    for (int round = 0; round < DEFER_ROUNDS && self->deferred.count > 0; round++)
        s_run_list(&self->deferred, self->deferred.count);
    s_run_kicked(self); /* what was put off has sent, and may have swallowed an edge */
    if (self->deferred.count == 0 && self->next.count == 0 && self->kicked == NULL)
        uv_idle_stop(&self->awake);
}

static void s_put_off(loop_t *self, deferred_list_t *list, void (*fn)(void *arg), void *arg)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        list->items = realloc(list->items, list->capacity * sizeof list->items[0]);
        if (list->items == NULL)
            abort();
    }
    list->items[list->count++] = (deferred_t){.fn = fn, .arg = arg};
    s_stay_awake(self);
}

void loop_defer(loop_t *self, void (*fn)(void *arg), void *arg)
{
    s_put_off(self, &self->deferred, fn, arg);
}

void loop_next_turn(loop_t *self, void (*fn)(void *arg), void *arg)
{
    s_put_off(self, &self->next, fn, arg);
}

uint64_t loop_turn(const loop_t *self)
{
    return self->turn;
}

static void s_cancel(deferred_list_t *list, void (*fn)(void *arg), const void *arg)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].fn == fn && list->items[i].arg == arg)
            list->items[i].fn = NULL;
}

void loop_defer_cancel(loop_t *self, void (*fn)(void *arg), void *arg)
{
    s_cancel(&self->deferred, fn, arg);
    s_cancel(&self->next, fn, arg);
}

static void s_on_prepare(uv_prepare_t *prepare)
{
    loop_t *self = prepare->data;
    self->next_due = self->next.count;
    self->turn++;
    log_flush();
}

/* ---- the loop ---- */

loop_t *loop_new(void)
{
    zsys_handler_set(NULL); /* czmq would catch SIGINT and SIGTERM */
    signal(SIGPIPE, SIG_IGN);
    loop_t *self = s_new(sizeof *self);
    if (uv_loop_init(&self->uv) != 0)
        abort();
    self->uv.data = self;
    uv_check_init(&self->uv, &self->check);
    self->check.data = self;
    uv_check_start(&self->check, s_on_check);
    uv_unref((uv_handle_t *)&self->check);
    uv_prepare_init(&self->uv, &self->prepare);
    self->prepare.data = self;
    uv_prepare_start(&self->prepare, s_on_prepare);
    uv_unref((uv_handle_t *)&self->prepare);
    uv_idle_init(&self->uv, &self->awake);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        uv_signal_init(&self->uv, &self->stop_signals[i]);
        self->stop_signals[i].data = self;
        uv_unref((uv_handle_t *)&self->stop_signals[i]);
    }
    return self;
}

void loop_destroy(loop_t **self_p)
{
    loop_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    s_run_kicked(self); /* closes what was destroyed while it was kicked */
    uv_close((uv_handle_t *)&self->prepare, NULL);
    uv_close((uv_handle_t *)&self->check, NULL);
    uv_close((uv_handle_t *)&self->awake, NULL);
    for (int i = 0; i < STOP_SIGNALS; i++)
        uv_close((uv_handle_t *)&self->stop_signals[i], NULL);
    uv_run(&self->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&self->uv);
    assert(rc == 0); /* else an owner forgot to close a handle */
    (void)rc;
    free(self->deferred.items);
    free(self->next.items);
    free(self);
}

uv_loop_t *loop_uv(loop_t *self)
{
    return &self->uv;
}

void loop_run(loop_t *self)
{
    log_hold(true);
    uv_run(&self->uv, UV_RUN_DEFAULT);
    log_hold(false);
}

void loop_stop(loop_t *self)
{
    uv_stop(&self->uv);
}

static void s_on_signal(uv_signal_t *handle, int number)
{
    loop_t *self = handle->data;
    (void)number;
    self->on_stop(self->on_stop_arg);
}

void loop_on_stop_signal(loop_t *self, void (*fn)(void *arg), void *arg)
{
    static const int numbers[STOP_SIGNALS] = {SIGTERM, SIGINT};
    self->on_stop = fn;
    self->on_stop_arg = arg;
    for (int i = 0; i < STOP_SIGNALS; i++)
        uv_signal_start(&self->stop_signals[i], s_on_signal, numbers[i]);
}

/* ---- ZeroMQ sockets ---- */

static void s_on_zmq_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    loop_zmq_t *self = poll->data;
    if (s_zmq_drain(self))
        loop_zmq_kick(self);
}

loop_zmq_t *loop_zmq_new(loop_t *loop, void *zmq_socket, void (*on_readable)(void *arg), void *arg)
{
    loop_zmq_t *self = s_new(sizeof *self);
    self->loop = loop;
    self->socket = zmq_socket;
    self->on_readable = on_readable;
    self->arg = arg;
    self->poll.data = self;
    int fd = -1;
    size_t size = sizeof fd;
    if (zmq_getsockopt(zmq_socket, ZMQ_FD, &fd, &size) != 0 ||
        uv_poll_init(&loop->uv, &self->poll, fd) != 0)
        abort();
    uv_poll_start(&self->poll, UV_READABLE, s_on_zmq_poll);
    loop_zmq_kick(self); /* what came before is no edge any more */
    return self;
}

void loop_zmq_kick(loop_zmq_t *self)
{
    if (self->is_kicked)
        return;
    self->is_kicked = true;
    self->next_kicked = self->loop->kicked;
    self->loop->kicked = self;
    s_stay_awake(self->loop);
}

void loop_zmq_destroy(loop_zmq_t **self_p)
{
    loop_zmq_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    self->socket = NULL;
    uv_poll_stop(&self->poll);
    /* Freed at the end of the turn: this may run inside s_zmq_drain. */
    loop_zmq_kick(self);
}

/* ---- timers ---- */

static void s_on_timer(uv_timer_t *timer)
{
    loop_timer_t *self = timer->data;
    self->fn(self->arg);
}

loop_timer_t *loop_timer_new(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    loop_timer_t *self = s_new(sizeof *self);
    self->fn = fn;
    self->arg = arg;
    uv_timer_init(&loop->uv, &self->timer);
    self->timer.data = self;
    return self;
}

void loop_timer_start(loop_timer_t *self, uint64_t after_ms, uint64_t every_ms)
{
    uv_timer_start(&self->timer, s_on_timer, after_ms, every_ms);
}

void loop_timer_stop(loop_timer_t *self)
{
    uv_timer_stop(&self->timer);
}

bool loop_timer_is_active(const loop_timer_t *self)
{
    return uv_is_active((const uv_handle_t *)&self->timer);
}

void loop_timer_destroy(loop_timer_t **self_p)
{
    loop_timer_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    uv_close((uv_handle_t *)&self->timer, s_free_handle);
}

/* ---- descriptors ---- */

static void s_on_fd(uv_poll_t *poll, int status, int events)
{
    loop_fd_t *self = poll->data;
    self->on_ready(self->arg, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

loop_fd_t *loop_fd_new(loop_t *loop, int fd, void (*on_ready)(void *arg, int events), void *arg)
{
    loop_fd_t *self = s_new(sizeof *self);
    self->on_ready = on_ready;
    self->arg = arg;
    self->poll.data = self;
    if (uv_poll_init(&loop->uv, &self->poll, fd) != 0)
        abort();
    return self;
}

void loop_fd_want(loop_fd_t *self, int events)
{
    if (events == 0)
        uv_poll_stop(&self->poll);
    else if (events != self->wanted || !uv_is_active((uv_handle_t *)&self->poll))
        uv_poll_start(&self->poll, events, s_on_fd); /* two system calls */
    self->wanted = events;
}

void loop_fd_destroy(loop_fd_t **self_p)
{
    loop_fd_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    uv_close((uv_handle_t *)&self->poll, s_free_handle);
}
