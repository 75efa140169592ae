/* Reading answers 16 bytes at a time, and showing values in messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/execution/reader.h"

enum { DEPTH = 128, LONGEST = 50, LIMIT = 1 << 20 };

/* Both readers of strings say what common/json.h does, on a copy that ends where the text does. */
static void s_check_string(const char *text, size_t size)
{
    char *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    bool valid = json_validate(exact, size, DEPTH, NULL);
    const char *end = exact + size;
    bool slow = reader_string(exact, end) == end;
    bool quick = reader_string_quick(exact, end) == end;
    if (slow != valid || quick != valid)
        fail_msg("%.*s: json %d, slow %d, quick %d", (int)size, text, valid, slow, quick);
    free(exact);
}

/* Each special piece at each place of strings of each length around the steps of 16. */
static void test_strings_at_every_boundary(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "",        "a",       "\\n",          "\\\"",
        "\\\\",    "\\/",     "\\u00e9",      "\\ud83d\\ude00",
        "\\ud83d", "\\ude00", "\\ud83dx",     "\\u12g4",
        "\\x",     "\\",      "\xc3\xa9",     "\xf0\x9f\x98\x80",
        "\xc3",    "\xff",    "\xed\xa0\x80", "\xc0\xaf",
        "\n",      "\x1f",    "\x7f",         "\"",
        "\\u0000",
    };
    char text[3 * LONGEST];
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t piece_size = strlen(pieces[p]);
        for (size_t length = 0; length < LONGEST; length++) {
            for (size_t at = 0; at <= length; at++) {
                size_t size = 0;
                text[size++] = '"';
                memset(text + size, 'x', length);
                memmove(text + size + at + piece_size, text + size + at, length - at);
                memcpy(text + size + at, pieces[p], piece_size);
                size += length + piece_size;
                s_check_string(text, size); /* no closing quote */
                text[size++] = '"';
                s_check_string(text, size);
            }
        }
    }
}

static void test_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",         "-0",         "01",     "-",       "1.",
        "1.5",       ".5",         "1e5",    "1e",      "1E+5",
        "+1",        "true",       "tru",    "null",    "nul",
        "[]",        "[1,]",       "[,]",    "[1 2]",   "{}",
        "{\"a\":1}", "{\"a\":1,}", "{a:1}",  "{\"a\"}", "{\"a\" : [ ] }",
        "{1:2}",     "",           " ",      "[1] ",    "\t[ {\n} ]",
        "[[[[]]]]",  "nulll",      "\"a\"b", "[1}",     "{\"a\":}",
        "{\"a\":1]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *end = texts[i] + strlen(texts[i]);
        const char *at = reader_skip(reader_space(texts[i], end), end, DEPTH);
        bool valid = at && reader_space(at, end) == end;
        if (valid != json_validate(texts[i], (size_t)(end - texts[i]), DEPTH, NULL))
            fail_msg("%s: %d", texts[i], valid);
    }
}

static void test_depth(void **state)
{
    (void)state;
    static const char text[] = "[[]]";
    assert_non_null(reader_skip(text, text + 4, 2));
    assert_null(reader_skip(text, text + 4, 1));
    static const char map[] = "{\"a\":{}}";
    assert_non_null(reader_skip(map, map + sizeof map - 1, 2));
    assert_null(reader_skip(map, map + sizeof map - 1, 1));
}

static void test_put_takes_white_space_out(void **state)
{
    (void)state;
    static const char text[] = " { \"a b\\\" c\" :\r\n[ 1 ,\t2 , \"\" ] , \"x\" : null }\n";
    static const char expected[] = "{\"a b\\\" c\":[1,2,\"\"],\"x\":null}";
    buffer_t out = BUFFER_INIT(LIMIT);
    reader_put(&out, (json_slice_t){text, sizeof text - 1});
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    buffer_free(&out);
}

/* As JavaScript's String(number). */
static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {1e21, "1e+21"},
        {1e20, "100000000000000000000"},
        {123456789, "123456789"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-9, "1.25e-9"},
        {0.30000000000000004, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {-123.456, "-123.456"},
        {9007199254740993.0, "9007199254740992"},
        {1000, "1000"},
        {12.5, "12.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_t out = BUFFER_INIT(LIMIT);
        inspect_number(&out, cases[i].number);
        buffer_put_char(&out, 0);
        assert_string_equal(out.data, cases[i].text);
        buffer_free(&out);
    }
}

static void s_check_shown(const char *json, const char *expected)
{
    arena_t *arena = arena_new(LIMIT);
    assert_string_equal(inspect_text(arena, json, json + strlen(json)), expected);
    arena_destroy(&arena);
}

/* As graphql-js inspect(). */
static void test_shown_values(void **state)
{
    (void)state;
    s_check_shown("null", "null");
    s_check_shown(" \"a\\n\" ", "\"a\\n\"");
    s_check_shown("1.50", "1.5");
    s_check_shown("1e400", "Infinity");
    s_check_shown("[]", "[]");
    s_check_shown("{}", "{}");
    s_check_shown("{\"a\":1,\"b\":[true,{}]}", "{ a: 1, b: [true, {}] }");
    s_check_shown("{\"a\":{\"b\":{\"c\":1}}}", "{ a: { b: [Object] } }");
    s_check_shown("[[[1]]]", "[[[Array]]]");
    s_check_shown("[1,2,3,4,5,6,7,8,9,10,11]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ... 1 more item]");
    s_check_shown("[1,2,3,4,5,6,7,8,9,10,11,12]",
                  "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ... 2 more items]");
}

/* Cut between characters, and marked as cut. */
static void test_long_values_are_cut(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    char json[2 * COUNT + 2];
    size_t size = 0;
    json[size++] = '"';
    for (int i = 0; i < COUNT; i++, size += 2)
        memcpy(json + size, "\xc3\xa9", 2);
    json[size++] = '"';
    arena_t *arena = arena_new(LIMIT);
    const char *shown = inspect_text(arena, json, json + size);
    size_t shown_size = strlen(shown);
    assert_true(shown_size <= INSPECT_MAX + 3);
    assert_true(utf8_is_valid(shown, shown_size));
    assert_string_equal(shown + shown_size - 3, "…");
    arena_destroy(&arena);
}

/* Of a large value only the beginning is looked at: it may be complained about many times. */
static void test_large_values(void **state)
{
    (void)state;
    json_t *value = json_object();
    json_t *list = json_array();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(list, json_string("\xc3\xa9\xc3\xa9"));
    json_object_set(value, "small", json_true());
    arena_t *arena = arena_new(LIMIT);
    assert_string_equal(inspect_value(arena, value), "{ small: true }");
    json_object_set_new(value, "large", list);
    const char *shown = inspect_value(arena, value);
    size_t size = strlen(shown);
    assert_int_equal(strncmp(shown, "{\"small\":true,\"large\":[\"\xc3\xa9", 26), 0);
    assert_true(size <= INSPECT_MAX + 3 && utf8_is_valid(shown, size));
    assert_string_equal(shown + size - 3, "…");
    json_decref(value);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_at_every_boundary),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_put_takes_white_space_out),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_shown_values),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_large_values),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
