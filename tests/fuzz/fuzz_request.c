/* What a client puts into an HTTP request: target, headers, body, compressed body. The first byte
 * says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "gateway/http/content_coding.h"
#include "gateway/http/graphql_request.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/origins.h"
#include "gateway/http/target.h"
#include "gateway/http/websocket_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INFLATED_MAX = 64 * 1024 };

static void s_target(const char *text)
{
    arena_t *arena = arena_new(0);
    http_target_t target;
    err_t err = ERR_INIT;
    if (!http_target_parse(arena, text, &target, &err)) {
        if ((target.path[0] != '/' && strcmp(target.path, "*") != 0) ||
            !utf8_is_valid(target.path, strlen(target.path)))
            abort();
        http_target_param(arena, &target, "header", HTTP_PLUS_IS_PLUS);
        graphql_request_t request;
        if (!graphql_request_from_target(&request, arena, &target, &err) && !request.query)
            abort();
        graphql_request_clear(&request);
    } else if (!err.text[0]) {
        abort();
    }
    arena_destroy(&arena);
}

static void s_headers(const char *text)
{
    http_accept_t accept = http_negotiate(text);
    if (accept.media == HTTP_MEDIA_EVENT_STREAM && !accept.event_stream)
        abort();
    http_content_is_json(text);
    http_list_takes(text, "br");
    http_list_has(text, "upgrade", false);
    websocket_key_is_valid(text);
    buffer_t out = BUFFER_INIT(1024 * 1024);
    origins_allowed_headers(text, &out);
    for (size_t i = 0; i < out.size; i++)
        if (out.data[i] == '\r' || out.data[i] == '\n')
            abort();
    buffer_free(&out);
    origins_t *origins = origins_new(text, NULL);
    if (origins)
        origins_allow(origins, "https://a.example");
    origins_destroy(&origins);
}

/* What is read without a tree must be what the tree says. */
static void s_compare(const graphql_request_t *request, const char *text, size_t size)
{
    graphql_request_t slow;
    json_t *root = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    if (!root)
        return; /* a number that is too large for the tree, in a member that nobody reads */
    if (graphql_request_read(&slow, root, NULL))
        abort();
    if (!request->query != !slow.query || (slow.query && strcmp(request->query, slow.query) != 0) ||
        !request->operation_name != !slow.operation_name ||
        (slow.operation_name && strcmp(request->operation_name, slow.operation_name) != 0) ||
        !request->variables != !slow.variables ||
        (slow.variables && !json_equal(request->variables, slow.variables)) ||
        !request->extensions != !slow.extensions)
        abort();
    graphql_request_clear(&slow);
}

static void s_body(const char *text, size_t size)
{
    graphql_request_t request;
    err_t err = ERR_INIT;
    arena_t *arena = arena_new(64 * 1024);
    if (graphql_request_parse(&request, arena, text, size, &err)) {
        if (request.root || request.other || !err.text[0])
            abort();
    } else {
        if (request.query && strlen(request.query) != request.query_size)
            abort();
        s_compare(&request, text, size);
    }
    graphql_request_clear(&request);
    arena_destroy(&arena);
}

static void s_compressed(const char *text, size_t size)
{
    err_t err = ERR_INIT;
    buffer_t out = BUFFER_INIT(INFLATED_MAX);
    err_code_t code = content_gunzip(text, size, &out, &err);
    if (out.capacity > INFLATED_MAX || out.failed != (code == ERR_PAYLOAD_TOO_LARGE) ||
        !code != !err.text[0])
        abort();
    if (!code && out.size)
        s_body(out.data, out.size);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] == 'z') {
        s_compressed((const char *)data + 1, size - 1);
        return 0;
    }
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 3) {
    case 0:
        s_target(text);
        break;
    case 1:
        s_headers(text);
        break;
    default:
        s_body(text, size - 1);
    }
    free(text);
    return 0;
}
