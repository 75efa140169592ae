/* The rules of the log's arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/arguments.h"
#include "store/like.h"
#include "store/room.h"

static json_t *s_args;

static json_t *s_parse(const char *text)
{
    json_decref(s_args);
    s_args = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(s_args);
    return s_args;
}

static int s_teardown(void **state)
{
    (void)state;
    json_decref(s_args);
    s_args = NULL;
    return 0;
}

static void s_assert_refused(bool ok, const refusal_t *refusal, const char *argument)
{
    assert_false(ok);
    assert_int_equal(refusal->err.code, ERR_BAD_USER_INPUT);
    assert_string_equal(refusal->argument, argument);
    assert_non_null(strstr(refusal->err.text, argument));
}

static void test_room(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"room\":\"\"}",        "{\"room\":\"a\\nb\"}",   "{\"room\":\"a\\u0000\"}",
        "{\"room\":\"\\u007f\"}", "{\"room\":\"\\u0080\"}", "{\"room\":\"\\u009f\"}",
        "{\"room\":7}",
    };
    refusal_t refusal;
    text_t room;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        s_assert_refused(arguments_room(s_parse(bad[i]), &room, &refusal), &refusal, "room");
    assert_true(arguments_room(s_parse("{}"), &room, &refusal));
    assert_string_equal(room.data, "lobby");
    assert_true(arguments_room(s_parse("{\"room\":null}"), &room, &refusal));
    assert_string_equal(room.data, "lobby");
    assert_true(arguments_room(s_parse("{\"room\":\"\\u00a0\"}"), &room, &refusal));
    assert_int_equal(room.size, 2);
    /* 128 characters of any length, not 129. */
    char text[600] = "{\"room\":\"";
    for (int i = 0; i < 128; i++)
        strcat(text, "\xf0\x9f\x98\x80");
    char longer[sizeof text + 8];
    snprintf(longer, sizeof longer, "%sx\"}", text);
    strcat(text, "\"}");
    assert_true(arguments_room(s_parse(text), &room, &refusal));
    assert_int_equal(room.size, 512);
    s_assert_refused(arguments_room(s_parse(longer), &room, &refusal), &refusal, "room");
}

static void test_body(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "{\"body\":null}", "{\"body\":\"\"}",
                                      "{\"body\":\"a\\u0000b\"}", "{\"body\":1}"};
    static char exact[BODY_BYTES_MAX + 1], longer[BODY_BYTES_MAX + 2];
    refusal_t refusal;
    text_t body;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        s_assert_refused(arguments_body(s_parse(bad[i]), &body, &refusal), &refusal, "body");
    memset(exact, 'x', BODY_BYTES_MAX);
    memset(longer, 'x', BODY_BYTES_MAX + 1);
    json_t *args = json_pack("{s:s}", "body", exact);
    assert_true(arguments_body(args, &body, &refusal));
    json_decref(args);
    args = json_pack("{s:s}", "body", longer);
    s_assert_refused(arguments_body(args, &body, &refusal), &refusal, "body");
    json_decref(args);
}

static void test_message_id(void **state)
{
    (void)state;
    refusal_t refusal;
    parley_uuid_t id, fallback;
    memset(&fallback, 0xab, sizeof fallback);
    assert_true(arguments_message_id(s_parse("{\"messageId\":null}"), &fallback, &id, &refusal));
    assert_memory_equal(&id, &fallback, sizeof id);
    assert_true(
        arguments_message_id(s_parse("{\"messageId\":\"00000000-0000-7000-8000-0000000000FF\"}"),
                             &fallback, &id, &refusal));
    assert_int_equal(id.bytes[15], 0xff);
    s_assert_refused(
        arguments_message_id(s_parse("{\"messageId\":\"\"}"), &fallback, &id, &refusal), &refusal,
        "messageId");
    s_assert_refused(
        arguments_message_id(s_parse("{\"messageId\":\"00000000-0000-7000-8000-0000000000fg\"}"),
                             &fallback, &id, &refusal),
        &refusal, "messageId");
}

typedef struct {
    const char *args;
    const char *refused; /* NULL: accepted as */
    int limit;
    bool forward;
} page_case_t;

static void test_page(void **state)
{
    (void)state;
    static const page_case_t cases[] = {
        {"{}", NULL, 100, false},
        {"{\"first\":null,\"last\":null,\"after\":null,\"before\":null,\"filter\":null}", NULL, 100,
         false},
        {"{\"first\":1}", NULL, 1, true},
        {"{\"first\":500}", NULL, 500, true},
        {"{\"last\":500}", NULL, 500, false},
        {"{\"after\":\"x\"}", NULL, 100, true},
        {"{\"before\":\"x\"}", NULL, 100, false},
        {"{\"after\":\"x\",\"before\":\"y\"}", NULL, 100, true},
        {"{\"after\":\"x\",\"last\":3}", NULL, 3, false},
        {"{\"before\":\"x\",\"first\":3}", NULL, 3, true},
        {"{\"first\":0}", "first", 0, false},
        {"{\"first\":501}", "first", 0, false},
        {"{\"first\":-1}", "first", 0, false},
        {"{\"first\":1.5}", "first", 0, false},
        {"{\"first\":9999999999999}", "first", 0, false},
        {"{\"last\":0}", "last", 0, false},
        {"{\"last\":\"3\"}", "last", 0, false},
        {"{\"first\":1,\"last\":1}", "last", 0, false},
        {"{\"after\":3}", "after", 0, false},
        {"{\"filter\":3}", "filter", 0, false},
        {"{\"filter\":\"\\u0000\"}", "filter", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        page_arguments_t page;
        refusal_t refusal;
        bool ok = arguments_page(s_parse(cases[i].args), &page, &refusal);
        if (cases[i].refused) {
            s_assert_refused(ok, &refusal, cases[i].refused);
            continue;
        }
        assert_true(ok);
        assert_int_equal(page.limit, cases[i].limit);
        assert_int_equal(page.forward, cases[i].forward);
    }
}

static void test_an_empty_filter_is_none(void **state)
{
    (void)state;
    page_arguments_t page;
    refusal_t refusal;
    assert_true(arguments_page(s_parse("{\"filter\":\"\"}"), &page, &refusal));
    assert_null(page.filter.data);
    assert_true(arguments_page(s_parse("{\"filter\":\"x\"}"), &page, &refusal));
    assert_int_equal(page.filter.size, 1);
}

static void test_start(void **state)
{
    (void)state;
    start_arguments_t start;
    refusal_t refusal;
    assert_true(arguments_start(s_parse("{}"), NULL, &start, &refusal));
    assert_null(start.after.data);
    assert_int_equal(start.last, 0);
    assert_true(arguments_start(s_parse("{\"last\":7}"), NULL, &start, &refusal));
    assert_int_equal(start.last, 7);
    s_assert_refused(
        arguments_start(s_parse("{\"last\":7,\"after\":\"x\"}"), NULL, &start, &refusal), &refusal,
        "last");
    assert_true(
        arguments_start(s_parse("{\"last\":7,\"after\":\"x\"}"), "cursor", &start, &refusal));
    assert_string_equal(start.after.data, "cursor");
    assert_string_equal(start.after_argument, "resume");
    assert_int_equal(start.last, 0);
}

static void test_like(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", "%%"},           {"abc", "%abc%"},
                                           {"100%", "%100\\%%"}, {"a_b", "%a\\_b%"},
                                           {"\\", "%\\\\%"},     {"\\%", "%\\\\\\%%"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_t out = BUFFER_INIT(100);
        like_pattern(&out, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(out.data, cases[i][1]);
        buffer_free(&out);
    }
}

static void test_members(void **state)
{
    (void)state;
    refusal_t refusal;
    text_t text;
    static const char *const open[] = {"{}", "{\"room\":\"lobby\"}", "{\"room\":\"private\"}"};
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        s_assert_refused(arguments_private_room(s_parse(open[i]), &text, &refusal), &refusal,
                         "room");
    assert_true(arguments_private_room(s_parse("{\"room\":\"private/x\"}"), &text, &refusal));
    static const char *const bad[] = {"{}", "{\"handle\":\"\"}", "{\"handle\":\"a\\nb\"}",
                                      "{\"handle\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        s_assert_refused(arguments_handle(s_parse(bad[i]), &text, &refusal), &refusal, "handle");
    assert_true(arguments_handle(s_parse("{\"handle\":\"a@b.example\"}"), &text, &refusal));
    s_assert_refused(arguments_title(s_parse("{}"), &text, &refusal), &refusal, "title");
    assert_true(arguments_title(s_parse("{\"title\":\"Our plans\"}"), &text, &refusal));
    s_assert_refused(arguments_role(s_parse("{\"role\":\"member\"}"), &text, &refusal), &refusal,
                     "role");
    assert_true(arguments_role(s_parse("{\"role\":\"OWNER\"}"), &text, &refusal));
    assert_true(arguments_role(s_parse("{}"), &text, &refusal));
    assert_string_equal(text.data, "MEMBER");
}

static void test_private_names(void **state)
{
    (void)state;
    assert_true(room_is_private("private/", 8));
    assert_true(room_is_private("private/x", 9));
    assert_false(room_is_private("private", 7));
    assert_false(room_is_private("Private/x", 9));
    assert_false(room_is_private("a private/x", 11));
    assert_false(room_is_private("", 0));
}

/* Only the user pool's sub is looked at: others are known by their handle. */
static void test_accounts_of_callers(void **state)
{
    (void)state;
    store_call_t call = {0};
    assert_string_equal(room_caller_account(&call), "");
    call.provider = "user-pool", call.sub = "7";
    assert_string_equal(room_caller_account(&call), "7");
    call.provider = "oidc";
    assert_string_equal(room_caller_account(&call), "");
    call.provider = NULL;
    assert_string_equal(room_caller_account(&call), "");
    call.provider = "user-pool", call.sub = NULL;
    assert_string_equal(room_caller_account(&call), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_room, s_teardown),
        cmocka_unit_test_teardown(test_body, s_teardown),
        cmocka_unit_test_teardown(test_message_id, s_teardown),
        cmocka_unit_test_teardown(test_page, s_teardown),
        cmocka_unit_test_teardown(test_an_empty_filter_is_none, s_teardown),
        cmocka_unit_test_teardown(test_start, s_teardown),
        cmocka_unit_test(test_like),
        cmocka_unit_test_teardown(test_members, s_teardown),
        cmocka_unit_test(test_private_names),
        cmocka_unit_test(test_accounts_of_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
