#include "store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Byte order, which is PostgreSQL's collation "C". */
static int s_compare_rooms(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int s_compare_keys(const message_t *a, const message_t *b)
{
    int order = s_compare_rooms(a->room, a->room_size, b->room, b->room_size);
    return order ? order : memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static int s_compare_indexes(const void *a_p, const void *b_p, void *arg)
{
    const batch_t *self = arg;
    int a = *(const int *)a_p, b = *(const int *)b_p;
    int order = s_compare_keys(self->items[a], self->items[b]);
    return order ? order : a - b;
}

void batch_layout(batch_t *self)
{
    assert(self->count > 0 && self->count <= BATCH_MAX);
    int seen[BATCH_MAX] = {0};
    for (int i = 0; i < self->count; i++)
        self->order[i] = i;
    qsort_r(self->order, (size_t)self->count, sizeof self->order[0], s_compare_indexes, self);
    self->room_count = 0;
    for (int i = 0; i < self->count; i++) {
        int index = self->order[i];
        const message_t *item = self->items[index];
        const message_t *before = i > 0 ? self->items[self->order[i - 1]] : NULL;
        if (!before ||
            s_compare_rooms(before->room, before->room_size, item->room, item->room_size) != 0) {
            self->room_counts[self->room_count] = 0;
            self->rooms[self->room_count++] = index;
        }
        bool repeats = before && s_compare_keys(before, item) == 0;
        self->leader[index] = repeats ? self->leader[self->order[i - 1]] : index;
        self->room_of[index] = self->room_count - 1;
        if (!repeats)
            self->room_counts[self->room_count - 1]++;
    }
    for (int i = self->count - 1; i >= 0; i--)
        self->back[i] = batch_is_leader(self, i) ? seen[self->room_of[i]]++ : 0;
}

int batch_find_room(const batch_t *self, const char *room, size_t room_size)
{
    int low = 0, high = self->room_count;
    while (low < high) {
        int middle = (low + high) / 2;
        const message_t *item = self->items[self->rooms[middle]];
        int order = s_compare_rooms(item->room, item->room_size, room, room_size);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int batch_find(const batch_t *self, const char *room, size_t room_size, const unsigned char id[16])
{
    message_t key = {.room = room, .room_size = room_size};
    memcpy(key.id.bytes, id, sizeof key.id.bytes);
    int low = 0, high = self->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (s_compare_keys(self->items[self->order[middle]], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == self->count || s_compare_keys(self->items[self->order[low]], &key) != 0)
        return -1;
    return self->order[low]; /* the lowest index of its key: the leader */
}
