/* gateway/auth/token_cache.h: verified tokens and whom they name, so that a known token costs a
 * hash instead of a signature. Bounded; the one unused for longest goes first. Loop thread only.
 *
 * A token is known by a 256-bit BLAKE2b under a random key of the process: nobody can make two that
 * collide, and the cache holds no token that a memory dump would give away. */
#ifndef PARLEY_GATEWAY_AUTH_TOKEN_CACHE_H
#define PARLEY_GATEWAY_AUTH_TOKEN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/auth/identity.h"

enum { TOKEN_DIGEST_SIZE = 32 };

typedef struct {
    uint8_t bytes[TOKEN_DIGEST_SIZE];
} token_digest_t;

typedef struct token_cache token_cache_t;

/* Holds at most limit (≥ 1) tokens. Never NULL. */
token_cache_t *token_cache_new(size_t limit);
void token_cache_destroy(token_cache_t **self_p);

/* What the other functions know the token by. */
token_digest_t token_cache_digest(const token_cache_t *self, const char *token, size_t size);

/* Borrowed until the next call; NULL if it is unknown or expired by now_us (Unix time), which also
 * forgets it. */
identity_t *token_cache_find(token_cache_t *self, const token_digest_t *digest, int64_t now_us);

/* Remembers a token that is not known yet; takes a reference of its own. */
void token_cache_put(token_cache_t *self, const token_digest_t *digest, identity_t *identity);

/* Forgets everything. */
void token_cache_clear(token_cache_t *self);

size_t token_cache_size(const token_cache_t *self);
uint64_t token_cache_evictions(const token_cache_t *self);

#endif
