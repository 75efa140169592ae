/* common/token_bucket.h: how often something may be done: token buckets, and a table of them that
 * never grows. Pure: the caller says what time it is. One thread.
 *
 * A bucket is one number, the time at which it would be full again (the "virtual scheduling" form
 * of the leaky bucket, ITU-T I.371 Annex A), so an unused one costs nothing and none has to be
 * filled by a timer. */
#ifndef PARLEY_COMMON_TOKEN_BUCKET_H
#define PARLEY_COMMON_TOKEN_BUCKET_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds, monotonic; 0: full. */
typedef int64_t token_bucket_t;

typedef struct {
    int64_t interval_ns; /* one token; 0: no limit */
    int64_t window_ns;   /* as many tokens as the bucket holds */
} token_rate_t;

/* count tokens (0: no limit) in period_ns; the bucket holds burst of them, at least one. */
token_rate_t token_rate(int64_t count, int64_t period_ns, int64_t burst);

/* Takes a token and returns 0, or takes none and returns in how many nanoseconds there will be one.
 */
int64_t token_take(token_rate_t rate, token_bucket_t *bucket, int64_t now_ns);

/* Takes count tokens whether they are there or not: a debt of at most one window. */
void token_charge(token_rate_t rate, token_bucket_t *bucket, int64_t count, int64_t now_ns);

/* Gives one back. */
void token_give_back(token_rate_t rate, token_bucket_t *bucket);

/* Buckets by key, as many as were asked for and no more. Where a set of them is full, the one that
 * has most tokens makes room: who is forgotten is never treated worse than before. */
typedef struct token_table token_table_t;

/* entries: rounded up to a power of two; 16 bytes each. Never NULL. */
token_table_t *token_table_new(size_t entries);
void token_table_destroy(token_table_t **self_p);
/* The bucket of key (0 is taken for 1); valid until the next call. Never NULL. */
token_bucket_t *token_table_find(token_table_t *self, uint64_t key);

#endif
