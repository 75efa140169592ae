/* common/loop.h: glue between libuv and what hangs in it. One loop a process, one thread. */
#ifndef PARLEY_COMMON_LOOP_H
#define PARLEY_COMMON_LOOP_H

#include <czmq.h>
#include <stdbool.h>
#include <uv.h>

typedef struct loop loop_t;

loop_t *loop_new(void);
/* All handles must have been closed by their owners; runs the loop until their close callbacks
 * came. */
void loop_destroy(loop_t **self_p);
uv_loop_t *loop_uv(loop_t *self);
/* Runs until loop_stop. Log lines of a turn go out together, before the loop sleeps (log_hold). */
void loop_run(loop_t *self);
void loop_stop(loop_t *self);

/* Calls fn(arg) once at the end of this turn of the loop, after all that is ready now was handled:
 * for flushing what a turn produced and for freeing what was closed. A function put off from inside
 * one runs in the same end, up to a bound. The loop does not sleep while something is put off. */
void loop_defer(loop_t *self, void (*fn)(void *arg), void *arg);
/* Calls fn(arg) once in the next turn, when everybody else has had his. For work in slices: a timer
 * of 0 ms that is started from its own callback runs again at once (libuv before 1.45). */
void loop_next_turn(loop_t *self, void (*fn)(void *arg), void *arg);
/* Counts the turns. */
uint64_t loop_turn(const loop_t *self);
/* Takes back what was put off with this fn and arg, by either. */
void loop_defer_cancel(loop_t *self, void (*fn)(void *arg), void *arg);

/* A ZeroMQ socket in the loop. Its descriptor signals edges only: on_readable is called at each
 * wake (and, after loop_zmq_kick, at the end of the turn) while ZMQ_EVENTS has POLLIN, and must
 * receive at least one message with ZMQ_DONTWAIT (a batch of up to a bound is best). At most 64
 * calls a turn, then other handles get their turn. Call loop_zmq_kick after each own send on the
 * socket: it may have swallowed the edge. */
typedef struct loop_zmq loop_zmq_t;
loop_zmq_t *loop_zmq_new(loop_t *loop, void *zmq_socket, void (*on_readable)(void *arg), void *arg);
void loop_zmq_kick(loop_zmq_t *self);
/* Before the socket is closed. */
void loop_zmq_destroy(loop_zmq_t **self_p);

/* A timer that repeats (every_ms > 0) or fires once; NULL-safe destroy; may be destroyed from
 * inside its own callback. */
typedef struct loop_timer loop_timer_t;
loop_timer_t *loop_timer_new(loop_t *loop, void (*fn)(void *arg), void *arg);
void loop_timer_start(loop_timer_t *self, uint64_t after_ms, uint64_t every_ms);
void loop_timer_stop(loop_timer_t *self);
bool loop_timer_is_active(const loop_timer_t *self);
void loop_timer_destroy(loop_timer_t **self_p);

/* A descriptor in the loop, which stays its owner's; for many of them there is common/watch.h.
 * events are UV_READABLE | UV_WRITABLE; on_ready gets the ready ones, both of them set on an error
 * of the descriptor. */
typedef struct loop_fd loop_fd_t;
loop_fd_t *loop_fd_new(loop_t *loop, int fd, void (*on_ready)(void *arg, int events), void *arg);
void loop_fd_want(loop_fd_t *self, int events); /* 0 stops */
void loop_fd_destroy(loop_fd_t **self_p);

/* fn(arg) at SIGTERM and SIGINT; SIGPIPE is ignored from loop_new on. */
void loop_on_stop_signal(loop_t *self, void (*fn)(void *arg), void *arg);

#endif
