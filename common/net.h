/* common/net.h: addresses and listening sockets. */
#ifndef PARLEY_COMMON_NET_H
#define PARLEY_COMMON_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

/* "127.0.0.1:8080", "[::1]:8080", "*:8080" or ":8080" (all addresses) as a numeric socket address.
 * ERR_CONFIG else. */
err_code_t
net_parse_address(const char *text, struct sockaddr_storage *address, socklen_t *size, err_t *err);

/* A non-blocking listening TCP socket (close-on-exec, SO_REUSEADDR, backlog 4096, SO_SNDBUF
 * sndbuf_bytes if > 0, which accepted sockets inherit); share_port sets SO_REUSEPORT. -1 and
 * ERR_SYSTEM with the address named ("address already in use"). */
int net_listen(const char *address, bool share_port, int sndbuf_bytes, err_t *err);

/* Bytes that came on a TCP connection so far, read or not; UINT64_MAX if the system does not say.
 */
uint64_t net_bytes_received(int fd);

/* The limit of open descriptors, raised to the hard limit. */
size_t net_raise_descriptor_limit(void);

/* GET path from ADDR:PORT, blocking, for healthcheck sub-commands: the status code, or -1 after
 * timeout_ms. */
int net_http_status(const char *address, const char *path, int timeout_ms);

#endif
