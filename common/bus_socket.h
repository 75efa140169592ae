/* common/bus_socket.h: ZeroMQ sockets with the options and the security of proto/bus.md 1.1
 * and 1.2. Loop thread. */
#ifndef PARLEY_COMMON_BUS_SOCKET_H
#define PARLEY_COMMON_BUS_SOCKET_H

#include <czmq.h>
#include <stdbool.h>

#include "common/err.h"

typedef enum {
    BUS_SOCKET_ROUTER,
    BUS_SOCKET_XPUB,
    BUS_SOCKET_DEALER,
    BUS_SOCKET_SUB
} bus_socket_kind_t;

/* How a side of the bus proves who it is. Borrowed strings. */
typedef struct {
    const char *keys_dir; /* NULL: no keys (then tcp needs plain_tcp) */
    const char *own;      /* "store" → keys_dir/store.key, "gateway" → keys_dir/gateway.key */
    bool plain_tcp;       /* tcp without CURVE was explicitly allowed */
} bus_security_t;

/* The process's authentication of bus peers: reads keys_dir/gateways/(name).pub and serves ZAP
 * (czmq zauth) for the ROUTER and XPUB sockets. For services only; not needed without tcp. NULL and
 * ERR_CONFIG if keys are missing or unreadable. Make it before the sockets, destroy it after them.
 */
typedef struct bus_auth bus_auth_t;
bus_auth_t *bus_auth_new(const bus_security_t *security, err_t *err);
void bus_auth_destroy(bus_auth_t **self_p);

/* A bound ROUTER or XPUB. ipc:// sockets get file mode 0600. NULL and ERR_CONFIG (bad endpoint,
 * keys) or ERR_SYSTEM (address in use …) with the endpoint named. */
zsock_t *bus_socket_bind(bus_socket_kind_t kind,
                         const char *endpoint,
                         const bus_security_t *security,
                         err_t *err);

/* A DEALER or SUB with options and keys for endpoint, not connected yet: for those who hang a
 * monitor on it first (else a quick connection's event is missed) and then zmq_connect it. A
 * service may have several keys while they rotate: keys_dir/services/(service).pub and
 * (service).*.pub; turn says which is tried (the turn-th, round and round). NULL as above. */
zsock_t *bus_socket_prepare(bus_socket_kind_t kind,
                            const char *endpoint,
                            const char *service,
                            unsigned turn,
                            const bus_security_t *security,
                            err_t *err);

/* A connecting DEALER or SUB; service names the key file keys_dir/services/(service).pub. The
 * connection itself comes about later. NULL as above. */
zsock_t *bus_socket_connect(bus_socket_kind_t kind,
                            const char *endpoint,
                            const char *service,
                            const bus_security_t *security,
                            err_t *err);

/* Makes CURVE key pairs and master.key for a store and its gateways under dir (see parley-store
 * keygen); files that exist are kept. Secret files are 0600, directories 0700. */
err_code_t bus_keygen(const char *dir, err_t *err);

#endif
