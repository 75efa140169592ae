/* gateway/auth/ledger.h: what one service said of its sessions and its API keys (proto/bus.md 4.5).
 * Bounded by what is still of use: a session is remembered until the last token of it has expired.
 * No socket; loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_LEDGER_H
#define PARLEY_GATEWAY_AUTH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"
#include "gateway/auth/identity.h"

enum {
    LEDGER_HASH_SIZE = 32,         /* SHA-256 of an API key */
    LEDGER_KEYS_MAX = 100000,      /* more are an error */
    LEDGER_SESSIONS_MAX = 1000000, /* beyond that the one that was told of first is forgotten: its
                                      tokens are good again until they expire, which the log and
                                      parley_sessions_forgotten_total say */
    LEDGER_FORGET_EVERY_S = 60,
};

typedef struct ledger ledger_t;

/* Knows nothing yet; remembers at most so many sessions. Never NULL. */
ledger_t *ledger_new(const char *service, size_t max_sessions);
void ledger_destroy(ledger_t **self_p);

const char *ledger_service(const ledger_t *self);

/* Was everything told once? Until then nobody knows whether a token still counts. */
bool ledger_is_known(const ledger_t *self);

/* From where on to ask: what was told last. The epoch is "" before anything was. */
const char *ledger_epoch(const ledger_t *self);
uint64_t ledger_seq(const ledger_t *self);

typedef struct {
    bool has_more;  /* ask again at once */
    bool has_ended; /* a session or a key that was good before is no more */
} ledger_news_t;

/* Takes the answer to AUTH, at Unix time now_us. ERR_PROTOCOL with a sentence if it is none; what
 * was before it stays. */
err_code_t
ledger_apply(ledger_t *self, json_slice_t answer, int64_t now_us, ledger_news_t *news, err_t *err);

/* Did the session of that id end? */
bool ledger_has_ended(const ledger_t *self, const char *session);

/* The identity that goes with the key of that hash, borrowed; NULL if there is none, or it has
 * expired. */
identity_t *ledger_key(const ledger_t *self, const uint8_t hash[LEDGER_HASH_SIZE], int64_t now_us);

/* Is there still a key of that id, as it was? */
bool ledger_keeps_key(const ledger_t *self, const identity_t *identity);

#endif
