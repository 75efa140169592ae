#include "store/log_ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "common/table.h"

typedef struct entry {
    UT_hash_handle hh; /* the longest noted first */
    uint64_t head, first;
    int64_t noted_us;
    char room[];
} entry_t;

struct log_ends {
    entry_t *by_room;
    size_t max;
    int64_t keep_us;
    char epoch[EPOCH_SIZE];
};

log_ends_t *log_ends_new(size_t max, int64_t keep_us)
{
    log_ends_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->max = max;
    self->keep_us = keep_us;
    return self;
}

void log_ends_destroy(log_ends_t **self_p)
{
    if (!*self_p)
        return;
    log_ends_forget(*self_p);
    free(*self_p);
    *self_p = NULL;
}

static void s_drop(log_ends_t *self, entry_t *entry)
{
    HASH_DEL(self->by_room, entry);
    free(entry);
}

void log_ends_forget(log_ends_t *self)
{
    entry_t *entry, *next;
    HASH_ITER(hh, self->by_room, entry, next)
    s_drop(self, entry);
}

void log_ends_set_epoch(log_ends_t *self, const char *epoch)
{
    if (strcmp(self->epoch, epoch) == 0)
        return;
    log_ends_forget(self);
    snprintf(self->epoch, sizeof self->epoch, "%s", epoch);
}

void log_ends_note(
    log_ends_t *self, const char *room, size_t size, uint64_t head, uint64_t first, int64_t now_us)
{
    entry_t *entry;
    HASH_FIND(hh, self->by_room, room, size, entry);
    if (entry)
        s_drop(self, entry);
    else if (HASH_COUNT(self->by_room) >= self->max)
        s_drop(self, self->by_room);
    entry = calloc(1, sizeof *entry + size);
    if (!entry)
        abort();
    entry->head = head;
    entry->first = first;
    entry->noted_us = now_us;
    memcpy(entry->room, room, size);
    HASH_ADD_KEYPTR(hh, self->by_room, entry->room, size, entry);
}

bool log_ends_find(const log_ends_t *self,
                   const char *room,
                   size_t size,
                   int64_t now_us,
                   uint64_t *head,
                   uint64_t *first)
{
    entry_t *entry;
    HASH_FIND(hh, self->by_room, room, size, entry);
    if (!entry || now_us - entry->noted_us > self->keep_us)
        return false;
    *head = entry->head;
    *first = entry->first;
    return true;
}
