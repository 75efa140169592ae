/* gateway/auth: tokens of every kind that must be refused, and the few that must not. Keys are made
 * here, tokens are signed with OpenSSL and, in one test, with libjwt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/auth/auth.h"

#define ISS "http://localhost:8080/local-1_chat"
#define CLIENT "chatclient"
#define NOW_S INT64_C(1800000000)

enum { TEXT_MAX = 20000 };

/* ---- keys and tokens made for the tests ---- */

static EVP_PKEY *s_key, *s_other_key, *s_rsa_key, *s_weak_rsa_key, *s_ed_key;

static int s_make_keys(void **state)
{
    (void)state;
    clock_test_set(NOW_S * 1000000, 0);
    s_key = EVP_EC_gen("P-256");
    s_other_key = EVP_EC_gen("P-256");
    s_rsa_key = EVP_RSA_gen(2048);
    s_weak_rsa_key = EVP_RSA_gen(1024);
    s_ed_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return s_key && s_other_key && s_rsa_key && s_weak_rsa_key && s_ed_key ? 0 : -1;
}

static int s_free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(s_key);
    EVP_PKEY_free(s_other_key);
    EVP_PKEY_free(s_rsa_key);
    EVP_PKEY_free(s_weak_rsa_key);
    EVP_PKEY_free(s_ed_key);
    clock_test_off();
    return 0;
}

static void s_base64(const void *data, size_t size, char *out, size_t capacity)
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
    s_base64(bytes, (size_t)size, out, capacity);
    BN_free(number);
}

/* The public key as a JWK, a new reference. */
static json_t *s_jwk(EVP_PKEY *key, const char *kid)
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
    s_base64(x, size, a, sizeof a);
    return json_pack("{s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x", a, "kid", kid);
}

/* An issuer with these keys (taken), a new reference. */
static json_t *s_issuer(const char *iss, json_t *key, json_t *key_2)
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
static char *s_craft(const char *header, const char *payload, EVP_PKEY *key)
{
    static char token[TEXT_MAX];
    char part[TEXT_MAX / 2];
    uint8_t signature[1024];
    s_base64(header, strlen(header), part, sizeof part);
    size_t at = (size_t)snprintf(token, sizeof token, "%s.", part);
    s_base64(payload, strlen(payload), part, sizeof part);
    at += (size_t)snprintf(token + at, sizeof token - at, "%s", part);
    size_t size = key ? s_sign(key, token, signature) : 0;
    s_base64(signature, size, part, sizeof part);
    snprintf(token + at, sizeof token - at, ".%s", part);
    return token;
}

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"

/* The claims of a good token, with some replaced (null removes one); valid until the next call. */
static const char *s_claims(const char *changes)
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

static char *s_token(const char *changes)
{
    return s_craft(HEADER, s_claims(changes), s_key);
}

static auth_t *s_auth(const char *api_key, size_t cache_entries)
{
    auth_options_t options = {.api_key = api_key, .cache_entries = cache_entries};
    auth_t *auth = auth_new(&options);
    json_t *issuer = s_issuer(ISS, s_jwk(s_key, "k1"), NULL);
    err_t err = ERR_INIT;
    assert_int_equal(auth_set_issuer(auth, "store", issuer, &err), ERR_OK);
    json_decref(issuer);
    return auth;
}

static void s_accept(auth_t *auth, const char *token)
{
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    if (auth_verify(auth, token, strlen(token), &identity, &err) != ERR_OK)
        fail_msg("refused: %s", err.text);
    identity_unref(&identity);
}

static void
s_refuse_sized(auth_t *auth, const char *token, size_t size, err_code_t code, const char *reason)
{
    err_t err = ERR_INIT;
    identity_t *identity = (identity_t *)1;
    assert_int_equal(auth_verify(auth, token, size, &identity, &err), code);
    assert_null(identity);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, reason))
        fail_msg("'%s' does not say '%s'", err.text, reason);
}

static void s_refuse(auth_t *auth, const char *token, const char *reason)
{
    s_refuse_sized(auth, token, strlen(token), ERR_UNAUTHENTICATED, reason);
}

/* ---- what is good ---- */

static void s_assert_json(json_slice_t text, const char *expected)
{
    json_t *a = json_loadb(text.data, text.size, 0, NULL), *b = json_loads(expected, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void test_good_token(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    const char *token = s_token("{\"cognito:groups\":[\"admins\",\"b\\\"\"],\"username\":\"Zoë\"}");
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_OK);
    assert_string_equal(identity_handle(identity), "Zoë");
    assert_string_equal(identity_sub(identity), "3d1c0000-0000-7000-8000-000000000001");
    assert_int_equal(identity_provider(identity), IDENTITY_USER_POOL);
    assert_string_equal(identity_provider_name(identity), "user-pool");
    assert_true(identity_in_group(identity, "admins"));
    assert_true(identity_in_group(identity, "b\""));
    assert_false(identity_in_group(identity, "b"));
    assert_string_equal(identity_session(identity), "s1");
    assert_true(identity_expires_at_us(identity) == (NOW_S + 3600) * 1000000);
    s_assert_json(identity_json(identity, "store"),
                  "{\"handle\":\"Zoë\",\"sub\":\"3d1c0000-0000-7000-8000-000000000001\","
                  "\"provider\":\"user-pool\",\"groups\":[\"admins\",\"b\\\"\"],\"claims\":{"
                  "\"jti\":\"j1\",\"session\":\"s1\",\"iat\":1800000000,\"auth_time\":1800000000,"
                  "\"exp\":1800003600}}");
    const char *without = "{\"handle\":\"Zoë\",\"sub\":\"3d1c0000-0000-7000-8000-000000000001\","
                          "\"provider\":\"user-pool\",\"groups\":[\"admins\",\"b\\\"\"]}";
    s_assert_json(identity_json(identity, "echo"), without);
    s_assert_json(identity_json(identity, NULL), without);
    identity_unref(&identity);
    auth_destroy(&auth);
}

static void test_credential_forms(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    char *token = strdup(s_token(NULL));
    char text[TEXT_MAX];
    static const char *const good[] = {"%s",          "Bearer %s", "bearer %s", "BEARER  %s",
                                       " Bearer %s ", "\t%s",      NULL};
    for (const char *const *form = good; *form; form++) {
        size_t at = (size_t)(strchr(*form, '%') - *form);
        snprintf(text, sizeof text, "%.*s%s%s", (int)at, *form, token, *form + at + 2);
        s_accept(auth, text);
    }
    snprintf(text, sizeof text, "Basic %s", token);
    s_refuse(auth, text, "bearer");
    snprintf(text, sizeof text, "Bearer Bearer %s", token);
    s_refuse(auth, text, "bearer");
    snprintf(text, sizeof text, "Bearer%s", token);
    s_refuse(auth, text, "malformed");
    s_refuse(auth, "", "empty");
    s_refuse(auth, "Bearer ", "malformed"); /* the blank is trimmed: it is read as a token */
    s_refuse(auth, "   ", "empty");
    free(token);
    auth_destroy(&auth);
}

static void test_other_key_types(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    err_t err = ERR_INIT;
    json_t *issuer = s_issuer("https://other/", s_jwk(s_rsa_key, "r"), s_jwk(s_ed_key, "e"));
    assert_int_equal(auth_set_issuer(auth, "other", issuer, &err), ERR_OK);
    json_decref(issuer);
    const char *claims = "{\"iss\":\"https://other/\"}";
    s_accept(auth, s_craft("{\"alg\":\"RS256\",\"kid\":\"r\"}", s_claims(claims), s_rsa_key));
    s_accept(auth, s_craft("{\"alg\":\"EdDSA\",\"kid\":\"e\"}", s_claims(claims), s_ed_key));
    /* A key of one issuer does not vouch for another. */
    s_refuse(auth, s_craft("{\"alg\":\"RS256\",\"kid\":\"r\"}", s_claims(NULL), s_rsa_key), "key");
    s_refuse(auth, s_craft("{\"alg\":\"RS256\",\"kid\":\"k1\"}", s_claims(NULL), s_rsa_key), "alg");
    s_refuse(auth, s_craft("{\"alg\":\"EdDSA\",\"kid\":\"r\"}", s_claims(claims), s_ed_key), "alg");
    /* A key for PSS takes no other padding, whatever the header says. */
    json_t *pss = s_jwk(s_rsa_key, "p");
    json_object_set_new(pss, "alg", json_string("PS256"));
    issuer = s_issuer("https://pss/", pss, NULL);
    assert_int_equal(auth_set_issuer(auth, "pss", issuer, &err), ERR_OK);
    json_decref(issuer);
    claims = "{\"iss\":\"https://pss/\"}";
    s_refuse(auth, s_craft("{\"alg\":\"RS256\",\"kid\":\"p\"}", s_claims(claims), s_rsa_key),
             "alg");
    s_refuse(auth, s_craft("{\"alg\":\"PS256\",\"kid\":\"p\"}", s_claims(claims), s_rsa_key),
             "signature");
    auth_destroy(&auth);
}

static void test_libjwt_token(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, s_key, NULL, NULL, 0, NULL, NULL);
    long size = BIO_get_mem_data(bio, &pem);
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grants_json(jwt, s_claims(NULL)), 0);
    assert_int_equal(jwt_add_header(jwt, "kid", "k1"), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_ES256, (uint8_t *)pem, (int)size), 0);
    char *token = jwt_encode_str(jwt);
    s_accept(auth, token);
    free(token);
    jwt_free(jwt);
    BIO_free(bio);
    auth_destroy(&auth);
}

/* ---- algorithm confusion ---- */

/* An HS256 token whose secret is size bytes of the public key in some spelling. */
static const char *s_hmac_token(const void *secret, size_t size)
{
    static char token[TEXT_MAX];
    char part[TEXT_MAX / 2], *unsigned_token = NULL;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    unsigned_token =
        s_craft("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}", s_claims(NULL), NULL);
    unsigned_token[strlen(unsigned_token) - 1] = '\0'; /* the last dot */
    crypto_auth_hmacsha256_state hmac;
    crypto_auth_hmacsha256_init(&hmac, secret, size);
    crypto_auth_hmacsha256_update(&hmac, (uint8_t *)unsigned_token, strlen(unsigned_token));
    crypto_auth_hmacsha256_final(&hmac, mac);
    s_base64(mac, sizeof mac, part, sizeof part);
    snprintf(token, sizeof token, "%s.%s", unsigned_token, part);
    return token;
}

static void test_hmac_with_public_key(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, s_key);
    long pem_size = BIO_get_mem_data(bio, &pem);
    s_refuse(auth, s_hmac_token(pem, (size_t)pem_size), "algorithm");
    uint8_t *der = NULL;
    int der_size = i2d_PUBKEY(s_key, &der);
    s_refuse(auth, s_hmac_token(der, (size_t)der_size), "algorithm");
    uint8_t point[65];
    size_t point_size = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(s_key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof point, &point_size),
                     1);
    s_refuse(auth, s_hmac_token(point, point_size), "algorithm");
    s_refuse(auth, s_hmac_token("", 0), "algorithm");
    json_t *jwk = s_jwk(s_key, "k1");
    char *text = json_dumps(jwk, JSON_COMPACT);
    s_refuse(auth, s_hmac_token(text, strlen(text)), "algorithm");
    free(text);
    json_decref(jwk);
    OPENSSL_free(der);
    BIO_free(bio);
    auth_destroy(&auth);
}

static void test_algorithms(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    static const char *const names[] = {"none",  "None",  "NONE",   "",      "HS256", "HS384",
                                        "HS512", "RS256", "PS256",  "ES384", "ES512", "ES256K",
                                        "EdDSA", "es256", "ES256 ", NULL};
    for (const char *const *name = names; *name; name++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"k1\"}", *name);
        s_refuse(auth, s_craft(header, s_claims(NULL), s_key), "algorithm");
    }
    /* Without a signature, or with a symbolic one. */
    s_refuse(auth, s_craft("{\"alg\":\"none\",\"kid\":\"k1\"}", s_claims(NULL), NULL), "malformed");
    char *token = s_craft("{\"alg\":\"none\",\"kid\":\"k1\"}", s_claims(NULL), NULL);
    strcat(token, "AA");
    s_refuse(auth, token, "algorithm");
    s_refuse(auth, s_craft(HEADER, s_claims(NULL), NULL), "malformed");
    s_refuse(auth, s_craft("{\"kid\":\"k1\"}", s_claims(NULL), s_key), "no algorithm");
    s_refuse(auth, s_craft("{\"alg\":256,\"kid\":\"k1\"}", s_claims(NULL), s_key), "no algorithm");
    s_refuse(auth, s_craft("{\"alg\":null,\"kid\":\"k1\"}", s_claims(NULL), s_key), "no algorithm");
    auth_destroy(&auth);
}

/* Keys that a token brings along are not even looked at. */
static void test_keys_in_token(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    json_t *jwk = s_jwk(s_other_key, "k1");
    json_t *header = json_pack("{s:s, s:s, s:o, s:s, s:s}", "alg", "ES256", "kid", "k1", "jwk", jwk,
                               "jku", "https://evil.example/jwks", "x5u", "https://evil.example/x");
    char *text = json_dumps(header, JSON_COMPACT);
    s_refuse(auth, s_craft(text, s_claims(NULL), s_other_key), "signature");
    s_accept(auth, s_craft(text, s_claims(NULL), s_key));
    free(text);
    json_decref(header);
    auth_destroy(&auth);
}

/* ---- header, form, signature ---- */

static void test_header(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    static const struct {
        const char *header, *reason;
    } rows[] = {
        {"{\"alg\":\"ES256\"}", "no key"},
        {"{\"alg\":\"ES256\",\"kid\":null}", "no key"},
        {"{\"alg\":\"ES256\",\"kid\":1}", "no key"},
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", "unknown key"},
        {"{\"alg\":\"ES256\",\"kid\":\"k2\"}", "unknown key"},
        {"{\"alg\":\"ES256\",\"kid\":\"../../k1\"}", "unknown key"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\\u0000\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"b64\"],\"b64\":false}", "critical"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JOSE\"}", "type"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":7}", "type"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"alg\":\"ES256\"}", "malformed"},
        {"[\"ES256\"]", "malformed"},
        {"\"ES256\"", "malformed"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\"} {}", "malformed"},
        {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", "malformed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        s_refuse(auth, s_craft(rows[i].header, s_claims(NULL), s_key), rows[i].reason);
    s_accept(auth, s_craft("{\"alg\":\"ES256\",\"kid\":\"k1\"}", s_claims(NULL), s_key));
    s_accept(auth, s_craft("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", s_claims(NULL),
                           s_key));
    auth_destroy(&auth);
}

static void test_garbage(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    static const char *const rows[] = {"x",
                                       ".",
                                       "..",
                                       "...",
                                       "a.b.c",
                                       "a.b",
                                       "e30.e30.",
                                       "e30..e30",
                                       ".e30.e30",
                                       "e30.e30.e30.e30",
                                       "e30.e30.e30.e30.e30",
                                       "null",
                                       "{}",
                                       "apikey",
                                       "eyJhbGciOiJub25lIn0.e30.",
                                       "\x01.\x02.\x03",
                                       NULL};
    for (const char *const *text = rows; *text; text++)
        s_refuse(auth, *text, "malformed");
    char *good = strdup(s_token(NULL)), *text = calloc(1, TEXT_MAX);
    size_t size = strlen(good);
    sprintf(text, "%s=", good); /* padding, line ends and the other alphabet are not base64url */
    s_refuse(auth, text, "malformed");
    sprintf(text, "%s\n", good);
    s_refuse(auth, text, "malformed");
    sprintf(text, "%s", good);
    text[3] = '+';
    s_refuse(auth, text, "malformed");
    s_refuse_sized(auth, "a\0b.c.d", 7, ERR_UNAUTHENTICATED, "malformed");
    for (size_t cut = 1; cut < size; cut++) /* no part of it is good */
        s_refuse_sized(auth, good, cut, ERR_UNAUTHENTICATED, "the token");
    for (size_t i = 0; i < size; i++) { /* nor any change of one character */
        sprintf(text, "%s", good);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        s_refuse(auth, text, "the token");
    }
    s_accept(auth, good);
    free(good);
    free(text);
    auth_destroy(&auth);
}

static void test_size(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    char *huge = malloc(100000);
    memset(huge, 'A', 100000);
    s_refuse_sized(auth, huge, 100000, ERR_UNAUTHENTICATED, "too long");
    s_refuse_sized(auth, huge, AUTH_TOKEN_MAX + 1, ERR_UNAUTHENTICATED, "too long");
    s_refuse_sized(auth, huge, AUTH_TOKEN_MAX, ERR_UNAUTHENTICATED, "malformed");
    char changes[4000];
    memset(huge, 'x', 3900);
    snprintf(changes, sizeof changes, "{\"extra\":\"%.3900s\"}", huge);
    s_accept(auth, s_token(changes));
    free(huge);
    auth_destroy(&auth);
}

static void test_signature(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    s_refuse(auth, s_craft(HEADER, s_claims(NULL), s_other_key), "signature");
    /* Another payload under a good signature. */
    char *good = strdup(s_token(NULL)), *text = calloc(1, TEXT_MAX);
    char *other = s_token("{\"username\":\"Eve\"}");
    size_t head = (size_t)(strrchr(other, '.') - other);
    snprintf(text, TEXT_MAX, "%.*s%s", (int)head, other, strrchr(good, '.'));
    s_refuse(auth, text, "signature");
    snprintf(text, TEXT_MAX, "%sAA", good); /* something behind a good one */
    s_refuse(auth, text, "signature");
    /* r = s = 0 (CVE-2022-21449), and sizes that are none. */
    uint8_t zeros[128] = {0};
    static const size_t sizes[] = {1, 63, 64, 65, 70, 96, 128};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char part[256];
        s_base64(zeros, sizes[i], part, sizeof part);
        snprintf(text, TEXT_MAX, "%.*s.%s", (int)(strrchr(good, '.') - good), good, part);
        s_refuse(auth, text, "signature");
    }
    free(good);
    free(text);
    auth_destroy(&auth);
}

/* ---- claims ---- */

static void test_claims(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    static const struct {
        const char *changes, *reason; /* NULL: accepted */
    } rows[] = {
        {"{\"exp\":1799999971}", NULL}, /* within the leeway */
        {"{\"exp\":1799999970}", "expired"},
        {"{\"exp\":1799999999.5}", NULL},
        {"{\"exp\":1}", "expired"},
        {"{\"exp\":0}", "expired"},
        {"{\"exp\":null}", "no time"},
        {"{\"exp\":-1}", "no time"},
        {"{\"exp\":\"1900000000\"}", "no time"},
        {"{\"exp\":1e300}", "no time"},
        {"{\"exp\":1e15}", "no time"},
        {"{\"exp\":253402300799}", NULL},
        {"{\"exp\":9223372036854775807}", "no time"},
        {"{\"nbf\":1800000030}", NULL},
        {"{\"nbf\":1800000031}", "not valid yet"},
        {"{\"nbf\":\"x\"}", "times"},
        {"{\"iat\":1800000030}", NULL},
        {"{\"iat\":1800000031}", "not valid yet"},
        {"{\"iat\":null}", NULL},
        {"{\"iat\":true}", "times"},
        {"{\"iss\":\"http://localhost:8080/local-1_chat/\"}", "issuer"},
        {"{\"iss\":\"\"}", "issuer"},
        {"{\"iss\":null}", "issuer"},
        {"{\"iss\":[\"http://localhost:8080/local-1_chat\"]}", "issuer"},
        {"{\"client_id\":\"other\"}", "another client"},
        {"{\"client_id\":7}", "another client"},
        {"{\"client_id\":null}", "another client"},
        {"{\"client_id\":\"other\",\"aud\":\"chatclient\"}", "another client"},
        {"{\"client_id\":null,\"aud\":\"chatclient\"}", NULL},
        {"{\"client_id\":null,\"aud\":[\"x\",\"chatclient\"]}", NULL},
        {"{\"client_id\":null,\"aud\":[\"x\"]}", "another client"},
        {"{\"token_use\":\"id\"}", "no access token"},
        {"{\"token_use\":\"\"}", "no access token"},
        {"{\"token_use\":1}", "no access token"},
        {"{\"token_use\":null}", NULL},
        {"{\"sub\":null}", "no user"},
        {"{\"sub\":\"\"}", "no user"},
        {"{\"sub\":5}", "no user"},
        {"{\"username\":null}", "no user"},
        {"{\"username\":\"\"}", "no user"},
        {"{\"username\":[\"Ann\"]}", "no user"},
        {"{\"username\":null,\"cognito:username\":\"Ann\"}", NULL},
        {"{\"cognito:groups\":\"admins\"}", NULL},
        {"{\"cognito:groups\":[1,null,\"a\"]}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].reason)
            s_refuse(auth, s_token(rows[i].changes), rows[i].reason);
        else
            s_accept(auth, s_token(rows[i].changes));
    }
    s_refuse(auth, s_craft(HEADER, "[]", s_key), "malformed");
    s_refuse(auth, s_craft(HEADER, "{\"iss\":1,\"iss\":2}", s_key), "malformed");
    auth_destroy(&auth);
}

/* The reason never holds a part of the token. */
static void test_reason_is_silent(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    const char *token = s_craft("{\"alg\":\"SECRET\",\"kid\":\"k1\"}",
                                s_claims("{\"username\":\"SECRET\"}"), s_key);
    auth_verify(auth, token, strlen(token), &identity, &err);
    assert_null(strstr(err.text, "SECRET"));
    token = s_craft("{\"alg\":\"ES256\",\"kid\":\"SECRET\"}", s_claims(NULL), s_key);
    err = (err_t)ERR_INIT;
    auth_verify(auth, token, strlen(token), &identity, &err);
    assert_null(strstr(err.text, "SECRET"));
    auth_destroy(&auth);
}

/* ---- cache, issuers, API key ---- */

static void test_cache(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 2);
    char *a = strdup(s_token("{\"jti\":\"a\"}")), *b = strdup(s_token("{\"jti\":\"b\"}"));
    char *c = strdup(s_token("{\"jti\":\"c\"}"));
    s_accept(auth, a);
    assert_int_equal(auth_stats(auth).misses, 1);
    s_accept(auth, a);
    char bearer[TEXT_MAX];
    snprintf(bearer, sizeof bearer, "Bearer %s", a);
    s_accept(auth, bearer);
    assert_int_equal(auth_stats(auth).hits, 2);
    s_accept(auth, b);
    s_accept(auth, a); /* used: b is the oldest now */
    s_accept(auth, c);
    assert_int_equal(auth_stats(auth).entries, 2);
    assert_int_equal(auth_stats(auth).evictions, 1);
    uint64_t hits = auth_stats(auth).hits;
    s_accept(auth, a);
    s_accept(auth, c);
    assert_int_equal(auth_stats(auth).hits, hits + 2);
    s_accept(auth, b);
    assert_int_equal(auth_stats(auth).hits, hits + 2);
    /* Refused tokens are not kept. */
    s_refuse(auth, "x.y.z", "malformed");
    assert_int_equal(auth_stats(auth).entries, 2);
    free(a);
    free(b);
    free(c);
    auth_destroy(&auth);
}

static void test_cache_expiry(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
    char *token = strdup(s_token("{\"exp\":1800000010}"));
    s_accept(auth, token);
    clock_test_set((NOW_S + 9) * 1000000, 0);
    s_accept(auth, token);
    assert_int_equal(auth_stats(auth).hits, 1);
    clock_test_set((NOW_S + 10) * 1000000, 0); /* verified anew: the leeway still lets it pass */
    s_accept(auth, token);
    assert_int_equal(auth_stats(auth).hits, 1);
    assert_int_equal(auth_stats(auth).entries, 0);
    clock_test_set((NOW_S + 40) * 1000000, 0);
    s_refuse(auth, token, "expired");
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
    char *token = strdup(s_token(changes));
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
    auth_t *auth = s_auth(NULL, 0);
    token_memo_t memo = {0};
    const char *who;
    char *ada = strdup(s_token("{\"username\":\"ada\",\"exp\":1800000010}"));
    char *bob = strdup(s_token("{\"username\":\"bob\",\"exp\":1800000010}"));
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
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_other_key, "k9"), NULL), ERR_OK);
    assert_int_equal(s_show(auth, &memo, ada, &who), ERR_UNAUTHENTICATED);
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), NULL), ERR_OK);
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
    auth_t *auth = s_auth(NULL, 0);
    char *old = strdup(s_token(NULL));
    s_accept(auth, old);
    uint64_t generation = auth_generation(auth);
    /* The same again, and another key beside it: nothing is forgotten. */
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), NULL), ERR_OK);
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_other_key, "k2"), s_jwk(s_key, "k1")), ERR_OK);
    assert_int_equal(auth_stats(auth).entries, 1);
    assert_int_equal(auth_generation(auth), generation);
    s_accept(auth, s_craft("{\"alg\":\"ES256\",\"kid\":\"k2\"}", s_claims(NULL), s_other_key));
    /* The old key goes, and with it what it vouched for. */
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_other_key, "k2"), NULL), ERR_OK);
    assert_int_equal(auth_stats(auth).entries, 0);
    assert_int_not_equal(auth_generation(auth), generation);
    s_refuse(auth, old, "unknown key");
    /* Another key under a known name is another key. */
    char *by_other =
        strdup(s_craft("{\"alg\":\"ES256\",\"kid\":\"k2\"}", s_claims(NULL), s_other_key));
    s_accept(auth, by_other);
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k2"), NULL), ERR_OK);
    s_refuse(auth, by_other, "signature");
    free(by_other);
    free(old);
    auth_destroy(&auth);
}

static void test_issuers(void **state)
{
    (void)state;
    auth_options_t options = {0};
    auth_t *auth = auth_new(&options);
    char *token = strdup(s_token(NULL));
    assert_false(auth_has_issuer(auth));
    s_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    s_set(auth, "store",
          json_pack("{s:s, s:s, s:{s:[]}}", "iss", ISS, "clientId", CLIENT, "jwks", "keys"),
          ERR_OK);
    s_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), NULL), ERR_OK);
    assert_true(auth_has_issuer(auth));
    s_accept(auth, token);
    /* A stranger's may be good when all services have spoken, and not before. */
    char *stranger = strdup(s_token("{\"iss\":\"https://elsewhere.example\"}"));
    s_refuse(auth, stranger, "unknown issuer");
    auth_expect(auth, true);
    s_refuse_sized(auth, stranger, strlen(stranger), ERR_UNAVAILABLE, "not known yet");
    s_accept(auth, token);
    s_refuse(auth, "rubbish", "malformed");
    auth_expect(auth, false);
    s_refuse(auth, stranger, "unknown issuer");
    free(stranger);
    /* Another service cannot take the name over. */
    s_set(auth, "evil", s_issuer(ISS, s_jwk(s_other_key, "k1"), NULL), ERR_CONFIG);
    s_accept(auth, token);
    /* Broken ones change nothing. */
    s_set(auth, "store", json_pack("{}"), ERR_CONFIG);
    s_set(auth, "store", json_pack("{s:s, s:s}", "iss", ISS, "clientId", CLIENT), ERR_CONFIG);
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), s_jwk(s_other_key, "k1")), ERR_CONFIG);
    json_t *no_client = s_issuer(ISS, s_jwk(s_key, "k1"), NULL);
    json_object_set_new(no_client, "clientId", json_string(""));
    s_set(auth, "store", no_client, ERR_CONFIG);
    s_accept(auth, token);
    /* Nor does one that says nothing yet; an empty set takes the keys away. */
    s_set(auth, "store", NULL, ERR_OK);
    s_accept(auth, token);
    assert_int_equal(auth_generation(auth), 0);
    json_t *empty = s_issuer(ISS, s_jwk(s_key, "k1"), NULL);
    json_array_clear(json_object_get(json_object_get(empty, "jwks"), "keys"));
    s_set(auth, "store", empty, ERR_OK);
    assert_int_equal(auth_generation(auth), 1);
    assert_false(auth_has_issuer(auth));
    s_refuse_sized(auth, token, strlen(token), ERR_UNAVAILABLE, "no keys");
    free(token);
    auth_destroy(&auth);
}

static void test_jwks(void **state)
{
    (void)state;
    auth_t *auth = s_auth(NULL, 0);
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
        s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), json_loads(*jwk, 0, NULL)), ERR_OK);
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
        s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), json_loads(*jwk, 0, NULL)),
              ERR_CONFIG);
    json_t *jwk = s_jwk(s_other_key, "x");
    json_object_set_new(jwk, "d", json_string("AAAA")); /* a private key on the bus */
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), jwk), ERR_CONFIG);
    jwk = s_jwk(s_other_key, "x");
    json_object_del(jwk, "kid");
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_key, "k1"), jwk), ERR_CONFIG);
    s_set(auth, "store", s_issuer(ISS, s_jwk(s_weak_rsa_key, "x"), NULL), ERR_CONFIG);
    s_accept(auth, s_token(NULL));
    auth_destroy(&auth);
}

static void test_api_key(void **state)
{
    (void)state;
    auth_t *auth = s_auth("da2-geheim", 0), *without = s_auth(NULL, 0), *empty = s_auth("", 0);
    identity_t *identity = NULL;
    err_t err = ERR_INIT;
    assert_int_equal(auth_verify_api_key(auth, "da2-geheim", 10, &identity, &err), ERR_OK);
    assert_string_equal(identity_handle(identity), "apikey");
    assert_string_equal(identity_provider_name(identity), "api-key");
    assert_true(identity_expires_at_us(identity) == 0);
    s_assert_json(
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
    auth_t *auth = s_auth(NULL, 0);
    static const char *const changes[] = {"{\"jti\":\"a\"}", "{\"jti\":\"b\"}",
                                          "{\"username\":\"Bob\"}", "{\"sub\":\"x\"}",
                                          "{\"cognito:groups\":[\"g\"]}"};
    identity_t *identities[5] = {NULL};
    err_t err = ERR_INIT;
    for (int i = 0; i < 5; i++) {
        const char *token = s_token(changes[i]);
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
        cmocka_unit_test(test_good_token),
        cmocka_unit_test(test_credential_forms),
        cmocka_unit_test(test_other_key_types),
        cmocka_unit_test(test_libjwt_token),
        cmocka_unit_test(test_hmac_with_public_key),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_keys_in_token),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_reason_is_silent),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_expiry),
        cmocka_unit_test(test_memo),
        cmocka_unit_test(test_key_rotation),
        cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_jwks),
        cmocka_unit_test(test_api_key),
        cmocka_unit_test(test_rights_key),
    };
    return cmocka_run_group_tests_name("gateway/auth", tests, s_make_keys, s_free_keys);
}
