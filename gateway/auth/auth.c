#include "gateway/auth/auth.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/issuer.h"
#include "gateway/auth/jws.h"
#include "gateway/auth/ledger.h"
#include "gateway/auth/token_cache.h"

_Static_assert((int)AUTH_TOKEN_MAX <= (int)JWS_MAX, "a token fits into its codec");

struct auth {
    issuer_t *issuers[AUTH_ISSUERS_MAX];
    size_t issuer_count;
    token_cache_t *cache;
    uint64_t generation;
    uint64_t hits, misses;
    identity_t *api_identity;                           /* NULL: API keys are not in use */
    token_digest_t api_key;                             /* by the cache's key */
    bool (*on_unknown_key)(void *arg, const char *iss); /* or NULL */
    void *unknown_key_arg;
    ledger_t *ledgers[AUTH_ISSUERS_MAX];
    size_t ledger_count;
    bool expects_more; /* services whose issuers and keys are not known yet */
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
    for (size_t i = 0; i < self->ledger_count; i++)
        ledger_destroy(&self->ledgers[i]);
    token_cache_destroy(&self->cache);
    identity_unref(&self->api_identity);
    free(self);
}

void auth_expect(auth_t *self, bool more)
{
    self->expects_more = more;
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

/* Puts the issuer into its place, which may be a new one, or another's that says less. */
static void s_place(auth_t *self, size_t place, issuer_t *fresh)
{
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
        return err_set(err, ERR_CONFIG, "%s%.64s already issues tokens under the same iss",
                       *issuer_service(namesake) ? "service " : "an OpenID Connect issuer",
                       issuer_service(namesake));
    }
    if (place == AUTH_ISSUERS_MAX) {
        issuer_destroy(&fresh);
        return err_set(err, ERR_CONFIG, "more than %d issuers", (int)AUTH_ISSUERS_MAX);
    }
    s_place(self, place, fresh);
    return ERR_OK;
}

/* ---- OpenID Connect issuers ---- */

static size_t s_find_oidc(const auth_t *self, const char *iss)
{
    size_t i = 0;
    while (i < self->issuer_count && (issuer_provider(self->issuers[i]) != IDENTITY_OIDC ||
                                      strcmp(issuer_iss(self->issuers[i]), iss) != 0))
        i++;
    return i;
}

err_code_t auth_add_oidc(
    auth_t *self, const char *iss, const char *audience, const char *handle_claim, err_t *err)
{
    if (s_find_iss(self, iss) || self->issuer_count == AUTH_ISSUERS_MAX)
        return err_set(err, ERR_CONFIG, "issuer %.128s is named twice, or there are too many", iss);
    s_place(self, self->issuer_count, issuer_new_oidc(iss, audience, handle_claim, NULL, err));
    return ERR_OK;
}

err_code_t auth_set_oidc_keys(auth_t *self, const char *iss, const json_t *jwks, err_t *err)
{
    size_t place = s_find_oidc(self, iss);
    err_t local = ERR_INIT;
    if (place == self->issuer_count)
        return err_set(err, ERR_CONFIG, "no such issuer");
    const issuer_t *before = self->issuers[place];
    issuer_t *fresh =
        issuer_new_oidc(iss, issuer_client_id(before), issuer_handle_claim(before), jwks, &local);
    if (!fresh)
        return err_set(err, local.code, "%s", local.text);
    s_place(self, place, fresh);
    return ERR_OK;
}

void auth_on_unknown_key(auth_t *self, bool (*fn)(void *arg, const char *iss), void *arg)
{
    self->on_unknown_key = fn;
    self->unknown_key_arg = arg;
}

bool auth_knows_service(const auth_t *self, const char *service)
{
    return s_find_service(self, service) < self->issuer_count;
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

/* ---- what services say of sessions and keys ---- */

static ledger_t *s_find_ledger(const auth_t *self, const char *service)
{
    for (size_t i = 0; service && i < self->ledger_count; i++)
        if (strcmp(ledger_service(self->ledgers[i]), service) == 0)
            return self->ledgers[i];
    return NULL;
}

bool auth_follow(auth_t *self, const char *service)
{
    if (s_find_ledger(self, service) || self->ledger_count == AUTH_ISSUERS_MAX)
        return false;
    self->ledgers[self->ledger_count++] = ledger_new(service, LEDGER_SESSIONS_MAX);
    return true;
}

const char *auth_followed_to(const auth_t *self, const char *service, uint64_t *seq)
{
    const ledger_t *ledger = s_find_ledger(self, service);
    *seq = ledger_seq(ledger);
    return ledger_epoch(ledger);
}

err_code_t
auth_apply(auth_t *self, const char *service, json_slice_t answer, bool *has_more, err_t *err)
{
    ledger_news_t news;
    ledger_t *ledger = s_find_ledger(self, service);
    err_t local = ERR_INIT;
    if (ledger_apply(ledger, answer, clock_unix_us(), &news, &local))
        return err_set(err, local.code, "%s", local.text);
    *has_more = news.has_more;
    if (news.has_ended)
        self->generation++;
    return ERR_OK;
}

bool auth_is_ready(const auth_t *self, const char **service)
{
    for (size_t i = 0; i < self->ledger_count; i++) {
        *service = ledger_service(self->ledgers[i]);
        if (!ledger_is_known(self->ledgers[i]))
            return false;
    }
    return true;
}

/* ---- objections ---- */

/* What the service that issued it has against the credential. */
static err_code_t s_check_ledger(const auth_t *self, const identity_t *identity, err_t *err)
{
    const ledger_t *ledger = s_find_ledger(self, identity_issuer_service(identity));
    const char *session = identity_session(identity);
    if (!ledger)
        return ERR_OK;
    if (!ledger_is_known(ledger))
        return err_set(err, ERR_UNAVAILABLE, "it is not known yet which sessions have ended");
    if (identity_provider(identity) == IDENTITY_API_KEY && !ledger_keeps_key(ledger, identity))
        return err_set(err, ERR_UNAUTHENTICATED, "the API key was revoked");
    if (session && ledger_has_ended(ledger, session))
        return err_set(err, ERR_UNAUTHENTICATED, "the session has ended");
    return ERR_OK;
}

const char *auth_objection(const auth_t *self, const identity_t *identity)
{
    static const char withdrawn[] = "keys were withdrawn: show the token again";
    const char *iss = identity_iss(identity);
    const issuer_t *issuer = iss ? s_find_iss(self, iss) : NULL;
    err_t err = ERR_INIT;
    if (iss && (!issuer || !issuer_has_key(issuer, identity_key(identity))))
        return withdrawn;
    if (s_check_ledger(self, identity, &err) != ERR_UNAUTHENTICATED)
        return NULL;
    return identity_provider(identity) == IDENTITY_API_KEY ? "the API key was revoked"
                                                           : "the session has ended";
}

/* ---- tokens ---- */

/* May a key that is unknown be known soon? */
static bool s_may_come(const auth_t *self, const issuer_t *issuer)
{
    if (issuer_provider(issuer) != IDENTITY_OIDC)
        return false;
    bool is_coming =
        self->on_unknown_key && self->on_unknown_key(self->unknown_key_arg, issuer_iss(issuer));
    return is_coming || issuer_key_count(issuer) == 0;
}

/* The issuer whose key signed the token, and that key; NULL and a reason. Nothing of the token is
 * believed before this says so. */
static const issuer_t *
s_authenticate(const auth_t *self, const jws_t *jws, const verify_key_t **key_p, err_t *err)
{
    const char *iss = json_string_value(json_object_get(jws->claims, "iss"));
    const issuer_t *issuer = iss ? s_find_iss(self, iss) : NULL;
    const verify_key_t *key = issuer ? issuer_key(issuer, jws->kid) : NULL;
    *key_p = key;
    if (!issuer && iss && self->expects_more)
        err_set(err, ERR_UNAVAILABLE, "the issuer of the token is not known yet");
    else if (!issuer)
        err_set(err, ERR_UNAUTHENTICATED, "the token is of an unknown issuer");
    else if (!key && s_may_come(self, issuer))
        err_set(err, ERR_UNAVAILABLE, "the keys of the token's issuer are not known yet");
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
    const verify_key_t *key;
    const issuer_t *issuer = s_authenticate(self, &jws, &key, err);
    bool is_oidc = issuer && issuer_provider(issuer) == IDENTITY_OIDC;
    if (issuer && (is_oidc ? claims_check_oidc : claims_check)(jws.claims, issuer_client_id(issuer),
                                                               now_us, err) == ERR_OK) {
        claims_source_t source = {.provider = issuer_provider(issuer),
                                  .service = is_oidc ? NULL : issuer_service(issuer),
                                  .handle_claim = issuer_handle_claim(issuer),
                                  .key = verify_key_print(key)};
        identity = claims_identity(jws.claims, &source, err);
    }
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
    return !memchr(at, ' ', *size) && !memchr(at, '\t', *size);
}

/* The token is genuine; does it still count? Takes the identity. */
static err_code_t
s_admit(const auth_t *self, identity_t *genuine, identity_t **identity, err_t *err)
{
    err_t local = ERR_INIT;
    if (s_check_ledger(self, genuine, &local)) {
        identity_unref(&genuine);
        return err_set(err, local.code, "%s", local.text);
    }
    *identity = genuine;
    return ERR_OK;
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
        return s_admit(self, identity_ref(known), identity, err);
    }
    self->misses++;
    if (!auth_has_issuer(self))
        return err_set(err, ERR_UNAVAILABLE, "no keys to verify tokens with are known yet");
    err_t local = ERR_INIT;
    identity_t *fresh = s_verify(self, token, size, now_us, &local);
    if (!fresh)
        return err_set(err, local.code, "%s", local.text);
    if (identity_expires_at_us(fresh) > now_us)
        token_cache_put(self->cache, &digest, fresh);
    return s_admit(self, fresh, identity, err);
}

err_code_t auth_verify_again(auth_t *self,
                             token_memo_t *memo,
                             const char *credential,
                             size_t size,
                             identity_t **identity,
                             err_t *err)
{
    identity_t *known = token_memo_find(memo, credential, size, self->generation, clock_unix_us());
    if (known) {
        self->hits++;
        return s_admit(self, identity_ref(known), identity, err);
    }
    err_code_t code = auth_verify(self, credential, size, identity, err);
    if (code)
        token_memo_clear(memo);
    else
        token_memo_put(memo, credential, size, *identity, self->generation);
    return code;
}

/* ---- API keys ---- */

/* The operator's own. */
static bool s_is_own_key(const auth_t *self, const char *key, size_t size)
{
    token_digest_t digest = token_cache_digest(self->cache, key, size);
    return self->api_identity &&
           sodium_memcmp(digest.bytes, self->api_key.bytes, sizeof digest.bytes) == 0;
}

/* One of a service; NULL if there is none. */
static identity_t *s_find_key(const auth_t *self, const char *key, size_t size)
{
    uint8_t hash[LEDGER_HASH_SIZE];
    identity_t *identity = NULL;
    crypto_hash_sha256(hash, (const uint8_t *)key, size);
    for (size_t i = 0; !identity && i < self->ledger_count; i++)
        identity = ledger_key(self->ledgers[i], hash, clock_unix_us());
    return identity;
}

err_code_t
auth_verify_api_key(auth_t *self, const char *key, size_t size, identity_t **identity, err_t *err)
{
    const char *unknown;
    *identity = NULL;
    if (!self->api_identity && self->ledger_count == 0 && !self->expects_more)
        return err_set(err, ERR_UNAUTHENTICATED, "API keys are not in use");
    if (size > AUTH_TOKEN_MAX)
        return err_set(err, ERR_UNAUTHENTICATED, "the API key is wrong");
    identity_t *found = s_is_own_key(self, key, size) ? self->api_identity : NULL;
    if (!found)
        found = s_find_key(self, key, size);
    if (!found && (self->expects_more || !auth_is_ready(self, &unknown)))
        return err_set(err, ERR_UNAVAILABLE, "the API keys are not known yet");
    if (!found)
        return err_set(err, ERR_UNAUTHENTICATED, "the API key is wrong");
    *identity = identity_ref(found);
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
