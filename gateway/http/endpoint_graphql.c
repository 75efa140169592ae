#include <fcntl.h>
#include <string.h>

#include "gateway/http/credential.h"
#include "gateway/http/event_data.h"
#include "gateway/http/exchange.h"
#include "gateway/http/graphql_error.h"
#include "gateway/http/status.h"

/* GraphQL over HTTP, on /graphql. */

enum {
    LARGE_BODY = 64 * 1024, /* bytes that take a while to read */
    CROWDED_MS = 1000,      /* when to come again if too many wait */
    ERROR_MAX = 4096,
};

static const char allow[] = "GET, POST, OPTIONS";

/* One result as an event stream: graphql-sse, distinct connections mode. */
static void s_reply_events(exchange_t *self, json_slice_t response)
{
    buffer_t body = BUFFER_INIT(response.size + 100);
    buffer_put_str(&body, "event: next\ndata: ");
    event_data_put(&body, response.data, response.size);
    buffer_put_str(&body, "\n\nevent: complete\ndata: \n\n");
    exchange_reply(self, MHD_HTTP_OK, http_media_name(HTTP_MEDIA_EVENT_STREAM),
                   (json_slice_t){.data = body.data, .size = body.size});
    buffer_free(&body);
}

static void s_reply(exchange_t *self, operation_verdict_t verdict, bool ok, json_slice_t response)
{
    http_status_draft_t draft = self->options->status_draft;
    http_media_t media = self->accept.media;
    unsigned status =
        http_status_of(draft, media, verdict, ok ? ERR_OK : graphql_error_code(response));
    int64_t wait_ms = ok || media == HTTP_MEDIA_EVENT_STREAM ? 0 : rate_limits_read(response);
    if (wait_ms)
        exchange_reply_later(
            self, http_media_name(http_status_media(draft, media, MHD_HTTP_TOO_MANY_REQUESTS)),
            response, wait_ms);
    else if (media == HTTP_MEDIA_EVENT_STREAM && verdict == OPERATION_DONE)
        s_reply_events(self, response);
    else
        exchange_reply(self, status, http_media_name(http_status_media(draft, media, status)),
                       response);
}

static void s_on_done(void *arg, const operation_result_t *result)
{
    exchange_t *self = arg;
    self->operation = NULL;
    s_reply(self, result->verdict, result->ok, result->response);
}

/* The connection leaves libmicrohttpd: a stream of events lives long, and would cost each other
 * request there. */
static void s_open_event_stream(exchange_t *self)
{
    const http_options_t *options = self->options;
    if (!exchange_may_stay(self)) {
        operation_cancel(&self->operation);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(self->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0) {
        operation_cancel(&self->operation);
        exchange_reply_error(self, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_UNAVAILABLE,
                             "no more connections can be served");
        return;
    }
    const char *origin = self->headers[HEADER_ORIGIN];
    http_event_stream_t stream = {
        .last_event_id = self->headers[HEADER_LAST_EVENT_ID],
        .request_id = self->request_id,
        .client = self->client,
        .client_key = self->client_key,
        .identity = self->identity,
    };
    if (origin && origins_allow(options->origins, origin))
        stream.origin = origins_allow_all(options->origins) ? "*" : origin;
    self->detached = true;
    options->hooks->event_stream_open(options->hooks_arg, fd, &self->operation, &stream);
    exchange_resume(self);
}

static void s_run(exchange_t *self)
{
    gql_operation_kind_t kind = operation_kind(self->operation);
    const char *last = self->headers[HEADER_LAST_EVENT_ID];
    bool get = !exchange_is(self, "POST");
    if (kind == GQL_SUBSCRIPTION && last && !utf8_is_valid(last, strlen(last))) {
        operation_cancel(&self->operation);
        exchange_reply_error(self, MHD_HTTP_BAD_REQUEST, ERR_BAD_USER_INPUT,
                             "Last-Event-ID is not valid UTF-8");
    } else if (kind == GQL_SUBSCRIPTION && self->accept.event_stream && self->options->hooks &&
               self->options->hooks->event_stream_open) {
        s_open_event_stream(self);
    } else if (kind == GQL_SUBSCRIPTION) {
        operation_cancel(&self->operation);
        exchange_reply_error(self, MHD_HTTP_NOT_ACCEPTABLE, ERR_BAD_USER_INPUT,
                             "a subscription needs a WebSocket or Accept: text/event-stream");
    } else if (kind == GQL_MUTATION && get) {
        operation_cancel(&self->operation);
        exchange_reply_method(self, "POST");
    } else {
        operation_run(self->operation, s_on_done, self);
    }
}

static void s_prepare(exchange_t *self, bool may_wait);

static operation_caller_t s_caller(const exchange_t *self, bool may_wait)
{
    return (operation_caller_t){
        .front = "http",
        .identity = self->identity,
        .request_id = self->request_id,
        .traceparent = exchange_traceparent(self),
        .client = self->client,
        .may_wait = may_wait,
        .since_us = may_wait ? 0 : self->slow.since_us,
    };
}

/* In the slow lane it is this client's turn. False after answering that it comes too late. */
static bool s_has_time(exchange_t *self)
{
    operation_caller_t caller = s_caller(self, false);
    buffer_t response = BUFFER_INIT(ERROR_MAX);
    self->waits = false;
    bool is_late = operation_is_late(self->options->runner, &caller, &response);
    if (is_late)
        s_reply(self, OPERATION_UNAVAILABLE, false,
                (json_slice_t){.data = response.data, .size = response.size});
    buffer_free(&response);
    return !is_late;
}

static void s_prepare_slowly(void *arg)
{
    exchange_t *self = arg;
    err_t err = ERR_INIT;
    if (!s_has_time(self))
        return;
    const char *objection =
        self->identity ? auth_objection(self->options->auth, self->identity) : NULL;
    if (objection) { /* since it was checked */
        err_set(&err, ERR_UNAUTHENTICATED, "%s", objection);
        exchange_refuse_credential(self, &err);
    } else {
        s_prepare(self, false);
    }
}

static void s_wait(exchange_t *self, void (*fn)(void *arg))
{
    self->waits = slow_lane_add(runner_slow_lane(self->options->runner), &self->slow,
                                self->client_key, 0, fn, self); /* it has its body anyway */
    if (!self->waits)
        exchange_reply_rate_limited(self, CROWDED_MS);
}

static void s_prepare(exchange_t *self, bool may_wait)
{
    operation_caller_t caller = s_caller(self, may_wait);
    buffer_t response = BUFFER_INIT(1024 * 1024);
    operation_verdict_t verdict;
    self->operation =
        operation_prepare(self->options->runner, &self->request, &caller, &verdict, &response);
    if (self->operation)
        s_run(self);
    else if (verdict == OPERATION_LATER)
        s_wait(self, s_prepare_slowly);
    else
        s_reply(self, verdict, false, (json_slice_t){.data = response.data, .size = response.size});
    buffer_free(&response);
}

/* The request out of body or query; false after answering why not. */
static bool s_read(exchange_t *self)
{
    graphql_request_t *request = &self->request;
    err_t err = ERR_INIT;
    if (!exchange_is(self, "POST")) {
        graphql_request_from_target(request, self->arena, &self->target, &err);
    } else {
        switch (http_content_is_json(self->headers[HEADER_CONTENT_TYPE])) {
        case HTTP_CONTENT_OK:
            break;
        case HTTP_CONTENT_MISSING:
        case HTTP_CONTENT_TYPE_UNKNOWN:
        case HTTP_CONTENT_CHARSET_UNKNOWN:
            exchange_reply_error(self, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, ERR_BAD_USER_INPUT,
                                 "Content-Type must be application/json in UTF-8");
            return false;
        }
        graphql_request_parse(request, self->arena, self->body.data, self->body.size, &err);
    }
    if (!err.code)
        return true;
    bool is_json = !exchange_is(self, "POST") ||
                   json_validate(self->body.data, self->body.size, GRAPHQL_REQUEST_DEPTH_MAX, NULL);
    exchange_reply_error(self, http_status_of_malformed(self->options->status_draft, is_json),
                         err.code, err.text);
    return false;
}

/* GraphiQL, for people: where text/html is what the client wants and no query is given. */
static bool s_show_page(exchange_t *self)
{
    if (self->accept.media != HTTP_MEDIA_HTML || exchange_is(self, "POST"))
        return false;
    self->target.path = "/graphiql";
    self->cors = false;
    return endpoint_static(self);
}

/* Who asks, and for what. */
static void s_handle(exchange_t *self, bool may_wait)
{
    if (!s_read(self))
        return;
    err_t err = ERR_INIT;
    err_code_t code =
        credential_check(self->options->auth, self->memo, self->headers[HEADER_AUTHORIZATION],
                         self->headers[HEADER_X_API_KEY], &self->identity, &err);
    int64_t wait_ms = code ? 0 : rate_limits_take_handle(self->options->rates, self->identity);
    if (code)
        exchange_refuse_credential(self, &err);
    else if (wait_ms)
        exchange_reply_rate_limited(self, wait_ms);
    else
        s_prepare(self, may_wait);
}

static void s_handle_slowly(void *arg)
{
    exchange_t *self = arg;
    if (s_has_time(self))
        s_handle(self, false);
}

void endpoint_graphql(exchange_t *self)
{
    if (exchange_is(self, "OPTIONS")) {
        exchange_reply_options(self, allow);
        return;
    }
    if (!exchange_is(self, "POST") && !exchange_is(self, "GET") && !exchange_is(self, "HEAD")) {
        exchange_reply_method(self, allow);
        return;
    }
    if (s_show_page(self))
        return;
    if (self->accept.media == HTTP_MEDIA_NONE || self->accept.media == HTTP_MEDIA_HTML) {
        exchange_reply_error(self, MHD_HTTP_NOT_ACCEPTABLE, ERR_BAD_USER_INPUT,
                             "Accept names nothing that is offered: application/json, "
                             "application/graphql-response+json or text/event-stream");
        return;
    }
    if (!exchange_take_operation(self))
        return;
    slow_lane_t *lane = runner_slow_lane(self->options->runner);
    if (lane && (self->body.size > LARGE_BODY || slow_lane_claims(lane, self->client_key)))
        s_wait(self, s_handle_slowly);
    else
        s_handle(self, true);
}
