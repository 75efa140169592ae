#include "gateway/auth/issuer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/auth.h"

struct issuer {
    char *service;
    json_t *spec; /* as announced; owns the strings below */
    const char *iss;
    const char *client_id;
    identity_provider_t provider;
    const char *handle_claim;
    verify_key_t *keys[AUTH_KEYS_PER_ISSUER];
    size_t key_count;
};

static const char *s_text(const json_t *spec, const char *name, err_t *err)
{
    const char *text = json_string_value(json_object_get(spec, name));
    if (text && *text)
        return text;
    err_set(err, ERR_CONFIG, "issuer.%s must be a string that is not empty", name);
    return NULL;
}

static err_code_t s_add_key(issuer_t *self, const json_t *jwk, err_t *err)
{
    verify_key_t *key = NULL;
    if (verify_key_from_jwk(jwk, &key, err) != ERR_OK || !key)
        return err->code;
    if (issuer_key(self, verify_key_kid(key)))
        err_set(err, ERR_CONFIG, "two keys are called %.64s", verify_key_kid(key));
    else if (self->key_count == AUTH_KEYS_PER_ISSUER)
        err_set(err, ERR_CONFIG, "more than %d keys", (int)AUTH_KEYS_PER_ISSUER);
    else
        self->keys[self->key_count++] = key;
    if (err->code)
        verify_key_destroy(&key);
    return err->code;
}

issuer_t *issuer_new(const char *service, const json_t *spec, err_t *err)
{
    issuer_t *self = calloc(1, sizeof *self);
    if (!self || !(self->service = strdup(service)) || !(self->spec = json_deep_copy(spec)))
        abort();
    self->iss = s_text(self->spec, "iss", err);
    self->client_id = s_text(self->spec, "clientId", err);
    const json_t *keys = json_object_get(json_object_get(self->spec, "jwks"), "keys");
    if (!err->code && !json_is_array(keys))
        err_set(err, ERR_CONFIG, "issuer.jwks.keys must be a list");
    for (size_t i = 0; !err->code && i < json_array_size(keys); i++)
        s_add_key(self, json_array_get(keys, i), err);
    if (err->code)
        issuer_destroy(&self);
    return self;
}

issuer_t *issuer_new_oidc(
    const char *iss, const char *audience, const char *handle_claim, const json_t *jwks, err_t *err)
{
    issuer_t *self = calloc(1, sizeof *self);
    if (!self || !(self->service = strdup("")))
        abort();
    self->provider = IDENTITY_OIDC;
    self->spec = json_pack("{s:s, s:s*, s:s*, s:O*}", "iss", iss, "clientId", audience, "handle",
                           handle_claim, "jwks", (json_t *)(uintptr_t)jwks);
    if (!self->spec)
        abort();
    self->iss = json_string_value(json_object_get(self->spec, "iss"));
    self->client_id = json_string_value(json_object_get(self->spec, "clientId"));
    self->handle_claim = json_string_value(json_object_get(self->spec, "handle"));
    const json_t *keys = json_object_get(jwks, "keys");
    if (jwks && !json_is_array(keys)) {
        err_set(err, ERR_CONFIG, "its answer is no set of keys");
        issuer_destroy(&self);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(keys) && self->key_count < AUTH_KEYS_PER_ISSUER; i++) {
        err_t broken = ERR_INIT;
        s_add_key(self, json_array_get(keys, i), &broken);
    }
    return self;
}

void issuer_destroy(issuer_t **self_p)
{
    issuer_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->key_count; i++)
        verify_key_destroy(&self->keys[i]);
    json_decref(self->spec);
    free(self->service);
    free(self);
}

const char *issuer_service(const issuer_t *self)
{
    return self->service;
}

const char *issuer_iss(const issuer_t *self)
{
    return self->iss;
}

const char *issuer_client_id(const issuer_t *self)
{
    return self->client_id;
}

const char *issuer_handle_claim(const issuer_t *self)
{
    return self->handle_claim;
}

identity_provider_t issuer_provider(const issuer_t *self)
{
    return self->provider;
}

const verify_key_t *issuer_key(const issuer_t *self, const char *kid)
{
    for (size_t i = 0; i < self->key_count; i++)
        if (strcmp(verify_key_kid(self->keys[i]), kid) == 0)
            return self->keys[i];
    return NULL;
}

bool issuer_has_key(const issuer_t *self, uint64_t print)
{
    for (size_t i = 0; i < self->key_count; i++)
        if (verify_key_print(self->keys[i]) == print)
            return true;
    return false;
}

size_t issuer_key_count(const issuer_t *self)
{
    return self->key_count;
}

bool issuer_is(const issuer_t *self, const json_t *spec)
{
    return json_equal(self->spec, spec);
}

static const json_t *s_jwk(const issuer_t *self, const char *kid)
{
    const json_t *keys = json_object_get(json_object_get(self->spec, "jwks"), "keys");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *jwk = json_array_get(keys, i);
        const char *name = json_string_value(json_object_get(jwk, "kid"));
        if (name && strcmp(name, kid) == 0)
            return jwk;
    }
    return NULL;
}

static bool s_is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool issuer_keeps(const issuer_t *self, const issuer_t *before)
{
    if (strcmp(self->iss, before->iss) != 0 || !s_is_same(self->client_id, before->client_id))
        return false;
    for (size_t i = 0; i < before->key_count; i++) {
        const char *kid = verify_key_kid(before->keys[i]);
        if (!issuer_key(self, kid) || !json_equal(s_jwk(self, kid), s_jwk(before, kid)))
            return false;
    }
    return true;
}
