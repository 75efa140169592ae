/* gateway/graphql/type/schema.h: a type system, ready to be asked (GraphQL 2025-09 3).
 * Built and validated whole by build_schema.h, immutable after that: pointers into it are good and
 * comparable as long as the schema lives. Everything is in its arena. The counted handle around it
 * is the facade's gql_schema_t. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_SCHEMA_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_SCHEMA_H

#include "common/arena.h"
#include "gateway/graphql/graphql.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/language/names.h"
#include "gateway/graphql/type/scalars.h"

typedef struct schema schema_t;
typedef struct schema_type schema_type_t;
typedef struct schema_field schema_field_t;
typedef struct schema_input schema_input_t;
typedef struct schema_directive schema_directive_t;

typedef enum {
    SCHEMA_SCALAR,
    SCHEMA_OBJECT,
    SCHEMA_INTERFACE,
    SCHEMA_UNION,
    SCHEMA_ENUM,
    SCHEMA_INPUT_OBJECT,
} schema_kind_t;

/* ---- type references: a named type under lists and non-nulls ---- */
typedef enum { SCHEMA_REF_NAMED, SCHEMA_REF_LIST, SCHEMA_REF_NON_NULL } schema_ref_kind_t;

typedef struct schema_ref schema_ref_t;
struct schema_ref {
    schema_ref_kind_t kind;
    const schema_type_t *type; /* the named type at the bottom, whatever the kind */
    const schema_ref_t *of;    /* what a list or a non-null wraps */
    const char *text;          /* "[Message!]!" */
};

/* ---- applied directives of definitions ---- */
typedef struct {
    const name_t *name;
    const schema_directive_t *definition; /* never NULL */
    const ast_directive_t *node;          /* its arguments, constant */
    const char *service;                  /* who wrote it; NULL for built-in ones */
} schema_applied_t;

typedef struct {
    const schema_applied_t *items;
    uint32_t count;
} schema_applied_list_t;

/* The first application of that directive, or NULL. */
const schema_applied_t *schema_applied(const schema_applied_list_t *list, const char *name);

/* The value that was written for an argument, or the argument's default, or NULL. */
const ast_value_t *schema_applied_argument(const schema_applied_t *applied, const char *argument);

/* ---- who may: what the directives @aws_… say ---- */
typedef struct schema_rule schema_rule_t;
struct schema_rule { /* one of a kind within the schema */
    uint32_t id;     /* dense from 0 */
    gql_rule_t rule;
    const schema_rule_t *also; /* who is let in must be let in by this one too; NULL: that is all */
    const schema_rule_t *next; /* in the schema */
};

/* ---- members ---- */
struct schema_input { /* an argument, or a field of an input object */
    const name_t *name;
    const char *description; /* NULL without one */
    const schema_ref_t *type;
    const ast_value_t *default_value; /* constant and valid for the type; NULL without one */
    const char *deprecation_reason;   /* NULL if not deprecated */
    schema_applied_list_t applied;
    uint32_t index; /* within its field, directive or input object */
    ast_loc_t loc;
};

/* Non-null without a default (3.6.1)? */
static inline bool schema_input_is_required(const schema_input_t *self)
{
    return self->type->kind == SCHEMA_REF_NON_NULL && !self->default_value;
}

/* The three fields that every schema has beside the written ones. */
typedef enum {
    SCHEMA_FIELD_PLAIN,
    SCHEMA_FIELD_TYPENAME, /* __typename, on every composite type */
    SCHEMA_FIELD_SCHEMA,   /* __schema, on the query root */
    SCHEMA_FIELD_TYPE,     /* __type, on the query root */
} schema_field_kind_t;

struct schema_field {
    const name_t *name;
    schema_field_kind_t kind;
    const char *description;
    const schema_ref_t *type;
    const schema_input_t *arguments;
    uint32_t argument_count;
    const char *deprecation_reason;
    schema_applied_list_t applied;
    const schema_type_t *parent; /* NULL for SCHEMA_FIELD_TYPENAME */
    uint32_t index;              /* within its type */
    const char *service; /* the source that defined it; NULL for built-in ones, "" for the _empty of
                            an empty Query */
    const char *coordinate; /* "Mutation.createMessage"; "__typename" for that */
    /* from the directives that the gateway knows */
    bool is_public;       /* @public */
    bool is_resolved;     /* @resolve: the service is called for it below the root */
    const name_t **needs; /* @resolve(needs:): fields of the parent that go with the call */
    uint32_t need_count;
    bool is_subscribe;        /* @aws_subscribe */
    const name_t **mutations; /* @aws_subscribe(mutations:) */
    uint32_t mutation_count;
    const schema_rule_t *rule; /* who may, of object types; NULL: everybody who came so far */
    ast_loc_t loc;
};

typedef struct {
    const name_t *name;
    const char *description;
    const char *deprecation_reason;
    schema_applied_list_t applied;
    uint32_t index;
    ast_loc_t loc;
} schema_enum_value_t;

struct schema_type {
    const name_t *name;
    schema_kind_t kind;
    uint32_t id; /* dense from 0 within the schema */
    const char *description;
    bool is_builtin;       /* specified scalar, AWS scalar or introspection type */
    bool is_introspection; /* __Schema and its kin */
    const char *service;   /* the source that defined it first; NULL for built-in ones */
    schema_applied_list_t applied;
    ast_loc_t loc;

    scalar_kind_t scalar;         /* SCHEMA_SCALAR */
    const char *specified_by_url; /* SCHEMA_SCALAR, NULL without one */

    const schema_field_t *fields; /* SCHEMA_OBJECT, SCHEMA_INTERFACE; in the order of the SDL */
    uint32_t field_count;
    const schema_type_t *const *interfaces; /* declared ones */
    uint32_t interface_count;
    const schema_type_t *const
        *possible; /* objects: itself; interfaces, unions: the objects (unions: as declared) */
    uint32_t possible_count;
    const uint64_t *possible_bits; /* of interfaces and unions: the same, by type id */

    const schema_enum_value_t *values; /* SCHEMA_ENUM */
    uint32_t value_count;

    const schema_input_t *inputs; /* SCHEMA_INPUT_OBJECT */
    uint32_t input_count;
    bool is_one_of; /* @oneOf */

    const uint32_t *index; /* hash table of its members: see schema_type_field and its kin */
    uint32_t index_mask;
};

struct schema_directive {
    const name_t *name;
    const char *description;
    const schema_input_t *arguments;
    uint32_t argument_count;
    bool is_repeatable;
    bool is_specified;  /* by GraphQL itself: not printed */
    bool is_hidden;     /* known to the gateway and not declared by a service: neither printed nor
                           introspected */
    uint32_t locations; /* bits of schema_location_t */
    const uint8_t *location_order; /* the same as a list of schema_location_t, as written */
    uint32_t location_order_count;
    uint32_t id;
    const char *service;
    ast_loc_t loc;
};

/* 3.13; also what introspection's __DirectiveLocation lists, in this order. */
typedef enum {
    SCHEMA_ON_QUERY,
    SCHEMA_ON_MUTATION,
    SCHEMA_ON_SUBSCRIPTION,
    SCHEMA_ON_FIELD,
    SCHEMA_ON_FRAGMENT_DEFINITION,
    SCHEMA_ON_FRAGMENT_SPREAD,
    SCHEMA_ON_INLINE_FRAGMENT,
    SCHEMA_ON_VARIABLE_DEFINITION,
    SCHEMA_ON_SCHEMA,
    SCHEMA_ON_SCALAR,
    SCHEMA_ON_OBJECT,
    SCHEMA_ON_FIELD_DEFINITION,
    SCHEMA_ON_ARGUMENT_DEFINITION,
    SCHEMA_ON_INTERFACE,
    SCHEMA_ON_UNION,
    SCHEMA_ON_ENUM,
    SCHEMA_ON_ENUM_VALUE,
    SCHEMA_ON_INPUT_OBJECT,
    SCHEMA_ON_INPUT_FIELD_DEFINITION,
    SCHEMA_LOCATION_COUNT,
} schema_location_t;

/* "QUERY" and so on. */
const char *schema_location_name(schema_location_t location);

struct schema {
    arena_t *arena; /* owned */
    names_t *names;
    const char *description;
    const schema_type_t **
        types; /* by id: written ones in SDL order, then built-in ones that are used or specified */
    uint32_t type_count;
    const schema_directive_t *
        *directives; /* written ones first, then specified ones; hidden ones are not here */
    uint32_t directive_count;
    const schema_directive_t **hidden; /* those that only the gateway knows */
    uint32_t hidden_count;
    const schema_type_t *query;        /* never NULL */
    const schema_type_t *mutation;     /* NULL without one */
    const schema_type_t *subscription; /* NULL without one */
    schema_applied_list_t applied;
    const schema_field_t *typename_field;    /* __typename: String! */
    const schema_field_t *schema_meta_field; /* __schema: __Schema! */
    const schema_field_t *type_meta_field;   /* __type(name: String!): __Type */
    const schema_rule_t *rules;              /* all of them */
    uint32_t rule_count;
    const schema_ref_t **named_refs; /* by type id: the bare reference to each type */
    const uint32_t *type_index;      /* hash tables, for the functions below */
    uint32_t type_index_mask;
    const uint32_t *directive_index;
    uint32_t directive_index_mask;
};

/* Frees it all and leaves NULL; accepts NULL. */
void schema_destroy(schema_t **self_p);

/* ---- look-up: by a name of any table (its hash is used), or NULL ---- */
const schema_type_t *schema_type(const schema_t *self, const name_t *name);
const schema_type_t *schema_type_by_text(const schema_t *self, const char *data, size_t size);
const schema_directive_t *schema_directive(const schema_t *self, const name_t *name);
const schema_type_t *schema_root(const schema_t *self, ast_operation_kind_t kind);

/* A field of an object or interface; also __typename on composite types and __schema, __type on the
 * query root. */
const schema_field_t *
schema_type_field(const schema_t *self, const schema_type_t *type, const name_t *name);
/* Only the written fields. */
const schema_field_t *schema_type_own_field(const schema_type_t *type, const name_t *name);
const schema_field_t *
schema_type_field_by_text(const schema_type_t *type, const char *data, size_t size);
const schema_input_t *schema_type_input(const schema_type_t *type, const name_t *name);
const schema_input_t *
schema_type_input_by_text(const schema_type_t *type, const char *data, size_t size);
const schema_enum_value_t *schema_type_value(const schema_type_t *type, const name_t *name);
const schema_enum_value_t *
schema_type_value_by_text(const schema_type_t *type, const char *data, size_t size);
/* Arguments are few: a walk. */
const schema_input_t *
schema_argument(const schema_input_t *arguments, uint32_t count, const name_t *name);

/* ---- questions ---- */
static inline bool schema_type_is_composite(const schema_type_t *type)
{
    return type->kind == SCHEMA_OBJECT || type->kind == SCHEMA_INTERFACE ||
           type->kind == SCHEMA_UNION;
}
static inline bool schema_type_is_abstract(const schema_type_t *type)
{
    return type->kind == SCHEMA_INTERFACE || type->kind == SCHEMA_UNION;
}
static inline bool schema_type_is_leaf(const schema_type_t *type)
{
    return type->kind == SCHEMA_SCALAR || type->kind == SCHEMA_ENUM;
}
static inline bool schema_type_is_input(const schema_type_t *type)
{
    return type->kind == SCHEMA_INPUT_OBJECT || schema_type_is_leaf(type);
}
static inline bool schema_type_is_output(const schema_type_t *type)
{
    return type->kind != SCHEMA_INPUT_OBJECT;
}
/* Is `object` (an object type) this type, or one of its possible types? */
static inline bool schema_type_is_possible(const schema_type_t *type, const schema_type_t *object)
{
    if (!type->possible_bits)
        return type == object;
    return (type->possible_bits[object->id / 64] >> (object->id % 64)) & 1;
}
/* Can a value be of both types at once (5.5.2.3)? Both composite. */
bool schema_types_overlap(const schema_t *self, const schema_type_t *a, const schema_type_t *b);
/* Does `type` declare that it implements `interface`? */
bool schema_type_implements(const schema_type_t *type, const schema_type_t *interface);
/* Same named type, or a possible type or implementer of it. */
bool schema_type_is_subtype(const schema_type_t *type, const schema_type_t *super);
/* Equal including lists and non-nulls. */
bool schema_ref_equal(const schema_ref_t *a, const schema_ref_t *b);
/* 3.6.1 IsValidImplementationFieldType / covariant. */
bool schema_ref_is_subtype(const schema_ref_t *ref, const schema_ref_t *super);
static inline const schema_ref_t *schema_ref_nullable(const schema_ref_t *ref)
{
    return ref->kind == SCHEMA_REF_NON_NULL ? ref->of : ref;
}

#endif
