#include "common/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h> /* netinet/tcp.h does not know tcpi_bytes_received */
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"

enum { BACKLOG = 4096, HOST_MAX = 64, RESPONSE_HEAD = 64 };

static err_code_t s_split(const char *text, char host[HOST_MAX], const char **port, err_t *err)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0')
        return err_set(err, ERR_CONFIG, "'%s' is no ADDR:PORT", text);
    const char *start = text;
    size_t size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && colon[-1] == ']') {
        start++;
        size -= 2;
    }
    if (size >= HOST_MAX)
        return err_set(err, ERR_CONFIG, "'%s' is no ADDR:PORT", text);
    memcpy(host, start, size);
    host[size] = '\0';
    if (strcmp(host, "*") == 0)
        host[0] = '\0';
    *port = colon + 1;
    return ERR_OK;
}

err_code_t
net_parse_address(const char *text, struct sockaddr_storage *address, socklen_t *size, err_t *err)
{
    char host[HOST_MAX];
    const char *port = "";
    if (s_split(text, host, &port, err) != ERR_OK)
        return ERR_CONFIG;
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_family = host[0] == '\0' ? AF_INET : AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (*end != '\0' || number > 65535 ||
        getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found) != 0)
        return err_set(err, ERR_CONFIG, "'%s' is no numeric ADDR:PORT", text);
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

int net_listen(const char *address, bool share_port, int sndbuf_bytes, err_t *err)
{
    struct sockaddr_storage storage;
    socklen_t size;
    if (net_parse_address(address, &storage, &size, err) != ERR_OK)
        return -1;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0)
        goto failed;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (sndbuf_bytes > 0 &&
         setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf_bytes, sizeof sndbuf_bytes) != 0))
        goto failed;
    if (bind(fd, (const struct sockaddr *)&storage, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
failed:;
    int errnum = errno;
    char what[ERR_TEXT_SIZE / 2];
    snprintf(what, sizeof what, "cannot listen on %s", address);
    err_set_errno(err, errnum, what);
    if (fd >= 0)
        close(fd);
    return -1;
}

uint64_t net_bytes_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    const size_t end = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);
    bool is_known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && size >= end;
    return is_known ? info.tcpi_bytes_received : UINT64_MAX;
}

size_t net_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = soft;
    }
    return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}

/* Waits until fd is ready for events; false when the time is up. */
static bool s_wait(int fd, short events, int64_t due_us)
{
    int64_t left_ms = (due_us - clock_mono_us()) / 1000;
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return left_ms > 0 && poll(&poll_fd, 1, (int)left_ms) == 1;
}

static int s_read_status(int fd, int64_t due_us)
{
    char head[RESPONSE_HEAD + 1];
    size_t used = 0;
    while (used < RESPONSE_HEAD && s_wait(fd, POLLIN, due_us)) {
        ssize_t n = read(fd, head + used, RESPONSE_HEAD - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    head[used] = '\0';
    int status;
    return sscanf(head, "HTTP/1.%*1[01] %3d", &status) == 1 ? status : -1;
}

int net_http_status(const char *address, const char *path, int timeout_ms)
{
    struct sockaddr_storage storage;
    socklen_t size;
    int64_t due_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    if (net_parse_address(address, &storage, &size, NULL) != ERR_OK)
        return -1;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int status = -1;
    char request[256];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (length > 0 && (size_t)length < sizeof request &&
        (connect(fd, (const struct sockaddr *)&storage, size) == 0 || errno == EINPROGRESS) &&
        s_wait(fd, POLLOUT, due_us) && write(fd, request, (size_t)length) == length)
        status = s_read_status(fd, due_us);
    close(fd);
    return status;
}
