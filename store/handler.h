/* store/handler.h: how a field of the schema is served.
 *
 * The endpoint (store/endpoint.h) decodes a CALL, looks its field up in the tables of handlers and
 * gives it to the one it finds. A call lives until it is answered or failed, in this turn of the
 * loop or later, exactly once; both take it back. Loop thread only. */
#ifndef PARLEY_STORE_HANDLER_H
#define PARLEY_STORE_HANDLER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/bus_record.h"
#include "common/err.h"
#include "store/pg_link.h"

typedef struct endpoint endpoint_t;

/* A call (proto/bus.md 4). All pointers are borrowed from it and live as long as it does. */
typedef struct store_call {
    bus_id_t id;
    const char *field;          /* "Mutation.signUp", or "HTTP" */
    json_t *args;               /* an object, never NULL */
    const char *handle;         /* the identity's; NULL without one: nobody said who he is */
    const char *sub, *provider; /* the identity's, or NULL */
    const char *session;        /* claim session of the identity's token, or NULL */
    const char *resume;         /* a cursor, or NULL */
    const char *request; /* the gateway's id of the client's request, for logs; may be NULL */
    const char *client;  /* the address that the client came from; may be NULL */
    int64_t
        deadline_ms; /* Unix time; never 0: the endpoint puts its own when the caller sent none */
} store_call_t;

typedef void (*store_handler_fn)(void *arg, store_call_t *call);

/* field: "Mutation.signUp"; for an HTTP route "HTTP GET /path" (it is announced in HELLO's routes).
 * A table ends with a NULL field. Tables have static storage. */
typedef struct {
    const char *field;
    store_handler_fn fn;
} store_handler_t;

/* Where an answer is printed: append exactly one JSON value to the buffer, then call
 * store_call_done. Nothing else may be called on the endpoint in between. Never NULL. */
buffer_t *store_call_begin(store_call_t *call);
void store_call_done(store_call_t *call);

/* Answers with size bytes of JSON. */
void store_call_answer(store_call_t *call, const char *json, size_t size);

/* Answers with an error. extensions: members as JSON text without braces ("\"retryAfterMs\":500"),
 * or NULL. The message is for the client's developer: no SQL, no secrets. */
void store_call_fail(store_call_t *call,
                     err_code_t code,
                     const char *extensions,
                     const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* BAD_USER_INPUT about one argument: extensions.argument is its name, the message names it and the
 * rule. */
void store_call_reject(store_call_t *call, const char *argument, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The error for a transaction that failed for no reason of the caller's: UNAVAILABLE with
 * retryAfterMs and outcome when the database is away, LIMIT_EXCEEDED when the queue was full,
 * TIMEOUT when it took too long, else INTERNAL (logged with what PostgreSQL said). outcome->code is
 * not ERR_OK. */
void store_call_fail_database(store_call_t *call, const pg_outcome_t *outcome);

#endif
