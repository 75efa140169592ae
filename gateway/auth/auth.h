/* gateway/auth/auth.h: credentials → identities. Knows who issues tokens (the services' manifests
 * say it) and the API key. No socket, no loop; loop thread only.
 *
 * A token is a JWS in compact form (RFC 7515, RFC 7519) treated after RFC 8725: the key, found by
 * issuer and kid, decides the algorithm, and a header that says anything else is refused before any
 * signature is computed; `none`, HMAC and keys that a token brings along (jku, jwk, x5u, x5c) are
 * never used. Only access tokens are taken (token_use, if the claim is there): an id token tells
 * the client who its user is and is not meant to be sent here. */
#ifndef PARLEY_GATEWAY_AUTH_AUTH_H
#define PARLEY_GATEWAY_AUTH_AUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "gateway/auth/identity.h"
#include "gateway/auth/token_memo.h"

enum {
    AUTH_TOKEN_MAX = 8192,      /* bytes of a credential, with its scheme */
    AUTH_LEEWAY_S = 30,         /* clocks may differ so much */
    AUTH_CACHE_ENTRIES = 10000, /* verified tokens that are remembered */
    AUTH_KEYS_PER_ISSUER = 32,  /* more are an error */
    AUTH_ISSUERS_MAX = 64,
};

typedef struct {
    const char *api_key;  /* NULL or "": API keys are not in use. Copied as a hash only */
    size_t cache_entries; /* 0: AUTH_CACHE_ENTRIES */
} auth_options_t;

typedef struct auth auth_t;

/* Never NULL. */
auth_t *auth_new(const auth_options_t *options);
void auth_destroy(auth_t **self_p);

/* Are there services that have not said yet whose tokens and keys are good? While there are (none
 * at first), a credential that nobody knows may be theirs: it is UNAVAILABLE, and not refused. */
void auth_expect(auth_t *self, bool more);

/* What the manifest of a service says under `issuer` (proto/bus.md 3): {"iss", "clientId", "jwks"}.
 * Call it at every change of the manifests; nothing happens when it says the same as before, nor
 * with NULL: a store that just started has not read its keys yet, and those of its sisters stay
 * good. Keys are withdrawn by a set without them. ERR_CONFIG with a sentence for the log if it is
 * broken or another service already issues under this iss; what was there before stays. */
err_code_t auth_set_issuer(auth_t *self, const char *service, const json_t *issuer, err_t *err);

/* ---- OpenID Connect issuers (oidc.h) ---- */

/* Tokens of that iss are awaited: ERR_UNAVAILABLE until its keys are known. audience and
 * handle_claim may be NULL. ERR_CONFIG if it is there already, or there are too many. */
err_code_t auth_add_oidc(
    auth_t *self, const char *iss, const char *audience, const char *handle_claim, err_t *err);
/* Its keys, which take the place of those before. ERR_CONFIG with a sentence if it is no JWK set;
 * what was there before stays. */
err_code_t auth_set_oidc_keys(auth_t *self, const char *iss, const json_t *jwks, err_t *err);
/* Who is told of a token of such an issuer with an unknown key: true if keys are being fetched, and
 * the token is to come again (ERR_UNAVAILABLE). */
void auth_on_unknown_key(auth_t *self, bool (*fn)(void *arg, const char *iss), void *arg);

/* Has that service said whose tokens are good? */
bool auth_knows_service(const auth_t *self, const char *service);
/* Are the keys of some issuer known? */
bool auth_has_issuer(const auth_t *self);

/* ---- what services say of their sessions and API keys (proto/bus.md 4.5) ---- */

/* The service has something to say: until it has, its tokens are ERR_UNAVAILABLE. False if that was
 * known already, or there are too many. */
bool auth_follow(auth_t *self, const char *service);
/* Where it is to go on: the epoch ("" at first) and seq of what it said last. */
const char *auth_followed_to(const auth_t *self, const char *service, uint64_t *seq);
/* What it says, the answer to AUTH. *has_more: there is more, ask at once. ERR_PROTOCOL with a
 * sentence if it is no answer; then nothing changes. */
err_code_t
auth_apply(auth_t *self, const char *service, json_slice_t answer, bool *has_more, err_t *err);
/* Have all of them said what there is? Else *service is one that has not. */
bool auth_is_ready(const auth_t *self, const char **service);

/* ---- identities that are kept ---- */

/* Grows whenever an identity that was good before may be no more (keys went, a session ended): who
 * keeps identities asks auth_objection again then. */
uint64_t auth_generation(const auth_t *self);
/* Why the identity's credential counts no more, or NULL. Its time is for the caller to look at. */
const char *auth_objection(const auth_t *self, const identity_t *identity);

/* The value of an Authorization header: a token, bare or behind "Bearer ". On ERR_OK *identity is a
 * reference for the caller. ERR_UNAUTHENTICATED with a reason that does not echo the token ("token
 * expired", "unknown key"); ERR_UNAVAILABLE while no issuer's keys are known. */
err_code_t
auth_verify(auth_t *self, const char *credential, size_t size, identity_t **identity, err_t *err);

/* The same for a connection that may show it again and again: memo is the connection's. */
err_code_t auth_verify_again(auth_t *self,
                             token_memo_t *memo,
                             const char *credential,
                             size_t size,
                             identity_t **identity,
                             err_t *err);

/* The value of an x-api-key header. The identity's handle is the name of the key, "apikey" for the
 * one in the options. As above. */
err_code_t
auth_verify_api_key(auth_t *self, const char *key, size_t size, identity_t **identity, err_t *err);

/* Remembered tokens, and how often one was found there or not; for metrics. */
typedef struct {
    size_t entries;
    uint64_t hits, misses, evictions;
} auth_stats_t;
auth_stats_t auth_stats(const auth_t *self);

#endif
