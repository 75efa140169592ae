#include "gateway/graphql/graphql.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/execution/document.h"
#include "gateway/graphql/introspection/meta_fields.h"
#include "gateway/graphql/language/errors.h"
#include "gateway/graphql/language/parser.h"
#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/type/print_schema.h"
#include "gateway/graphql/validation/validate.h"

const gql_limits_t GQL_LIMITS_DEFAULT = {
    .max_depth = 50,
    .max_tokens = 50000,
    .max_root_fields = 50,
    .max_aliases = 200,
    .max_directives = 500,
    .max_errors = 100,
    .max_complexity = 5000000,
    .max_response_bytes = (size_t)16 * 1024 * 1024,
};

enum {
    DOCUMENT_MAX_BYTES = 64 * 1024 * 1024,
    SCRATCH_MAX_BYTES = 64 * 1024 * 1024,
    ANSWER_MAX_BYTES = 256 * 1024,
    NAMED_ROOT_FIELDS = 3,
};

/* ---- schema ---- */
gql_schema_t *gql_schema_build(const gql_source_t *sources, size_t count, err_t *err)
{
    schema_source_t *copies = calloc(count + 1, sizeof *copies);
    if (!copies)
        abort(); /* as common/ does for small allocations */
    for (size_t i = 0; i < count; i++)
        copies[i] = (schema_source_t){
            .service = sources[i].service, .sdl = sources[i].sdl, .size = sources[i].size};
    schema_t *schema = schema_build(copies, count, err);
    free(copies);
    if (!schema)
        return NULL;
    gql_schema_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->schema = schema;
    self->references = 1;
    return self;
}

gql_schema_t *gql_schema_ref(gql_schema_t *self)
{
    self->references++;
    return self;
}

void gql_schema_unref(gql_schema_t **self_p)
{
    gql_schema_t *self = *self_p;
    *self_p = NULL;
    if (!self || --self->references > 0)
        return;
    schema_destroy(&self->schema);
    free(self);
}

void gql_schema_print(const gql_schema_t *self, buffer_t *out)
{
    schema_print(self->schema, out);
}

/* ---- document ---- */

/* The root fields of an operation, whatever @skip and @include say. */
typedef struct {
    buffer_t *names;
    uint32_t count;
    bool needs_identity;
    bool has_calls; /* of services */
    bool is_introspective;
    uint32_t *visits; /* by id of the fragment's definition: the last operation that came there */
    uint32_t turn;    /* of this operation */
} survey_t;

static bool s_is_free(const schema_field_t *field)
{
    return field->kind != SCHEMA_FIELD_PLAIN || field->is_public;
}

static void s_survey_field(survey_t *self, const schema_field_t *field)
{
    self->needs_identity |= !s_is_free(field);
    self->has_calls |= field->kind == SCHEMA_FIELD_PLAIN;
    self->is_introspective |=
        field->kind == SCHEMA_FIELD_SCHEMA || field->kind == SCHEMA_FIELD_TYPE;
}

static void s_survey(survey_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const ast_selection_t *node = &set->items[i];
        if (node->kind == AST_INLINE_FRAGMENT) {
            s_survey(self, node->inlined.set);
        } else if (node->kind == AST_FRAGMENT_SPREAD) {
            uint32_t *visit = &self->visits[node->spread.fragment->id];
            if (*visit != self->turn) {
                *visit = self->turn;
                s_survey(self, node->spread.fragment->fragment.set);
            }
        } else {
            s_survey_field(self, node->field.definition);
            if (self->count++ > NAMED_ROOT_FIELDS)
                continue;
            if (self->count > 1)
                buffer_put_char(self->names, ',');
            buffer_put_str(self->names,
                           self->count > NAMED_ROOT_FIELDS ? "…" : node->field.name->data);
        }
    }
}

static gql_operation_kind_t s_kind(ast_operation_kind_t kind)
{
    switch (kind) {
    case AST_MUTATION:
        return GQL_MUTATION;
    case AST_SUBSCRIPTION:
        return GQL_SUBSCRIPTION;
    default:
        return GQL_QUERY;
    }
}

static bool s_operation(gql_document_t *document,
                        const ast_definition_t *definition,
                        uint32_t *visits,
                        gql_operation_t *operation)
{
    buffer_t names = BUFFER_INIT(1024);
    survey_t survey = {.names = &names, .visits = visits, .turn = definition->id + 1};
    s_survey(&survey, definition->operation.set);
    *operation = (gql_operation_t){
        .document = document,
        .definition = definition,
        .kind = s_kind(definition->operation.kind),
        .needs_identity = survey.needs_identity,
        .is_introspective = survey.is_introspective,
        .is_constant = definition->operation.kind == AST_QUERY && !survey.has_calls &&
                       definition->operation.variable_count == 0,
        .root_fields = arena_memdup(document->arena, names.failed ? "…" : names.data,
                                    names.failed ? 3 : names.size),
    };
    buffer_free(&names);
    return operation->root_fields != NULL;
}

/* The operations, and room for plans. False if the arena is at its limit. */
static bool s_operations(gql_document_t *self)
{
    const ast_document_t *ast = self->ast;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ast->definition_count; i++)
        count += ast->definitions[i].kind == AST_OPERATION;
    self->operations = arena_calloc(self->arena, count + 1, sizeof *self->operations);
    self->scratch = plan_scratch_new(self->arena, ast);
    uint32_t *visits = arena_calloc(self->arena, ast->definition_count, sizeof *visits);
    if (!self->operations || !self->scratch || !visits)
        return false;
    for (uint32_t i = 0; i < ast->definition_count; i++) {
        if (ast->definitions[i].kind != AST_OPERATION)
            continue;
        if (!s_operation(self, &ast->definitions[i], visits,
                         &self->operations[self->operation_count++]))
            return false;
    }
    return true;
}

static bool s_validate(gql_document_t *self,
                       const gql_limits_t *limits,
                       bool introspection,
                       gql_errors_t *errors)
{
    validate_options_t options = {.max_depth = limits->max_depth,
                                  .max_root_fields = limits->max_root_fields,
                                  .max_aliases = limits->max_aliases,
                                  .max_directives = limits->max_directives,
                                  .introspection = introspection};
    arena_t *scratch = arena_new(SCRATCH_MAX_BYTES);
    bool valid = validate_document(self->schema->schema, self->ast, &options, scratch, errors);
    arena_destroy(&scratch);
    return valid;
}

/* Fills in the document that lives in the arena. False with errors. */
static bool s_prepare(gql_document_t *self,
                      const char *text,
                      size_t size,
                      const gql_limits_t *limits,
                      bool introspection,
                      gql_errors_t *errors)
{
    parser_limits_t parser_limits = {.max_depth = limits->max_depth,
                                     .max_tokens = limits->max_tokens};
    names_t *names = names_new(self->arena);
    self->text = arena_memdup(self->arena, text, size);
    self->size = size;
    self->suggestions = introspection;
    if (names && self->text)
        self->ast = parser_parse_document(self->arena, names, text, size, &parser_limits, errors);
    else
        errors->out_of_memory = true;
    if (!self->ast || !s_validate(self, limits, introspection, errors))
        return false;
    if (s_operations(self))
        return true;
    errors->out_of_memory = true;
    return false;
}

gql_document_t *document_prepare(arena_t **arena_p,
                                 gql_schema_t *schema,
                                 const char *text,
                                 size_t size,
                                 const gql_limits_t *limits,
                                 bool introspection,
                                 buffer_t *response)
{
    arena_t *arena = *arena_p;
    *arena_p = NULL;
    gql_errors_t errors = GQL_ERRORS_INIT(arena, limits->max_errors);
    gql_document_t *self = arena_calloc(arena, 1, sizeof *self);
    if (self) {
        self->arena = arena;
        self->schema = gql_schema_ref(schema);
        self->references = 1;
        if (s_prepare(self, text, size, limits, introspection, &errors))
            return self;
        gql_schema_unref(&self->schema);
    } else {
        errors.out_of_memory = true;
    }
    gql_errors_write_response(&errors, response);
    arena_destroy(&arena);
    return NULL;
}

gql_document_t *gql_document_prepare(gql_schema_t *schema,
                                     const char *text,
                                     size_t size,
                                     const gql_limits_t *limits,
                                     bool introspection,
                                     buffer_t *response)
{
    arena_t *arena = arena_new(DOCUMENT_MAX_BYTES);
    return document_prepare(&arena, schema, text, size, limits, introspection, response);
}

gql_document_t *gql_document_ref(gql_document_t *self)
{
    self->references++;
    return self;
}

void gql_document_unref(gql_document_t **self_p)
{
    gql_document_t *self = *self_p;
    *self_p = NULL;
    if (!self || --self->references > 0)
        return;
    gql_schema_unref(&self->schema);
    arena_t *arena = self->arena;
    arena_destroy(&arena);
}

size_t gql_document_cost(const gql_document_t *self)
{
    return arena_used(self->arena);
}

/* ---- operations ---- */
const gql_operation_t *
gql_document_operation(const gql_document_t *self, const char *name, err_t *err)
{
    if (!name || !*name) {
        if (self->operation_count == 1)
            return &self->operations[0];
        err_set(err, ERR_BAD_USER_INPUT,
                self->operation_count
                    ? "Must provide operation name if query contains multiple operations."
                    : "Must provide an operation.");
        return NULL;
    }
    for (uint32_t i = 0; i < self->operation_count; i++) {
        const name_t *own = self->operations[i].definition->name;
        if (own && name_is(own, name))
            return &self->operations[i];
    }
    err_set(err, ERR_BAD_USER_INPUT, "Unknown operation named \"%s\".", name);
    return NULL;
}

gql_operation_kind_t gql_operation_kind(const gql_operation_t *self)
{
    return self->kind;
}

const char *gql_operation_name(const gql_operation_t *self)
{
    return self->definition->name ? self->definition->name->data : NULL;
}

bool gql_operation_needs_identity(const gql_operation_t *self)
{
    return self->needs_identity;
}

bool gql_operation_is_heavy(const gql_operation_t *self)
{
    return self->is_introspective && self->answer.size == 0;
}

json_slice_t gql_operation_answer(const gql_operation_t *self)
{
    return self->answer;
}

bool gql_operation_keep_answer(const gql_operation_t *self, const buffer_t *response)
{
    gql_operation_t *own = (gql_operation_t *)(uintptr_t)self; /* as its document may be added to */
    if (!self->is_constant || self->answer.size > 0 || response->size > ANSWER_MAX_BYTES)
        return false;
    const char *text = arena_memdup(self->document->arena, response->data, response->size);
    if (text)
        own->answer = (json_slice_t){.data = text, .size = response->size};
    return text != NULL;
}

const char *gql_operation_root_fields(const gql_operation_t *self)
{
    return self->root_fields;
}
