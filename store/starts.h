/* store/starts.h: where the log ends when a subscription begins, and whether it may. However many
 * begin at once, one statement at a time reads the heads for all that came before it; and those
 * that come back behind a cursor which many others were near a moment ago need none of their own:
 * ten thousand clients that come back together cost a handful of statements. Owned by main; loop
 * thread only. */
#ifndef PARLEY_STORE_STARTS_H
#define PARLEY_STORE_STARTS_H

#include "common/loop.h"
#include "store/arguments.h"
#include "store/database.h"
#include "store/read_task.h"

typedef struct starts starts_t;

/* One that waits for its head. The caller's, embedded in its own task, until fn was called. */
typedef struct start {
    struct start *prev, *next;
    read_task_t read; /* initialised */
    text_t room;      /* borrowed from the call */
    bool has_after;   /* it begins behind the seq `after` */
    uint64_t after;
    bool is_closed; /* set before fn: by that snapshot the caller is no member of a private room */
    /* head is the room's last seq in a snapshot taken after starts_read, first the first one still
     * kept; both count only if outcome->code is ERR_OK. If has_after, the room is public and
     * first - 1 <= after <= head, the snapshot may be some seconds older. Called once, maybe from
     * inside starts_read. */
    void (*fn)(void *arg, const pg_outcome_t *outcome, uint64_t head, uint64_t first);
    void *arg;
} start_t;

/* Borrows both. */
starts_t *starts_new(loop_t *loop, database_t *database);

void starts_read(starts_t *self, start_t *start);

/* The database was away: its log may be another one. */
void starts_on_database_ready(starts_t *self);

/* Fails those that wait. Before the endpoint goes; what is under way ends with the database. */
void starts_stop(starts_t *self);
/* After the database. */
void starts_destroy(starts_t **self_p);

#endif
