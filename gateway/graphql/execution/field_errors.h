/* gateway/graphql/execution/field_errors.h: errors of an execution, each at its response position
 * (GraphQL 2025-09 7.1.2). Rendered when added, into the arena; one owner, one thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_FIELD_ERRORS_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_FIELD_ERRORS_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/err.h"
#include "common/json.h"
#include "gateway/graphql/execution/plan.h"

/* A response position, on the stack of who completes it: a field, or an item of a list. */
typedef struct path path_t;
struct path {
    const path_t *above;       /* NULL at the root */
    const plan_field_t *field; /* NULL for an item */
    uint32_t index;
};

typedef struct field_error field_error_t;

typedef struct {
    arena_t *arena;
    field_error_t *first;
    field_error_t *last;
    uint32_t count;     /* of all, also those that are not reported */
    uint32_t limit;     /* reported at most; 0: no limit */
    bool closed;        /* data is null already: nothing is added any more */
    bool out_of_memory; /* an error found no room */
} field_errors_t;

/* Where a list of errors can be cut back to. */
typedef struct {
    field_error_t *last;
    uint32_t count;
} field_errors_mark_t;

/* Adds one at a path (NULL: none), with the places of the field's nodes (NULL: none). extensions is
 * a JSON map whose members go beside `code`, or empty. */
void field_errors_add(field_errors_t *self,
                      const plan_field_t *field,
                      const path_t *path,
                      const char *code,
                      json_slice_t extensions,
                      const char *message);
void field_errors_addf(field_errors_t *self,
                       const plan_field_t *field,
                       const path_t *path,
                       err_code_t code,
                       const char *format,
                       ...) __attribute__((format(printf, 5, 6)));
/* The same at a place of the document. */
void field_errors_addf_at(field_errors_t *self,
                          ast_loc_t place,
                          const path_t *path,
                          err_code_t code,
                          const char *format,
                          ...) __attribute__((format(printf, 5, 6)));

/* UNAUTHORIZED, in AppSync's words: the one who asks may not have the field. */
void field_errors_add_refusal(field_errors_t *self, const plan_field_t *field, const path_t *path);

/* If one more error would not be reported (too many are, or data is null already): counts it, and
 * its message need not be made. */
bool field_errors_count_unread(field_errors_t *self);

field_errors_mark_t field_errors_mark(const field_errors_t *self);
void field_errors_cut(field_errors_t *self, field_errors_mark_t mark);

/* Appends "errors":[…] */
void field_errors_write(const field_errors_t *self, buffer_t *out);

/* A path as text in an arena, ["list",0,"name"]; NULL if the arena is at its limit. A copy of it
 * can be made to outlive the stack: see path_copy. */
const path_t *path_copy(arena_t *arena, const path_t *path);

#endif
