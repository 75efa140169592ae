/* gateway/graphql/execution/execution.h: one execution, as its parts see it. Loop thread only. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_EXECUTION_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_EXECUTION_H

#include "gateway/graphql/execution/complete.h"
#include "gateway/graphql/execution/document.h"

/* A root field of the operation. */
typedef struct {
    plan_field_t *field;
    path_t path;
    gql_call_t call;
    bool is_waiting;
    text_t text;  /* its value, from `start` on */
    size_t start; /* 0, or behind the beginning of the response if it is the only one */
} root_t;

/* Holes that one call fills: parents of one field with equal arguments. */
typedef struct batch batch_t;
struct batch {
    batch_t *next; /* newest first */
    const schema_field_t *definition;
    json_slice_t args; /* of the field */
    json_slice_t selection;
    hole_t *first;
    hole_t *last;
    uint32_t count;
    gql_call_t call;
    bool is_waiting;
    bool is_blamed;    /* the host was told of a fault */
    text_t text;       /* values of the holes, one after the other */
    hole_t *scheduled; /* the last hole of text that has a batch; NULL: none */
};

struct gql_execution {
    arena_t *arena;
    arena_t *work; /* of what ends with the response: arena, or event_arena */
    gql_document_t *document;
    gql_operation_t *operation;
    plan_t *plan;
    variables_t variables;
    gql_limits_t limits;
    field_errors_t errors;
    root_t *roots;
    uint32_t root_count;
    uint32_t next_root;      /* mutations: the one to run next */
    hole_t **root_scheduled; /* by root: as in a batch */
    batch_t *batches;
    uint32_t call_count;
    uint32_t waiting; /* calls without an answer */
    uint32_t issued;  /* calls not flushed yet */
    bool is_null;     /* null came up to `data` */
    bool is_started;
    bool is_full; /* an introspection had no room */
    const gql_host_t *host;
    void *host_arg;
    buffer_t response;
    char *group_key;
    arena_t *event_arena;
    const char *cursor; /* of the event being rendered; NULL: no event is */
};

/* gql_execution_new with an arena of the caller's making (taken, also on failure): for tests of
 * what happens when memory ends. */
gql_execution_t *execution_new(arena_t **arena,
                               gql_document_t *document,
                               const gql_operation_t *operation,
                               const json_t *variables,
                               const gql_access_t *access,
                               const gql_limits_t *limits,
                               buffer_t *response);

/* Coerces the arguments of a root field and fills in its call. False after an error. */
bool execution_prepare_call(gql_execution_t *self, root_t *root);

/* What completion needs for an answer of that service. */
completion_t execution_completion(gql_execution_t *self, text_t *text, const char *service);

/* Tells the host of a call that shall be made. */
void execution_issue(gql_execution_t *self, const gql_call_t *call);

/* Goes as far as it can without an answer. May destroy the execution. */
void execution_advance(gql_execution_t *self);

/* Null came up to `data`: no more errors, no more calls. */
void execution_nullify(gql_execution_t *self);

/* Bytes that the response may still grow by. */
size_t execution_room(const gql_execution_t *self);

/* Appends the whole response. */
void execution_put_response(gql_execution_t *self, buffer_t *out);

/* Appends the text from `start` to `end` with the values of its holes. */
void execution_put_text(const text_t *text, size_t start, size_t end, buffer_t *out);

/* ---- batches.c: fields with @resolve ---- */

/* Makes calls of all holes that have none yet. False if there was none. */
bool batches_schedule(gql_execution_t *self);
/* The waiting batch of that call, or NULL. */
batch_t *batches_find(gql_execution_t *self, uint32_t index);
void batches_resolve(gql_execution_t *self, batch_t *batch, const char *json, size_t size);
void batches_reject(gql_execution_t *self, batch_t *batch, const gql_failure_t *failure);
/* Makes an error of each hole: there is nobody to call. */
void batches_refuse(gql_execution_t *self);
void batches_free(gql_execution_t *self);

#endif
