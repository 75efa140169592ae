#include "common/bus_socket.h"

#include <errno.h>
#include <glob.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus_record.h"

enum {
    HEARTBEAT_MS = 1000,
    SILENCE_MS = 3000, /* a peer that is silent for so long is gone */
    KEEPALIVE_S = 1,
    EVENTS_HWM = 100000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 1000,
    PATH_SIZE = 512,
    MASTER_KEY_BYTES = 32,
};

static const char ZAP_DOMAIN[] = "parley";

struct bus_auth {
    zactor_t *zauth;
};

static bool s_is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

static bool s_needs_curve(const char *endpoint, const bus_security_t *security)
{
    return s_is_tcp(endpoint) && !security->plain_tcp;
}

static zcert_t *s_load_path(const char *path, err_t *err)
{
    zcert_t *cert = access(path, R_OK) == 0 ? zcert_load(path) : NULL;
    if (cert == NULL)
        err_set(err, ERR_CONFIG, "cannot read the bus key %s", path);
    return cert;
}

static zcert_t *s_load_cert(const char *dir, const char *name, const char *suffix, err_t *err)
{
    char path[PATH_SIZE];
    if (dir == NULL) {
        err_set(err, ERR_CONFIG,
                "the bus over tcp needs --keys (or, without encryption, --plain-tcp)");
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s.%s", dir, name, suffix);
    return s_load_path(path, err);
}

/* The turn-th of a service's public keys. */
static zcert_t *s_load_server(const char *dir, const char *service, unsigned turn, err_t *err)
{
    char folder[PATH_SIZE], pattern[2 * PATH_SIZE];
    glob_t found = {0};
    snprintf(folder, sizeof folder, "%s/services", dir);
    snprintf(pattern, sizeof pattern, "%s/%s.*.pub", folder, service);
    size_t others = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    size_t index = turn % (others + 1);
    zcert_t *cert = index == 0 ? s_load_cert(folder, service, "pub", err)
                               : s_load_path(found.gl_pathv[index - 1], err);
    globfree(&found);
    return cert;
}

/* ---- services: who may connect ---- */

bus_auth_t *bus_auth_new(const bus_security_t *security, err_t *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/gateways",
             security->keys_dir != NULL ? security->keys_dir : "");
    if (security->keys_dir == NULL || access(path, R_OK | X_OK) != 0) {
        err_set(err, ERR_CONFIG, "cannot read the folder of gateways' keys %s", path);
        return NULL;
    }
    bus_auth_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->zauth = zactor_new(zauth, NULL);
    if (self->zauth == NULL)
        abort();
    zstr_sendx(self->zauth, "CURVE", path, NULL);
    zsock_wait(self->zauth);
    return self;
}

void bus_auth_destroy(bus_auth_t **self_p)
{
    if (*self_p == NULL)
        return;
    zactor_destroy(&(*self_p)->zauth);
    free(*self_p);
    *self_p = NULL;
}

/* ---- sockets ---- */

/* How a peer that is silent is found. libzmq (4.3.4) aborts the process when its timer for a
 * heartbeat is due on a connection that is lost while what came from it cannot be queued: the queue
 * is full, or the socket is being closed. So only DEALER asks for signs of life, the other end of
 * whose connection answers and watches for its questions; a gateway gives up its SUB with it.
 * DEALER has no limit to its queue: what it may receive is bounded by the limits of the protocol.
 */
static void s_watch_peer(zsock_t *socket, bus_socket_kind_t kind)
{
    if (kind == BUS_SOCKET_DEALER) {
        zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
        zsock_set_heartbeat_timeout(socket, SILENCE_MS);
        zsock_set_heartbeat_ttl(socket, SILENCE_MS);
    }
    zsock_set_tcp_keepalive(socket, 1);
    zsock_set_tcp_keepalive_idle(socket, KEEPALIVE_S);
    zsock_set_tcp_keepalive_intvl(socket, KEEPALIVE_S);
    zsock_set_tcp_keepalive_cnt(socket, SILENCE_MS / 1000 / KEEPALIVE_S);
    zsock_set_tcp_maxrt(socket, SILENCE_MS);
}

static zsock_t *s_new(bus_socket_kind_t kind)
{
    static const int types[] = {ZMQ_ROUTER, ZMQ_XPUB, ZMQ_DEALER, ZMQ_SUB};
    zsock_t *socket = zsock_new(types[kind]);
    if (socket == NULL)
        abort(); /* out of memory or of descriptors */
    zsock_set_linger(socket, 0);
    zsock_set_maxmsgsize(socket, BUS_MESSAGE_MAX);
    s_watch_peer(socket, kind);
    switch (kind) {
    case BUS_SOCKET_XPUB:
        zsock_set_xpub_verbose(socket, 1);
        zsock_set_sndhwm(socket, EVENTS_HWM);
        zsock_set_rcvhwm(socket, 0);
        break;
    case BUS_SOCKET_SUB:
        zsock_set_sndhwm(socket, 0);
        zsock_set_rcvhwm(socket, EVENTS_HWM);
        break;
    case BUS_SOCKET_DEALER:
        zsock_set_immediate(socket, 1);
        zsock_set_rcvhwm(socket, 0);
        break;
    case BUS_SOCKET_ROUTER:
        zsock_set_rcvhwm(socket, 0);
        break;
    }
    if (kind == BUS_SOCKET_SUB || kind == BUS_SOCKET_DEALER) {
        zsock_set_reconnect_ivl(socket, RECONNECT_MS);
        zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
    }
    return socket;
}

static err_code_t
s_secure_server(zsock_t *socket, const char *endpoint, const bus_security_t *security, err_t *err)
{
    if (!s_needs_curve(endpoint, security))
        return ERR_OK;
    zcert_t *cert = s_load_cert(security->keys_dir, security->own, "key", err);
    if (cert == NULL)
        return ERR_CONFIG;
    zcert_apply(cert, socket);
    zsock_set_zap_domain(socket, ZAP_DOMAIN);
    zsock_set_curve_server(socket, 1);
    zcert_destroy(&cert);
    return ERR_OK;
}

static err_code_t s_secure_client(zsock_t *socket,
                                  const char *endpoint,
                                  const char *service,
                                  unsigned turn,
                                  const bus_security_t *security,
                                  err_t *err)
{
    if (!s_needs_curve(endpoint, security))
        return ERR_OK;
    zcert_t *own = s_load_cert(security->keys_dir, security->own, "key", err);
    zcert_t *server = own != NULL ? s_load_server(security->keys_dir, service, turn, err) : NULL;
    if (server != NULL) {
        zcert_apply(own, socket);
        zsock_set_curve_serverkey(socket, zcert_public_txt(server));
    }
    zcert_destroy(&own);
    zcert_destroy(&server);
    return err->code;
}

zsock_t *bus_socket_bind(bus_socket_kind_t kind,
                         const char *endpoint,
                         const bus_security_t *security,
                         err_t *err)
{
    zsock_t *socket = s_new(kind);
    if (s_secure_server(socket, endpoint, security, err) == ERR_OK) {
        if (zmq_bind(zsock_resolve(socket), endpoint) == 0) {
            if (strncmp(endpoint, "ipc://", 6) == 0)
                chmod(endpoint + 6, S_IRUSR | S_IWUSR);
            return socket;
        }
        err_set(err, errno == EINVAL || errno == EPROTONOSUPPORT ? ERR_CONFIG : ERR_SYSTEM,
                "cannot bind the bus to %s: %s", endpoint, zmq_strerror(errno));
    }
    zsock_destroy(&socket);
    return NULL;
}

zsock_t *bus_socket_prepare(bus_socket_kind_t kind,
                            const char *endpoint,
                            const char *service,
                            unsigned turn,
                            const bus_security_t *security,
                            err_t *err)
{
    err_t own_err = ERR_INIT; /* s_secure_client looks at it, and the caller may give none */
    zsock_t *socket = s_new(kind);
    if (s_secure_client(socket, endpoint, service, turn, security, &own_err) == ERR_OK)
        return socket;
    err_set(err, own_err.code, "%s", own_err.text);
    zsock_destroy(&socket);
    return NULL;
}

zsock_t *bus_socket_connect(bus_socket_kind_t kind,
                            const char *endpoint,
                            const char *service,
                            const bus_security_t *security,
                            err_t *err)
{
    zsock_t *socket = bus_socket_prepare(kind, endpoint, service, 0, security, err);
    if (socket == NULL || zmq_connect(zsock_resolve(socket), endpoint) == 0)
        return socket;
    err_set(err, ERR_CONFIG, "cannot connect to %s: %s", endpoint, zmq_strerror(errno));
    zsock_destroy(&socket);
    return NULL;
}

/* ---- keys ---- */

static err_code_t s_make_dir(const char *path, err_t *err)
{
    if (mkdir(path, S_IRWXU) == 0 || errno == EEXIST)
        return ERR_OK;
    return err_set(err, ERR_SYSTEM, "cannot make %s: %s", path, strerror(errno));
}

/* Loads dir/own.key or makes it, and sees to it that public_path holds its public half. */
static err_code_t s_make_pair(const char *secret_path, const char *public_path, err_t *err)
{
    bool exists = access(secret_path, F_OK) == 0;
    zcert_t *cert = exists ? zcert_load(secret_path) : zcert_new();
    if (cert == NULL)
        return err_set(err, ERR_CONFIG, "cannot read the bus key %s", secret_path);
    int rc = exists ? 0 : zcert_save_secret(cert, secret_path);
    if (rc == 0)
        rc = chmod(secret_path, S_IRUSR | S_IWUSR);
    if (rc == 0 && access(public_path, F_OK) != 0)
        rc = zcert_save_public(cert, public_path);
    zcert_destroy(&cert);
    if (rc != 0)
        return err_set(err, ERR_SYSTEM, "cannot write %s: %s", secret_path, strerror(errno));
    return ERR_OK;
}

static err_code_t s_make_master(const char *path, err_t *err)
{
    unsigned char key[MASTER_KEY_BYTES];
    char hex[2 * MASTER_KEY_BYTES + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == EEXIST)
        return ERR_OK;
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    randombytes_buf(key, sizeof key);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    hex[sizeof hex - 1] = '\n';
    bool ok = write(fd, hex, sizeof hex) == (ssize_t)sizeof hex;
    ok = close(fd) == 0 && ok;
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    return ok ? ERR_OK : err_set(err, ERR_SYSTEM, "cannot write %s", path);
}

err_code_t bus_keygen(const char *dir, err_t *err)
{
    static const char *const folders[] = {"", "/gateway", "/gateway/services", "/store",
                                          "/store/gateways"};
    char secret[PATH_SIZE], public[PATH_SIZE];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(secret, sizeof secret, "%s%s", dir, folders[i]);
        if (s_make_dir(secret, err) != ERR_OK)
            return err->code;
    }
    snprintf(secret, sizeof secret, "%s/gateway/gateway.key", dir);
    snprintf(public, sizeof public, "%s/store/gateways/gateway.pub", dir);
    if (s_make_pair(secret, public, err) != ERR_OK)
        return err->code;
    snprintf(secret, sizeof secret, "%s/store/store.key", dir);
    snprintf(public, sizeof public, "%s/gateway/services/store.pub", dir);
    if (s_make_pair(secret, public, err) != ERR_OK)
        return err->code;
    snprintf(secret, sizeof secret, "%s/store/master.key", dir);
    return s_make_master(secret, err);
}
