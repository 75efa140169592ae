#include "common/heap_trim.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "common/blocks.h"

enum {
    TICK_MS = 5000,
    WORTH_BYTES = 1024 * 1024, /* free, and not there after the last trim */
    CALM_BYTES = 256 * 1024,   /* that is in use may change by so much in a tick */
};

struct heap_trim {
    loop_timer_t *timer;
    size_t used;    /* at the last tick */
    size_t left_by; /* bytes that were free after the last trim */
};

#ifdef __GLIBC__
static void s_on_tick(void *arg)
{
    heap_trim_t *self = arg;
    blocks_trim();
    struct mallinfo2 info = mallinfo2();
    size_t change =
        info.uordblks > self->used ? info.uordblks - self->used : self->used - info.uordblks;
    self->used = info.uordblks;
    if (info.fordblks < self->left_by)
        self->left_by = info.fordblks;
    if (change > CALM_BYTES || info.fordblks < self->left_by + WORTH_BYTES)
        return;
    malloc_trim(WORTH_BYTES / 4);
    self->left_by = info.fordblks;
}
#endif

heap_trim_t *heap_trim_new(loop_t *loop)
{
    heap_trim_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
#ifdef __GLIBC__
    self->timer = loop_timer_new(loop, s_on_tick, self);
    loop_timer_start(self->timer, TICK_MS, TICK_MS);
#else
    (void)loop;
#endif
    return self;
}

void heap_trim_destroy(heap_trim_t **self_p)
{
    if (*self_p == NULL)
        return;
    loop_timer_destroy(&(*self_p)->timer);
    free(*self_p);
    *self_p = NULL;
}
