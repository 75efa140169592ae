/* tests/bench/load/events.h: finds events in what a server delivered. Pure but for a small cache;
 * one thread. */
#ifndef PARLEY_BENCH_EVENTS_H
#define PARLEY_BENCH_EVENTS_H

#include <stddef.h>
#include <stdint.h>

/* Behind the microsecond in a body: what people write has about fifty bytes. */
#define EVENT_TEXT "a message of some length, as people write"

typedef struct {
    uint64_t number;         /* in its room */
    int64_t posted_us;       /* of the monotonic clock */
    int64_t created_unix_us; /* 0 if it says no createdAt */
} event_t;

/* The first event in text: returns how many bytes lie up to its end, 0 if there is none. */
size_t event_find(const char *text, size_t size, event_t *event);
/* Copies the value of the first "cursor" member, if it fits; otherwise leaves out as it is. */
void event_cursor(const char *text, size_t size, char *out, size_t out_size);

#endif
