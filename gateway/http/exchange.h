/* gateway/http/exchange.h: one HTTP request and its answer. Made when the request line has come,
 * freed by the server when libmicrohttpd is done with it; endpoints get it with the whole body and
 * answer it now or later. Private to gateway/http. */
#ifndef PARLEY_GATEWAY_HTTP_EXCHANGE_H
#define PARLEY_GATEWAY_HTTP_EXCHANGE_H

#include <microhttpd.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/list.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/server.h"
#include "gateway/http/target.h"

typedef enum {
    EXCHANGE_HEAD,     /* the request line came */
    EXCHANGE_BODY,     /* the body comes */
    EXCHANGE_HANDLED,  /* an endpoint has it; suspended while it waits */
    EXCHANGE_ANSWERED, /* the response is queued, or the connection has left or is cut */
} exchange_state_t;

/* Headers that are asked for at most requests: found once, and not by a search for each. In the
 * order of the lengths of their names. */
typedef enum {
    HEADER_ACCEPT,
    HEADER_ORIGIN,
    HEADER_UPGRADE,
    HEADER_X_API_KEY,
    HEADER_CONNECTION,
    HEADER_TRACEPARENT,
    HEADER_CONTENT_TYPE,
    HEADER_X_REQUEST_ID,
    HEADER_AUTHORIZATION,
    HEADER_LAST_EVENT_ID,
    HEADER_CONTENT_LENGTH,
    HEADER_X_FORWARDED_FOR,
    HEADER_CONTENT_ENCODING,
    HEADER_SEC_WEBSOCKET_KEY,
    HEADER_SEC_WEBSOCKET_VERSION,
    HEADER_SEC_WEBSOCKET_PROTOCOL,
    HEADERS_KEPT,
} header_t;

typedef struct exchange exchange_t;
struct exchange {
    list_node_t node; /* in the server's list, oldest first */
    http_server_t *server;
    const http_options_t *options; /* of the server */
    struct MHD_Connection *connection;
    arena_t *arena;
    exchange_state_t state;
    int64_t started_us;
    const char *raw_target;
    const char *method;                /* borrowed from MHD while the request lives */
    const char *headers[HEADERS_KEPT]; /* as method; NULL if absent */
    http_target_t target;
    const char *protocol; /* of a WebSocket, chosen; or NULL */
    bool cors;            /* pages of other origins may read the answer */
    bool suspended;       /* in MHD */
    bool detached;        /* the connection's descriptor was handed on */
    bool too_large;       /* the body is read and dropped, to be answered with 413 */
    size_t dropped;       /* bytes of it */
    bool raw_sent;        /* an answer was written past MHD: only closing is left */
    buffer_t body;
    http_accept_t accept;
    identity_t *identity;      /* or NULL */
    operation_t *operation;    /* under way, or NULL */
    service_call_t *call;      /* under way, or NULL */
    graphql_request_t request; /* what is asked for; while that is found out or waits */
    slow_job_t slow;           /* of it */
    bool waits;                /* in the slow lane */
    struct MHD_Response *response;
    unsigned status;
    char request_id[REQUEST_ID_MAX + 1];
    char client[CLIENT_ADDRESS_SIZE];
    uint64_t client_key;     /* of it, for rate limits */
    rate_connection_t *rate; /* of the connection, or NULL: it is a proxy's */
    token_memo_t *memo;      /* of the connection, or NULL */
};

/* Finds the headers that are kept; of several with one name the first counts. Those of
 * X-Forwarded-For are one list (a proxy may add a line of its own behind what the client made up),
 * and so are those of Connection and Sec-WebSocket-Protocol. */
void exchange_keep_headers(exchange_t *self);
/* A request header of any name, or NULL. */
const char *exchange_header(const exchange_t *self, const char *name);
/* W3C Trace Context, to be passed on; NULL if it is absent or none. */
const char *exchange_traceparent(const exchange_t *self);
bool exchange_is(const exchange_t *self, const char *method);

/* Undoes the body's Content-Encoding. False after answering why it cannot. */
bool exchange_decode_body(exchange_t *self);

/* A response with the headers that all have; the endpoint may add more, then calls exchange_send.
 * The body is copied once, unless it lives for ever. */
struct MHD_Response *exchange_respond(exchange_t *self,
                                      unsigned status,
                                      const char *content_type,
                                      const void *body,
                                      size_t size,
                                      bool lives_for_ever);
void exchange_send(exchange_t *self);
/* If it was put off: libmicrohttpd looks at it again, which finds it answered or detached. */
void exchange_resume(exchange_t *self);

/* Both at once, for JSON and text that must not be kept by caches. */
void exchange_reply(exchange_t *self, unsigned status, const char *content_type, json_slice_t body);
/* An error as a GraphQL response, in the media type that the client takes. UNAVAILABLE and TIMEOUT
 * say that nothing was executed. */
void exchange_reply_error(exchange_t *self, unsigned status, err_code_t code, const char *message);
/* The same for what a service answered: it says itself what was executed. */
void exchange_reply_failure(exchange_t *self,
                            unsigned status,
                            err_code_t code,
                            const char *message,
                            json_slice_t extensions);
/* 413: the body is larger than the limit. size: of the body, as far as it is known. */
void exchange_reply_too_large(exchange_t *self, unsigned long long size);
/* 429 with Retry-After. */
void exchange_reply_later(exchange_t *self,
                          const char *content_type,
                          json_slice_t body,
                          int64_t retry_after_ms);
/* The same for too many operations. */
void exchange_reply_rate_limited(exchange_t *self, int64_t retry_after_ms);
/* Takes one operation of what the client may start; false after answering that it may not now. */
bool exchange_take_operation(exchange_t *self);
/* May the client have one more connection that stays? False after answering that it may not. */
bool exchange_may_stay(exchange_t *self);
/* 429: its address has too many connections. */
void exchange_reply_crowded(exchange_t *self);
/* Answers for a credential that does not count (code of credential_check), which costs the client
 * more than an operation. */
void exchange_refuse_credential(exchange_t *self, const err_t *err);
/* 405 with Allow. */
void exchange_reply_method(exchange_t *self, const char *allow);
/* 413 and 408 in the middle of a body that is not to be read to its end: the connection ends. */
void exchange_cut_too_large(exchange_t *self);
void exchange_cut_late(exchange_t *self);
/* An OPTIONS request: CORS preflight (Fetch 3.2.2) or a question for the methods. */
void exchange_reply_options(exchange_t *self, const char *allow);

/* ---- endpoints; each answers every request that it is given ---- */
void endpoint_graphql(exchange_t *self);
/* A WebSocket handshake on one of its paths. */
bool endpoint_is_websocket(const exchange_t *self);
void endpoint_websocket(exchange_t *self);
/* False if there is no such file. */
bool endpoint_static(exchange_t *self);
/* False if no service has that path. */
bool endpoint_service(exchange_t *self);
/* False if it is none of the probes' paths. */
bool endpoint_probe(exchange_t *self);

#endif
