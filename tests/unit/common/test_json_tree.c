/* common/json_tree: the same trees as jansson's own reader makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_tree.h"

enum { DEPTH = 100 };

/* The tree of an exact-size copy, so that a read beyond the end is found. */
static json_t *s_tree(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size);
    memcpy(copy, text, size);
    assert_true(json_validate(copy, size, DEPTH, NULL));
    json_t *tree = json_tree((json_slice_t){.data = copy, .size = size});
    free(copy);
    return tree;
}

static void test_like_jansson(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "42",
        "-9223372036854775808",
        "9223372036854775807",
        "1.5",
        "-0.25e-3",
        "1E5",
        "12345678901234567890.0",
        "\"\"",
        "\"room\"",
        "\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00 é€😀\"",
        "\"a\\u0000b\"",
        "[]",
        "{}",
        " [ 1 , [ ] , { } , \"x\" ] ",
        "{\"a\":1,\"b\":{\"c\":[true,null,\"\\\\\"]},\"\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "{\"\\u0061b\":{\"c\\n\":[]}}",
        "\t{ \"a\" : [ 1 ,\n2 ] , \"b\" : \",:{}[]\" }\r\n",
        "[[[[[[[[[[[[1]]]]]]]]]]]]",
        /* too much for the tree */
        "9223372036854775808",
        "[1e400]",
        "{\"a\":[0,-99999999999999999999]}",
        "{\"a\\u0000\":1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *tree = s_tree(texts[i]);
        json_t *other = json_loads(texts[i], JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
        if ((tree == NULL) != (other == NULL) || (tree && !json_equal(tree, other)))
            fail_msg("not like jansson's: %s", texts[i]);
        json_decref(tree);
        json_decref(other);
    }
}

static void test_long_keys_and_many_members(void **state)
{
    (void)state;
    char key[1000], *text = malloc(200000), *at = text;
    memset(key, 'k', sizeof key);
    at += sprintf(at, "{\"%.*s\":1", (int)sizeof key, key);
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, ",\"key\\u0020%d\":[%d,\"%d\"]", i, i, i);
    strcpy(at, "}");
    json_t *tree = s_tree(text), *other = json_loads(text, 0, NULL);
    assert_int_equal(json_object_size(tree), 5001);
    assert_true(json_equal(tree, other));
    json_decref(tree);
    json_decref(other);
    free(text);
}

static void test_decoded_where_it_lies(void **state)
{
    (void)state;
    char plain[] = "\"room\"", escaped[] = "\"\\u20ac\\n\\ud83d\\ude00x\"";
    assert_int_equal(json_string_decode_to((json_slice_t){plain, sizeof plain - 1}, plain), 4);
    assert_string_equal(plain, "room");
    assert_int_equal(json_string_decode_to((json_slice_t){escaped, sizeof escaped - 1}, escaped),
                     9);
    assert_string_equal(escaped, "€\n😀x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_jansson),
        cmocka_unit_test(test_long_keys_and_many_members),
        cmocka_unit_test(test_decoded_where_it_lies),
    };
    return cmocka_run_group_tests_name("common/json_tree", tests, NULL, NULL);
}
