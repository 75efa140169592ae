/* gateway/realtime/outlet.h: the writing side of a connection that left HTTP. What must be said
 * waits in `rest`, what may be taken is pulled when there is room, and one send a turn carries
 * both. No queue grows for a socket that takes nothing. It sends nothing itself: it says what is to
 * be sent, and is told what was. One owner; loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_OUTLET_H
#define PARLEY_GATEWAY_REALTIME_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buffer.h"

typedef struct {
    buffer_t rest; /* what the socket has not taken yet; empty without memory at rest */
    size_t taken;  /* bytes at the beginning of rest that it has */
    bool blocked;  /* the socket takes nothing now: wait until it is writable */
    int64_t
        progress_us; /* monotonic: when the socket last took something, or had nothing to take */
} outlet_t;

typedef enum {
    OUTLET_IDLE,    /* all is sent */
    OUTLET_MORE,    /* there may be more: ask again, after the others had their turn */
    OUTLET_BLOCKED, /* ask again when the socket is writable */
    OUTLET_BROKEN,  /* the peer is gone */
} outlet_result_t;

/* Appends to out what is there to send, in whole frames, until out->size reaches about limit. */
typedef void (*outlet_pull_fn)(void *arg, buffer_t *out, size_t limit);

/* One system call takes about this much. */
enum { OUTLET_CHUNK = 16 * 1024 };

void outlet_init(outlet_t *self, size_t limit_bytes);
void outlet_clear(outlet_t *self);

/* Bytes that wait. */
static inline size_t outlet_waiting(const outlet_t *self)
{
    return self->rest.size - self->taken;
}

static inline bool outlet_is_empty(const outlet_t *self)
{
    return outlet_waiting(self) == 0 && !self->rest.failed;
}

/* Something is going to be sent by it, which is empty, without outlet_next. */
void outlet_begin(outlet_t *self);

/* What one send is to carry: the last `size` bytes of the buffer, or, if data is not NULL, the
 * bytes there, which stay until outlet_sent. size 0: there is nothing. */
typedef struct {
    const char *data;
    size_t size;
} outlet_piece_t;

/* Appends the rest, which is empty then, and what pull gives to out. False, and out as it was, if
 * the connection is broken: more was to be said than may wait. */
bool outlet_next(
    outlet_t *self, buffer_t *out, outlet_pull_fn pull, void *arg, outlet_piece_t *piece);
/* Of size bytes at data, which were the piece, the socket took `sent` (0: none now; -1: it is
 * broken). What is left becomes the rest. To be called before anything else is done with it, unless
 * the piece was empty. */
outlet_result_t outlet_sent(outlet_t *self, const char *data, size_t size, ssize_t sent);

#endif
