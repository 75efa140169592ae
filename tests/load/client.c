#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum { SOURCES = 8, FRAME_MAX = 4096, RECEIVE_BUFFER = 32 * 1024 };

static void s_die(const char *what)
{
    fprintf(stderr, "farm: %s: %s\n", what, strerror(errno));
    exit(2);
}

void client_close(client_world_t *world, client_t *self)
{
    if (self->fd < 0)
        return;
    close(self->fd);
    self->fd = -1;
    self->phase = CLIENT_CLOSED;
    self->rest_size = 0;
    world->closed++;
}

/* ---- out ---- */

/* Small and rare: what does not fit into an empty socket buffer is a lost connection. */
static void s_send(client_world_t *world, client_t *self, const char *data, size_t size)
{
    if (self->fd >= 0 && send(self->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        client_close(world, self);
}

/* A masked text frame; the mask is zero, which is legal and free. */
static void s_send_text(client_world_t *world, client_t *self, const char *text)
{
    char frame[FRAME_MAX] = {(char)0x81};
    size_t size = strlen(text), head = 1;
    if (size < 126) {
        frame[head++] = (char)(0x80 | size);
    } else {
        frame[head++] = (char)(0x80 | 126);
        frame[head++] = (char)(size >> 8);
        frame[head++] = (char)size;
    }
    head += 4;
    memcpy(frame + head, text, size);
    s_send(world, self, frame, head + size);
}

static void s_subscribe(client_world_t *world, client_t *self)
{
    char text[1024], start[CLIENT_CURSOR_SIZE + 20] = "\"last\":1";
    if (self->seq > 0)
        snprintf(start, sizeof start, "\"after\":\"%s\"", self->cursor);
    snprintf(text, sizeof text,
             "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription "
             "S($r:String,$last:Int,$after:String){addMessage(room:$r,last:$last,after:$after)"
             "{messageId body createdAt handle cursor}}\",\"variables\":{\"r\":\"%s-%u\",%s}}}",
             world->prefix, self->room, start);
    self->phase = self->seq > 0 ? CLIENT_LIVE : CLIENT_SUBSCRIBING;
    s_send_text(world, self, text);
}

void client_dial(client_world_t *world, client_t *self, unsigned number)
{
    const int on = 1, small = RECEIVE_BUFFER;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000001 + number % SOURCES)};
    struct sockaddr_in target = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)world->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = self};
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd < 0)
        s_die("socket");
    setsockopt(self->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (bind(self->fd, (struct sockaddr *)&source, sizeof source) != 0)
        s_die("bind");
    if (connect(self->fd, (struct sockaddr *)&target, sizeof target) != 0 && errno != EINPROGRESS)
        s_die("connect");
    self->phase = CLIENT_UPGRADING;
    self->code = 0;
    if (epoll_ctl(world->epoll, EPOLL_CTL_ADD, self->fd, &event) != 0)
        s_die("epoll_ctl");
}

/* ---- in ---- */

static unsigned s_base64url(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '-' ? 62 : 63;
}

/* The seq in a cursor (proto/bus.md 8): bits 136 to 199; it is far below 2^60. */
static uint64_t s_seq(const char *cursor)
{
    uint64_t bits = 0;
    for (int i = 23; i < CLIENT_CURSOR_SIZE; i++)
        bits = bits << 6 | s_base64url(cursor[i]);
    return bits >> 4;
}

static void s_on_next(client_world_t *world, client_t *self, const char *payload, size_t size)
{
    static const char body_mark[] = "\"body\":\"", cursor_mark[] = "\"cursor\":\"";
    const char *body = memmem(payload, size, body_mark, sizeof body_mark - 1);
    const char *cursor = memmem(payload, size, cursor_mark, sizeof cursor_mark - 1);
    if (!body || !cursor || cursor + sizeof cursor_mark + CLIENT_CURSOR_SIZE > payload + size) {
        world->wrong++;
        return;
    }
    memcpy(self->cursor, cursor + sizeof cursor_mark - 1, CLIENT_CURSOR_SIZE);
    uint64_t seq = s_seq(self->cursor);
    if (self->seq > 0 && seq != self->seq + 1)
        world->wrong++;
    self->seq = seq;
    self->phase = CLIENT_LIVE;
    world->deliveries++;
    int64_t sent_us = strtoll(body + sizeof body_mark - 1, NULL, 10);
    if (sent_us > 0)
        world->on_delivery(self, clock_mono_us() - sent_us);
}

static void s_on_text(client_world_t *world, client_t *self, const char *payload, size_t size)
{
    size_t head = size < 64 ? size : 64;
    if (memmem(payload, head, "\"next\"", 6)) {
        s_on_next(world, self, payload, size);
    } else if (memmem(payload, head, "connection_ack", 14)) {
        s_subscribe(world, self);
    } else if (memmem(payload, head, "\"ping\"", 6)) {
        s_send_text(world, self, "{\"type\":\"pong\"}");
    } else {
        world->refused++;
        fprintf(stderr, "farm: %.*s\n", (int)(size < 300 ? size : 300), payload);
    }
}

/* The length of a frame's payload and of its header; false: there is more to come. */
static bool s_measure(const unsigned char *at, size_t left, size_t *head, size_t *length)
{
    if (left < 2)
        return false;
    size_t extra = at[1] == 127 ? 8 : at[1] == 126 ? 2 : 0;
    *head = 2 + extra;
    *length = extra == 0 ? at[1] : 0;
    for (size_t i = 0; i < extra && left >= *head; i++)
        *length = *length << 8 | at[2 + i];
    return left >= *head && left - *head >= *length;
}

static size_t s_frames(client_world_t *world, client_t *self, const char *data, size_t size)
{
    size_t used = 0, head, length;
    while (self->fd >= 0 &&
           s_measure((const unsigned char *)data + used, size - used, &head, &length)) {
        const char *payload = data + used + head;
        unsigned opcode = (unsigned char)data[used] & 0x0F;
        if (opcode == 1)
            s_on_text(world, self, payload, length);
        else if (opcode == 9)
            s_send(world, self, "\x8A\x80\0\0\0\0", 6); /* the gateway's pings are empty */
        else if (opcode == 8 && length >= 2)
            self->code = (uint16_t)((unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
        used += head + length;
    }
    return used;
}

static size_t s_on_upgraded(client_world_t *world, client_t *self, const char *data, size_t size)
{
    char init[2048];
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (memcmp(data, "HTTP/1.1 101", 12) != 0) {
        world->refused++;
        fprintf(stderr, "farm: %.*s\n", (int)(size < 100 ? size : 100), data);
        client_close(world, self);
        return size;
    }
    self->phase = CLIENT_ACKNOWLEDGING;
    snprintf(init, sizeof init,
             "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer %s\"}}",
             world->token);
    s_send_text(world, self, init);
    return (size_t)(end + 4 - data);
}

void client_connected(client_world_t *world, client_t *self)
{
    static const char request[] =
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    epoll_ctl(world->epoll, EPOLL_CTL_MOD, self->fd, &event);
    s_send(world, self, request, sizeof request - 1);
}

static void s_keep_rest(client_t *self, const char *data, size_t size)
{
    self->rest_size = size;
    if (size == 0)
        return;
    self->rest = realloc(self->rest, size);
    if (!self->rest)
        abort();
    memcpy(self->rest, data, size);
}

void client_read(client_world_t *world, client_t *self)
{
    static char buffer[CLIENT_READ_SIZE];
    if (self->rest_size > 0)
        memcpy(buffer, self->rest, self->rest_size);
    ssize_t n = recv(self->fd, buffer + self->rest_size, sizeof buffer - self->rest_size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(world, self);
        return;
    }
    size_t size = self->rest_size + (size_t)n, used = 0;
    if (self->phase == CLIENT_UPGRADING)
        used = s_on_upgraded(world, self, buffer, size);
    if (self->phase != CLIENT_UPGRADING)
        used += s_frames(world, self, buffer + used, size - used);
    if (self->fd >= 0)
        s_keep_rest(self, buffer + used, size - used);
}
