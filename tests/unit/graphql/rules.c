#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

void rules_check(const schema_t *schema, const char *const *good, const rule_case_t *bad)
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

int rules_set_up(void **state)
{
    *state = front_schema(SDL);
    return 0;
}

int rules_tear_down(void **state)
{
    schema_destroy((schema_t **)state);
    return 0;
}
