/* gateway/http/operation.h: one GraphQL operation from text to response, whatever front it came in
 * by. The runner holds what operations share (schema, prepared documents, limits, counters); an
 * operation belongs to whoever prepared it, and is gone when its callback was called. Loop thread
 * only. */
#ifndef PARLEY_GATEWAY_HTTP_OPERATION_H
#define PARLEY_GATEWAY_HTTP_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/json.h"
#include "common/loop.h"
#include "gateway/auth/identity.h"
#include "gateway/bus/services.h"
#include "gateway/graphql/document_cache.h"
#include "gateway/graphql/graphql.h"
#include "gateway/http/graphql_request.h"
#include "gateway/http/persisted.h"
#include "gateway/http/slow_lane.h"

typedef struct runner runner_t;

typedef struct {
    loop_t *loop; /* NULL: everything is prepared at once */
    services_t *services;
    gql_limits_t limits;
    bool introspection;
    int64_t call_timeout_ms;      /* one call to a service must be answered by then */
    int64_t operation_timeout_ms; /* and all calls of an operation by then */
    size_t max_variables_bytes;   /* as JSON text without blanks; 0: no limit */
    size_t cache_documents;       /* prepared documents that are kept */
    size_t cache_bytes;
    persisted_options_t persisted;
} runner_options_t;

runner_t *runner_new(const runner_options_t *options);
/* For documents that the operator trusts. */
persisted_t *runner_persisted(runner_t *self);
/* All operations must be gone. */
void runner_destroy(runner_t **self_p);

/* From now on new operations use this schema (one reference is taken); running ones finish on
 * theirs. Without one every operation is refused with UNAVAILABLE. */
void runner_set_schema(runner_t *self, gql_schema_t *schema);
/* Borrowed, or NULL. */
gql_schema_t *runner_schema(const runner_t *self);
document_cache_counts_t runner_documents(const runner_t *self);
/* Operations that run now. */
size_t runner_running(const runner_t *self);
/* Where operations are prepared that OPERATION_LATER was said of; NULL if there is no loop. */
slow_lane_t *runner_slow_lane(const runner_t *self);

enum { REQUEST_ID_MAX = 64, TRACEPARENT_MAX = 64 };

/* Who asks, and by which way. All copied or counted by operation_prepare. */
typedef struct {
    const char *front;       /* a constant, for logs and metrics: "http", "graphql-transport-ws" */
    identity_t *identity;    /* NULL: nobody said who he is */
    const char *request_id;  /* at most REQUEST_ID_MAX bytes */
    const char *traceparent; /* or NULL */
    const char *client;      /* address, for the log, or NULL */
    bool may_wait;           /* what takes long is for the slow lane: OPERATION_LATER */
    int64_t since_us;        /* of clock_mono_us: since when it waited there; 0: it did not */
} operation_caller_t;

typedef enum {
    OPERATION_DONE,            /* executed: the response has data */
    OPERATION_REFUSED,         /* a request error: no data (GraphQL 2025-09 7.1) */
    OPERATION_NOT_PERSISTED,   /* only its hash was named, and is not known */
    OPERATION_UNAUTHENTICATED, /* it needs an identity and has none */
    OPERATION_UNAVAILABLE,     /* there is no schema yet, or its time was over before it began */
    OPERATION_LATER,           /* nothing was done: prepare it from the slow lane */
} operation_verdict_t;

typedef struct operation operation_t;

/* Finds or prepares the document and the operation in it. request is borrowed for the call. NULL
 * with *verdict (never OPERATION_DONE) and the whole response appended if it is refused; with
 * OPERATION_LATER, if the caller may wait, nothing is appended and request is to be kept. */
operation_t *operation_prepare(runner_t *runner,
                               const graphql_request_t *request,
                               const operation_caller_t *caller,
                               operation_verdict_t *verdict,
                               buffer_t *response);
/* It is its turn in the slow lane: is its time over by now? Then appends the response, whose
 * verdict is OPERATION_UNAVAILABLE, and it is not to be prepared. */
bool operation_is_late(runner_t *runner, const operation_caller_t *caller, buffer_t *response);
gql_operation_kind_t operation_kind(const operation_t *self);

/* Ends it early and silently: calls under way are cancelled. Leaves NULL; accepts NULL in *self_p.
 */
void operation_cancel(operation_t **self_p);

typedef struct {
    operation_verdict_t verdict;
    bool ok;               /* there are no errors */
    json_slice_t response; /* the whole response; borrowed for the call */
    /* Only of operation_open, if it succeeded (then response is empty): */
    const char *service;        /* who answered */
    json_slice_t source;        /* his answer (proto/bus.md 4.4), not validated; borrowed */
    gql_execution_t *execution; /* the receiver's from now on */
    identity_t *identity;       /* under which it was asked, or NULL; borrowed */
} operation_result_t;

typedef void (*operation_done_fn)(void *arg, const operation_result_t *result);

/* A query or mutation: runs it. done is called exactly once, maybe from inside, unless it is
 * cancelled first; the operation is gone then. */
void operation_run(operation_t *self, operation_done_fn done, void *arg);

/* A subscription: asks its service for the stream. resume: the client's last cursor, or an empty
 * slice. done as above. */
void operation_open(operation_t *self, json_slice_t resume, operation_done_fn done, void *arg);

#endif
