/* gateway/http/peers.h: the connections that libmicrohttpd holds: whose each is, whether its
 * address has too many, and which of them say nothing. Private to gateway/http; loop thread only.
 */
#ifndef PARLEY_GATEWAY_HTTP_PEERS_H
#define PARLEY_GATEWAY_HTTP_PEERS_H

#include "common/list.h"
#include "common/metrics.h"
#include "gateway/http/exchange.h"

/* Part of its server. */
typedef struct {
    const http_options_t *options; /* borrowed */
    list_t silent;                 /* who has not asked for anything yet, oldest first */
    list_t crowd;                  /* the same, of those that are too many */
    size_t count;
    metric_t *open;
} peers_t;

void peers_init(peers_t *self, const http_options_t *options);
/* MHD_NotifyConnectionCallback; cls is the peers_t. */
void peers_on_connection(void *cls,
                         struct MHD_Connection *connection,
                         void **socket_context,
                         enum MHD_ConnectionNotificationCode code);
/* A request begins. */
void peers_on_request(struct MHD_Connection *connection);
/* Is the connection one too many of its address? */
bool peers_are_crowded(struct MHD_Connection *connection);
/* Fills in who sends the exchange's request, when its headers are kept. */
void peers_name_client(exchange_t *exchange);
/* Closes the silent ones and the crowd that were accepted before. Monotonic. */
void peers_close_silent(peers_t *self, int64_t silent_us, int64_t crowd_us);

#endif
