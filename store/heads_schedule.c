#include "store/heads_schedule.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/table.h"

enum { STAGES = 4 };
static const int64_t s_delay_us[STAGES] = {100000, 500000, 2000000, 10000000};

/* A room that was active at since_us and had its first `stage` repetitions. */
typedef struct entry {
    UT_hash_handle hh;
    struct entry *prev, *next; /* in the list of its stage, by since_us */
    int64_t since_us;
    int stage;
    char room[];
} entry_t;

struct heads_schedule {
    entry_t *by_room;
    entry_t *stages[STAGES];
    entry_t *given; /* the last one's memory, lent to the caller */
    size_t max;
};

heads_schedule_t *heads_schedule_new(size_t max)
{
    heads_schedule_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->max = max;
    return self;
}

static void s_forget(heads_schedule_t *self, entry_t *entry)
{
    DL_DELETE(self->stages[entry->stage], entry);
    HASH_DEL(self->by_room, entry);
}

void heads_schedule_destroy(heads_schedule_t **self_p)
{
    heads_schedule_t *self = *self_p;
    if (!self)
        return;
    entry_t *entry, *next;
    HASH_ITER(hh, self->by_room, entry, next)
    {
        s_forget(self, entry);
        free(entry);
    }
    free(self->given);
    free(self);
    *self_p = NULL;
}

static void s_make_room(heads_schedule_t *self)
{
    for (int stage = STAGES - 1; stage >= 0; stage--)
        if (self->stages[stage]) {
            entry_t *oldest = self->stages[stage];
            s_forget(self, oldest);
            free(oldest);
            return;
        }
}

void heads_schedule_touch(heads_schedule_t *self, const char *room, size_t size, int64_t now_us)
{
    entry_t *entry;
    HASH_FIND(hh, self->by_room, room, size, entry);
    if (entry) {
        DL_DELETE(self->stages[entry->stage], entry);
    } else {
        if (HASH_COUNT(self->by_room) >= self->max)
            s_make_room(self);
        entry = malloc(sizeof *entry + size + 1);
        if (!entry)
            abort();
        memset(entry, 0, sizeof *entry);
        memcpy(entry->room, room, size);
        entry->room[size] = '\0';
        HASH_ADD_KEYPTR(hh, self->by_room, entry->room, size, entry);
    }
    entry->stage = 0;
    entry->since_us = now_us;
    DL_APPEND(self->stages[0], entry);
}

const char *heads_schedule_next(heads_schedule_t *self, int64_t now_us)
{
    for (int stage = 0; stage < STAGES; stage++) {
        entry_t *entry = self->stages[stage];
        if (!entry || now_us < entry->since_us + s_delay_us[stage])
            continue;
        if (stage + 1 < STAGES) {
            DL_DELETE(self->stages[stage], entry);
            entry->stage++;
            DL_APPEND(self->stages[entry->stage], entry);
            return entry->room;
        }
        s_forget(self, entry);
        free(self->given);
        self->given = entry;
        return entry->room;
    }
    return NULL;
}

bool heads_schedule_is_empty(const heads_schedule_t *self)
{
    return !self->by_room;
}

size_t heads_schedule_count(const heads_schedule_t *self)
{
    return HASH_COUNT(self->by_room);
}
