/* What the scalars that the gateway knows accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "front.h"
#include "gateway/graphql/type/scalars.h"

typedef struct {
    scalar_kind_t kind;
    const char *good[12];
    const char *bad[20];
} scalar_case_t;

static void test_texts(void **state)
{
    (void)state;
    static const scalar_case_t cases[] = {
        {SCALAR_AWS_DATE,
         {"2026-01-31", "2026-01-31Z", "2024-02-29", "2026-01-31+05:30", "2026-01-31-07:00:00",
          "0001-01-01"},
         {"", "2026-1-31", "2026-13-01", "2026-02-29", "2026-04-31", "2026-01-00", "2026-01-31z",
          "2026-01-31T00:00Z", "2026-01-31+5:30", "26-01-31", "2026-01-31 ", "1900-02-29"}},
        {SCALAR_AWS_TIME,
         {"12:30", "12:30:24", "12:30:24.5", "12:30:24.500Z", "12:30+05:30",
          "00:00:00.000000000-18:00"},
         {"", "12", "24:00", "12:60", "12:30:60", "12:30:24.", "12:30:24.1234567891", "1:30",
          "12:30:24.5X", "12:30+5"}},
        {SCALAR_AWS_DATE_TIME,
         {"2026-01-31T12:30Z", "2026-01-31T12:30:24Z", "2026-01-31T12:30:24.500Z",
          "2026-01-31T12:30:24+05:30"},
         {"", "2026-01-31", "2026-01-31T12:30", "2026-01-31 12:30Z", "2026-02-30T12:30Z",
          "2026-01-31T25:30Z", "2026-01-31T12:30:24.500ZZ"}},
        {SCALAR_AWS_EMAIL,
         {"a@b.c", "first.last+tag@example.co.uk", "\xC3\xA9@b.c"},
         {"", "a", "a@b", "@b.c", "a@", "a@@b.c", "a b@c.d", "a@b.", "a@.b", "a@b..c"}},
        {SCALAR_AWS_JSON,
         {"{}", "[1, 2]", "\"a\"", "1", "null", " {\"a\": true} "},
         {"", "{", "a", "{a: 1}", "[1,]", "1 2"}},
        {SCALAR_AWS_URL,
         {"https://example.com", "http://localhost:8080/a?b=c#d", "mailto:a@b.c", "urn:isbn:1"},
         {"", "example.com", "https://", "https:///a", "ht tp://a", "https://a b", "1a:b", "//a.b",
          "a:"}},
        {SCALAR_AWS_PHONE,
         {"+44 20 7946 0000", "555-0100", "(555) 010-0199", "112", "+1.555.0100"},
         {"", "12", "1234567890123456", "abc", "555x0100", "55+5", "-555"}},
        {SCALAR_AWS_IP_ADDRESS,
         {"127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32", "1.2.3.4/32", "::/128"},
         {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/-1",
          "localhost", "1.2.3.4/0x8"}},
        {SCALAR_STRING, {"", "any"}, {NULL}},
        {SCALAR_ID, {"", "any"}, {NULL}},
        {SCALAR_CUSTOM, {"any"}, {NULL}},
        {SCALAR_INT, {NULL}, {"1"}},
        {SCALAR_FLOAT, {NULL}, {"1"}},
        {SCALAR_BOOLEAN, {NULL}, {"true"}},
        {SCALAR_AWS_TIMESTAMP, {NULL}, {"1"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (const char *const *text = cases[i].good; *text; text++)
            assert_true(scalar_accepts_text(cases[i].kind, *text, strlen(*text)));
        for (const char *const *text = cases[i].bad; *text; text++) {
            if (scalar_accepts_text(cases[i].kind, *text, strlen(*text)))
                print_error("kind %d accepts \"%s\"\n", (int)cases[i].kind, *text);
            assert_false(scalar_accepts_text(cases[i].kind, *text, strlen(*text)));
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        scalar_kind_t kind;
        const char *text;
        bool json;
        bool fits;
        int64_t number;
    } cases[] = {
        {SCALAR_INT, "0", false, true, 0},
        {SCALAR_INT, "-0", false, true, 0},
        {SCALAR_INT, "2147483647", false, true, 2147483647},
        {SCALAR_INT, "-2147483648", false, true, -2147483648LL},
        {SCALAR_INT, "2147483648", false, false, 0},
        {SCALAR_INT, "1.0", false, false, 0},
        {SCALAR_INT, "1.0", true, true, 1},
        {SCALAR_INT, "1e2", true, true, 100},
        {SCALAR_INT, "1.5", true, false, 0},
        {SCALAR_INT, "1e400", true, false, 0},
        {SCALAR_INT, "", true, false, 0},
        {SCALAR_INT, "999999999999999999999999", false, false, 0},
        {SCALAR_AWS_TIMESTAMP, "9007199254740991", false, true, 9007199254740991LL},
        {SCALAR_AWS_TIMESTAMP, "9007199254740993", false, false, 0},
        {SCALAR_AWS_TIMESTAMP, "-1", false, true, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t number = 0;
        bool fits = scalar_number_to_int(cases[i].kind, cases[i].text, strlen(cases[i].text),
                                         cases[i].json, &number);
        assert_int_equal(fits, cases[i].fits);
        assert_int_equal(number, cases[i].number);
    }
}

static void test_literals(void **state)
{
    (void)state;
    schema_t *schema = front_schema("type Query { f(date: AWSDate, stamp: AWSTimestamp, json: "
                                    "AWSJSON, mail: AWSEmail, x: X): Int }"
                                    "scalar X");
    assert_string_equal(
        front_errors(schema,
                     "{f(date: \"2026-01-31\", stamp: 1, json: \"{}\", mail: \"a@b.c\", "
                     "x: {any: [thing]})}",
                     NULL),
        "");
    assert_string_equal(
        front_messages(schema, "{f(date: \"2026-02-31\")}", NULL),
        "Expected value of type \"AWSDate\" (a date such as 2026-01-31 or 2026-01-31Z), found: "
        "\"2026-02-31\".");
    assert_string_equal(front_errors(schema, "{f(date: 1)}", NULL), "ValuesOfCorrectType 1:10");
    assert_string_equal(front_errors(schema, "{f(stamp: \"1\")}", NULL),
                        "ValuesOfCorrectType 1:11");
    assert_string_equal(front_errors(schema, "{f(stamp: 1.5)}", NULL), "ValuesOfCorrectType 1:11");
    assert_string_equal(front_errors(schema, "{f(json: {a: 1})}", NULL),
                        "ValuesOfCorrectType 1:10");
    assert_string_equal(front_errors(schema, "{f(mail: \"nobody\")}", NULL),
                        "ValuesOfCorrectType 1:10");
    schema_destroy(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
