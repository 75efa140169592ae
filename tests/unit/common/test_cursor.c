/* Cursors against proto/vectors/cursors.json. */
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cursor.h"

static json_t *s_vectors;

static const char *s_text(const json_t *map, const char *name)
{
    return json_string_value(json_object_get(map, name));
}

static void s_test_vectors(void **state)
{
    (void)state;
    json_t *vector;
    size_t i;
    json_array_foreach(json_object_get(s_vectors, "cursors"), i, vector)
    {
        const char *stream = s_text(vector, "stream"), *text = s_text(vector, "cursor");
        uint64_t want = strtoull(s_text(vector, "seq"), NULL, 10), seq;
        cursor_base_t base;
        char printed[CURSOR_SIZE];
        assert_int_equal(cursor_base(&base, s_text(vector, "epoch"), stream, strlen(stream)),
                         ERR_OK);
        cursor_print(&base, want, printed);
        assert_string_equal(printed, text);
        assert_int_equal(cursor_parse(&base, text, strlen(text), &seq, NULL), ERR_OK);
        assert_true(seq == want);
    }
    assert_true(i > 3);
}

static void s_test_refused(void **state)
{
    (void)state;
    const json_t *refused = json_object_get(s_vectors, "refused");
    const char *stream = s_text(refused, "stream");
    cursor_base_t base;
    assert_int_equal(cursor_base(&base, s_text(refused, "epoch"), stream, strlen(stream)), ERR_OK);
    json_t *vector;
    size_t i;
    json_array_foreach(json_object_get(refused, "cases"), i, vector)
    {
        const char *text = s_text(vector, "cursor");
        uint64_t seq;
        err_t err = ERR_INIT;
        err_code_t code = cursor_parse(&base, text, strlen(text), &seq, &err);
        assert_string_equal(err_code_name(code), s_text(vector, "code"));
        assert_true(strlen(err.text) > 0);
    }
}

static void s_test_an_epoch_is_16_hex_digits(void **state)
{
    (void)state;
    cursor_base_t base;
    assert_int_equal(cursor_base(&base, "00c0ffee", "s", 1), ERR_PROTOCOL);
    assert_int_equal(cursor_base(&base, "00c0ffee00c0ffeg", "s", 1), ERR_PROTOCOL);
    assert_int_equal(cursor_base(&base, "00c0ffee00c0ffee0", "s", 1), ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_vectors),
        cmocka_unit_test(s_test_refused),
        cmocka_unit_test(s_test_an_epoch_is_16_hex_digits),
    };
    s_vectors = json_load_file(PARLEY_SOURCE_DIR "/proto/vectors/cursors.json", 0, NULL);
    if (sodium_init() < 0 || s_vectors == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(s_vectors);
    return failed;
}
