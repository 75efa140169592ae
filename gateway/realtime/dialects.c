#include "gateway/realtime/dialects.h"

#include <string.h>

#include "gateway/http/negotiate.h"
#include "gateway/realtime/conn.h"

const dialect_t *dialect_choose(const http_handshake_t *handshake)
{
    bool is_appsync = strcmp(handshake->path, "/graphql") != 0 || handshake->header_param;
    if (!is_appsync && http_list_has(handshake->protocols, "graphql-transport-ws", true))
        return &DIALECT_TRANSPORT_WS;
    if (!http_list_has(handshake->protocols, "graphql-ws", true))
        return NULL;
    return is_appsync ? &DIALECT_APPSYNC : &DIALECT_GRAPHQL_WS;
}

const char *dialect_protocol(const dialect_t *dialect)
{
    return dialect == &DIALECT_TRANSPORT_WS ? "graphql-transport-ws" : "graphql-ws";
}

/* ---- no dialect at all ---- */

static void s_on_open(session_t *session, const http_handshake_t *handshake)
{
    (void)handshake;
    conn_close(conn_of(session), 4406, "Subprotocol not acceptable");
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    (void)session;
    (void)text;
    (void)size;
}

static void s_put_prefix(buffer_t *out, const char *id, size_t id_size)
{
    (void)out;
    (void)id;
    (void)id_size;
}

static void s_send_error(session_t *session, const char *id, size_t id_size, json_slice_t response)
{
    (void)session;
    (void)id;
    (void)id_size;
    (void)response;
}

static void s_send_complete(session_t *session, const char *id, size_t id_size)
{
    (void)session;
    (void)id;
    (void)id_size;
}

const dialect_t DIALECT_NONE = {
    .name = "none",
    .suffix = "",
    .on_open = s_on_open,
    .on_message = s_on_message,
    .put_prefix = s_put_prefix,
    .send_error = s_send_error,
    .send_complete = s_send_complete,
};
