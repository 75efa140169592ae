/* gateway/http/connection_limits.h: how many connections one client address has open, whatever is
 * spoken on them. Behind a trusted proxy its connections are not counted, but the WebSockets and
 * event streams that it carries are, for their client. Loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_CONNECTION_LIMITS_H
#define PARLEY_GATEWAY_HTTP_CONNECTION_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct connection_limits connection_limits_t;

/* NULL if max is 0: no limit. */
connection_limits_t *connection_limits_new(size_t max);
void connection_limits_destroy(connection_limits_t **self_p);

/* All functions below: self may be NULL. address is a key of common/address_key.h. */

/* Is there room for one more? If not, that is counted (parley_connections_refused_total). */
bool connection_limits_allow(connection_limits_t *self, uint64_t address);
/* One has begun, and is to leave. */
void connection_limits_enter(connection_limits_t *self, uint64_t address);
void connection_limits_leave(connection_limits_t *self, uint64_t address);

#endif
