/* gateway/http/server_private.h: what exchanges ask of their server. Private to gateway/http. */
#ifndef PARLEY_GATEWAY_HTTP_SERVER_PRIVATE_H
#define PARLEY_GATEWAY_HTTP_SERVER_PRIVATE_H

#include "gateway/http/server.h"

bool server_is_draining(const http_server_t *self);
void server_count_response(http_server_t *self, unsigned status);
/* libmicrohttpd runs at the end of this turn. */
void server_kick(http_server_t *self);

#endif
