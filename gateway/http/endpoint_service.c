#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/http/exchange.h"

/* HTTP requests that services asked for, passed through as calls (proto/bus.md 4.3). */

enum { ALLOW_SIZE = 200, ARGS_MAX = 8 * 1024 * 1024, HEADER_VALUE_MAX = 8 * 1024 };

/* What a service gets to see of a request's head. */
static const char *const passed[] = {
    "accept",     "authorization", "content-type",     "if-none-match",
    "user-agent", "x-amz-target",  "x-amz-user-agent", "x-api-key",
};

/* What a service may say in a response's head. */
static const char *const returned[] = {
    "cache-control",    "content-type",     "etag",
    "location",         "retry-after",      "vary",
    "www-authenticate", "x-amzn-errortype", "x-amzn-requestid",
};

/* The service that has this path and method, or NULL; allow lists the path's methods. */
static const char *s_find(const exchange_t *self, char allow[ALLOW_SIZE])
{
    const char *service = NULL;
    allow[0] = '\0';
    for (size_t i = 0; i < services_count(self->options->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->options->services, i);
        size_t index;
        json_t *route;
        json_array_foreach(manifest->routes, index, route)
        {
            const char *path = json_string_value(json_object_get(route, "path"));
            const char *method = json_string_value(json_object_get(route, "method"));
            if (!path || !method || strcmp(path, self->target.path) != 0)
                continue;
            size_t used = strlen(allow);
            snprintf(allow + used, ALLOW_SIZE - used, "%s%s", used ? ", " : "", method);
            bool head = exchange_is(self, "HEAD") && !strcmp(method, "GET");
            if (!service && (head || exchange_is(self, method)))
                service = manifest->name;
        }
    }
    return service;
}

static void s_put_string(buffer_t *out, const char *text)
{
    buffer_put_json_string(out, text, strlen(text));
}

static void s_put_args(const exchange_t *self, buffer_t *out)
{
    buffer_put_str(out, "{\"method\":");
    s_put_string(out, self->method);
    buffer_put_str(out, ",\"path\":");
    s_put_string(out, self->target.path);
    buffer_put_str(out, ",\"query\":");
    s_put_string(out, self->target.query);
    buffer_put_str(out, ",\"headers\":{");
    bool first = true;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const char *value = exchange_header(self, passed[i]);
        if (!value || strlen(value) > HEADER_VALUE_MAX || !utf8_is_valid(value, strlen(value)))
            continue;
        buffer_put_str(out, first ? "\"" : ",\"");
        buffer_put_str(out, passed[i]);
        buffer_put_str(out, "\":");
        s_put_string(out, value);
        first = false;
    }
    buffer_put_str(out, "},\"body\":");
    buffer_put_json_string(out, self->body.size ? self->body.data : "", self->body.size);
    buffer_put_char(out, '}');
}

static bool s_is_returned(json_slice_t name)
{
    for (size_t i = 0; i < sizeof returned / sizeof *returned; i++)
        if (json_key_is(name, returned[i], strlen(returned[i])))
            return true;
    return false;
}

static bool s_is_clean(const char *value, size_t size)
{
    return strlen(value) == size && !strpbrk(value, "\r\n");
}

static void s_add_headers(exchange_t *self, json_slice_t headers)
{
    json_slice_t name, value;
    for (json_walk_t walk = json_walk(headers); json_walk_member(&walk, &name, &value);) {
        size_t size;
        char *text = json_string_decode(self->arena, value, &size);
        char *key = arena_memdup(self->arena, name.data, name.size);
        if (text && key && s_is_returned(name) && s_is_clean(text, size))
            MHD_add_response_header(self->response, key, text);
    }
}

/* Answers as the service said; false if what it said is no HTTP answer. */
static bool s_reply(exchange_t *self, json_slice_t answer)
{
    json_slice_t status, headers, body;
    int64_t number;
    size_t size = 0;
    if (!json_get(answer, "status", &status) || !json_to_int64(status, &number) || number < 200 ||
        number > 599)
        return false;
    const char *text = "";
    arena_t *arena = arena_new(answer.size + 4096);
    if (json_get(answer, "body", &body) && json_kind(body) == JSON_STRING_VALUE)
        text = json_string_decode(arena, body, &size);
    if (text && exchange_respond(self, (unsigned)number, NULL, text, size, false) &&
        json_get(answer, "headers", &headers) && json_kind(headers) == JSON_MAP)
        s_add_headers(self, headers);
    if (text)
        exchange_send(self);
    arena_destroy(&arena);
    return text != NULL;
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    exchange_t *self = arg;
    self->call = NULL;
    if (answer->ok && json_validate(answer->json.data, answer->json.size, 64, NULL) &&
        s_reply(self, answer->json))
        return;
    err_code_t code = ERR_INTERNAL;
    if (!answer->ok)
        code = err_code_from_name(answer->code, strlen(answer->code));
    unsigned status = MHD_HTTP_BAD_GATEWAY;
    if (code == ERR_UNAVAILABLE || code == ERR_LIMIT_EXCEEDED)
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    else if (code == ERR_TIMEOUT)
        status = MHD_HTTP_GATEWAY_TIMEOUT;
    exchange_reply_failure(self, status, code,
                           answer->ok ? "the service's answer is broken" : answer->message,
                           answer->ok ? (json_slice_t){.data = ""} : answer->extensions);
}

bool endpoint_service(exchange_t *self)
{
    char allow[ALLOW_SIZE];
    const char *service = s_find(self, allow);
    if (!*allow)
        return false;
    /* A page may share the path with the service. */
    bool page = self->options->find_asset && self->options->find_asset(self->target.path);
    if (!service && page && (exchange_is(self, "GET") || exchange_is(self, "HEAD")))
        return false;
    size_t used = strlen(allow);
    if (page)
        snprintf(allow + used, ALLOW_SIZE - used, ", GET, HEAD");
    if (!service && exchange_is(self, "OPTIONS")) {
        exchange_reply_options(self, allow);
        return true;
    }
    if (!service) {
        exchange_reply_method(self, allow);
        return true;
    }
    if (!exchange_take_operation(self))
        return true;
    if (self->body.size && !utf8_is_valid(self->body.data, self->body.size)) {
        exchange_reply_error(self, MHD_HTTP_BAD_REQUEST, ERR_BAD_USER_INPUT,
                             "the body is not valid UTF-8");
        return true;
    }
    buffer_t args = BUFFER_INIT(ARGS_MAX);
    s_put_args(self, &args);
    if (args.failed) {
        exchange_reply_error(self, MHD_HTTP_CONTENT_TOO_LARGE, ERR_PAYLOAD_TOO_LARGE,
                             "the request is larger than the limit of 8 MiB");
    } else {
        service_request_t request = {
            .service = service,
            .field = "HTTP",
            .args = {.data = args.data, .size = args.size},
            .request = self->request_id,
            .traceparent = exchange_traceparent(self),
            .client = self->client,
            .deadline_ms = clock_unix_ms() + self->options->call_timeout_ms,
        };
        self->call = services_call(self->options->services, &request, s_on_answer, self);
    }
    buffer_free(&args);
    return true;
}
