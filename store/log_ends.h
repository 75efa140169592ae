/* store/log_ends.h: where the logs of rooms were seen to end, for some seconds: within an epoch a
 * log only grows, so what lay within these ends still does. What lies beyond them may be there by
 * now: only the database knows. Pure: the caller says the time. One owner. */
#ifndef PARLEY_STORE_LOG_ENDS_H
#define PARLEY_STORE_LOG_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct log_ends log_ends_t;

/* Remembers at most max rooms (at least 1); beyond that the one that was noted longest ago is
 * forgotten. */
log_ends_t *log_ends_new(size_t max, int64_t keep_us);
void log_ends_destroy(log_ends_t **self_p);

/* All that was noted in another epoch is forgotten. */
void log_ends_set_epoch(log_ends_t *self, const char *epoch);
void log_ends_forget(log_ends_t *self);

/* A snapshot taken at now_us or later says that the room's events are first … head. */
void log_ends_note(
    log_ends_t *self, const char *room, size_t size, uint64_t head, uint64_t first, int64_t now_us);

/* False if nothing was noted within keep_us. */
bool log_ends_find(const log_ends_t *self,
                   const char *room,
                   size_t size,
                   int64_t now_us,
                   uint64_t *head,
                   uint64_t *first);

#endif
