#include "store/accounts/attempts.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/address_key.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/token_bucket.h"

enum {
    PAIRS = 32 * 1024, /* 32 bytes each */
    WAYS = 8,          /* pairs that may take a key's place */
    ADDRESSES = 32 * 1024,
    DELAY_STEPS_MAX = 6,    /* doublings of a second, then a minute */
    TOGETHER_MAX = 100,     /* attempts of one pair under way at once, while few were wrong */
    TOGETHER_WAIT_MS = 100, /* for those beyond */
    CODE_BURST = 60,        /* of one account from wherever, then one in … */
    CODE_INTERVAL_S = 10,
};

static const int64_t SECOND_NS = 1000000000;
static const int64_t DELAY_MAX_NS = 60 * (int64_t)1000000000;
/* Without a failure for so long, the earlier ones are forgotten. */
static const int64_t MEMORY_NS = 15 * 60 * (int64_t)1000000000;

/* Attempts of one address at one account. */
typedef struct {
    uint64_t key;     /* 0: free */
    int64_t until_ns; /* no attempt is judged before that */
    int64_t last_ns;
    uint32_t failures;
    uint32_t pending; /* under way */
} pair_t;

struct attempts {
    attempts_options_t options;
    token_rate_t failures, sign_ups, codes;
    token_table_t *failed_from, *signed_up_from, *coded;
    pair_t *pairs;
    metric_t *delayed, *sign_ups_refused;
};

static token_rate_t s_per_minute(int64_t count)
{
    return token_rate(count, 60 * SECOND_NS, count);
}

attempts_t *attempts_new(const attempts_options_t *options)
{
    attempts_t *self = calloc(1, sizeof *self);
    pair_t *pairs = calloc(PAIRS, sizeof *pairs);
    if (!self || !pairs)
        abort();
    self->options = *options;
    self->pairs = pairs;
    self->failures = s_per_minute(options->failures_per_minute);
    self->sign_ups = s_per_minute(options->sign_ups_per_minute);
    if (options->delay_after)
        self->codes = token_rate(1, CODE_INTERVAL_S * SECOND_NS, CODE_BURST);
    self->failed_from = token_table_new(ADDRESSES);
    self->signed_up_from = token_table_new(ADDRESSES);
    self->coded = token_table_new(ADDRESSES);
    self->delayed =
        metrics_counter("parley_store_attempts_refused_total",
                        "Passwords and codes not judged because too many were wrong", NULL);
    self->sign_ups_refused =
        metrics_counter("parley_store_sign_ups_refused_total",
                        "Sign-ups refused because their address made too many", NULL);
    return self;
}

void attempts_destroy(attempts_t **self_p)
{
    attempts_t *self = *self_p;
    if (!self)
        return;
    token_table_destroy(&self->failed_from);
    token_table_destroy(&self->signed_up_from);
    token_table_destroy(&self->coded);
    free(self->pairs);
    free(self);
    *self_p = NULL;
}

static int64_t s_now_ns(void)
{
    return clock_mono_us() * 1000;
}

static int64_t s_ms(int64_t ns)
{
    return (ns + 999999) / 1000000;
}

/* ---- pairs ---- */

/* Is a less worth keeping than b? */
static bool s_is_lesser(const pair_t *a, const pair_t *b)
{
    if (!a->pending != !b->pending)
        return !a->pending;
    if (a->failures != b->failures)
        return a->failures < b->failures;
    return a->last_ns < b->last_ns;
}

static pair_t *s_find(attempts_t *self, uint64_t key)
{
    pair_t *set = &self->pairs[key % (PAIRS / WAYS) * WAYS];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* The pair of key; NULL if all that it could take the place of are in use now. */
static pair_t *s_find_or_add(attempts_t *self, uint64_t key, int64_t now_ns)
{
    pair_t *pair = s_find(self, key);
    if (pair) {
        if (!pair->pending && now_ns - pair->last_ns > MEMORY_NS)
            *pair = (pair_t){.key = key};
        return pair;
    }
    pair_t *set = &self->pairs[key % (PAIRS / WAYS) * WAYS];
    pair = set;
    for (size_t i = 1; i < WAYS; i++)
        if (s_is_lesser(&set[i], pair))
            pair = &set[i];
    if (pair->pending)
        return NULL;
    *pair = (pair_t){.key = key};
    return pair;
}

/* Nanoseconds that this pair's next attempt has to wait. While few were wrong, several may be under
 * way; afterwards one at a time. */
static int64_t s_pair_wait_ns(const attempts_t *self, const pair_t *pair, int64_t now_ns)
{
    if (!self->options.delay_after || !pair)
        return 0;
    if (pair->until_ns > now_ns)
        return pair->until_ns - now_ns;
    bool suspect = pair->failures >= self->options.delay_after;
    if (pair->pending >= (suspect ? 1 : TOGETHER_MAX))
        return TOGETHER_WAIT_MS * SECOND_NS / 1000;
    return 0;
}

static int64_t s_delay_ns(const attempts_t *self, uint32_t failures)
{
    int64_t steps = (int64_t)failures - self->options.delay_after;
    if (!self->options.delay_after || steps < 0)
        return 0;
    return steps < DELAY_STEPS_MAX ? SECOND_NS << steps : DELAY_MAX_NS;
}

/* ---- attempts ---- */

int64_t attempts_begin(attempts_t *self,
                       attempt_kind_t kind,
                       const char *name,
                       size_t size,
                       const char *client,
                       attempt_t *attempt)
{
    int64_t now_ns = s_now_ns(), wait_ns;
    assert(kind != ATTEMPT_NONE);
    uint64_t address = client && *client ? address_key(client) : 0;
    uint64_t account = key_of(name, size);
    const uint64_t parts[] = {(uint64_t)kind, account, address};
    *attempt = (attempt_t){.account = account, .address = address};
    attempt->pair = key_of(parts, sizeof parts) | 1;
    pair_t *pair = s_find_or_add(self, attempt->pair, now_ns);
    wait_ns = s_pair_wait_ns(self, pair, now_ns);
    if (!wait_ns && address)
        wait_ns = token_take(self->failures, token_table_find(self->failed_from, address), now_ns);
    if (!wait_ns && kind == ATTEMPT_CODE) {
        wait_ns = token_take(self->codes, token_table_find(self->coded, account), now_ns);
        if (wait_ns && address)
            token_give_back(self->failures, token_table_find(self->failed_from, address));
    }
    if (wait_ns) {
        metric_inc(self->delayed);
        return s_ms(wait_ns);
    }
    attempt->kind = kind;
    if (pair)
        pair->pending++;
    return 0;
}

static void s_judge(attempts_t *self, pair_t *pair, attempt_outcome_t outcome)
{
    pair->pending--;
    if (outcome == ATTEMPT_UNJUDGED)
        return;
    pair->last_ns = s_now_ns();
    pair->failures = outcome == ATTEMPT_RIGHT ? 0 : pair->failures + 1;
    int64_t delay_ns = s_delay_ns(self, pair->failures);
    pair->until_ns = delay_ns ? pair->last_ns + delay_ns : 0;
}

void attempts_end(attempts_t *self, attempt_t *attempt, attempt_outcome_t outcome)
{
    if (attempt->kind == ATTEMPT_NONE)
        return;
    pair_t *pair = s_find(self, attempt->pair);
    if (pair && pair->pending)
        s_judge(self, pair, outcome);
    if (outcome != ATTEMPT_WRONG && attempt->address)
        token_give_back(self->failures, token_table_find(self->failed_from, attempt->address));
    if (outcome != ATTEMPT_WRONG && attempt->kind == ATTEMPT_CODE)
        token_give_back(self->codes, token_table_find(self->coded, attempt->account));
    attempt->kind = ATTEMPT_NONE;
}

int64_t attempts_sign_up(attempts_t *self, const char *client)
{
    if (!client || !*client)
        return 0;
    token_bucket_t *bucket = token_table_find(self->signed_up_from, address_key(client));
    int64_t wait_ns = token_take(self->sign_ups, bucket, s_now_ns());
    if (wait_ns)
        metric_inc(self->sign_ups_refused);
    return s_ms(wait_ns);
}
