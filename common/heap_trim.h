/* common/heap_trim.h: gives memory back that a rush has left free. malloc keeps it otherwise as
 * long as anything lies above it. Looks every few seconds, and only trims when the rush is over.
 * Loop thread only. */
#ifndef PARLEY_COMMON_HEAP_TRIM_H
#define PARLEY_COMMON_HEAP_TRIM_H

#include "common/loop.h"

typedef struct heap_trim heap_trim_t;

heap_trim_t *heap_trim_new(loop_t *loop);
void heap_trim_destroy(heap_trim_t **self_p);

#endif
