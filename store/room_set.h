/* store/room_set.h: a set of rooms by name, bounded: one that did not fit counts as being in it,
 * and from then on so does every other. Pure; one owner. */
#ifndef PARLEY_STORE_ROOM_SET_H
#define PARLEY_STORE_ROOM_SET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct room_set room_set_t;

room_set_t *room_set_new(size_t max);
void room_set_destroy(room_set_t **self_p);

void room_set_add(room_set_t *self, const char *room, size_t size);
void room_set_remove(room_set_t *self, const char *room, size_t size);
bool room_set_may_have(const room_set_t *self, const char *room, size_t size);

#endif
