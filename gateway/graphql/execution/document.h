/* gateway/graphql/execution/document.h: what is behind the facade's gql_schema_t, gql_document_t
 * and gql_operation_t. Loop thread only. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_DOCUMENT_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_DOCUMENT_H

#include "gateway/graphql/execution/coerce.h"
#include "gateway/graphql/execution/plan.h"
#include "gateway/graphql/graphql.h"
#include "gateway/graphql/type/schema.h"

struct gql_schema {
    schema_t *schema; /* owned */
    size_t references;
};

/* One operation of a document. Plans are made when first wanted and kept, one for each assignment
 * of the variables that @skip and @include ask for and each outcome of the rules that it meets;
 * beyond OPERATION_MAX_PLANS, executions have their own. */
enum { OPERATION_MAX_PLANS = 16 };

typedef struct operation_plan operation_plan_t;
struct operation_plan {
    operation_plan_t *next;
    plan_t *plan; /* made for the case that it holds */
};

struct gql_operation {
    gql_document_t *document;
    const ast_definition_t *definition;
    gql_operation_kind_t kind;
    bool needs_identity;
    const char *root_fields;
    bool is_introspective;      /* __schema or __type is among the root fields */
    bool is_constant;           /* only __schema, __type and __typename, and no variables */
    json_slice_t answer;        /* of a constant one, once it was kept; in the document's arena */
    bool is_ready;              /* what is below has been found out, by operation_ready */
    const uint32_t *conditions; /* variables that @skip and @include ask for */
    uint32_t condition_count;
    const schema_rule_t **rules; /* of the fields that it may meet, whatever their objects' types */
    uint32_t rule_count;
    bool *is_rendering; /* by index of the variable: does the response depend on it (and not only
                           the calls of root fields)? */
    bool has_calls;     /* below the root: fields with @resolve */
    operation_plan_t *plans;
    uint32_t plan_count;
    bool is_weighed; /* complexity is known and does not depend on variables */
    uint64_t complexity;
};

struct gql_document {
    size_t references;
    gql_schema_t *schema;
    arena_t *arena;
    ast_document_t *ast;
    plan_scratch_t *scratch;
    gql_operation_t *operations;
    uint32_t operation_count;
    const char *text;
    size_t size;
    bool suggestions; /* may errors name what the schema has? */
};

/* gql_document_prepare with an arena of the caller's making (taken, also on failure): for tests of
 * what happens when memory ends. */
gql_document_t *document_prepare(arena_t **arena,
                                 gql_schema_t *schema,
                                 const char *text,
                                 size_t size,
                                 const gql_limits_t *limits,
                                 bool introspection,
                                 buffer_t *response);

/* Finds out which variables matter; once. False if the document's arena is at its limit. */
bool operation_ready(gql_operation_t *self);

/* The plan for these variables and this asker (access NULL: no rule lets him in); from the
 * document, or in `arena`. NULL if memory is out, or, with a message and a place, if a variable
 * that a directive asks for is null. */
plan_t *operation_plan(gql_operation_t *self,
                       const variables_t *variables,
                       const gql_access_t *access,
                       arena_t *arena,
                       const ast_variable_t **null_variable);

#endif
