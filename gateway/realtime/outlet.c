#include "gateway/realtime/outlet.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/clock.h"

enum { SCRATCH_KEPT = 256 * 1024 };

void outlet_init(outlet_t *self, int fd, size_t limit_bytes)
{
    *self = (outlet_t){.fd = fd, .rest = BUFFER_INIT(limit_bytes), .progress_us = clock_mono_us()};
}

void outlet_clear(outlet_t *self)
{
    buffer_free(&self->rest);
    self->taken = 0;
}

/* Bytes that the socket took; 0: none now; -1: it is broken. */
static ssize_t s_send(int fd, const char *data, size_t size)
{
    ssize_t n;
    do
        n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return n;
}

/* A rest that is large already is sent from where it lies. */
static outlet_result_t s_flush_rest(outlet_t *self, uint64_t *sent_bytes)
{
    ssize_t n = s_send(self->fd, self->rest.data + self->taken, outlet_waiting(self));
    if (n < 0)
        return OUTLET_BROKEN;
    if (n > 0) {
        self->progress_us = clock_mono_us();
        *sent_bytes += (uint64_t)n;
        self->taken += (size_t)n;
    }
    if (!outlet_waiting(self)) {
        outlet_clear(self);
        return OUTLET_MORE;
    }
    if (self->taken > self->rest.size / 2) {
        buffer_consume(&self->rest, self->taken);
        self->taken = 0;
    }
    return OUTLET_BLOCKED;
}

static outlet_result_t s_flush_scratch(outlet_t *self, buffer_t *scratch, uint64_t *sent_bytes)
{
    if (!scratch->size)
        return OUTLET_IDLE;
    bool full = scratch->size >= OUTLET_CHUNK;
    ssize_t n = s_send(self->fd, scratch->data, scratch->size);
    if (n < 0)
        return OUTLET_BROKEN;
    if (n > 0) {
        self->progress_us = clock_mono_us();
        *sent_bytes += (uint64_t)n;
    }
    if ((size_t)n == scratch->size) {
        outlet_clear(self);
        return full ? OUTLET_MORE : OUTLET_IDLE;
    }
    buffer_clear(&self->rest);
    self->taken = 0;
    buffer_put(&self->rest, scratch->data + n, scratch->size - (size_t)n);
    return self->rest.failed ? OUTLET_BROKEN : OUTLET_BLOCKED;
}

outlet_result_t outlet_flush(
    outlet_t *self, buffer_t *scratch, outlet_pull_fn pull, void *arg, uint64_t *sent_bytes)
{
    outlet_result_t result;
    if (self->rest.failed)
        return OUTLET_BROKEN;
    if (!outlet_waiting(self))
        self->progress_us = clock_mono_us();
    if (outlet_waiting(self) >= OUTLET_CHUNK) {
        result = s_flush_rest(self, sent_bytes);
    } else {
        if (outlet_waiting(self))
            buffer_put(scratch, self->rest.data + self->taken, outlet_waiting(self));
        pull(arg, scratch, OUTLET_CHUNK);
        result = scratch->failed ? OUTLET_BROKEN : s_flush_scratch(self, scratch, sent_bytes);
    }
    if (scratch->capacity > SCRATCH_KEPT)
        buffer_free(scratch);
    buffer_clear(scratch);
    self->blocked = result == OUTLET_BLOCKED;
    return result;
}
