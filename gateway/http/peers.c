#include "gateway/http/peers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/address_key.h"
#include "common/clock.h"

/* The socket context of a connection. */
typedef struct {
    list_node_t node; /* in `silent` or `crowd` until its first request line */
    int fd;
    int64_t accepted_us;
    char address[CLIENT_ADDRESS_SIZE]; /* of the socket; "" before it was asked for */
    uint64_t key;                      /* of address */
    rate_connection_t rate;
    token_memo_t memo;
    bool is_counted; /* among the connections of its address */
    bool is_over;    /* more of them than the limit: to be told so, and closed */
} peer_t;

void peers_init(peers_t *self, const http_options_t *options)
{
    self->options = options;
    list_init(&self->silent);
    list_init(&self->crowd);
    self->open = metrics_gauge("parley_connections", "Open connections by what is spoken on them.",
                               "dialect=\"http\"");
}

static peer_t *s_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- names ---- */

static const struct sockaddr *s_socket_address(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

/* Whose connection it is, by its socket. */
static void
s_name_peer(const http_options_t *options, struct MHD_Connection *connection, peer_t *peer)
{
    if (*peer->address)
        return;
    client_address(options->trusted_proxies, s_socket_address(connection), NULL, peer->address);
    peer->key = address_key(peer->address);
}

void peers_name_client(exchange_t *exchange)
{
    const trusted_proxies_t *trusted = exchange->options->trusted_proxies;
    const char *forwarded = exchange->headers[HEADER_X_FORWARDED_FOR];
    peer_t *peer = s_peer(exchange->connection);
    if (peer) {
        exchange->memo = &peer->memo;
        s_name_peer(exchange->options, exchange->connection, peer);
    }
    bool is_proxys =
        (forwarded || !peer) && client_address(trusted, s_socket_address(exchange->connection),
                                               forwarded, exchange->client);
    if (is_proxys || !peer) { /* behind a proxy the connection is everybody's */
        exchange->client_key = address_key(exchange->client);
        return;
    }
    memcpy(exchange->client, peer->address, sizeof exchange->client);
    exchange->client_key = peer->key;
    exchange->rate = &peer->rate;
}

/* ---- coming and going ---- */

/* A connection too many gets an answer to its request, if it comes soon. */
static void s_admit(const peers_t *self, struct MHD_Connection *connection, peer_t *peer)
{
    connection_limits_t *limits = self->options->connections;
    if (!limits || client_is_proxy(self->options->trusted_proxies, s_socket_address(connection)))
        return;
    s_name_peer(self->options, connection, peer);
    peer->is_counted = connection_limits_allow(limits, peer->key);
    peer->is_over = !peer->is_counted;
    if (peer->is_counted)
        connection_limits_enter(limits, peer->key);
}

void peers_on_connection(void *cls,
                         struct MHD_Connection *connection,
                         void **socket_context,
                         enum MHD_ConnectionNotificationCode code)
{
    peers_t *self = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer_t *peer = calloc(1, sizeof *peer);
        if (!peer)
            abort();
        peer->fd = info->connect_fd;
        s_admit(self, connection, peer);
        peer->accepted_us = clock_mono_us();
        list_init(&peer->node);
        list_append(peer->is_over ? &self->crowd : &self->silent, &peer->node);
        *socket_context = peer;
        self->count++;
    } else {
        peer_t *peer = *socket_context;
        list_remove(&peer->node);
        token_memo_clear(&peer->memo);
        if (peer->is_counted)
            connection_limits_leave(self->options->connections, peer->key);
        free(peer);
        *socket_context = NULL;
        self->count--;
    }
    metric_set(self->open, (int64_t)self->count);
}

void peers_on_request(struct MHD_Connection *connection)
{
    peer_t *peer = s_peer(connection);
    if (peer)
        list_remove(&peer->node);
}

bool peers_are_crowded(struct MHD_Connection *connection)
{
    const peer_t *peer = s_peer(connection);
    return peer && peer->is_over;
}

static void s_close_older(list_t *peers, int64_t limit_us)
{
    while (!list_is_empty(peers)) {
        peer_t *peer = LIST_ITEM(list_first(peers), peer_t, node);
        if (peer->accepted_us > limit_us)
            break;
        list_remove(&peer->node);
        shutdown(peer->fd, SHUT_RDWR);
    }
}

void peers_close_silent(peers_t *self, int64_t silent_us, int64_t crowd_us)
{
    s_close_older(&self->silent, silent_us);
    s_close_older(&self->crowd, crowd_us);
}
