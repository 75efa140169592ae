/* gateway/http/server.h: the gateway's HTTP server: libmicrohttpd in the loop. It answers GraphQL
 * over HTTP, static files, probes and the services' own routes. Connections that become WebSockets
 * or event streams leave it, by way of hooks, for the layer above. Loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_SERVER_H
#define PARLEY_GATEWAY_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/admin.h"
#include "common/err.h"
#include "common/loop.h"
#include "gateway/auth/auth.h"
#include "gateway/bus/services.h"
#include "gateway/http/client_address.h"
#include "gateway/http/connection_limits.h"
#include "gateway/http/operation.h"
#include "gateway/http/origins.h"
#include "gateway/http/rate_limits.h"
#include "gateway/http/status.h"
#include "gateway/web/assets.h"

typedef struct http_server http_server_t;

/* What a handshake says. Borrowed for the call; absent headers are NULL. */
typedef struct {
    const char *path;          /* "/graphql" or "/graphql/realtime" */
    const char *protocols;     /* Sec-WebSocket-Protocol */
    const char *authorization; /* a header that browsers cannot set, but others can */
    const char *api_key;
    const char *header_param; /* the query parameter `header` (AppSync), as sent */
    const char *request_id;
    const char *traceparent;
    const char *client;  /* address */
    uint64_t client_key; /* of it, for rate limits */
    json_slice_t answer; /* what the connection is to say first; empty if that is said already */
} http_handshake_t;

typedef struct {
    const char *last_event_id; /* or NULL */
    const char *origin;        /* to name in the response head (CORS), or NULL */
    const char *request_id;
    const char *client;
    uint64_t client_key;
    identity_t *identity; /* or NULL */
} http_event_stream_t;

/* All optional: without one its kind of connection is refused. */
typedef struct {
    /* Which of the client's sub-protocols is spoken; NULL: none of them (the handshake succeeds all
     * the same, so that a browser gets to see a close code). */
    const char *(*websocket_choose)(void *arg, const http_handshake_t *handshake);
    /* A WebSocket is open. Takes fd (close-on-exec); extra are bytes that the client
     * sent early. */
    void (*websocket_open)(void *arg,
                           int fd,
                           const http_handshake_t *handshake,
                           const char *chosen,
                           const void *extra,
                           size_t extra_size);
    /* A subscription that wants text/event-stream: takes fd, on which nothing was answered yet, and
     * the operation. */
    void (*event_stream_open)(void *arg,
                              int fd,
                              operation_t **operation_p,
                              const http_event_stream_t *stream);
    /* Connections that left and are still open: they count for the limit. */
    size_t (*count)(void *arg);
} http_hooks_t;

typedef struct {
    loop_t *loop;
    runner_t *runner;
    auth_t *auth;
    services_t *services;
    const origins_t *origins;
    const trusted_proxies_t *trusted_proxies;
    rate_limits_t *rates;             /* NULL: no limits */
    connection_limits_t *connections; /* of each client; NULL: no limit */
    const char *listen;               /* "0.0.0.0:8080" */
    bool share_port;
    size_t max_connections; /* beyond that they are closed at once, and counted */
    size_t max_body_bytes;  /* as sent, and again inflated */
    http_status_draft_t status_draft;
    unsigned request_timeout_ms; /* for a whole head or body to come */
    unsigned idle_timeout_s;     /* of a kept-alive connection */
    int64_t call_timeout_ms;     /* for routes of services */
    admin_ready_fn ready;
    void *ready_arg;
    const web_asset_t *(*find_asset)(const char *path);
    const http_hooks_t *hooks;
    void *hooks_arg;
} http_options_t;

/* Listens. NULL and ERR_SYSTEM or ERR_CONFIG with the address named. Options are copied, what they
 * point to is borrowed. */
http_server_t *http_server_new(const http_options_t *options, err_t *err);

/* The port that it listens on, which the system chose if the address said 0. */
unsigned http_server_port(const http_server_t *self);

/* Stops accepting; what runs is finished, connections are closed after their answer. */
void http_server_drain(http_server_t *self);
/* Requests that are not answered yet. */
size_t http_server_busy(const http_server_t *self);
/* Ends what still runs. */
void http_server_destroy(http_server_t **self_p);

#endif
