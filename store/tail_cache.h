/* store/tail_cache.h: the newest messages of active rooms as JSON text, ready to be sent. Whether a
 * tail is current is not known here (store/tail_reader.h proves it). Pure; one owner. */
#ifndef PARLEY_STORE_TAIL_CACHE_H
#define PARLEY_STORE_TAIL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum { TAIL_KEEP = 100, TAIL_MAX = 200, TAIL_BYTES_MAX = 512 * 1024 };

typedef struct tail tail_t;
typedef struct tail_cache tail_cache_t;

/* Holds about limit_bytes of text; the rooms that were not asked for longest go first. */
tail_cache_t *tail_cache_new(size_t limit_bytes);
void tail_cache_destroy(tail_cache_t **self_p);

/* The epoch whose log this is; what was of another one is forgotten. */
void tail_cache_set_epoch(tail_cache_t *self, const char *epoch);

/* The room's tail, or NULL. Borrowed until the next call of begin, append or forget. */
tail_t *tail_cache_find(tail_cache_t *self, const char *room, size_t size);

/* An empty tail for the room instead of what there was: the log up to end_seq holds no message that
 * it lacks, if complete, or else none is known. */
tail_t *tail_cache_begin(
    tail_cache_t *self, const char *room, size_t size, uint64_t end_seq, bool complete);
void tail_cache_forget(tail_cache_t *self, const char *room, size_t size);
size_t tail_cache_bytes(const tail_cache_t *self);

/* The message with number seq, as JSON (less than TAIL_BYTES_MAX): the next one of the log after
 * tail_end. */
void tail_cache_append(
    tail_cache_t *self, tail_t *tail, uint64_t seq, const char *json, size_t size);

/* The log's number up to which the tail tells all. */
uint64_t tail_end(const tail_t *self);
/* Remembers mark; false if it was the last one already: for visiting each tail once. */
bool tail_mark(tail_t *self, uint64_t mark);
/* Can it show the newest count messages? */
bool tail_has(const tail_t *self, int count);
/* Appends them as a JSON list, oldest first. */
void tail_print(const tail_t *self, int count, buffer_t *out);

#endif
