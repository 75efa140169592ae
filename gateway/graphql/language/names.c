#include "gateway/graphql/language/names.h"

#include <sys/random.h>
#include <time.h>

struct names {
    arena_t *arena;
    const name_t **slots; /* open addressing; NULL is free */
    uint32_t mask;
    uint32_t count;
};

enum { FIRST_SLOTS = 64 };

static uint64_t s_seed(void)
{
    static uint64_t seed;
    if (seed == 0) {
        if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
            seed = (uint64_t)time(NULL);
        seed |= 1;
    }
    return seed;
}

/* Eight bytes a step, each multiplied and folded (the mixing step of wyhash): names are short, so
 * set-up counts. */
static uint64_t s_mix(uint64_t a, uint64_t b)
{
    a ^= a >> 32;
    a *= b;
    return a ^ (a >> 29);
}

uint32_t name_hash(const char *data, size_t size)
{
    uint64_t seed = s_seed();
    uint64_t hash = seed ^ (size * UINT64_C(0x9E3779B97F4A7C15));
    uint64_t word;
    for (; size >= sizeof word; size -= sizeof word, data += sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = s_mix(hash ^ word, UINT64_C(0xD6E8FEB86659FD93)) ^ seed;
    }
    word = 0;
    memcpy(&word, data, size);
    hash = s_mix(hash ^ word, UINT64_C(0xD6E8FEB86659FD93));
    hash = s_mix(hash ^ seed, UINT64_C(0xA0761D6478BD642F));
    uint32_t folded = (uint32_t)(hash ^ (hash >> 32));
    return folded ? folded : 1;
}

names_t *names_new(arena_t *arena)
{
    names_t *self = arena_calloc(arena, 1, sizeof *self);
    if (!self)
        return NULL;
    self->arena = arena;
    self->mask = FIRST_SLOTS - 1;
    self->slots = arena_calloc(arena, FIRST_SLOTS, sizeof(const name_t *));
    return self->slots ? self : NULL;
}

static const name_t **s_slot(const names_t *self, const char *data, size_t size, uint32_t hash)
{
    for (uint32_t i = hash & self->mask;; i = (i + 1) & self->mask) {
        const name_t *name = self->slots[i];
        if (!name || (name->hash == hash && name->size == size && !memcmp(name->data, data, size)))
            return &self->slots[i];
    }
}

static bool s_grow(names_t *self)
{
    const name_t **old = self->slots;
    uint32_t old_count = self->mask + 1;
    const name_t **slots = arena_calloc(self->arena, (size_t)old_count * 2, sizeof(const name_t *));
    if (!slots)
        return false;
    self->slots = slots;
    self->mask = old_count * 2 - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        if (!old[i])
            continue;
        uint32_t at = old[i]->hash & self->mask;
        while (slots[at])
            at = (at + 1) & self->mask;
        slots[at] = old[i];
    }
    return true;
}

const name_t *names_intern(names_t *self, const char *data, size_t size)
{
    if (size > UINT32_MAX - 1)
        return NULL;
    uint32_t hash = name_hash(data, size);
    const name_t **slot = s_slot(self, data, size, hash);
    if (*slot)
        return *slot;
    if ((self->count + 1) * 2 > self->mask) {
        if (!s_grow(self))
            return NULL;
        slot = s_slot(self, data, size, hash);
    }
    name_t *name = arena_alloc(self->arena, sizeof *name);
    char *copy = arena_memdup(self->arena, data, size);
    if (!name || !copy)
        return NULL;
    *name = (name_t){.data = copy, .size = (uint32_t)size, .hash = hash, .id = self->count++};
    return *slot = name;
}

const name_t *names_find(const names_t *self, const char *data, size_t size)
{
    return *s_slot(self, data, size, name_hash(data, size));
}

uint32_t names_count(const names_t *self)
{
    return self->count;
}
