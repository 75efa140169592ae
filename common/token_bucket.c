#include "common/token_bucket.h"

#include <stdlib.h>

enum { WAYS = 4 }; /* a set is one cache line */

typedef struct {
    uint64_t key; /* 0: free */
    token_bucket_t bucket;
} entry_t;

struct token_table {
    size_t mask; /* of sets */
    entry_t entries[];
};

token_rate_t token_rate(int64_t count, int64_t period_ns, int64_t burst)
{
    if (count <= 0)
        return (token_rate_t){0};
    int64_t interval = period_ns / count > 0 ? period_ns / count : 1;
    return (token_rate_t){.interval_ns = interval, .window_ns = interval * (burst > 0 ? burst : 1)};
}

int64_t token_take(token_rate_t rate, token_bucket_t *bucket, int64_t now_ns)
{
    int64_t full = *bucket > now_ns ? *bucket : now_ns;
    int64_t late = full + rate.interval_ns - now_ns - rate.window_ns;
    if (rate.interval_ns && late > 0)
        return late;
    *bucket = full + rate.interval_ns;
    return 0;
}

void token_charge(token_rate_t rate, token_bucket_t *bucket, int64_t count, int64_t now_ns)
{
    int64_t full = *bucket > now_ns ? *bucket : now_ns;
    int64_t most = now_ns + 2 * rate.window_ns;
    full += count * rate.interval_ns;
    *bucket = full < most ? full : most;
}

void token_give_back(token_rate_t rate, token_bucket_t *bucket)
{
    *bucket -= rate.interval_ns;
}

token_table_t *token_table_new(size_t entries)
{
    size_t sets = 1;
    while (sets * WAYS < entries)
        sets *= 2;
    token_table_t *self = calloc(1, sizeof *self + sets * WAYS * sizeof(entry_t));
    if (!self)
        abort();
    self->mask = sets - 1;
    return self;
}

void token_table_destroy(token_table_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

token_bucket_t *token_table_find(token_table_t *self, uint64_t key)
{
    key = key ? key : 1;
    entry_t *set = &self->entries[(key & self->mask) * WAYS];
    entry_t *victim = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i].bucket;
        if (set[i].bucket < victim->bucket)
            victim = &set[i];
    }
    *victim = (entry_t){.key = key};
    return &victim->bucket;
}
