/* gateway/graphql/execution/plan.h: an operation as completion wants it: fields collected and
 * merged per object type (GraphQL 2025-09 6.3.2), with what each needs at hand. A plan is made for
 * one assignment of the variables that @skip and @include ask for, and for what the one who asks
 * may, so that running it asks nothing.
 * Selection sets are collected when first reached and kept; equal ones are shared, so a plan grows
 * with what is used and not with what a document could expand to.
 * Lives in an arena: the document's, or one execution's. Loop thread only. A plan holds scratch
 * memory of completion: one selection set is never inside itself, and completion is not re-entered.
 */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_PLAN_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_PLAN_H

#include "common/arena.h"
#include "common/json.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/type/schema.h"

typedef struct plan plan_t;
typedef struct plan_set plan_set_t;
typedef struct plan_field plan_field_t;

/* Where a field's value comes from. */
typedef enum {
    PLAN_MEMBER,        /* the member of that name in the parent's JSON; at the root: a call */
    PLAN_TYPENAME,      /* __typename */
    PLAN_RESOLVED,      /* a batched call (@resolve) */
    PLAN_INTROSPECTION, /* __schema, __type and all below them */
    PLAN_REFUSED,       /* null and an error: the one who asks may not */
} plan_source_t;

/* What the field's value is, as far as completion tells apart before it looks closer. */
typedef enum {
    PLAN_NESTED, /* a list or a composite */
    PLAN_TEXT,   /* String or ID */
    PLAN_LEAF,   /* another scalar or an enum */
} plan_shape_t;

struct plan_field {
    const char *key; /* ,"name": (with the comma), padded for reader_copy */
    uint32_t key_size;
    plan_source_t source;
    plan_shape_t shape;
    bool non_null;
    bool is_verbatim;  /* a text whose response name is the member's */
    uint32_t slot;     /* PLAN_MEMBER: index into the set's slots */
    json_slice_t kept; /* PLAN_INTROSPECTION: the value, once asked for, if it is always the same */
    int introspection; /* PLAN_INTROSPECTION: which field (introspection/meta_fields.h) */
    const name_t *name;                  /* the response name */
    const schema_field_t *definition;    /* of the object type */
    const schema_type_t *parent;         /* the object type */
    const ast_selection_t *const *nodes; /* merged; the first one's arguments count */
    uint32_t node_count;
    const uint32_t *need_slots; /* PLAN_RESOLVED: slots of definition->needs */
    json_slice_t selection;     /* plan_selection, once it was asked for */
    /* the set last used below this field, see plan_below */
    const schema_type_t *last_type;
    plan_set_t *last_set;
};

/* A member of the service's JSON that is wanted, and where it was found in the object at hand. */
typedef struct {
    const char *name; /* padded for reader_equals */
    uint32_t size;
    const char *start; /* NULL: not there */
    const char *end;
} plan_slot_t;

/* The n-th member of the previous object: the next object most likely has it there too. */
typedef struct {
    const char *key; /* padded, or in an answer */
    uint32_t size;
    uint32_t slot;  /* PLAN_NO_SLOT: not wanted */
    bool is_padded; /* key is the slot's name */
} plan_guess_t;

#define PLAN_NO_SLOT UINT32_MAX

struct plan_set {
    const schema_type_t *type; /* an object type */
    plan_field_t *fields;      /* in the order of the response */
    uint32_t field_count;
    plan_slot_t *slots;
    uint32_t slot_count;
    plan_guess_t *guesses;
    uint32_t guess_count;
    uint32_t guess_room;
    uint64_t guess_turn; /* of the plan, when the guesses were made */
    /* identity, for sharing */
    plan_set_t *next;
    uint64_t hash;
    const ast_selection_t *const *nodes;
    uint32_t node_count;
};

/* Scratch of collecting, shared by all plans of a document: by name id and by definition id. */
typedef struct {
    uint32_t turn;
    uint32_t *name_turn;
    uint32_t *name_index;
    uint32_t *fragment_turn;
    /* where the variables of the operation last asked about are */
    const ast_operation_t *operation;
    uint32_t operation_turn;
    uint32_t *variable_turn;  /* by name id */
    uint32_t *variable_index; /* by name id */
} plan_scratch_t;

/* What a plan is made for. */
typedef struct {
    const bool
        *conditions;     /* by index of the operation's variable; only those in conditions count */
    const bool *refused; /* by id of the schema's rule; NULL: whatever has a rule is refused */
    bool is_read_only;   /* the root fields of a mutation are refused, unless @public */
} plan_case_t;

enum { PLAN_BUCKETS = 64 };

struct plan {
    arena_t *arena;
    const schema_t *schema;
    const ast_definition_t *operation;
    plan_scratch_t *scratch;
    plan_case_t given;
    plan_set_t *root;
    uint64_t turn; /* goes up with each answer completed */
    plan_set_t *buckets[PLAN_BUCKETS];
};

/* Room for a document's plans; NULL if the arena is at its limit. */
plan_scratch_t *plan_scratch_new(arena_t *arena, const ast_document_t *document);

/* Collects the root fields of a validated operation. What `given` points to is borrowed for the
 * life of the plan. NULL if the arena is at its limit. */
plan_t *plan_new(arena_t *arena,
                 const schema_t *schema,
                 const ast_definition_t *operation,
                 plan_scratch_t *scratch,
                 const plan_case_t *given);

/* The fields selected below `field` on an object type. NULL if the arena is at its limit. */
plan_set_t *plan_below(plan_t *self, plan_field_t *field, const schema_type_t *type);

/* Paths of the leaves selected below a root field, as a JSON list of "author/name": field names,
 * not aliases, over all possible types; __typename where the type is abstract. A hint for the
 * service: beyond 1,000 paths a composite field stands for all below it. data is NULL if the arena
 * is at its limit. */
json_slice_t plan_selection(plan_t *self, const plan_field_t *field);

/* Index of the operation's variable of that name; UINT32_MAX if it has none. */
uint32_t
plan_variable(plan_scratch_t *scratch, const ast_operation_t *operation, const name_t *name);

#endif
