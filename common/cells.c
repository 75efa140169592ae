#include "common/cells.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/pages.h"
#include "common/sanitized.h"

enum {
    CHUNK_BYTES = 128 * 1024,
    HEAD_BYTES = 64,
    LAZY_CHUNKS = 4, /* they are touched as they are needed; behind them comes a crowd */
};

/* At the beginning of CHUNK_BYTES that are aligned to as much. */
typedef struct {
    list_node_t node; /* in cells_t.open, if a cell is free */
    void *given;      /* cells that were given back, each pointing at the next */
    size_t used;
    size_t fresh; /* cells from this one on were never taken */
} chunk_t;

static size_t s_capacity(const cells_t *self)
{
    return (CHUNK_BYTES - HEAD_BYTES) / self->size;
}

static chunk_t *s_chunk_new(cells_t *self)
{
    static_assert(sizeof(chunk_t) <= HEAD_BYTES, "the head has its room");
    chunk_t *chunk = pages_take(CHUNK_BYTES);
    if (self->chunks >= LAZY_CHUNKS)
        pages_expect(chunk, CHUNK_BYTES);
    list_init(&chunk->node);
    list_append(&self->open, &chunk->node);
    self->chunks++;
    return chunk;
}

void *cell_take_from_chunk(cells_t *self)
{
    if (self->open.next == NULL)
        list_init(&self->open);
    chunk_t *chunk = list_is_empty(&self->open) ? s_chunk_new(self)
                                                : LIST_ITEM(list_first(&self->open), chunk_t, node);
    void *cell = chunk->given;
    if (cell != NULL)
        memcpy(&chunk->given, cell, sizeof chunk->given);
    else
        cell = (char *)chunk + HEAD_BYTES + chunk->fresh++ * self->size;
    if (++chunk->used == s_capacity(self))
        list_remove(&chunk->node);
    return memset(cell, 0, self->size);
}

void cell_give_to_chunk(cells_t *self, void *cell)
{
    if (cell == NULL)
        return;
    chunk_t *chunk = (chunk_t *)((uintptr_t)cell / CHUNK_BYTES * CHUNK_BYTES);
    assert(chunk->used > 0);
    if (chunk->used == s_capacity(self))
        list_prepend(&self->open, &chunk->node);
    memcpy(cell, &chunk->given, sizeof chunk->given);
    chunk->given = cell;
    if (--chunk->used > 0 || self->open.next == self->open.prev)
        return;
    list_remove(&chunk->node);
    pages_give(chunk, CHUNK_BYTES);
    self->chunks--;
}

#ifdef HAS_SANITIZER
void *cell_take(cells_t *self)
{
    void *cell = calloc(1, self->size);
    if (cell == NULL)
        abort();
    return cell;
}

void cell_give(cells_t *self, void *cell)
{
    (void)self;
    free(cell);
}
#else
void *cell_take(cells_t *self)
{
    return cell_take_from_chunk(self);
}

void cell_give(cells_t *self, void *cell)
{
    cell_give_to_chunk(self, cell);
}
#endif
