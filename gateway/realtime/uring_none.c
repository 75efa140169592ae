/* gateway/realtime/uring_none.c: for builds without liburing. */
#include "gateway/realtime/uring.h"

uring_t *uring_new(err_t *err)
{
    err_set(err, ERR_SYSTEM, "io_uring: this build has none");
    return NULL;
}

void uring_destroy(uring_t **self_p)
{
    (void)self_p;
}

bool uring_send(uring_t *self, uring_piece_t *pieces, unsigned count)
{
    (void)self;
    (void)pieces;
    (void)count;
    return false;
}
