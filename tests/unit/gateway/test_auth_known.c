/* gateway/auth: what it keeps: verified tokens, the one of a connection, issuers and their keys, an
 * API key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "token_maker.h"

static void test_cache(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 2);
    char *a = strdup(maker_token("{\"jti\":\"a\"}")), *b = strdup(maker_token("{\"jti\":\"b\"}"));
    char *c = strdup(maker_token("{\"jti\":\"c\"}"));
    maker_accept(auth, a);
    assert_int_equal(auth_stats(auth).misses, 1);
    maker_accept(auth, a);
    char bearer[TEXT_MAX];
    snprintf(bearer, sizeof bearer, "Bearer %s", a);
    maker_accept(auth, bearer);
    assert_int_equal(auth_stats(auth).hits, 2);
    maker_accept(auth, b);
    maker_accept(auth, a); /* used: b is the oldest now */
    maker_accept(auth, c);
    assert_int_equal(auth_stats(auth).entries, 2);
    assert_int_equal(auth_stats(auth).evictions, 1);
    uint64_t hits = auth_stats(auth).hits;
    maker_accept(auth, a);
    maker_accept(auth, c);
    assert_int_equal(auth_stats(auth).hits, hits + 2);
    maker_accept(auth, b);
    assert_int_equal(auth_stats(auth).hits, hits + 2);
    /* Refused tokens are not kept. */
    maker_refuse(auth, "x.y.z", "malformed");
    assert_int_equal(auth_stats(auth).entries, 2);
    free(a);
    free(b);
    free(c);
    auth_destroy(&auth);
}

static void test_cache_expiry(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *token = strdup(maker_token("{\"exp\":1800000010}"));
    maker_accept(auth, token);
    clock_test_set((NOW_S + 9) * 1000000, 0);
    maker_accept(auth, token);
    assert_int_equal(auth_stats(auth).hits, 1);
    clock_test_set((NOW_S + 10) * 1000000, 0); /* verified anew: the leeway still lets it pass */
    maker_accept(auth, token);
    assert_int_equal(auth_stats(auth).hits, 1);
    assert_int_equal(auth_stats(auth).entries, 0);
    clock_test_set((NOW_S + 40) * 1000000, 0);
    maker_refuse(auth, token, "expired");
    clock_test_set(NOW_S * 1000000, 0);
    free(token);
    auth_destroy(&auth);
}

static void s_set(auth_t *auth, const char *service, json_t *issuer, err_code_t expected)
{
    err_t err = ERR_INIT;
    assert_int_equal(auth_set_issuer(auth, service, issuer, &err), expected);
    assert_int_equal(err.code, expected);
    json_decref(issuer);
}

/* A good token of more than so many bytes; to be freed. */
static char *s_long_token(size_t size)
{
    char changes[TEXT_MAX];
    snprintf(changes, sizeof changes, "{\"padding\":\"%0*d\"}", (int)size, 0);
    char *token = strdup(maker_token(changes));
    assert_true(strlen(token) > size);
    return token;
}

static err_code_t s_show(auth_t *auth, token_memo_t *memo, const char *credential, const char **who)
{
    static char handle[100];
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    err_code_t code =
        auth_verify_again(auth, memo, credential, strlen(credential), &identity, &err);
    snprintf(handle, sizeof handle, "%s", identity ? identity_handle(identity) : "");
    *who = handle;
    identity_unref(&identity);
    return code;
}

/* A connection's credential is recognized by comparison, and only while it would be taken anew. */
static void test_memo(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    token_memo_t memo = {0};
    const char *who;
    char *ada = strdup(maker_token("{\"username\":\"ada\",\"exp\":1800000010}"));
    char *bob = strdup(maker_token("{\"username\":\"bob\",\"exp\":1800000010}"));
    char *long_one = s_long_token(TOKEN_MEMO_MAX);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
        assert_string_equal(who, "ada");
        assert_true(memo.identity && memo.size == strlen(ada));
    }
    assert_int_equal(auth_stats(auth).misses, 1);
    assert_int_equal(auth_stats(auth).hits, 2);
    /* Another one of the same length, and one that differs in its last byte or its length only. */
    assert_int_equal(strlen(ada), strlen(bob));
    assert_int_equal(s_show(auth, &memo, bob, &who), ERR_OK);
    assert_string_equal(who, "bob");
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
    assert_string_equal(who, "ada");
    for (size_t i = 0; i < strlen(ada); i += 7) {
        char kept = ada[i];
        assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
        ada[i] = kept == 'A' ? 'Q' : 'A';
        assert_int_equal(s_show(auth, &memo, ada, &who), ERR_UNAUTHENTICATED);
        assert_null(memo.identity);
        ada[i] = kept;
    }
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
    assert_int_equal(s_show(auth, &memo, long_one, &who), ERR_OK);
    assert_null(memo.identity);
    /* Keys go: what was good before is looked at again. */
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_other_key, "k9"), NULL), ERR_OK);
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_UNAUTHENTICATED);
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL), ERR_OK);
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_OK);
    clock_test_set((NOW_S + 41) * 1000000, 0);
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_UNAUTHENTICATED);
    clock_test_set(NOW_S * 1000000, 0);
    token_memo_clear(&memo);
    free(ada);
    free(bob);
    free(long_one);
    auth_destroy(&auth);
}

static void test_key_rotation(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *old = strdup(maker_token(NULL));
    maker_accept(auth, old);
    uint64_t generation = auth_generation(auth);
    /* The same again, and another key beside it: nothing is forgotten. */
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL), ERR_OK);
    s_set(auth, "store",
          maker_issuer(ISS, maker_jwk(maker_other_key, "k2"), maker_jwk(maker_key, "k1")), ERR_OK);
    assert_int_equal(auth_stats(auth).entries, 1);
    assert_int_equal(auth_generation(auth), generation);
    maker_accept(auth, maker_craft("{\"alg\":\"ES256\",\"kid\":\"k2\"}", maker_claims(NULL),
                                   maker_other_key));
    /* The old key goes, and with it what it vouched for. */
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_other_key, "k2"), NULL), ERR_OK);
    assert_int_equal(auth_stats(auth).entries, 0);
    assert_int_not_equal(auth_generation(auth), generation);
    maker_refuse(auth, old, "unknown key");
    /* Another key under a known name is another key. */
    char *by_other = strdup(
        maker_craft("{\"alg\":\"ES256\",\"kid\":\"k2\"}", maker_claims(NULL), maker_other_key));
    maker_accept(auth, by_other);
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k2"), NULL), ERR_OK);
    maker_refuse(auth, by_other, "signature");
    free(by_other);
    free(old);
    auth_destroy(&auth);
}

static void test_issuers(void **state)
{
    (void)state;
    auth_options_t options = {0};
    auth_t *auth = auth_new(&options);
    char *token = strdup(maker_token(NULL));
    assert_false(auth_has_issuer(auth));
    maker_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    s_set(auth, "store",
          json_pack("{s:s, s:s, s:{s:[]}}", "iss", ISS, "clientId", CLIENT, "jwks", "keys"),
          ERR_OK);
    maker_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL), ERR_OK);
    assert_true(auth_has_issuer(auth));
    maker_accept(auth, token);
    /* A stranger's may be good when all services have spoken, and not before. */
    char *stranger = strdup(maker_token("{\"iss\":\"https://elsewhere.example\"}"));
    maker_refuse(auth, stranger, "unknown issuer");
    auth_expect(auth, true);
    maker_refuse_sized(auth, stranger, strlen(stranger), ERR_UNAVAILABLE, "not known yet");
    maker_accept(auth, token);
    maker_refuse(auth, "rubbish", "malformed");
    auth_expect(auth, false);
    maker_refuse(auth, stranger, "unknown issuer");
    free(stranger);
    /* Another service cannot take the name over. */
    s_set(auth, "evil", maker_issuer(ISS, maker_jwk(maker_other_key, "k1"), NULL), ERR_CONFIG);
    maker_accept(auth, token);
    /* Broken ones change nothing. */
    s_set(auth, "store", json_pack("{}"), ERR_CONFIG);
    s_set(auth, "store", json_pack("{s:s, s:s}", "iss", ISS, "clientId", CLIENT), ERR_CONFIG);
    s_set(auth, "store",
          maker_issuer(ISS, maker_jwk(maker_key, "k1"), maker_jwk(maker_other_key, "k1")),
          ERR_CONFIG);
    json_t *no_client = maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL);
    json_object_set_new(no_client, "clientId", json_string(""));
    s_set(auth, "store", no_client, ERR_CONFIG);
    maker_accept(auth, token);
    /* Nor does one that says nothing yet; an empty set takes the keys away. */
    s_set(auth, "store", NULL, ERR_OK);
    maker_accept(auth, token);
    assert_int_equal(auth_generation(auth), 0);
    json_t *empty = maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL);
    json_array_clear(json_object_get(json_object_get(empty, "jwks"), "keys"));
    s_set(auth, "store", empty, ERR_OK);
    assert_int_equal(auth_generation(auth), 1);
    assert_false(auth_has_issuer(auth));
    maker_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    free(token);
    auth_destroy(&auth);
}

static void test_jwks(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    /* Passed over: other types, curves, purposes. */
    static const char *const others[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"x\"}",
        "{\"kty\":\"AKP\",\"kid\":\"x\"}",
        "{\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"kid\":\"x\"}",
        "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"HS256\",\"kid\":\"x\"}",
        NULL};
    for (const char *const *jwk = others; *jwk; jwk++)
        s_set(auth, "store",
              maker_issuer(ISS, maker_jwk(maker_key, "k1"), json_loads(*jwk, 0, NULL)), ERR_OK);
    static const char *const broken[] = {
        "[]", "{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"x\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"x\",\"x\":\"AA\"}",
        "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        /* Not on the curve. */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"x\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAE\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
        NULL};
    for (const char *const *jwk = broken; *jwk; jwk++)
        s_set(auth, "store",
              maker_issuer(ISS, maker_jwk(maker_key, "k1"), json_loads(*jwk, 0, NULL)), ERR_CONFIG);
    json_t *jwk = maker_jwk(maker_other_key, "x");
    json_object_set_new(jwk, "d", json_string("AAAA")); /* a private key on the bus */
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k1"), jwk), ERR_CONFIG);
    jwk = maker_jwk(maker_other_key, "x");
    json_object_del(jwk, "kid");
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_key, "k1"), jwk), ERR_CONFIG);
    s_set(auth, "store", maker_issuer(ISS, maker_jwk(maker_weak_rsa_key, "x"), NULL), ERR_CONFIG);
    maker_accept(auth, maker_token(NULL));
    auth_destroy(&auth);
}

static void test_api_key(void **state)
{
    (void)state;
    auth_t *auth = maker_auth("da2-geheim", 0), *without = maker_auth(NULL, 0),
           *empty = maker_auth("", 0);
    identity_t *identity = NULL;
    err_t err = ERR_INIT;
    assert_int_equal(auth_verify_api_key(auth, "da2-geheim", 10, &identity, &err), ERR_OK);
    assert_string_equal(identity_handle(identity), "apikey");
    assert_string_equal(identity_provider_name(identity), "api-key");
    assert_true(identity_expires_at_us(identity) == 0);
    maker_assert_json(
        identity_json(identity, "store"),
        "{\"handle\":\"apikey\",\"sub\":\"apikey\",\"provider\":\"api-key\",\"groups\":[]}");
    identity_unref(&identity);
    static const char *const wrong[] = {"", "da2-gehei", "da2-geheimx", "DA2-GEHEIM", NULL};
    for (const char *const *key = wrong; *key; key++) {
        err = (err_t)ERR_INIT;
        assert_int_equal(auth_verify_api_key(auth, *key, strlen(*key), &identity, &err),
                         ERR_UNAUTHENTICATED);
        assert_null(identity);
    }
    err = (err_t)ERR_INIT;
    assert_int_equal(auth_verify_api_key(without, "", 0, &identity, &err), ERR_UNAUTHENTICATED);
    assert_int_equal(auth_verify_api_key(empty, "", 0, &identity, &err), ERR_UNAUTHENTICATED);
    auth_destroy(&auth);
    auth_destroy(&without);
    auth_destroy(&empty);
}

static void test_rights_key(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    static const char *const changes[] = {"{\"jti\":\"a\"}", "{\"jti\":\"b\"}",
                                          "{\"username\":\"Bob\"}", "{\"sub\":\"x\"}",
                                          "{\"cognito:groups\":[\"g\"]}"};
    identity_t *identities[5] = {NULL};
    err_t err = ERR_INIT;
    for (int i = 0; i < 5; i++) {
        const char *token = maker_token(changes[i]);
        assert_int_equal(auth_verify(auth, token, strlen(token), &identities[i], &err), ERR_OK);
    }
    const char *first = identity_rights_key(identities[0]);
    assert_string_equal(first, identity_rights_key(identities[1]));
    for (int i = 2; i < 5; i++)
        assert_string_not_equal(first, identity_rights_key(identities[i]));
    auth_destroy(&auth); /* identities outlive it */
    assert_string_equal(identity_handle(identities[2]), "Bob");
    for (int i = 0; i < 5; i++)
        identity_unref(&identities[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),   cmocka_unit_test(test_cache_expiry),
        cmocka_unit_test(test_memo),    cmocka_unit_test(test_key_rotation),
        cmocka_unit_test(test_issuers), cmocka_unit_test(test_jwks),
        cmocka_unit_test(test_api_key), cmocka_unit_test(test_rights_key),
    };
    return cmocka_run_group_tests_name("gateway/auth known", tests, maker_make_keys,
                                       maker_free_keys);
}
