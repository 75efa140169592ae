#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

enum { DEPTH = 8 };

/* Validates an exact-size copy, so that a read beyond the end is found. */
static bool s_valid(const char *text, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, text, size);
    bool ok = json_validate(copy, size, DEPTH, NULL);
    free(copy);
    return ok;
}

static json_slice_t s_slice(const char *text)
{
    return (json_slice_t){.data = text, .size = strlen(text)};
}

static void s_test_accepts(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "-12.5e+3",
                                        "1E9",
                                        "true",
                                        "false",
                                        "null",
                                        "\"\"",
                                        "\"a\\n\\u00e9\\ud83d\\ude00\"",
                                        "\"é😀\"",
                                        " [ ] ",
                                        "{}",
                                        "[1,[2,{\"a\":null}]]",
                                        "\t{ \"a\" : 1 , \"b\" : [ ] }\r\n",
                                        "[[[[[[[[]]]]]]]]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!s_valid(texts[i], strlen(texts[i])))
            fail_msg("refused: %s", texts[i]);
}

static void s_test_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "01",
                                        "-",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "+1",
                                        "tru",
                                        "nulll",
                                        "'a'",
                                        "\"",
                                        "\"\\x\"",
                                        "\"\\u12g4\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"\t\"",
                                        "\"\xff\"",
                                        "\"\xc0\x80\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xe2\x82\"",
                                        "[",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "[,1]",
                                        "{",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1,",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{1:1}",
                                        "1 2",
                                        "[]]",
                                        "NaN",
                                        "\xef\xbb\xbf{}",
                                        "[[[[[[[[[]]]]]]]]]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (s_valid(texts[i], strlen(texts[i])))
            fail_msg("accepted: %s", texts[i]);
    assert_false(s_valid("1\0", 2));
    size_t offset = 0;
    assert_false(json_validate("[1, x]", 6, DEPTH, &offset));
    assert_int_equal(offset, 4);
}

static void s_test_every_cut_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"k\\u00e9y\":[1.5e3,\"é\\ud83d\\ude00\",true,null,{}]}";
    assert_true(s_valid(text, sizeof text - 1));
    for (size_t cut = 0; cut < sizeof text - 1; cut++)
        assert_false(s_valid(text, cut));
}

static void s_test_walks_members_and_items(void **state)
{
    (void)state;
    json_slice_t map = s_slice(" { \"a\" : \"x,}]\\\"\" , \"b\":[1,{\"c\":[]} , \"]\"],\"a\":7 }");
    json_slice_t value, key;
    assert_true(json_get(map, "a", &value));
    assert_int_equal(value.size, 1); /* the last one of a repeated name */
    assert_true(json_get(map, "b", &value));
    json_walk_t walk = json_walk(value);
    json_kind_t kinds[] = {JSON_NUMBER, JSON_MAP, JSON_STRING_VALUE};
    for (int i = 0; i < 3; i++) {
        json_slice_t item;
        assert_true(json_walk_item(&walk, &item));
        assert_int_equal(json_kind(item), kinds[i]);
    }
    assert_false(json_walk_item(&walk, &value));
    walk = json_walk(map);
    assert_true(json_walk_member(&walk, &key, &value));
    assert_int_equal(key.size, 1);
    assert_memory_equal(value.data, "\"x,}]\\\"\"", value.size);
    assert_false(json_get(map, "c", &value));
    assert_false(json_get(s_slice("[1]"), "a", &value));
    walk = json_walk(s_slice("{ }"));
    assert_false(json_walk_member(&walk, &key, &value));
}

static void s_test_keys_with_escapes(void **state)
{
    (void)state;
    json_slice_t value;
    assert_true(json_get(s_slice("{\"na\\u006de\":1}"), "name", &value));
    assert_false(json_get(s_slice("{\"na\\u006d\":1}"), "name", &value));
    assert_true(json_key_is(s_slice("\\u00e9"), "é", 2));
    assert_false(json_key_is(s_slice("a\\\\"), "a", 1));
}

static void s_test_decodes_strings(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    size_t size;
    char *text = json_string_decode(
        arena, s_slice("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u20ac\\ud83d\\ude00z\""),
        &size);
    static const char want[] = "a\"\\/\b\f\n\r\t\0é€😀z";
    assert_int_equal(size, sizeof want - 1);
    assert_memory_equal(text, want, sizeof want);
    assert_string_equal(json_string_decode(arena, s_slice("\"plain\""), NULL), "plain");
    assert_null(json_string_decode(arena, s_slice("12"), NULL));
    arena_fail_after(arena, 1);
    assert_null(json_string_decode(arena, s_slice("\"plain\""), NULL));
    arena_destroy(&arena);
}

static void s_test_numbers(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    double d;
    assert_true(json_to_int64(s_slice("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(json_to_int64(s_slice("9223372036854775807"), &i) && i == INT64_MAX);
    assert_false(json_to_int64(s_slice("9223372036854775808"), &i));
    assert_false(json_to_int64(s_slice("1.0"), &i));
    assert_false(json_to_int64(s_slice("1e3"), &i));
    assert_true(json_to_uint64(s_slice("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(json_to_uint64(s_slice("18446744073709551616"), &u));
    assert_false(json_to_uint64(s_slice("-1"), &u));
    assert_true(json_to_double(s_slice("-1.5e3"), &d) && d < -1499 && d > -1501);
    assert_false(json_to_double(s_slice("1e999"), &d));
    assert_false(json_to_double(s_slice("\"1\""), &d));
}

static void s_test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("aé€😀", strlen("aé€😀")));
    assert_int_equal(utf8_length("aé€😀", strlen("aé€😀")), 4);
    assert_false(utf8_is_valid("\xe2\x82", 2));
    assert_true(utf8_is_valid("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_accepts),
        cmocka_unit_test(s_test_refuses),
        cmocka_unit_test(s_test_every_cut_is_refused),
        cmocka_unit_test(s_test_walks_members_and_items),
        cmocka_unit_test(s_test_keys_with_escapes),
        cmocka_unit_test(s_test_decodes_strings),
        cmocka_unit_test(s_test_numbers),
        cmocka_unit_test(s_test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
