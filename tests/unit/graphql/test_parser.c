/* Documents → trees (GraphQL 2025-09 2 and 3), syntax errors, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "front.h"
#include "gateway/graphql/language/print_value.h"

typedef struct {
    arena_t *arena;
    gql_errors_t errors;
    ast_document_t *document;
} parsed_t;

static parsed_t s_parse_limited(const char *text, parser_limits_t limits)
{
    parsed_t parsed = {.arena = arena_new(0)};
    parsed.errors = (gql_errors_t)GQL_ERRORS_INIT(parsed.arena, 0);
    parsed.document = parser_parse_document(parsed.arena, names_new(parsed.arena), text,
                                            strlen(text), &limits, &parsed.errors);
    assert_true((parsed.document == NULL) == (parsed.errors.count == 1));
    return parsed;
}

static parsed_t s_parse(const char *text)
{
    parsed_t parsed = s_parse_limited(text, (parser_limits_t){0});
    if (!parsed.document)
        print_error("%s\n", parsed.errors.first->message);
    assert_non_null(parsed.document);
    return parsed;
}

static void s_free(parsed_t *parsed)
{
    arena_destroy(&parsed->arena);
}

static void test_operation(void **state)
{
    (void)state;
    parsed_t parsed =
        s_parse("\"What it does\" query Q($a: [Int!]! = [1] @d, \"why\" $b: ID) @d {\n"
                "  x: f(a: $a, b: {c: \"s\", d: [E, null, true, 1.5]}) @e(g: 1) { ...F }\n"
                "  ... on T @d { g }\n"
                "  ... @d { h }\n"
                "}\n"
                "\"\"\"Doc\"\"\" fragment F on T { k }");
    const ast_document_t *document = parsed.document;
    assert_int_equal(document->definition_count, 2);
    const ast_definition_t *query = &document->definitions[0];
    assert_int_equal(query->kind, AST_OPERATION);
    assert_string_equal(query->description->data, "What it does");
    assert_string_equal(query->name->data, "Q");
    assert_int_equal(query->directives.count, 1);
    const ast_operation_t *operation = &query->operation;
    assert_int_equal(operation->kind, AST_QUERY);
    assert_int_equal(operation->variable_count, 2);
    const ast_variable_t *a = &operation->variables[0];
    assert_string_equal(a->name->data, "a");
    assert_int_equal(a->type->kind, AST_TYPE_NON_NULL);
    assert_int_equal(a->type->of->kind, AST_TYPE_LIST);
    assert_int_equal(a->type->of->of->kind, AST_TYPE_NON_NULL);
    assert_string_equal(a->type->of->of->of->name->data, "Int");
    assert_int_equal(a->default_value->kind, AST_LIST);
    assert_int_equal(a->directives.count, 1);
    assert_string_equal(operation->variables[1].description->data, "why");
    assert_int_equal(operation->variables[1].loc.column + 6,
                     operation->variables[1].variable_loc.column);
    assert_int_equal(operation->set->count, 3);
    const ast_selection_t *x = &operation->set->items[0];
    assert_int_equal(x->kind, AST_FIELD);
    assert_string_equal(x->field.alias->data, "x");
    assert_string_equal(x->field.name->data, "f");
    assert_ptr_equal(x->field.key, x->field.alias);
    assert_int_equal(x->loc.line, 2);
    assert_int_equal(x->loc.column, 3);
    assert_int_equal(x->field.argument_count, 2);
    assert_false(x->field.arguments[0].value.constant);
    assert_true(x->field.arguments[1].value.constant);
    assert_int_equal(x->field.set->items[0].kind, AST_FRAGMENT_SPREAD);
    assert_int_equal(operation->set->items[1].kind, AST_INLINE_FRAGMENT);
    assert_string_equal(operation->set->items[1].inlined.condition.name->data, "T");
    assert_null(operation->set->items[2].inlined.condition.name);
    const ast_definition_t *fragment = &document->definitions[1];
    assert_string_equal(fragment->description->data, "Doc");
    assert_string_equal(fragment->fragment.condition.name->data, "T");
    assert_int_equal(document->alias_count, 1);
    assert_int_equal(document->field_count, 4);
    assert_int_equal(document->directive_count, 5);
    /* names are the same pointer wherever they are */
    assert_ptr_equal(x->field.set->items[0].spread.name, fragment->name);
    s_free(&parsed);
}

static void test_values_print_as_written(void **state)
{
    (void)state;
    static const char *const values[] = {
        "1",
        "-0.5e10",
        "\"a\\n\\\"b\\\"\"",
        "true",
        "null",
        "ENUM",
        "$v",
        "[]",
        "[1, [2, $v], { a: null }]",
        "{ a: 1, b: { c: [\"x\"] } }",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        arena_t *arena = arena_new(0);
        gql_errors_t errors = GQL_ERRORS_INIT(arena, 0);
        buffer_t out = BUFFER_INIT(4096);
        ast_value_t *value = parser_parse_value(arena, names_new(arena), values[i],
                                                strlen(values[i]), false, &errors);
        assert_non_null(value);
        print_value(value, &out);
        buffer_put_char(&out, '\0');
        assert_string_equal(out.data, values[i]);
        buffer_free(&out);
        arena_destroy(&arena);
    }
}

/* In messages a long value is cut, between characters and not within a name. */
static void test_long_values_are_cut(void **state)
{
    (void)state;
    char text[4096];
    for (int shift = 0; shift < 8; shift++) {
        arena_t *arena = arena_new(0);
        gql_errors_t errors = GQL_ERRORS_INIT(arena, 0);
        char *at = stpcpy(text, "[");
        for (int i = 0; i < 100; i++)
            at += sprintf(at, "{name%d: \"%.*s\xF0\x9F\x98\x80\"} ", i, shift, "abcdefgh");
        strcpy(at, "]");
        ast_value_t *value =
            parser_parse_value(arena, names_new(arena), text, strlen(text), false, &errors);
        assert_non_null(value);
        const char *shown = print_value_short(arena, value);
        assert_true(utf8_is_valid(shown, strlen(shown)));
        assert_true(strlen(shown) > 250 && strlen(shown) < 320);
        buffer_t whole = BUFFER_INIT(1 << 16);
        print_value(value, &whole);
        /* the same up to the dots, but for white space, which the long form has more of */
        const char *end = strstr(shown, "\xE2\x80\xA6");
        const char *other = whole.data;
        assert_non_null(end);
        for (at = (char *)shown; at < end; at++) {
            if (*at == ' ' || *at == ',')
                continue;
            while (*other == ' ' || *other == '\n' || *other == ',')
                other++;
            assert_int_equal(*at, *other++);
        }
        buffer_free(&whole);
        arena_destroy(&arena);
    }
}

static void test_sdl(void **state)
{
    (void)state;
    parsed_t parsed =
        s_parse("\"s\" schema @d { query: Q mutation: M }\n"
                "extend schema { subscription: S }\n"
                "scalar Date @specifiedBy(url: \"u\")\n"
                "type T implements & A & B @d { \"f\" f(\"a\" a: Int = 1 @d): [T!]! @deprecated }\n"
                "interface A implements B { a: Int }\n"
                "union U = | T | S\n"
                "enum E { \"a\" A @d B }\n"
                "input I @oneOf { a: Int = 1 b: [I] }\n"
                "directive @d(a: Int = 1) repeatable on | FIELD | ENUM_VALUE\n"
                "extend type T @e\n"
                "type Empty");
    const ast_definition_t *definitions = parsed.document->definitions;
    assert_int_equal(parsed.document->definition_count, 11);
    assert_int_equal(definitions[0].kind, AST_SCHEMA);
    assert_int_equal(definitions[0].schema.root_count, 2);
    assert_true(definitions[1].extend);
    const ast_type_definition_t *type = &definitions[3].type;
    assert_int_equal(type->interface_count, 2);
    assert_int_equal(type->field_count, 1);
    assert_string_equal(type->fields[0].description->data, "f");
    assert_string_equal(type->fields[0].arguments[0].description->data, "a");
    assert_int_equal(definitions[5].type.member_count, 2);
    assert_int_equal(definitions[6].type.value_count, 2);
    assert_int_equal(definitions[7].type.input_count, 2);
    assert_true(definitions[8].directive.repeatable);
    assert_int_equal(definitions[8].directive.location_count, 2);
    assert_int_equal(definitions[10].type.field_count, 0);
    s_free(&parsed);
}

static void test_syntax_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"", "1:1 Syntax Error: Unexpected <EOF>."},
        {"{", "1:2 Syntax Error: Expected Name, found <EOF>."},
        {"{}", "1:2 Syntax Error: Expected Name, found \"}\"."},
        {"{ a(", "1:5 Syntax Error: Expected Name, found <EOF>."},
        {"{ a() }", "1:5 Syntax Error: Expected Name, found \")\"."},
        {"{ a { } }", "1:7 Syntax Error: Expected Name, found \"}\"."},
        {"query Q() { a }", "1:9 Syntax Error: Expected \"$\", found \")\"."},
        {"{ ...on }", "1:9 Syntax Error: Expected Name, found \"}\"."},
        {"fragment on on T { a }", "1:10 Syntax Error: Unexpected Name \"on\"."},
        {"fragment F T { a }", "1:12 Syntax Error: Expected \"on\", found Name \"T\"."},
        {"notAnOperation F { a }", "1:1 Syntax Error: Unexpected Name \"notAnOperation\"."},
        {"query ($a: Int = $b) { a }",
         "1:18 Syntax Error: Unexpected variable \"$b\" in constant value."},
        {"query ($a: Int @d(b: $c)) { a }",
         "1:22 Syntax Error: Unexpected variable \"$c\" in constant value."},
        {"{ a(b: $) }", "1:9 Syntax Error: Expected Name, found \")\"."},
        {"{ a(b: ]) }", "1:8 Syntax Error: Unexpected \"]\"."},
        {"{ a: }", "1:6 Syntax Error: Expected Name, found \"}\"."},
        {"\"doc\" { a }",
         "1:1 Syntax Error: Unexpected description, descriptions are not supported on shorthand "
         "queries."},
        {"\"doc\" extend type T { a: Int }",
         "1:1 Syntax Error: Unexpected description, only GraphQL definitions support "
         "descriptions."},
        {"extend type T", "1:14 Syntax Error: Unexpected <EOF>."},
        {"extend directive @d on FIELD", "1:8 Syntax Error: Unexpected Name \"directive\"."},
        {"enum E { true }",
         "1:10 Syntax Error: Name \"true\" is reserved and cannot be used for an enum value."},
        {"directive @d on FEILD", "1:17 Syntax Error: Unexpected Name \"FEILD\"."},
        {"type T { a }", "1:12 Syntax Error: Expected \":\", found \"}\"."},
        {"type T {}", "1:9 Syntax Error: Expected Name, found \"}\"."},
        {"schema", "1:7 Syntax Error: Expected \"{\", found <EOF>."},
        {"{\n  a\n  \xC3\xA9\n}", "3:3 Syntax Error: Unexpected character: U+00E9."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        parsed_t parsed = s_parse_limited(cases[i].text, (parser_limits_t){0});
        assert_null(parsed.document);
        const gql_error_t *error = parsed.errors.first;
        assert_int_equal(error->code, ERR_GRAPHQL_PARSE_FAILED);
        snprintf(text, sizeof text, "%u:%u %s", error->locations[0].line,
                 error->locations[0].column, error->message);
        assert_string_equal(text, cases[i].error);
        s_free(&parsed);
    }
}

/* n times open, then close. */
static char *
s_nested(const char *start, const char *open, const char *middle, const char *close, size_t n)
{
    size_t size = strlen(start) + n * (strlen(open) + strlen(close)) + strlen(middle) + 64;
    char *text = calloc(size, 1);
    char *at = stpcpy(text, start);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, close);
    return text;
}

static void s_check_limit(char *text, parser_limits_t limits, bool exceeded)
{
    parsed_t parsed = s_parse_limited(text, limits);
    if (exceeded) {
        assert_null(parsed.document);
        assert_int_equal(parsed.errors.first->code, ERR_LIMIT_EXCEEDED);
    } else {
        assert_non_null(parsed.document);
    }
    s_free(&parsed);
    free(text);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    s_check_limit(s_nested("", "{a", "", "}", 10), (parser_limits_t){.max_depth = 10}, false);
    s_check_limit(s_nested("", "{a", "", "}", 11), (parser_limits_t){.max_depth = 10}, true);
    /* without a limit there still is one, and a hundred thousand levels do no harm */
    s_check_limit(s_nested("", "{a", "", "}", 500), (parser_limits_t){0}, false);
    s_check_limit(s_nested("", "{a", "", "}", 100000), (parser_limits_t){0}, true);
    s_check_limit(s_nested("{a(b:", "[", "", "]", 100000), (parser_limits_t){0}, true);
    s_check_limit(s_nested("{a(b:", "{c:", "1", "}", 100000), (parser_limits_t){0}, true);
    s_check_limit(s_nested("query($a:", "[", "Int", "]", 100000), (parser_limits_t){0}, true);
    s_check_limit(s_nested("{", "...{", "a", "}", 100000), (parser_limits_t){0}, true);
}

static void test_tokens_are_bounded(void **state)
{
    (void)state;
    s_check_limit(strdup("{ a b c }"), (parser_limits_t){.max_tokens = 5}, false);
    s_check_limit(strdup("{ a b c }"), (parser_limits_t){.max_tokens = 4}, true);
    s_check_limit(strdup("{ a #, b, c, d\n }"), (parser_limits_t){.max_tokens = 3}, false);
}

/* Each allocation fails once: an error about memory, never a crash. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    static const char text[] =
        "\"doc\" query Q($a: [Int!] = [1, {b: \"x\"}] @d) { a(b: $a, c: {d: E}) @f { ...F } }\n"
        "fragment F on T { b ... on U { c } }\n"
        "type T implements I & J @d { f(a: Int = 1): [T!]! } union U = A | B enum E { A B }\n"
        "input I { a: Int = 2 } schema { query: Q } directive @d(a: Int) on FIELD | QUERY\n";
    bool finished = false;
    for (size_t n = 1; !finished; n++) {
        parsed_t parsed = {.arena = arena_new(0)};
        parsed.errors = (gql_errors_t)GQL_ERRORS_INIT(parsed.arena, 0);
        names_t *names = names_new(parsed.arena);
        arena_fail_after(parsed.arena, n);
        parsed.document = parser_parse_document(parsed.arena, names, text, strlen(text),
                                                &(parser_limits_t){0}, &parsed.errors);
        finished = parsed.document != NULL;
        assert_true(finished || parsed.errors.out_of_memory);
        s_free(&parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operation),           cmocka_unit_test(test_values_print_as_written),
        cmocka_unit_test(test_long_values_are_cut), cmocka_unit_test(test_sdl),
        cmocka_unit_test(test_syntax_errors),       cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_tokens_are_bounded),  cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
