/* Every rule of GraphQL 2025-09 5, accepting and refusing. What is expected is graphql-js's
 * verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front.h"

/* clang-format off */
static const char SDL[] =
    "directive @onField(level: Int = 1, tags: [String!]) on FIELD\n"
    "directive @again(n: Int!) repeatable on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT | QUERY\n"
    "directive @everywhere(in: Filter) on QUERY | MUTATION | SUBSCRIPTION | FIELD | FRAGMENT_DEFINITION | FRAGMENT_SPREAD | INLINE_FRAGMENT | VARIABLE_DEFINITION\n"
    "\n"
    "scalar Any\n"
    "\n"
    "enum Color { RED GREEN BLUE DARK_BLUE }\n"
    "\n"
    "input Filter {\n"
    "    text: String\n"
    "    limit: Int = 10\n"
    "    color: Color\n"
    "    must: Boolean!\n"
    "    nested: Filter\n"
    "    list: [Int!]\n"
    "    matrix: [[Int]]\n"
    "    one: Choice\n"
    "    any: Any\n"
    "}\n"
    "\n"
    "input Choice @oneOf { id: ID name: String filter: Filter }\n"
    "\n"
    "interface Node { id: ID! node(id: ID!): Node }\n"
    "\n"
    "interface Named implements Node { id: ID! name(upper: Boolean = false): String node(id: ID!): Node }\n"
    "\n"
    "type User implements Named & Node {\n"
    "    id: ID!\n"
    "    name(upper: Boolean = false, lang: String): String\n"
    "    node(id: ID!): Node\n"
    "    age: Int\n"
    "    color: Color\n"
    "    friends(first: Int, filter: Filter): [User!]!\n"
    "    pet: Pet\n"
    "    score: Float!\n"
    "}\n"
    "\n"
    "type Dog implements Named & Node {\n"
    "    id: ID!\n"
    "    name(upper: Boolean = false): String\n"
    "    node(id: ID!): Node\n"
    "    barks: Boolean\n"
    "    age: Int!\n"
    "    owner: User\n"
    "    color: String\n"
    "    score: Float\n"
    "}\n"
    "\n"
    "type Cat implements Node {\n"
    "    id: ID!\n"
    "    node(id: ID!): Node\n"
    "    meows(times: Int! = 3): Boolean\n"
    "    age: String\n"
    "    owner: User!\n"
    "    score: [Float]\n"
    "}\n"
    "\n"
    "union Pet = Dog | Cat\n"
    "\n"
    "type Query {\n"
    "    me: User\n"
    "    user(id: ID!, color: Color = RED): User\n"
    "    node(id: ID!): Node\n"
    "    named: [Named]\n"
    "    pet: Pet\n"
    "    pets(filter: Filter!, first: Int = 5): [Pet!]\n"
    "    echo(int: Int, float: Float, string: String, bool: Boolean, id: ID, color: Color, any: Any, ints: [Int!]!): String\n"
    "    choose(by: Choice): Int\n"
    "    query: Query\n"
    "}\n"
    "\n"
    "type Mutation { rename(id: ID!, name: String!): User touch: Int }\n"
    "\n"
    "type Subscription { renamed(id: ID): User touched: Int }\n";
/* clang-format on */

typedef struct {
    const char *document;
    const char *errors; /* sorted */
} rule_case_t;

static int s_compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in order; graphql-js asks its rules one after the other, we go through the document. */
static const char *s_sorted(const char *text)
{
    static char out[FRONT_TEXT];
    char copy[FRONT_TEXT];
    char *lines[128];
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, s_compare_lines);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(out, i ? "\n" : "");
        strcat(out, lines[i]);
    }
    return out;
}

static void s_check(const schema_t *schema, const char *const *good, const rule_case_t *bad)
{
    for (; *good; good++)
        assert_string_equal(front_errors(schema, *good, NULL), "");
    for (; bad->document; bad++) {
        const char *errors = s_sorted(front_errors(schema, bad->document, NULL));
        if (strcmp(errors, bad->errors) != 0)
            print_error("%s\n", bad->document);
        assert_string_equal(errors, bad->errors);
    }
}

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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
}

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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    s_check(*state, good, bad);
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
    return cmocka_run_group_tests(tests, s_set_up, s_tear_down);
}
