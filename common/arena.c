#include "common/arena.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/blocks.h"
#include "common/sanitized.h"

enum { BLOCK_MAX = 64 * 1024, ALIGN = 16 };

typedef struct block {
    struct block *next; /* the one filled before this */
    size_t capacity;
    size_t used;
    _Alignas(ALIGN) char data[];
} block_t;

struct arena {
    block_t *block; /* being filled; never NULL */
    size_t used;
    size_t limit;
    size_t fail_after; /* tests only: 0 = off, 1 = fail from now on */
    bool fails_once;   /* … or only now */
};

/* The first block lies behind the arena itself, in the same BLOCK_BYTES. */
enum { HEAD_BYTES = (sizeof(struct arena) + ALIGN - 1) / ALIGN * ALIGN };

static block_t *s_block_new(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(block_t))
        return NULL;
    block_t *block = malloc(sizeof(block_t) + capacity);
    if (block != NULL) {
        block->next = NULL;
        block->capacity = capacity;
        block->used = 0;
    }
    return block;
}

/* With a sanitizer from the heap: only there it sees leaks and late uses. */
#ifdef HAS_SANITIZER
static arena_t *s_take(void)
{
    arena_t *self = malloc(BLOCK_BYTES);
    if (self == NULL)
        abort();
    return self;
}

static void s_give(arena_t *self)
{
    free(self);
}
#else
static arena_t *s_take(void)
{
    return block_take();
}

static void s_give(arena_t *self)
{
    block_give(self);
}
#endif

arena_t *arena_new(size_t limit_bytes)
{
    arena_t *self = s_take();
    block_t *first = (block_t *)(void *)((char *)self + HEAD_BYTES);
    *first = (block_t){.capacity = BLOCK_BYTES - HEAD_BYTES - sizeof *first};
    *self = (arena_t){.block = first, .limit = limit_bytes};
    return self;
}

static void s_free_after_first(arena_t *self)
{
    while (self->block->next != NULL) {
        block_t *block = self->block;
        self->block = block->next;
        free(block);
    }
}

void arena_destroy(arena_t **self_p)
{
    if (*self_p == NULL)
        return;
    s_free_after_first(*self_p);
    s_give(*self_p);
    *self_p = NULL;
}

void arena_reset(arena_t *self)
{
    s_free_after_first(self);
    self->block->used = 0;
    self->used = 0;
}

static bool s_must_fail(arena_t *self)
{
    if (self->fail_after == 0)
        return false;
    if (self->fail_after == 1) {
        self->fail_after = self->fails_once ? 0 : 1;
        return true;
    }
    self->fail_after--;
    return false;
}

void *arena_alloc(arena_t *self, size_t size)
{
    if (size > SIZE_MAX - ALIGN || s_must_fail(self))
        return NULL;
    size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded == 0)
        rounded = ALIGN;
    if (self->limit != 0 && (rounded > self->limit || self->used > self->limit - rounded))
        return NULL;
    block_t *block = self->block;
    if (block->capacity - block->used < rounded) {
        size_t capacity = block->capacity * 2 < BLOCK_MAX ? block->capacity * 2 : BLOCK_MAX;
        block = s_block_new(rounded > capacity ? rounded : capacity);
        if (block == NULL)
            return NULL;
        block->next = self->block;
        self->block = block;
    }
    void *memory = block->data + block->used;
    block->used += rounded;
    self->used += rounded;
    return memory;
}

void *arena_calloc(arena_t *self, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *memory = arena_alloc(self, count * size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

char *arena_memdup(arena_t *self, const char *data, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(self, size + 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *arena_vprintf(arena_t *self, const char *format, va_list args)
{
    va_list measure;
    va_copy(measure, args);
    int size = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    assert(size >= 0);
    char *text = arena_alloc(self, (size_t)size + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

char *arena_printf(arena_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(self, format, args);
    va_end(args);
    return text;
}

size_t arena_used(const arena_t *self)
{
    return self->used;
}

size_t arena_limit(const arena_t *self)
{
    return self->limit;
}

void arena_fail_after(arena_t *self, size_t count)
{
    self->fail_after = count;
    self->fails_once = false;
}

void arena_fail_once(arena_t *self, size_t count)
{
    self->fail_after = count;
    self->fails_once = true;
}
