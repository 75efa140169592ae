/* store/accounts: requests to the user pool, attributes, codes, ID tokens and the access tokens
 * that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/accounts/access_token.h"
#include "store/accounts/codes.h"
#include "store/accounts/cognito_request.h"

#define TARGET "AWSCognitoIdentityProviderService."
#define NOW_US INT64_C(1795403107000000)

/* ---- requests ---- */

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *target, *body;
        cognito_error_t error;
        const char *reason;
    } rows[] = {
        {TARGET "GetUser", "{\"AccessToken\":\"x\"}", COGNITO_OK, NULL},
        {TARGET "GetUser", "{\"AccessToken\":\"x\",\"More\":1}", COGNITO_OK, NULL},
        {TARGET "InitiateAuth", "{\"ClientId\":\"c\",\"AuthFlow\":\"f\"}", COGNITO_OK, NULL},
        {TARGET "InitiateAuth", "{\"ClientId\":\"c\",\"AuthFlow\":\"f\",\"AuthParameters\":null}",
         COGNITO_OK, NULL},
        {NULL, "{}", COGNITO_UNKNOWN_OPERATION, "X-Amz-Target"},
        {"", "{}", COGNITO_UNKNOWN_OPERATION, "X-Amz-Target"},
        {"GetUser", "{}", COGNITO_UNKNOWN_OPERATION, "X-Amz-Target"},
        {TARGET "getUser", "{}", COGNITO_UNKNOWN_OPERATION, "X-Amz-Target"},
        {TARGET "GetUserX", "{}", COGNITO_UNKNOWN_OPERATION, "X-Amz-Target"},
        {TARGET "GetUser", "", COGNITO_SERIALIZATION, "JSON"},
        {TARGET "GetUser", "7", COGNITO_SERIALIZATION, "JSON"},
        {TARGET "GetUser", "{\"AccessToken\":\"a\\u0000b\"}", COGNITO_SERIALIZATION, "JSON"},
        {TARGET "GetUser", "{\"AccessToken\":7}", COGNITO_SERIALIZATION, "AccessToken"},
        {TARGET "GetUser", "{\"AccessToken\":\"\"}", COGNITO_INVALID_PARAMETER, "empty"},
        {TARGET "GetUser", "{\"AccessToken\":null}", COGNITO_INVALID_PARAMETER, "Missing"},
        {TARGET "InitiateAuth", "{\"ClientId\":\"c\",\"AuthFlow\":\"f\",\"AuthParameters\":[]}",
         COGNITO_SERIALIZATION, "map"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cognito_request_t request;
        cognito_refusal_t refusal = {0};
        bool ok = cognito_request_read(rows[i].target, rows[i].body, strlen(rows[i].body), &request,
                                       &refusal);
        if (ok != (rows[i].error == COGNITO_OK) || refusal.error != rows[i].error)
            fail_msg("row %zu: %s", i, refusal.message);
        if (!ok)
            assert_non_null(strstr(refusal.message, rows[i].reason));
        json_decref(request.body);
    }
}

static void test_each_error_has_a_name_and_a_status(void **state)
{
    (void)state;
    for (cognito_error_t error = COGNITO_OK + 1; error < COGNITO_ERRORS; error++) {
        assert_non_null(strstr(cognito_error_name(error), "Exception"));
        assert_true(cognito_error_status(error) >= 400);
    }
    for (cognito_operation_t i = 0; i < COGNITO_OPERATIONS; i++)
        assert_non_null(cognito_operation_name(i));
}

static cognito_error_t s_read_attributes(const char *text, cognito_attributes_t *attributes)
{
    cognito_refusal_t refusal = {0};
    json_t *list = json_loads(text, 0, NULL);
    bool ok = cognito_attributes_read(list, attributes, &refusal);
    if (ok)
        json_decref(attributes->others);
    json_decref(list);
    assert_int_equal(ok, refusal.error == COGNITO_OK);
    return refusal.error;
}

static void test_attributes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        cognito_error_t error;
    } rows[] = {
        {"email", "a@example.com", COGNITO_OK},
        {"email", "", COGNITO_OK},
        {"email", "nobody", COGNITO_INVALID_PARAMETER},
        {"phone_number", "+4912345", COGNITO_OK},
        {"phone_number", "4912345", COGNITO_INVALID_PARAMETER},
        {"phone_number", "+1234567890123456", COGNITO_INVALID_PARAMETER},
        {"nickname", "Ann", COGNITO_OK},
        {"custom:team", "red", COGNITO_OK},
        {"custom:", "red", COGNITO_INVALID_PARAMETER},
        {"custom:a name of more than twenty", "x", COGNITO_INVALID_PARAMETER},
        {"token_use", "access", COGNITO_INVALID_PARAMETER},
        {"Zoë", "x", COGNITO_INVALID_PARAMETER},
        {"sub", "x", COGNITO_NOT_AUTHORIZED},
        {"email_verified", "true", COGNITO_NOT_AUTHORIZED},
        {"phone_number_verified", "true", COGNITO_NOT_AUTHORIZED},
    };
    cognito_attributes_t attributes;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "[{\"Name\":\"%s\",\"Value\":\"%s\"}]", rows[i].name,
                 rows[i].value);
        if (s_read_attributes(text, &attributes) != rows[i].error)
            fail_msg("%s = %s", rows[i].name, rows[i].value);
    }
    assert_int_equal(s_read_attributes("[7]", &attributes), COGNITO_SERIALIZATION);
    assert_int_equal(s_read_attributes("[{\"Name\":\"name\",\"Value\":7}]", &attributes),
                     COGNITO_SERIALIZATION);
    assert_int_equal(s_read_attributes("[]", &attributes), COGNITO_OK);
    assert_false(attributes.has_email);
}

/* ---- codes ---- */

static void s_codes(codes_t *codes, const char *fixed)
{
    uint8_t bytes[MASTER_KEY_SIZE] = {1};
    err_t err = ERR_INIT;
    master_key_t *master = master_key_new(bytes);
    assert_int_equal(codes_init(codes, master, fixed, &err), ERR_OK);
    master_key_destroy(&master);
}

static void test_codes(void **state)
{
    (void)state;
    codes_t codes;
    char code[CODE_BYTES_MAX + 1], other[CODE_BYTES_MAX + 1];
    s_codes(&codes, NULL);
    code_make(&codes, code);
    assert_int_equal(strspn(code, "0123456789"), 6);
    assert_int_equal(strlen(code), 6);
    int same = 0;
    for (int i = 0; i < 20; i++) {
        code_make(&codes, other);
        same += strcmp(code, other) == 0;
    }
    assert_true(same < 5);
    uint8_t hash[CODE_HASH_SIZE], again[CODE_HASH_SIZE];
    parley_uuid_t one = {{1}}, two = {{2}};
    code_hash(&codes, &one, CODE_SIGN_UP, "123456", 6, hash);
    code_hash(&codes, &one, CODE_SIGN_UP, "123456", 6, again);
    assert_memory_equal(hash, again, sizeof hash);
    code_hash(&codes, &two, CODE_SIGN_UP, "123456", 6, again);
    assert_memory_not_equal(hash, again, sizeof hash);
    code_hash(&codes, &one, CODE_PASSWORD, "123456", 6, again);
    assert_memory_not_equal(hash, again, sizeof hash);
    s_codes(&codes, "42");
    code_make(&codes, code);
    assert_string_equal(code, "42");
    err_t err = ERR_INIT;
    uint8_t bytes[MASTER_KEY_SIZE] = {1};
    master_key_t *master = master_key_new(bytes);
    assert_int_equal(codes_init(&codes, master, "with blank", &err), ERR_CONFIG);
    err = (err_t)ERR_INIT;
    assert_int_equal(codes_init(&codes, master, "0123456789012345678901234567890123", &err),
                     ERR_CONFIG);
    master_key_destroy(&master);
}

static void test_names_without_an_account(void **state)
{
    (void)state;
    codes_t codes;
    s_codes(&codes, NULL);
    char seen[300][16], destination[CODE_DESTINATION_SIZE], again[CODE_DESTINATION_SIZE];
    size_t distinct = 0;
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", i);
        parley_uuid_t id = code_nobody(&codes, name);
        size_t j = 0;
        while (j < distinct && memcmp(seen[j], id.bytes, 16) != 0)
            j++;
        if (j == distinct) {
            assert_true(distinct < 256);
            memcpy(seen[distinct++], id.bytes, 16);
        }
    }
    assert_true(distinct > 200);
    code_destination(&codes, "ann", NULL, destination);
    code_destination(&codes, "ann", NULL, again);
    assert_string_equal(destination, again);
    assert_memory_equal(destination + 1, "***@", 4);
    code_destination(&codes, "ann", "zoe@mail.example", destination);
    assert_string_equal(destination, "z***@m***");
}

/* ---- tokens ---- */

typedef struct {
    keyring_t *keys;
    char sub[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    parley_uuid_t account, session_id;
} world_t;

static keyring_t *s_keyring(uint8_t first)
{
    uint8_t bytes[MASTER_KEY_SIZE] = {first};
    new_signing_key_t key;
    err_t err = ERR_INIT;
    master_key_t *master = master_key_new(bytes);
    keyring_t *keys = keyring_new(master);
    master_key_destroy(&master);
    assert_int_equal(keyring_generate(keys, &key, &err), ERR_OK);
    keyring_row_t row = {.generation = 1,
                         .kid = key.kid,
                         .alg = key.alg,
                         .sealed = key.sealed,
                         .sealed_size = key.sealed_size};
    assert_int_equal(keyring_load(keys, &row, 1, &err), ERR_OK);
    return keys;
}

static void s_world(world_t *world, access_token_spec_t *spec)
{
    world->keys = s_keyring(1);
    world->account = uuid_v7(1);
    world->session_id = uuid_v7(2);
    uuid_print(&world->account, world->sub);
    uuid_print(&world->session_id, world->session);
    *spec = (access_token_spec_t){.issuer = "iss",
                                  .client_id = "c",
                                  .sub = world->sub,
                                  .username = "Ann",
                                  .session = world->session,
                                  .auth_time_us = NOW_US,
                                  .now_us = NOW_US};
}

static const char *
s_read(const world_t *world, const char *token, const char *client, int64_t now_us)
{
    static err_t err;
    access_claims_t claims;
    err = (err_t)ERR_INIT;
    err_code_t code =
        access_token_read(world->keys, "iss", client, token, strlen(token), now_us, &claims, &err);
    if (code != ERR_OK)
        return err.text;
    assert_memory_equal(claims.account.bytes, world->account.bytes, 16);
    assert_memory_equal(claims.session.bytes, world->session_id.bytes, 16);
    return NULL;
}

static void test_access_tokens_come_back(void **state)
{
    (void)state;
    world_t world, other;
    access_token_spec_t spec, unused;
    id_token_spec_t account = {.attributes = "{}"};
    err_t err = ERR_INIT;
    int64_t expires_at_us;
    s_world(&world, &spec);
    s_world(&other, &unused);
    const signing_key_t *key = keyring_signer(world.keys, NOW_US);
    char *token = access_token_issue(key, &spec, &expires_at_us, &err);
    char *id = id_token_issue(key, &spec, &account, &err);
    assert_null(s_read(&world, token, "c", NOW_US));
    assert_null(s_read(&world, token, "c", expires_at_us + 29 * 1000000));
    assert_string_equal(s_read(&world, token, "c", expires_at_us + 30 * 1000000),
                        "Access Token has expired");
    static const char invalid[] = "Invalid Access Token";
    assert_string_equal(s_read(&world, token, "another", NOW_US), invalid);
    assert_string_equal(s_read(&other, token, "c", NOW_US), invalid);
    assert_string_equal(s_read(&world, id, "c", NOW_US), invalid);
    char *signature = strrchr(token, '.') + 1;
    signature[10] = signature[10] == 'A' ? 'B' : 'A';
    assert_string_equal(s_read(&world, token, "c", NOW_US), invalid);
    signature[0] = '\0';
    assert_string_equal(s_read(&world, token, "c", NOW_US), invalid);
    assert_string_equal(s_read(&world, "", "c", NOW_US), invalid);
    free(token);
    free(id);
    keyring_destroy(&world.keys);
    keyring_destroy(&other.keys);
}

static json_t *s_claims(const char *token)
{
    unsigned char bytes[4096];
    size_t size;
    const char *payload = strchr(token, '.') + 1;
    assert_int_equal(sodium_base642bin(bytes, sizeof bytes, payload, strcspn(payload, "."), NULL,
                                       &size, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    return json_loadb((const char *)bytes, size, 0, NULL);
}

static void test_id_tokens(void **state)
{
    (void)state;
    world_t world;
    access_token_spec_t spec;
    err_t err = ERR_INIT;
    s_world(&world, &spec);
    json_t *groups = json_pack("[s]", "admins");
    spec.groups = groups;
    /* an attribute is a claim, but none of ours */
    id_token_spec_t account = {.email = "a@example.com",
                               .email_verified = true,
                               .attributes = "{\"name\":\"Ann\",\"custom:team\":\"red\"}"};
    char *token = id_token_issue(keyring_signer(world.keys, NOW_US), &spec, &account, &err);
    json_t *claims = s_claims(token), *value;
    json_t *wanted = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:[s]}", "iss",
        "iss", "sub", world.sub, "aud", "c", "cognito:username", "Ann", "token_use", "id",
        "session", world.session, "email", "a@example.com", "email_verified", 1, "name", "Ann",
        "custom:team", "red", "origin_jti", world.session, "iat", (json_int_t)(NOW_US / 1000000),
        "exp", (json_int_t)(NOW_US / 1000000 + ACCESS_TOKEN_LIFETIME_S), "auth_time",
        (json_int_t)(NOW_US / 1000000), "cognito:groups", "admins");
    const char *name;
    assert_int_equal(json_object_del(claims, "jti"), 0);
    assert_int_equal(json_object_size(claims), json_object_size(wanted));
    json_object_foreach(wanted, name, value)
    {
        if (!json_equal(json_object_get(claims, name), value))
            fail_msg("claim %s is wrong", name);
    }
    json_decref(wanted);
    json_decref(claims);
    json_decref(groups);
    free(token);
    keyring_destroy(&world.keys);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_each_error_has_a_name_and_a_status),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_names_without_an_account),
        cmocka_unit_test(test_access_tokens_come_back),
        cmocka_unit_test(test_id_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
