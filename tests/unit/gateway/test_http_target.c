/* Request targets, and what a query string says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/http/target.h"

static arena_t *s_arena;

static int s_setup(void **state)
{
    (void)state;
    s_arena = arena_new(0);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    arena_destroy(&s_arena);
    return 0;
}

static void s_takes(const char *raw, const char *path, const char *query)
{
    http_target_t target;
    err_t err = ERR_INIT;
    assert_int_equal(http_target_parse(s_arena, raw, &target, &err), ERR_OK);
    assert_string_equal(target.path, path);
    assert_string_equal(target.query, query);
}

static void s_refuses(const char *raw)
{
    http_target_t target;
    err_t err = ERR_INIT;
    assert_int_equal(http_target_parse(s_arena, raw, &target, &err), ERR_BAD_USER_INPUT);
    assert_true(err.text[0]);
}

static void test_paths(void **state)
{
    (void)state;
    s_takes("/", "/", "");
    s_takes("/graphql", "/graphql", "");
    s_takes("/graphql?", "/graphql", "");
    s_takes("/graphql?a=b?c", "/graphql", "a=b?c");
    s_takes("/a%20b+c", "/a b+c", "");
    s_takes("/%67raphql", "/graphql", "");
    s_takes("/%C3%BC", "/\xc3\xbc", "");
    s_takes("http://host:80/graphql?x", "/graphql", "x");
    s_takes("HTTPS://host", "/", "");
    s_takes("http://host?x=1", "/", "x=1");
    s_takes("*", "*", "");
}

static void test_refused(void **state)
{
    (void)state;
    s_refuses("/%00");
    s_refuses("/graphql?query=%00");
    s_refuses("/%");
    s_refuses("/%2");
    s_refuses("/%zz");
    s_refuses("/?a=%G0");
    s_refuses("/%ff");
    s_refuses("/?a=%C3");
    s_refuses("/?a=\xc3%bc"); /* valid only when decoded */
    s_refuses("graphql");
    s_refuses("ftp://host/");
}

static const char *s_param(const char *query, const char *name, http_plus_t plus)
{
    char raw[400] = "/?";
    strcat(raw, query);
    http_target_t target;
    assert_int_equal(http_target_parse(s_arena, raw, &target, NULL), ERR_OK);
    return http_target_param(s_arena, &target, name, plus);
}

static void test_params(void **state)
{
    (void)state;
    assert_string_equal(s_param("query=%7Ba+b%7D", "query", HTTP_PLUS_IS_BLANK), "{a b}");
    assert_string_equal(s_param("a=1&query=2&query=3", "query", HTTP_PLUS_IS_BLANK), "2");
    assert_string_equal(s_param("qu%65ry=x", "query", HTTP_PLUS_IS_BLANK), "x");
    assert_string_equal(s_param("query", "query", HTTP_PLUS_IS_BLANK), "");
    assert_string_equal(s_param("&&query=", "query", HTTP_PLUS_IS_BLANK), "");
    assert_null(s_param("querys=1&xquery=2", "query", HTTP_PLUS_IS_BLANK));
    assert_null(s_param("", "query", HTTP_PLUS_IS_BLANK));
    /* Base64 as AppSync's clients send it: nothing is encoded. */
    assert_string_equal(s_param("header=ab+/c==&payload=e30=", "header", HTTP_PLUS_IS_PLUS),
                        "ab+/c==");
    assert_string_equal(s_param("header=ab+/c==&payload=e30=", "payload", HTTP_PLUS_IS_PLUS),
                        "e30=");
    assert_string_equal(s_param("header=ab%2B%2Fc%3D%3D", "header", HTTP_PLUS_IS_PLUS), "ab+/c==");
}

static void test_full_arena(void **state)
{
    (void)state;
    http_target_t target;
    arena_fail_after(s_arena, 1);
    assert_int_equal(http_target_parse(s_arena, "/a?b", &target, NULL), ERR_LIMIT_EXCEEDED);
    arena_fail_after(s_arena, 0);
    assert_int_equal(http_target_parse(s_arena, "/?a=b", &target, NULL), ERR_OK);
    arena_fail_after(s_arena, 1);
    assert_null(http_target_param(s_arena, &target, "a", HTTP_PLUS_IS_BLANK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_refused, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_params, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_full_arena, s_setup, s_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
