/* gateway/graphql/validation/context.h: what the rules share during one validation. Private to this
 * folder. Everything is in the scratch arena. */
#ifndef PARLEY_GATEWAY_GRAPHQL_VALIDATION_CONTEXT_H
#define PARLEY_GATEWAY_GRAPHQL_VALIDATION_CONTEXT_H

#include "gateway/graphql/validation/validate.h"

/* A variable that is used in an operation or a fragment. */
typedef struct {
    const ast_value_t *node;
    const schema_ref_t *type;    /* what its place expects; NULL if unknown */
    const schema_type_t *one_of; /* the oneOf input object whose field it is, or NULL */
    bool has_default;            /* its place has a default value */
} variable_use_t;

/* What one definition holds; found by the definition's id. */
typedef struct {
    variable_use_t *uses; /* in the order of the text */
    uint32_t use_count;
    uint32_t use_capacity;
    const ast_selection_t **spreads; /* inner sets after outer ones, as graphql-js visits them */
    uint32_t spread_count;
    uint32_t spread_capacity;
} facts_t;

typedef struct {
    const schema_t *schema;
    ast_document_t *document;
    const validate_options_t *options;
    arena_t *scratch;
    gql_errors_t *errors;
    const ast_definition_t **fragments; /* by name id; the last of that name, or NULL */
    facts_t *facts;                     /* by definition id */
    uint32_t *stamps;                   /* by name id */
    uint32_t stamp;
    uint32_t *visits;               /* by definition id */
    uint32_t *depths;               /* by definition id; rule_max_introspection_depth */
    const ast_variable_t **defined; /* by name id; rule_variable_uses */
    uint32_t *used;                 /* by name id; the same */
    uint32_t visit;
    uint64_t budget;  /* steps that rules may still take through fragments, again and again */
    uint32_t nesting; /* how deep a walk through fragments is */
    bool stopped;     /* budget or memory ran out: an error is there */
} validation_t;

/* ---- errors: code GRAPHQL_VALIDATION_FAILED; rule is graphql-js's name for it ---- */
void v_error(validation_t *self, const char *rule, ast_loc_t loc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void v_error_at(validation_t *self,
                const char *rule,
                const ast_loc_t *locations,
                uint32_t count,
                const char *format,
                ...) __attribute__((format(printf, 5, 6)));
/* LIMIT_EXCEEDED, naming limit and value. */
void v_limit(validation_t *self, ast_loc_t loc, const char *name, uint64_t value, uint64_t limit);

/* ---- helpers ---- */
/* count zeroed items; NULL when memory is out (then stopped and errors->out_of_memory are set). */
void *v_alloc(validation_t *self, size_t count, size_t size);
/* The same for a text. */
char *v_text(validation_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Doubles an array of `count` items when it is full; false when memory is out. */
bool v_grow(validation_t *self, void *items_p, uint32_t count, uint32_t *capacity, size_t size);
/* Takes steps from the budget; false, with an error once, when it is used up. */
bool v_spend(validation_t *self, uint64_t steps);
/* One set or fragment deeper, for walks that follow spreads (which may go in circles); false, with
 * an error once, when that is too deep to go on. Undone by v_leave, only after success. */
bool v_enter(validation_t *self);
void v_leave(validation_t *self);
/* Is this name new since the last v_stamp? */
void v_stamp(validation_t *self);
bool v_is_new(validation_t *self, const name_t *name);
/* Is this definition visited for the first time since the last v_visit_begin? */
void v_visit_begin(validation_t *self);
bool v_visit(validation_t *self, const ast_definition_t *definition);
/* Enough errors: the rest need not be looked for. */
bool v_is_full(validation_t *self);
const ast_definition_t *v_fragment(const validation_t *self, const name_t *name);
/* Suggestions are for servers that let themselves be looked at. */
static inline bool v_suggests(const validation_t *self)
{
    return self->options->introspection;
}
/* The type that a node refers to; NULL if a name in it is unknown (or memory is out). */
const schema_ref_t *v_ref(validation_t *self, const ast_type_t *node);

/* bind.c: members marked "bound" in ast.h, facts, fragments. False if stopped. */
bool v_bind(validation_t *self);
/* limits.c: depth, root fields, aliases, directives. False if one is exceeded. */
bool v_check_limits(validation_t *self);
/* walk.c: calls the rules. */
void v_walk(validation_t *self);

#endif
