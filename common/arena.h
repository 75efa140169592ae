/* common/arena.h: memory of one request, freed whole. One owner; one thread. */
#ifndef PARLEY_COMMON_ARENA_H
#define PARLEY_COMMON_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct arena arena_t;

/* An arena that hands out at most limit_bytes (0: no limit). Aborts if out of memory. */
arena_t *arena_new(size_t limit_bytes);

/* Frees everything at once and leaves NULL; accepts NULL in *self_p. */
void arena_destroy(arena_t **self_p);

/* Gives back everything that was allocated but keeps the first block for the next request. */
void arena_reset(arena_t *self);

/* size bytes aligned for any type, not zeroed; size 0 gives a valid pointer. NULL when the limit is
 * reached or memory is out (or a test makes it fail, see arena_fail_after): the caller answers
 * LIMIT_EXCEEDED. */
void *arena_alloc(arena_t *self, size_t size);

/* count * size zeroed bytes, or NULL (overflow counts as out of memory). */
void *arena_calloc(arena_t *self, size_t count, size_t size);

/* A NUL-terminated copy of size bytes (which may hold NULs), or NULL. */
char *arena_memdup(arena_t *self, const char *data, size_t size);

/* A NUL-terminated formatted string, or NULL. */
char *arena_printf(arena_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(arena_t *self, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Bytes handed out so far. */
size_t arena_used(const arena_t *self);

/* How many it hands out at most; 0: no limit. */
size_t arena_limit(const arena_t *self);

/* For tests: the count-th allocation from now on (1 = the next) and all later ones return NULL; 0
 * ends that. */
void arena_fail_after(arena_t *self, size_t count);
/* The same for that one only, as at a limit that a smaller one still fits below. */
void arena_fail_once(arena_t *self, size_t count);

#endif
