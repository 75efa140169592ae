#include "gateway/auth/token_memo.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In steps of 8 bytes, for a difference is looked at in the end only. sodium_memcmp goes byte by
 * byte: as slow as the hash. */
static bool s_is_same(const char *a, const char *b, size_t size)
{
    uint64_t difference = 0, x, y;
    for (; size >= sizeof x; a += sizeof x, b += sizeof y, size -= sizeof x) {
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        difference |= x ^ y;
    }
    x = y = 0;
    memcpy(&x, a, size);
    memcpy(&y, b, size);
    return (difference | (x ^ y)) == 0;
}

identity_t *token_memo_find(const token_memo_t *self,
                            const char *credential,
                            size_t size,
                            uint64_t generation,
                            int64_t now_us)
{
    if (!self->identity || self->size != size || self->generation != generation ||
        identity_expires_at_us(self->identity) <= now_us ||
        !s_is_same(self->text, credential, size))
        return NULL;
    return self->identity;
}

void token_memo_put(token_memo_t *self,
                    const char *credential,
                    size_t size,
                    identity_t *identity,
                    uint64_t generation)
{
    if (size > TOKEN_MEMO_MAX) {
        token_memo_clear(self);
        return;
    }
    if (size > self->capacity) {
        token_memo_clear(self);
        self->text = malloc(size);
        if (!self->text)
            abort();
        self->capacity = size;
    }
    identity_ref(identity);
    identity_unref(&self->identity);
    memcpy(self->text, credential, size);
    self->size = size;
    self->identity = identity;
    self->generation = generation;
}

void token_memo_clear(token_memo_t *self)
{
    if (self->text)
        sodium_memzero(self->text, self->capacity);
    free(self->text);
    identity_unref(&self->identity);
    *self = (token_memo_t){0};
}
