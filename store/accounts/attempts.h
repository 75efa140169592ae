/* store/accounts/attempts.h: how often passwords and codes may be tried, and accounts made. Loop
 * thread only; memory is fixed, and each store counts for itself: with several, an attacker has as
 * many times the budget, and what was counted is forgotten at a restart.
 *
 * Failures are counted per account and address together, so that a stranger's attempts delay the
 * stranger and not the account's owner; and per address, so that one address cannot go through many
 * accounts. Whether an account exists makes no difference anywhere here. */
#ifndef PARLEY_STORE_ACCOUNTS_ATTEMPTS_H
#define PARLEY_STORE_ACCOUNTS_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct attempts attempts_t;

typedef struct {
    int64_t delay_after;         /* the failure from which each next attempt has to wait: 1 s, 2 s,
                                    4 s … a minute; 0: none ever has to */
    int64_t failures_per_minute; /* of one address; 0: no limit */
    int64_t sign_ups_per_minute; /* from one address; 0: no limit */
} attempts_options_t;

typedef enum {
    ATTEMPT_NONE,
    ATTEMPT_PASSWORD,
    ATTEMPT_CODE, /* has few digits: one account's are also counted over all addresses */
} attempt_kind_t;

typedef enum {
    ATTEMPT_RIGHT,
    ATTEMPT_WRONG,
    ATTEMPT_UNJUDGED, /* it never came to that: the database was away … */
} attempt_outcome_t;

/* An attempt under way, by value; zeroed: none. */
typedef struct {
    attempt_kind_t kind;
    uint64_t pair, account, address; /* keys; address 0: not known */
} attempt_t;

/* Never NULL. */
attempts_t *attempts_new(const attempts_options_t *options);
void attempts_destroy(attempts_t **self_p);

/* A password or code is about to be judged: name (size bytes) says of which account, folded if it
 * can be, client is the caller's address or NULL. 0 with *attempt filled in for attempts_end; or in
 * how many milliseconds it may be tried again: then nothing is to be judged, and the answer is
 * RATE_LIMITED with retryAfterMs. */
int64_t attempts_begin(attempts_t *self,
                       attempt_kind_t kind,
                       const char *name,
                       size_t size,
                       const char *client,
                       attempt_t *attempt);

/* How it went; does nothing if *attempt is none (any more), which it is afterwards. */
void attempts_end(attempts_t *self, attempt_t *attempt, attempt_outcome_t outcome);

/* An account is about to be made. 0, or milliseconds as above. */
int64_t attempts_sign_up(attempts_t *self, const char *client);

#endif
