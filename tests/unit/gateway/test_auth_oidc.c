/* OpenID Connect issuers without the network: what their tokens must say, where their keys may be
 * fetched, and the list of options. With the real oidc-provider: tests/e2e/oidc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "gateway/auth/auth.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/oidc.h"

#define NOW_US (INT64_C(1800000000) * 1000000)

static json_t *s_claims(const char *text)
{
    json_t *claims = json_loads(text, 0, NULL);
    assert_non_null(claims);
    return claims;
}

static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *audience, *refusal; /* NULL: it is good */
    } cases[] = {
        {"{\"exp\":1800000100,\"aud\":\"us\"}", "us", NULL},
        {"{\"exp\":1800000100,\"aud\":[\"x\",\"us\"]}", "us", NULL},
        {"{\"exp\":1800000100,\"aud\":\"api\",\"azp\":\"us\"}", "us", NULL},
        {"{\"exp\":1800000100,\"aud\":\"api\",\"client_id\":\"us\"}", "us", NULL},
        {"{\"exp\":1800000100,\"aud\":\"us\",\"client_id\":\"them\"}", "us", NULL},
        {"{\"exp\":1800000100,\"aud\":\"us\",\"token_use\":\"id\"}", "us", NULL},
        {"{\"exp\":1800000100}", NULL, NULL},
        {"{\"exp\":1800000100}", "us", "audience"},
        {"{\"exp\":1800000100,\"aud\":\"them\"}", "us", "audience"},
        {"{\"exp\":1800000100,\"aud\":[[\"us\"]]}", "us", "audience"},
        {"{\"exp\":1800000100,\"aud\":{\"us\":1}}", "us", "audience"},
        {"{\"aud\":\"us\"}", "us", "expires"},
        {"{\"exp\":1799999970,\"aud\":\"us\"}", "us", "expired"},
        {"{\"exp\":1800000100,\"nbf\":1800000031,\"aud\":\"us\"}", "us", "not valid yet"},
        {"{\"exp\":1800000100,\"iat\":1800000031,\"aud\":\"us\"}", "us", "not valid yet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_t err = ERR_INIT;
        json_t *claims = s_claims(cases[i].claims);
        err_code_t code = claims_check_oidc(claims, cases[i].audience, NOW_US, &err);
        assert_int_equal(code, cases[i].refusal ? ERR_UNAUTHENTICATED : ERR_OK);
        if (cases[i].refusal && !strstr(err.text, cases[i].refusal))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].refusal);
        json_decref(claims);
    }
}

static void test_handle(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *claim, *handle; /* NULL: it names nobody */
    } cases[] = {
        {"{\"sub\":\"1\",\"preferred_username\":\"ada\",\"email\":\"a@b.c\"}", NULL, "ada"},
        {"{\"sub\":\"1\",\"email\":\"a@b.c\"}", NULL, "a@b.c"},
        {"{\"sub\":\"1\"}", NULL, "1"},
        {"{\"sub\":\"1\",\"username\":\"not ours\"}", NULL, "1"},
        {"{\"sub\":\"1\",\"nick\":\"ad\",\"preferred_username\":\"ada\"}", "nick", "ad"},
        {"{\"sub\":\"1\",\"preferred_username\":\"ada\"}", "nick", NULL},
        {"{\"sub\":\"1\",\"nick\":7}", "nick", NULL},
        {"{\"preferred_username\":\"ada\"}", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_t err = ERR_INIT;
        json_t *claims = s_claims(cases[i].claims);
        claims_source_t source = {.provider = IDENTITY_OIDC, .handle_claim = cases[i].claim};
        identity_t *identity = claims_identity(claims, &source, &err);
        if (cases[i].handle)
            assert_string_equal(identity_handle(identity), cases[i].handle);
        else
            assert_null(identity);
        identity_unref(&identity);
        json_decref(claims);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://accounts.example.com", "https://example.com:8443/realms/x",
        "http://127.0.0.1:3000",        "http://127.1.2.3/x",
        "http://localhost:3000",        "http://[::1]:3000/x",
    };
    static const char *const bad[] = {
        "",
        "example.com",
        "http://example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://[::2]/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user:secret@example.com",
        "javascript:alert(1)",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!oidc_url_is_safe(good[i]))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (oidc_url_is_safe(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

static void test_list(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://example.com",
        "https://a.example,b,c,d",
        ",aud",
        "https://a.example;https://a.example",
        "https://a.example; nonsense",
    };
    loop_t *loop = loop_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        auth_t *auth = auth_new(&(auth_options_t){.api_key = NULL});
        err_t err = ERR_INIT;
        assert_null(oidc_new(loop, auth, bad[i], &err));
        assert_int_equal(err.code, ERR_CONFIG);
        auth_destroy(&auth);
    }
    auth_t *auth = auth_new(&(auth_options_t){.api_key = NULL});
    err_t err = ERR_INIT;
    oidc_t *oidc =
        oidc_new(loop, auth, " http://127.0.0.1:1,aud,nick ;http://127.0.0.1:2,,x;;", &err);
    assert_non_null(oidc);
    assert_int_equal(auth_add_oidc(auth, "http://127.0.0.1:2", NULL, NULL, &err), ERR_CONFIG);
    oidc_destroy(&oidc);
    assert_null(oidc);
    auth_destroy(&auth);
    loop_destroy(&loop);
}

/* Keys that are broken are passed over; what is no set of keys changes nothing. */
static void test_keys(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    auth_t *auth = auth_new(&(auth_options_t){.api_key = NULL});
    assert_int_equal(auth_add_oidc(auth, "https://a", NULL, NULL, &err), ERR_OK);
    assert_false(auth_has_issuer(auth));
    json_t *jwks = s_claims(
        "{\"keys\":[7,{},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
        "\"kid\":\"good\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    assert_int_equal(auth_set_oidc_keys(auth, "https://a", jwks, &err), ERR_OK);
    assert_true(auth_has_issuer(auth));
    assert_int_equal(auth_set_oidc_keys(auth, "https://b", jwks, &err), ERR_CONFIG);
    json_decref(jwks);
    jwks = s_claims("{\"error\":\"sorry\"}");
    assert_int_equal(auth_set_oidc_keys(auth, "https://a", jwks, &err), ERR_CONFIG);
    assert_true(auth_has_issuer(auth));
    json_decref(jwks);
    auth_destroy(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),    cmocka_unit_test(test_handle),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_list),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests_name("oidc", tests, NULL, NULL);
}
