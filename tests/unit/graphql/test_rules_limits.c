/* What a document may cost: depth, aliases, directives, root fields, and that nothing is quadratic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "front.h"

static const char SDL[] = "interface I { x: Int i: I }"
                          "type A implements I { x: Int i: I y: String }"
                          "type B implements I { x: Int i: I y: Int }"
                          "type Query { a(n: Int): Int b: Int q: Query i: I }";

static void test_depth(void **state)
{
    validate_options_t options = {.introspection = true, .max_depth = 3};
    assert_string_equal(front_errors(*state, "{q{q{a}}}", &options), "");
    assert_string_equal(front_errors(*state, "{q{q{q{a}}}}", &options),
                        "limit The document has depth 4; the limit is 3.");
    /* inline fragments are no level, spreads lead deeper */
    assert_string_equal(front_errors(*state, "{...{q{...{q{...{a}}}}}}", &options), "");
    assert_string_equal(
        front_errors(*state, "{q{...F}} fragment F on Query{q{...G}} fragment G on Query{q{a}}",
                     &options),
        "limit The document has depth 4; the limit is 3.");
    /* a circle is no depth: it is reported as what it is */
    assert_string_equal(front_errors(*state, "{...F} fragment F on Query{q{...F}}", &options),
                        "NoFragmentCycles 1:30");
}

static void test_counts(void **state)
{
    validate_options_t options = {
        .introspection = true, .max_aliases = 2, .max_directives = 2, .max_root_fields = 2};
    assert_string_equal(front_errors(*state, "{q{x:a y:b}}", &options), "");
    assert_string_equal(front_errors(*state, "{q{x:a y:b q{z:a}}}", &options),
                        "limit The document has aliases 3; the limit is 2.");
    assert_string_equal(
        front_errors(*state, "{a @skip(if:true) b @skip(if:true) @include(if:true)}", &options),
        "limit The document has directives 3; the limit is 2.");
    assert_string_equal(front_errors(*state, "{a b b ...{a}}", &options), "");
    assert_string_equal(front_errors(*state, "{a ...F} fragment F on Query{b ...{q{a}}}", &options),
                        "limit The document has root fields 3; the limit is 2.");
}

typedef char *put_t(char *at, int i);

static char *s_document(const char *head, put_t *put, int count, const char *tail)
{
    char *text = calloc(1, strlen(head) + strlen(tail) + (size_t)count * 80 + 1);
    assert_non_null(text);
    char *at = stpcpy(text, head);
    for (int i = 0; i < count; i++)
        at = put(at, i);
    strcpy(at, tail);
    return text;
}

static char *s_put_alias(char *at, int i)
{
    return at + sprintf(at, "a%d:a ", i);
}

static char *s_put_same(char *at, int i)
{
    (void)i;
    return stpcpy(at, "a ");
}

static char *s_put_sets(char *at, int i)
{
    (void)i;
    return stpcpy(at, "q{a b} ");
}

static char *s_put_parents(char *at, int i)
{
    return stpcpy(at, i % 3 == 0 ? "...on A{x i{x}} " : i % 3 == 1 ? "...on B{x i{x}} " : "x ");
}

static char *s_put_fragment(char *at, int i)
{
    return at + sprintf(at, "fragment F%d on Query{a b q{a ...F%d}} ", i, i + 1);
}

static char *s_put_conflict(char *at, int i)
{
    (void)i;
    return stpcpy(at, "x:a x:b ");
}

/* Processor time of one validation, in milliseconds. */
static double s_time(const schema_t *schema, char *text, const char *expected_start)
{
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    const char *errors = front_errors(schema, text, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_int_equal(strncmp(errors, expected_start, strlen(expected_start)), 0);
    assert_true(*expected_start || !*errors);
    free(text);
    return (double)(after.tv_sec - before.tv_sec) * 1e3 +
           (double)(after.tv_nsec - before.tv_nsec) / 1e6;
}

/* Four times the fields must cost far less than sixteen times the time. Bounds are wide, since
 * sanitizers and busy machines make all of this slower; a quadratic walk would take minutes. */
static void test_merging_is_not_quadratic(void **state)
{
    static const struct {
        const char *head;
        put_t *put;
        const char *tail;
        const char *expected;
    } cases[] = {
        {"{", s_put_alias, "}", ""},
        {"{", s_put_same, "}", ""},
        {"{", s_put_sets, "}", ""},
        {"{i{", s_put_parents, "}}", ""},
        {"{", s_put_conflict, "}", "OverlappingFieldsCanBeMerged 1:2 1:6\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = s_document(cases[i].head, cases[i].put, 10000, cases[i].tail);
        assert_true(s_time(*state, text, cases[i].expected) < 5000);
    }
}

static void test_fragments_nest_within_bounds(void **state)
{
    char *text = s_document("{...F0} ", s_put_fragment, 400, "fragment F400 on Query{a}");
    assert_true(s_time(*state, text, "") < 5000);
    text = s_document("{...F0} ", s_put_fragment, 5000, "fragment F5000 on Query{a}");
    assert_true(s_time(*state, text, "limit The document nests fragments") < 5000);
    text = s_document("{...F0} ", s_put_fragment, 5000, "fragment F5000 on Query{a ...F0}");
    assert_true(s_time(*state, text, "limit The document nests fragments") < 5000);
}

/* From the n-th allocation of the scratch arena on they fail, or only that one: whatever it was
 * for, the document is refused. True if none has failed. */
static bool s_run_out(const schema_t *schema,
                      const char *text,
                      void (*let_fail)(arena_t *arena, size_t n),
                      size_t n)
{
    static const validate_options_t options = {.introspection = true};
    arena_t *arena = arena_new(0);
    arena_t *scratch = arena_new(0);
    gql_errors_t errors = GQL_ERRORS_INIT(arena, 100);
    ast_document_t *document = parser_parse_document(arena, names_new(arena), text, strlen(text),
                                                     &(parser_limits_t){0}, &errors);
    assert_non_null(document);
    let_fail(scratch, n);
    assert_false(validate_document(schema, document, &options, scratch, &errors));
    bool finished = !errors.out_of_memory;
    for (const gql_error_t *error = errors.first; error; error = error->next)
        assert_true(*error->message);
    arena_destroy(&scratch);
    arena_destroy(&arena);
    return finished;
}

static void test_memory_runs_out(void **state)
{
    static const char *const texts[] = {
        "query Q($a: Int, $b: Nope) {a(n: $a) q{...F a:b} i{...on A{y} ...on B{y}} ...G} "
        "fragment F on Query{q{a(m: 1) x:a x:b}} fragment G on Query{...G nope} "
        "subscription S{a} query Q{__schema{types{...T}}} fragment T on __Type{fields{name}}",
        /* with one fault each, which nothing else is there to tell of */
        "{...F} fragment F on Query{...G} fragment G on Query{q{...F}}",
        "query ($a: [Int!]) {a(n: $a)}",
        "{q{x:a x:b}}",
        "{a(n: A)}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t count = 1;
        while (!s_run_out(*state, texts[i], arena_fail_after, count))
            count++;
        for (size_t n = 1; n < count; n++)
            s_run_out(*state, texts[i], arena_fail_once, n);
    }
}

static int s_set_up(void **state)
{
    *state = front_schema(SDL);
    return 0;
}

static int s_tear_down(void **state)
{
    schema_destroy((schema_t **)state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_merging_is_not_quadratic),
        cmocka_unit_test(test_fragments_nest_within_bounds),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, s_set_up, s_tear_down);
}
