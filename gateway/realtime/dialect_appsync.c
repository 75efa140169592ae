#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/graphql_error.h"
#include "gateway/realtime/conn.h"
#include "gateway/realtime/dialects.h"
#include "gateway/realtime/message.h"

/* AppSync's real-time WebSocket protocol, as the clients of AWS Amplify speak it. The connection's
 * credential comes in the handshake (in the query parameter `header` or as a sub-protocol named
 * header-…), and each start carries its own. */

enum { CONNECTION_TIMEOUT_MS = 300000, HEADER_MAX = 16 * 1024 };

static const json_slice_t nothing = {.data = ""};
static const char header_prefix[] = "header-";

/* ---- the handshake's credential ---- */

/* A JSON map out of base64, of either alphabet, padded or not; NULL if it is none. */
static json_t *s_decode(const char *text, size_t size)
{
    char clean[HEADER_MAX];
    unsigned char bytes[HEADER_MAX];
    size_t n = 0, bytes_size = 0;
    if (size >= sizeof clean)
        return NULL;
    for (size_t i = 0; i < size && text[i] != '='; i++)
        clean[n++] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    if (sodium_base642bin(bytes, sizeof bytes, clean, n, NULL, &bytes_size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return NULL;
    return json_loadb((const char *)bytes, bytes_size, 0, NULL);
}

/* The header-… among the sub-protocols, or NULL. */
static json_t *s_decode_protocols(const char *protocols)
{
    for (const char *at = protocols; at && *at;) {
        at += strspn(at, ", \t");
        size_t size = strcspn(at, ", \t");
        if (size > sizeof header_prefix && !strncmp(at, header_prefix, sizeof header_prefix - 1))
            return s_decode(at + sizeof header_prefix - 1, size - (sizeof header_prefix - 1));
        at += size;
    }
    return NULL;
}

static void s_keep(char **target, const json_t *map, const char *name, const char *other)
{
    const char *value = json_string_value(json_object_get(map, name));
    if (!value && other)
        value = json_string_value(json_object_get(map, other));
    if (!value)
        return;
    free(*target);
    *target = strdup(value);
}

static void s_on_open(session_t *session, const http_handshake_t *handshake)
{
    json_t *header = handshake->header_param
                         ? s_decode(handshake->header_param, strlen(handshake->header_param))
                         : s_decode_protocols(handshake->protocols);
    s_keep(&session->authorization, header, "Authorization", "authorization");
    s_keep(&session->api_key, header, "x-api-key", NULL);
    json_decref(header);
}

/* ---- out ---- */

static const char *s_error_type(err_code_t code)
{
    switch (code) {
    case ERR_UNAUTHENTICATED:
        return "UnauthorizedException";
    case ERR_UNAUTHORIZED:
    case ERR_FORBIDDEN:
        return "Unauthorized";
    case ERR_LIMIT_EXCEEDED:
        return "MaxSubscriptionsReachedError";
    case ERR_RATE_LIMITED:
        return "LimitExceededError";
    case ERR_GRAPHQL_VALIDATION_FAILED:
        return "ValidationException";
    case ERR_GRAPHQL_PARSE_FAILED:
        return "MalformedHttpRequestException";
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_INTERNAL:
        return "InternalFailure";
    default:
        return "BadRequestException";
    }
}

/* The code in the extensions of one error. */
static err_code_t s_code(json_slice_t error)
{
    json_slice_t extensions, code;
    if (!json_get(error, "extensions", &extensions) || !json_get(extensions, "code", &code) ||
        code.size < 2)
        return ERR_INTERNAL;
    return err_code_from_name(code.data + 1, code.size - 2);
}

/* {"errors":[…]} with an errorType in front of each. */
static void s_put_errors(buffer_t *out, json_slice_t response)
{
    json_slice_t error;
    json_walk_t walk = json_walk(graphql_error_list(response));
    buffer_put_str(out, "{\"errors\":[");
    for (bool first = true; json_walk_item(&walk, &error); first = false) {
        if (json_kind(error) != JSON_MAP || error.size < 3)
            continue;
        buffer_printf(out, "%s{\"errorType\":\"%s\",", first ? "" : ",",
                      s_error_type(s_code(error)));
        buffer_put(out, error.data + 1, error.size - 1);
    }
    buffer_put_str(out, "]}");
}

static void s_put_prefix(buffer_t *out, const char *id, size_t id_size)
{
    message_put_head(out, id, id_size, "data");
    buffer_put_str(out, ",\"payload\":");
}

static void s_send_error(session_t *session, const char *id, size_t id_size, json_slice_t response)
{
    buffer_t payload = BUFFER_INIT(MESSAGE_MAX_BYTES);
    s_put_errors(&payload, response);
    if (!payload.failed)
        message_send(session, id, id_size, "error",
                     (json_slice_t){.data = payload.data, .size = payload.size});
    buffer_free(&payload);
}

/* An error that is not GraphQL's: of that type, on that id. */
static void s_send_error_type(
    session_t *session, const char *id, size_t id_size, const char *type, const char *message)
{
    buffer_t payload = BUFFER_INIT(MESSAGE_MAX_BYTES);
    buffer_printf(&payload, "{\"errors\":[{\"errorType\":\"%s\",\"message\":", type);
    buffer_put_json_string(&payload, message, strlen(message));
    buffer_put_str(&payload, ",\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
    message_send(session, id, id_size, "error",
                 (json_slice_t){.data = payload.data, .size = payload.size});
    buffer_free(&payload);
}

static void s_send_complete(session_t *session, const char *id, size_t id_size)
{
    message_send(session, id, id_size, "complete", nothing);
}

static void s_send_active(session_t *session, const stream_t *stream)
{
    message_send(session, stream->text + stream->prefix_size, stream->id_size, "start_ack",
                 nothing);
}

static void s_on_beat(session_t *session)
{
    static const char text[] = "{\"type\":\"ka\"}";
    if (session->initialised)
        conn_send(conn_of(session), text, sizeof text - 1);
}

/* ---- in ---- */

static void s_refuse_connection(session_t *session, const err_t *err)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    bool limited = err->code == ERR_RATE_LIMITED;
    bool later = limited || err->code == ERR_UNAVAILABLE;
    buffer_printf(&text,
                  "{\"type\":\"connection_error\",\"payload\":{\"errors\":[{\"errorType\":\"%s\","
                  "\"errorCode\":%d,\"message\":",
                  s_error_type(err->code),
                  limited ? 429
                  : later ? 503
                          : 401);
    buffer_put_json_string(&text, err->text, strlen(err->text));
    buffer_put_str(&text, "}]}}");
    conn_send_buffer(conn_of(session), &text);
    conn_close(conn_of(session), later ? WS_CLOSE_TRY_AGAIN_LATER : WS_CLOSE_POLICY,
               later ? "try again later" : "unauthorized");
}

static void s_on_init(session_t *session, const message_t *message)
{
    err_t err = ERR_INIT;
    if (session->initialised)
        return;
    if (session_authenticate(session, message->payload, &err)) {
        s_refuse_connection(session, &err);
        return;
    }
    session->initialised = true;
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    buffer_printf(&text, "{\"type\":\"connection_ack\",\"payload\":{\"connectionTimeoutMs\":%d}}",
                  CONNECTION_TIMEOUT_MS);
    conn_send_buffer(conn_of(session), &text);
    s_on_beat(session);
}

/* Each start brings a credential, which may be newer than the connection's. */
static void s_start_as(
    session_t *session, const char *id, size_t id_size, json_slice_t request, identity_t *identity)
{
    if (identity)
        session_adopt(session, identity);
    session_start(session, id, id_size, request, identity ? identity : session->identity, nothing);
}

/* The request is a JSON string in payload.data. False if there is no map in it. */
static bool s_read_request(const message_t *message, json_slice_t *request)
{
    json_slice_t data;
    size_t size;
    if (!json_get(message->payload, "data", &data))
        return false;
    const char *text = json_string_decode(message->arena, data, &size);
    if (!text || !json_validate(text, size, MESSAGE_DEPTH_MAX, NULL))
        return false;
    *request = json_trim((json_slice_t){.data = text, .size = size});
    return json_kind(*request) == JSON_MAP;
}

static void s_start(session_t *session, const char *id, size_t id_size, const message_t *message)
{
    json_slice_t request, extensions, authorization = nothing;
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    if (json_get(message->payload, "extensions", &extensions))
        json_get(extensions, "authorization", &authorization);
    if (!s_read_request(message, &request))
        session_refuse(session, id, id_size, ERR_BAD_USER_INPUT,
                       "start: payload.data must be a JSON map in a string");
    else if (session_identify(session, authorization, &identity, &err))
        session_refuse(session, id, id_size, err.code, err.text);
    else
        s_start_as(session, id, id_size, request, identity);
    identity_unref(&identity);
}

static void s_on_start(session_t *session, const message_t *message)
{
    size_t id_size;
    const char *id = message_id(message, &id_size);
    if (!id)
        s_send_error_type(session, "", 0, "BadRequestException", "start: \"id\" must be a string");
    else if (!session->initialised)
        session_refuse(session, id, id_size, ERR_UNAUTHENTICATED,
                       "connection_init must come first");
    else if (session_find(session, id, id_size))
        s_send_error_type(session, id, id_size, "DuplicatedOperationError",
                          "this id is in use by another operation");
    else
        s_start(session, id, id_size, message);
}

static void s_on_stop(session_t *session, const message_t *message)
{
    size_t id_size;
    const char *id = message_id(message, &id_size);
    stream_t *stream = id ? session_find(session, id, id_size) : NULL;
    if (!stream) {
        s_send_error_type(session, id ? id : "", id ? id_size : 0, "UnknownOperationError",
                          "there is no operation with this id");
        return;
    }
    session_stop(stream);
    s_send_complete(session, id, id_size);
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    message_t message;
    if (!message_read(&message, session, text, size))
        s_send_error_type(session, "", 0, "BadRequestException",
                          "a message must be JSON with a type");
    else if (message_is(&message, "start"))
        s_on_start(session, &message);
    else if (message_is(&message, "stop"))
        s_on_stop(session, &message);
    else if (message_is(&message, "connection_init"))
        s_on_init(session, &message);
    else
        s_send_error_type(session, "", 0, "UnsupportedOperation",
                          "this type of message is not known");
}

const dialect_t DIALECT_APPSYNC = {
    .name = "appsync",
    .suffix = "}",
    .on_open = s_on_open,
    .on_message = s_on_message,
    .on_beat = s_on_beat,
    .put_prefix = s_put_prefix,
    .send_active = s_send_active,
    .send_error = s_send_error,
    .send_complete = s_send_complete,
    .subscriptions_only = true,
    .code_init_timeout = 4408,
    .reason_init_timeout = "Connection initialisation timeout",
};
