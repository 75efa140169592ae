/* store/accounts: master key, signing keys, access and refresh tokens; and that a gateway accepts
 * what a store signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "gateway/auth/auth.h"
#include "store/accounts/access_token.h"
#include "store/accounts/keyring.h"
#include "store/accounts/master_key.h"
#include "store/accounts/refresh_token.h"

#define NOW_US INT64_C(1800000000000000)

static const uint8_t s_bytes[MASTER_KEY_SIZE] = "0123456789abcdef0123456789abcdef";
static const uint8_t s_other_bytes[MASTER_KEY_SIZE] = "0123456789abcdef0123456789abcdeg";

static int s_init(void **state)
{
    (void)state;
    return sodium_init();
}

static keyring_t *s_keyring(const uint8_t bytes[MASTER_KEY_SIZE])
{
    master_key_t *master = master_key_new(bytes);
    keyring_t *keyring = keyring_new(master);
    master_key_destroy(&master);
    return keyring;
}

static keyring_row_t s_row(const new_signing_key_t *key, int32_t generation)
{
    return (keyring_row_t){.generation = generation,
                           .kid = key->kid,
                           .alg = key->alg,
                           .sealed = key->sealed,
                           .sealed_size = key->sealed_size,
                           .signs_from_us = NOW_US};
}

/* ---- master.key ---- */

static void s_write(const char *dir, const void *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/master.key", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void test_master_key(void **state)
{
    (void)state;
    char dir[] = "/tmp/parley-test-XXXXXX", path[300], hex[2 * MASTER_KEY_SIZE + 2];
    assert_non_null(mkdtemp(dir));
    err_t err = ERR_INIT;
    assert_null(master_key_read(NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    err = (err_t)ERR_INIT;
    assert_null(master_key_read(dir, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "keygen"));
    uint8_t expected[SUBKEY_SIZE], derived[SUBKEY_SIZE], other[SUBKEY_SIZE];
    master_key_t *master = master_key_new(s_bytes);
    master_key_derive(master, SUBKEY_SIGNING_KEYS, expected);
    master_key_derive(master, SUBKEY_REFRESH_TAG, other);
    assert_memory_not_equal(expected, other, sizeof other);
    master_key_destroy(&master);
    sodium_bin2hex(hex, sizeof hex, s_bytes, sizeof s_bytes);
    strcat(hex, "\n");
    for (int raw = 0; raw < 2; raw++) {
        s_write(dir, raw ? (const char *)s_bytes : hex, raw ? sizeof s_bytes : strlen(hex));
        err = (err_t)ERR_INIT;
        master = master_key_read(dir, &err);
        assert_non_null(master);
        master_key_derive(master, SUBKEY_SIGNING_KEYS, derived);
        assert_memory_equal(derived, expected, sizeof derived);
        master_key_destroy(&master);
    }
    static const char *const broken[] = {
        "", "abc", "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", NULL};
    for (const char *const *text = broken; *text; text++) {
        s_write(dir, *text, strlen(*text));
        err = (err_t)ERR_INIT;
        assert_null(master_key_read(dir, &err));
        assert_int_equal(err.code, ERR_CONFIG);
    }
    snprintf(path, sizeof path, "%s/master.key", dir);
    unlink(path);
    rmdir(dir);
}

/* ---- signing keys ---- */

static void test_keyring(void **state)
{
    (void)state;
    keyring_t *keyring = s_keyring(s_bytes), *sister = s_keyring(s_bytes);
    err_t err = ERR_INIT;
    new_signing_key_t first, second;
    assert_null(keyring_signer(keyring, NOW_US));
    assert_int_equal(keyring_generate(keyring, &first, &err), ERR_OK);
    assert_int_equal(keyring_generate(keyring, &second, &err), ERR_OK);
    assert_string_not_equal(first.kid, second.kid);
    assert_int_equal(strlen(first.kid), KID_SIZE - 1);
    assert_null(memmem(first.sealed, first.sealed_size, "PRIVATE", 7));

    /* The second takes over when it is due; both are published all the time. */
    keyring_row_t rows[] = {s_row(&first, 1), s_row(&second, 2)};
    rows[1].signs_from_us = NOW_US + 10;
    assert_int_equal(keyring_load(sister, rows, 2, &err), ERR_OK);
    assert_string_equal(keyring_signer(sister, NOW_US)->kid, first.kid);
    assert_string_equal(keyring_signer(sister, NOW_US - 1)->kid, first.kid); /* clocks differ */
    assert_string_equal(keyring_signer(sister, NOW_US + 10)->kid, second.kid);
    json_t *jwks = keyring_jwks(sister, NOW_US);
    assert_int_equal(json_array_size(json_object_get(jwks, "keys")), 2);
    char *text = json_dumps(jwks, 0);
    assert_null(strstr(text, "\"d\""));
    free(text);
    json_decref(jwks);

    /* The first retires. */
    rows[0].verifies_until_us = NOW_US + 20;
    assert_int_equal(keyring_load(sister, rows, 2, &err), ERR_OK);
    jwks = keyring_jwks(sister, NOW_US + 20);
    json_t *keys = json_object_get(jwks, "keys");
    assert_int_equal(json_array_size(keys), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "kid")),
                        second.kid);
    json_decref(jwks);
    assert_int_equal(keyring_load(sister, rows, 1, &err), ERR_OK);
    assert_null(keyring_signer(sister, NOW_US + 20));
    keyring_destroy(&keyring);
    keyring_destroy(&sister);
}

static void s_refuse_row(keyring_row_t row, err_code_t code, const char *reason)
{
    keyring_t *keyring = s_keyring(s_bytes);
    err_t err = ERR_INIT;
    new_signing_key_t good;
    assert_int_equal(keyring_generate(keyring, &good, &err), ERR_OK);
    keyring_row_t rows[] = {s_row(&good, 1), row};
    assert_int_equal(keyring_load(keyring, rows, 1, &err), ERR_OK);
    assert_int_equal(keyring_load(keyring, rows, 2, &err), code);
    if (!strstr(err.text, reason))
        fail_msg("'%s' does not say '%s'", err.text, reason);
    assert_string_equal(keyring_signer(keyring, NOW_US)->kid, good.kid); /* stays as it was */
    keyring_destroy(&keyring);
}

static void test_keyring_refuses(void **state)
{
    (void)state;
    keyring_t *keyring = s_keyring(s_bytes), *stranger = s_keyring(s_other_bytes);
    err_t err = ERR_INIT;
    new_signing_key_t ours, theirs, broken;
    assert_int_equal(keyring_generate(keyring, &ours, &err), ERR_OK);
    assert_int_equal(keyring_generate(stranger, &theirs, &err), ERR_OK);
    s_refuse_row(s_row(&theirs, 2), ERR_CONFIG, "master.key does not open");
    broken = ours;
    broken.sealed[40] ^= 1;
    s_refuse_row(s_row(&broken, 2), ERR_CONFIG, "master.key does not open");
    broken = ours;
    broken.sealed_size = 10;
    s_refuse_row(s_row(&broken, 2), ERR_SYSTEM, "broken");
    broken = ours;
    broken.kid[0] = broken.kid[0] == 'A' ? 'B' : 'A'; /* a good key under another's name */
    s_refuse_row(s_row(&broken, 2), ERR_SYSTEM, "another");
    broken = ours;
    broken.alg = "HS256";
    s_refuse_row(s_row(&broken, 2), ERR_SYSTEM, "HS256");
    keyring_row_t many[KEYRING_MAX + 1];
    for (int i = 0; i <= KEYRING_MAX; i++)
        many[i] = s_row(&ours, i + 1);
    assert_int_equal(keyring_load(keyring, many, KEYRING_MAX + 1, &err), ERR_SYSTEM);
    keyring_destroy(&keyring);
    keyring_destroy(&stranger);
}

/* ---- access tokens ---- */

static void s_apply(auth_t *auth, const char *text)
{
    err_t err = ERR_INIT;
    bool has_more;
    json_slice_t answer = {.data = text, .size = strlen(text)};
    assert_int_equal(auth_apply(auth, "store", answer, &has_more, &err), ERR_OK);
}

/* A token is good until its session ends, whether it was seen before or not. */
static void s_refuse_ended(auth_t *auth, const keyring_t *keyring, access_token_spec_t *spec)
{
    err_t err = ERR_INIT;
    int64_t expires_at_us;
    char *token = access_token_issue(keyring_signer(keyring, NOW_US), spec, &expires_at_us, &err);
    identity_t *kept = NULL, *identity = NULL;
    assert_int_equal(auth_verify(auth, token, strlen(token), &kept, &err), ERR_OK);
    assert_true(auth_follow(auth, "store"));
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_UNAVAILABLE);
    s_apply(auth, "{\"epoch\":\"00c0ffee00c0ffee\",\"seq\":1,\"reset\":true,\"changes\":[]}");
    err = (err_t)ERR_INIT;
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_OK);
    identity_unref(&identity);
    assert_null(auth_objection(auth, kept));
    s_apply(auth, "{\"epoch\":\"00c0ffee00c0ffee\",\"seq\":2,\"changes\":[{\"session\":"
                  "\"0190c0de-0000-7000-8000-000000000002\",\"until\":1900000000000}]}");
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_UNAUTHENTICATED);
    assert_string_equal(err.text, "the session has ended");
    assert_string_equal(auth_objection(auth, kept), "the session has ended");
    free(token);
    token = access_token_issue(keyring_signer(keyring, NOW_US), spec, &expires_at_us, &err);
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_UNAUTHENTICATED);
    free(token);
    spec->session = "0190c0de-0000-7000-8000-000000000003";
    token = access_token_issue(keyring_signer(keyring, NOW_US), spec, &expires_at_us, &err);
    err = (err_t)ERR_INIT;
    assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_OK);
    identity_unref(&identity);
    identity_unref(&kept);
    free(token);
}

static void test_access_token(void **state)
{
    (void)state;
    keyring_t *keyring = s_keyring(s_bytes);
    err_t err = ERR_INIT;
    new_signing_key_t key;
    assert_int_equal(keyring_generate(keyring, &key, &err), ERR_OK);
    keyring_row_t row = s_row(&key, 1);
    assert_int_equal(keyring_load(keyring, &row, 1, &err), ERR_OK);
    json_t *groups = json_pack("[s, s]", "a", "b\"");
    access_token_spec_t spec = {.issuer = "http://localhost:8080/local-1_chat",
                                .client_id = "chatclient",
                                .sub = "0190c0de-0000-7000-8000-000000000001",
                                .username = "Zoë \"Z\"",
                                .session = "0190c0de-0000-7000-8000-000000000002",
                                .groups = groups,
                                .auth_time_us = NOW_US - 5000000,
                                .now_us = NOW_US};
    auth_options_t options = {0};
    auth_t *auth = auth_new(&options);
    json_t *issuer = json_pack("{s:s, s:s, s:o}", "iss", spec.issuer, "clientId", spec.client_id,
                               "jwks", keyring_jwks(keyring, NOW_US));
    assert_int_equal(auth_set_issuer(auth, "store", issuer, &err), ERR_OK);
    json_decref(issuer);
    clock_test_set(NOW_US, 0);
    for (int i = 0; i < 300; i++) { /* so many that short r and s come up */
        int64_t expires_at_us = 0;
        char *token =
            access_token_issue(keyring_signer(keyring, NOW_US), &spec, &expires_at_us, &err);
        assert_non_null(token);
        assert_true(expires_at_us == NOW_US + INT64_C(3600000000));
        identity_t *identity = NULL;
        assert_int_equal(auth_verify(auth, token, strlen(token), &identity, &err), ERR_OK);
        assert_string_equal(identity_handle(identity), spec.username);
        assert_string_equal(identity_sub(identity), spec.sub);
        assert_string_equal(identity_session(identity), spec.session);
        assert_true(identity_expires_at_us(identity) == expires_at_us);
        assert_true(identity_in_group(identity, "a"));
        assert_true(identity_in_group(identity, "b\""));
        identity_unref(&identity);
        free(token);
    }
    s_refuse_ended(auth, keyring, &spec);
    json_decref(groups);
    clock_test_off();
    auth_destroy(&auth);
    keyring_destroy(&keyring);
}

/* Another library reads the token the same way. */
static void test_access_token_by_libjwt(void **state)
{
    (void)state;
    keyring_t *keyring = s_keyring(s_bytes);
    err_t err = ERR_INIT;
    new_signing_key_t key;
    assert_int_equal(keyring_generate(keyring, &key, &err), ERR_OK);
    keyring_row_t row = s_row(&key, 1);
    assert_int_equal(keyring_load(keyring, &row, 1, &err), ERR_OK);
    const signing_key_t *signer = keyring_signer(keyring, NOW_US);
    access_token_spec_t spec = {.issuer = "i",
                                .client_id = "c",
                                .sub = "s",
                                .username = "Ann",
                                .session = "f",
                                .auth_time_us = NOW_US - 5000000,
                                .now_us = NOW_US};
    int64_t expires_at_us = 0;
    char *token = access_token_issue(signer, &spec, &expires_at_us, &err), *pem = NULL;
    BIO *secret = BIO_new_mem_buf(signer->pem, -1), *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *pair = PEM_read_bio_PrivateKey(secret, NULL, NULL, NULL);
    assert_non_null(pair);
    PEM_write_bio_PUBKEY(bio, pair);
    long pem_size = BIO_get_mem_data(bio, &pem);
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_decode(&jwt, token, (uint8_t *)pem, (int)pem_size), 0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_ES256);
    assert_string_equal(jwt_get_header(jwt, "kid"), key.kid);
    assert_string_equal(jwt_get_header(jwt, "typ"), "JWT");
    assert_string_equal(jwt_get_grant(jwt, "iss"), "i");
    assert_string_equal(jwt_get_grant(jwt, "client_id"), "c");
    assert_string_equal(jwt_get_grant(jwt, "token_use"), "access");
    assert_string_equal(jwt_get_grant(jwt, "username"), "Ann");
    assert_int_equal(jwt_get_grant_int(jwt, "iat"), NOW_US / 1000000);
    assert_int_equal(jwt_get_grant_int(jwt, "exp"), NOW_US / 1000000 + 3600);
    assert_int_equal(jwt_get_grant_int(jwt, "auth_time"), NOW_US / 1000000 - 5);
    assert_int_equal(strlen(jwt_get_grant(jwt, "jti")), 36);
    jwt_free(jwt);
    free(token);
    EVP_PKEY_free(pair);
    BIO_free(secret);
    BIO_free(bio);
    keyring_destroy(&keyring);
}

/* ---- refresh tokens ---- */

static void s_refresh_keys(const uint8_t bytes[MASTER_KEY_SIZE], refresh_keys_t *keys)
{
    master_key_t *master = master_key_new(bytes);
    refresh_keys_derive(master, keys);
    master_key_destroy(&master);
}

static void test_refresh_token(void **state)
{
    (void)state;
    refresh_keys_t keys, other_keys;
    s_refresh_keys(s_bytes, &keys);
    s_refresh_keys(s_other_bytes, &other_keys);
    parley_uuid_t session = uuid_v7(NOW_US / 1000);
    refresh_token_t token, second, read;
    char text[REFRESH_TEXT_SIZE];
    uint8_t hash[REFRESH_HASH_SIZE], read_hash[REFRESH_HASH_SIZE];
    refresh_token_make(&session, &token);
    refresh_token_make(&session, &second);
    assert_memory_not_equal(token.secret, second.secret, REFRESH_SECRET_SIZE);
    refresh_token_print(&keys, &token, text);
    assert_int_equal(strlen(text), REFRESH_TEXT_SIZE - 1);
    assert_true(refresh_token_parse(&keys, text, strlen(text), &read));
    assert_memory_equal(&read, &token, sizeof token);
    refresh_token_hash(&token, hash);
    refresh_token_hash(&read, read_hash);
    assert_memory_equal(hash, read_hash, sizeof hash);
    refresh_token_hash(&second, read_hash);
    assert_memory_not_equal(hash, read_hash, sizeof hash);

    /* Made up, cut, changed or another system's. */
    assert_false(refresh_token_parse(&other_keys, text, strlen(text), &read));
    assert_false(refresh_token_parse(&keys, text, strlen(text) - 1, &read));
    assert_false(refresh_token_parse(&keys, "", 0, &read));
    assert_false(refresh_token_parse(&keys, "x", 1, &read));
    for (size_t i = 0; i < strlen(text); i++) {
        char changed[REFRESH_TEXT_SIZE];
        memcpy(changed, text, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(refresh_token_parse(&keys, changed, strlen(changed), &read));
        changed[i] = '+';
        assert_false(refresh_token_parse(&keys, changed, strlen(changed), &read));
    }
}

static void test_successor(void **state)
{
    (void)state;
    refresh_keys_t keys, other_keys;
    s_refresh_keys(s_bytes, &keys);
    s_refresh_keys(s_other_bytes, &other_keys);
    parley_uuid_t session = uuid_v7(NOW_US / 1000);
    refresh_token_t token, successor, read;
    uint8_t sealed[REFRESH_SEALED_SIZE];
    refresh_token_make(&session, &token);
    refresh_token_make(&session, &successor);
    refresh_token_seal(&keys, &token, &successor, sealed);
    assert_true(refresh_token_unseal(&keys, &token, sealed, sizeof sealed, &read));
    assert_memory_equal(&read, &successor, sizeof successor);
    assert_false(refresh_token_unseal(&keys, &successor, sealed, sizeof sealed, &read));
    assert_false(refresh_token_unseal(&other_keys, &token, sealed, sizeof sealed, &read));
    assert_false(refresh_token_unseal(&keys, &token, sealed, sizeof sealed - 1, &read));
    sealed[50] ^= 1;
    assert_false(refresh_token_unseal(&keys, &token, sealed, sizeof sealed, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_master_key),
        cmocka_unit_test(test_keyring),
        cmocka_unit_test(test_keyring_refuses),
        cmocka_unit_test(test_access_token),
        cmocka_unit_test(test_access_token_by_libjwt),
        cmocka_unit_test(test_refresh_token),
        cmocka_unit_test(test_successor),
    };
    return cmocka_run_group_tests_name("store/accounts tokens", tests, s_init, NULL);
}
