/* gateway/graphql/execution/complete.h: a service's JSON becomes the response (GraphQL 2025-09
 * 6.4.3): read, checked, selected, coerced and written in one pass, without a tree. Null
 * propagation takes back what was written since the nullable position began. Loop thread only; not
 * re-entered. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLETE_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLETE_H

#include "common/arena.h"
#include "common/buffer.h"
#include "gateway/graphql/execution/field_errors.h"
#include "gateway/graphql/execution/plan.h"

/* A response position around holes. Lives in the arena. */
typedef struct frame frame_t;
struct frame {
    frame_t *above; /* NULL: the data */
    size_t start;   /* in its text */
    size_t end;
    bool non_null;
    bool nulled; /* null came up to here from a hole */
};

/* A position whose value comes later, from a batched call: nothing is written for it yet. Lives in
 * the arena. */
typedef struct hole hole_t;
struct hole {
    hole_t *next;    /* in its text, by `at` */
    hole_t *sibling; /* in its batch */
    size_t at;       /* where in its text the value belongs */
    frame_t *frame;  /* of the object around it */
    plan_field_t *field;
    const path_t *path;
    json_slice_t parent;     /* a JSON map of the needed fields */
    const struct text *text; /* where its value is, from start to end; NULL: null */
    size_t start;
    size_t end;
};

/* Response text with holes. */
typedef struct text {
    buffer_t bytes;
    hole_t *first;
    hole_t *last;
} text_t;

/* What completion needs to know; the members above the line are the caller's. */
typedef struct {
    arena_t *arena;
    plan_t *plan;
    field_errors_t *errors;
    text_t *text;
    size_t limit_bytes;  /* of the response, for messages */
    const char *service; /* who answered, for messages */
    frame_t *frame;      /* around the value; NULL: the data */
    const char *fault;   /* out: what is wrong with the answer, without its values; NULL: nothing */
    /* ---- */
    const char *at;
    const char *end;
    struct position *position;
} completion_t;

/* Appends the value of `field` (without its key): `json` completed as the field's type, at `path`
 * (which names the field itself). False if null has to go on to the position above: the error is
 * added and nothing appended. */
bool complete_field(
    completion_t *self, plan_field_t *field, const path_t *path, const char *json, size_t size);

/* The same for an error that stands for the value: null, or false if the field is non-null. */
bool complete_failure(completion_t *self, const plan_field_t *field);

#endif
