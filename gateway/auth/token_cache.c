#include "gateway/auth/token_cache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* The key is a keyed hash already: any part of it is as good as a hash. */
#define HASH_FUNCTION(key, key_size, hash) memcpy(&(hash), (key), sizeof(hash))
#include <uthash.h>

typedef struct {
    token_digest_t digest;
    identity_t *identity;
    UT_hash_handle hh; /* its order is the order of use, the oldest first */
} entry_t;

struct token_cache {
    entry_t *entries;
    size_t limit;
    uint64_t evictions;
    uint8_t key[crypto_generichash_KEYBYTES];
};

token_cache_t *token_cache_new(size_t limit)
{
    token_cache_t *self = calloc(1, sizeof *self);
    if (!self || sodium_init() < 0)
        abort();
    self->limit = limit;
    randombytes_buf(self->key, sizeof self->key);
    return self;
}

static void s_forget(token_cache_t *self, entry_t *entry)
{
    HASH_DEL(self->entries, entry);
    identity_unref(&entry->identity);
    free(entry);
}

void token_cache_clear(token_cache_t *self)
{
    entry_t *entry, *next;
    HASH_ITER(hh, self->entries, entry, next)
    {
        s_forget(self, entry);
    }
}

void token_cache_destroy(token_cache_t **self_p)
{
    token_cache_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    token_cache_clear(self);
    sodium_memzero(self, sizeof *self);
    free(self);
}

token_digest_t token_cache_digest(const token_cache_t *self, const char *token, size_t size)
{
    token_digest_t digest;
    crypto_generichash(digest.bytes, sizeof digest.bytes, (const uint8_t *)token, size, self->key,
                       sizeof self->key);
    return digest;
}

identity_t *token_cache_find(token_cache_t *self, const token_digest_t *digest, int64_t now_us)
{
    entry_t *entry;
    HASH_FIND(hh, self->entries, digest, sizeof *digest, entry);
    if (!entry)
        return NULL;
    if (identity_expires_at_us(entry->identity) <= now_us) {
        s_forget(self, entry);
        return NULL;
    }
    if (entry->hh.next) { /* now the youngest */
        HASH_DEL(self->entries, entry);
        HASH_ADD(hh, self->entries, digest, sizeof entry->digest, entry);
    }
    return entry->identity;
}

void token_cache_put(token_cache_t *self, const token_digest_t *digest, identity_t *identity)
{
    if (HASH_COUNT(self->entries) >= self->limit) {
        s_forget(self, self->entries);
        self->evictions++;
    }
    entry_t *entry = calloc(1, sizeof *entry);
    if (!entry)
        abort();
    entry->digest = *digest;
    entry->identity = identity_ref(identity);
    HASH_ADD(hh, self->entries, digest, sizeof entry->digest, entry);
}

size_t token_cache_size(const token_cache_t *self)
{
    return HASH_COUNT(self->entries);
}

uint64_t token_cache_evictions(const token_cache_t *self)
{
    return self->evictions;
}
