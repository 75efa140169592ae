/* store/accounts: what handles, passwords and e-mail addresses may be, and case folding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/accounts/account_rules.h"
#include "store/accounts/case_folding.h"

typedef err_code_t (*check_fn)(const char *text, size_t size, err_t *err);

typedef struct {
    const char *text;
    const char *reason; /* NULL: accepted; else a part of the message */
} row_t;

static void s_check_row(check_fn check, const char *text, size_t size, const char *reason)
{
    err_t err = ERR_INIT;
    err_code_t code = check(text, size, &err);
    if (reason && (code != ERR_BAD_USER_INPUT || !strstr(err.text, reason)))
        fail_msg("'%s': '%s' does not say '%s'", text, err.text, reason);
    if (!reason && code != ERR_OK)
        fail_msg("'%s' was refused: %s", text, err.text);
}

static void s_check_rows(check_fn check, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        s_check_row(check, rows[i].text, strlen(rows[i].text), rows[i].reason);
}

#define CHECK(check, rows) s_check_rows(check, rows, sizeof(rows) / sizeof(rows)[0])

static void test_handles(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"a", NULL},
        {"Ann Lee", NULL},
        {"ann@example.com", NULL},
        {"<script>", NULL},
        {"Zoë", NULL},
        {"Zoe\xcc\x88", NULL}, /* with a combining diaeresis */
        {"王小明", NULL},
        {"😀", NULL},
        {"", "1 to 64"},
        {" ", "blank"},
        {" a", "begin or end"},
        {"a ", "begin or end"},
        {"a  b", "two blanks"},
        {"a\tb", "control"},
        {"a\nb", "control"},
        {"\x7f", "control"},
        {"a\xc2\x85", "control"},        /* U+0085 */
        {"a\xc2\xa0", "invisible"},      /* U+00A0 */
        {"a\xe3\x80\x80z", "invisible"}, /* U+3000 */
        {"a\xe2\x80\x8bz", "invisible"}, /* U+200B */
        {"a\xe2\x80\xaez", "invisible"}, /* U+202E turns the text round */
        {"\xef\xbb\xbf"
         "a",
         "invisible"},                     /* U+FEFF */
        {"\xe3\x85\xa4", "invisible"},     /* U+3164 */
        {"\xe2\xa0\x80", "invisible"},     /* U+2800 */
        {"\xee\x80\x80", "invisible"},     /* U+E000 */
        {"\xf3\xa0\x80\x81", "invisible"}, /* U+E0001 */
        {"\xef\xbf\xbf", "invisible"},     /* U+FFFF */
        {"\xcc\x88"
         "a",
         "mark"},
        {"a\xff", "UTF-8"},
        {"\xed\xa0\x80", "UTF-8"},
        {"apikey", "reserved"},
        {"ApiKey", "reserved"},
        {"apikeys", NULL},
    };
    CHECK(account_check_handle, rows);
    s_check_row(account_check_handle, "a\0b", 3, "control");
    char text[300] = "";
    for (int i = 0; i < 64; i++)
        strcat(text, "é");
    s_check_row(account_check_handle, text, strlen(text), NULL);
    strcat(text, "é");
    s_check_row(account_check_handle, text, strlen(text), "1 to 64");
}

static void test_passwords(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"abcdefg1", NULL},
        {"ABCDEFG1a", NULL},
        {"a 1 2 3 4", NULL},
        {"ééééééa1", NULL}, /* 8 characters */
        {"ééééa1", "at least 8 characters"},
        {"abcdef1", "password must have at least 8 characters"},
        {"abcdefgh", "password must have a digit (0-9)"},
        {"ABCDEFG1", "password must have a lower-case letter (a-z)"},
        {"ABCDEFGH", "a lower-case letter (a-z) and a digit (0-9)"},
        {"abc", "at least 8 characters and a digit (0-9)"},
        {"", "at least 8 characters, a lower-case letter (a-z) and a digit (0-9)"},
        {"abcdefg\xff", "UTF-8"},
    };
    CHECK(account_check_password, rows);
    s_check_row(account_check_password, "abcdefg1\0", 9, "NUL");
    char text[300];
    memset(text, 'a', sizeof text);
    text[0] = '1';
    s_check_row(account_check_password, text, 256, NULL);
    s_check_row(account_check_password, text, 257, "at most 256 bytes");
}

static void test_emails(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"ann@example.com", NULL},
        {"ann.lee+chat@mail.example.co.uk", NULL},
        {"o'hara@example.com", NULL},
        {"zoë@exämple.de", NULL},
        {"a@b.c", NULL},
        {"", "email"},
        {"ann", "email"},
        {"ann@", "email"},
        {"@example.com", "email"},
        {"ann@example", "email"},
        {"ann@@example.com", "email"},
        {"ann@b@example.com", "email"},
        {".ann@example.com", "email"},
        {"ann.@example.com", "email"},
        {"a..b@example.com", "email"},
        {"ann@-example.com", "email"},
        {"ann@example-.com", "email"},
        {"ann@example..com", "email"},
        {"ann@example.com.", "email"},
        {"ann lee@example.com", "email"},
        {"ann@example.com\r\nBcc: x@y.z", "email"},
        {"ann\xe2\x80\x8b@example.com", "email"},
        {"<ann@example.com>", "email"},
        {"ann@[127.0.0.1]", "email"},
    };
    CHECK(account_check_email, rows);
    char text[400];
    memset(text, 'a', sizeof text);
    memcpy(text + 64, "@example.com", 13);
    s_check_row(account_check_email, text, strlen(text), NULL);
    memset(text, 'a', 66);
    memcpy(text + 65, "@example.com", 13);
    s_check_row(account_check_email, text, strlen(text), "email");
}

static void s_same(const char *a, const char *b)
{
    char left[HANDLE_FOLDED_SIZE], right[HANDLE_FOLDED_SIZE];
    assert_true(account_fold(a, strlen(a), left));
    assert_true(account_fold(b, strlen(b), right));
    assert_string_equal(left, right);
}

static void test_folding(void **state)
{
    (void)state;
    s_same("ANN Lee-1", "ann lee-1");
    s_same("ÄÖÜÀÿ", "äöüàŸ");
    s_same("ΣΊΣΥΦΟΣ", "σίσυφος"); /* both small sigmas */
    s_same("ЖУК", "жук");
    s_same("ẞ", "ß");
    s_same("\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"); /* U+10400 */
    s_same("\xe2\x84\xaa", "k");                    /* the Kelvin sign */
    assert_int_equal(case_fold(0x23A), 0x2C65);     /* grows from two bytes to three */
    assert_int_equal(case_fold(0x130), 0x130);      /* only the Turkish folding has it */
    assert_int_equal(case_fold(0x10FFFF), 0x10FFFF);
    assert_int_equal(case_fold(0x7B), 0x7B);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) /* folding twice is folding once */
        assert_int_equal(case_fold(case_fold(c)), case_fold(c));

    char longest[HANDLE_CHARACTERS_MAX * 4 + 1] = "", folded[HANDLE_FOLDED_SIZE];
    for (int i = 0; i < 64; i++)
        strcat(longest, "\xc8\xba"); /* U+023A */
    assert_true(account_fold(longest, strlen(longest), folded));
    assert_int_equal(strlen(folded), 64 * 3);
    for (int i = 0; i < 64; i++)
        memcpy(longest + (size_t)4 * (size_t)i, "\xf0\x90\x90\x80", 5);
    assert_true(account_fold(longest, strlen(longest), folded));
    assert_int_equal(strlen(folded), 64 * 4);
    assert_false(account_fold(longest, 257, folded));
    assert_false(account_fold("", 0, folded));
    assert_false(account_fold("a\0b", 3, folded));
    assert_false(account_fold("\xff", 1, folded));
    assert_string_equal(folded, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_emails),
        cmocka_unit_test(test_folding),
    };
    return cmocka_run_group_tests_name("store/accounts rules", tests, NULL, NULL);
}
