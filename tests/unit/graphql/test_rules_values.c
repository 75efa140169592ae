/* The same about values, directives and variables; and what is told of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules.h"

static void test_values_of_correct_type(void **state)
{
    static const char *const good[] = {
        "{echo(ints:[1,2],int:1,float:1,string:\"a\",bool:true,id:1,color:RED,any:{a:[1]})}",
        "{echo(ints:1,float:1.5,id:\"a\",any:E)}",
        "{echo(ints:[],int:null,color:null)}",
        "{choose(by:{id:1})}",
        "{pets(filter:{must:true,matrix:[[1],[null],null]}){__typename}}",
        "query($f:Filter={must:false}){pets(filter:{must:true,nested:$f}){__typename}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{echo(ints:[\"a\"])}", "ValuesOfCorrectType 1:13"},
        {"{echo(ints:[1],int:2147483648)}", "ValuesOfCorrectType 1:20"},
        {"{echo(ints:[1],int:1.0)}", "ValuesOfCorrectType 1:20"},
        {"{echo(ints:[1],int:\"1\")}", "ValuesOfCorrectType 1:20"},
        {"{echo(ints:[1],float:\"1\")}", "ValuesOfCorrectType 1:22"},
        {"{echo(ints:[1],string:1)}", "ValuesOfCorrectType 1:23"},
        {"{echo(ints:[1],bool:1)}", "ValuesOfCorrectType 1:21"},
        {"{echo(ints:[1],id:1.5)}", "ValuesOfCorrectType 1:19"},
        {"{echo(ints:[1],color:\"RED\")}", "ValuesOfCorrectType 1:22"},
        {"{echo(ints:[1],color:REDD)}", "ValuesOfCorrectType 1:22"},
        {"{echo(ints:null)}", "ValuesOfCorrectType 1:12"},
        {"{echo(ints:[null])}", "ValuesOfCorrectType 1:13"},
        {"{pets(filter:{}){__typename}}", "ValuesOfCorrectType 1:14"},
        {"{pets(filter:{must:true,nope:1}){__typename}}", "ValuesOfCorrectType 1:25"},
        {"{pets(filter:1){__typename}}", "ValuesOfCorrectType 1:14"},
        {"{choose(by:{})}", "ValuesOfCorrectType 1:12"},
        {"{choose(by:{id:1,name:\"a\"})}", "ValuesOfCorrectType 1:12"},
        {"{choose(by:{id:null})}", "ValuesOfCorrectType 1:12"},
        {"{choose(by:{idd:1})}", "ValuesOfCorrectType 1:12\nValuesOfCorrectType 1:13"},
        {"query($a:Int=\"x\"){echo(ints:[1],int:$a)}", "ValuesOfCorrectType 1:14"},
        {"{me{name @skip(if:\"x\")}}", "ValuesOfCorrectType 1:19"},
        {"{pets(filter:{must:true,nested:{list:[1,\"a\"]}}){__typename}}",
         "ValuesOfCorrectType 1:32\nValuesOfCorrectType 1:41"},
        {"query($c:Choice={id:1,name:\"b\"}){choose(by:$c)}", "ValuesOfCorrectType 1:17"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_input_field_names(void **state)
{
    static const char *const good[] = {
        "{pets(filter:{must:true,nested:{must:true}}){__typename}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{pets(filter:{must:true,must:true}){__typename}}", "UniqueInputFieldNames 1:15 1:25"},
        {"{echo(ints:[1],any:{a:1,a:2,a:3})}",
         "UniqueInputFieldNames 1:21 1:25\nUniqueInputFieldNames 1:21 1:29"},
        {"query($f:Filter={must:true,must:true}){pets(filter:{must:true,nested:$f}){__typename}}",
         "UniqueInputFieldNames 1:18 1:28"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_known_directives(void **state)
{
    static const char *const good[] = {
        "{me @skip(if:true){id @include(if:true)}}",
        "query @everywhere{me @onField{id}}",
        "query($a:Int @everywhere){echo(ints:[1],int:$a)}",
        "{me{...F @everywhere}} fragment F on User @everywhere{id}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me @nope{id}}", "KnownDirectives 1:5"},
        {"query @skip(if:true){me{id}}", "KnownDirectives 1:7"},
        {"query($a:Int @onField){echo(ints:[1],int:$a)}", "KnownDirectives 1:14"},
        {"{me{...F}} fragment F on User @onField{id}", "KnownDirectives 1:31"},
        {"{me{...@deprecated{id}}}", "KnownDirectives 1:8"},
        {"mutation @again(n:1){touch}", "KnownDirectives 1:10"},
        {"{me @oneOf{id}}", "KnownDirectives 1:5"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_directives_per_location(void **state)
{
    static const char *const good[] = {
        "{me @skip(if:true) @include(if:true){id}}",
        "{me @again(n:1) @again(n:2){id}}",
        "{me @onField{id @onField}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me @onField @onField{id}}", "UniqueDirectivesPerLocation 1:5 1:14"},
        {"{me @onField @skip(if:true) @onField @onField{id}}",
         "UniqueDirectivesPerLocation 1:5 1:29\nUniqueDirectivesPerLocation 1:5 1:38"},
        {"query @everywhere @everywhere{me{id}}", "UniqueDirectivesPerLocation 1:7 1:19"},
        {"query($a:Int @everywhere @everywhere){echo(ints:[1],int:$a)}",
         "UniqueDirectivesPerLocation 1:14 1:26"},
        {"{me{...F @everywhere @everywhere}} fragment F on User @everywhere @everywhere{... "
         "@onField @skip(if:true) @skip(if:true){id}}",
         "KnownDirectives 1:83\nUniqueDirectivesPerLocation 1:10 1:22\nUniqueDirectivesPerLocation "
         "1:55 1:67\nUniqueDirectivesPerLocation 1:92 1:107"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_variable_names(void **state)
{
    static const char *const good[] = {
        "query A($a:Int){echo(ints:[1],int:$a)} query B($a:Int){echo(ints:[1],int:$a)}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"query($a:Int,$a:Int){echo(ints:[1],int:$a)}", "UniqueVariableNames 1:8 1:15"},
        {"query($a:Int,$a:Int,$a:Int){echo(ints:[1],int:$a)}", "UniqueVariableNames 1:8 1:15 1:22"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_variables_are_input_types(void **state)
{
    static const char *const good[] = {
        "query($a:Int,$b:Filter!,$c:Color){x:echo(ints:[1],int:$a,color:$c) "
        "pets(filter:$b){__typename}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"query($a:User){echo(ints:[1],any:$a)}",
         "VariablesAreInputTypes 1:10\nVariablesInAllowedPosition 1:7 1:34"},
        {"query($a:[Pet!]!){echo(ints:[1],any:$a)}",
         "VariablesAreInputTypes 1:10\nVariablesInAllowedPosition 1:7 1:37"},
        {"query($a:Node){me{id}}", "NoUnusedVariables 1:7\nVariablesAreInputTypes 1:10"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_no_undefined_variables(void **state)
{
    static const char *const good[] = {
        "query($a:Int){echo(ints:[1],int:$a)}",
        "query Q($a:Boolean){me{...F}} fragment F on User{name(upper:$a)}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{echo(ints:[1],int:$a)}", "NoUndefinedVariables 1:20 1:1"},
        {"query Q{me{...F}} fragment F on User{name(upper:$a)}", "NoUndefinedVariables 1:49 1:1"},
        {"query A($a:Boolean){me{...F}} query B{me{...F}} fragment F on User{name(upper:$a)}",
         "NoUndefinedVariables 1:79 1:31"},
        {"{echo(ints:[1],any:{a:[$b]})}", "NoUndefinedVariables 1:24 1:1"},
        {"{me{id @skip(if:$c)}}", "NoUndefinedVariables 1:17 1:1"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_no_unused_variables(void **state)
{
    static const char *const good[] = {
        "query($a:Int){echo(ints:[1],any:[{b:$a}])}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"query($a:Int){me{id}}", "NoUnusedVariables 1:7"},
        {"query Q($a:Int,$b:Int){echo(ints:[1],int:$a)}", "NoUnusedVariables 1:16"},
        {"query Q($a:Boolean){me{...F}} fragment F on User{id} fragment G on User{name(upper:$a)}",
         "NoUnusedFragments 1:54\nNoUnusedVariables 1:9"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_variables_in_allowed_position(void **state)
{
    static const char *const good[] = {
        "query($a:Int!){echo(ints:[1],int:$a)}", "query($a:Boolean=true){me{id @skip(if:$a)}}",
        "query($a:[Int!]!){echo(ints:$a)}",      "query($a:Int){pet{...on Cat{meows(times:$a)}}}",
        "query($a:Int!){echo(ints:[$a])}",       "query($a:ID!){choose(by:{id:$a})}",
        "query($a:Any){echo(ints:[1],any:$a)}",  NULL,
    };
    static const rule_case_t bad[] = {
        {"query($a:Int){echo(ints:[1],string:$a)}", "VariablesInAllowedPosition 1:7 1:36"},
        {"query($a:Boolean){me{id @skip(if:$a)}}", "VariablesInAllowedPosition 1:7 1:34"},
        {"query($a:[Int]!){echo(ints:$a)}", "VariablesInAllowedPosition 1:7 1:28"},
        {"query($a:Int){echo(ints:[$a])}", "VariablesInAllowedPosition 1:7 1:26"},
        {"query($a:Boolean=null){me{id @skip(if:$a)}}", "VariablesInAllowedPosition 1:7 1:39"},
        {"query Q($a:ID){me{...F}} fragment F on User{node(id:$a){id}}",
         "VariablesInAllowedPosition 1:9 1:53"},
        {"query($a:Int!){echo(ints:$a)}", "VariablesInAllowedPosition 1:7 1:26"},
        {"query($a:String){pets(filter:{must:true,list:[1],text:$a,limit:$a}){__typename}}",
         "VariablesInAllowedPosition 1:7 1:64"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_max_introspection_depth(void **state)
{
    static const char *const good[] = {
        "{__schema{types{fields{type{fields{name}}}}}}",
        "{__type(name:\"A\"){fields{type{name}} interfaces{name} possibleTypes{name}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
         "MaxIntrospectionDepth 1:2"},
        {"{__schema{types{...T}}} fragment T on __Type{fields{type{...U}}} fragment U on "
         "__Type{interfaces{possibleTypes{name}}}",
         "MaxIntrospectionDepth 1:2"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

/* 5.8.5: also where the argument itself is non-null, which graphql-js lets through. */
static void test_one_of_wants_non_null_variables(void **state)
{
    (void)state;
    schema_t *schema = front_schema(
        "input One @oneOf { a: Int b: Int } type Query { f(one: One, must: One!): Int }");
    assert_string_equal(
        front_errors(schema, "query($a: Int!) { f(one: {a: $a}, must: {b: $a}) }", NULL), "");
    assert_string_equal(
        front_errors(schema, "query($a: Int) { f(one: {a: $a}, must: {b: 1}) }", NULL),
        "VariablesInAllowedPosition 1:7 1:29");
    assert_string_equal(front_errors(schema, "query($a: Int) { f(must: {a: $a}) }", NULL),
                        "VariablesInAllowedPosition 1:7 1:30");
    schema_destroy(&schema);
}

/* Below mutually exclusive parents everything is exclusive, on both ways to the verdict. */
static void test_exclusive_parents_go_down(void **state)
{
    (void)state;
    schema_t *schema =
        front_schema("type A { o: T } type B { o: T } union U = A | B type Query { u: U } "
                     "type T { a: Int b: Int s: String t: T }");
    assert_string_equal(front_errors(schema, "{u{...on A{o{t{x:a}}} ...on B{o{t{x:b}}}}}", NULL),
                        "");
    assert_string_equal(
        front_errors(schema,
                     "{u{...on A{o{t{x:a}}} ...on B{o{t{x:b}}}} z:u{__typename} z:__typename}",
                     NULL),
        "OverlappingFieldsCanBeMerged 1:43 1:59");
    assert_string_equal(front_errors(schema, "{u{...on A{o{t{x:a}}} ...on B{o{t{x:s}}}}}", NULL),
                        "OverlappingFieldsCanBeMerged 1:12 1:14 1:16 1:31 1:33 1:35");
    schema_destroy(&schema);
}

/* Suggestions are given as graphql-js gives them, and not at all where the schema is not to be
 * seen. */
static void test_suggestions(void **state)
{
    static const rule_case_t cases[] = {
        {"{me{nme}}", "Cannot query field \"nme\" on type \"User\". Did you mean \"name\", "
                      "\"age\", or \"node\"?"},
        {"{pet{barks}}", "Cannot query field \"barks\" on type \"Pet\". Did you mean to use an "
                         "inline fragment on \"Dog\"?"},
        {"{pet{id}}", "Cannot query field \"id\" on type \"Pet\". Did you mean to use an inline "
                      "fragment on \"Node\", "
                      "\"Cat\", \"Named\", or \"Dog\"?"},
        {"{user(idd:1,id:2){id}}",
         "Unknown argument \"idd\" on field \"Query.user\". Did you mean \"id\"?"},
        {"{me{...on Usr{id}}}", "Unknown type \"Usr\". Did you mean \"User\"?"},
        {"{echo(ints:1,color:REDD)}",
         "Value \"REDD\" does not exist in \"Color\" enum. Did you mean the enum value \"RED\"?"},
        {"{pets(filter:{must:true,limt:1}){__typename}}",
         "Expected value of type \"Filter\" not to include unknown field \"limt\". Did you mean "
         "\"limit\" or "
         "\"list\"? Found: { must: true, limt: 1 }."},
        {"{me{id @onField(lvel:1)}}",
         "Unknown argument \"lvel\" on directive \"@onField\". Did you mean \"level\"?"},
    };
    const validate_options_t hidden = {.introspection = false};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(front_messages(*state, cases[i].document, NULL), cases[i].errors);
        assert_null(strstr(front_messages(*state, cases[i].document, &hidden), "Did you mean"));
    }
    assert_string_equal(front_errors(*state, "{__schema{types{name}} me{__typename}}", &hidden),
                        "NoIntrospection 1:2");
    assert_string_equal(front_errors(*state, "{...{t:__type(name:\"User\"){name}}}", &hidden),
                        "NoIntrospection 1:6");
}

/* At most 100, and no more work after that. */
static void test_errors_are_bounded(void **state)
{
    char *text = calloc(1, 300000);
    char *at = stpcpy(text, "{me{");
    for (int i = 0; i < 20000; i++)
        at += sprintf(at, "nope%d ", i);
    strcpy(at, "}}");
    const char *errors = front_errors(*state, text, NULL);
    size_t lines = 1;
    for (; *errors; errors++)
        lines += *errors == '\n';
    assert_int_equal(lines, 100);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_correct_type),
        cmocka_unit_test(test_unique_input_field_names),
        cmocka_unit_test(test_known_directives),
        cmocka_unit_test(test_unique_directives_per_location),
        cmocka_unit_test(test_unique_variable_names),
        cmocka_unit_test(test_variables_are_input_types),
        cmocka_unit_test(test_no_undefined_variables),
        cmocka_unit_test(test_no_unused_variables),
        cmocka_unit_test(test_variables_in_allowed_position),
        cmocka_unit_test(test_max_introspection_depth),
        cmocka_unit_test(test_one_of_wants_non_null_variables),
        cmocka_unit_test(test_exclusive_parents_go_down),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_errors_are_bounded),
    };
    return cmocka_run_group_tests(tests, rules_set_up, rules_tear_down);
}
