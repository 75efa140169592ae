/* The HTTP server over real connections, with services that do what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/http/server.h"
#include "ws_world.h"

enum { RESPONSE_MAX = 256 * 1024, PATIENCE_MS = 3000 };

static ws_world_t s_world;
static http_server_t *s_server;
static origins_t *s_origins;
static trusted_proxies_t *s_proxies;
static char s_response[RESPONSE_MAX];
static size_t s_max_body = 10000;

static bool s_is_ready(void *arg, char *reason, size_t size)
{
    (void)arg;
    snprintf(reason, size, "testing");
    return false;
}

static const web_asset_t *s_find_asset(const char *path)
{
    static const unsigned char page[] = "<p>page</p>", packed[] = "br";
    static const web_asset_t asset = {
        .path = "/",
        .content_type = "text/html; charset=utf-8",
        .etag = "\"abc\"",
        .identity = {page, sizeof page - 1},
        .brotli = {packed, sizeof packed - 1},
        .csp = "default-src 'self'",
    };
    return !strcmp(path, "/") || !strcmp(path, "/graphiql") ? &asset : NULL;
}

/* proxies: those that are trusted. */
static void s_begin(const char *proxies)
{
    ws_world_begin(&s_world);
    s_origins = origins_new("https://good.example", NULL);
    s_proxies = trusted_proxies_new(proxies, NULL);
    http_options_t options = {
        .loop = s_world.loop,
        .runner = s_world.runner,
        .auth = s_world.auth,
        .origins = s_origins,
        .trusted_proxies = s_proxies,
        .rates = s_world.rates,
        .connections = s_world.connections,
        .listen = "127.0.0.1:0",
        .max_connections = 10,
        .max_body_bytes = s_max_body,
        .request_timeout_ms = 5000,
        .idle_timeout_s = 60,
        .call_timeout_ms = 10000,
        .ready = s_is_ready,
        .find_asset = s_find_asset,
        .hooks = &REALTIME_HOOKS,
        .hooks_arg = s_world.realtime,
    };
    err_t err = ERR_INIT;
    s_server = http_server_new(&options, &err);
    if (!s_server)
        fail_msg("%s", err.text);
}

static int s_setup(void **state)
{
    (void)state;
    s_begin("none");
    return 0;
}

static int s_setup_large(void **state)
{
    s_max_body = 100000;
    return s_setup(state);
}

static int s_setup_limited(void **state)
{
    s_world.limits = (rate_options_t){.handle = 2, .address = 5};
    return s_setup(state);
}

static int s_setup_proxied(void **state)
{
    (void)state;
    s_world.limits = (rate_options_t){.connection = 3, .address = 5};
    s_begin("127.0.0.1");
    return 0;
}

static int s_setup_slow_connections(void **state)
{
    s_world.limits = (rate_options_t){.connection = 3};
    return s_setup(state);
}

static int s_setup_two_connections(void **state)
{
    s_world.most_connections = 2;
    return s_setup(state);
}

static int s_teardown(void **state)
{
    s_world.limits = (rate_options_t){0};
    s_world.most_connections = 0;
    s_max_body = 10000;
    (void)state;
    http_server_destroy(&s_server);
    ws_world_end(&s_world);
    origins_destroy(&s_origins);
    trusted_proxies_destroy(&s_proxies);
    return 0;
}

static int s_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(s_server)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
    return fd;
}

static void s_send_bytes(int fd, const void *data, size_t size)
{
    const char *text = data;
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
        ws_world_pump(&s_world);
        if (n < 0)
            usleep(1000);
    }
}

static void s_send(int fd, const char *text)
{
    s_send_bytes(fd, text, strlen(text));
}

/* Is `count` times a whole response there (Content-Length is taken as given)? */
static bool s_is_whole(const char *text, int count)
{
    for (; count > 0; count--) {
        const char *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (!body || !length || length > body)
            return body &&
                   (!strncmp(text, "HTTP/1.1 204", 12) || !strncmp(text, "HTTP/1.1 101", 12) ||
                    !strncmp(text, "HTTP/1.1 304", 12));
        size_t size = strtoul(length + 16, NULL, 10);
        if (strlen(body + 4) < size)
            return false;
        text = body + 4 + size;
    }
    return true;
}

/* What comes until it is `count` whole responses or the end (then "<EOF>" follows). */
static const char *s_receive(int fd, int count)
{
    size_t size = 0;
    s_response[0] = '\0';
    for (int i = 0; i < PATIENCE_MS; i++) {
        ws_world_pump(&s_world);
        ssize_t n = recv(fd, s_response + size, sizeof s_response - size - 10, MSG_DONTWAIT);
        if (n == 0) {
            strcpy(s_response + size, "<EOF>");
            return s_response;
        }
        if (n > 0) {
            size += (size_t)n;
            s_response[size] = '\0';
        }
        if (count && s_is_whole(s_response, count))
            return s_response;
        if (n < 0)
            usleep(1000);
    }
    return s_response;
}

/* One request on a connection of its own, and its answer. */
static const char *s_ask(const char *request)
{
    int fd = s_connect();
    s_send(fd, request);
    const char *response = s_receive(fd, 1);
    close(fd);
    ws_world_pump(&s_world);
    return response;
}

static void s_gives(const char *request, const char *begins, const char *contains)
{
    const char *response = s_ask(request);
    if (strncmp(response, begins, strlen(begins)) != 0 || !strstr(response, contains))
        fail_msg("%.60s…\ngives\n%.600s\nand not %s … %s", request, response, begins, contains);
}

#define JSON "Content-Type: application/json\r\n"
#define POST(headers, size, body)                                                                  \
    "POST /graphql HTTP/1.1\r\nHost: x\r\n" headers "Content-Length: " #size "\r\n\r\n" body

static void test_methods_and_types(void **state)
{
    (void)state;
    s_gives(POST(JSON, 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 200 OK",
            "\r\n\r\n{\"data\":{\"__typename\":\"Query\"}}");
    s_gives("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK",
            "{\"data\":{\"__typename\":\"Query\"}}");
    s_gives(POST("", 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 415", "BAD_USER_INPUT");
    s_gives(POST("Content-Type: text/plain\r\n", 24, "{\"query\":\"{__typename}\"}"),
            "HTTP/1.1 415", "BAD_USER_INPUT");
    s_gives(POST(JSON "Accept: image/png\r\n", 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 406",
            "BAD_USER_INPUT");
    s_gives("DELETE /graphql HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405",
            "Allow: GET, POST, OPTIONS\r\n");
    s_gives("GET /graphql?query=mutation%7Bsay%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 405", "Allow: POST\r\n");
    s_gives("GET /graphql HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400", "\\\"query\\\" is missing");
    s_gives("GET /graphql?query=%7Bhello%7D%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400",
            "malformed escape");
    s_gives("GET /else HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404", "\"code\":\"NOT_FOUND\"");
    s_gives("GET /graphql?query=subscription%7Bheard%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 406", "text/event-stream");
}

static void test_statuses_by_media_type(void **state)
{
    (void)state;
    s_gives(POST(JSON, 18, "{\"query\":\"{nope}\"}"), "HTTP/1.1 200", "GRAPHQL_VALIDATION_FAILED");
    s_gives(
        POST(JSON "Accept: application/graphql-response+json\r\n", 18, "{\"query\":\"{nope}\"}"),
        "HTTP/1.1 400", "Content-Type: application/graphql-response+json; charset=utf-8");
    s_gives(POST(JSON, 20, "{\"query\":\"{secret}\"}"), "HTTP/1.1 401", "UNAUTHENTICATED");
    s_gives(POST(JSON "Authorization: nonsense\r\n", 24, "{\"query\":\"{__typename}\"}"),
            "HTTP/1.1 401", "the token is malformed");
    s_gives(POST(JSON, 3, "[1]"), "HTTP/1.1 400", "batching");
}

static void test_waits_for_a_service(void **state)
{
    (void)state;
    int fd = s_connect();
    s_send(fd, POST(JSON "X-Request-Id: mine.1\r\n", 19, "{\"query\":\"{hello}\"}"));
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(http_server_busy(s_server), 1);
    fake_answer("Query.hello", "\"hi\"");
    const char *response = s_receive(fd, 1);
    assert_non_null(strstr(response, "X-Request-Id: mine.1\r\n"));
    assert_non_null(strstr(response, "{\"data\":{\"hello\":\"hi\"}}"));
    /* The connection goes on, with two requests at once. */
    s_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}")
                   POST(JSON, 24, "{\"query\":\"{__typename}\"}"));
    fake_answer("Query.hello", "\"again\"");
    response = s_receive(fd, 2);
    const char *first = strstr(response, "\"again\"");
    assert_non_null(first);
    assert_non_null(strstr(first, "{\"__typename\":\"Query\"}"));
    close(fd);
}

/* The schema is replaced while an operation runs: it ends as it began, the next one is judged anew.
 */
static void test_schema_is_replaced(void **state)
{
    (void)state;
    static const char sdl[] = "type Query { other: Int @public }";
    int fd = s_connect();
    s_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    gql_source_t source = {.service = "echo", .sdl = sdl, .size = sizeof sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, NULL);
    runner_set_schema(s_world.runner, schema);
    gql_schema_unref(&schema);
    s_gives(POST(JSON, 19, "{\"query\":\"{hello}\"}"), "HTTP/1.1 200", "Cannot query field");
    fake_answer("Query.hello", "\"hi\"");
    assert_non_null(strstr(s_receive(fd, 1), "{\"data\":{\"hello\":\"hi\"}}"));
    close(fd);
}

/* Each call has its time, and all of them together have theirs. */
static void test_time_of_an_operation(void **state)
{
    (void)state;
    int fd = s_connect();
    int64_t start_ms = clock_unix_ms();
    s_send(fd,
           POST(JSON, 63, "{\"query\":\"mutation { a: say { n } b: say { n } c: say { n } }\"} "));
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(fake_calls[0].deadline_ms, start_ms + 10000);
    ws_world_sleep(&s_world, 9);
    fake_answer("Mutation.say", "{\"n\":1}");
    assert_int_equal(fake_calls[1].deadline_ms, start_ms + 19000);
    ws_world_sleep(&s_world, 9);
    fake_reject("Mutation.say", "TIMEOUT", "the service did not answer in time");
    assert_int_equal(fake_calls[2].deadline_ms, start_ms + 25000);
    ws_world_sleep(&s_world, 7);
    fake_reject("Mutation.say", "TIMEOUT", "the service did not answer in time");
    const char *response = s_receive(fd, 1);
    assert_non_null(strstr(response, "\"data\":{\"a\":{\"n\":1},\"b\":null,\"c\":null}"));
    const char *b = strstr(response, "the service did not answer in time");
    assert_non_null(b);
    assert_non_null(strstr(b, "the operation took 25000 ms; the limit is 25000 ms"));
    close(fd);
}

static void test_size_of_variables(void **state)
{
    (void)state;
    static char request[4000], body[3000];
    for (int blanks = 0; blanks <= 100; blanks += 100) {
        for (int size = 1999; size <= 2001; size++) {
            int letters = size - (int)strlen("{'a':''}");
            sprintf(body, "{\"query\":\"{__typename}\",\"variables\":%*s{\"a\":%*s\"%0*d\"}}",
                    blanks, "", blanks, "", letters, 0);
            sprintf(request,
                    "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: %zu\r\n\r\n%s",
                    strlen(body), body);
            s_gives(request, "HTTP/1.1 200",
                    size > 2000 ? "the variables have 2001 bytes; the limit is 2000"
                                : "{\"__typename\":\"Query\"}");
        }
    }
}

static void test_a_client_leaves(void **state)
{
    (void)state;
    int fd = s_connect();
    s_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    close(fd);
    ws_world_pump(&s_world);
    fake_answer("Query.hello", "\"hi\"");
    ws_world_pump(&s_world);
    assert_int_equal(http_server_busy(s_server), 0);
}

static void test_large_bodies(void **state)
{
    (void)state;
    static char request[40000];
    int head = sprintf(request, "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
                                "Content-Length: 20000\r\n\r\n");
    memset(request + head, 'x', 20000);
    request[head + 20000] = '\0';
    s_gives(request, "HTTP/1.1 413", "the limit of 10000 bytes");
    s_gives("POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2000000000\r\n\r\n",
            "HTTP/1.1 413", "PAYLOAD_TOO_LARGE");
    s_gives("POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
            "Expect: 100-continue\r\nContent-Length: 20000\r\n\r\n",
            "HTTP/1.1 413", "PAYLOAD_TOO_LARGE");
    head = sprintf(request, "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
                            "Transfer-Encoding: chunked\r\n\r\n4e20\r\n");
    memset(request + head, 'x', 20000);
    strcpy(request + head + 20000, "\r\n0\r\n\r\n");
    s_gives(request, "HTTP/1.1 413", "the limit of 10000 bytes");
}

static size_t s_pack(void *out, size_t room, const void *data, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* Sends body with that Content-Encoding. */
static void s_gives_coded(
    const char *coding, const void *body, size_t size, const char *begins, const char *contains)
{
    char head[300];
    snprintf(head, sizeof head,
             "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON "Content-Encoding: %s\r\n"
             "Content-Length: %zu\r\n\r\n",
             coding, size);
    int fd = s_connect();
    s_send(fd, head);
    s_send_bytes(fd, body, size);
    const char *response = s_receive(fd, 1);
    close(fd);
    ws_world_pump(&s_world);
    if (strncmp(response, begins, strlen(begins)) != 0 || !strstr(response, contains))
        fail_msg("%s gives\n%.600s\nand not %s … %s", coding, response, begins, contains);
}

static void test_compressed_bodies(void **state)
{
    (void)state;
    static const char text[] = "{\"query\":\"{__typename}\"}",
                      good[] = "{\"__typename\":\"Query\"}";
    static unsigned char packed[4096];
    static char large[10001];
    size_t size = s_pack(packed, sizeof packed, text, sizeof text - 1);
    s_gives_coded("gzip", packed, size, "HTTP/1.1 200", good);
    s_gives_coded("X-GZIP", packed, size, "HTTP/1.1 200", good);
    s_gives_coded("identity", text, sizeof text - 1, "HTTP/1.1 200", good);
    s_gives_coded("br", text, sizeof text - 1, "HTTP/1.1 415", "Accept-Encoding: gzip\r\n");
    s_gives_coded("gzip, gzip", packed, size, "HTTP/1.1 415", "not supported; supported: gzip");
    s_gives_coded("gzip", packed, size - 1, "HTTP/1.1 400", "the gzip body is cut off");
    s_gives_coded("gzip", text, sizeof text - 1, "HTTP/1.1 400", "the gzip body is broken");
    packed[size] = 0;
    memset(packed + size, 'x', 20);
    s_gives_coded("gzip", packed, size + 20, "HTTP/1.1 400", "something else follows");
    memset(large, ' ', sizeof large);
    size = s_pack(packed, sizeof packed, large, sizeof large);
    s_gives_coded("gzip", packed, size, "HTTP/1.1 413", "more than the limit of 10000 bytes");
    s_gives_coded("gzip", large, sizeof large, "HTTP/1.1 413", "the limit of 10000 bytes");
    s_gives(
        "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\n\r\n",
        "HTTP/1.1 200", good); /* there is no body */
}

static void test_slow_requests(void **state)
{
    (void)state;
    int silent = s_connect(), stalled = s_connect();
    s_send(silent, "POST /gra");
    s_send(stalled, POST(JSON, 100, "{"));
    ws_world_sleep(&s_world, 10);
    ws_world_sleep(&s_world, 1);
    assert_string_equal(s_receive(silent, 1), "<EOF>");
    const char *response = s_receive(stalled, 0);
    assert_memory_equal(response, "HTTP/1.1 408 ", 13);
    assert_non_null(strstr(response, "\"code\":\"TIMEOUT\""));
    close(silent);
    close(stalled);
    ws_world_pump(&s_world);
    assert_int_equal(http_server_busy(s_server), 0);
}

static void test_cors(void **state)
{
    (void)state;
#define FROM(origin) "Origin: https://" origin ".example\r\n"
    static const char allowed[] = "Access-Control-Allow-Origin: https://good.example\r\n";
    s_gives(POST(JSON FROM("good"), 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 200", allowed);
    s_gives(POST(FROM("good"), 0, ""), "HTTP/1.1 415", allowed);
    s_gives("GET /else HTTP/1.1\r\nHost: x\r\n" FROM("good") "\r\n", "HTTP/1.1 404", allowed);
    const char *response = s_ask(POST(JSON FROM("evil"), 24, "{\"query\":\"{__typename}\"}"));
    assert_null(strstr(response, "Access-Control-Allow-Origin"));
    assert_non_null(strstr(response, "Vary: Origin\r\n"));
    s_gives("OPTIONS /graphql HTTP/1.1\r\nHost: x\r\n" FROM(
                "good") "Access-Control-Request-Method: POST\r\n"
                        "Access-Control-Request-Headers: content-type,x-evil,x-amz-date\r\n\r\n",
            "HTTP/1.1 204", "Access-Control-Allow-Headers: content-type, x-amz-date\r\n");
    response = s_ask("OPTIONS /graphql HTTP/1.1\r\nHost: x\r\n" FROM(
        "evil") "Access-Control-Request-Method: POST\r\n\r\n");
    assert_null(strstr(response, "Access-Control-Allow-Methods"));
}

static void test_pages(void **state)
{
    (void)state;
    s_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "<p>page</p>");
    s_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200",
            "Content-Security-Policy: default-src 'self'\r\n");
    s_gives("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n", "HTTP/1.1 200",
            "Content-Encoding: br\r\n");
    s_gives("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"abc\"\r\n\r\n", "HTTP/1.1 304",
            "ETag: \"abc\"\r\n");
    s_gives("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"abc\"\r\nAccept-Encoding: br\r\n\r\n",
            "HTTP/1.1 200", "ETag: \"abc-br\"\r\n");
    s_gives("GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\n\r\n",
            "HTTP/1.1 200", "<p>page</p>");
    s_gives("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405",
            "Allow: GET, HEAD\r\n");
    s_gives("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "alive");
    s_gives("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503", "testing");
    s_gives("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200",
            "parley_http_responses_total");
}

#define HANDSHAKE(more)                                                                            \
    "GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" more       \
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static void test_websocket_handshake(void **state)
{
    (void)state;
    s_gives(HANDSHAKE(KEY), "HTTP/1.1 426", "Sec-WebSocket-Version: 13\r\n");
    s_gives(HANDSHAKE(VERSION), "HTTP/1.1 400", "Sec-WebSocket-Key");
    s_gives(HANDSHAKE(VERSION KEY FROM("evil")), "HTTP/1.1 403", "FORBIDDEN");
    int fd = s_connect();
    s_send(fd, HANDSHAKE(VERSION KEY FROM("good")));
    const char *response = s_receive(fd, 1);
    assert_memory_equal(response, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(response, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_non_null(strstr(response, "Sec-WebSocket-Protocol: graphql-transport-ws\r\n"));
    assert_int_equal(realtime_count(s_world.realtime), 1);
    assert_int_equal(http_server_busy(s_server), 0); /* it has left HTTP */
    close(fd);
    ws_world_pump(&s_world);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

/* libmicrohttpd, which adds the date, answers only where more may have come than the handshake. */
static void test_who_answers_the_handshake(void **state)
{
    (void)state;
    int fd = s_connect();
    s_send(fd, HANDSHAKE(VERSION KEY));
    assert_null(strstr(s_receive(fd, 1), "Date:"));
    close(fd);
    fd = s_connect();
    s_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(s_receive(fd, 1), "alive"));
    s_send(fd, HANDSHAKE(VERSION KEY));
    const char *response = s_receive(fd, 1);
    assert_memory_equal(response, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(response, "Date:"));
    close(fd);
    ws_world_pump(&s_world);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

static void test_a_handshake_in_several_lines(void **state)
{
    (void)state;
    s_gives("GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Protocol: other\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n" VERSION KEY "\r\n",
            "HTTP/1.1 101", "\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n");
}

static void test_what_comes_behind_the_handshake_is_heard(void **state)
{
    (void)state;
    int fd = s_connect();
    char request[600];
    /* A masked {"type":"ping"} with the key 0 in the same packet. */
    int size = snprintf(request, sizeof request, "%s", HANDSHAKE(VERSION KEY));
    memcpy(request + size, "\x81\x8f\0\0\0\0{\"type\":\"ping\"}", 21);
    assert_int_equal(send(fd, request, (size_t)size + 21, 0), size + 21);
    for (int i = 0; i < 200; i++) {
        ws_world_pump(&s_world);
        usleep(1000);
    }
    ssize_t n = recv(fd, s_response, sizeof s_response - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    s_response[n] = '\0';
    assert_non_null(strstr(s_response, "{\"type\":\"pong\"}"));
    close(fd);
    ws_world_pump(&s_world);
}

static void test_event_stream(void **state)
{
    (void)state;
    int fd = s_connect();
    s_send(fd, "GET /graphql?query=subscription%7Bheard%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n"
               "Accept: text/event-stream\r\nLast-Event-ID: c7\r\n\r\n");
    assert_string_equal(fake_calls[0].resume, "c7");
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[0]);
    fake_publish(fake_subscribers[0], 1);
    ws_world_pump(&s_world); /* a feed ends nobody who has something to take yet */
    fake_end(fake_subscribers[0], ERR_FORBIDDEN, "over");
    const char *response = s_receive(fd, 0);
    assert_memory_equal(response, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(response, "\r\n\r\n:\n\nid: cursor-1\nevent: next\ndata: {\"data\":"));
    assert_non_null(strstr(response, "event: complete\ndata: \n\n<EOF>"));
    close(fd);
    /* A query as an event stream needs no connection of its own. */
    s_gives("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\n"
            "Accept: text/event-stream\r\n\r\n",
            "HTTP/1.1 200",
            "event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\n"
            "event: complete\n");
}

static void test_limit_of_connections(void **state)
{
    (void)state;
    int fds[10];
    for (int i = 0; i < 10; i++)
        fds[i] = s_connect();
    ws_world_pump(&s_world);
    int more = s_connect();
    assert_string_equal(s_receive(more, 1), "<EOF>");
    close(more);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    ws_world_pump(&s_world);
    s_gives("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "alive");
}

static const char s_upgrade[] =
    "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* A connection too many is told so, or closed if it says nothing; WebSockets count too. */
static void test_connections_of_an_address(void **state)
{
    (void)state;
    int idle = s_connect(), websocket = s_connect();
    s_send(websocket, s_upgrade);
    assert_memory_equal(s_receive(websocket, 1), "HTTP/1.1 101 ", 13);
    assert_int_equal(realtime_count(s_world.realtime), 1);
    s_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 429", "\"code\":\"RATE_LIMITED\"");
    s_gives(s_upgrade, "HTTP/1.1 429", "Retry-After: 1\r\n");
    int silent = s_connect();
    ws_world_pump(&s_world);
    for (int i = 0; i < 3; i++)
        ws_world_sleep(&s_world, 1);
    assert_string_equal(s_receive(silent, 0), "<EOF>");
    close(silent);
    close(websocket);
    ws_world_pump(&s_world);
    s_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "page");
    close(idle);
}

/* What introspection says is said again without finding it out, and belongs to its schema. */
static void test_introspection_is_kept(void **state)
{
    (void)state;
    static const char ask[] = POST(JSON, 47, "{\"query\":\"{__schema{queryType{fields{name}}}}\"}");
    static const char sdl[] = "type Query { other: Int @public }";
    s_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"hello\"},{\"name\":\"secret\"}]}");
    size_t kept = runner_documents(s_world.runner).bytes;
    s_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"hello\"},{\"name\":\"secret\"}]}");
    assert_int_equal(runner_documents(s_world.runner).bytes, kept); /* weighed when it was kept */
    gql_source_t source = {.service = "echo", .sdl = sdl, .size = sizeof sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, NULL);
    runner_set_schema(s_world.runner, schema);
    gql_schema_unref(&schema);
    s_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"other\"}]}");
}

/* A connection whose request is read, and waits in the slow lane. */
static int s_waiting(const char *request)
{
    int fd = s_connect();
    ws_world_pump(&s_world);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    const metric_t *waiting = metrics_gauge("parley_slow_lane_waiting", "", NULL);
    for (int i = 0; i < 100 && !metric_value(waiting); i++)
        uv_run(loop_uv(s_world.loop), UV_RUN_ONCE);
    assert_int_equal(metric_value(waiting), 1);
    return fd;
}

/* A request whose document is not known yet is on its way when the server ends. */
static void test_end_with_requests_that_wait(void **state)
{
    (void)state;
    int fd = s_waiting(POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_destroy(&s_server);
    const char *response = s_receive(fd, 0);
    assert_memory_equal(response, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(response, "\"outcome\":\"none\""));
    assert_int_equal(fake_call_count, 0);
    close(fd);
}

/* The time in the slow lane is the operation's; if that is over, nothing is begun. */
static void test_time_in_the_slow_lane(void **state)
{
    (void)state;
    int64_t start_ms = clock_unix_ms();
    int fd = s_waiting(POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    ws_world_sleep(&s_world, 20);
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(fake_calls[0].deadline_ms, start_ms + 25000);
    fake_answer("Query.hello", "\"hi\"");
    assert_non_null(strstr(s_receive(fd, 1), "{\"data\":{\"hello\":\"hi\"}}"));
    close(fd);
    ws_world_pump(&s_world);
    static char large[70000];
    size_t size = (size_t)sprintf(large, POST(JSON, 66000, "{\"query\":\"{other:hello}\"}"));
    memset(large + size, ' ', 66000 - strlen("{\"query\":\"{other:hello}\"}"));
    const char *late[] = {POST(JSON, 25, "{\"query\":\"{other:hello}\"}"), large};
    for (int i = 0; i < 2; i++) {
        fd = s_waiting(late[i]);
        ws_world_sleep(&s_world, 26);
        const char *response = s_receive(fd, 1);
        assert_memory_equal(response, "HTTP/1.1 503 ", 13);
        assert_non_null(strstr(response, "the operation waited 26000 ms; the limit is 25000 ms"));
        assert_non_null(strstr(response, "\"code\":\"TIMEOUT\",\"outcome\":\"none\""));
        close(fd);
        ws_world_pump(&s_world);
    }
    assert_int_equal(fake_call_count, 1);
}

/* A request that was not read yet when the server ends is not begun. */
static void test_end_with_requests_unread(void **state)
{
    (void)state;
    int fd = s_connect();
    ws_world_pump(&s_world);
    static const char request[] = POST(JSON, 19, "{\"query\":\"{hello}\"}");
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    http_server_destroy(&s_server);
    assert_string_equal(s_receive(fd, 0), "<EOF>");
    assert_int_equal(fake_call_count, 0);
    close(fd);
}

/* Between the credential's check and its turn in the slow lane the session ended. */
static void test_a_credential_that_ends_while_it_waits(void **state)
{
    (void)state;
    int fd =
        s_waiting(POST(JSON "Authorization: a:9999999999\r\n", 20, "{\"query\":\"{secret}\"}"));
    fake_auth_withdraw(s_world.auth);
    assert_memory_equal(s_receive(fd, 1), "HTTP/1.1 401 ", 13);
    assert_int_equal(fake_call_count, 0);
    close(fd);
}

#define AS(handle) "Authorization: " handle ":1900000000\r\n"
#define HELLO_AS(credential) POST(JSON credential, 24, "{\"query\":\"{__typename}\"}")

static void test_rate_of_a_handle(void **state)
{
    (void)state;
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "Retry-After: 1\r\n");
    s_gives(HELLO_AS(AS("bob")), "HTTP/1.1 200", "\"data\"");
    ws_world_sleep(&s_world, 1);
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
}

static void test_rate_of_an_address(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        s_gives(HELLO_AS(""), "HTTP/1.1 200", "\"data\"");
    s_gives(HELLO_AS(AS("bob")), "HTTP/1.1 429",
            "\"extensions\":{\"code\":\"RATE_LIMITED\",\"retryAfterMs\":200,\"outcome\":\"none\"}");
    s_gives("GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "HTTP/1.1 429", "RATE_LIMITED");
    s_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "page");
    ws_world_sleep(&s_world, 1);
    s_gives(HELLO_AS(AS("bob")), "HTTP/1.1 200", "\"data\"");
}

static void test_a_wrong_credential_costs_more(void **state)
{
    (void)state;
    s_gives(HELLO_AS("Authorization: nonsense\r\n"), "HTTP/1.1 401",
            "WWW-Authenticate: Bearer\r\n");
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&s_world, 1);
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&s_world, 1);
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
}

/* Nobody can say whose it is while a service is away: that is no way around the limit. */
static void test_an_unknown_credential_costs_more(void **state)
{
    (void)state;
    s_gives(HELLO_AS("Authorization: away:0\r\n"), "HTTP/1.1 503", "the issuer's keys");
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&s_world, 1);
    s_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
}

/* A proxy may add a line of its own and leave what the client made up before it. */
static void test_a_forged_address_behind_a_proxy(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char request[300];
        snprintf(request, sizeof request,
                 POST(JSON "X-Forwarded-For: 6.6.6.%d\r\nX-Forwarded-For: 1.1.1.1\r\n", 24,
                      "{\"query\":\"{__typename}\"}"),
                 i);
        s_gives(request, "HTTP/1.1 200", "\"data\"");
    }
    s_gives(HELLO_AS("X-Forwarded-For: 6.6.6.9\r\nX-Forwarded-For: 1.1.1.1\r\n"), "HTTP/1.1 429",
            "RATE_LIMITED");
    s_gives(HELLO_AS("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"), "HTTP/1.1 200",
            "\"data\"");
}

/* Who is no proxy says so in vain. */
static void test_rate_of_a_connection(void **state)
{
    (void)state;
    int fd = s_connect();
    for (int i = 0; i < 3; i++) {
        s_send(fd, HELLO_AS("X-Forwarded-For: 6.6.6.6\r\n"));
        assert_memory_equal(s_receive(fd, 1), "HTTP/1.1 200", 12);
    }
    s_send(fd, HELLO_AS("X-Forwarded-For: 6.6.6.6\r\n"));
    assert_memory_equal(s_receive(fd, 1), "HTTP/1.1 429", 12);
    close(fd);
    s_gives(HELLO_AS(""), "HTTP/1.1 200", "\"data\"");
}

/* A request that a service asked for: what became of it only the service knows. */
static void test_a_route_that_fails(void **state)
{
    (void)state;
    json_t *routes = json_loads("[{\"method\":\"POST\",\"path\":\"/do\"}]", 0, NULL);
    const service_manifest_t manifest = {.name = "echo", .sdl = "", .routes = routes};
    static const char request[] = "POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    fake_manifest = &manifest;
    static const struct {
        const char *code, *extensions, *status, *outcome;
    } cases[] = {
        {"TIMEOUT", "{\"outcome\":\"unknown\"}", "HTTP/1.1 504", "\"outcome\":\"unknown\""},
        {"UNAVAILABLE", "{\"outcome\":\"unknown\"}", "HTTP/1.1 503", "\"outcome\":\"unknown\""},
        {"UNAVAILABLE", "{\"outcome\":\"none\",\"retryAfterMs\":1000}", "HTTP/1.1 503",
         "\"outcome\":\"none\",\"retryAfterMs\":1000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = s_connect();
        s_send(fd, request);
        fake_reject_with("HTTP", cases[i].code, "the service was lost", cases[i].extensions);
        const char *response = s_receive(fd, 1);
        assert_memory_equal(response, cases[i].status, strlen(cases[i].status));
        assert_non_null(strstr(response, cases[i].outcome));
        close(fd);
    }
    ws_world_pump(&s_world);
    fake_manifest = NULL;
    json_decref(routes);
}

static void test_drain(void **state)
{
    (void)state;
    int fd = s_connect();
    unsigned port = http_server_port(s_server);
    s_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_drain(s_server);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)(void *)&address, sizeof address), -1);
    close(late);
    fake_answer("Query.hello", "\"hi\"");
    const char *response = s_receive(fd, 0);
    assert_non_null(strstr(response, "Connection: close\r\n"));
    assert_non_null(strstr(response, "{\"data\":{\"hello\":\"hi\"}}<EOF>"));
    close(fd);
}

static void test_end_with_requests_under_way(void **state)
{
    (void)state;
    int fd = s_connect();
    s_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_destroy(&s_server);
    assert_int_equal(fake_cancelled, 1);
    const char *response = s_receive(fd, 0);
    assert_memory_equal(response, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(response, "\"outcome\":\"unknown\""));
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)
#define TWO_CONNECTIONS(name)                                                                      \
    cmocka_unit_test_setup_teardown(name, s_setup_two_connections, s_teardown)
#define LIMITED(name) cmocka_unit_test_setup_teardown(name, s_setup_limited, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_methods_and_types),
        TEST(test_statuses_by_media_type),
        TEST(test_waits_for_a_service),
        TEST(test_schema_is_replaced),
        TEST(test_time_of_an_operation),
        TEST(test_size_of_variables),
        TEST(test_a_client_leaves),
        TEST(test_large_bodies),
        TEST(test_compressed_bodies),
        TEST(test_slow_requests),
        TEST(test_cors),
        TEST(test_pages),
        TEST(test_websocket_handshake),
        TEST(test_who_answers_the_handshake),
        TEST(test_a_handshake_in_several_lines),
        TEST(test_what_comes_behind_the_handshake_is_heard),
        TEST(test_event_stream),
        TEST(test_limit_of_connections),
        TWO_CONNECTIONS(test_connections_of_an_address),
        TEST(test_introspection_is_kept),
        TEST(test_end_with_requests_that_wait),
        cmocka_unit_test_setup_teardown(test_time_in_the_slow_lane, s_setup_large, s_teardown),
        TEST(test_end_with_requests_unread),
        TEST(test_a_credential_that_ends_while_it_waits),
        LIMITED(test_rate_of_a_handle),
        LIMITED(test_rate_of_an_address),
        LIMITED(test_a_wrong_credential_costs_more),
        LIMITED(test_an_unknown_credential_costs_more),
        cmocka_unit_test_setup_teardown(test_a_forged_address_behind_a_proxy, s_setup_proxied,
                                        s_teardown),
        cmocka_unit_test_setup_teardown(test_rate_of_a_connection, s_setup_slow_connections,
                                        s_teardown),
        TEST(test_a_route_that_fails),
        TEST(test_drain),
        TEST(test_end_with_requests_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
