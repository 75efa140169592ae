/* store/accounts/hasher.h: Argon2id, and what else a sign-in computes, off the loop. Loop thread
 * only.
 *
 * A hash keeps a core busy for some 30 ms and takes 19 MiB, so at most `workers` run at once in
 * uv's thread pool (half of it, the other half resolves names) and at most `queue_max` wait; a
 * flood of sign-ins costs its senders time and nobody memory. */
#ifndef PARLEY_STORE_ACCOUNTS_HASHER_H
#define PARLEY_STORE_ACCOUNTS_HASHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"

enum {
    HASHER_WORKERS = 2,
    HASHER_QUEUE_MAX = 256,
    PASSWORD_HASH_SIZE = 128, /* crypto_pwhash_STRBYTES: text with a NUL */
};

typedef struct hasher hasher_t;

typedef enum {
    HASHER_OK,       /* the password is the right one, the work has succeeded */
    HASHER_MISMATCH, /* it is wrong, it has not */
    HASHER_LATE,     /* its deadline passed before its turn came */
    HASHER_STOPPED,  /* hasher_stop */
} hasher_outcome_t;

typedef void (*hasher_done_fn)(void *arg, hasher_outcome_t outcome);

/* Never NULL. */
hasher_t *hasher_new(loop_t *loop);

/* Compares size bytes (copied, wiped afterwards) with a hash (text, copied); NULL is a hash that no
 * password has, which takes the same time. False, and fn is never called, if the queue is full;
 * else fn is called once, from inside only if the deadline (Unix time) has passed already. */
bool hasher_verify(hasher_t *self,
                   const char *hash,
                   const char *password,
                   size_t size,
                   int64_t deadline_ms,
                   hasher_done_fn fn,
                   void *arg);

/* The hash of a password; for what hasher_run runs. Any thread. False without memory. */
bool hasher_compute(const char *password, size_t size, char hash[PASSWORD_HASH_SIZE]);

/* Other work of a sign-in that is too slow for the loop. fn runs in a thread and touches nothing
 * but work; what it says comes out as HASHER_OK or HASHER_MISMATCH. Takes work and frees it with
 * free_work, after `done` has returned; also if the answer is false. Else as above. */
bool hasher_run(hasher_t *self,
                bool (*fn)(void *work),
                void *work,
                void (*free_work)(void *work),
                int64_t deadline_ms,
                hasher_done_fn done,
                void *arg);

/* How long a request that came now would wait, by the times of the last ones; milliseconds, at
 * least 100. */
int64_t hasher_wait_ms(const hasher_t *self);

/* Ends all requests with HASHER_STOPPED, from inside this call; what comes later is refused. */
void hasher_stop(hasher_t *self);

/* Stops; hashes that are being computed now free themselves when they are done, so the loop must be
 * run once more (loop_destroy does). */
void hasher_destroy(hasher_t **self_p);

#endif
