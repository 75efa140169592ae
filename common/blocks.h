/* common/blocks.h: blocks of one size for what lives as long as a request. They come from slabs of
 * their own: on the heap they would lie between what lives as long as a connection, and what is
 * freed after a rush would be holes that nothing fits into (10,000 subscriptions: 2,400 of them,
 * 10 MB). Slabs in which nothing is used go back to the system, but for a few: requests come in
 * waves, and each page that is new costs a fault. Each thread has its own slabs: a block is given
 * back where it was taken. */
#ifndef PARLEY_COMMON_BLOCKS_H
#define PARLEY_COMMON_BLOCKS_H

#include <stddef.h>

enum { BLOCK_BYTES = 4096 };

/* BLOCK_BYTES bytes, aligned for any type, not zeroed. Aborts if out of memory. */
void *block_take(void);
/* block comes from block_take; NULL is accepted. */
void block_give(void *block);

/* Gives back the slabs that no wave since the last call has needed, but for one. */
void blocks_trim(void);

/* For tests: slabs that are held now. */
size_t block_slabs(void);

#endif
