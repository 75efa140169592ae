#include "common/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *pages_take(size_t size)
{
    /* Twice as much holds an aligned piece; what lies around it is given back. */
    char *memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    size_t before = (size - (uintptr_t)memory % size) % size;
    if (before > 0)
        munmap(memory, before);
    if (before < size)
        munmap(memory + before + size, size - before);
    return memory + before;
}

void pages_give(void *memory, size_t size)
{
    munmap(memory, size);
}

void pages_expect(void *memory, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    (void)madvise(memory, size, MADV_POPULATE_WRITE);
#else
    (void)memory;
    (void)size;
#endif
}
