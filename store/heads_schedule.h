/* store/heads_schedule.h: when a stream's head is published again after activity (proto/bus.md 7):
 * 0.1, 0.5, 2 and 10 s after the last of it, so that a lost last event is noticed. Pure: the caller
 * says the time. */
#ifndef PARLEY_STORE_HEADS_SCHEDULE_H
#define PARLEY_STORE_HEADS_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heads_schedule heads_schedule_t;

/* Remembers at most max rooms; beyond that the one that waited longest is forgotten. */
heads_schedule_t *heads_schedule_new(size_t max);
void heads_schedule_destroy(heads_schedule_t **self_p);

/* Something happened in the room: its four repetitions begin anew. */
void heads_schedule_touch(heads_schedule_t *self, const char *room, size_t size, int64_t now_us);

/* The next room whose head is due at now_us, NUL-terminated and borrowed until the next call; NULL
 * if none is. */
const char *heads_schedule_next(heads_schedule_t *self, int64_t now_us);

bool heads_schedule_is_empty(const heads_schedule_t *self);
size_t heads_schedule_count(const heads_schedule_t *self);

#endif
