/* gateway/http/client_address.h: who is at the other end, also behind proxies that are trusted
 * (--trusted-proxies). For logs and limits. Pure once made; loop thread. */
#ifndef PARLEY_GATEWAY_HTTP_CLIENT_ADDRESS_H
#define PARLEY_GATEWAY_HTTP_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/err.h"

typedef struct trusted_proxies trusted_proxies_t;

enum { CLIENT_ADDRESS_SIZE = 64 };

/* list: "none", or addresses and networks separated by commas: "10.0.0.0/8,::1". NULL and
 * ERR_CONFIG with the item named. */
trusted_proxies_t *trusted_proxies_new(const char *list, err_t *err);
void trusted_proxies_destroy(trusted_proxies_t **self_p);

/* Is the socket's peer a trusted proxy? */
bool client_is_proxy(const trusted_proxies_t *self, const struct sockaddr *peer);

/* The address of the client: that of the socket's peer or, if that is a trusted proxy, the last one
 * in X-Forwarded-For (may be NULL) that is no trusted proxy. NUL-terminated into out. True if the
 * header was believed: then the connection is a proxy's. */
bool client_address(const trusted_proxies_t *self,
                    const struct sockaddr *peer,
                    const char *forwarded_for,
                    char out[CLIENT_ADDRESS_SIZE]);

#endif
