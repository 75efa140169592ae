#include "gateway/http/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/mhd_loop.h"
#include "common/net.h"
#include "common/sanitized.h"
#include "gateway/http/acceptor.h"
#include "gateway/http/exchange.h"
#include "gateway/http/graphql_error.h"
#include "gateway/http/peers.h"
#include "gateway/http/server_private.h"

enum {
    SNDBUF_BYTES = 64 * 1024,
    CONNECTION_MEMORY = 16 * 1024, /* for heads; libmicrohttpd clears it twice at each request */
    EXCHANGE_MEMORY = 256 * 1024,
    SWEEP_MS = 1000,
    DROPPED_MAX = 8 * 1024 * 1024, /* of a body that is too large, read to be able to answer */
    STATUS_SERIES = 600,
    SPARE_BODY = 16 * 1024, /* bytes of a body's buffer that are kept with it */
    LAST_RUNS = 4,          /* of libmicrohttpd, to send the last answers */
};

#ifdef HAS_SANITIZER
static const size_t SPARE_MAX = 0; /* so that use after free is seen */
#else
static const size_t SPARE_MAX = 128;
#endif

struct http_server {
    http_options_t options;
    struct MHD_Daemon *daemon;
    mhd_loop_t *mhd;
    acceptor_t *acceptor;
    loop_timer_t *sweep;
    peers_t peers;
    list_t exchanges; /* exchange_t, oldest first */
    list_t spare;     /* exchange_t to be used again: their memory is warm */
    size_t spare_count;
    size_t busy;
    bool draining;
    bool ending;
    char id_prefix[9]; /* of request ids */
    uint32_t id_counter;
    metric_t *refused;
    metric_t *responses[STATUS_SERIES];
};

bool server_is_draining(const http_server_t *self)
{
    return self->draining;
}

void server_kick(http_server_t *self)
{
    mhd_loop_kick(self->mhd);
}

void server_count_response(http_server_t *self, unsigned status)
{
    if (status >= STATUS_SERIES)
        return;
    if (!self->responses[status]) {
        char labels[32];
        snprintf(labels, sizeof labels, "status=\"%u\"", status);
        self->responses[status] = metrics_counter("parley_http_responses_total",
                                                  "HTTP responses by status code.", labels);
    }
    metric_inc(self->responses[status]);
}

/* ---- exchanges ---- */

static bool s_id_is_sane(const char *id)
{
    size_t size = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");
    return size > 0 && size <= REQUEST_ID_MAX && !id[size];
}

/* An empty exchange, used before or new. */
static exchange_t *s_take_exchange(http_server_t *self)
{
    list_node_t *node = list_first(&self->spare);
    if (node) {
        list_remove(node);
        self->spare_count--;
        return LIST_ITEM(node, exchange_t, node);
    }
    exchange_t *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        abort();
    exchange->arena = arena_new(EXCHANGE_MEMORY);
    exchange->body = (buffer_t)BUFFER_INIT(self->options.max_body_bytes);
    list_init(&exchange->node);
    return exchange;
}

static void s_free_exchange(exchange_t *exchange)
{
    buffer_free(&exchange->body);
    arena_destroy(&exchange->arena);
    free(exchange);
}

/* Empties it, and keeps it if there are not many. */
static void s_give_exchange(http_server_t *self, exchange_t *exchange)
{
    if (self->spare_count >= SPARE_MAX) {
        s_free_exchange(exchange);
        return;
    }
    arena_t *arena = exchange->arena;
    buffer_t body = exchange->body;
    arena_reset(arena);
    buffer_clear(&body);
    if (body.capacity > SPARE_BODY)
        buffer_free(&body);
    *exchange = (exchange_t){.arena = arena, .body = body};
    list_init(&exchange->node);
    list_append(&self->spare, &exchange->node);
    self->spare_count++;
}

/* The first thing known of a request: its target, still as it was sent. */
static void *s_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    http_server_t *self = cls;
    exchange_t *exchange = s_take_exchange(self);
    exchange->server = self;
    exchange->options = &self->options;
    exchange->connection = connection;
    exchange->started_us = clock_mono_us();
    exchange->raw_target = arena_memdup(exchange->arena, uri, strlen(uri));
    list_append(&self->exchanges, &exchange->node);
    self->busy++;
    peers_on_request(connection);
    return exchange;
}

static void s_leave_slow_lane(exchange_t *exchange)
{
    if (exchange->waits)
        slow_lane_remove(runner_slow_lane(exchange->options->runner), &exchange->slow);
    exchange->waits = false;
}

static void s_on_completed(void *cls,
                           struct MHD_Connection *connection,
                           void **con_cls,
                           enum MHD_RequestTerminationCode code)
{
    http_server_t *self = cls;
    exchange_t *exchange = *con_cls;
    (void)connection;
    (void)code;
    if (!exchange)
        return;
    *con_cls = NULL;
    list_remove(&exchange->node);
    self->busy--;
    s_leave_slow_lane(exchange);
    operation_cancel(&exchange->operation);
    service_call_cancel(&exchange->call);
    graphql_request_clear(&exchange->request);
    identity_unref(&exchange->identity);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    s_give_exchange(self, exchange);
}

/* The next id of our own: the process's prefix and a counter. */
static void s_make_id(http_server_t *self, char *out)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t number = self->id_counter++;
    memcpy(out, self->id_prefix, 8);
    for (unsigned i = 0; i < 8; i++)
        out[8 + i] = digits[number >> (28 - 4 * i) & 15];
    out[16] = '\0';
}

static void s_name(exchange_t *exchange)
{
    const char *id = exchange->headers[HEADER_X_REQUEST_ID];
    if (id && s_id_is_sane(id))
        strcpy(exchange->request_id, id);
    else
        s_make_id(exchange->server, exchange->request_id);
    peers_name_client(exchange);
}

/* ---- routing ---- */

static bool s_is_graphql(const exchange_t *exchange)
{
    return !strcmp(exchange->target.path, "/graphql");
}

static void s_route(exchange_t *exchange)
{
    if (endpoint_is_websocket(exchange))
        endpoint_websocket(exchange);
    else if (s_is_graphql(exchange))
        endpoint_graphql(exchange);
    else if (!endpoint_probe(exchange) && !endpoint_service(exchange) && !endpoint_static(exchange))
        exchange_reply_error(exchange, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND, "there is nothing here");
}

/* ---- libmicrohttpd's calls ---- */

static enum MHD_Result s_queue(exchange_t *exchange)
{
    exchange->state = EXCHANGE_ANSWERED;
    if (exchange->detached || !exchange->response)
        return MHD_NO;
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

/* The head is there. Only what makes the body useless is answered here: libmicrohttpd closes the
 * connection after an answer at this point. */
static enum MHD_Result s_on_head(exchange_t *exchange, const char *method)
{
    err_t err = ERR_INIT;
    exchange->method = method;
    exchange->state = EXCHANGE_BODY;
    exchange_keep_headers(exchange);
    s_name(exchange);
    exchange->cors = true;
    if (!exchange->raw_target ||
        http_target_parse(exchange->arena, exchange->raw_target, &exchange->target, &err)) {
        bool is_long = err.code == ERR_LIMIT_EXCEEDED;
        exchange_reply_error(exchange, is_long ? MHD_HTTP_URI_TOO_LONG : MHD_HTTP_BAD_REQUEST,
                             is_long ? err.code : ERR_BAD_USER_INPUT, err.text);
        return s_queue(exchange);
    }
    exchange->accept = http_negotiate(exchange->headers[HEADER_ACCEPT]);
    if (peers_are_crowded(exchange->connection)) {
        exchange_reply_crowded(exchange);
        return s_queue(exchange);
    }
    const char *length = exchange->headers[HEADER_CONTENT_LENGTH];
    unsigned long long size = length ? strtoull(length, NULL, 10) : 0;
    if (size <= exchange->options->max_body_bytes)
        return MHD_YES;
    exchange->too_large = true;
    if (size <= DROPPED_MAX && !exchange_header(exchange, "Expect"))
        return MHD_YES;
    exchange_reply_too_large(exchange, size);
    return s_queue(exchange);
}

static enum MHD_Result s_on_body(exchange_t *exchange, const char *data, size_t *size)
{
    if (!exchange->too_large && exchange->body.size + *size > exchange->body.limit) {
        exchange->too_large = true;
        exchange->dropped = exchange->body.size;
        buffer_free(&exchange->body);
    }
    if (exchange->too_large) {
        exchange->dropped += *size;
        if (exchange->dropped > DROPPED_MAX)
            exchange_cut_too_large(exchange);
    } else {
        buffer_put(&exchange->body, data, *size);
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result s_on_whole(exchange_t *exchange)
{
    if (exchange->raw_sent)
        return MHD_NO;
    exchange->state = EXCHANGE_HANDLED;
    if (exchange->too_large)
        exchange_reply_too_large(exchange, exchange->dropped);
    else if (exchange_decode_body(exchange))
        s_route(exchange);
    if (exchange->response || exchange->detached)
        return s_queue(exchange);
    if (!exchange->operation && !exchange->call && !exchange->waits)
        return MHD_NO; /* no memory for a response */
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result s_on_access(void *cls,
                                   struct MHD_Connection *connection,
                                   const char *url,
                                   const char *method,
                                   const char *version,
                                   const char *upload_data,
                                   size_t *upload_data_size,
                                   void **con_cls)
{
    exchange_t *exchange = *con_cls;
    http_server_t *self = cls;
    (void)connection;
    (void)url;
    (void)version;
    if (self->ending && exchange->state <= EXCHANGE_BODY)
        return MHD_NO; /* what is suspended from now on would be so when the daemon stops */
    switch (exchange->state) {
    case EXCHANGE_HEAD:
        return s_on_head(exchange, method);
    case EXCHANGE_BODY:
        return *upload_data_size ? s_on_body(exchange, upload_data, upload_data_size)
                                 : s_on_whole(exchange);
    case EXCHANGE_HANDLED:
        return s_queue(exchange);
    case EXCHANGE_ANSWERED:
        break;
    }
    *upload_data_size = 0;
    return MHD_YES;
}

static enum MHD_Result
s_on_accept(void *cls, const struct sockaddr *address, socklen_t address_size)
{
    http_server_t *self = cls;
    (void)address;
    (void)address_size;
    size_t connections = self->peers.count;
    if (self->options.hooks && self->options.hooks->count)
        connections += self->options.hooks->count(self->options.hooks_arg);
    if (connections < self->options.max_connections)
        return MHD_YES;
    if (!metric_value(self->refused))
        log_warn("connections are refused: the limit is reached",
                 log_int("limit", (int64_t)self->options.max_connections), LOG_END);
    metric_inc(self->refused);
    return MHD_NO;
}

/* ---- time ---- */

/* Closes connections whose head or body does not come to an end. */
static void s_on_sweep(void *arg)
{
    http_server_t *self = arg;
    int64_t limit_us = clock_mono_us() - (int64_t)self->options.request_timeout_ms * 1000;
    peers_close_silent(&self->peers, limit_us, clock_mono_us() - SWEEP_MS * 1000);
    for (list_node_t *node = self->exchanges.next; node != &self->exchanges; node = node->next) {
        exchange_t *exchange = LIST_ITEM(node, exchange_t, node);
        if (exchange->started_us > limit_us)
            break;
        if (exchange->state <= EXCHANGE_BODY && !exchange->raw_sent)
            exchange_cut_late(exchange);
    }
}

/* ---- the server ---- */

static struct MHD_Daemon *s_start(http_server_t *self)
{
    const http_options_t *options = &self->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    unsigned limit = (unsigned)(options->max_connections + 16); /* ours comes first */
    return MHD_start_daemon(
        flags, 0, s_on_accept, self, s_on_access, self, MHD_OPTION_URI_LOG_CALLBACK,
        s_on_request_line, self, MHD_OPTION_NOTIFY_COMPLETED, s_on_completed, self,
        MHD_OPTION_NOTIFY_CONNECTION, peers_on_connection, &self->peers,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

http_server_t *http_server_new(const http_options_t *options, err_t *err)
{
    http_server_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    peers_init(&self->peers, &self->options);
    list_init(&self->exchanges);
    list_init(&self->spare);
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)clock_mono_us();
    snprintf(self->id_prefix, sizeof self->id_prefix, "%08x", random);
    self->refused = metrics_counter("parley_connections_refused_total",
                                    "Connections refused because of a limit.", "by=\"total\"");
    int fd = net_listen(options->listen, options->share_port, SNDBUF_BYTES, err);
    if (fd < 0) {
        free(self);
        return NULL;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what it accepts inherits that */
    self->daemon = s_start(self);
    if (!self->daemon) {
        err_set_errno(err, errno, "starting the HTTP server");
        close(fd);
        free(self);
        return NULL;
    }
    self->mhd = mhd_loop_new(options->loop, self->daemon);
    self->acceptor = acceptor_new(options->loop, fd, self->daemon, self->mhd);
    self->sweep = loop_timer_new(options->loop, s_on_sweep, self);
    loop_timer_start(self->sweep, SWEEP_MS, SWEEP_MS);
    return self;
}

unsigned http_server_port(const http_server_t *self)
{
    return acceptor_port(self->acceptor);
}

void http_server_drain(http_server_t *self)
{
    if (self->draining)
        return;
    self->draining = true;
    acceptor_close(self->acceptor); /* who is in the queue already gets in */
}

size_t http_server_busy(const http_server_t *self)
{
    return self->busy;
}

/* What still waits for a service is told that nobody knows how it went; in the slow lane nothing
 * was begun. */
static void s_give_up(exchange_t *exchange)
{
    const char *extensions =
        exchange->waits ? "{\"outcome\":\"none\"}" : "{\"outcome\":\"unknown\"}";
    buffer_t body = BUFFER_INIT(4096);
    s_leave_slow_lane(exchange);
    operation_cancel(&exchange->operation);
    service_call_cancel(&exchange->call);
    graphql_error_write(&body, err_code_name(ERR_UNAVAILABLE), "the gateway is going away",
                        (json_slice_t){.data = extensions, .size = strlen(extensions)});
    exchange_reply(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, http_media_name(HTTP_MEDIA_JSON),
                   (json_slice_t){.data = body.data, .size = body.size});
    buffer_free(&body);
}

void http_server_destroy(http_server_t **self_p)
{
    http_server_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    self->ending = true;
    for (list_node_t *node = self->exchanges.next, *next; node != &self->exchanges; node = next) {
        exchange_t *exchange = LIST_ITEM(node, exchange_t, node);
        next = node->next;
        if (exchange->suspended)
            s_give_up(exchange);
    }
    for (int i = 0; i < LAST_RUNS; i++)
        MHD_run(self->daemon);
    loop_timer_destroy(&self->sweep);
    acceptor_destroy(&self->acceptor);
    mhd_loop_destroy(&self->mhd);
    MHD_stop_daemon(self->daemon);
    while (!list_is_empty(&self->spare)) {
        exchange_t *exchange = LIST_ITEM(list_first(&self->spare), exchange_t, node);
        list_remove(&exchange->node);
        s_free_exchange(exchange);
    }
    free(self);
}
