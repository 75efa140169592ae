#include <stdio.h>
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
        buffer_put_str(&text, ",\"payload\":{\"expiresAt\":\"");
        buffer_put_str(&text, iso);
        buffer_put_str(&text, "\"}");
    }
    buffer_put_char(&text, '}');
    conn_send_buffer(conn_of(session), &text);
}

/* ---- in ---- */

static void s_on_init(session_t *session, const message_t *message)
{
    if (session->initialised) {
        s_close(session, CLOSE_TOO_MANY_INITS, "Too many initialisation requests");
        return;
    }
    if (!message_may_be_map(message->payload)) {
        s_close(session, CLOSE_BAD_REQUEST, "connection_init: \"payload\" must be a map");
        return;
    }
    err_t err = ERR_INIT;
    switch (session_authenticate(session, message->payload, &err)) {
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

static bool s_has_credential(json_slice_t payload)
{
    static const char *const names[] = {"Authorization", "authorization", "x-api-key"};
    json_slice_t value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get(payload, names[i], &value) && json_kind(value) == JSON_STRING_VALUE)
            return true;
    return false;
}

static void s_send_pong(session_t *session, json_slice_t payload)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    buffer_put_str(&text, "{\"type\":\"pong\"");
    if (payload.size) {
        buffer_put_str(&text, ",\"payload\":");
        buffer_put(&text, payload.data, payload.size);
    }
    buffer_put_char(&text, '}');
    conn_send_buffer(conn_of(session), &text);
}

static const json_slice_t nothing = {.data = "{}", .size = 2};

/* A ping may bring a new token: {"type":"ping","payload":{"Authorization":"Bearer …"}}. Nothing
 * that runs is disturbed, and the pong says when it ends. */
static void s_renew(session_t *session, json_slice_t payload)
{
    err_t err = ERR_INIT;
    err_code_t code = session_renew(session, payload, &err);
    if (code == ERR_UNAVAILABLE || code == ERR_RATE_LIMITED) {
        s_send_pong(session, nothing); /* it cannot be told now: the old one counts */
    } else if (code) {
        s_close(session, CLOSE_FORBIDDEN, err.text);
    } else {
        char text[80] = "{}", iso[CLOCK_ISO_SIZE];
        int64_t until_us = identity_expires_at_us(session->identity);
        clock_iso(until_us, iso);
        if (until_us)
            snprintf(text, sizeof text, "{\"expiresAt\":\"%s\"}", iso);
        s_send_pong(session, (json_slice_t){.data = text, .size = strlen(text)});
    }
}

static void s_on_ping(session_t *session, const message_t *message)
{
    if (!message_may_be_map(message->payload))
        s_close(session, CLOSE_BAD_REQUEST, "ping: \"payload\" must be a map");
    else if (session->initialised && s_has_credential(message->payload))
        s_renew(session, message->payload);
    else
        s_send_pong(session, message->payload);
}

/* The id of a message, or NULL after closing because it has none. */
static const char *s_read_id(session_t *session, const message_t *message, size_t *size)
{
    const char *id = message_id(message, size);
    if (!id)
        s_close(session, CLOSE_BAD_REQUEST, "\"id\" must be a string of 1 to 256 bytes");
    return id;
}

/* Has the payload the shape that the protocol wants? */
static bool s_is_request(json_slice_t payload)
{
    json_slice_t key, value;
    bool has_query = false, good = json_kind(payload) == JSON_MAP;
    if (!good)
        return false;
    for (json_walk_t walk = json_walk(payload); good && json_walk_member(&walk, &key, &value);) {
        json_kind_t kind = json_kind(value);
        if (json_key_is(key, "query", 5))
            has_query = good = kind == JSON_STRING_VALUE;
        else if (json_key_is(key, "operationName", 13))
            good = kind == JSON_STRING_VALUE || kind == JSON_NULL_VALUE;
        else if (json_key_is(key, "variables", 9) || json_key_is(key, "extensions", 10))
            good = message_may_be_map(value);
    }
    return good && has_query;
}

static void s_on_subscribe(session_t *session, const message_t *message)
{
    if (!session->initialised) {
        s_close(session, CLOSE_UNAUTHORIZED, "Unauthorized");
        return;
    }
    size_t id_size;
    const char *id = s_read_id(session, message, &id_size);
    if (!id)
        return;
    if (!s_is_request(message->payload)) {
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
    session_start(session, id, id_size, message->payload, session->identity, resume);
}

static void s_on_complete(session_t *session, const message_t *message)
{
    size_t id_size;
    const char *id = s_read_id(session, message, &id_size);
    stream_t *stream = id ? session_find(session, id, id_size) : NULL;
    if (stream)
        session_stop(stream);
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    message_t message;
    if (!message_read(&message, session, text, size))
        s_close(session, CLOSE_BAD_REQUEST, "Invalid message received");
    else if (message_is(&message, "subscribe"))
        s_on_subscribe(session, &message);
    else if (message_is(&message, "complete"))
        s_on_complete(session, &message);
    else if (message_is(&message, "connection_init"))
        s_on_init(session, &message);
    else if (message_is(&message, "ping"))
        s_on_ping(session, &message);
    else if (!message_is(&message, "pong"))
        s_close(session, CLOSE_BAD_REQUEST, "Invalid message type received");
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
