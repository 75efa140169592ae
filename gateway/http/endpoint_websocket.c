#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "common/net.h"
#include "gateway/http/exchange.h"
#include "gateway/http/server_private.h"
#include "gateway/http/websocket_key.h"

/* The opening handshake of WebSockets (RFC 6455 4.2). The connection leaves libmicrohttpd: there it
 * would cost 22 KB and be walked on each other request. It leaves with its answer unsaid, as an
 * event stream does, unless the client has spoken already: what it said lies in libmicrohttpd,
 * which hands it over only to connections that it upgrades itself. That way costs five system calls
 * more.
 */

enum { ANSWER_MAX = 512 };

bool endpoint_is_websocket(const exchange_t *self)
{
    const char *upgrade = self->headers[HEADER_UPGRADE];
    return upgrade && http_list_has(upgrade, "websocket", false) && self->options->hooks &&
           self->options->hooks->websocket_open &&
           (!strcmp(self->target.path, "/graphql") ||
            !strcmp(self->target.path, "/graphql/realtime"));
}

static http_handshake_t s_handshake(const exchange_t *self)
{
    return (http_handshake_t){
        .path = self->target.path,
        .protocols = self->headers[HEADER_SEC_WEBSOCKET_PROTOCOL],
        .authorization = self->headers[HEADER_AUTHORIZATION],
        .api_key = self->headers[HEADER_X_API_KEY],
        .header_param = http_target_param(self->arena, &self->target, "header", HTTP_PLUS_IS_PLUS),
        .request_id = self->request_id,
        .traceparent = exchange_traceparent(self),
        .client = self->client,
        .client_key = self->client_key,
    };
}

/* ---- libmicrohttpd answers ---- */

static void s_on_upgrade(void *cls,
                         struct MHD_Connection *connection,
                         void *con_cls,
                         const char *extra,
                         size_t extra_size,
                         MHD_socket fd,
                         struct MHD_UpgradeResponseHandle *handle)
{
    exchange_t *self = cls;
    const http_options_t *options = self->options;
    (void)connection;
    (void)con_cls;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0) {
        int on = 1;
        setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        http_handshake_t handshake = s_handshake(self);
        options->hooks->websocket_open(options->hooks_arg, own, &handshake, self->protocol, extra,
                                       extra_size);
    }
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    server_kick(self->server); /* its timeouts do not see a pending close */
}

static void s_upgrade(exchange_t *self, const char *accept)
{
    self->response = MHD_create_response_for_upgrade(s_on_upgrade, self);
    self->status = MHD_HTTP_SWITCHING_PROTOCOLS;
    if (!self->response)
        return;
    MHD_add_response_header(self->response, "Upgrade", "websocket");
    MHD_add_response_header(self->response, "Sec-WebSocket-Accept", accept);
    if (self->protocol)
        MHD_add_response_header(self->response, "Sec-WebSocket-Protocol", self->protocol);
    exchange_send(self);
}

/* ---- the connection answers ---- */

/* Has nothing come but this request's head? False also if that is not known. */
static bool s_is_silent(const exchange_t *self, int fd)
{
    const union MHD_ConnectionInfo *head =
        MHD_get_connection_info(self->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return head && net_bytes_received(fd) == head->header_size;
}

/* True if the connection has left; its socket has TCP_NODELAY from the listening one. */
static bool s_leave(exchange_t *self, const char *accept)
{
    const http_options_t *options = self->options;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(self->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info || !s_is_silent(self, info->connect_fd))
        return false;
    int own = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return false;
    char memory[ANSWER_MAX];
    buffer_t answer = {.data = memory, .capacity = sizeof memory, .limit = sizeof memory};
    buffer_put_str(&answer, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\nSec-WebSocket-Accept: ");
    buffer_put_str(&answer, accept);
    if (self->protocol) {
        buffer_put_str(&answer, "\r\nSec-WebSocket-Protocol: ");
        buffer_put_str(&answer, self->protocol);
    }
    buffer_put_str(&answer, "\r\n\r\n");
    http_handshake_t handshake = s_handshake(self);
    handshake.answer = (json_slice_t){.data = answer.data, .size = answer.size};
    self->detached = true;
    server_count_response(self->server, MHD_HTTP_SWITCHING_PROTOCOLS);
    options->hooks->websocket_open(options->hooks_arg, own, &handshake, self->protocol, NULL, 0);
    return true;
}

/* ---- the handshake ---- */

/* What is wrong with the handshake, as status and message; 0: nothing. */
static unsigned s_check(const exchange_t *self, const char **message)
{
    const char *version = self->headers[HEADER_SEC_WEBSOCKET_VERSION];
    const char *connection = self->headers[HEADER_CONNECTION];
    if (!exchange_is(self, "GET")) {
        *message = "a WebSocket is opened with GET";
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (!version || strcmp(version, "13") != 0) {
        *message = "the WebSocket version must be 13";
        return MHD_HTTP_UPGRADE_REQUIRED;
    }
    if (!connection || !http_list_has(connection, "upgrade", false)) {
        *message = "Connection must name Upgrade";
        return MHD_HTTP_BAD_REQUEST;
    }
    if (!websocket_key_is_valid(self->headers[HEADER_SEC_WEBSOCKET_KEY])) {
        *message = "Sec-WebSocket-Key must be 16 bytes in base64";
        return MHD_HTTP_BAD_REQUEST;
    }
    if (!origins_allow(self->options->origins, self->headers[HEADER_ORIGIN])) {
        *message = "pages of this origin may not connect";
        return MHD_HTTP_FORBIDDEN;
    }
    if (server_is_draining(self->server)) {
        *message = "the server is going away";
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    return 0;
}

static void s_refuse(exchange_t *self, unsigned status, const char *message)
{
    err_code_t code = ERR_BAD_USER_INPUT;
    if (status == MHD_HTTP_FORBIDDEN)
        code = ERR_FORBIDDEN;
    else if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        code = ERR_UNAVAILABLE;
    exchange_reply_error(self, status, code, message);
    if (status == MHD_HTTP_UPGRADE_REQUIRED && self->response)
        MHD_add_response_header(self->response, "Sec-WebSocket-Version", "13");
}

void endpoint_websocket(exchange_t *self)
{
    const char *message = NULL;
    unsigned status = s_check(self, &message);
    if (status) {
        s_refuse(self, status, message);
        return;
    }
    if (!exchange_take_operation(self) || !exchange_may_stay(self))
        return;
    char accept[WEBSOCKET_ACCEPT_SIZE];
    websocket_accept(self->headers[HEADER_SEC_WEBSOCKET_KEY], accept);
    http_handshake_t handshake = s_handshake(self);
    if (self->options->hooks->websocket_choose)
        self->protocol =
            self->options->hooks->websocket_choose(self->options->hooks_arg, &handshake);
    if (!s_leave(self, accept))
        s_upgrade(self, accept);
}
