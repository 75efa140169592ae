#include "common/blocks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/pages.h"

enum {
    BLOCKS = 64, /* of a slab; the first holds its head */
    SLAB_BYTES = BLOCKS * BLOCK_BYTES,
    SPARES_MAX = 32,
    LAZY_SLABS = 2, /* of a process at rest: touched as they are needed */
};

/* At the beginning of SLAB_BYTES that are aligned to as much. */
typedef struct {
    list_node_t node; /* in s_open, if a block is free */
    uint64_t free;    /* bit i: block i */
} slab_t;

static const uint64_t ALL_FREE = ~(uint64_t)1;

static _Thread_local list_t s_open;
static _Thread_local size_t s_slabs;
static _Thread_local size_t s_spares; /* open slabs that are wholly free: the last ones */
static _Thread_local size_t s_unused; /* so many of them were so since the last trim */

static slab_t *s_slab_new(void)
{
    slab_t *slab = pages_take(SLAB_BYTES);
    if (s_slabs >= LAZY_SLABS)
        pages_expect(slab, SLAB_BYTES);
    slab->free = ALL_FREE;
    list_init(&slab->node);
    list_append(&s_open, &slab->node);
    s_slabs++;
    return slab;
}

static void s_give_slab(slab_t *slab)
{
    list_remove(&slab->node);
    pages_give(slab, SLAB_BYTES);
    s_slabs--;
}

void *block_take(void)
{
    if (s_open.next == NULL)
        list_init(&s_open);
    slab_t *slab =
        list_is_empty(&s_open) ? s_slab_new() : LIST_ITEM(list_first(&s_open), slab_t, node);
    if (slab->free == ALL_FREE && s_spares > 0)
        s_spares--; /* a new one is none */
    if (s_unused > s_spares)
        s_unused = s_spares;
    int index = __builtin_ctzll(slab->free);
    slab->free &= slab->free - 1;
    if (slab->free == 0)
        list_remove(&slab->node);
    return (char *)slab + (size_t)index * BLOCK_BYTES;
}

void block_give(void *block)
{
    if (block == NULL)
        return;
    slab_t *slab = (slab_t *)((uintptr_t)block / SLAB_BYTES * SLAB_BYTES);
    size_t index = ((uintptr_t)block - (uintptr_t)slab) / BLOCK_BYTES;
    uint64_t bit = (uint64_t)1 << index;
    assert(index > 0 && !(slab->free & bit));
    if (slab->free == 0)
        list_prepend(&s_open, &slab->node); /* before the spare ones */
    slab->free |= bit;
    if (slab->free != ALL_FREE)
        return;
    if (s_spares >= SPARES_MAX) {
        s_give_slab(slab);
        return;
    }
    s_spares++;
    list_remove(&slab->node);
    list_append(&s_open, &slab->node);
}

void blocks_trim(void)
{
    for (; s_unused > 1; s_unused--, s_spares--)
        s_give_slab(LIST_ITEM(s_open.prev, slab_t, node));
    s_unused = s_spares;
}

size_t block_slabs(void)
{
    return s_slabs;
}
