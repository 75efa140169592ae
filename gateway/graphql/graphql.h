/* gateway/graphql/graphql.h: the engine as the gateway sees it. A pure library: no socket, no
 * clock, no log. Loop thread only. Schema and document are immutable once made, counted, and shared
 * by many executions; an execution belongs to one request (or one event of a subscription group)
 * and lives in its own arena. Behaviour: GraphQL specification, September 2025; where it leaves
 * room, graphql-js. */
#ifndef PARLEY_GATEWAY_GRAPHQL_GRAPHQL_H
#define PARLEY_GATEWAY_GRAPHQL_GRAPHQL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/json.h"

/* ---- limits: every one is on, 0 means "no limit"; an exceeded one names itself, its value and the
 * limit ---- */
typedef struct {
    uint32_t max_depth;  /* 50: nesting of selection sets; also bounds recursion in the parser */
    uint32_t max_tokens; /* 50,000 */
    uint32_t max_root_fields; /* 50, after fragments */
    uint32_t max_aliases;     /* 200 */
    uint32_t max_directives;  /* 500 in a document */
    uint32_t max_errors;      /* 100 reported */
    uint64_t
        max_complexity; /* 5,000,000: fields, multiplied by list arguments (first, last, limit) */
    size_t max_response_bytes; /* 16 MiB */
} gql_limits_t;

extern const gql_limits_t GQL_LIMITS_DEFAULT;

/* ---- schema ---- */
typedef struct gql_schema gql_schema_t;

/* The SDL of one service (UTF-8, not NUL-terminated; borrowed for the call). */
typedef struct {
    const char *service; /* NUL-terminated; who answers the root fields that this SDL defines */
    const char *sdl;
    size_t size;
} gql_source_t;

/* Merges the SDL of all services (root types by field; GraphQL 2025-09 3) with the built-in
 * scalars, the AWS scalars and the directives that the gateway knows (@public, @aws_subscribe,
 * @aws_auth, …), and validates the whole. NULL and a sentence that names service, line and column
 * in *err (ERR_BAD_USER_INPUT) if it is no valid schema. The caller holds the one reference. No
 * sources give a schema with only an empty Query (`_empty: Boolean`, @public). */
gql_schema_t *gql_schema_build(const gql_source_t *sources, size_t count, err_t *err);
gql_schema_t *gql_schema_ref(gql_schema_t *self);
void gql_schema_unref(gql_schema_t **self_p);

/* Appends the merged schema as SDL (graphql-js printSchema order and form). */
void gql_schema_print(const gql_schema_t *self, buffer_t *out);

/* ---- document: parsed, validated, planned once per text ---- */
typedef struct gql_document gql_document_t;
typedef struct gql_operation gql_operation_t; /* part of its document */
typedef enum { GQL_QUERY, GQL_MUTATION, GQL_SUBSCRIPTION } gql_operation_kind_t;

/* Parses and validates text (UTF-8). On failure NULL, and the whole response `{"errors":[…]}` (each
 * with message, locations and extensions.code) is appended to `response`. introspection=false
 * refuses __schema and __type. The caller holds the one reference; the document holds one on the
 * schema. */
gql_document_t *gql_document_prepare(gql_schema_t *schema,
                                     const char *text,
                                     size_t size,
                                     const gql_limits_t *limits,
                                     bool introspection,
                                     buffer_t *response);
gql_document_t *gql_document_ref(gql_document_t *self);
void gql_document_unref(gql_document_t **self_p);

/* Bytes that the document holds, for bounded caches. */
size_t gql_document_cost(const gql_document_t *self);

/* GraphQL 2025-09 6.1 GetOperation. name NULL (or empty) stands for the only one. NULL and
 * ERR_BAD_USER_INPUT if there is no such one. */
const gql_operation_t *
gql_document_operation(const gql_document_t *self, const char *name, err_t *err);
gql_operation_kind_t gql_operation_kind(const gql_operation_t *self);
/* Its name, or NULL; borrowed. */
const char *gql_operation_name(const gql_operation_t *self);
/* Does any root field need an identity (that is, has no @public and is not introspection or
 * __typename)? */
bool gql_operation_needs_identity(const gql_operation_t *self);
/* Does it take long to answer although no service is asked? */
bool gql_operation_is_heavy(const gql_operation_t *self);
/* The whole response of an operation that always has the same (introspection without variables),
 * once it was kept; else empty. Lives as long as the document. */
json_slice_t gql_operation_answer(const gql_operation_t *self);
/* Keeps the response, which had no errors, if it is always the same and not too large: true if the
 * document costs more now. */
bool gql_operation_keep_answer(const gql_operation_t *self, const buffer_t *response);
/* Names of the root fields joined by "," as "getMessages,me" (at most 3, then ",…"), for metrics
 * and logs; borrowed. */
const char *gql_operation_root_fields(const gql_operation_t *self);

/* ---- who may ---- */

/* Kinds of identities, as the directives @aws_… tell them apart; bits. */
typedef enum {
    GQL_USER_POOL = 1,
    GQL_API_KEY = 2,
    GQL_OIDC = 4,
    GQL_IAM = 8,
    GQL_LAMBDA = 16,
} gql_provider_t;

/* Whom a field lets in: who is of one of these kinds, or of a user pool and in one of the groups.
 */
typedef struct {
    uint32_t providers;
    const char *const *groups;
    uint32_t group_count;
} gql_rule_t;

/* What an execution knows of the one who asks. `may` is asked once for each rule that the operation
 * meets, and not again for its events. */
typedef struct {
    bool (*may)(void *arg, const gql_rule_t *rule);
    void *arg;
    bool is_read_only; /* the root fields of a mutation are refused, unless @public */
} gql_access_t;

/* ---- execution ---- */
typedef struct gql_execution gql_execution_t;

/* One call that the host makes for the engine: a root field, or a batch of @resolve parents. All
 * borrowed from the execution until it is destroyed. */
typedef struct {
    uint32_t index;      /* names the call within its execution */
    const char *service; /* from gql_source_t */
    const char *field;   /* "Mutation.createMessage" */
    json_slice_t
        args; /* a JSON map, coerced, in the order of the definition; [] of parents for a batch */
    json_slice_t
        selection; /* JSON list of selected paths below the field: ["messageId","author/name"] */
} gql_call_t;

/* An error of a service's answer, or of the road to it. All borrowed for the call. */
typedef struct {
    const char *code; /* extensions.code, from the closed list */
    const char *message;
    json_slice_t
        extensions; /* a JSON map without "code" whose members go into extensions; may be empty */
} gql_failure_t;

/* What the engine asks of its host. `call` is told of several calls of one step one after the
 * other, then `flush` once, so that they can travel together. The host answers each with
 * gql_execution_resolve or _reject, not from inside `call` or `flush` but any time after
 * gql_execution_start has returned. `done` is called exactly once, maybe from inside
 * gql_execution_start (nothing to wait for), _resolve or _reject, as the engine's last act: it may
 * destroy the execution. response is the whole `{"data":…}` or `{"errors":…,"data":…}`, borrowed
 * until `done` returns. */
typedef struct {
    void (*call)(void *arg, const gql_call_t *call);
    void (*flush)(void *arg);
    void (*done)(void *arg, const buffer_t *response, size_t error_count);
    /* A service's answer broke its promise (invalid JSON, a wrong type, null where none may be):
     * for the log. `what` is the first complaint, without values of the answer; borrowed. The
     * member may be NULL. */
    void (*fault)(void *arg, const gql_call_t *call, const char *what);
} gql_host_t;

/* Prepares one execution: coerces variables (a JSON map or NULL; borrowed for the call; GraphQL
 * 2025-09 6.1.2) and collects the root fields. NULL, with the whole response (request errors, no
 * `data`) appended to `response`, if a variable is uncoercible or a limit is exceeded. Holds a
 * reference on the document until destroyed. access (borrowed for the call): a field that it
 * refuses is null with UNAUTHORIZED at its path, and its service is not called; NULL stands for one
 * whom no rule lets in. */
gql_execution_t *gql_execution_new(gql_document_t *document,
                                   const gql_operation_t *operation,
                                   const json_t *variables,
                                   const gql_access_t *access,
                                   const gql_limits_t *limits,
                                   buffer_t *response);
void gql_execution_destroy(gql_execution_t **self_p);

/* Query or mutation: runs it. Query root fields are called in parallel, mutation root fields one
 * after the other. */
void gql_execution_start(gql_execution_t *self, const gql_host_t *host, void *arg);

/* The answer of call `index`: JSON text of a service, not trusted (borrowed for the call). Invalid
 * JSON, a wrong type or a missing non-null field becomes a field error at its path. Unknown or
 * answered indexes are ignored. */
void gql_execution_resolve(gql_execution_t *self, uint32_t index, const char *json, size_t size);
void gql_execution_reject(gql_execution_t *self, uint32_t index, const gql_failure_t *failure);

/* ---- subscription ---- */

/* The one root field of a subscription as a call to its service (answered with the stream, see
 * proto/bus.md 5.4). NULL, with a whole response appended, if its arguments cannot be coerced. */
const gql_call_t *gql_execution_source(gql_execution_t *self, buffer_t *response);

/* Is an event of this type (the mutation's field name) named by the root field's @aws_subscribe? A
 * root field without that directive takes every event. */
bool gql_execution_takes(const gql_execution_t *self, const char *type, size_t type_size);

/* A string that is equal for two executions exactly if they render every event equally: document
 * text, operation, coerced variables, refused fields. NUL-terminated, borrowed. */
const char *gql_execution_group_key(const gql_execution_t *self);

/* Renders one event: payload is the value of the root field (a stored object; not trusted); cursor
 * (NUL-terminated) goes out as extensions.cursor. The whole response is appended to `response`:
 * {"data":{…},"extensions":{"cursor":"…"}}. Can be called for any number of events, one after the
 * other. */
void gql_execution_render(gql_execution_t *self,
                          const char *payload,
                          size_t size,
                          const char *cursor,
                          buffer_t *response);

/* Does an event's rendering need calls to services, because fields with @resolve are selected below
 * the root field? Then gql_execution_render gives an error for those, and gql_execution_start_event
 * is the one to use. */
bool gql_execution_event_needs_calls(const gql_execution_t *self);

/* Renders one event with calls, as gql_execution_start runs a query: `done` gets the whole
 * response. Of one execution only one event at a time; payload and cursor are borrowed for the
 * call. */
void gql_execution_start_event(gql_execution_t *self,
                               const char *payload,
                               size_t size,
                               const char *cursor,
                               const gql_host_t *host,
                               void *arg);

/* Gives back the memory of the last event. Not from inside `done`. */
void gql_execution_trim(gql_execution_t *self);

#endif
