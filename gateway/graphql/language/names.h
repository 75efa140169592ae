/* gateway/graphql/language/names.h: a table that makes equal names the same pointer. Lives in an
 * arena, as its names do; one thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_NAMES_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_NAMES_H

#include <string.h>

#include "common/arena.h"
#include "gateway/graphql/language/ast.h"

typedef struct names names_t;

/* An empty table in the arena; NULL if the arena is at its limit. */
names_t *names_new(arena_t *arena);

/* The one name_t of these bytes (copied); NULL if the arena is at its limit. */
const name_t *names_intern(names_t *self, const char *data, size_t size);

/* The same, if it is there already; else NULL. */
const name_t *names_find(const names_t *self, const char *data, size_t size);

/* How many different names there are. */
uint32_t names_count(const names_t *self);

/* Seeded once per process, so that nobody can prepare names that collide. Never 0. */
uint32_t name_hash(const char *data, size_t size);

static inline bool name_equal(const name_t *a, const name_t *b)
{
    return a == b ||
           (a->hash == b->hash && a->size == b->size && memcmp(a->data, b->data, a->size) == 0);
}

static inline bool name_is(const name_t *name, const char *text)
{
    return strcmp(name->data, text) == 0;
}

#endif
