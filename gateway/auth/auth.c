#include "gateway/auth/auth.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/issuer.h"
#include "gateway/auth/jws.h"
#include "gateway/auth/token_cache.h"

_Static_assert((int)AUTH_TOKEN_MAX <= (int)JWS_MAX, "a token fits into its codec");

struct auth {
    issuer_t *issuers[AUTH_ISSUERS_MAX];
    size_t issuer_count;
    token_cache_t *cache;
    uint64_t generation;
    uint64_t hits, misses;
    identity_t *api_identity; /* NULL: API keys are not in use */
    token_digest_t api_key;   /* by the cache's key */
};

auth_t *auth_new(const auth_options_t *options)
{
    auth_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->cache =
        token_cache_new(options->cache_entries ? options->cache_entries : AUTH_CACHE_ENTRIES);
    if (options->api_key && *options->api_key) {
        identity_spec_t spec = {.provider = IDENTITY_API_KEY, .handle = "apikey", .sub = "apikey"};
        self->api_identity = identity_new(&spec);
        self->api_key = token_cache_digest(self->cache, options->api_key, strlen(options->api_key));
    }
    return self;
}

void auth_destroy(auth_t **self_p)
{
    auth_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->issuer_count; i++)
        issuer_destroy(&self->issuers[i]);
    token_cache_destroy(&self->cache);
    identity_unref(&self->api_identity);
    free(self);
}

/* ---- issuers ---- */

/* The place of the service's issuer, or issuer_count. */
static size_t s_find_service(const auth_t *self, const char *service)
{
    size_t i = 0;
    while (i < self->issuer_count && strcmp(issuer_service(self->issuers[i]), service) != 0)
        i++;
    return i;
}

static const issuer_t *s_find_iss(const auth_t *self, const char *iss)
{
    for (size_t i = 0; i < self->issuer_count; i++)
        if (strcmp(issuer_iss(self->issuers[i]), iss) == 0)
            return self->issuers[i];
    return NULL;
}

/* What was verified before may not stand any more. */
static void s_forget_tokens(auth_t *self)
{
    token_cache_clear(self->cache);
    self->generation++;
}

err_code_t auth_set_issuer(auth_t *self, const char *service, const json_t *spec, err_t *err)
{
    size_t place = s_find_service(self, service);
    if (!spec || json_is_null(spec))
        return ERR_OK;
    if (place < self->issuer_count && issuer_is(self->issuers[place], spec))
        return ERR_OK;
    err_t local = ERR_INIT;
    issuer_t *fresh = issuer_new(service, spec, &local);
    if (!fresh)
        return err_set(err, local.code, "%s", local.text);
    const issuer_t *namesake = s_find_iss(self, issuer_iss(fresh));
    if (namesake && strcmp(issuer_service(namesake), service) != 0) {
        issuer_destroy(&fresh);
        return err_set(err, ERR_CONFIG, "service %.64s already issues tokens under the same iss",
                       issuer_service(namesake));
    }
    if (place == AUTH_ISSUERS_MAX) {
        issuer_destroy(&fresh);
        return err_set(err, ERR_CONFIG, "more than %d issuers", (int)AUTH_ISSUERS_MAX);
    }
    bool is_harmless = true; /* a first issuer, or one that only got keys */
    if (place < self->issuer_count) {
        is_harmless = issuer_keeps(fresh, self->issuers[place]);
        issuer_destroy(&self->issuers[place]);
    } else {
        self->issuer_count++;
    }
    self->issuers[place] = fresh;
    if (!is_harmless)
        s_forget_tokens(self);
    return ERR_OK;
}

bool auth_has_issuer(const auth_t *self)
{
    for (size_t i = 0; i < self->issuer_count; i++)
        if (issuer_key_count(self->issuers[i]) > 0)
            return true;
    return false;
}

uint64_t auth_generation(const auth_t *self)
{
    return self->generation;
}

/* ---- tokens ---- */

/* The issuer whose key signed the token; NULL and a reason. Nothing of the token is believed before
 * this says so. */
static const issuer_t *s_authenticate(const auth_t *self, const jws_t *jws, err_t *err)
{
    const char *iss = json_string_value(json_object_get(jws->claims, "iss"));
    const issuer_t *issuer = iss ? s_find_iss(self, iss) : NULL;
    const verify_key_t *key = issuer ? issuer_key(issuer, jws->kid) : NULL;
    if (!issuer)
        err_set(err, ERR_UNAUTHENTICATED, "the token is of an unknown issuer");
    else if (!key)
        err_set(err, ERR_UNAUTHENTICATED, "the token is signed with an unknown key");
    else if (strcmp(jws->algorithm, verify_key_algorithm(key)) != 0)
        err_set(err, ERR_UNAUTHENTICATED, "the token's algorithm is not its key's");
    else if (!verify_key_check(key, jws->signed_text, jws->signed_size, jws->signature,
                               jws->signature_size))
        err_set(err, ERR_UNAUTHENTICATED, "the token's signature is wrong");
    else
        return issuer;
    return NULL;
}

static identity_t *
s_verify(const auth_t *self, const char *token, size_t size, int64_t now_us, err_t *err)
{
    jws_t jws;
    identity_t *identity = NULL;
    if (jws_parse(&jws, token, size, err) != ERR_OK)
        return NULL;
    const issuer_t *issuer = s_authenticate(self, &jws, err);
    if (issuer && claims_check(jws.claims, issuer_client_id(issuer), now_us, err) == ERR_OK)
        identity =
            claims_identity(jws.claims, issuer_provider(issuer), issuer_service(issuer), err);
    jws_free(&jws);
    return identity;
}

static bool s_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The token without the scheme and blanks around it; false if another scheme is there. */
static bool s_strip(const char **text, size_t *size)
{
    const char *at = *text, *end = *text + *size;
    while (at < end && s_is_blank(*at))
        at++;
    while (at < end && s_is_blank(end[-1]))
        end--;
    if (end - at > 6 && strncasecmp(at, "Bearer", 6) == 0 && s_is_blank(at[6])) {
        at += 7;
        while (at < end && s_is_blank(*at))
            at++;
    }
    *text = at;
    *size = (size_t)(end - at);
    for (; at < end; at++)
        if (s_is_blank(*at))
            return false;
    return true;
}

err_code_t
auth_verify(auth_t *self, const char *credential, size_t size, identity_t **identity, err_t *err)
{
    *identity = NULL;
    if (size > AUTH_TOKEN_MAX)
        return err_set(err, ERR_UNAUTHENTICATED, "the token is too long");
    const char *token = credential;
    if (!s_strip(&token, &size))
        return err_set(err, ERR_UNAUTHENTICATED, "only bearer tokens are accepted");
    if (size == 0)
        return err_set(err, ERR_UNAUTHENTICATED, "the token is empty");
    int64_t now_us = clock_unix_us();
    token_digest_t digest = token_cache_digest(self->cache, token, size);
    identity_t *known = token_cache_find(self->cache, &digest, now_us);
    if (known) {
        self->hits++;
        *identity = identity_ref(known);
        return ERR_OK;
    }
    self->misses++;
    if (!auth_has_issuer(self))
        return err_set(err, ERR_UNAVAILABLE, "no keys to verify tokens with are known yet");
    err_t local = ERR_INIT;
    *identity = s_verify(self, token, size, now_us, &local);
    if (!*identity)
        return err_set(err, local.code, "%s", local.text);
    if (identity_expires_at_us(*identity) > now_us)
        token_cache_put(self->cache, &digest, *identity);
    return ERR_OK;
}

err_code_t
auth_verify_api_key(auth_t *self, const char *key, size_t size, identity_t **identity, err_t *err)
{
    *identity = NULL;
    if (!self->api_identity)
        return err_set(err, ERR_UNAUTHENTICATED, "API keys are not in use");
    if (size > AUTH_TOKEN_MAX)
        return err_set(err, ERR_UNAUTHENTICATED, "the API key is wrong");
    token_digest_t digest = token_cache_digest(self->cache, key, size);
    if (sodium_memcmp(digest.bytes, self->api_key.bytes, sizeof digest.bytes) != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "the API key is wrong");
    *identity = identity_ref(self->api_identity);
    return ERR_OK;
}

auth_stats_t auth_stats(const auth_t *self)
{
    return (auth_stats_t){
        .entries = token_cache_size(self->cache),
        .hits = self->hits,
        .misses = self->misses,
        .evictions = token_cache_evictions(self->cache),
    };
}
