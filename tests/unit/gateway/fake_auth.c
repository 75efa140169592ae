/* Credentials without cryptography, for tests of the fronts: the token "alice:1800000100" is
 * alice's until that Unix second, "alice/admin:1800000100" says that she is in a group, of "away:0"
 * nobody can say now whose it is; the API key is "key". Stands in for gateway/auth/auth.c when
 * linked before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_bus.h"
#include "gateway/auth/auth.h"

struct auth {
    uint64_t generation;
};

auth_t *auth_new(const auth_options_t *options)
{
    (void)options;
    return calloc(1, sizeof(auth_t));
}

void auth_destroy(auth_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

err_code_t
auth_verify(auth_t *self, const char *credential, size_t size, identity_t **identity, err_t *err)
{
    char handle[32];
    long long until_s;
    (void)self;
    (void)size;
    if (sscanf(credential, "%31[^:]:%lld", handle, &until_s) != 2)
        return err_set(err, ERR_UNAUTHENTICATED, "the token is malformed");
    if (!strcmp(handle, "away"))
        return err_set(err, ERR_UNAVAILABLE, "the issuer's keys are not known yet");
    char *group = strchr(handle, '/');
    if (group)
        *group++ = '\0';
    json_t *groups = group ? json_pack("[s]", group) : NULL;
    identity_spec_t spec = {.provider = IDENTITY_USER_POOL,
                            .handle = handle,
                            .sub = handle,
                            .groups = groups,
                            .expires_at_us = until_s * 1000000};
    *identity = identity_new(&spec);
    json_decref(groups);
    return ERR_OK;
}

err_code_t auth_verify_again(auth_t *self,
                             token_memo_t *memo,
                             const char *credential,
                             size_t size,
                             identity_t **identity,
                             err_t *err)
{
    (void)memo;
    return auth_verify(self, credential, size, identity, err);
}

err_code_t
auth_verify_api_key(auth_t *self, const char *key, size_t size, identity_t **identity, err_t *err)
{
    (void)self;
    (void)size;
    if (strcmp(key, "key") != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "the API key is wrong");
    identity_spec_t spec = {.provider = IDENTITY_API_KEY, .handle = "apikey", .sub = "apikey"};
    *identity = identity_new(&spec);
    return ERR_OK;
}

uint64_t auth_generation(const auth_t *self)
{
    return self->generation;
}

const char *auth_objection(const auth_t *self, const identity_t *identity)
{
    return self->generation == 0 || identity_provider(identity) == IDENTITY_API_KEY
               ? NULL
               : "keys were withdrawn: show the token again";
}

void fake_auth_withdraw(auth_t *self)
{
    self->generation++;
}
