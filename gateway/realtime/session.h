/* gateway/realtime/session.h: what a client does on one connection, whatever the dialect: who he
 * is, and his operations by id. Knows no socket and no message format: it calls the dialect (how
 * things are said) and the connection (where they go). Embedded in its connection; loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_SESSION_H
#define PARLEY_GATEWAY_REALTIME_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "gateway/auth/identity.h"
#include "gateway/feed/feed.h"
#include "gateway/http/operation.h"
#include "gateway/realtime/realtime.h"

typedef struct session session_t;
typedef struct stream stream_t;

enum {
    SESSION_ID_MAX = 256,
    SESSION_SHARED_PREFIX_MAX = 128,
    SESSION_GRACE_S = 60, /* after the end of a token, for a new one to come */
};

/* Closes the connection whose token has ended: clients may reconnect with a new one. */
enum { CLOSE_FORBIDDEN = 4403 };

/* One operation of the client, from its start to its completion. */
struct stream {
    list_node_t node;  /* in session->streams */
    list_node_t ready; /* in session->ready: there is something to take */
    session_t *session;
    struct stream_start *start; /* while it waits to be prepared */
    operation_t *operation;     /* under way: a query, a mutation, or the question for the stream */
    subscriber_t *subscriber;   /* of a subscription that has its stream */
    identity_t *identity;       /* under which it subscribed; or NULL */
    bool active;                /* acknowledged */
    uint16_t prefix_size;
    uint16_t id_size;
    char text[]; /* what is printed before each result, then the id (NUL-terminated) */
};

/* How a dialect says things. Text goes out by conn_send. */
typedef struct {
    const char *name;   /* for logs and metrics: "graphql-transport-ws" */
    const char *suffix; /* what is printed behind each result */
    /* The connection is there, nothing was received yet; may be NULL. */
    void (*on_open)(session_t *self, const http_handshake_t *handshake);
    /* A whole text message. */
    void (*on_message)(session_t *self, const char *text, size_t size);
    /* Nothing was said for a while that keeps middle boxes awake; NULL: nothing is to be said. */
    void (*on_beat)(session_t *self);
    /* Appends what comes before a result: {"id":"…","type":"next","payload": */
    void (*put_prefix)(buffer_t *out, const char *id, size_t id_size);
    void (*send_active)(session_t *self, const stream_t *stream); /* NULL: no acknowledgement */
    /* The operation failed; response is {"errors":[…]}. */
    void (*send_error)(session_t *self, const char *id, size_t id_size, json_slice_t response);
    /* It has come to its end by itself. */
    void (*send_complete)(session_t *self, const char *id, size_t id_size);
    bool subscriptions_only;
    uint16_t code_init_timeout; /* close code when nobody has introduced himself in time; 0: he need
                                   not */
    const char *reason_init_timeout;
} dialect_t;

struct session {
    realtime_t *realtime;
    const dialect_t *dialect;
    identity_t *identity;  /* or NULL */
    uint64_t generation;   /* of auth's keys when it was verified */
    bool has_other_rights; /* since it was renewed */
    bool initialised;      /* the client has introduced himself */
    uint32_t started;      /* operations, for request ids */
    uint32_t count;        /* of streams */
    list_t streams;
    list_t ready;
    char *authorization; /* of the upgrade request, or NULL; freed when initialised */
    char *api_key;
    char *request_id;  /* of the upgrade request: names the connection in logs; or NULL */
    char *client;      /* address, in the same memory; or NULL */
    size_t names_size; /* of that */
    uint64_t client_key;
    rate_connection_t rate;
    char *greeting; /* what an event stream says before anything else, or NULL once it was said */
};

void session_init(session_t *self, realtime_t *realtime, const dialect_t *dialect);
/* Copies how the connection is called in logs, and whose it is; either may be NULL. Once. */
void session_set_names(session_t *self, const char *request_id, const char *client);
/* Ends all operations silently and frees what the session holds. */
void session_clear(session_t *self);

/* Whose credential is in a map like that of session_authenticate. ERR_OK with *identity a reference
 * for the caller, or NULL if there is none in it. A wrong one counts as many operations. */
err_code_t session_identify(session_t *self, json_slice_t map, identity_t **identity, err_t *err);

/* Checks the credential out of a map like connection_init's payload ({"Authorization": "Bearer …"},
 * also in lower case, also below "headers", or "x-api-key"); no map or nothing there: the one of
 * the upgrade request. ERR_OK, and the session acts under it from now on; else as in credential.h.
 */
err_code_t session_authenticate(session_t *self, json_slice_t payload, err_t *err);

/* The same later, on an open connection: a new token of the same handle takes the old one's place.
 * ERR_UNAUTHENTICATED if the map names none, ERR_FORBIDDEN if it is somebody else's. */
err_code_t session_renew(session_t *self, json_slice_t payload, err_t *err);

/* Takes the identity's credential over if it is of the same handle and lasts longer. */
void session_adopt(session_t *self, identity_t *identity);

/* Why its credential counts no more: it has ended, more than the grace ago, auth has an objection,
 * or it was renewed with other rights than the subscriptions began under. NULL: it counts. */
const char *session_is_over(session_t *self);

/* Credentials may have lost their worth: ends the subscriptions that began under one which has, and
 * is not the connection's. It may end the connection. */
void session_recheck(session_t *self);

/* The same for credentials that ended with time, and whose grace is over. */
void session_end_expired(session_t *self);

/* The operation of that id, or NULL. */
stream_t *session_find(session_t *self, const char *id, size_t id_size);

/* Starts an operation; id is not in use. A refused one says so by dialect->send_error. request:
 * {query, …} as valid JSON text; borrowed. identity: under which it runs (the session's, or one of
 * its own). resume: a cursor or an empty slice. */
void session_start(session_t *self,
                   const char *id,
                   size_t id_size,
                   json_slice_t request,
                   identity_t *identity,
                   json_slice_t resume);

/* The same with an operation that is prepared already (a subscription). Takes *operation_p. */
void session_start_prepared(session_t *self,
                            const char *id,
                            size_t id_size,
                            operation_t **operation_p,
                            json_slice_t resume);

/* Ends one operation silently. */
void session_stop(stream_t *stream);
/* Ends all. */
void session_stop_all(session_t *self);

/* Takes events for the connection: each is given to put, until out holds limit bytes or there are
 * no more. */
typedef void (*session_put_fn)(buffer_t *out, const stream_t *stream, const feed_item_t *item);
size_t session_pull(session_t *self, session_put_fn put, buffer_t *out, size_t limit);

/* What a session took last, if it was its only subscription's: others may be about to take the same
 * bytes. */
typedef struct {
    feed_span_t span;
    const dialect_t *dialect;
    size_t prefix_size;
    char prefix[SESSION_SHARED_PREFIX_MAX];
} session_take_t;

static inline void session_take_forget(session_take_t *take)
{
    take->span.group = NULL;
}

/* The same, and says in take what it was. */
size_t session_take(
    session_t *self, session_put_fn put, buffer_t *out, size_t limit, session_take_t *take);
/* Takes without giving it to put, if it is the same; the number of events, 0 if it is not. */
size_t session_repeat(session_t *self, const session_take_t *take);

/* An error of one operation, on its own id. */
void session_refuse(
    session_t *self, const char *id, size_t id_size, err_code_t code, const char *message);

#endif
