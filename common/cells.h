/* common/cells.h: memory for many objects of one size that live long, as connections do. They lie
 * together, apart from the heap: there each would hold the page on which it lies, when all that a
 * rush had put beside it is long gone. A chunk in which nothing is used goes back to the system,
 * but for one. One thread. */
#ifndef PARLEY_COMMON_CELLS_H
#define PARLEY_COMMON_CELLS_H

#include <stddef.h>

#include "common/list.h"

/* One for each size; static, made by CELLS_INIT. */
typedef struct {
    size_t size;
    list_t open; /* chunks with a free cell */
    size_t chunks;
} cells_t;

/* For objects of up to this many bytes. */
#define CELLS_INIT(bytes)                                                                          \
    {                                                                                              \
        .size = ((bytes) + 15) / 16 * 16                                                           \
    }

/* A zeroed cell, aligned for any type. Aborts if out of memory. */
void *cell_take(cells_t *self);
/* cell comes from cell_take of the same cells; NULL is accepted. */
void cell_give(cells_t *self, void *cell);

/* For tests: the same with a sanitizer too, where it is else the heap's. */
void *cell_take_from_chunk(cells_t *self);
void cell_give_to_chunk(cells_t *self, void *cell);

#endif
