/* common/pages.h: aligned memory straight from the system, for those who divide it (blocks, cells).
 * A sanitizer sees nothing of what happens in it: where there is one (common/sanitized.h), ask
 * malloc. Any thread. */
#ifndef PARLEY_COMMON_PAGES_H
#define PARLEY_COMMON_PAGES_H

#include <stddef.h>

/* size zeroed bytes at an address that is a multiple of size, a power of two and of the page's
 * size. Aborts if out of memory. */
void *pages_take(size_t size);
void pages_give(void *memory, size_t size);
/* All of it is about to be written to: the kernel finds the pages in one call, at a fraction of
 * what as many faults cost. Only that: where the kernel is too old (before 5.14) or has no memory,
 * they come as they are touched. */
void pages_expect(void *memory, size_t size);

#endif
