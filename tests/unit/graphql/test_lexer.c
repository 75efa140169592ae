/* Every form of token (GraphQL 2025-09 2.1), its place, and what is no token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/graphql/language/lexer.h"

/* All tokens of a text as "kind@line:column(value) …", or "error line:column message". */
static const char *s_lex(const char *text, size_t size)
{
    static char out[4096];
    arena_t *arena = arena_new(0);
    gql_errors_t errors = GQL_ERRORS_INIT(arena, 0);
    lexer_t lexer;
    token_t token;
    size_t used = 0;
    out[0] = '\0';
    lexer_init(&lexer, arena, text, size, &errors);
    for (;;) {
        if (!lexer_next(&lexer, &token)) {
            assert_int_equal(errors.count, 1);
            snprintf(out + used, sizeof out - used, "%serror %u:%u %s", used ? " " : "",
                     errors.first->locations[0].line, errors.first->locations[0].column,
                     errors.first->message);
            break;
        }
        if (token.kind == TOKEN_EOF) {
            /* at the end again and again */
            assert_true(lexer_next(&lexer, &token));
            assert_int_equal(token.kind, TOKEN_EOF);
            break;
        }
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%s@%u:%u", used ? " " : "",
                                 token_kind_text(token.kind), token.loc.line, token.loc.column);
        if (token.data)
            used += (size_t)snprintf(out + used, sizeof out - used, "(%.*s)", (int)token.size,
                                     token.data);
    }
    arena_destroy(&arena);
    return out;
}

typedef struct {
    const char *text;
    const char *tokens;
} lex_case_t;

static void s_check(const lex_case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(s_lex(cases[i].text, strlen(cases[i].text)), cases[i].tokens);
}

static void test_punctuators(void **state)
{
    (void)state;
    static const lex_case_t cases[] = {
        {"", ""},
        {" \t\n\r\n,,, # all ignored", ""},
        {"!$&()...:=@[]{|}",
         "\"!\"@1:1 \"$\"@1:2 \"&\"@1:3 \"(\"@1:4 \")\"@1:5 \"...\"@1:6 \":\"@1:9 \"=\"@1:10 "
         "\"@\"@1:11 \"[\"@1:12 \"]\"@1:13 \"{\"@1:14 \"|\"@1:15 \"}\"@1:16"},
        {"a.b", "Name@1:1(a) error 1:2 Syntax Error: Unexpected character: \".\"."},
        {"..", "error 1:1 Syntax Error: Unexpected \"..\", did you mean \"...\"?"},
        {"?", "error 1:1 Syntax Error: Unexpected character: \"?\"."},
        {"'a'",
         "error 1:1 Syntax Error: Unexpected single quote character ('), did you mean to use a "
         "double quote (\")?"},
        {"\x07", "error 1:1 Syntax Error: Unexpected character: U+0007."},
        {"\xE2\x80\x8B", "error 1:1 Syntax Error: Unexpected character: U+200B."},
        {"\xF0\x9F\x98\x80", "error 1:1 Syntax Error: Unexpected character: U+1F600."},
        {"\xFF", "error 1:1 Syntax Error: Invalid character: byte 0xFF."},
    };
    s_check(cases, sizeof cases / sizeof *cases);
}

static void test_names_and_places(void **state)
{
    (void)state;
    static const lex_case_t cases[] = {
        {"_a9 B", "Name@1:1(_a9) Name@1:5(B)"},
        {"a\nb\r\nc\rd", "Name@1:1(a) Name@2:1(b) Name@3:1(c) Name@4:1(d)"},
        {"\xEF\xBB\xBF{a}", "\"{\"@1:2 Name@1:3(a) \"}\"@1:4"},
        /* columns count UTF-16 code units */
        {"\"\xC3\xA9\xF0\x9F\x98\x80\" a", "String@1:1(\xC3\xA9\xF0\x9F\x98\x80) Name@1:7(a)"},
        {"# \xF0\x9F\x98\x80\na", "Name@2:1(a)"},
        {"# \xFF\na", "error 1:3 Syntax Error: Invalid character: byte 0xFF."},
    };
    s_check(cases, sizeof cases / sizeof *cases);
}

static void test_numbers(void **state)
{
    (void)state;
    static const lex_case_t cases[] = {
        {"0 -0 123 -9", "Int@1:1(0) Int@1:3(-0) Int@1:6(123) Int@1:10(-9)"},
        {"0.0 -1.5 1e5 1E-5 1.5e+7",
         "Float@1:1(0.0) Float@1:5(-1.5) Float@1:10(1e5) Float@1:14(1E-5) Float@1:19(1.5e+7)"},
        {"00", "error 1:2 Syntax Error: Invalid number, unexpected digit after 0: \"0\"."},
        {"01", "error 1:2 Syntax Error: Invalid number, unexpected digit after 0: \"1\"."},
        {"+1", "error 1:1 Syntax Error: Unexpected character: \"+\"."},
        {"-", "error 1:2 Syntax Error: Invalid number, expected digit but got: <EOF>."},
        {"1.", "error 1:3 Syntax Error: Invalid number, expected digit but got: <EOF>."},
        {"1.e1", "error 1:3 Syntax Error: Invalid number, expected digit but got: \"e\"."},
        {"1e", "error 1:3 Syntax Error: Invalid number, expected digit but got: <EOF>."},
        {"1.2.3", "error 1:4 Syntax Error: Invalid number, expected digit but got: \".\"."},
        {"1a", "error 1:2 Syntax Error: Invalid number, expected digit but got: \"a\"."},
        {"0x1", "error 1:2 Syntax Error: Invalid number, expected digit but got: \"x\"."},
        {"1_0", "error 1:2 Syntax Error: Invalid number, expected digit but got: \"_\"."},
        {".5", "error 1:1 Syntax Error: Invalid number, expected digit before \".\", did you mean "
               "\"0.5\"?"},
    };
    s_check(cases, sizeof cases / sizeof *cases);
}

static void test_strings(void **state)
{
    (void)state;
    static const lex_case_t cases[] = {
        {"\"\"", "String@1:1()"},
        {"\"a b\"", "String@1:1(a b)"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "String@1:1(\"\\/\b\f\n\r\t)"},
        {"\"\\u0041\\u00e9\\u{1F600}\\u{41}\\u{00000041}\"", "String@1:1(A\xC3\xA9\xF0\x9F\x98\x80"
                                                             "AA)"},
        {"\"\\uD83D\\uDE00\"", "String@1:1(\xF0\x9F\x98\x80)"},
        {"\"\\uD83D\"", "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\uD83D\"."},
        {"\"\\uDE00\\uD83D\"",
         "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\uDE00\"."},
        {"\"\\uD83D\\u0041\"",
         "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\uD83D\"."},
        {"\"\\u{110000}\"",
         "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\u{110000}\"."},
        {"\"\\u{D800}\"",
         "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\u{D800}\"."},
        {"\"\\u{}\"", "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\u{}\"."},
        {"\"\\u{FFFFFFFFFF}\"",
         "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\u{FFFFFFFFF\"."},
        {"\"\\u12\"", "error 1:2 Syntax Error: Invalid Unicode escape sequence: \"\\u12\"\"."},
        {"\"\\x\"", "error 1:2 Syntax Error: Invalid character escape sequence: \"\\x\"."},
        {"\"a", "error 1:3 Syntax Error: Unterminated string."},
        {"\"a\nb\"", "error 1:3 Syntax Error: Unterminated string."},
        {"\"\\", "error 1:2 Syntax Error: Invalid character escape sequence: \"\\\"."},
        {"\"\xED\xA0\x80\"", "error 1:2 Syntax Error: Invalid character within String: byte 0xED."},
        {"\"\xC3\"", "error 1:2 Syntax Error: Invalid character within String: byte 0xC3."},
    };
    s_check(cases, sizeof cases / sizeof *cases);
}

static void test_block_strings(void **state)
{
    (void)state;
    static const lex_case_t cases[] = {
        {"\"\"\"\"\"\"", "BlockString@1:1()"},
        {"\"\"\"a \"b\" \\n \\\"\"\" c\"\"\"", "BlockString@1:1(a \"b\" \\n \"\"\" c)"},
        {"\"\"\"\n    Hello,\n      World!\n\n    Yours,\r\n      GraphQL.\n  \"\"\" x",
         "BlockString@1:1(Hello,\n  World!\n\nYours,\n  GraphQL.) Name@7:7(x)"},
        {"\"\"\"  first\n  second\n\"\"\"", "BlockString@1:1(  first\nsecond)"},
        {"\"\"\" first\n      second\n        third\n\"\"\"",
         "BlockString@1:1( first\nsecond\n  third)"},
        {"\"\"\"\n\t tab\n\t  more\n\"\"\"", "BlockString@1:1(tab\n more)"},
        {"\"\"\"\n \n\t\n\"\"\"", "BlockString@1:1()"},
        {"\"\"\"a", "error 1:5 Syntax Error: Unterminated string."},
        {"\"\"\"a\nb", "error 2:2 Syntax Error: Unterminated string."},
        {"\"\"\"\n \xFF\"\"\"",
         "error 2:2 Syntax Error: Invalid character within String: byte 0xFF."},
    };
    s_check(cases, sizeof cases / sizeof *cases);
}

static void test_nul_bytes(void **state)
{
    (void)state;
    assert_string_equal(s_lex("a\0b", 3),
                        "Name@1:1(a) error 1:2 Syntax Error: Unexpected character: U+0000.");
    assert_string_equal(s_lex("\"\\\0\"", 4),
                        "error 1:2 Syntax Error: Invalid character escape sequence: \"\\\".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_punctuators),   cmocka_unit_test(test_names_and_places),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_block_strings), cmocka_unit_test(test_nul_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
