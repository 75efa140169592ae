/* gateway/feed/event.h: one event of a stream with what was rendered of it, and the ring that keeps
 * the newest ones. An event has one owner: a ring, a page or the early ones. What others may still
 * look at in this turn of the loop is buried, not freed: see graves_t. Loop thread. */
#ifndef PARLEY_GATEWAY_FEED_EVENT_H
#define PARLEY_GATEWAY_FEED_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cursor.h"
#include "common/json.h"
#include "common/loop.h"
#include "common/shared_bytes.h"

typedef struct event event_t;
struct event {
    event_t *next; /* buried */
    uint64_t seq;
    shared_bytes_t **rendered; /* by the group's index; NULL until first rendered */
    uint32_t rendered_capacity;
    uint32_t type_size;
    uint32_t payload_size;
    bool is_revoke;
    bool is_by_sub;        /* of a revoke: whom is a `sub`, not a handle */
    uint64_t whom;         /* of a revoke: whose rights it ends (identity_hash); 0: nobody's */
    size_t rendered_bytes; /* with the table */
    char cursor[CURSOR_SIZE];
    char text[]; /* type, NUL, payload, NUL */
};

/* What is freed at the end of the turn. */
typedef struct {
    loop_t *loop;
    event_t *events;
    shared_bytes_t **bytes;
    size_t count;
    size_t capacity;
    bool is_digging;
} graves_t;

void graves_init(graves_t *self, loop_t *loop);
/* Frees all at once. */
void graves_empty(graves_t *self);

/* Copies type and payload. */
event_t *event_new(const cursor_base_t *base,
                   uint64_t seq,
                   bool is_revoke,
                   json_slice_t type,
                   json_slice_t payload);
static inline const char *event_payload(const event_t *self)
{
    return self->text + self->type_size + 1;
}
/* Bytes that it holds, without what was rendered. */
size_t event_cost(const event_t *self);
/* NULL if it was not rendered for the group of that index. */
static inline shared_bytes_t *event_rendered(const event_t *self, uint32_t index)
{
    return index < self->rendered_capacity ? self->rendered[index] : NULL;
}
/* Takes *bytes_p. The number of bytes that the event holds more by it: with many groups the table
 * of their renderings counts too. */
size_t event_set_rendered(event_t *self, uint32_t index, shared_bytes_t **bytes_p);
/* Forgets what was rendered for that index, or all of it and the table; the number of bytes that
 * this gave back. */
size_t event_drop_rendered(event_t *self, uint32_t index, graves_t *graves);
size_t event_drop_all_rendered(event_t *self, graves_t *graves);
/* The same for all indexes but one; the table stays. */
size_t event_drop_rendered_but(event_t *self, uint32_t index, graves_t *graves);
/* Takes *bytes_p, which may be NULL: what is read in this turn may be. */
void graves_bury_bytes(graves_t *self, shared_bytes_t **bytes_p);
/* Takes the event. */
void event_bury(event_t **self_p, graves_t *graves);
/* For one that nobody has seen. */
void event_destroy(event_t **self_p);

/* A number that stands for a handle or a `sub`; never 0. */
uint64_t identity_hash(const char *name, size_t size);

/* ---- ring: the newest events, without a hole; embedded in its stream ---- */
typedef struct {
    event_t **slots; /* by seq; grows to what is in use */
    uint32_t capacity;
    uint32_t count;
    uint64_t first; /* seq of the oldest one; of the next one if it is empty */
    size_t bytes;
} ring_t;

static inline uint64_t ring_last(const ring_t *self)
{
    return self->first + self->count - 1;
}
/* seq must be in it. */
static inline event_t *ring_at(const ring_t *self, uint64_t seq)
{
    return self->slots[seq & (self->capacity - 1)];
}
/* Takes the event, whose seq must be ring_last + 1. */
void ring_push(ring_t *self, event_t *event);
/* Gives the oldest one to the caller. */
event_t *ring_shift(ring_t *self);
/* Buries all. */
void ring_free(ring_t *self, graves_t *graves);

#endif
