/* The rules of GraphQL 2025-09 5 about documents, operations, fields, arguments and fragments,
 * accepting and refusing. What is expected is graphql-js's verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules.h"

static void test_executable_definitions(void **state)
{
    static const char *const good[] = {
        "{me{id}}",
        "fragment F on User{id} {me{...F}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{id}} type T{a:Int}", "ExecutableDefinitions 1:10"},
        {"{me{id}} extend schema{subscription:Subscription}", "ExecutableDefinitions 1:10"},
        {"{me{id}} directive @x on FIELD", "ExecutableDefinitions 1:10"},
        {"scalar S {me{id}}", "ExecutableDefinitions 1:1"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_known_operation_types(void **state)
{
    static const char *const good[] = {
        "{me{id}}",
        "mutation{touch}",
        "subscription{touched}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_operation_names(void **state)
{
    static const char *const good[] = {
        "query A{me{id}} query B{me{id}}",
        "query A{me{id}} mutation B{touch}",
        "query F{me{...F}} fragment F on User{id}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"query A{me{id}} query A{me{id}}", "UniqueOperationNames 1:7 1:23"},
        {"query A{me{id}} mutation A{touch}", "UniqueOperationNames 1:7 1:26"},
        {"query A{me{id}} query A{me{id}} query A{me{id}}",
         "UniqueOperationNames 1:7 1:23\nUniqueOperationNames 1:7 1:39"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_lone_anonymous_operation(void **state)
{
    static const char *const good[] = {
        "{me{id}}",
        "query A{me{id}} query B{me{id}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{id}} {me{id}}", "LoneAnonymousOperation 1:1\nLoneAnonymousOperation 1:10"},
        {"{me{id}} mutation M{touch}", "LoneAnonymousOperation 1:1"},
        {"query A{me{id}} {me{id}}", "LoneAnonymousOperation 1:17"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_single_field_subscriptions(void **state)
{
    static const char *const good[] = {
        "subscription{touched}",
        "subscription{x:touched x:touched}",
        "subscription S{...F} fragment F on Subscription{touched}",
        "subscription{...{touched}}",
        "{me{id} pet{__typename}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"subscription{touched renamed{id}}", "SingleFieldSubscriptions 1:22"},
        {"subscription S{touched x:touched}", "SingleFieldSubscriptions 1:24"},
        {"subscription{...F touched} fragment F on Subscription{renamed{id}}",
         "SingleFieldSubscriptions 1:19"},
        {"subscription{__typename}", "SingleFieldSubscriptions 1:14"},
        {"subscription{touched @skip(if:true)}", "SingleFieldSubscriptions 1:22"},
        {"subscription S($b:Boolean!){...F @include(if:$b)} fragment F on Subscription{touched}",
         "SingleFieldSubscriptions 1:34"},
        {"subscription{touched __typename}",
         "SingleFieldSubscriptions 1:22\nSingleFieldSubscriptions 1:22"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_fields_on_correct_type(void **state)
{
    static const char *const good[] = {
        "{me{id name}}",
        "{pet{__typename ...on Dog{barks}}}",
        "{node(id:1){id}}",
        "{unknownParent:me{id}}",
        "{__schema{queryType{name}} __type(name:\"User\"){name}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{nme}}", "FieldsOnCorrectType 1:5"},
        {"{pet{id}}", "FieldsOnCorrectType 1:6"},
        {"{pet{barks}}", "FieldsOnCorrectType 1:6"},
        {"{node(id:1){name}}", "FieldsOnCorrectType 1:13"},
        {"{me{__schema{types{name}}}}", "FieldsOnCorrectType 1:5"},
        {"{x:nope}", "FieldsOnCorrectType 1:2"},
        {"{me{friends{friendz{id}}}}", "FieldsOnCorrectType 1:13"},
        {"{nope{deeper}}", "FieldsOnCorrectType 1:2"},
        {"mutation{__type(name:\"a\"){name}}", "FieldsOnCorrectType 1:10"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_scalar_leafs(void **state)
{
    static const char *const good[] = {
        "{me{id}}",
        "{named{name}}",
        "{pets(filter:{must:true}){__typename}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me}", "ScalarLeafs 1:2"},
        {"{me{id{a}}}", "ScalarLeafs 1:7"},
        {"{me{color{red}}}", "ScalarLeafs 1:10"},
        {"{pet}", "ScalarLeafs 1:2"},
        {"{named}", "ScalarLeafs 1:2"},
        {"{me{__typename{a}}}", "ScalarLeafs 1:15"},
        {"{__schema}", "ScalarLeafs 1:2"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_overlapping_fields_can_be_merged(void **state)
{
    static const char *const good[] = {
        "{me{id id} me{name}}",
        "{me{a:id b:id}}",
        "{pet{...on Dog{x:age}...on Cat{y:meows}}}",
        "{pet{...on Dog{n:barks}...on Cat{n:meows}}}",
        "{me{...F name} } fragment F on User{name}",
        "{user(id:1,color:RED){id} user(color:RED,id:1){name}}",
        "{a:pets(filter:{must:true,limit:1}){__typename} "
        "a:pets(filter:{limit:1,must:true}){__typename}}",
        "{me{friends{id} ...on User{friends{name}}}}",
        "{node(id:1){...on User{x:age}...on Dog{y:age}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{x:id x:name}}", "OverlappingFieldsCanBeMerged 1:5 1:10"},
        {"{me{id} me:pet{__typename}}", "OverlappingFieldsCanBeMerged 1:2 1:9"},
        {"{user(id:1){id} user(id:2){id}}", "OverlappingFieldsCanBeMerged 1:2 1:17"},
        {"{user(id:1){id} user{id}}",
         "OverlappingFieldsCanBeMerged 1:2 1:17\nProvidedRequiredArguments 1:17"},
        {"{pet{...on Dog{age}...on Cat{age}}}", "OverlappingFieldsCanBeMerged 1:16 1:30"},
        {"{me{friends{x:id}} me{friends{x:name}}}",
         "OverlappingFieldsCanBeMerged 1:2 1:5 1:13 1:20 1:23 1:31"},
        {"{me{...F x:id}} fragment F on User{x:name}", "OverlappingFieldsCanBeMerged 1:10 1:36"},
        {"{me{...F ...G}} fragment F on User{x:name} fragment G on User{x:id}",
         "OverlappingFieldsCanBeMerged 1:36 1:63"},
        {"{pet{...on Dog{x:score}...on User{x:score}}}",
         "OverlappingFieldsCanBeMerged 1:16 1:35\nPossibleFragmentSpreads 1:24"},
        {"{pet{...on Dog{x:score}...on Cat{x:score}}}", "OverlappingFieldsCanBeMerged 1:16 1:34"},
        {"{me{pet{...on Dog{o:owner{x:id}}}} me{pet{...on Dog{o:owner{x:name}}}}}",
         "OverlappingFieldsCanBeMerged 1:2 1:5 1:19 1:27 1:36 1:39 1:53 1:61"},
        {"{a:echo(ints:[],string:\"a\") a:echo(ints:[],string:\"\"\"a\"\"\")}",
         "OverlappingFieldsCanBeMerged 1:2 1:29"},
        {"{me{...A}} fragment A on User{...B x:id} fragment B on User{...A x:name}",
         "NoFragmentCycles 1:31 1:61\nOverlappingFieldsCanBeMerged 1:36 "
         "1:66\nOverlappingFieldsCanBeMerged 1:66 1:36"},
        {"{pet{...on Dog{o:owner{id}}...on Cat{o:meows}}}",
         "OverlappingFieldsCanBeMerged 1:16 1:38"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_known_argument_names(void **state)
{
    static const char *const good[] = {
        "{user(id:1){id}}",
        "{me{name @skip(if:true)}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{user(idd:1,id:2){id}}", "KnownArgumentNames 1:7"},
        {"{me{name(upprr:true)}}", "KnownArgumentNames 1:10"},
        {"{me{name @skip(iff:true,if:true)}}", "KnownArgumentNames 1:16"},
        {"{me{id(a:1)}}", "KnownArgumentNames 1:8"},
        {"{user(color:RED colour:RED id:1){id}}", "KnownArgumentNames 1:17"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_argument_names(void **state)
{
    static const char *const good[] = {
        "{user(id:1,color:RED){id}}",
        "{me{name @again(n:1) @again(n:1)}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{user(id:1,id:1){id}}", "UniqueArgumentNames 1:7 1:12"},
        {"{user(id:1,id:1,id:1,color:RED,color:RED){id}}",
         "UniqueArgumentNames 1:22 1:32\nUniqueArgumentNames 1:7 1:12 1:17"},
        {"{me{name @onField(level:1,level:2)}}", "UniqueArgumentNames 1:19 1:27"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_provided_required_arguments(void **state)
{
    static const char *const good[] = {
        "{user(id:1){id}}",
        "{pet{...on Cat{meows}}}",
        "{me{name @include(if:true)}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{user{id}}", "ProvidedRequiredArguments 1:2"},
        {"{echo}", "ProvidedRequiredArguments 1:2"},
        {"{me{name @skip}}", "ProvidedRequiredArguments 1:10"},
        {"mutation{rename{id}}", "ProvidedRequiredArguments 1:10\nProvidedRequiredArguments 1:10"},
        {"{pets{__typename}}", "ProvidedRequiredArguments 1:2"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_unique_fragment_names(void **state)
{
    static const char *const good[] = {
        "{me{...F ...G}} fragment F on User{id} fragment G on User{id}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{...F}} fragment F on User{id} fragment F on User{name}",
         "UniqueFragmentNames 1:21 1:44"},
        {"{me{...F}} fragment F on User{id} fragment F on User{id} fragment F on User{id}",
         "UniqueFragmentNames 1:21 1:44\nUniqueFragmentNames 1:21 1:67"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_known_type_names(void **state)
{
    static const char *const good[] = {
        "query($a:Filter){pets(filter:{must:true,nested:$a}){__typename}}",
        "{me{...on User{id}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"query($a:Filtr){me{id}}", "KnownTypeNames 1:10\nNoUnusedVariables 1:7"},
        {"{me{...on Usr{id}}}", "KnownTypeNames 1:11"},
        {"{me{...F}} fragment F on Nod{id}", "KnownTypeNames 1:26"},
        {"query($a:[Nope!]!){me{id}}", "KnownTypeNames 1:11\nNoUnusedVariables 1:7"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_fragments_on_composite_types(void **state)
{
    static const char *const good[] = {
        "{node(id:1){...on User{id}...on Named{name}}}",
        "{pet{...on Pet{__typename}}}",
        "{me{...{id}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{...on Color{id}}}", "FragmentsOnCompositeTypes 1:11"},
        {"{me{...on String{id}}}", "FragmentsOnCompositeTypes 1:11"},
        {"{me{...F}} fragment F on Filter{id}", "FragmentsOnCompositeTypes 1:26"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_no_unused_fragments(void **state)
{
    static const char *const good[] = {
        "{me{...F}} fragment F on User{...G} fragment G on User{id}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{id}} fragment F on User{id}", "NoUnusedFragments 1:10"},
        {"{me{id}} fragment F on User{...G} fragment G on User{...F id}",
         "NoFragmentCycles 1:29 1:54\nNoUnusedFragments 1:10\nNoUnusedFragments 1:35"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_known_fragment_names(void **state)
{
    static const char *const good[] = {
        "{me{...F}} fragment F on User{id}",
        "{me{...{id} ...on User{id}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{...F}}", "KnownFragmentNames 1:8"},
        {"{me{...F}} fragment F on User{id ...G}", "KnownFragmentNames 1:37"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_no_fragment_cycles(void **state)
{
    static const char *const good[] = {
        "{me{...F ...G}} fragment F on User{...G} fragment G on User{id}",
        "{me{...F}} fragment F on User{friends{...G}...G} fragment G on User{id}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{...F}} fragment F on User{...F}", "NoFragmentCycles 1:31"},
        {"{me{...F}} fragment F on User{friends{...F}}", "NoFragmentCycles 1:39"},
        {"{me{...F}} fragment F on User{...G} fragment G on User{...F}",
         "NoFragmentCycles 1:31 1:56"},
        {"{me{...A}} fragment A on User{...B} fragment B on User{...C} fragment C on User{...A "
         "...B}",
         "NoFragmentCycles 1:31 1:56 1:81\nNoFragmentCycles 1:56 1:86"},
        {"{me{id}} fragment A on User{...A}", "NoFragmentCycles 1:29\nNoUnusedFragments 1:10"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

static void test_possible_fragment_spreads(void **state)
{
    static const char *const good[] = {
        "{me{...on Node{id}...on Named{name}}}",
        "{pet{...on Dog{id}...on Node{id}}}",
        "{node(id:1){...on Pet{__typename}}}",
        NULL,
    };
    static const rule_case_t bad[] = {
        {"{me{...on Dog{id}}}", "PossibleFragmentSpreads 1:5"},
        {"{pet{...on User{id}}}", "PossibleFragmentSpreads 1:6"},
        {"{me{...F}} fragment F on Cat{id}", "PossibleFragmentSpreads 1:5"},
        {"{named{...on Cat{id}}}", "PossibleFragmentSpreads 1:8"},
        {"{me{...on Pet{__typename}}}", "PossibleFragmentSpreads 1:5"},
        {"{...on Mutation{touch}}", "PossibleFragmentSpreads 1:2"},
        {NULL, NULL},
    };
    rules_check(*state, good, bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_executable_definitions),
        cmocka_unit_test(test_known_operation_types),
        cmocka_unit_test(test_unique_operation_names),
        cmocka_unit_test(test_lone_anonymous_operation),
        cmocka_unit_test(test_single_field_subscriptions),
        cmocka_unit_test(test_fields_on_correct_type),
        cmocka_unit_test(test_scalar_leafs),
        cmocka_unit_test(test_overlapping_fields_can_be_merged),
        cmocka_unit_test(test_known_argument_names),
        cmocka_unit_test(test_unique_argument_names),
        cmocka_unit_test(test_provided_required_arguments),
        cmocka_unit_test(test_unique_fragment_names),
        cmocka_unit_test(test_known_type_names),
        cmocka_unit_test(test_fragments_on_composite_types),
        cmocka_unit_test(test_no_unused_fragments),
        cmocka_unit_test(test_known_fragment_names),
        cmocka_unit_test(test_no_fragment_cycles),
        cmocka_unit_test(test_possible_fragment_spreads),
    };
    return cmocka_run_group_tests(tests, rules_set_up, rules_tear_down);
}
