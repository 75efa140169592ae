#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/http/graphql_error.h"
#include "gateway/realtime/conn.h"
#include "gateway/realtime/dialects.h"
#include "gateway/realtime/message.h"

/* graphql-transport-ws, to the letter of its PROTOCOL.md; reasons of closing are those of its
 * reference implementation, graphql-ws. */

enum {
    CLOSE_BAD_REQUEST = 4400,
    CLOSE_UNAUTHORIZED = 4401,
    CLOSE_INIT_TIMEOUT = 4408,
    CLOSE_SUBSCRIBER_EXISTS = 4409,
    CLOSE_TOO_MANY_INITS = 4429,
};

static void s_close(session_t *session, uint16_t code, const char *reason)
{
    conn_close(conn_of(session), code, reason);
}

/* ---- out ---- */

static void s_put_prefix(buffer_t *out, const char *id, size_t id_size)
{
    message_put_head(out, id, id_size, "next");
    buffer_put_str(out, ",\"payload\":");
}

static void s_send_error(session_t *session, const char *id, size_t id_size, json_slice_t response)
{
    message_send(session, id, id_size, "error", graphql_error_list(response));
}

static void s_send_complete(session_t *session, const char *id, size_t id_size)
{
    message_send(session, id, id_size, "complete", (json_slice_t){.data = ""});
}

static void s_send_ack(session_t *session)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    int64_t expires_at_us = session->identity ? identity_expires_at_us(session->identity) : 0;
    buffer_put_str(&text, "{\"type\":\"connection_ack\"");
    if (expires_at_us) {
        char iso[CLOCK_ISO_SIZE];
        clock_iso(expires_at_us, iso);
        buffer_printf(&text, ",\"payload\":{\"expiresAt\":\"%s\"}", iso);
    }
    buffer_put_char(&text, '}');
    conn_send_buffer(conn_of(session), &text);
}

/* ---- in ---- */

static void s_on_init(session_t *session, const json_t *message)
{
    if (session->initialised) {
        s_close(session, CLOSE_TOO_MANY_INITS, "Too many initialisation requests");
        return;
    }
    const json_t *payload = json_object_get(message, "payload");
    if (!message_has_map(message, "payload")) {
        s_close(session, CLOSE_BAD_REQUEST, "connection_init: \"payload\" must be a map");
        return;
    }
    err_t err = ERR_INIT;
    switch (session_authenticate(session, payload, &err)) {
    case ERR_OK:
        session->initialised = true;
        s_send_ack(session);
        break;
    case ERR_UNAVAILABLE:
    case ERR_RATE_LIMITED:
        s_close(session, WS_CLOSE_TRY_AGAIN_LATER, err.text);
        break;
    default:
        s_close(session, CLOSE_FORBIDDEN, "Forbidden");
        break;
    }
}

static bool s_has_credential(const json_t *payload)
{
    static const char *const names[] = {"Authorization", "authorization", "x-api-key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_is_string(json_object_get(payload, names[i])))
            return true;
    return false;
}

static void s_send_pong(session_t *session, const char *payload)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    buffer_put_str(&text, "{\"type\":\"pong\"");
    if (payload) {
        buffer_put_str(&text, ",\"payload\":");
        buffer_put_str(&text, payload);
    }
    buffer_put_char(&text, '}');
    conn_send_buffer(conn_of(session), &text);
}

/* A ping may bring a new token: {"type":"ping","payload":{"Authorization":"Bearer …"}}. Nothing
 * that runs is disturbed, and the pong says when it ends. */
static void s_renew(session_t *session, const json_t *payload)
{
    err_t err = ERR_INIT;
    err_code_t code = session_renew(session, payload, &err);
    if (code == ERR_UNAVAILABLE || code == ERR_RATE_LIMITED) {
        s_send_pong(session, "{}"); /* it cannot be told now: the old one counts */
    } else if (code) {
        s_close(session, CLOSE_FORBIDDEN, err.text);
    } else {
        char text[80] = "{}", iso[CLOCK_ISO_SIZE];
        int64_t until_us = identity_expires_at_us(session->identity);
        clock_iso(until_us, iso);
        if (until_us)
            snprintf(text, sizeof text, "{\"expiresAt\":\"%s\"}", iso);
        s_send_pong(session, text);
    }
}

static void s_on_ping(session_t *session, const json_t *message)
{
    const json_t *payload = json_object_get(message, "payload");
    if (!message_has_map(message, "payload")) {
        s_close(session, CLOSE_BAD_REQUEST, "ping: \"payload\" must be a map");
    } else if (session->initialised && s_has_credential(payload)) {
        s_renew(session, payload);
    } else {
        char *copy = payload ? json_dumps(payload, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        s_send_pong(session, copy);
        free(copy);
    }
}

/* The id of a message, or NULL after closing because it has none. */
static const char *s_read_id(session_t *session, const json_t *message, size_t *size)
{
    const char *id = message_id(message, size);
    if (!id)
        s_close(session, CLOSE_BAD_REQUEST, "\"id\" must be a string of 1 to 256 bytes");
    return id;
}

static void s_on_subscribe(session_t *session, const json_t *message)
{
    if (!session->initialised) {
        s_close(session, CLOSE_UNAUTHORIZED, "Unauthorized");
        return;
    }
    size_t id_size;
    const char *id = s_read_id(session, message, &id_size);
    if (!id)
        return;
    const json_t *payload = json_object_get(message, "payload");
    const json_t *name = json_object_get(payload, "operationName");
    if (!json_is_object(payload) || !json_is_string(json_object_get(payload, "query")) ||
        (name && !json_is_string(name) && !json_is_null(name)) ||
        !message_has_map(payload, "variables") || !message_has_map(payload, "extensions")) {
        s_close(session, CLOSE_BAD_REQUEST,
                "subscribe: \"payload\" must be a map with a string \"query\"");
        return;
    }
    if (session_find(session, id, id_size)) {
        char reason[WS_REASON_MAX + 1] = "Subscriber for this id already exists";
        if (id_size <=
            80) /* a close reason has no room for more, and must not end in half a character */
            snprintf(reason, sizeof reason, "Subscriber for %s already exists", id);
        s_close(session, CLOSE_SUBSCRIBER_EXISTS, reason);
        return;
    }
    json_slice_t resume = {.data = ""};
    session_start(session, id, id_size, payload, session->identity, resume);
}

static void s_on_complete(session_t *session, const json_t *message)
{
    size_t id_size;
    const char *id = s_read_id(session, message, &id_size);
    stream_t *stream = id ? session_find(session, id, id_size) : NULL;
    if (stream)
        session_stop(stream);
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    json_error_t error;
    json_t *message = json_loadb(text, size, JSON_ALLOW_NUL, &error);
    const char *type = json_string_value(json_object_get(message, "type"));
    if (!type)
        s_close(session, CLOSE_BAD_REQUEST, "Invalid message received");
    else if (!strcmp(type, "subscribe"))
        s_on_subscribe(session, message);
    else if (!strcmp(type, "complete"))
        s_on_complete(session, message);
    else if (!strcmp(type, "connection_init"))
        s_on_init(session, message);
    else if (!strcmp(type, "ping"))
        s_on_ping(session, message);
    else if (strcmp(type, "pong") != 0)
        s_close(session, CLOSE_BAD_REQUEST, "Invalid message type received");
    json_decref(message);
}

const dialect_t DIALECT_TRANSPORT_WS = {
    .name = "graphql-transport-ws",
    .suffix = "}",
    .on_message = s_on_message,
    .put_prefix = s_put_prefix,
    .send_error = s_send_error,
    .send_complete = s_send_complete,
    .code_init_timeout = CLOSE_INIT_TIMEOUT,
    .reason_init_timeout = "Connection initialisation timeout",
};
