/* store/batch.h: the layout of one group commit: which messages share a room, in which order the
 * rooms are locked, which messages are the same one. Pure; memory of its owner. */
#ifndef PARLEY_STORE_BATCH_H
#define PARLEY_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "store/message.h"

enum { BATCH_MAX = 256 };

/* items[i]->seq and created_us are set when the batch was committed. */
typedef struct {
    message_t *items[BATCH_MAX];
    const char *accounts[BATCH_MAX]; /* of their senders: room_caller_account */
    int count;
    /* Made by batch_layout. */
    int leader[BATCH_MAX]; /* index of the first item of the same (room, id): itself, unless it is a
                              repetition */
    int back[BATCH_MAX];   /* of a leader: how many later leaders are in the same room */
    int rooms[BATCH_MAX];  /* of each distinct room, in byte order, some item of it */
    int room_counts[BATCH_MAX]; /* its leaders */
    int room_of[BATCH_MAX];     /* of each item: the place of its room in rooms */
    int room_count;
    int order[BATCH_MAX]; /* items by (room, id, index) */
} batch_t;

/* Computes the layout of items[0 … count - 1] (count at least 1). */
void batch_layout(batch_t *self);

static inline bool batch_is_leader(const batch_t *self, int index)
{
    return self->leader[index] == index;
}

/* The place of that room in rooms, or -1. */
int batch_find_room(const batch_t *self, const char *room, size_t room_size);

/* Index of the leader with that room and id, or -1. */
int batch_find(const batch_t *self, const char *room, size_t room_size, const unsigned char id[16]);

#endif
