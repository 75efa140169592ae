/* What services say of sessions and API keys (proto/bus.md 4.5): the codec, and what auth makes of
 * it. Tokens whose session has ended are in tests/unit/store/test_accounts_tokens.c, where tokens
 * are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/ledger.h"

#define EPOCH "\"epoch\":\"00c0ffee00c0ffee\""
#define NOW_US (INT64_C(1800000000) * 1000000)

enum { TEXT_MAX = 4096 };

static ledger_news_t s_take(ledger_t *ledger, const char *text)
{
    err_t err = ERR_INIT;
    ledger_news_t news;
    if (ledger_apply(ledger, (json_slice_t){.data = text, .size = strlen(text)}, NOW_US, &news,
                     &err))
        fail_msg("%s", err.text);
    return news;
}

/* A change that announces the key. */
static const char *s_key(const char *id, const char *key, const char *more)
{
    static char text[TEXT_MAX];
    uint8_t hash[crypto_hash_sha256_BYTES];
    char base64[64];
    crypto_hash_sha256(hash, (const uint8_t *)key, strlen(key));
    sodium_bin2base64(base64, sizeof base64, hash, sizeof hash,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(text, sizeof text, "{\"key\":\"%s\",\"hash\":\"%s\",%s}", id, base64, more);
    return text;
}

static const char *s_answer(uint64_t seq, const char *flags, const char *changes)
{
    static char text[2 * TEXT_MAX];
    snprintf(text, sizeof text, "{" EPOCH ",\"seq\":%llu%s,\"changes\":[%s]}",
             (unsigned long long)seq, flags, changes);
    return text;
}

static const char s_reset[] = ",\"reset\":true,\"more\":false";

static void test_sessions(void **state)
{
    (void)state;
    ledger_t *ledger = ledger_new("store", LEDGER_SESSIONS_MAX);
    assert_false(ledger_is_known(ledger));
    assert_string_equal(ledger_epoch(ledger), "");
    s_take(ledger, s_answer(3, s_reset, "{\"session\":\"a\",\"until\":1800000060000}"));
    assert_true(ledger_is_known(ledger));
    assert_string_equal(ledger_epoch(ledger), "00c0ffee00c0ffee");
    assert_int_equal(ledger_seq(ledger), 3);
    assert_true(ledger_has_ended(ledger, "a"));
    assert_false(ledger_has_ended(ledger, "b"));
    assert_true(
        s_take(ledger, s_answer(4, "", "{\"session\":\"b\",\"until\":1800000000001}")).has_ended);
    assert_true(ledger_has_ended(ledger, "b"));
    /* without changes, and a reset: nothing that ended lives again */
    assert_false(s_take(ledger, "{" EPOCH ",\"seq\":4}").has_ended);
    s_take(ledger, s_answer(4, s_reset, ""));
    assert_true(ledger_has_ended(ledger, "a"));
    ledger_destroy(&ledger);
    assert_null(ledger);
}

/* A session is forgotten when no token of it can live. */
static void test_forgets(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    ledger_news_t news;
    ledger_t *ledger = ledger_new("store", LEDGER_SESSIONS_MAX);
    s_take(ledger, s_answer(2, s_reset,
                            "{\"session\":\"short\",\"until\":1800000010000},"
                            "{\"session\":\"long\",\"until\":1800003600000}"));
    const char *nothing = "{" EPOCH ",\"seq\":2}";
    json_slice_t answer = {.data = nothing, .size = strlen(nothing)};
    assert_int_equal(ledger_apply(ledger, answer, NOW_US + 100 * 1000000, &news, &err), ERR_OK);
    assert_false(ledger_has_ended(ledger, "short"));
    assert_true(ledger_has_ended(ledger, "long"));
    ledger_destroy(&ledger);
}

/* When there is no room the first goes, and that is told. */
static void test_too_many(void **state)
{
    (void)state;
    ledger_t *ledger = ledger_new("store", 2);
    const metric_t *forgotten = metrics_counter("parley_sessions_forgotten_total", "", NULL);
    s_take(ledger, s_answer(2, s_reset,
                            "{\"session\":\"a\",\"until\":1800000060000},"
                            "{\"session\":\"dead\",\"until\":1800000000000},"
                            "{\"session\":\"b\",\"until\":1800000060000}"));
    assert_true(ledger_has_ended(ledger, "a"));
    assert_true(ledger_has_ended(ledger, "b"));
    assert_int_equal(metric_value(forgotten), 0);
    s_take(ledger, s_answer(3, "", "{\"session\":\"c\",\"until\":1800000060000}"));
    assert_false(ledger_has_ended(ledger, "a"));
    assert_true(ledger_has_ended(ledger, "b"));
    assert_true(ledger_has_ended(ledger, "c"));
    assert_int_equal(metric_value(forgotten), 1);
    ledger_destroy(&ledger);
    metrics_shutdown();
}

static void test_what_is_no_answer(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{" EPOCH "}",
        "{\"seq\":1}",
        "{\"epoch\":\"short\",\"seq\":1}",
        "{" EPOCH ",\"seq\":-1}",
        "{" EPOCH ",\"seq\":\"1\"}",
    };
    ledger_t *ledger = ledger_new("store", LEDGER_SESSIONS_MAX);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        err_t err = ERR_INIT;
        ledger_news_t news;
        json_slice_t text = {.data = texts[i], .size = strlen(texts[i])};
        assert_int_equal(ledger_apply(ledger, text, NOW_US, &news, &err), ERR_PROTOCOL);
        assert_false(ledger_is_known(ledger));
    }
    /* changes that are none, or of a later version, are passed over */
    s_take(ledger, s_answer(1, s_reset,
                            "1,null,{},{\"session\":1},{\"session\":\"\",\"until\":1},"
                            "{\"session\":\"x\"},{\"key\":\"k\"},{\"key\":\"k\",\"name\":\"n\","
                            "\"hash\":\"AAAA\"},{\"planet\":\"mars\"},"
                            "{\"session\":\"good\",\"until\":1800000010000}"));
    assert_true(ledger_has_ended(ledger, "good"));
    assert_false(ledger_has_ended(ledger, "x"));
    ledger_destroy(&ledger);
}

/* ---- keys, as auth sees them ---- */

static void s_apply(auth_t *auth, const char *text)
{
    err_t err = ERR_INIT;
    bool has_more;
    json_slice_t answer = {.data = text, .size = strlen(text)};
    if (auth_apply(auth, "store", answer, &has_more, &err))
        fail_msg("%s", err.text);
}

static identity_t *s_accept(auth_t *auth, const char *key)
{
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    if (auth_verify_api_key(auth, key, strlen(key), &identity, &err))
        fail_msg("%s", err.text);
    return identity;
}

static void s_refuse(auth_t *auth, const char *key, err_code_t code)
{
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    assert_int_equal(auth_verify_api_key(auth, key, strlen(key), &identity, &err), code);
    assert_null(identity);
    assert_true(strlen(key) < 6 || !strstr(err.text, key)); /* nothing of it is echoed */
}

static void test_keys(void **state)
{
    (void)state;
    clock_test_set(NOW_US, 0);
    auth_t *auth = auth_new(&(auth_options_t){.api_key = "own"});
    const char *service = NULL;
    assert_true(auth_is_ready(auth, &service));
    s_refuse(auth, "secret", ERR_UNAUTHENTICATED);
    auth_expect(auth, true); /* of services that were not heard of yet */
    s_refuse(auth, "secret", ERR_UNAVAILABLE);
    auth_expect(auth, false);
    assert_true(auth_follow(auth, "store"));
    assert_false(auth_follow(auth, "store"));
    assert_false(auth_is_ready(auth, &service));
    assert_string_equal(service, "store");
    s_refuse(auth, "secret", ERR_UNAVAILABLE); /* it may be told of yet */
    s_apply(auth,
            s_answer(1, s_reset, s_key("1", "secret", "\"name\":\"robot\",\"rights\":\"write\"")));
    assert_true(auth_is_ready(auth, &service));
    identity_t *identity = s_accept(auth, "secret");
    assert_string_equal(identity_handle(identity), "robot");
    assert_string_equal(identity_sub(identity), "1");
    assert_int_equal(identity_provider(identity), IDENTITY_API_KEY);
    assert_false(identity_is_read_only(identity));
    assert_null(auth_objection(auth, identity));
    s_refuse(auth, "secret2", ERR_UNAUTHENTICATED);
    s_refuse(auth, "", ERR_UNAUTHENTICATED);
    uint64_t generation = auth_generation(auth);
    s_apply(auth, s_answer(2, "", "{\"revoked\":\"1\"}"));
    assert_true(auth_generation(auth) > generation);
    s_refuse(auth, "secret", ERR_UNAUTHENTICATED);
    assert_string_equal(auth_objection(auth, identity), "the API key was revoked");
    identity_unref(&identity);
    identity = s_accept(auth, "own");
    assert_null(auth_objection(auth, identity));
    identity_unref(&identity);
    auth_destroy(&auth);
    clock_test_off();
}

static void test_rights_and_time(void **state)
{
    (void)state;
    clock_test_set(NOW_US, 0);
    auth_t *auth = auth_new(&(auth_options_t){.api_key = NULL});
    auth_follow(auth, "store");
    s_apply(auth,
            s_answer(1, s_reset, s_key("1", "k", "\"name\":\"n\",\"expires\":1800000001000")));
    identity_t *identity = s_accept(auth, "k");
    assert_true(identity_is_read_only(identity)); /* nothing was said of writing */
    assert_true(identity_expires_at_us(identity) == NOW_US + 1000000);
    clock_test_set(NOW_US + 1000000, 0);
    s_refuse(auth, "k", ERR_UNAUTHENTICATED);
    /* with other rights it is another one: what runs under the old ones ends */
    clock_test_set(NOW_US, 0);
    s_apply(auth, s_answer(2, "", s_key("1", "k", "\"name\":\"n\",\"rights\":\"write\"")));
    assert_non_null(auth_objection(auth, identity));
    identity_unref(&identity);
    identity = s_accept(auth, "k");
    assert_false(identity_is_read_only(identity));
    identity_unref(&identity);
    auth_destroy(&auth);
    clock_test_off();
}

/* A reset in parts: what none of them names is gone when it is whole, and not before. */
static void test_reset(void **state)
{
    (void)state;
    clock_test_set(NOW_US, 0);
    auth_t *auth = auth_new(&(auth_options_t){.api_key = NULL});
    auth_follow(auth, "store");
    s_apply(auth, s_answer(1, ",\"reset\":true,\"more\":true",
                           s_key("1", "a", "\"name\":\"n\",\"rights\":\"write\"")));
    const char *service;
    assert_false(auth_is_ready(auth, &service));
    s_apply(auth, s_answer(2, "", s_key("2", "b", "\"name\":\"n\",\"rights\":\"write\"")));
    assert_true(auth_is_ready(auth, &service));
    identity_t *a = s_accept(auth, "a"), *b = s_accept(auth, "b");
    s_apply(auth, s_answer(7, ",\"reset\":true,\"more\":true",
                           s_key("2", "b", "\"name\":\"n\",\"rights\":\"write\"")));
    assert_null(auth_objection(auth, a));
    s_apply(auth, s_answer(8, "", ""));
    assert_non_null(auth_objection(auth, a));
    assert_null(auth_objection(auth, b));
    s_refuse(auth, "a", ERR_UNAUTHENTICATED);
    identity_unref(&a);
    identity_unref(&b);
    auth_destroy(&auth);
    clock_test_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_rights_and_time),
        cmocka_unit_test(test_reset),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
