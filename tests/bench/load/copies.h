/* tests/bench/load/copies.h: the newest events of one room, each as the bytes of the first frame
 * that brought it. All subscribers of a room get the same bytes: the others' frames are compared
 * with these, which is much cheaper than to read them again, and a byte that differs shows. Owned
 * by its room; one thread. */
#ifndef PARLEY_BENCH_COPIES_H
#define PARLEY_BENCH_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/load/events.h"

typedef struct copies copies_t;

/* Keeps count events, a power of two. Never freed: it lives as long as the program. */
copies_t *copies_new(size_t count);
/* The event with this number if its frame was these bytes, valid until the next copies_keep; NULL
 * if not, or if it is not known. */
const event_t *copies_match(const copies_t *self, uint64_t number, const char *text, size_t size);
/* The frame text, which is borrowed, is this event and nothing else. One that is too large for a
 * place here is not kept. Returns false, and keeps what it has, if that is the same event in other
 * bytes. */
bool copies_keep(copies_t *self, const event_t *event, const char *text, size_t size);

#endif
