#include "token_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

EVP_PKEY *maker_key, *maker_other_key, *maker_rsa_key, *maker_weak_rsa_key, *maker_ed_key;

int maker_make_keys(void **state)
{
    (void)state;
    clock_test_set(NOW_S * 1000000, 0);
    maker_key = EVP_EC_gen("P-256");
    maker_other_key = EVP_EC_gen("P-256");
    maker_rsa_key = EVP_RSA_gen(2048);
    maker_weak_rsa_key = EVP_RSA_gen(1024);
    maker_ed_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return maker_key && maker_other_key && maker_rsa_key && maker_weak_rsa_key && maker_ed_key ? 0
                                                                                               : -1;
}

int maker_free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(maker_key);
    EVP_PKEY_free(maker_other_key);
    EVP_PKEY_free(maker_rsa_key);
    EVP_PKEY_free(maker_weak_rsa_key);
    EVP_PKEY_free(maker_ed_key);
    clock_test_off();
    return 0;
}

void maker_base64(const void *data, size_t size, char *out, size_t capacity)
{
    sodium_bin2base64(out, capacity, data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void s_number(EVP_PKEY *key, const char *name, char *out, size_t capacity)
{
    BIGNUM *number = NULL;
    uint8_t bytes[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int size = BN_num_bytes(number) < 32 && EVP_PKEY_is_a(key, "EC") ? 32 : BN_num_bytes(number);
    BN_bn2binpad(number, bytes, size);
    maker_base64(bytes, (size_t)size, out, capacity);
    BN_free(number);
}

/* The public key as a JWK, a new reference. */
json_t *maker_jwk(EVP_PKEY *key, const char *kid)
{
    char a[1024], b[1024];
    if (EVP_PKEY_is_a(key, "EC")) {
        s_number(key, OSSL_PKEY_PARAM_EC_PUB_X, a, sizeof a);
        s_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, b, sizeof b);
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x", a, "y", b,
                         "kid", kid);
    }
    if (EVP_PKEY_is_a(key, "RSA")) {
        s_number(key, OSSL_PKEY_PARAM_RSA_N, a, sizeof a);
        s_number(key, OSSL_PKEY_PARAM_RSA_E, b, sizeof b);
        return json_pack("{s:s, s:s, s:s, s:s}", "kty", "RSA", "n", a, "e", b, "kid", kid);
    }
    uint8_t x[32];
    size_t size = sizeof x;
    EVP_PKEY_get_raw_public_key(key, x, &size);
    maker_base64(x, size, a, sizeof a);
    return json_pack("{s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x", a, "kid", kid);
}

/* An issuer with these keys (taken), a new reference. */
json_t *maker_issuer(const char *iss, json_t *key, json_t *key_2)
{
    json_t *keys = json_array();
    json_array_append_new(keys, key);
    if (key_2)
        json_array_append_new(keys, key_2);
    return json_pack("{s:s, s:s, s:{s:o}}", "iss", iss, "clientId", CLIENT, "jwks", "keys", keys);
}

static size_t s_sign(EVP_PKEY *key, const char *text, uint8_t *out)
{
    uint8_t raw[1024];
    size_t size = sizeof raw;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, raw, &size, (const uint8_t *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    if (!EVP_PKEY_is_a(key, "EC")) {
        memcpy(out, raw, size);
        return size;
    }
    const uint8_t *der = raw;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
    return 64;
}

/* header.payload.signature; key NULL leaves the signature empty. */
char *maker_craft(const char *header, const char *payload, EVP_PKEY *key)
{
    static char token[TEXT_MAX];
    char part[TEXT_MAX / 2];
    uint8_t signature[1024];
    maker_base64(header, strlen(header), part, sizeof part);
    size_t at = (size_t)snprintf(token, sizeof token, "%s.", part);
    maker_base64(payload, strlen(payload), part, sizeof part);
    at += (size_t)snprintf(token + at, sizeof token - at, "%s", part);
    size_t size = key ? s_sign(key, token, signature) : 0;
    maker_base64(signature, size, part, sizeof part);
    snprintf(token + at, sizeof token - at, ".%s", part);
    return token;
}

/* The claims of a good token, with some replaced (null removes one); valid until the next call. */
const char *maker_claims(const char *changes)
{
    static char text[TEXT_MAX / 4];
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "iss", ISS, "sub",
                  "3d1c0000-0000-7000-8000-000000000001", "username", "Ann", "token_use", "access",
                  "client_id", CLIENT, "iat", (json_int_t)NOW_S, "auth_time", (json_int_t)NOW_S,
                  "exp", (json_int_t)(NOW_S + 3600), "jti", "j1", "session", "s1");
    if (changes) {
        json_t *other = json_loads(changes, 0, NULL);
        assert_non_null(other);
        json_object_update(claims, other);
        json_decref(other);
    }
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(claims, next, name, value)
    {
        if (json_is_null(value))
            json_object_del(claims, name);
    }
    char *dump = json_dumps(claims, JSON_COMPACT);
    snprintf(text, sizeof text, "%s", dump);
    free(dump);
    json_decref(claims);
    return text;
}

char *maker_token(const char *changes)
{
    return maker_craft(HEADER, maker_claims(changes), maker_key);
}

auth_t *maker_auth(const char *api_key, size_t cache_entries)
{
    auth_options_t options = {.api_key = api_key, .cache_entries = cache_entries};
    auth_t *auth = auth_new(&options);
    json_t *issuer = maker_issuer(ISS, maker_jwk(maker_key, "k1"), NULL);
    err_t err = ERR_INIT;
    assert_int_equal(auth_set_issuer(auth, "store", issuer, &err), ERR_OK);
    json_decref(issuer);
    return auth;
}

void maker_accept(auth_t *auth, const char *token)
{
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    if (auth_verify(auth, token, strlen(token), &identity, &err) != ERR_OK)
        fail_msg("refused: %s", err.text);
    identity_unref(&identity);
}

void maker_refuse_sized(
    auth_t *auth, const char *token, size_t size, err_code_t code, const char *reason)
{
    err_t err = ERR_INIT;
    identity_t *identity = (identity_t *)1;
    assert_int_equal(auth_verify(auth, token, size, &identity, &err), code);
    assert_null(identity);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, reason))
        fail_msg("'%s' does not say '%s'", err.text, reason);
}

void maker_refuse(auth_t *auth, const char *token, const char *reason)
{
    maker_refuse_sized(auth, token, strlen(token), ERR_UNAUTHENTICATED, reason);
}

void maker_assert_json(json_slice_t text, const char *expected)
{
    json_t *a = json_loadb(text.data, text.size, 0, NULL), *b = json_loads(expected, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}
