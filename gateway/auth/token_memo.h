/* gateway/auth/token_memo.h: the credential that a connection showed last. Most show the same with
 * each request, and a comparison costs a tenth of the hash by which the cache of tokens finds it.
 * One owner, the connection; loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_TOKEN_MEMO_H
#define PARLEY_GATEWAY_AUTH_TOKEN_MEMO_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/auth/identity.h"

enum { TOKEN_MEMO_MAX = 2048 /* longer ones are not remembered: there is one for a connection */ };

/* Zeroed at first. */
typedef struct {
    char *text; /* NULL: nothing is remembered */
    size_t size, capacity;
    identity_t *identity;
    uint64_t generation;
} token_memo_t;

/* The identity of the credential if it is the one remembered, verified in that generation of keys
 * and sessions (auth_generation), and not over at now_us; borrowed. NULL otherwise. The time that
 * it takes says nothing about the bytes that are remembered: a proxy may send several clients'
 * requests on one connection. */
identity_t *token_memo_find(const token_memo_t *self,
                            const char *credential,
                            size_t size,
                            uint64_t generation,
                            int64_t now_us);

/* Remembers this one in place of the one before. */
void token_memo_put(token_memo_t *self,
                    const char *credential,
                    size_t size,
                    identity_t *identity,
                    uint64_t generation);

/* Forgets it, and wipes its bytes. */
void token_memo_clear(token_memo_t *self);

#endif
