/* gateway/auth/identity.h: who asks. Immutable and counted: the cache of tokens, requests and
 * connections share one. Loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_IDENTITY_H
#define PARLEY_GATEWAY_AUTH_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"

typedef enum {
    IDENTITY_USER_POOL, /* a token of a service on the bus */
    IDENTITY_OIDC,      /* a token of an OpenID Connect issuer */
    IDENTITY_API_KEY,
} identity_provider_t;

/* What an identity is made of; all borrowed for identity_new. */
typedef struct {
    identity_provider_t provider;
    const char *handle;
    const char *sub;
    const char *issuer_service; /* the service that issued the token; NULL if none did */
    const char *iss;            /* claim iss of the token; NULL if there was none */
    uint64_t key;               /* verify_key_print of the key that vouched for it; 0: none did */
    const json_t *groups;       /* list of strings, or NULL: none */
    const json_t *claims;       /* map, or NULL: none */
    int64_t expires_at_us;      /* Unix time; 0: never */
    bool is_read_only;          /* a credential that lets its bearer change nothing */
} identity_spec_t;

typedef struct identity identity_t;

/* The caller holds the one reference. The strings are valid UTF-8. Never NULL. */
identity_t *identity_new(const identity_spec_t *spec);

/* One more reference; returns self. */
identity_t *identity_ref(identity_t *self);

/* Gives one reference back and leaves NULL; the last one frees. Accepts NULL in *self_p. */
void identity_unref(identity_t **self_p);

identity_provider_t identity_provider(const identity_t *self);
/* "user-pool", "oidc" or "api-key". */
const char *identity_provider_name(const identity_t *self);
const char *identity_handle(const identity_t *self);
const char *identity_sub(const identity_t *self);
bool identity_in_group(const identity_t *self, const char *group);
/* Does the credential let its bearer change nothing? */
bool identity_is_read_only(const identity_t *self);
/* The session that the token belongs to (its claim `session`), or NULL. */
const char *identity_session(const identity_t *self);

/* The issuer by its claim, or NULL; and the key that vouched for the token, or 0. */
const char *identity_iss(const identity_t *self);
uint64_t identity_key(const identity_t *self);
/* The service that issued the credential, or NULL. */
const char *identity_issuer_service(const identity_t *self);

/* When the credential ends, Unix time in microseconds; 0: never. Who keeps an identity longer than
 * a request (a WebSocket, an event stream) looks at this and asks auth_objection. */
int64_t identity_expires_at_us(const identity_t *self);

/* The identity of proto/bus.md 4.1 as JSON text, printed once. It has claims only for the service
 * that issued the token. Lives as long as self. */
json_slice_t identity_json(const identity_t *self, const char *service);

/* Two identities with the same key have the same rights everywhere (same provider and issuer,
 * handle, sub and groups), whatever token they came by. NUL-terminated; lives as long as self. */
const char *identity_rights_key(const identity_t *self);

#endif
