/* gateway/auth: tokens of every kind that must be refused, and the few that must not; in one test
 * signed with libjwt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token_maker.h"

/* ---- what is good ---- */

static void test_good_token(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    const char *token =
        maker_token("{\"cognito:groups\":[\"admins\",\"b\\\"\"],\"username\":\"Zoë\"}");
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
    maker_assert_json(
        identity_json(identity, "store"),
        "{\"handle\":\"Zoë\",\"sub\":\"3d1c0000-0000-7000-8000-000000000001\","
        "\"provider\":\"user-pool\",\"groups\":[\"admins\",\"b\\\"\"],\"claims\":{"
        "\"jti\":\"j1\",\"session\":\"s1\",\"iat\":1800000000,\"auth_time\":1800000000,"
        "\"exp\":1800003600}}");
    const char *without = "{\"handle\":\"Zoë\",\"sub\":\"3d1c0000-0000-7000-8000-000000000001\","
                          "\"provider\":\"user-pool\",\"groups\":[\"admins\",\"b\\\"\"]}";
    maker_assert_json(identity_json(identity, "echo"), without);
    maker_assert_json(identity_json(identity, NULL), without);
    identity_unref(&identity);
    auth_destroy(&auth);
}

static void test_credential_forms(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *token = strdup(maker_token(NULL));
    char text[TEXT_MAX];
    static const char *const good[] = {"%s",          "Bearer %s", "bearer %s", "BEARER  %s",
                                       " Bearer %s ", "\t%s",      NULL};
    for (const char *const *form = good; *form; form++) {
        size_t at = (size_t)(strchr(*form, '%') - *form);
        snprintf(text, sizeof text, "%.*s%s%s", (int)at, *form, token, *form + at + 2);
        maker_accept(auth, text);
    }
    snprintf(text, sizeof text, "Basic %s", token);
    maker_refuse(auth, text, "bearer");
    snprintf(text, sizeof text, "Bearer Bearer %s", token);
    maker_refuse(auth, text, "bearer");
    snprintf(text, sizeof text, "Bearer%s", token);
    maker_refuse(auth, text, "malformed");
    maker_refuse(auth, "", "empty");
    maker_refuse(auth, "Bearer ", "malformed"); /* the blank is trimmed: it is read as a token */
    maker_refuse(auth, "   ", "empty");
    free(token);
    auth_destroy(&auth);
}

static void test_other_key_types(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    err_t err = ERR_INIT;
    json_t *issuer =
        maker_issuer("https://other/", maker_jwk(maker_rsa_key, "r"), maker_jwk(maker_ed_key, "e"));
    assert_int_equal(auth_set_issuer(auth, "other", issuer, &err), ERR_OK);
    json_decref(issuer);
    const char *claims = "{\"iss\":\"https://other/\"}";
    maker_accept(auth, maker_craft("{\"alg\":\"RS256\",\"kid\":\"r\"}", maker_claims(claims),
                                   maker_rsa_key));
    maker_accept(
        auth, maker_craft("{\"alg\":\"EdDSA\",\"kid\":\"e\"}", maker_claims(claims), maker_ed_key));
    /* A key of one issuer does not vouch for another. */
    maker_refuse(
        auth, maker_craft("{\"alg\":\"RS256\",\"kid\":\"r\"}", maker_claims(NULL), maker_rsa_key),
        "key");
    maker_refuse(
        auth, maker_craft("{\"alg\":\"RS256\",\"kid\":\"k1\"}", maker_claims(NULL), maker_rsa_key),
        "alg");
    maker_refuse(
        auth, maker_craft("{\"alg\":\"EdDSA\",\"kid\":\"r\"}", maker_claims(claims), maker_ed_key),
        "alg");
    /* A key for PSS takes no other padding, whatever the header says. */
    json_t *pss = maker_jwk(maker_rsa_key, "p");
    json_object_set_new(pss, "alg", json_string("PS256"));
    issuer = maker_issuer("https://pss/", pss, NULL);
    assert_int_equal(auth_set_issuer(auth, "pss", issuer, &err), ERR_OK);
    json_decref(issuer);
    claims = "{\"iss\":\"https://pss/\"}";
    maker_refuse(
        auth, maker_craft("{\"alg\":\"RS256\",\"kid\":\"p\"}", maker_claims(claims), maker_rsa_key),
        "alg");
    maker_refuse(
        auth, maker_craft("{\"alg\":\"PS256\",\"kid\":\"p\"}", maker_claims(claims), maker_rsa_key),
        "signature");
    auth_destroy(&auth);
}

static void test_libjwt_token(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, maker_key, NULL, NULL, 0, NULL, NULL);
    long size = BIO_get_mem_data(bio, &pem);
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grants_json(jwt, maker_claims(NULL)), 0);
    assert_int_equal(jwt_add_header(jwt, "kid", "k1"), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_ES256, (uint8_t *)pem, (int)size), 0);
    char *token = jwt_encode_str(jwt);
    maker_accept(auth, token);
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
        maker_craft("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}", maker_claims(NULL), NULL);
    unsigned_token[strlen(unsigned_token) - 1] = '\0'; /* the last dot */
    crypto_auth_hmacsha256_state hmac;
    crypto_auth_hmacsha256_init(&hmac, secret, size);
    crypto_auth_hmacsha256_update(&hmac, (uint8_t *)unsigned_token, strlen(unsigned_token));
    crypto_auth_hmacsha256_final(&hmac, mac);
    maker_base64(mac, sizeof mac, part, sizeof part);
    snprintf(token, sizeof token, "%s.%s", unsigned_token, part);
    return token;
}

static void test_hmac_with_public_key(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, maker_key);
    long pem_size = BIO_get_mem_data(bio, &pem);
    maker_refuse(auth, s_hmac_token(pem, (size_t)pem_size), "algorithm");
    uint8_t *der = NULL;
    int der_size = i2d_PUBKEY(maker_key, &der);
    maker_refuse(auth, s_hmac_token(der, (size_t)der_size), "algorithm");
    uint8_t point[65];
    size_t point_size = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(maker_key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof point, &point_size),
                     1);
    maker_refuse(auth, s_hmac_token(point, point_size), "algorithm");
    maker_refuse(auth, s_hmac_token("", 0), "algorithm");
    json_t *jwk = maker_jwk(maker_key, "k1");
    char *text = json_dumps(jwk, JSON_COMPACT);
    maker_refuse(auth, s_hmac_token(text, strlen(text)), "algorithm");
    free(text);
    json_decref(jwk);
    OPENSSL_free(der);
    BIO_free(bio);
    auth_destroy(&auth);
}

static void test_algorithms(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    static const char *const names[] = {"none",  "None",  "NONE",   "",      "HS256", "HS384",
                                        "HS512", "RS256", "PS256",  "ES384", "ES512", "ES256K",
                                        "EdDSA", "es256", "ES256 ", NULL};
    for (const char *const *name = names; *name; name++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"k1\"}", *name);
        maker_refuse(auth, maker_craft(header, maker_claims(NULL), maker_key), "algorithm");
    }
    /* Without a signature, or with a symbolic one. */
    maker_refuse(auth, maker_craft("{\"alg\":\"none\",\"kid\":\"k1\"}", maker_claims(NULL), NULL),
                 "malformed");
    char *token = maker_craft("{\"alg\":\"none\",\"kid\":\"k1\"}", maker_claims(NULL), NULL);
    strcat(token, "AA");
    maker_refuse(auth, token, "algorithm");
    maker_refuse(auth, maker_craft(HEADER, maker_claims(NULL), NULL), "malformed");
    maker_refuse(auth, maker_craft("{\"kid\":\"k1\"}", maker_claims(NULL), maker_key),
                 "no algorithm");
    maker_refuse(auth, maker_craft("{\"alg\":256,\"kid\":\"k1\"}", maker_claims(NULL), maker_key),
                 "no algorithm");
    maker_refuse(auth, maker_craft("{\"alg\":null,\"kid\":\"k1\"}", maker_claims(NULL), maker_key),
                 "no algorithm");
    auth_destroy(&auth);
}

/* Keys that a token brings along are not even looked at. */
static void test_keys_in_token(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    json_t *jwk = maker_jwk(maker_other_key, "k1");
    json_t *header = json_pack("{s:s, s:s, s:o, s:s, s:s}", "alg", "ES256", "kid", "k1", "jwk", jwk,
                               "jku", "https://evil.example/jwks", "x5u", "https://evil.example/x");
    char *text = json_dumps(header, JSON_COMPACT);
    maker_refuse(auth, maker_craft(text, maker_claims(NULL), maker_other_key), "signature");
    maker_accept(auth, maker_craft(text, maker_claims(NULL), maker_key));
    free(text);
    json_decref(header);
    auth_destroy(&auth);
}

/* ---- header, form, signature ---- */

static void test_header(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
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
        maker_refuse(auth, maker_craft(rows[i].header, maker_claims(NULL), maker_key),
                     rows[i].reason);
    maker_accept(auth,
                 maker_craft("{\"alg\":\"ES256\",\"kid\":\"k1\"}", maker_claims(NULL), maker_key));
    maker_accept(auth, maker_craft("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
                                   maker_claims(NULL), maker_key));
    auth_destroy(&auth);
}

static void test_garbage(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
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
        maker_refuse(auth, *text, "malformed");
    char *good = strdup(maker_token(NULL)), *text = calloc(1, TEXT_MAX);
    size_t size = strlen(good);
    sprintf(text, "%s=", good); /* padding, line ends and the other alphabet are not base64url */
    maker_refuse(auth, text, "malformed");
    sprintf(text, "%s\n", good);
    maker_refuse(auth, text, "malformed");
    sprintf(text, "%s", good);
    text[3] = '+';
    maker_refuse(auth, text, "malformed");
    maker_refuse_sized(auth, "a\0b.c.d", 7, ERR_UNAUTHENTICATED, "malformed");
    for (size_t cut = 1; cut < size; cut++) /* no part of it is good */
        maker_refuse_sized(auth, good, cut, ERR_UNAUTHENTICATED, "the token");
    for (size_t i = 0; i < size; i++) { /* nor any change of one character */
        sprintf(text, "%s", good);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        maker_refuse(auth, text, "the token");
    }
    maker_accept(auth, good);
    free(good);
    free(text);
    auth_destroy(&auth);
}

static void test_size(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    char *huge = malloc(100000);
    memset(huge, 'A', 100000);
    maker_refuse_sized(auth, huge, 100000, ERR_UNAUTHENTICATED, "too long");
    maker_refuse_sized(auth, huge, AUTH_TOKEN_MAX + 1, ERR_UNAUTHENTICATED, "too long");
    maker_refuse_sized(auth, huge, AUTH_TOKEN_MAX, ERR_UNAUTHENTICATED, "malformed");
    char changes[4000];
    memset(huge, 'x', 3900);
    snprintf(changes, sizeof changes, "{\"extra\":\"%.3900s\"}", huge);
    maker_accept(auth, maker_token(changes));
    free(huge);
    auth_destroy(&auth);
}

static void test_signature(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    maker_refuse(auth, maker_craft(HEADER, maker_claims(NULL), maker_other_key), "signature");
    /* Another payload under a good signature. */
    char *good = strdup(maker_token(NULL)), *text = calloc(1, TEXT_MAX);
    char *other = maker_token("{\"username\":\"Eve\"}");
    size_t head = (size_t)(strrchr(other, '.') - other);
    snprintf(text, TEXT_MAX, "%.*s%s", (int)head, other, strrchr(good, '.'));
    maker_refuse(auth, text, "signature");
    snprintf(text, TEXT_MAX, "%sAA", good); /* something behind a good one */
    maker_refuse(auth, text, "signature");
    /* r = s = 0 (CVE-2022-21449), and sizes that are none. */
    uint8_t zeros[128] = {0};
    static const size_t sizes[] = {1, 63, 64, 65, 70, 96, 128};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char part[256];
        maker_base64(zeros, sizes[i], part, sizeof part);
        snprintf(text, TEXT_MAX, "%.*s.%s", (int)(strrchr(good, '.') - good), good, part);
        maker_refuse(auth, text, "signature");
    }
    free(good);
    free(text);
    auth_destroy(&auth);
}

/* ---- claims ---- */

static void test_claims(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
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
            maker_refuse(auth, maker_token(rows[i].changes), rows[i].reason);
        else
            maker_accept(auth, maker_token(rows[i].changes));
    }
    maker_refuse(auth, maker_craft(HEADER, "[]", maker_key), "malformed");
    maker_refuse(auth, maker_craft(HEADER, "{\"iss\":1,\"iss\":2}", maker_key), "malformed");
    auth_destroy(&auth);
}

/* The reason never holds a part of the token. */
static void test_reason_is_silent(void **state)
{
    (void)state;
    auth_t *auth = maker_auth(NULL, 0);
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    const char *token = maker_craft("{\"alg\":\"SECRET\",\"kid\":\"k1\"}",
                                    maker_claims("{\"username\":\"SECRET\"}"), maker_key);
    auth_verify(auth, token, strlen(token), &identity, &err);
    assert_null(strstr(err.text, "SECRET"));
    token = maker_craft("{\"alg\":\"ES256\",\"kid\":\"SECRET\"}", maker_claims(NULL), maker_key);
    err = (err_t)ERR_INIT;
    auth_verify(auth, token, strlen(token), &identity, &err);
    assert_null(strstr(err.text, "SECRET"));
    auth_destroy(&auth);
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
    };
    return cmocka_run_group_tests_name("gateway/auth", tests, maker_make_keys, maker_free_keys);
}
