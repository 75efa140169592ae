/* gateway/graphql/type/builder.h: the workshop of build_schema.c, shared with fill_schema.c
 * (members), apply.c (applied directives) and check_schema.c (the rules of section 3). Private to
 * this folder; lives during one build. Every b_… function that returns bool gives false once err is
 * set; its caller returns false at once. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_BUILDER_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_BUILDER_H

#include "common/err.h"
#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/type/schema.h"

typedef enum { SOURCE_SERVICE, SOURCE_GATEWAY, SOURCE_SPECIFIED } source_rank_t;

typedef struct {
    const char *service; /* NULL for built-in sources */
    source_rank_t rank;
    ast_document_t *document;
    const name_t
        *roots[3]; /* by ast_operation_kind_t: what this source calls its root types, or NULL */
    const ast_definition_t *schema; /* its schema definition, or NULL */
} source_t;

/* A definition or an extension of a type, in the order of the sources. */
typedef struct part part_t;
struct part {
    const source_t *source;
    const ast_definition_t *definition;
    part_t *next;
};

/* A type on its way; found by the id of its name. */
typedef struct {
    const name_t *name;
    ast_definition_kind_t kind;
    source_rank_t rank;
    bool is_root;
    part_t *first; /* the definition (or, for roots, definitions), then the extensions */
    part_t *last;
    schema_type_t *type; /* NULL as long as nobody needs it (AWS scalars, Float …) */
} draft_t;

/* An applied directive whose arguments are checked when all types are there. */
typedef struct applied_check applied_check_t;
struct applied_check {
    const source_t *source;
    const schema_applied_t *applied;
    applied_check_t *next;
};

typedef struct {
    arena_t *arena; /* the schema's */
    names_t *names;
    schema_t *schema;
    err_t *err;
    source_t *sources;
    uint32_t source_count;
    uint32_t name_count;
    draft_t **drafts; /* by name id, NULL if there is none */
    draft_t **order;  /* drafts of services, as they were met */
    uint32_t order_count;
    schema_type_t **types; /* by type id; has room for all drafts */
    draft_t **type_drafts; /* by type id */
    uint32_t type_count;
    schema_directive_t **directives; /* by name id, NULL if there is none */
    uint32_t *stamps;                /* by name id: when a name was last met */
    uint32_t stamp;
    const name_t *root_names[3]; /* by ast_operation_kind_t; NULL if no source has that root */
    applied_check_t *applied;
} builder_t;

/* ---- errors ---- */
/* "service store, line 3, column 5: …" */
bool b_fail(builder_t *self, const char *service, ast_loc_t loc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool b_no_memory(builder_t *self);
/* count zeroed items; NULL with err set if memory is out. Never NULL for a count of 0. */
void *b_alloc(builder_t *self, size_t count, size_t size);
/* Is this name new since the last b_stamp? */
void b_stamp(builder_t *self);
bool b_is_new(builder_t *self, const name_t *name);

/* ---- fill_schema.c ---- */
/* The type of that name, made if it is a built-in one that nobody needed so far. NULL with err set
 * if unknown. */
const schema_type_t *
b_type(builder_t *self, const source_t *source, const name_t *name, ast_loc_t loc);
bool b_fill_type(builder_t *self, uint32_t id);
bool b_fill_schema(builder_t *self);
/* __typename, __schema, __type: from the built-in type __Meta. */
bool b_fill_meta_fields(builder_t *self);

/* `owner` is "Type.field" or "@directive", for messages. */
bool b_fill_arguments(builder_t *self,
                      const source_t *source,
                      const ast_input_value_t *nodes,
                      uint32_t count,
                      const char *owner,
                      const schema_input_t **arguments_p);
static inline const char *b_description(const ast_string_t *text)
{
    return text ? text->data : NULL;
}

/* ---- fill_directives.c ---- */
bool b_fill_directives(builder_t *self);

/* ---- apply.c ---- */
/* Resolves the directives of one node; `list` grows by them. */
bool b_apply(builder_t *self,
             const source_t *source,
             const ast_directives_t *directives,
             schema_location_t location,
             schema_applied_list_t *list);
/* reason of @deprecated, or NULL */
const char *b_deprecation(const schema_applied_list_t *list);
/* @public, @resolve, @aws_subscribe → members of the field */
bool b_apply_field_flags(builder_t *self, schema_field_t *field);
bool b_check_applied(builder_t *self);

/* ---- rules.c ---- */
/* The rules of all fields, when types, interfaces and applied directives are there. */
bool b_fill_rules(builder_t *self);

/* ---- build_schema.c ---- */
/* schema_build in an arena of the caller's; the schema does not own it yet. */
schema_t *b_build(arena_t *arena, const schema_source_t *sources, size_t count, err_t *err);

/* ---- check_schema.c ---- */
bool b_check_schema(builder_t *self);

#endif
