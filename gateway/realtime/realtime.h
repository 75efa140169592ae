/* gateway/realtime/realtime.h: WebSockets and event streams of the gateway, as the layer above
 * HTTP. It owns the connections that left HTTP, and what they share: buffers, one timer, counters.
 * Loop thread only. */
#ifndef PARLEY_GATEWAY_REALTIME_REALTIME_H
#define PARLEY_GATEWAY_REALTIME_REALTIME_H

#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"
#include "gateway/auth/auth.h"
#include "gateway/feed/feed.h"
#include "gateway/http/operation.h"
#include "gateway/http/server.h"
#include "gateway/realtime/sender.h"

typedef struct realtime realtime_t;

typedef struct {
    loop_t *loop;
    runner_t *runner;
    auth_t *auth;
    feed_t *feed;
    rate_limits_t *rates;             /* NULL: no limits */
    connection_limits_t *connections; /* of each client; NULL: no limit */
    size_t max_message_bytes;         /* 1 MiB */
    size_t max_waiting_bytes;   /* for one connection, before it is closed as too slow; 20 MiB */
    uint32_t max_operations;    /* of one connection at a time; 200 */
    uint32_t max_connections;   /* 0: no limit */
    uint32_t init_timeout_s;    /* 10 */
    uint32_t ping_interval_s;   /* 25 */
    uint32_t stalled_timeout_s; /* 300: a reader that takes nothing so long is closed */
    sender_mode_t sender_mode;  /* SENDER_AUTO */
} realtime_options_t;

/* NULL with ERR_CONFIG if the sender cannot be had in that mode. */
realtime_t *realtime_new(const realtime_options_t *options, err_t *err);
/* Cuts what is still open. */
void realtime_destroy(realtime_t **self_p);

/* What the HTTP server is to be given, with the realtime_t as argument. */
extern const http_hooks_t REALTIME_HOOKS;

/* Closes all WebSockets with 1001 and ends event streams, spread over spread_ms. */
void realtime_drain(realtime_t *self, uint32_t spread_ms);
size_t realtime_count(const realtime_t *self);

/* Credentials may have lost their worth (auth_generation grew): ends what runs under such a one. */
void realtime_recheck(realtime_t *self);

#endif
