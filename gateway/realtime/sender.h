/* gateway/realtime/sender.h: sends what many sockets are to get. With io_uring a batch goes to the
 * kernel in one system call; where that is forbidden, as containers often do, or switched off, each
 * piece has a `send` of its own. Either way nothing stays under way: what was put is told about at
 * the next sender_flush at the latest. One a loop; loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_SENDER_H
#define PARLEY_GATEWAY_REALTIME_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buffer.h"
#include "common/err.h"

typedef struct sender sender_t;

typedef enum {
    SENDER_AUTO, /* io_uring if the kernel lets it */
    SENDER_ON,   /* io_uring or none */
    SENDER_OFF,
} sender_mode_t;

/* Of size bytes the socket took `sent` (0: none now, wait until it is writable; -1: it is broken).
 * data is borrowed for the call, which must not put anything. */
typedef void (*sender_fn)(void *owner, const char *data, size_t size, ssize_t sent);

/* limit_bytes: of one piece. ERR_CONFIG, and NULL, if mode is SENDER_ON and there is no io_uring.
 */
sender_t *sender_new(sender_mode_t mode, size_t limit_bytes, sender_fn fn, err_t *err);
void sender_destroy(sender_t **self_p);
bool sender_uses_ring(const sender_t *self);
/* "auto", "on", "off". */
bool sender_mode_parse(const char *name, sender_mode_t *mode);

/* Where the next piece may be written: append to it, nothing else. Who leaves it `failed` takes
 * back what he wrote and the failure. */
buffer_t *sender_buffer(sender_t *self);
/* The last size (> 0) bytes of the buffer are for this socket. owner is told; perhaps in this call,
 * which may tell others too. One piece a socket between two flushes. */
void sender_put(sender_t *self, int fd, size_t size, void *owner);
/* The bytes that were put last are for this socket, too. Only if they are still there. */
void sender_put_again(sender_t *self, int fd, void *owner);
bool sender_can_put_again(const sender_t *self);
/* The same for bytes that lie elsewhere, and stay there until owner is told. */
void sender_put_from(sender_t *self, int fd, const char *data, size_t size, void *owner);
/* All who have put something and were not told yet are. */
void sender_flush(sender_t *self);

#endif
