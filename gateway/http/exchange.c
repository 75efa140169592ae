#include "gateway/http/exchange.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/metrics.h"
#include "gateway/http/aws_json.h"
#include "gateway/http/content_coding.h"
#include "gateway/http/graphql_error.h"
#include "gateway/http/server_private.h"

enum { ERROR_MAX = 4096, HEADERS_LISTED_MAX = 2048, CROWDED_MS = 1000 };

const char *exchange_header(const exchange_t *self, const char *name)
{
    return MHD_lookup_connection_value(self->connection, MHD_HEADER_KIND, name);
}

/* One list out of two (RFC 9110 5.3); without memory the second one. */
static const char *s_join(arena_t *arena, const char *first, const char *second)
{
    const char *both = arena_printf(arena, "%s,%s", first, second);
    return both ? both : second;
}

/* May it come in several lines, which are one list then? RFC 6455 11.3.4 says so of protocols. */
static bool s_is_list(int header)
{
    return header == HEADER_X_FORWARDED_FOR || header == HEADER_CONNECTION ||
           header == HEADER_SEC_WEBSOCKET_PROTOCOL;
}

static enum MHD_Result s_keep_header(void *cls,
                                     enum MHD_ValueKind kind,
                                     const char *name,
                                     size_t size,
                                     const char *value,
                                     size_t value_size)
{
    static const struct {
        const char *name;
        size_t size;
    } kept[HEADERS_KEPT] = {
#define KEPT(index, name_) [index] = {name_, sizeof(name_) - 1}
        KEPT(HEADER_ACCEPT, "Accept"),
        KEPT(HEADER_ORIGIN, "Origin"),
        KEPT(HEADER_UPGRADE, "Upgrade"),
        KEPT(HEADER_X_API_KEY, "X-Api-Key"),
        KEPT(HEADER_CONNECTION, "Connection"),
        KEPT(HEADER_TRACEPARENT, "traceparent"),
        KEPT(HEADER_CONTENT_TYPE, "Content-Type"),
        KEPT(HEADER_X_REQUEST_ID, "X-Request-Id"),
        KEPT(HEADER_AUTHORIZATION, "Authorization"),
        KEPT(HEADER_LAST_EVENT_ID, "Last-Event-ID"),
        KEPT(HEADER_CONTENT_LENGTH, "Content-Length"),
        KEPT(HEADER_X_FORWARDED_FOR, "X-Forwarded-For"),
        KEPT(HEADER_CONTENT_ENCODING, "Content-Encoding"),
        KEPT(HEADER_SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key"),
        KEPT(HEADER_SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
        KEPT(HEADER_SEC_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol"),
#undef KEPT
    };
    exchange_t *self = cls;
    (void)kind;
    (void)value_size;
    for (int i = 0; i < HEADERS_KEPT && kept[i].size <= size; i++) {
        if (kept[i].size != size || strcasecmp(kept[i].name, name) != 0)
            continue;
        if (!self->headers[i])
            self->headers[i] = value;
        else if (s_is_list(i))
            self->headers[i] = s_join(self->arena, self->headers[i], value);
    }
    return MHD_YES;
}

void exchange_keep_headers(exchange_t *self)
{
    MHD_get_connection_values_n(self->connection, MHD_HEADER_KIND, s_keep_header, self);
}

const char *exchange_traceparent(const exchange_t *self)
{
    const char *text = self->headers[HEADER_TRACEPARENT];
    return text && strspn(text, "0123456789abcdef-") == strlen(text) ? text : NULL;
}

bool exchange_is(const exchange_t *self, const char *method)
{
    return !strcmp(self->method, method);
}

/* The Fetch standard's CORS protocol, on errors too: else a page cannot read why it failed. */
static void s_add_cors(exchange_t *self)
{
    const origins_t *origins = self->options->origins;
    if (!origins_allow_all(origins))
        MHD_add_response_header(self->response, "Vary", "Origin");
    const char *origin = self->headers[HEADER_ORIGIN];
    if (!origin || !origins_allow(origins, origin))
        return;
    MHD_add_response_header(self->response, "Access-Control-Allow-Origin",
                            origins_allow_all(origins) ? "*" : origin);
    MHD_add_response_header(self->response, "Access-Control-Expose-Headers",
                            "x-request-id, x-amzn-errortype, retry-after");
}

struct MHD_Response *exchange_respond(exchange_t *self,
                                      unsigned status,
                                      const char *content_type,
                                      const void *body,
                                      size_t size,
                                      bool lives_for_ever)
{
    /* The library takes the bytes as not const, and does not write to them. */
    self->response = MHD_create_response_from_buffer(
        size, size ? (void *)(uintptr_t)body : (void *)(uintptr_t) "",
        lives_for_ever ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    self->status = status;
    if (!self->response)
        return NULL;
    if (content_type)
        MHD_add_response_header(self->response, "Content-Type", content_type);
    MHD_add_response_header(self->response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(self->response, "X-Request-Id", self->request_id);
    if (self->cors)
        s_add_cors(self);
    if (server_is_draining(self->server))
        MHD_add_response_header(self->response, "Connection", "close");
    return self->response;
}

void exchange_send(exchange_t *self)
{
    server_count_response(self->server, self->status);
    exchange_resume(self);
}

void exchange_resume(exchange_t *self)
{
    if (!self->suspended)
        return; /* the access handler queues it */
    self->suspended = false;
    MHD_resume_connection(self->connection);
    server_kick(self->server);
}

void exchange_reply(exchange_t *self, unsigned status, const char *content_type, json_slice_t body)
{
    struct MHD_Response *response =
        exchange_respond(self, status, content_type, body.data, body.size, false);
    if (response)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (response && status == MHD_HTTP_UNAUTHORIZED) /* RFC 9110 15.5.2, RFC 6750 3 */
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    exchange_send(self);
}

static const char *s_error_media(const exchange_t *self, unsigned status)
{
    return http_media_name(
        http_status_media(self->options->status_draft, self->accept.media, status));
}

/* Does the client speak AWS's JSON protocol? */
static bool s_speaks_aws_json(const exchange_t *self)
{
    return exchange_header(self, "X-Amz-Target") != NULL;
}

static void
s_reply_aws_error(exchange_t *self, unsigned status, err_code_t code, const char *message)
{
    buffer_t body = BUFFER_INIT(ERROR_MAX);
    aws_json_error_write(&body, code, message);
    exchange_reply(self, status, AWS_JSON_MEDIA,
                   (json_slice_t){.data = body.data, .size = body.size});
    buffer_free(&body);
}

void exchange_reply_failure(exchange_t *self,
                            unsigned status,
                            err_code_t code,
                            const char *message,
                            json_slice_t extensions)
{
    if (s_speaks_aws_json(self)) {
        s_reply_aws_error(self, status, code, message);
        return;
    }
    buffer_t body = BUFFER_INIT(ERROR_MAX + extensions.size);
    graphql_error_write(&body, err_code_name(code), message, extensions);
    exchange_reply(self, status, s_error_media(self, status),
                   (json_slice_t){.data = body.data, .size = body.size});
    buffer_free(&body);
}

void exchange_reply_error(exchange_t *self, unsigned status, err_code_t code, const char *message)
{
    json_slice_t extensions = {.data = ""};
    if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
        extensions = (json_slice_t){.data = "{\"outcome\":\"none\"}", .size = 18};
    exchange_reply_failure(self, status, code, message, extensions);
}

/* The client's mistake, with a header that says what would be right. */
static void s_reply_advice(
    exchange_t *self, unsigned status, const char *message, const char *name, const char *value)
{
    buffer_t body = BUFFER_INIT(ERROR_MAX);
    graphql_error_write(&body, err_code_name(ERR_BAD_USER_INPUT), message,
                        (json_slice_t){.data = ""});
    struct MHD_Response *response =
        exchange_respond(self, status, s_error_media(self, status), body.data, body.size, false);
    if (response)
        MHD_add_response_header(response, name, value);
    exchange_send(self);
    buffer_free(&body);
}

void exchange_reply_later(exchange_t *self,
                          const char *content_type,
                          json_slice_t body,
                          int64_t retry_after_ms)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)((retry_after_ms + 999) / 1000));
    struct MHD_Response *response = exchange_respond(self, MHD_HTTP_TOO_MANY_REQUESTS, content_type,
                                                     body.data, body.size, false);
    if (response) {
        MHD_add_response_header(response, "Cache-Control", "no-store");
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    exchange_send(self);
}

void exchange_reply_rate_limited(exchange_t *self, int64_t retry_after_ms)
{
    buffer_t body = BUFFER_INIT(ERROR_MAX);
    const char *media = s_error_media(self, MHD_HTTP_TOO_MANY_REQUESTS);
    if (s_speaks_aws_json(self)) {
        media = AWS_JSON_MEDIA;
        aws_json_error_write(&body, ERR_RATE_LIMITED, "too many operations, try again later");
    } else {
        rate_limits_write(&body, retry_after_ms);
    }
    exchange_reply_later(self, media, (json_slice_t){.data = body.data, .size = body.size},
                         retry_after_ms);
    buffer_free(&body);
}

bool exchange_take_operation(exchange_t *self)
{
    int64_t wait_ms = rate_limits_take(self->options->rates, self->client_key, self->rate);
    if (wait_ms)
        exchange_reply_rate_limited(self, wait_ms);
    return !wait_ms;
}

void exchange_reply_crowded(exchange_t *self)
{
    static const char message[] = "too many connections of this address";
    buffer_t body = BUFFER_INIT(ERROR_MAX);
    graphql_error_write(&body, err_code_name(ERR_RATE_LIMITED), message,
                        (json_slice_t){.data = ""});
    exchange_reply_later(self, s_error_media(self, MHD_HTTP_TOO_MANY_REQUESTS),
                         (json_slice_t){.data = body.data, .size = body.size}, CROWDED_MS);
    buffer_free(&body);
}

bool exchange_may_stay(exchange_t *self)
{
    bool is_counted = self->rate != NULL; /* since it was accepted */
    if (is_counted || connection_limits_allow(self->options->connections, self->client_key))
        return true;
    exchange_reply_crowded(self);
    return false;
}

void exchange_refuse_credential(exchange_t *self, const err_t *err)
{
    unsigned status = MHD_HTTP_UNAUTHORIZED;
    if (err->code == ERR_UNAVAILABLE)
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    rate_limits_charge_credential(self->options->rates, self->client_key, err->code);
    exchange_reply_error(self, status, err->code, err->text);
}

void exchange_reply_method(exchange_t *self, const char *allow)
{
    char message[200];
    snprintf(message, sizeof message, "this method is not allowed here; allowed: %s", allow);
    s_reply_advice(self, MHD_HTTP_METHOD_NOT_ALLOWED, message, "Allow", allow);
}

void exchange_reply_too_large(exchange_t *self, unsigned long long size)
{
    char message[160];
    snprintf(message, sizeof message,
             "the request body of %llu bytes or more is larger than the limit of %zu bytes", size,
             self->options->max_body_bytes);
    exchange_reply_error(self, MHD_HTTP_CONTENT_TOO_LARGE, ERR_PAYLOAD_TOO_LARGE, message);
}

bool exchange_decode_body(exchange_t *self)
{
    content_coding_t coding = content_coding_read(self->headers[HEADER_CONTENT_ENCODING]);
    if (!self->body.size || coding == CONTENT_IDENTITY)
        return true;
    if (coding == CONTENT_CODING_UNKNOWN) {
        s_reply_advice(self, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                       "this Content-Encoding is not supported; supported: gzip", "Accept-Encoding",
                       "gzip");
        return false;
    }
    err_t err = ERR_INIT;
    buffer_t inflated = BUFFER_INIT(self->body.limit);
    err_code_t code = content_gunzip(self->body.data, self->body.size, &inflated, &err);
    buffer_free(&self->body);
    self->body = inflated;
    if (code)
        exchange_reply_error(
            self, code == ERR_PAYLOAD_TOO_LARGE ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST,
            code, err.text);
    return !code;
}

void exchange_reply_options(exchange_t *self, const char *allow)
{
    struct MHD_Response *response =
        exchange_respond(self, MHD_HTTP_NO_CONTENT, NULL, NULL, 0, true);
    if (!response) {
        exchange_send(self);
        return;
    }
    MHD_add_response_header(response, "Allow", allow);
    const char *origin = self->headers[HEADER_ORIGIN];
    const char *method = exchange_header(self, "Access-Control-Request-Method");
    if (origin && method && origins_allow(self->options->origins, origin)) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", allow);
        buffer_t headers = BUFFER_INIT(HEADERS_LISTED_MAX);
        origins_allowed_headers(exchange_header(self, "Access-Control-Request-Headers"), &headers);
        buffer_put_char(&headers, '\0');
        if (!headers.failed && headers.size > 1)
            MHD_add_response_header(response, "Access-Control-Allow-Headers", headers.data);
        buffer_free(&headers);
        MHD_add_response_header(response, "Access-Control-Max-Age", "7200");
    }
    exchange_send(self);
}

/* ---- past libmicrohttpd ---- */

/* libmicrohttpd takes no answer in the middle of a body: it is written past it, which finds the
 * connection closed then. */
static void s_cut(exchange_t *self, unsigned status, const char *phrase, const err_t *reason)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(self->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info || self->raw_sent)
        return;
    self->raw_sent = true;
    buffer_t body = BUFFER_INIT(4096);
    buffer_t head = BUFFER_INIT(8192);
    graphql_error_write_err(&body, reason);
    buffer_printf(&head,
                  "HTTP/1.1 %u %s\r\nContent-Type: application/json; charset=utf-8\r\n"
                  "X-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\nConnection: close\r\n"
                  "Content-Length: %zu\r\n",
                  status, phrase, self->request_id, body.size);
    const char *origin = self->headers[HEADER_ORIGIN];
    if (self->cors && origin && origins_allow(self->options->origins, origin))
        buffer_printf(&head, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
    buffer_put_str(&head, "\r\n");
    buffer_put(&head, body.data, body.size);
    ssize_t sent = send(info->connect_fd, head.data, head.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* who does not read it does not miss it */
    shutdown(info->connect_fd, SHUT_RDWR);
    server_count_response(self->server, status);
    buffer_free(&head);
    buffer_free(&body);
}

void exchange_cut_too_large(exchange_t *self)
{
    err_t err = ERR_INIT;
    err_set(&err, ERR_PAYLOAD_TOO_LARGE,
            "the request body of %zu bytes or more is larger than the limit of %zu bytes",
            self->dropped, self->options->max_body_bytes);
    s_cut(self, MHD_HTTP_CONTENT_TOO_LARGE, "Content Too Large", &err);
}

void exchange_cut_late(exchange_t *self)
{
    err_t err = ERR_INIT;
    err_set(&err, ERR_TIMEOUT, "the request did not come within the limit of %u ms",
            self->options->request_timeout_ms);
    s_cut(self, MHD_HTTP_REQUEST_TIMEOUT, "Request Timeout", &err);
}
