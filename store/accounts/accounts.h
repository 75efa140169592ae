/* store/accounts/accounts.h: who the chat's people are: sign-up, sign-in, sessions, and the tokens
 * that gateways verify.
 *
 * Passwords are hashed with Argon2id off the loop (hasher.h); access tokens are ES256 JWTs signed
 * with a key that all stores of a database share (keyring.h); refresh tokens rotate
 * (refresh_token.h). Every change is one statement, so that several stores may serve the same
 * account at once. Loop thread only. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNTS_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNTS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/loop.h"
#include "store/accounts/attempts.h"
#include "store/handler.h"
#include "store/pg_link.h"

typedef struct {
    const char *issuer;     /* claim iss ("http://localhost:8080/local-1_chat") */
    const char *client_id;  /* claim client_id ("chatclient") */
    const char *pool_id;    /* "local-1_chat": /<pool_id>/.well-known/jwks.json is served too */
    const char *keys_dir;   /* holds master.key, which seals the signing keys in the database */
    const char *fixed_code; /* every confirmation code, for development; NULL or "": random ones */
    const char *smtp_url;   /* codes go out by it; NULL or "": they go to the log */
    const char *smtp_from;  /* sender of those mails */
    bool no_srp;            /* keep no SRP verifiers: sign-in by password only */
    attempts_options_t attempts;
} accounts_options_t;

typedef struct accounts accounts_t;

/* Copies the options; reads master.key. link is borrowed and outlives self; best one of accounts'
 * own, with a pipeline. NULL and ERR_CONFIG with one line if master.key
 * is missing or unreadable, or an option is wrong. */
accounts_t *
accounts_new(loop_t *loop, pg_link_t *link, const accounts_options_t *options, err_t *err);

/* Mutation.signUp, signIn, refreshSession, signOut, Query.me, and the HTTP routes of the user pool
 * (Cognito's operations, the key set, discovery);
 * ends with a NULL field. Owned by self: destroy self after the endpoint. arg of the handlers is
 * self. */
const store_handler_t *accounts_handlers(const accounts_t *self);

/* Call it whenever the link came up and the migrations are applied: loads the signing keys, or
 * makes the first one, in the background. */
void accounts_on_database_ready(accounts_t *self);

/* The database says that somebody changed the signing keys. */
void accounts_on_keys_changed(accounts_t *self);

/* Are the signing keys there? If not, why (reason may be NULL): "the signing keys are not loaded
 * yet", or that master.key is the wrong one. Sign-in is UNAVAILABLE until then. */
bool accounts_is_ready(const accounts_t *self, char *reason, size_t size);

/* Puts {"iss", "clientId", "jwks"} as "issuer" into the manifest (proto/bus.md 3); nothing while
 * not ready. Cheap enough to be called for each HELLO. */
void accounts_manifest_issuer(const accounts_t *self, json_t *manifest);

/* Fails all calls that are under way (UNAVAILABLE) and takes no more; call it before the endpoint
 * and the link go. */
void accounts_stop(accounts_t *self);

/* After the endpoint and the link were destroyed; the loop must still be there, and is to be run
 * (or destroyed) afterwards: a hash that is being computed is freed when it ends. */
void accounts_destroy(accounts_t **self_p);

#endif
