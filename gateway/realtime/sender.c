#include "gateway/realtime/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/metrics.h"
#include "gateway/realtime/uring.h"

enum {
    BATCH_BYTES = 256 * 1024, /* so much is written at most before it is sent */
    BUFFER_KEPT = 2 * BATCH_BYTES,
};

typedef struct {
    void *owner;
    const char *data; /* NULL: in the buffer, from `offset` */
    size_t offset, size;
    int fd;
} piece_t;

struct sender {
    uring_t *ring; /* NULL: `send` */
    sender_fn fn;
    buffer_t buffer;
    piece_t last; /* size 0: there is none, or its bytes are gone */
    unsigned count;
    piece_t pieces[URING_MAX];
    metric_t *ring_gauge, *calls;
};

/* ---- one by one ---- */

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

static void s_send_alone(sender_t *self, const piece_t *piece, const char *data)
{
    ssize_t sent = s_send(piece->fd, data, piece->size);
    metric_inc(self->calls);
    self->fn(piece->owner, data, piece->size, sent);
}

/* ---- together ---- */

static const char *s_data(const sender_t *self, const piece_t *piece)
{
    return piece->data != NULL ? piece->data : self->buffer.data + piece->offset;
}

/* What it means that the ring said of a piece. */
static ssize_t s_sent(int result)
{
    if (result == -EAGAIN || result == -EINTR)
        return 0;
    return result < 0 ? -1 : result;
}

static void s_give_up_ring(sender_t *self)
{
    log_error("io_uring has failed: each connection is sent to by itself from now on", LOG_END);
    uring_destroy(&self->ring);
    metric_set(self->ring_gauge, 0);
}

static void s_send_together(sender_t *self)
{
    uring_piece_t pieces[URING_MAX];
    unsigned count = self->count;
    for (unsigned i = 0; i < count; i++)
        pieces[i] = (uring_piece_t){.fd = self->pieces[i].fd,
                                    .data = s_data(self, &self->pieces[i]),
                                    .size = self->pieces[i].size};
    metric_inc(self->calls);
    if (!uring_send(self->ring, pieces, count))
        s_give_up_ring(self);
    self->count = 0;
    for (unsigned i = 0; i < count; i++) {
        const piece_t *piece = &self->pieces[i];
        if (pieces[i].result == URING_UNSENT)
            s_send_alone(self, piece, pieces[i].data);
        else
            self->fn(piece->owner, pieces[i].data, piece->size, s_sent(pieces[i].result));
    }
}

/* ---- for its user ---- */

buffer_t *sender_buffer(sender_t *self)
{
    return &self->buffer;
}

static void s_reset_buffer(sender_t *self)
{
    self->last.size = 0;
    if (self->buffer.capacity > BUFFER_KEPT)
        buffer_free(&self->buffer);
    buffer_clear(&self->buffer);
}

void sender_flush(sender_t *self)
{
    if (self->count > 0)
        s_send_together(self);
    s_reset_buffer(self);
}

static void s_put(sender_t *self, const piece_t *piece)
{
    self->last = *piece;
    if (piece->data != NULL)
        self->last.size = 0; /* it is its owner's, who may free it when he is told */
    if (self->ring == NULL) {
        s_send_alone(self, piece, s_data(self, piece));
    } else {
        self->pieces[self->count++] = *piece;
        if (self->count == URING_MAX)
            sender_flush(self);
    }
    if (self->buffer.size >= BATCH_BYTES)
        sender_flush(self);
}

void sender_put(sender_t *self, int fd, size_t size, void *owner)
{
    s_put(self,
          &(piece_t){.owner = owner, .offset = self->buffer.size - size, .size = size, .fd = fd});
}

bool sender_can_put_again(const sender_t *self)
{
    return self->last.size > 0;
}

void sender_put_again(sender_t *self, int fd, void *owner)
{
    assert(sender_can_put_again(self));
    s_put(
        self,
        &(piece_t){.owner = owner, .offset = self->last.offset, .size = self->last.size, .fd = fd});
}

void sender_put_from(sender_t *self, int fd, const char *data, size_t size, void *owner)
{
    s_put(self, &(piece_t){.owner = owner, .data = data, .size = size, .fd = fd});
}

/* ---- life ---- */

static void s_open_metrics(sender_t *self)
{
    self->ring_gauge = metrics_gauge(
        "parley_io_uring", "1: what connections get is sent by io_uring; 0: by send.", NULL);
    self->calls = metrics_counter("parley_send_calls_total",
                                  "System calls that sent to WebSockets and event streams.", NULL);
    metric_set(self->ring_gauge, self->ring != NULL);
}

sender_t *sender_new(sender_mode_t mode, size_t limit_bytes, sender_fn fn, err_t *err)
{
    err_t reason = ERR_INIT;
    uring_t *ring = mode != SENDER_OFF ? uring_new(&reason) : NULL;
    if (mode == SENDER_ON && ring == NULL) {
        err_set(err, ERR_CONFIG, "%s", reason.text);
        return NULL;
    }
    sender_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->ring = ring;
    self->fn = fn;
    self->buffer = (buffer_t)BUFFER_INIT(limit_bytes + BATCH_BYTES);
    s_open_metrics(self);
    if (ring != NULL)
        log_info("sending by io_uring", LOG_END);
    else
        log_info("sending without io_uring",
                 log_str("reason", mode == SENDER_OFF ? "switched off" : reason.text), LOG_END);
    return self;
}

void sender_destroy(sender_t **self_p)
{
    sender_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    uring_destroy(&self->ring);
    buffer_free(&self->buffer);
    free(self);
}

bool sender_uses_ring(const sender_t *self)
{
    return self->ring != NULL;
}

bool sender_mode_parse(const char *name, sender_mode_t *mode)
{
    static const char *const names[] = {
        [SENDER_AUTO] = "auto", [SENDER_ON] = "on", [SENDER_OFF] = "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *mode = (sender_mode_t)i;
        return true;
    }
    return false;
}
