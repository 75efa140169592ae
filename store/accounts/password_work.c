#include "store/accounts/password_work.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static char *s_copy(const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        abort();
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

new_password_t *
new_password_new(const char *pool, const char *user, const char *password, size_t size)
{
    new_password_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->pool = s_copy(pool, strlen(pool));
    self->user = s_copy(user, strlen(user));
    self->password = s_copy(password, size);
    self->size = size;
    return self;
}

bool new_password_compute(void *work)
{
    new_password_t *self = work;
    srp_name_t name = {.pool = self->pool, .user = self->user};
    if (self->wants_verifier)
        srp_verifier(&name, self->password, self->size, self->salt, self->verifier);
    return !self->wants_hash || hasher_compute(self->password, self->size, self->hash);
}

void new_password_free(void *work)
{
    new_password_t *self = work;
    sodium_memzero(self->password, self->size);
    free(self->password);
    free(self->user);
    free(self->pool);
    sodium_memzero(self, sizeof *self);
    free(self);
}

srp_step_t *srp_step_new(void)
{
    srp_step_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

bool srp_step_public(void *work)
{
    srp_step_t *self = work;
    srp_server_public(self->verifier, self->secret, self->server_public);
    return true;
}

bool srp_step_key(void *work)
{
    srp_step_t *self = work;
    return srp_server_key(self->verifier, self->secret, self->client_public, self->key);
}

void srp_step_free(void *work)
{
    sodium_memzero(work, sizeof(srp_step_t));
    free(work);
}
