/* gateway/realtime/outlet.h: the writing side of a connection that left HTTP. What must be said
 * waits in `rest`, what may be taken is pulled when there is room, and one send a turn carries
 * both. No queue grows for a socket that takes nothing. One owner; loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_OUTLET_H
#define PARLEY_GATEWAY_REALTIME_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

typedef struct {
    int fd;        /* borrowed */
    buffer_t rest; /* what the socket has not taken yet; empty without memory at rest */
    size_t taken;  /* bytes at the beginning of rest that it has */
    bool blocked;  /* the socket takes nothing now: wait until it is writable */
    int64_t
        progress_us; /* monotonic: when the socket last took something, or had nothing to take */
} outlet_t;

typedef enum {
    OUTLET_IDLE,    /* all is sent */
    OUTLET_MORE,    /* there may be more: flush again, after the others had their turn */
    OUTLET_BLOCKED, /* flush again when the socket is writable */
    OUTLET_BROKEN,  /* the peer is gone */
} outlet_result_t;

/* Appends to out what is there to send, in whole frames, until out->size reaches about limit. */
typedef void (*outlet_pull_fn)(void *arg, buffer_t *out, size_t limit);

/* One system call takes about this much. */
enum { OUTLET_CHUNK = 16 * 1024 };

void outlet_init(outlet_t *self, int fd, size_t limit_bytes);
void outlet_clear(outlet_t *self);

/* Bytes that wait. */
static inline size_t outlet_waiting(const outlet_t *self)
{
    return self->rest.size - self->taken;
}

/* One send of the rest and what pull gives. scratch is shared by all outlets of the loop and is
 * empty before and after. *sent_bytes grows by what went out. */
outlet_result_t outlet_flush(
    outlet_t *self, buffer_t *scratch, outlet_pull_fn pull, void *arg, uint64_t *sent_bytes);

#endif
