/* gateway/realtime/uring.h: several sends in one system call, by io_uring; where the build has no
 * liburing, there is never one. Loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_URING_H
#define PARLEY_GATEWAY_REALTIME_URING_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

typedef struct uring uring_t;

/* In one call of uring_send. */
enum { URING_MAX = 64 };

typedef struct {
    int fd;
    const char *data;
    size_t size; /* up to INT_MAX are sent */
    int result;  /* out: bytes that the socket took, or a negative errno; -EAGAIN: none now */
} uring_piece_t;

/* Results of a ring that has failed: nothing was sent; nobody knows whether. */
enum { URING_UNSENT = -ECANCELED, URING_UNKNOWN = -ECONNABORTED };

/* NULL with ERR_SYSTEM if the kernel does not let this process have one, or if sends of that kernel
 * are not what is wanted here: it is tried out. */
uring_t *uring_new(err_t *err);
void uring_destroy(uring_t **self_p);

/* Sends each piece, all to different sockets, and waits for none: like as many `send` with
 * MSG_DONTWAIT. count is 1 to URING_MAX. False if the ring has failed and is of no use any more. */
bool uring_send(uring_t *self, uring_piece_t *pieces, unsigned count);

#endif
