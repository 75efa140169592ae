/* Any bytes as an executable document: parsed, and validated against a schema with every kind of
 * type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/language/parser.h"
#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/validation/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SDL[] =
    "interface Node { id: ID! node: Node } interface Named implements Node { id: ID! node: Node "
    "name: String }"
    "type User implements Node & Named { id: ID! node: Node name(up: Boolean = false): String "
    "pets(by: By): [Pet!]! }"
    "type Dog implements Node { id: ID! node: Node age: Int } union Pet = Dog | User enum E { A B }"
    "input By @oneOf { id: ID e: E all: Filter } input Filter { n: Int = 1 must: Boolean! list: "
    "[[Float]] by: By }"
    "scalar Any directive @d(a: Any) repeatable on FIELD | QUERY | FRAGMENT_DEFINITION | "
    "VARIABLE_DEFINITION "
    "type Query { me: User node(id: ID!): Node pet: Pet f(x: Filter, e: E = A, any: Any, date: "
    "AWSDate): Int }"
    "type Mutation { touch: Int } type Subscription { a: Int b: User }";

/* Made once; it is immutable. */
static const schema_t *s_schema(void)
{
    static schema_t *schema;
    if (!schema) {
        schema_source_t source = {.service = "fuzz", .sdl = SDL, .size = sizeof SDL - 1};
        err_t err = ERR_INIT;
        schema = schema_build(&source, 1, &err);
        if (!schema)
            abort();
    }
    return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t *arena = arena_new(1U << 24);
    arena_t *scratch = arena_new(1U << 26);
    gql_errors_t errors = GQL_ERRORS_INIT(arena, 100);
    parser_limits_t limits = {.max_depth = 50, .max_tokens = 50000};
    validate_options_t options = {.max_depth = 50,
                                  .max_root_fields = 50,
                                  .max_aliases = 200,
                                  .max_directives = 500,
                                  .introspection = size % 2 == 0};
    names_t *names = names_new(arena);
    ast_document_t *document =
        parser_parse_document(arena, names, (const char *)data, size, &limits, &errors);
    bool valid = document && validate_document(s_schema(), document, &options, scratch, &errors);
    if (valid != (errors.count == 0 && !errors.out_of_memory))
        abort();
    buffer_t out = BUFFER_INIT(1U << 24);
    gql_errors_write_response(&errors, &out);
    buffer_free(&out);
    arena_destroy(&scratch);
    arena_destroy(&arena);
    return 0;
}
