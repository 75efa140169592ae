#include "gateway/realtime/uring.h"

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct uring {
    struct io_uring ring;
};

/* ---- sending ---- */

static void s_fill(uring_t *self, const uring_piece_t *pieces, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring); /* it has URING_MAX */
        size_t size = pieces[i].size < INT_MAX ? pieces[i].size : INT_MAX;
        io_uring_prep_send(sqe, pieces[i].fd, pieces[i].data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        io_uring_sqe_set_data64(sqe, i);
    }
}

/* The number of pieces whose result has come. */
static unsigned s_reap(uring_t *self, uring_piece_t *pieces)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&self->ring, head, cqe)
    {
        pieces[io_uring_cqe_get_data64(cqe)].result = cqe->res;
        count++;
    }
    io_uring_cq_advance(&self->ring, count);
    return count;
}

/* Sends that do not wait are done when the first call returns; the others are for kernels that
 * think otherwise. */
bool uring_send(uring_t *self, uring_piece_t *pieces, unsigned count)
{
    unsigned submitted = 0, done = 0;
    for (unsigned i = 0; i < count; i++)
        pieces[i].result = URING_UNSENT;
    s_fill(self, pieces, count);
    while (done < count) {
        int n = submitted < count ? io_uring_submit(&self->ring)
                                  : io_uring_submit_and_wait(&self->ring, 1);
        if (n < 0 && n != -EINTR)
            return false;
        for (; n > 0; n--)
            pieces[submitted++].result = URING_UNKNOWN;
        done += s_reap(self, pieces);
    }
    return true;
}

/* ---- is it what is wanted? ---- */

static void s_stuff(int fd)
{
    static const char bytes[4096];
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
}

/* A socket that has room takes its byte, and one that is full is told as such, at once. */
static int s_try(uring_t *self)
{
    int fds[2];
    uring_piece_t piece = {.data = "x", .size = 1};
    int result = EOPNOTSUPP;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return errno;
    piece.fd = fds[0];
    s_fill(self, &piece, 1);
    bool took = io_uring_submit(&self->ring) == 1 && s_reap(self, &piece) == 1 && piece.result == 1;
    if (took) {
        s_stuff(fds[0]);
        s_fill(self, &piece, 1);
        if (io_uring_submit(&self->ring) == 1 && s_reap(self, &piece) == 1 &&
            piece.result == -EAGAIN)
            result = 0;
    } else if (piece.result < 0) {
        result = -piece.result;
    }
    close(fds[0]);
    close(fds[1]);
    return result;
}

/* ---- life ---- */

uring_t *uring_new(err_t *err)
{
    uring_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    int result = -io_uring_queue_init(URING_MAX, &self->ring, 0);
    if (result != 0) {
        free(self);
        err_set_errno(err, result, "io_uring");
        return NULL;
    }
    result = s_try(self);
    if (result != 0) {
        err_set_errno(err, result, "io_uring: send");
        uring_destroy(&self);
    }
    return self;
}

void uring_destroy(uring_t **self_p)
{
    uring_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    io_uring_queue_exit(&self->ring);
    free(self);
}
