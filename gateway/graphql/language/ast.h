/* gateway/graphql/language/ast.h: the tree of a parsed GraphQL document, executable or SDL (GraphQL
 * 2025-09 2, 3). Everything lives in the arena that the parser was given, names and decoded strings
 * included: the source text is not needed afterwards. The parser fills it; validation adds the few
 * members marked "bound", once, and nothing changes after that. Lists are plain arrays (NULL when
 * empty). */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_AST_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schema_type;
struct schema_field;
struct schema_input;
struct schema_directive;

/* Where a node starts. offset counts bytes from 0, line from 1; column counts UTF-16 code units
 * from 1, as graphql-js does. line is 0 where there is no place in a text. */
typedef struct {
    uint32_t offset;
    uint32_t line;
    uint32_t column;
} ast_loc_t;

/* A name, interned: within one table (one document, or one schema) equal names are the same
 * pointer. Across tables compare with name_equal. data is NUL-terminated; hash is name_hash of it;
 * id is dense from 0 within the table. */
typedef struct {
    const char *data;
    uint32_t size;
    uint32_t hash;
    uint32_t id;
} name_t;

/* A decoded string: UTF-8, NUL-terminated, may hold NULs. */
typedef struct {
    const char *data;
    uint32_t size;
    bool block; /* written as a block string */
    ast_loc_t loc;
} ast_string_t;

/* ---- values (2.9) ---- */
typedef enum {
    AST_VARIABLE,
    AST_INT,
    AST_FLOAT,
    AST_STRING,
    AST_BOOLEAN,
    AST_NULL,
    AST_ENUM,
    AST_LIST,
    AST_OBJECT,
} ast_value_kind_t;

typedef struct ast_value ast_value_t;
typedef struct ast_object_field ast_object_field_t;

struct ast_value {
    ast_value_kind_t kind;
    bool constant; /* holds no variable, at any depth */
    ast_loc_t loc;
    union {
        const name_t *name; /* AST_VARIABLE (without "$"), AST_ENUM */
        ast_string_t text;  /* AST_STRING: decoded; AST_INT, AST_FLOAT: as written */
        bool boolean;       /* AST_BOOLEAN */
        struct {
            const ast_value_t *items;
            uint32_t count;
        } list; /* AST_LIST */
        struct {
            const ast_object_field_t *fields;
            uint32_t count;
        } object; /* AST_OBJECT; the order of the text */
    };
};

struct ast_object_field {
    const name_t *name;
    ast_loc_t loc;
    ast_value_t value;
};

typedef struct {
    const name_t *name;
    ast_loc_t loc;
    ast_value_t value;
} ast_argument_t;

typedef struct {
    const name_t *name;
    ast_loc_t loc; /* of the "@" */
    ast_argument_t *arguments;
    uint32_t argument_count;
    const struct schema_directive *definition; /* bound */
} ast_directive_t;

typedef struct {
    ast_directive_t *items;
    uint32_t count;
} ast_directives_t;

/* ---- type references (2.11) ---- */
typedef enum { AST_TYPE_NAMED, AST_TYPE_LIST, AST_TYPE_NON_NULL } ast_type_kind_t;

typedef struct ast_type ast_type_t;
struct ast_type {
    ast_type_kind_t kind;
    ast_loc_t loc;
    const name_t *name;   /* AST_TYPE_NAMED */
    const ast_type_t *of; /* AST_TYPE_LIST, AST_TYPE_NON_NULL */
};

/* A name that stands for a type where no wrapping is allowed, or for a directive location. */
typedef struct {
    const name_t *name;
    ast_loc_t loc;
} ast_named_t;

/* ---- executable definitions (2.3 to 2.8) ---- */
typedef struct ast_selection_set ast_selection_set_t;
typedef struct ast_selection ast_selection_t;
typedef struct ast_definition ast_definition_t;

typedef enum { AST_FIELD, AST_FRAGMENT_SPREAD, AST_INLINE_FRAGMENT } ast_selection_kind_t;

typedef struct {
    const name_t *alias; /* NULL without one */
    const name_t *name;
    const name_t *key; /* the response name: alias, or name */
    ast_argument_t *arguments;
    uint32_t argument_count;
    ast_selection_set_t *set;              /* NULL for a leaf */
    const struct schema_field *definition; /* bound; __typename, __schema and __type have one too */
} ast_field_t;

typedef struct {
    const name_t *name;
    ast_loc_t loc;                    /* of the name */
    const ast_definition_t *fragment; /* bound */
} ast_spread_t;

typedef struct {
    ast_named_t condition; /* name is NULL without one */
    ast_selection_set_t *set;
    const struct schema_type *type; /* bound: the condition, else the type around it */
} ast_inline_t;

struct ast_selection {
    ast_selection_kind_t kind;
    ast_loc_t loc;
    ast_directives_t directives;
    union {
        ast_field_t field;
        ast_spread_t spread;
        ast_inline_t inlined;
    };
};

struct ast_selection_set {
    ast_loc_t loc;
    ast_selection_t *items;
    uint32_t count;
    uint32_t id;                    /* dense from 0 within the document */
    const struct schema_type *type; /* bound: the type that the fields are selected on */
};

typedef struct {
    const name_t *name; /* without "$" */
    ast_loc_t loc;
    ast_loc_t variable_loc; /* of the "$" (differs from loc behind a description) */
    ast_loc_t name_loc;     /* behind the "$" */
    const ast_string_t *description;
    const ast_type_t *type;
    const ast_value_t *default_value; /* NULL without one */
    ast_directives_t directives;
} ast_variable_t;

typedef enum { AST_QUERY, AST_MUTATION, AST_SUBSCRIPTION } ast_operation_kind_t;

typedef struct {
    ast_operation_kind_t kind;
    ast_variable_t *variables;
    uint32_t variable_count;
    ast_selection_set_t *set;
    const struct schema_type *type; /* bound: the root type */
} ast_operation_t;

typedef struct {
    ast_named_t condition;
    ast_selection_set_t *set;
    const struct schema_type *type; /* bound: the condition */
} ast_fragment_t;

/* ---- type system definitions and extensions (3) ---- */
typedef struct {
    const ast_string_t *description;
    const name_t *name;
    ast_loc_t loc;
    ast_loc_t name_loc;
    const ast_type_t *type;
    const ast_value_t *default_value;
    ast_directives_t directives;
} ast_input_value_t; /* an argument or an input field */

typedef struct {
    const ast_string_t *description;
    const name_t *name;
    ast_loc_t loc;
    ast_loc_t name_loc;
    ast_input_value_t *arguments;
    uint32_t argument_count;
    const ast_type_t *type;
    ast_directives_t directives;
} ast_field_definition_t;

typedef struct {
    const ast_string_t *description;
    const name_t *name;
    ast_loc_t loc;
    ast_loc_t name_loc;
    ast_directives_t directives;
} ast_enum_value_t;

typedef struct {
    ast_operation_kind_t kind;
    ast_loc_t loc;
    ast_named_t type;
} ast_root_t;

/* Scalar, object, interface, union, enum, input object; only the members of its kind are used. */
typedef struct {
    ast_named_t *interfaces;
    uint32_t interface_count;
    ast_field_definition_t *fields;
    uint32_t field_count;
    ast_named_t *members; /* of a union */
    uint32_t member_count;
    ast_enum_value_t *values;
    uint32_t value_count;
    ast_input_value_t *inputs; /* fields of an input object */
    uint32_t input_count;
} ast_type_definition_t;

typedef struct {
    ast_root_t *roots;
    uint32_t root_count;
} ast_schema_definition_t;

typedef struct {
    ast_input_value_t *arguments;
    uint32_t argument_count;
    bool repeatable;
    ast_named_t *locations;
    uint32_t location_count;
} ast_directive_definition_t;

typedef enum {
    AST_OPERATION,
    AST_FRAGMENT,
    AST_SCHEMA,
    AST_SCALAR_TYPE,
    AST_OBJECT_TYPE,
    AST_INTERFACE_TYPE,
    AST_UNION_TYPE,
    AST_ENUM_TYPE,
    AST_INPUT_TYPE,
    AST_DIRECTIVE_DEFINITION,
} ast_definition_kind_t;

struct ast_definition {
    ast_definition_kind_t kind;
    bool extend; /* type system only: "extend ..." */
    uint32_t id; /* dense from 0 within the document */
    ast_loc_t loc;
    const ast_string_t *description; /* NULL without one */
    const name_t *name;              /* NULL for an anonymous operation and for a schema */
    ast_loc_t name_loc;
    ast_directives_t directives;
    union {
        ast_operation_t operation;
        ast_fragment_t fragment;
        ast_schema_definition_t schema;
        ast_type_definition_t type;
        ast_directive_definition_t directive;
    };
};

typedef struct {
    ast_definition_t *definitions;
    uint32_t definition_count;
    uint32_t selection_set_count; /* ids of selection sets are below this */
    uint32_t field_count;
    uint32_t alias_count;
    uint32_t directive_count; /* applied ones */
    uint32_t token_count;
    uint32_t name_count; /* ids of names are below this */
} ast_document_t;

#endif
