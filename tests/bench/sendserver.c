/* tests/bench/sendserver.c: the yardstick of fan-out: the smallest server that pushes events over
 * WebSockets. One epoll loop; the body of each POST becomes one text frame, written to every open
 * WebSocket with one send, in turn; a socket that takes nothing misses it. No rooms, no GraphQL, no
 * storage, no checks: its handshake is that of the one key that bench_wsload sends. Usage:
 * bench_sendserver PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 65536, BACKLOG = 4096, EVENTS = 512, REQUEST_MAX = 8192, BODY_MAX = 4096 };

static int s_subscribers[FDS_MAX];
static int s_subscriber_count;
static int s_epoll;

static void s_die(const char *what)
{
    fprintf(stderr, "sendserver: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void s_forget(int fd)
{
    for (int i = 0; i < s_subscriber_count; i++)
        if (s_subscribers[i] == fd)
            s_subscribers[i--] = s_subscribers[--s_subscriber_count];
    close(fd);
}

static void s_broadcast(const char *body, size_t size)
{
    char frame[BODY_MAX + 4];
    size_t head = 2;
    frame[0] = (char)0x81;
    if (size < 126) {
        frame[1] = (char)size;
    } else {
        frame[1] = 126;
        frame[2] = (char)(size >> 8);
        frame[3] = (char)size;
        head = 4;
    }
    memcpy(frame + head, body, size);
    for (int i = 0; i < s_subscriber_count; i++)
        (void)!send(s_subscribers[i], frame, head + size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One request; requests are small and come whole, since the client writes them with one send. */
static void s_on_request(int fd, char *request, size_t size)
{
    static const char upgraded[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    if (memcmp(request, "GET ", 4) == 0 && s_subscriber_count < FDS_MAX) {
        s_subscribers[s_subscriber_count++] = fd;
        (void)!send(fd, upgraded, sizeof upgraded - 1, MSG_NOSIGNAL);
        return;
    }
    if (memcmp(request, "POST", 4) != 0)
        return; /* a frame of the client */
    char *body = memmem(request, size, "\r\n\r\n", 4);
    size_t body_size = body == NULL ? 0 : size - (size_t)(body + 4 - request);
    if (body_size > 0 && body_size <= BODY_MAX)
        s_broadcast(body + 4, body_size);
    (void)!send(fd, done, sizeof done - 1, MSG_NOSIGNAL);
}

static void s_on_readable(int fd)
{
    static char request[REQUEST_MAX];
    ssize_t n = recv(fd, request, sizeof request, MSG_DONTWAIT);
    if (n > 0)
        s_on_request(fd, request, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        s_forget(fd);
}

static void s_accept(int listener)
{
    const int on = 1;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (epoll_ctl(s_epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            s_die("epoll_ctl");
    }
}

static int s_listen(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0)
        s_die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc != 2) {
        fprintf(stderr, "usage: bench_sendserver PORT\n");
        return 2;
    }
    int listener = s_listen(argv[1]);
    s_epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll_ctl(s_epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        s_die("epoll_ctl");
    for (;;) {
        int count = epoll_wait(s_epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                s_accept(listener);
            else
                s_on_readable(events[i].data.fd);
    }
}
