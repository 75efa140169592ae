/* SDL of one service and of several → a schema (GraphQL 2025-09 3), or one sentence that refuses
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "front.h"
#include "gateway/graphql/type/builder.h"
#include "gateway/graphql/type/print_schema.h"

typedef struct {
    const char *sdl;
    const char *refusal; /* without "service main, line 1, column n: "; "" if it is valid */
} schema_case_t;

static void s_check(const schema_case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *refusal = front_refusal(cases[i].sdl);
        const char *text = strncmp(refusal, "service ", 8) == 0   ? strstr(refusal, ": ") + 2
                           : strncmp(refusal, "schema: ", 8) == 0 ? refusal + 8
                                                                  : refusal;
        if (strcmp(text, cases[i].refusal) != 0)
            print_error("%s\n", cases[i].sdl);
        assert_string_equal(text, cases[i].refusal);
    }
}

#define CHECK(cases) s_check(cases, sizeof(cases) / sizeof *(cases))

/* Each is put behind a query type. */
#define Q "type Query { a: Int } "

static void test_names_and_definitions(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q, ""},
        {Q "type T { a: T b: [T!]! }", ""},
        {Q "type T", "Type T must define one or more fields."},
        {Q "type T extend type T { a: Int }", ""},
        {Q "type __T { a: Int }",
         "Name \"__T\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "type T { __a: Int }",
         "Name \"__a\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "type T { a(__b: Int): Int }",
         "Name \"__b\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "enum E { __A }",
         "Name \"__A\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "input I { __a: Int }",
         "Name \"__a\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "directive @__d on FIELD",
         "Name \"__d\" must not begin with \"__\", which is reserved by GraphQL introspection."},
        {Q "type T { a: Int } type T { b: Int }", "There can be only one type named \"T\"."},
        {Q "type T { a: Int } scalar T", "There can be only one type named \"T\"."},
        {Q "type T { a: Int a: Int }", "Field \"T.a\" can only be defined once."},
        {Q "type T { a: Int } extend type T { a: Int }", "Field \"T.a\" can only be defined once."},
        {Q "type T { a(b: Int b: Int): Int }", "Argument \"T.a(b:)\" can only be defined once."},
        {Q "enum E { A A }", "Enum value \"E.A\" can only be defined once."},
        {Q "input I { a: Int a: Int }", "Field \"I.a\" can only be defined once."},
        {Q "type T { a: Nope }", "Unknown type \"Nope\"."},
        {Q "type T { a: Querry }", "Unknown type \"Querry\". Did you mean \"Query\"?"},
        {Q "scalar Int", ""},
        {Q "type Int { a: Int }", "Type \"Int\" is built in and cannot be defined."},
        {Q "extend type Nope { a: Int }", "Cannot extend type \"Nope\" because it is not defined."},
        {Q "scalar S extend type S { a: Int }", "Cannot extend non-object type \"S\"."},
        {Q "extend scalar Int @specifiedBy(url: \"u\")",
         "Type \"Int\" is built in and cannot be extended."},
        {Q "{ a }", "An operation or a fragment has no place in a schema."},
        {Q "type T {", "Syntax Error: Expected Name, found <EOF>."},
    };
    CHECK(cases);
}

static void test_input_and_output_types(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q "input I { a: Int } type T { a: I }", "The type of T.a must be Output Type but got: I."},
        {Q "type T { a(b: T): Int }", "The type of T.a(b:) must be Input Type but got: T."},
        {Q "input I { a: [Query!] }", "The type of I.a must be Input Type but got: [Query!]."},
        {Q "directive @d(a: Query) on FIELD",
         "The type of @d(a:) must be Input Type but got: Query."},
        {Q "input I", "Input Object type I must define one or more fields."},
        {Q "enum E", "Enum type E must define one or more values."},
        {Q "union U", "Union type U must define one or more member types."},
        {Q "union U = Query | Query", "Union type U can only include type Query once."},
        {Q "union U = Int", "Union type U can only include Object types, it cannot include Int."},
        {Q "type T { a(b: Int! @deprecated): Int }",
         "Required argument T.a(b:) cannot be deprecated."},
        {Q "type T { a(b: Int! = 1 @deprecated): Int }", ""},
        {Q "input I { a: Int! @deprecated }", "Required input field I.a cannot be deprecated."},
        {Q "input I @oneOf { a: Int b: String }", ""},
        {Q "input I @oneOf { a: Int! }", "OneOf input field I.a must be nullable."},
        {Q "input I @oneOf { a: Int = 1 }", "OneOf input field I.a cannot have a default value."},
    };
    CHECK(cases);
}

static void test_interfaces(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q "interface A { a: Int } type T implements A { a: Int! b: Int }", ""},
        {Q "interface A { a: A } type T implements A { a: T }", ""},
        {Q "interface A { a: Int } interface B implements A { a: Int } type T implements A & B { "
           "a: Int }",
         ""},
        {Q "interface A { a: Int } type T implements A { b: Int }",
         "Interface field A.a expected but T does not provide it."},
        {Q "interface A { a: Int } type T implements A { a: String }",
         "Interface field A.a expects type Int but T.a is type String."},
        {Q "interface A { a: Int! } type T implements A { a: Int }",
         "Interface field A.a expects type Int! but T.a is type Int."},
        {Q "interface A { a: [Int] } type T implements A { a: Int }",
         "Interface field A.a expects type [Int] but T.a is type Int."},
        {Q "interface A { a(b: Int): Int } type T implements A { a: Int }",
         "Interface field argument A.a(b:) expected but T.a does not provide it."},
        {Q "interface A { a(b: Int): Int } type T implements A { a(b: Int!): Int }",
         "Interface field argument A.a(b:) expects type Int but T.a(b:) is type Int!."},
        {Q "interface A { a: Int } type T implements A { a(c: Int!): Int }",
         "Argument \"T.a(c:)\" must not be required type \"Int!\" if not provided by the Interface "
         "field \"A.a\"."},
        {Q "interface A { a: Int } type T implements A { a(c: Int! = 1): Int }", ""},
        {Q "interface A { a: Int } type T implements A { a: Int @deprecated }",
         "Interface field A.a is not deprecated, so implementation field T.a must not be "
         "deprecated."},
        {Q "interface A { a: Int } interface B implements A { a: Int } type T implements B { a: "
           "Int }",
         "Type T must implement A because it is implemented by B."},
        {Q "interface A implements A { a: Int }",
         "Type A cannot implement itself because it would create a circular reference."},
        {Q "interface A implements B { a: Int } interface B implements A { a: Int }",
         "Type A cannot implement B because it would create a circular reference."},
        {Q "interface A { a: Int } type T implements A & A { a: Int }",
         "Type T can only implement A once."},
        {Q "type T implements Query { a: Int }",
         "Type T must only implement Interface types, it cannot implement Query."},
        {Q "type T implements Nope { a: Int }", "Unknown type \"Nope\"."},
    };
    CHECK(cases);
}

static void test_default_values(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q "enum E { A } input I { e: E = A f: [Int!] = 1 g: I = {e: A} s: String = null }",
         "Invalid circular reference. The default value of Input Object field I.g references "
         "itself."},
        {Q "enum E { A } input I { e: E = A f: [Int!] = 1 g: I = {g: null} s: String = null }", ""},
        {Q "type T { a(b: Int = \"x\"): Int }",
         "T.a(b:) has invalid default value: Int cannot represent non-integer value: \"x\""},
        {Q "enum E { A } type T { a(b: E = B): Int }",
         "T.a(b:) has invalid default value: Value \"B\" does not exist in \"E\" enum. Did you "
         "mean the enum "
         "value \"A\"?"},
        {Q "input I { a: Int! = null }",
         "I.a has invalid default value: Expected value of non-null type \"Int!\" not to be null."},
        {Q "directive @d(a: Int = 1.5) on FIELD",
         "@d(a:) has invalid default value: Int cannot represent non-integer value: 1.5"},
        {Q "input A { b: B = {} } input B { a: A = {} }",
         "Invalid circular reference. The default value of Input Object field A.b references "
         "itself."},
        {Q "input A { b: B = {} } input B { a: A = {b: null} }", ""},
        {Q "input A { a: [A!] = [] }", ""},
    };
    CHECK(cases);
}

static void test_input_circles(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q "input A { a: A }", ""},
        {Q "input A { a: [A!]! }", ""},
        {Q "input A { a: A! }", "Input Object A cannot be provided a finite value because it "
                                "references itself through fields: A.a."},
        {Q "input A { b: B! } input B { c: C! } input C { a: A! }",
         "Input Object A cannot be provided a finite value because it references itself through "
         "fields: A.b, "
         "B.c, C.a."},
        {Q "input A { b: B! } input B { a: A }", ""},
        {Q "input A @oneOf { a: A }", "Input Object A cannot be provided a finite value because it "
                                      "references itself through fields: A.a."},
        {Q "input A @oneOf { a: A b: Int }", ""},
        {Q "input A @oneOf { b: B } input B { a: A! }",
         "Input Object A cannot be provided a finite value because it references itself through "
         "fields: A.b, "
         "B.a."},
        {Q "input A @oneOf { a: [A] }", ""},
    };
    CHECK(cases);
}

static void test_directives(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {Q "directive @d(a: Int!, b: [String!] = [\"x\"]) repeatable on OBJECT type T @d(a: 1) "
           "@d(a: 2) { a: Int }",
         ""},
        {Q "type T @nope { a: Int }", "Unknown directive \"@nope\"."},
        {Q "directive @d on FIELD type T @d { a: Int }",
         "Directive \"@d\" may not be used on OBJECT."},
        {Q "directive @d on OBJECT type T @d @d { a: Int }",
         "The directive \"@d\" can only be used once at this location."},
        {Q "directive @d on OBJECT type T @d { a: Int } extend type T @d",
         "The directive \"@d\" can only be used once at this location."},
        {Q "directive @d(a: Int!) on OBJECT type T @d { a: Int }",
         "Argument \"@d(a:)\" of type \"Int!\" is required, but it was not provided."},
        {Q "directive @d(arg: Int) on OBJECT type T @d(ar: 1) { a: Int }",
         "Unknown argument \"ar\" on directive \"@d\". Did you mean \"arg\"?"},
        {Q "directive @d(a: Int) on OBJECT type T @d(a: 1, a: 2) { a: Int }",
         "There can be only one argument named \"a\"."},
        {Q "directive @d(a: Int) on OBJECT type T @d(a: \"x\") { a: Int }",
         "Int cannot represent non-integer value: \"x\""},
        {Q "directive @d on FIELD directive @d on OBJECT",
         "There can be only one directive named \"@d\"."},
        {Q "directive @d(a: Int @d) on ARGUMENT_DEFINITION",
         "Directive \"@d\" cannot reference itself."},
        {Q "directive @d(a: I) on INPUT_FIELD_DEFINITION input I { b: Int @d }",
         "Directive \"@d\" cannot reference itself."},
        {Q "directive @d(a: E) on ENUM_VALUE enum E { A @e } directive @e(a: F) on ENUM_VALUE enum "
           "F { B @d }",
         "Directive \"@d\" cannot reference itself."},
        {Q "directive @deprecated(reason: String) on FIELD_DEFINITION", ""},
        {Q "type T { a: Int @deprecated(reason: 1) }",
         "String cannot represent a non string value: 1"},
    };
    CHECK(cases);
}

static void test_roots(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {"schema { query: Q } type Q { a: Int }", ""},
        {"schema { query: Q } type Q { a: Int } type Query { b: Int }", ""},
        {"schema { query: Q }", "Query root type \"Q\" is not defined."},
        {"schema { query: Q } scalar Q", "Query root type must be Object type, it cannot be Q."},
        {"schema { query: Q mutation: Q } type Q { a: Int }",
         "All root types must be different, \"Q\" type is used as Query and Mutation root types."},
        {"schema { query: Q query: Q } type Q { a: Int }",
         "There can be only one query type in schema."},
        {"schema { query: Q } schema { query: Q } type Q { a: Int }",
         "Must provide only one schema definition."},
        {"schema { query: Q } type Q { a: Int } type M { b: Int } extend schema { mutation: M }",
         ""},
        {"input Query { a: Int }", "Query root type must be Object type, it cannot be Query."},
        /* other services bring the query, or nobody does */
        {"type Mutation { a: Int }", ""},
        {"", ""},
        {" # nothing yet\n", ""},
    };
    CHECK(cases);
}

static void test_gateway_directives(void **state)
{
    (void)state;
    static const schema_case_t cases[] = {
        {"type Query { a: Int @public }", ""},
        {"type Query { a: Int } type Mutation { m: Int } "
         "type Subscription { s: Int @aws_subscribe(mutations: [\"m\"]) }",
         ""},
        {"type Query { a: Int @aws_subscribe(mutations: [\"m\"]) }",
         "@aws_subscribe is for fields of the subscription root; Query.a is none."},
        {"type Query { a: Int @aws_subscribe }",
         "Argument \"@aws_subscribe(mutations:)\" of type \"[String!]!\" is required, but it was "
         "not provided."},
        {"type Query { t: T } type T { a: ID b: Int @resolve(needs: [\"a\"]) c: Int @resolve }",
         ""},
        {"type Query { t: T } type T { a: ID b: Int @resolve(needs: \"a\") }", ""},
        {"type Query { a: Int @resolve }",
         "@resolve is for fields of object types below the root; Query.a is none."},
        {"type Query { t: T } type T { b: Int @resolve(needs: [\"a\"]) }",
         "@resolve(needs:) of T.b names \"a\", which is no scalar or enum field that T has by "
         "itself."},
        {"type Query { t: T } type T { a: T b: Int @resolve(needs: [\"a\"]) }",
         "@resolve(needs:) of T.b names \"a\", which is no scalar or enum field that T has by "
         "itself."},
        {"type Query { t: T } type T { a(x: Int!): Int b: Int @resolve(needs: [\"a\"]) }",
         "@resolve(needs:) of T.b names \"a\", which needs an argument."},
        /* conventional AppSync SDL, which says all of it by itself */
        {"directive @aws_subscribe(mutations: [String]) on FIELD_DEFINITION\n"
         "directive @aws_api_key on FIELD_DEFINITION | OBJECT\n"
         "scalar AWSDateTime\n"
         "schema { query: Query mutation: Mutation subscription: Subscription }\n"
         "type Query @aws_api_key @aws_iam { a: AWSDateTime @aws_auth(cognito_groups: [\"g\"]) }\n"
         "type Mutation { m(j: AWSJSON, e: AWSEmail, u: AWSURL): T @aws_cognito_user_pools "
         "@aws_oidc }\n"
         "type T @aws_cognito_user_pools(cognito_groups: [\"g\"]) { id: ID! }\n"
         "type Subscription { s: T @aws_subscribe(mutations: [\"m\"]) @aws_lambda }",
         ""},
    };
    CHECK(cases);
}

/* ---- several services ---- */

static schema_t *s_merge(const char *first, const char *second, err_t *err)
{
    schema_source_t sources[] = {
        {.service = "one", .sdl = first, .size = strlen(first)},
        {.service = "two", .sdl = second, .size = strlen(second)},
    };
    return schema_build(sources, 2, err);
}

static void test_merging(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    schema_t *schema =
        s_merge("type Query { a: A } type A { id: ID! } type Mutation { m: Int }",
                "type Query { b: Int } extend type Mutation { n: Int } "
                "extend type A { more: B @resolve(needs: [\"id\"]) } type B { c: Int }",
                &err);
    assert_string_equal(err.text, "");
    assert_non_null(schema);
    const schema_field_t *a = schema_type_field_by_text(schema->query, "a", 1);
    const schema_field_t *b = schema_type_field_by_text(schema->query, "b", 1);
    assert_string_equal(a->service, "one");
    assert_string_equal(b->service, "two");
    assert_string_equal(b->coordinate, "Query.b");
    assert_string_equal(schema_type_field_by_text(schema->mutation, "n", 1)->service, "two");
    const schema_field_t *more = schema_type_field_by_text(a->type->type, "more", 4);
    assert_true(more->is_resolved);
    assert_int_equal(more->need_count, 1);
    assert_string_equal(more->needs[0]->data, "id");
    assert_string_equal(more->service, "two");
    assert_null(schema->subscription);
    schema_destroy(&schema);
    assert_null(schema);
}

/* What each says about a root counts once. */
static void test_merging_roots(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    schema_t *schema =
        s_merge("\"first\" type Query implements I { a: Int } interface I { a: Int }",
                "\"second\" type Query implements I { b: Int }", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(schema->query->interface_count, 1);
    assert_int_equal(schema->query->field_count, 2);
    assert_string_equal(schema->query->description, "first");
    schema_destroy(&schema);
    schema = s_merge("extend type Query { a: Int }", "extend type Query { b: Int }", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(schema->query->field_count, 2);
    schema_destroy(&schema);
}

static void test_merging_conflicts(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *second;
        const char *refusal;
    } cases[] = {
        {"type Query { a: Int } type T { a: Int }", "type Query { b: Int } type T { a: Int }",
         "service two, line 1, column 28: Type \"T\" is defined by service one and by service "
         "two."},
        {"type Query { a: Int }", "type Query { a: Int }",
         "service two, line 1, column 14: Field \"Query.a\" is defined by service one and by "
         "service two."},
        {"type Query { a: Int } type T { a: Int }", "extend type T { b: Int }",
         "service two, line 1, column 17: Field T.b extends a type of service one and needs "
         "@resolve."},
        {"schema { query: Q } type Q { a: Int }", "type Query { b: Int }",
         "schema: The query root type is \"Q\" in service one and \"Query\" in service two."},
        {"type Query { a: Int } directive @d on FIELD", "directive @d on FIELD",
         "service two, line 1, column 12: Directive \"@d\" is defined by service one and by "
         "service two."},
        {"type Query { a: Int }", "type Query {\n  b: Nope\n}",
         "service two, line 2, column 6: Unknown type \"Nope\"."},
        {"type Query { a: Int }", "type Query { b",
         "service two, line 1, column 15: Syntax Error: Expected \":\", found <EOF>."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_t err = ERR_INIT;
        assert_null(s_merge(cases[i].first, cases[i].second, &err));
        assert_int_equal(err.code, ERR_BAD_USER_INPUT);
        assert_string_equal(err.text, cases[i].refusal);
    }
}

/* ---- asking ---- */

static void test_look_up(void **state)
{
    (void)state;
    schema_t *schema = front_schema("interface I { x: Int } interface J implements I { x: Int } "
                                    "type A implements I & J { x: Int! } "
                                    "type B implements I { x: Int } union U = B | A enum E { P Q } "
                                    "input In @oneOf { f: Int g: [E!] } "
                                    "type Query { i: I u: U e(in: In! = {f: 1}): E "
                                    "@deprecated(reason: \"old\") p: Int @public }");
    arena_t *arena = arena_new(0);
    names_t *names = names_new(arena); /* another table than the schema's */
    const name_t *field = names_intern(names, "e", 1);
    const schema_field_t *e = schema_type_field(schema, schema->query, field);
    assert_non_null(e);
    assert_string_equal(e->deprecation_reason, "old");
    assert_string_equal(e->arguments[0].type->text, "In!");
    assert_false(schema_input_is_required(&e->arguments[0]));
    assert_null(schema_type_field(schema, schema->query, names_intern(names, "nope", 4)));
    const name_t *typename = names_intern(names, "__typename", 10);
    const name_t *meta = names_intern(names, "__schema", 8);
    const schema_type_t *i = schema_type_by_text(schema, "I", 1);
    const schema_type_t *j = schema_type_by_text(schema, "J", 1);
    const schema_type_t *a = schema_type_by_text(schema, "A", 1);
    const schema_type_t *b = schema_type_by_text(schema, "B", 1);
    const schema_type_t *u = schema_type_by_text(schema, "U", 1);
    assert_int_equal(schema_type_field(schema, u, typename)->kind, SCHEMA_FIELD_TYPENAME);
    assert_int_equal(schema_type_field(schema, schema->query, meta)->kind, SCHEMA_FIELD_SCHEMA);
    assert_null(schema_type_field(schema, a, meta));
    assert_true(schema_type_field_by_text(schema->query, "p", 1)->is_public);
    assert_true(schema_type_is_possible(i, a) && schema_type_is_possible(i, b));
    assert_true(schema_type_is_possible(j, a) && !schema_type_is_possible(j, b));
    assert_true(schema_type_is_possible(u, a) && schema_type_is_possible(a, a));
    assert_true(schema_type_is_subtype(j, i) && !schema_type_is_subtype(i, j));
    assert_true(schema_types_overlap(schema, u, j) && !schema_types_overlap(schema, b, j));
    assert_int_equal(u->possible_count, 2);
    assert_ptr_equal(u->possible[0], b);
    const schema_type_t *in = schema_type_by_text(schema, "In", 2);
    assert_true(in->is_one_of);
    assert_non_null(schema_type_input_by_text(in, "g", 1));
    assert_null(schema_type_input_by_text(in, "h", 1));
    assert_non_null(schema_type_value_by_text(schema_type_by_text(schema, "E", 1), "Q", 1));
    assert_null(schema_type_by_text(schema, "AWSDate", 7));
    assert_null(schema_type_by_text(schema, "__Meta", 6));
    assert_non_null(schema_type_by_text(schema, "__Type", 6));
    assert_non_null(schema_directive(schema, names_intern(names, "skip", 4)));
    assert_true(schema_directive(schema, names_intern(names, "public", 6))->is_hidden);
    assert_null(schema_directive(schema, names_intern(names, "nope", 4)));
    for (uint32_t id = 0; id < schema->type_count; id++)
        assert_int_equal(schema->types[id]->id, id);
    arena_destroy(&arena);
    schema_destroy(&schema);
}

/* Nobody has announced anything yet: a schema that can be asked, whose one field belongs to no
 * service. */
static void test_no_services(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    schema_t *schema = schema_build(NULL, 0, &err);
    assert_non_null(schema);
    assert_int_equal(schema->query->field_count, 1);
    const schema_field_t *field = schema_type_field_by_text(schema->query, "_empty", 6);
    assert_true(field->is_public);
    assert_string_equal(field->service, "");
    assert_string_equal(front_errors(schema, "{_empty __typename __schema{queryType{name}}}", NULL),
                        "");
    schema_destroy(&schema);
}

static void s_check_print(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "schema/%s.graphql", name);
    char *sdl = front_golden(path);
    snprintf(path, sizeof path, "schema/%s.printed.graphql", name);
    char *expected = front_golden(path);
    schema_t *schema = front_schema(sdl);
    buffer_t out = BUFFER_INIT(1 << 20);
    schema_print(schema, &out);
    buffer_put(&out, "\n", 2); /* files end so; and the NUL */
    assert_string_equal(out.data, expected);
    buffer_free(&out);
    schema_destroy(&schema);
    /* what is printed can be read again and is printed the same */
    schema = front_schema(expected);
    out = (buffer_t)BUFFER_INIT(1 << 20);
    schema_print(schema, &out);
    buffer_put(&out, "\n", 2);
    assert_string_equal(out.data, expected);
    buffer_free(&out);
    schema_destroy(&schema);
    free(sdl);
    free(expected);
}

/* The expected text is graphql-js's printSchema(buildSchema(...)). */
static void test_printing(void **state)
{
    (void)state;
    s_check_print("kinds");
    s_check_print("descriptions");
    s_check_print("defaults");
    s_check_print("roots");
}

/* Made-up ones that once were, or could be, trouble: deep, long, circular. */
static void test_hostile_texts(void **state)
{
    (void)state;
    size_t size = 400000;
    char *sdl = calloc(1, size);
    char *at = stpcpy(sdl, Q);
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "input I%d { a: I%d! } ", i, i + 1);
    strcpy(at, "input I5000 { a: Int }");
    assert_string_equal(front_refusal(sdl), "");
    strcpy(at, "input I5000 { a: I0! }");
    assert_non_null(strstr(front_refusal(sdl), "cannot be provided a finite value"));
    at = stpcpy(sdl, Q);
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "input I%d { a: I%d = {} } ", i, i + 1);
    strcpy(at, "input I5000 { a: Int }");
    assert_non_null(strstr(front_refusal(sdl), "nested more than"));
    at = stpcpy(sdl, Q);
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "directive @d%d(a: Int @d%d) on ARGUMENT_DEFINITION ", i, i + 1);
    strcpy(at, "directive @d5000 on ARGUMENT_DEFINITION");
    assert_non_null(strstr(front_refusal(sdl), "nested more than"));
    at = stpcpy(sdl, "type Query { a: ");
    for (int i = 0; i < 1000; i++)
        *at++ = '[';
    assert_non_null(strstr(front_refusal(sdl), "the limit (depth)"));
    free(sdl);
}

/* Each allocation fails once (some are left out: there are thousands): an error, never a crash. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    static const char sdl[] =
        "directive @d(a: In = {f: 1}) repeatable on OBJECT "
        "interface I { x(y: Int = 1): Int } type A implements I @d @d(a: {g: "
        "[P]}) { x(y: Int): Int! } "
        "union U = A enum E { P @deprecated } input In @oneOf { f: Int g: [E!] } "
        "scalar S @specifiedBy(url: \"u\") "
        "type Query { u: U a: A e(in: In): E @deprecated } extend type A { "
        "s: S n: Int @resolve(needs: \"x\") } "
        "schema { query: Query subscription: Sub } type Sub { s: Int "
        "@aws_subscribe(mutations: [\"m\"]) }";
    schema_source_t source = {.service = "main", .sdl = sdl, .size = sizeof sdl - 1};
    bool finished = false;
    for (size_t n = 1; !finished; n += n < 300 ? 1 : 7) {
        arena_t *arena = arena_new(0);
        err_t err = ERR_INIT;
        arena_fail_after(arena, n);
        finished = b_build(arena, &source, 1, &err) != NULL;
        assert_true(finished || err.code == ERR_INTERNAL);
        arena_destroy(&arena);
    }
}

/* A sentence that is too long is cut between characters. */
static void test_long_refusals_stay_utf8(void **state)
{
    (void)state;
    char sdl[512];
    for (int shift = 0; shift < 4; shift++) {
        char *at = stpcpy(sdl, "type Query { a(b: Int = \"");
        for (int i = 0; i < shift; i++)
            *at++ = 'x';
        for (int i = 0; i < 70; i++)
            at = stpcpy(at, "\xF0\x9F\x98\x80");
        strcpy(at, "\"): Int }");
        const char *refusal = front_refusal(sdl);
        assert_true(utf8_is_valid(refusal, strlen(refusal)));
        assert_true(strlen(refusal) > 150);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_definitions),
        cmocka_unit_test(test_input_and_output_types),
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_default_values),
        cmocka_unit_test(test_input_circles),
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_gateway_directives),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_merging_roots),
        cmocka_unit_test(test_merging_conflicts),
        cmocka_unit_test(test_look_up),
        cmocka_unit_test(test_no_services),
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_long_refusals_stay_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
