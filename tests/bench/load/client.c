#include "tests/bench/load/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/bench/load/events.h"

enum { READ_SIZE = 256 * 1024, FRAME_MAX = 4096 };

void load_die(const char *what)
{
    fprintf(stderr, "wsload: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- sending ---- */

static void s_send(client_t *self, const char *data, size_t size)
{
    /* Small and rare: what does not fit into an empty socket buffer is a failure of the set-up. */
    if (send(self->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        load_die("send");
}

/* A masked frame; the mask is zero, which is legal and free. */
static void s_send_frame(client_t *self, const char *text)
{
    unsigned char frame[FRAME_MAX];
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
    s_send(self, (const char *)frame, head + size);
}

/* ---- opening ---- */

static void s_open(client_t *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)self->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    const int on = 1;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (struct sockaddr *)&address, sizeof address) != 0)
        load_die("connect");
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(self->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(self->load->epoll, EPOLL_CTL_ADD, self->fd, &event) != 0)
        load_die("epoll_ctl");
    if (self->is_poster && self->load->dialect == DIALECT_NATS)
        s_send(self, "CONNECT {\"verbose\":false}\r\n", 27);
}

/* ---- subscribing and posting ---- */

static void s_subscribe(client_t *self)
{
    char text[FRAME_MAX - 64], after[64] = "";
    if (self->room->cursor[0])
        snprintf(after, sizeof after, ",\"a\":\"%s\"", self->room->cursor);
    snprintf(text, sizeof text,
             "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription "
             "S($r:String%s){addMessage(room:$r%s){messageId body createdAt handle cursor}}\","
             "\"variables\":{\"r\":\"%s\"%s}}}",
             after[0] ? ",$a:String" : "", after[0] ? ",after:$a" : "", self->room->name, after);
    s_send_frame(self, text);
}

static int s_post_graphql(client_t *self, room_t *room, char *request, size_t size)
{
    char body[1024];
    int body_size =
        snprintf(body, sizeof body,
                 "{\"query\":\"mutation M($b:String!,$r:String){createMessage(body:$b,room:$r){"
                 "messageId createdAt cursor}}\",\"variables\":{\"b\":\"%lld " EVENT_TEXT
                 "\",\"r\":\"%s\"}}",
                 (long long)self->posted_us, room->name);
    return snprintf(
        request, size,
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
        self->load->token, body_size, body);
}

/* The bytes that Parley would deliver, made here. */
static int s_event(client_t *self, room_t *room, char *out, size_t size)
{
    char created_at[CLOCK_ISO_SIZE];
    clock_iso(clock_unix_us(), created_at);
    return snprintf(
        out, size,
        "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"addMessage\":{"
        "\"messageId\":\"0190b6a5-7c1e-7000-8000-000000000000\",\"body\":\"%lld " EVENT_TEXT
        "\",\"createdAt\":\"%s\",\"handle\":\"bench-of-this-run\",\"cursor\":\"%033llu\"}},"
        "\"extensions\":{\"cursor\":\"0000000000000000000000000000000000\"}}}",
        (long long)self->posted_us, created_at, (unsigned long long)++room->numbers);
}

static int s_post_raw(client_t *self, room_t *room, char *request, size_t size)
{
    char body[1024];
    int body_size = s_event(self, room, body, sizeof body);
    return snprintf(request, size,
                    "POST /pub/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    room->name, body_size, body);
}

static int s_post_nats(client_t *self, room_t *room, char *request, size_t size)
{
    char body[1024];
    int body_size = s_event(self, room, body, sizeof body);
    return snprintf(request, size, "PUB %s %d\r\n%s\r\nPING\r\n", room->name, body_size, body);
}

void client_post(client_t *self, room_t *room)
{
    static int (*const write[])(client_t *, room_t *, char *, size_t) = {s_post_graphql, s_post_raw,
                                                                         s_post_nats};
    char request[FRAME_MAX];
    if (self->fd < 0)
        s_open(self);
    self->posted_us = clock_mono_us();
    self->room = room;
    self->is_busy = true;
    self->load->tally.posted++;
    int size = write[self->load->dialect](self, room, request, sizeof request);
    s_send(self, request, (size_t)size);
}

/* ---- what came: frames ---- */

static void s_on_event(client_t *self, const event_t *event, int64_t now_us)
{
    tally_t *tally = &self->load->tally;
    if (self->last != 0 && event->number != self->last + 1)
        tally->disordered++;
    self->last = event->number;
    self->received++;
    self->load->last_event_us = now_us;
    if (!self->load->is_measuring || event->posted_us < self->load->window_us)
        return;
    tally->deliveries++;
    tally_note(&tally->sent, now_us - event->posted_us);
    if (event->created_unix_us > 0)
        tally_note(&tally->created, self->load->now_unix_us - event->created_unix_us);
}

static void s_acknowledge(client_t *self)
{
    self->phase = SUBSCRIBED;
    self->load->acknowledged++;
}

static void s_strange(client_t *self, const char *text, size_t size)
{
    if (self->load->tally.strange++ == 0)
        fprintf(stderr, "wsload: strange: %.*s\n", (int)(size < 500 ? size : 500), text);
}

/* All events of a frame; returns how many. The next one in order is mostly known by its bytes. */
static int s_on_events(client_t *self, const char *text, size_t size, int64_t now_us)
{
    copies_t *copies = self->room->copies;
    const event_t *known = copies_match(copies, self->last + 1, text, size);
    event_t event;
    int count = 0;
    if (known != NULL) {
        s_on_event(self, known, now_us);
        return 1;
    }
    for (size_t at = 0, used; (used = event_find(text + at, size - at, &event)) > 0; at += used) {
        s_on_event(self, &event, now_us);
        count++;
    }
    /* NATS puts into a frame what it has, not an event */
    if (count == 1 && self->load->dialect != DIALECT_NATS &&
        !copies_keep(copies, &event, text, size))
        s_strange(self, text, size); /* another subscriber got it in other bytes */
    return count;
}

static void s_on_text(client_t *self, const char *text, size_t size, int64_t now_us)
{
    if (s_on_events(self, text, size, now_us) > 0)
        return;
    if (self->load->dialect == DIALECT_NATS) {
        if (memmem(text, size, "PING\r\n", 6) != NULL)
            s_send_frame(self, "PONG\r\n");
        return;
    }
    if (memmem(text, size, "\"connection_ack\"", 16) != NULL) {
        s_subscribe(self);
        s_acknowledge(self);
    } else if (memmem(text, size, "\"ping\"", 6) != NULL) {
        s_send_frame(self, "{\"type\":\"pong\"}");
    } else {
        s_strange(self, text, size);
    }
}

/* Handles all whole frames; returns the bytes used. */
static size_t s_frames(client_t *self, const char *data, size_t size, int64_t now_us)
{
    size_t used = 0;
    for (;;) {
        const unsigned char *at = (const unsigned char *)data + used;
        size_t left = size - used, head = 2, length;
        if (left < 2)
            return used;
        length = at[1] & 0x7F;
        if (length == 126)
            head = 4;
        else if (length == 127)
            head = 10;
        if (left < head)
            return used;
        if (head > 2) {
            length = 0;
            for (size_t i = 2; i < head; i++)
                length = length << 8 | at[i];
        }
        if (left - head < length)
            return used;
        unsigned opcode = at[0] & 0x0F;
        if (opcode == 1 || opcode == 2)
            s_on_text(self, (const char *)at + head, length, now_us);
        else if (opcode == 9) /* with the payload that came, masked by zero; ours are empty */
            s_send(self, "\x8A\x80\0\0\0\0", 6);
        else if (opcode == 8)
            self->load->tally.strange++;
        used += head + length;
    }
}

/* ---- what came: handshakes and answers ---- */

static void s_after_upgrade(client_t *self)
{
    char text[2048];
    switch (self->load->dialect) {
    case DIALECT_TRANSPORT_WS:
        self->phase = ACKNOWLEDGING;
        snprintf(text, sizeof text,
                 "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer %s\"}}",
                 self->load->token);
        s_send_frame(self, text);
        break;
    case DIALECT_RAW:
        s_acknowledge(self);
        break;
    case DIALECT_NATS:
        snprintf(text, sizeof text, "CONNECT {\"verbose\":false}\r\nSUB %s 1\r\n",
                 self->room->name);
        s_send_frame(self, text);
        s_acknowledge(self);
        break;
    }
}

static size_t s_on_upgrade(client_t *self, const char *data, size_t size)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (memcmp(data, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "wsload: %.*s\n", (int)(size < 500 ? size : 500), data);
        exit(2);
    }
    s_after_upgrade(self);
    return (size_t)(end + 4 - data);
}

static void s_on_posted(client_t *self, bool is_accepted, const char *answer, size_t size)
{
    tally_t *tally = &self->load->tally;
    self->is_busy = false;
    if (is_accepted)
        tally->answered++;
    else if (tally->refused++ == 0)
        fprintf(stderr, "wsload: refused: %.*s\n", (int)(size < 500 ? size : 500), answer);
    if (self->load->is_measuring)
        tally_note(&tally->posting, clock_mono_us() - self->posted_us);
}

/* The value of Content-Length; SIZE_MAX if there is none. */
static size_t s_content_length(const char *head, const char *end)
{
    static const char name[] = "\r\ncontent-length:";
    for (const char *at = head; at + sizeof name < end; at++)
        if (*at == '\r' && strncasecmp(at, name, sizeof name - 1) == 0)
            return strtoul(at + sizeof name - 1, NULL, 10);
    return SIZE_MAX;
}

static size_t s_on_http_answer(client_t *self, const char *data, size_t size)
{
    static const char mark[] = "\"createMessage\":{";
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t length = s_content_length(data, end + 2), head = (size_t)(end + 4 - data);
    if (length == SIZE_MAX) {
        fprintf(stderr, "wsload: an answer without Content-Length: %.*s\n", (int)head, data);
        exit(2);
    }
    if (size < head + length)
        return 0;
    bool is_accepted = self->load->dialect == DIALECT_RAW
                           ? data[9] == '2'
                           : memmem(data + head, length, mark, sizeof mark - 1) != NULL;
    if (is_accepted && self->load->dialect == DIALECT_TRANSPORT_WS)
        event_cursor(data + head, length, self->room->newest, sizeof self->room->newest);
    s_on_posted(self, is_accepted, data, head + length);
    return head + length;
}

static size_t s_on_nats_answer(client_t *self, const char *data, size_t size)
{
    if (size < 6 || memcmp(data + size - 2, "\r\n", 2) != 0)
        return 0;
    if (memmem(data, size, "PING\r\n", 6) != NULL)
        s_send(self, "PONG\r\n", 6);
    if (memmem(data, size, "PONG\r\n", 6) != NULL && self->is_busy)
        s_on_posted(self, memmem(data, size, "-ERR", 4) == NULL, data, size);
    return size;
}

static size_t s_on_bytes(client_t *self, const char *data, size_t size, int64_t now_us)
{
    size_t used = 0;
    if (self->is_poster)
        return self->load->dialect == DIALECT_NATS ? s_on_nats_answer(self, data, size)
                                                   : s_on_http_answer(self, data, size);
    if (self->phase == UPGRADING) {
        used = s_on_upgrade(self, data, size);
        if (used == 0)
            return 0;
    }
    return used + s_frames(self, data + used, size - used, now_us);
}

/* A kept-alive connection that the server found idle for too long. */
static void s_close(client_t *self)
{
    close(self->fd);
    self->fd = -1;
}

void client_read(client_t *self)
{
    static char buffer[READ_SIZE];
    for (;;) {
        if (self->rest_size > 0)
            memcpy(buffer, self->rest, self->rest_size);
        ssize_t n = recv(self->fd, buffer + self->rest_size, READ_SIZE - self->rest_size, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 && self->is_poster && !self->is_busy) {
            s_close(self);
            return;
        }
        if (n <= 0)
            load_die("the server closed a connection");
        size_t size = self->rest_size + (size_t)n;
        self->load->now_unix_us = clock_unix_us();
        size_t used = s_on_bytes(self, buffer, size, clock_mono_us());
        self->rest_size = size - used;
        if (self->rest_size > 0) {
            self->rest = realloc(self->rest, self->rest_size);
            if (self->rest == NULL)
                abort();
            memcpy(self->rest, buffer + used, self->rest_size);
        }
        if (size < READ_SIZE)
            return;
    }
}

void client_open(client_t *self, load_t *load, room_t *room, bool is_poster, int port)
{
    static const char *const paths[] = {"/graphql", "/sub/", "/"};
    char request[1024];
    *self = (client_t){.load = load, .room = room, .is_poster = is_poster, .port = port};
    s_open(self);
    if (is_poster)
        return;
    int size = snprintf(
        request, sizeof request,
        "GET %s%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
        paths[load->dialect], load->dialect == DIALECT_RAW ? room->name : "",
        load->dialect == DIALECT_TRANSPORT_WS ? "Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
                                              : "");
    s_send(self, request, (size_t)size);
}
