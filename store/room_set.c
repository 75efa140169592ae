#include "store/room_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/table.h"

typedef struct entry {
    UT_hash_handle hh;
    char room[];
} entry_t;

struct room_set {
    entry_t *entries;
    size_t max;
    bool is_incomplete;
};

room_set_t *room_set_new(size_t max)
{
    room_set_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->max = max;
    return self;
}

void room_set_destroy(room_set_t **self_p)
{
    room_set_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    entry_t *entry, *next;
    HASH_ITER(hh, self->entries, entry, next)
    {
        HASH_DEL(self->entries, entry);
        free(entry);
    }
    free(self);
}

static entry_t *s_find(const room_set_t *self, const char *room, size_t size)
{
    entry_t *entry;
    HASH_FIND(hh, self->entries, room, size, entry);
    return entry;
}

void room_set_add(room_set_t *self, const char *room, size_t size)
{
    if (s_find(self, room, size))
        return;
    if (HASH_COUNT(self->entries) >= self->max) {
        self->is_incomplete = true;
        return;
    }
    entry_t *entry = calloc(1, sizeof *entry + size);
    if (!entry)
        abort();
    memcpy(entry->room, room, size);
    HASH_ADD_KEYPTR(hh, self->entries, entry->room, size, entry);
}

void room_set_remove(room_set_t *self, const char *room, size_t size)
{
    entry_t *entry = s_find(self, room, size);
    if (!entry)
        return;
    HASH_DEL(self->entries, entry);
    free(entry);
}

bool room_set_may_have(const room_set_t *self, const char *room, size_t size)
{
    return self->is_incomplete || s_find(self, room, size);
}
