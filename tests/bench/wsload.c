/* tests/bench/wsload.c: many graphql-transport-ws subscribers of one room and a poster of
 * createMessage, in one epoll loop. Checks every frame (each subscriber must see seq 1, 2, 3 …
 * without loss, repeat or change of order) while it measures the time from the post to each
 * delivery. Bounded in connections and time; loopback only. Usage: bench_wsload PORT TOKEN ROOM
 * SUBSCRIBERS POSTERS RATE SECONDS   (RATE 0: each poster posts as fast as it is answered). Prints
 * one JSON line; exit status 1 if anything was lost, repeated or reordered. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum {
    SUBSCRIBERS_MAX = 20000,
    POSTERS_MAX = 256,
    SECONDS_MAX = 120,
    READ_SIZE = 256 * 1024,
    EVENTS = 512,
    BUCKETS = 2000, /* of the latency histogram, 1 ms each from 10 ms on, 10 µs below */
    SETUP_S = 60,
    DRAIN_S = 10,
};

typedef enum { UPGRADING, ACKNOWLEDGING, SUBSCRIBING, LIVE } phase_t;

typedef struct {
    int fd;
    bool is_poster;
    bool is_busy; /* poster: a request is under way */
    phase_t phase;
    uint64_t last; /* seq of the last message */
    char *rest;    /* bytes of an incomplete frame */
    size_t rest_size;
} client_t;

static struct {
    int port;
    const char *token;
    const char *room;
    int epoll;
    client_t *clients;
    int subscriber_count, poster_count, live_count;
    uint64_t posted, acknowledged, deliveries, wrong, refused;
    uint64_t fast[1000], slow[BUCKETS]; /* latencies: 10 µs steps, then 1 ms steps */
    int64_t max_latency_us;
    bool measuring;
} s;

static void s_die(const char *what)
{
    fprintf(stderr, "wsload: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int s_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)s.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        s_die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void s_send(client_t *client, const char *data, size_t size)
{
    /* Small and rare: what does not fit into an empty socket buffer is a failure of the set-up. */
    if (send(client->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        s_die("send");
}

/* A masked text frame; the mask is zero, which is legal and free. */
static void s_send_frame(client_t *client, const char *text)
{
    unsigned char frame[4096];
    size_t size = strlen(text), head = 0;
    frame[head++] = 0x81;
    if (size < 126) {
        frame[head++] = (unsigned char)(0x80 | size);
    } else {
        frame[head++] = 0x80 | 126;
        frame[head++] = (unsigned char)(size >> 8);
        frame[head++] = (unsigned char)size;
    }
    memset(frame + head, 0, 4);
    head += 4;
    memcpy(frame + head, text, size);
    s_send(client, (const char *)frame, head + size);
}

static void s_post(client_t *client)
{
    char body[1024], request[4096];
    s.posted++;
    int body_size =
        snprintf(body, sizeof body,
                 "{\"query\":\"mutation M($b:String!,$r:String){createMessage(body:$b,room:$r){"
                 "messageId body createdAt handle cursor}}\",\"variables\":{\"b\":\"%lld\","
                 "\"r\":\"%s\"}}",
                 (long long)clock_mono_us(), s.room);
    int size =
        snprintf(request, sizeof request,
                 "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
                 s.token, body_size, body);
    client->is_busy = true;
    s_send(client, request, (size_t)size);
}

static void s_note_latency(int64_t latency_us)
{
    if (latency_us > s.max_latency_us)
        s.max_latency_us = latency_us;
    if (latency_us < 10000)
        s.fast[latency_us / 10]++;
    else
        s.slow[latency_us / 1000 < BUCKETS ? latency_us / 1000 : BUCKETS - 1]++;
}

static int s_base64url(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : 63;
}

/* The seq in a cursor's 34 characters (proto/bus.md 8): bits 136 to 199; it is far below 2^60. */
static uint64_t s_cursor_seq(const char *cursor)
{
    uint64_t bits = 0;
    for (int i = 23; i < 34; i++)
        bits = bits << 6 | (uint64_t)s_base64url(cursor[i]);
    return bits >> 4;
}

/* One message: its body is the microsecond at which it was posted. */
static void s_on_next(client_t *client, const char *payload, size_t size, int64_t now_us)
{
    static const char body_mark[] = "\"body\":\"", cursor_mark[] = "\"cursor\":\"";
    const char *body = memmem(payload, size, body_mark, sizeof body_mark - 1);
    const char *cursor = memmem(payload, size, cursor_mark, sizeof cursor_mark - 1);
    if (body == NULL || cursor == NULL || cursor + sizeof cursor_mark + 34 > payload + size) {
        s.wrong++;
        return;
    }
    uint64_t seq = s_cursor_seq(cursor + sizeof cursor_mark - 1);
    int64_t sent_us = strtoll(body + sizeof body_mark - 1, NULL, 10);
    if (client->phase != LIVE) {
        client->phase = LIVE;
        s.live_count++;
    } else if (seq != client->last + 1) {
        s.wrong++;
    }
    client->last = seq;
    if (s.measuring && sent_us > 0) {
        s.deliveries++;
        s_note_latency(now_us - sent_us);
    }
}

static void s_on_text(client_t *client, const char *payload, size_t size, int64_t now_us)
{
    char text[1024];
    if (size > 12 && memmem(payload, size < 64 ? size : 64, "\"next\"", 6) != NULL) {
        s_on_next(client, payload, size, now_us);
    } else if (memmem(payload, size, "connection_ack", 14) != NULL) {
        client->phase = SUBSCRIBING;
        snprintf(text, sizeof text,
                 "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription "
                 "S($r:String){addMessage("
                 "room:$r,last:1){messageId body createdAt handle "
                 "cursor}}\",\"variables\":{\"r\":\"%s\"}}}",
                 s.room);
        s_send_frame(client, text);
    } else if (memmem(payload, size, "\"ping\"", 6) != NULL) {
        s_send_frame(client, "{\"type\":\"pong\"}");
    } else {
        s.refused++;
        fprintf(stderr, "wsload: %.*s\n", (int)(size < 300 ? size : 300), payload);
    }
}

/* Handles all whole frames; returns the bytes used. */
static size_t s_frames(client_t *client, const char *data, size_t size, int64_t now_us)
{
    size_t used = 0;
    for (;;) {
        const unsigned char *at = (const unsigned char *)data + used;
        size_t left = size - used, head = 2, length;
        if (left < 2)
            return used;
        length = at[1] & 0x7F;
        if (length == 126) {
            head = 4;
            if (left < head)
                return used;
            length = (size_t)at[2] << 8 | at[3];
        } else if (length == 127) {
            head = 10;
            if (left < head)
                return used;
            length = 0;
            for (int i = 2; i < 10; i++)
                length = length << 8 | at[i];
        }
        if (left - head < length)
            return used;
        unsigned opcode = at[0] & 0x0F;
        if (opcode == 1)
            s_on_text(client, (const char *)at + head, length, now_us);
        else if (opcode ==
                 9) /* pong with an empty payload would be wrong: echo it, masked by zero */
            s_send(client, "\x8A\x80\0\0\0\0", 6);
        else if (opcode == 8)
            s.wrong++;
        used += head + length;
    }
}

static size_t s_on_poster(client_t *client, const char *data, size_t size)
{
    static const char mark[] = "\r\nContent-Length: ";
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    const char *length = memmem(data, size, mark, sizeof mark - 1);
    if (end == NULL || length == NULL)
        return 0;
    size_t whole = (size_t)(end + 4 - data) + strtoul(length + sizeof mark - 1, NULL, 10);
    if (size < whole)
        return 0;
    if (memmem(end, whole - (size_t)(end - data), "\"createMessage\":{", 17) != NULL)
        s.acknowledged++;
    else
        s.refused++;
    client->is_busy = false;
    return whole;
}

static size_t s_on_bytes(client_t *client, const char *data, size_t size, int64_t now_us)
{
    size_t used = 0;
    char init[2048];
    if (client->is_poster)
        return s_on_poster(client, data, size);
    if (client->phase == UPGRADING) {
        const char *end = memmem(data, size, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        if (memcmp(data, "HTTP/1.1 101", 12) != 0) {
            fprintf(stderr, "wsload: %.*s\n", (int)size, data);
            exit(2);
        }
        used = (size_t)(end + 4 - data);
        client->phase = ACKNOWLEDGING;
        snprintf(init, sizeof init,
                 "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer %s\"}}",
                 s.token);
        s_send_frame(client, init);
    }
    return used + s_frames(client, data + used, size - used, now_us);
}

static void s_on_readable(client_t *client)
{
    static char buffer[READ_SIZE];
    for (;;) {
        memcpy(buffer, client->rest, client->rest_size);
        ssize_t n = recv(client->fd, buffer + client->rest_size, READ_SIZE - client->rest_size, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            s_die("the server closed a connection");
        size_t size = client->rest_size + (size_t)n;
        size_t used = s_on_bytes(client, buffer, size, clock_mono_us());
        client->rest_size = size - used;
        if (client->rest_size > 0) {
            client->rest = realloc(client->rest, client->rest_size);
            memcpy(client->rest, buffer + used, client->rest_size);
        }
        if (size < READ_SIZE)
            return;
    }
}

static void s_poll(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(s.epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++)
        s_on_readable(events[i].data.ptr);
}

static void s_open(client_t *client, bool is_poster)
{
    client->fd = s_connect();
    client->is_poster = is_poster;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(s.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        s_die("epoll_ctl");
    static const char request[] =
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    if (!is_poster)
        s_send(client, request, sizeof request - 1);
}

static void s_set_up(void)
{
    int64_t due_us = clock_mono_us() + (int64_t)SETUP_S * 1000000;
    client_t *poster = &s.clients[s.subscriber_count];
    for (int i = 0; i < s.poster_count; i++)
        s_open(poster + i, true);
    s_post(poster); /* so that there is a newest message */
    while (poster->is_busy && clock_mono_us() < due_us)
        s_poll(100);
    for (int i = 0; i < s.subscriber_count; i++) {
        s_open(&s.clients[i], false);
        s_poll(0);
    }
    while (s.live_count < s.subscriber_count && clock_mono_us() < due_us)
        s_poll(100);
    if (s.live_count < s.subscriber_count) {
        fprintf(stderr, "wsload: only %d of %d live\n", s.live_count, s.subscriber_count);
        exit(2);
    }
}

/* Lets every poster that is free post, at most `allowed` in all; returns how many did. */
static uint64_t s_post_free(uint64_t allowed)
{
    uint64_t done = 0;
    for (int i = 0; i < s.poster_count && done < allowed; i++) {
        client_t *client = &s.clients[s.subscriber_count + i];
        if (!client->is_busy) {
            s_post(client);
            done++;
        }
    }
    return done;
}

static double s_run(int rate, int seconds)
{
    int64_t start_us = clock_mono_us(), end_us = start_us + (int64_t)seconds * 1000000;
    uint64_t first = s.posted;
    s.measuring = true;
    for (int64_t now_us = start_us; now_us < end_us; now_us = clock_mono_us()) {
        uint64_t due =
            rate == 0 ? UINT64_MAX : (uint64_t)((now_us - start_us) * rate / 1000000) + 1;
        uint64_t done = s.posted - first;
        if (due > done)
            s_post_free(due - done);
        s_poll(1);
    }
    int64_t drain_us = end_us + (int64_t)DRAIN_S * 1000000;
    uint64_t wanted = (s.posted - first) * (uint64_t)s.subscriber_count;
    while (s.deliveries < wanted && clock_mono_us() < drain_us)
        s_poll(10);
    return (double)(clock_mono_us() - start_us) * 1e-6;
}

static double s_percentile(double share)
{
    uint64_t rank = (uint64_t)((double)s.deliveries * share), seen = 0;
    for (int i = 0; i < 1000; i++)
        if ((seen += s.fast[i]) > rank)
            return i * 0.01;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += s.slow[i]) > rank)
            return i;
    return BUCKETS;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: bench_wsload PORT TOKEN ROOM SUBSCRIBERS POSTERS RATE SECONDS\n");
        return 2;
    }
    s.port = atoi(argv[1]);
    s.token = argv[2];
    s.room = argv[3];
    s.subscriber_count = atoi(argv[4]);
    s.poster_count = atoi(argv[5]);
    int rate = atoi(argv[6]), seconds = atoi(argv[7]);
    if (s.subscriber_count < 1 || s.subscriber_count > SUBSCRIBERS_MAX || s.poster_count < 1 ||
        s.poster_count > POSTERS_MAX || seconds < 1 || seconds > SECONDS_MAX || rate < 0)
        return 2;
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.clients = calloc((size_t)(s.subscriber_count + s.poster_count), sizeof s.clients[0]);
    s_set_up();
    uint64_t before = s.posted;
    double elapsed_s = s_run(rate, seconds);
    uint64_t posted = s.posted - before;
    uint64_t missing = posted * (uint64_t)s.subscriber_count - s.deliveries;
    printf("{\"subscribers\":%d,\"posted\":%llu,\"deliveries\":%llu,\"seconds\":%.3f,"
           "\"deliveriesPerSecond\":%.0f,"
           "\"p50Ms\":%.2f,\"p99Ms\":%.2f,\"maxMs\":%.2f,\"missing\":%lld,\"wrong\":%llu,"
           "\"refused\":%llu}\n",
           s.subscriber_count, (unsigned long long)posted, (unsigned long long)s.deliveries,
           elapsed_s, (double)s.deliveries / elapsed_s, s_percentile(0.5), s_percentile(0.99),
           (double)s.max_latency_us * 1e-3, (long long)missing, (unsigned long long)s.wrong,
           (unsigned long long)s.refused);
    return missing == 0 && s.wrong == 0 && s.refused == 0 ? 0 : 1;
}
