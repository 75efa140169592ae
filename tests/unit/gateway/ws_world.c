#include "ws_world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/realtime/ws_codec.h"

static const char s_sdl[] = "type Query { hello: String @public secret: String }\n"
                            "type Mutation { say(text: String): Note @public }\n"
                            "type Subscription { heard(room: String): Note @public }\n"
                            "type Note { n: Int }\n";

static int64_t s_unix_us = 1800000000000000;
static int64_t s_mono_us = 1000000000;

void ws_world_begin(ws_world_t *self)
{
    log_init("test", NULL, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    fake_bus_reset();
    clock_test_set(s_unix_us, s_mono_us);
    self->loop = loop_new();
    self->auth = auth_new(&(auth_options_t){.api_key = "key"});
    self->connections = connection_limits_new(self->most_connections);
    runner_options_t runner = {.loop = self->loop,
                               .limits = GQL_LIMITS_DEFAULT,
                               .introspection = true,
                               .call_timeout_ms = 10000,
                               .operation_timeout_ms = 25000,
                               .max_variables_bytes = 2000,
                               .cache_documents = 100,
                               .cache_bytes = 1000000};
    self->runner = runner_new(&runner);
    gql_source_t source = {.service = "echo", .sdl = s_sdl, .size = sizeof s_sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, NULL);
    assert(schema);
    runner_set_schema(self->runner, schema);
    gql_schema_unref(&schema);
    self->rates = rate_limits_new(&self->limits);
    realtime_options_t realtime = {.loop = self->loop,
                                   .rates = self->rates,
                                   .connections = self->connections,
                                   .runner = self->runner,
                                   .auth = self->auth,
                                   .max_message_bytes = 10000,
                                   .max_waiting_bytes = 1000000,
                                   .max_operations = 5,
                                   .init_timeout_s = 10,
                                   .ping_interval_s = 25,
                                   .stalled_timeout_s = 300,
                                   .sender_mode = self->sender_mode};
    err_t err = ERR_INIT;
    self->realtime = realtime_new(&realtime, &err);
    assert(self->realtime);
}

void ws_world_end(ws_world_t *self)
{
    realtime_destroy(&self->realtime);
    assert(!fake_subscribers_left());
    assert(!runner_running(self->runner));
    runner_destroy(&self->runner);
    rate_limits_destroy(&self->rates);
    connection_limits_destroy(&self->connections);
    auth_destroy(&self->auth);
    loop_destroy(&self->loop);
    clock_test_off();
}

void ws_world_pump(ws_world_t *self)
{
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(self->loop), UV_RUN_NOWAIT);
}

void ws_world_sleep(ws_world_t *self, unsigned seconds)
{
    s_unix_us += (int64_t)seconds * 1000000;
    s_mono_us += (int64_t)seconds * 1000000;
    clock_test_set(s_unix_us, s_mono_us);
    uint64_t until = uv_hrtime() + 700u * 1000000; /* a tick is half a second */
    while (uv_hrtime() < until) {
        uv_run(loop_uv(self->loop), UV_RUN_NOWAIT);
        usleep(5000);
    }
    ws_world_pump(self); /* what was due at the end, should this process not have run for long */
}

/* Stays open until the process ends: a listener for each pair would run out of ports while those
 * before it are in TIME_WAIT (a fuzzer makes a thousand a second). */
static int s_listener(struct sockaddr_in *address)
{
    static int listener = -1;
    socklen_t size = sizeof *address;
    if (listener < 0) {
        int small = 8192;
        *address = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        if (listener < 0 || bind(listener, (struct sockaddr *)(void *)address, size) != 0 ||
            listen(listener, 1) != 0)
            abort();
    }
    if (getsockname(listener, (struct sockaddr *)(void *)address, &size) != 0)
        abort();
    return listener;
}

/* A connected pair of TCP sockets: fds[0] is the server's. */
static void s_pair(int fds[2])
{
    struct sockaddr_in address;
    int small = 8192;
    int listener = s_listener(&address);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(fds[1], (struct sockaddr *)(void *)&address, sizeof address) != 0)
        abort();
    fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert(fds[0] >= 0);
    int on = 1;
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void ws_client_open(ws_client_t *self,
                    ws_world_t *world,
                    const char *path,
                    const char *protocols,
                    const char *header)
{
    int fds[2];
    s_pair(fds);
    *self = (ws_client_t){.fd = fds[1]};
    http_handshake_t handshake = {
        .path = path, .protocols = protocols, .header_param = header, .request_id = "r1"};
    const char *chosen = REALTIME_HOOKS.websocket_choose(world->realtime, &handshake);
    REALTIME_HOOKS.websocket_open(world->realtime, fds[0], &handshake, chosen, NULL, 0);
    ws_world_pump(world);
}

void ws_client_open_events(ws_client_t *self,
                           ws_world_t *world,
                           const char *query,
                           const char *last_event_id)
{
    int fds[2];
    s_pair(fds);
    *self = (ws_client_t){.fd = fds[1]};
    graphql_request_t request = {.query = query, .query_size = strlen(query)};
    operation_caller_t caller = {.front = "http", .request_id = "r1"};
    operation_verdict_t verdict;
    buffer_t response = BUFFER_INIT(10000);
    operation_t *operation =
        operation_prepare(world->runner, &request, &caller, &verdict, &response);
    assert(operation && operation_kind(operation) == GQL_SUBSCRIPTION);
    buffer_free(&response);
    http_event_stream_t stream = {.last_event_id = last_event_id,
                                  .identity = world->listener,
                                  .request_id = "r1",
                                  .origin = "*"};
    REALTIME_HOOKS.event_stream_open(world->realtime, fds[0], &operation, &stream);
    ws_world_pump(world);
}

void ws_client_frame(ws_client_t *self, unsigned first, const void *data, size_t size)
{
    uint8_t header[WS_HEADER_MAX];
    size_t header_size = ws_frame_header(header, WS_TEXT, size);
    buffer_t out = BUFFER_INIT(1000000);
    header[0] = (uint8_t)first;
    header[1] |= 0x80;
    buffer_put(&out, header, header_size);
    buffer_put(&out, "\0\0\0\0", 4);
    buffer_put(&out, data, size);
    ssize_t sent = send(self->fd, out.data, out.size, MSG_NOSIGNAL);
    (void)sent; /* the server may have gone */
    buffer_free(&out);
}

void ws_client_say(ws_client_t *self, ws_world_t *world, const char *text)
{
    ws_client_frame(self, 0x81, text, strlen(text));
    ws_world_pump(world);
}

static void s_log(ws_client_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void s_log(ws_client_t *self, const char *format, ...)
{
    size_t used = strlen(self->log);
    va_list args;
    va_start(args, format);
    vsnprintf(self->log + used, sizeof self->log - used, format, args);
    va_end(args);
}

/* Takes one whole frame from the input; its size, or 0. */
static size_t s_parse(ws_client_t *self)
{
    const uint8_t *in = (const uint8_t *)self->in;
    if (self->in_size < 2)
        return 0;
    size_t size = in[1], header = 2;
    if (size == 126 && self->in_size >= 4) {
        size = (size_t)in[2] << 8 | in[3];
        header = 4;
    }
    if (self->in_size < header + size)
        return 0;
    const char *payload = self->in + header;
    switch (in[0] & 15) {
    case WS_CLOSE:
        s_log(self, "C%d:%.*s\n", size >= 2 ? (uint8_t)payload[0] << 8 | (uint8_t)payload[1] : 0,
              size >= 2 ? (int)size - 2 : 0, payload + 2);
        break;
    case WS_PING:
        s_log(self, "P\n");
        break;
    default:
        s_log(self, "%.*s\n", (int)size, payload);
    }
    return header + size;
}

const char *ws_client_hear(ws_client_t *self, ws_world_t *world)
{
    char chunk[4096];
    bool ended = false;
    self->log[0] = '\0';
    for (int quiet = 0; quiet < 3 && !ended && self->in_size < sizeof self->log / 2;) {
        ws_world_pump(world);
        ssize_t n = recv(self->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n <= 0) {
            ended = n == 0;
            quiet++;
            continue;
        }
        quiet = 0;
        self->in = realloc(self->in, self->in_size + (size_t)n + 1);
        memcpy(self->in + self->in_size, chunk, (size_t)n);
        self->in_size += (size_t)n;
    }
    for (size_t size; (size = s_parse(self)) > 0;) {
        self->in_size -= size;
        memmove(self->in, self->in + size, self->in_size);
    }
    if (ended)
        s_log(self, "EOF\n");
    return self->log;
}

void ws_client_close(ws_client_t *self)
{
    close(self->fd);
    free(self->in);
    self->in = NULL;
}
