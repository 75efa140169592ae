/* The HTTP server over real connections, with services that do what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "http_world.h"

static int s_setup(void **state)
{
    (void)state;
    http_world_begin("none");
    return 0;
}

static void test_methods_and_types(void **state)
{
    (void)state;
    http_gives(POST(JSON, 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 200 OK",
               "\r\n\r\n{\"data\":{\"__typename\":\"Query\"}}");
    http_gives("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK",
               "{\"data\":{\"__typename\":\"Query\"}}");
    http_gives(POST("", 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 415", "BAD_USER_INPUT");
    http_gives(POST("Content-Type: text/plain\r\n", 24, "{\"query\":\"{__typename}\"}"),
               "HTTP/1.1 415", "BAD_USER_INPUT");
    http_gives(POST(JSON "Accept: image/png\r\n", 24, "{\"query\":\"{__typename}\"}"),
               "HTTP/1.1 406", "BAD_USER_INPUT");
    http_gives("DELETE /graphql HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405",
               "Allow: GET, POST, OPTIONS\r\n");
    http_gives("GET /graphql?query=mutation%7Bsay%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n\r\n",
               "HTTP/1.1 405", "Allow: POST\r\n");
    http_gives("GET /graphql HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400",
               "\\\"query\\\" is missing");
    http_gives("GET /graphql?query=%7Bhello%7D%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400",
               "malformed escape");
    http_gives("GET /else HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404", "\"code\":\"NOT_FOUND\"");
    http_gives("GET /graphql?query=subscription%7Bheard%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n\r\n",
               "HTTP/1.1 406", "text/event-stream");
}

static void test_statuses_by_media_type(void **state)
{
    (void)state;
    http_gives(POST(JSON, 18, "{\"query\":\"{nope}\"}"), "HTTP/1.1 200",
               "GRAPHQL_VALIDATION_FAILED");
    http_gives(
        POST(JSON "Accept: application/graphql-response+json\r\n", 18, "{\"query\":\"{nope}\"}"),
        "HTTP/1.1 400", "Content-Type: application/graphql-response+json; charset=utf-8");
    http_gives(POST(JSON, 20, "{\"query\":\"{secret}\"}"), "HTTP/1.1 401", "UNAUTHENTICATED");
    http_gives(POST(JSON "Authorization: nonsense\r\n", 24, "{\"query\":\"{__typename}\"}"),
               "HTTP/1.1 401", "the token is malformed");
    http_gives(POST(JSON, 3, "[1]"), "HTTP/1.1 400", "batching");
}

static void test_waits_for_a_service(void **state)
{
    (void)state;
    int fd = http_connect();
    http_send(fd, POST(JSON "X-Request-Id: mine.1\r\n", 19, "{\"query\":\"{hello}\"}"));
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(http_server_busy(http_world_server), 1);
    fake_answer("Query.hello", "\"hi\"");
    const char *response = http_receive(fd, 1);
    assert_non_null(strstr(response, "X-Request-Id: mine.1\r\n"));
    assert_non_null(strstr(response, "{\"data\":{\"hello\":\"hi\"}}"));
    /* The connection goes on, with two requests at once. */
    http_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}")
                      POST(JSON, 24, "{\"query\":\"{__typename}\"}"));
    fake_answer("Query.hello", "\"again\"");
    response = http_receive(fd, 2);
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
    int fd = http_connect();
    http_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    gql_source_t source = {.service = "echo", .sdl = sdl, .size = sizeof sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, NULL);
    runner_set_schema(http_world.runner, schema);
    gql_schema_unref(&schema);
    http_gives(POST(JSON, 19, "{\"query\":\"{hello}\"}"), "HTTP/1.1 200", "Cannot query field");
    fake_answer("Query.hello", "\"hi\"");
    assert_non_null(strstr(http_receive(fd, 1), "{\"data\":{\"hello\":\"hi\"}}"));
    close(fd);
}

/* Each call has its time, and all of them together have theirs. */
static void test_time_of_an_operation(void **state)
{
    (void)state;
    int fd = http_connect();
    int64_t start_ms = clock_unix_ms();
    http_send(
        fd, POST(JSON, 63, "{\"query\":\"mutation { a: say { n } b: say { n } c: say { n } }\"} "));
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(fake_calls[0].deadline_ms, start_ms + 10000);
    ws_world_sleep(&http_world, 9);
    fake_answer("Mutation.say", "{\"n\":1}");
    assert_int_equal(fake_calls[1].deadline_ms, start_ms + 19000);
    ws_world_sleep(&http_world, 9);
    fake_reject("Mutation.say", "TIMEOUT", "the service did not answer in time");
    assert_int_equal(fake_calls[2].deadline_ms, start_ms + 25000);
    ws_world_sleep(&http_world, 7);
    fake_reject("Mutation.say", "TIMEOUT", "the service did not answer in time");
    const char *response = http_receive(fd, 1);
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
            http_gives(request, "HTTP/1.1 200",
                       size > 2000 ? "the variables have 2001 bytes; the limit is 2000"
                                   : "{\"__typename\":\"Query\"}");
        }
    }
}

static void test_a_client_leaves(void **state)
{
    (void)state;
    int fd = http_connect();
    http_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    close(fd);
    ws_world_pump(&http_world);
    fake_answer("Query.hello", "\"hi\"");
    ws_world_pump(&http_world);
    assert_int_equal(http_server_busy(http_world_server), 0);
}

static void test_large_bodies(void **state)
{
    (void)state;
    static char request[40000];
    int head = sprintf(request, "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
                                "Content-Length: 20000\r\n\r\n");
    memset(request + head, 'x', 20000);
    request[head + 20000] = '\0';
    http_gives(request, "HTTP/1.1 413", "the limit of 10000 bytes");
    http_gives("POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2000000000\r\n\r\n",
               "HTTP/1.1 413", "PAYLOAD_TOO_LARGE");
    http_gives("POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
               "Expect: 100-continue\r\nContent-Length: 20000\r\n\r\n",
               "HTTP/1.1 413", "PAYLOAD_TOO_LARGE");
    head = sprintf(request, "POST /graphql HTTP/1.1\r\nHost: x\r\n" JSON
                            "Transfer-Encoding: chunked\r\n\r\n4e20\r\n");
    memset(request + head, 'x', 20000);
    strcpy(request + head + 20000, "\r\n0\r\n\r\n");
    http_gives(request, "HTTP/1.1 413", "the limit of 10000 bytes");
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
    int fd = http_connect();
    http_send(fd, head);
    http_send_bytes(fd, body, size);
    const char *response = http_receive(fd, 1);
    close(fd);
    ws_world_pump(&http_world);
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
    http_gives(
        "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\n\r\n",
        "HTTP/1.1 200", good); /* there is no body */
}

static void test_slow_requests(void **state)
{
    (void)state;
    int silent = http_connect(), stalled = http_connect();
    http_send(silent, "POST /gra");
    http_send(stalled, POST(JSON, 100, "{"));
    ws_world_sleep(&http_world, 10);
    ws_world_sleep(&http_world, 1);
    assert_string_equal(http_receive(silent, 1), "<EOF>");
    const char *response = http_receive(stalled, 0);
    assert_memory_equal(response, "HTTP/1.1 408 ", 13);
    assert_non_null(strstr(response, "\"code\":\"TIMEOUT\""));
    close(silent);
    close(stalled);
    ws_world_pump(&http_world);
    assert_int_equal(http_server_busy(http_world_server), 0);
}

static void test_cors(void **state)
{
    (void)state;
#define FROM(origin) "Origin: https://" origin ".example\r\n"
    static const char allowed[] = "Access-Control-Allow-Origin: https://good.example\r\n";
    http_gives(POST(JSON FROM("good"), 24, "{\"query\":\"{__typename}\"}"), "HTTP/1.1 200",
               allowed);
    http_gives(POST(FROM("good"), 0, ""), "HTTP/1.1 415", allowed);
    http_gives("GET /else HTTP/1.1\r\nHost: x\r\n" FROM("good") "\r\n", "HTTP/1.1 404", allowed);
    const char *response = http_ask(POST(JSON FROM("evil"), 24, "{\"query\":\"{__typename}\"}"));
    assert_null(strstr(response, "Access-Control-Allow-Origin"));
    assert_non_null(strstr(response, "Vary: Origin\r\n"));
    http_gives("OPTIONS /graphql HTTP/1.1\r\nHost: x\r\n" FROM(
                   "good") "Access-Control-Request-Method: POST\r\n"
                           "Access-Control-Request-Headers: content-type,x-evil,x-amz-date\r\n\r\n",
               "HTTP/1.1 204", "Access-Control-Allow-Headers: content-type, x-amz-date\r\n");
    response = http_ask("OPTIONS /graphql HTTP/1.1\r\nHost: x\r\n" FROM(
        "evil") "Access-Control-Request-Method: POST\r\n\r\n");
    assert_null(strstr(response, "Access-Control-Allow-Methods"));
}

static void test_pages(void **state)
{
    (void)state;
    http_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "<p>page</p>");
    http_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200",
               "Content-Security-Policy: default-src 'self'\r\n");
    http_gives("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n", "HTTP/1.1 200",
               "Content-Encoding: br\r\n");
    http_gives("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"abc\"\r\n\r\n", "HTTP/1.1 304",
               "ETag: \"abc\"\r\n");
    http_gives("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"abc\"\r\nAccept-Encoding: br\r\n\r\n",
               "HTTP/1.1 200", "ETag: \"abc-br\"\r\n");
    http_gives("GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\n\r\n",
               "HTTP/1.1 200", "<p>page</p>");
    http_gives("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405",
               "Allow: GET, HEAD\r\n");
    http_gives("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "alive");
    http_gives("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503", "testing");
    http_gives("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200",
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
    http_gives(HANDSHAKE(KEY), "HTTP/1.1 426", "Sec-WebSocket-Version: 13\r\n");
    http_gives(HANDSHAKE(VERSION), "HTTP/1.1 400", "Sec-WebSocket-Key");
    http_gives(HANDSHAKE(VERSION KEY FROM("evil")), "HTTP/1.1 403", "FORBIDDEN");
    int fd = http_connect();
    http_send(fd, HANDSHAKE(VERSION KEY FROM("good")));
    const char *response = http_receive(fd, 1);
    assert_memory_equal(response, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(response, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_non_null(strstr(response, "Sec-WebSocket-Protocol: graphql-transport-ws\r\n"));
    assert_int_equal(realtime_count(http_world.realtime), 1);
    assert_int_equal(http_server_busy(http_world_server), 0); /* it has left HTTP */
    close(fd);
    ws_world_pump(&http_world);
    assert_int_equal(realtime_count(http_world.realtime), 0);
}

/* libmicrohttpd, which adds the date, answers only where more may have come than the handshake. */
static void test_who_answers_the_handshake(void **state)
{
    (void)state;
    int fd = http_connect();
    http_send(fd, HANDSHAKE(VERSION KEY));
    assert_null(strstr(http_receive(fd, 1), "Date:"));
    close(fd);
    fd = http_connect();
    http_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(http_receive(fd, 1), "alive"));
    http_send(fd, HANDSHAKE(VERSION KEY));
    const char *response = http_receive(fd, 1);
    assert_memory_equal(response, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(response, "Date:"));
    close(fd);
    ws_world_pump(&http_world);
    assert_int_equal(realtime_count(http_world.realtime), 0);
}

static void test_a_handshake_in_several_lines(void **state)
{
    (void)state;
    http_gives(
        "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Protocol: other\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n" VERSION KEY "\r\n",
        "HTTP/1.1 101", "\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n");
}

static void test_what_comes_behind_the_handshake_is_heard(void **state)
{
    (void)state;
    int fd = http_connect();
    char request[600];
    /* A masked {"type":"ping"} with the key 0 in the same packet. */
    int size = snprintf(request, sizeof request, "%s", HANDSHAKE(VERSION KEY));
    memcpy(request + size, "\x81\x8f\0\0\0\0{\"type\":\"ping\"}", 21);
    assert_int_equal(send(fd, request, (size_t)size + 21, 0), size + 21);
    for (int i = 0; i < 200; i++) {
        ws_world_pump(&http_world);
        usleep(1000);
    }
    char text[4096];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "{\"type\":\"pong\"}"));
    close(fd);
    ws_world_pump(&http_world);
}

static void test_event_stream(void **state)
{
    (void)state;
    int fd = http_connect();
    http_send(fd, "GET /graphql?query=subscription%7Bheard%7Bn%7D%7D HTTP/1.1\r\nHost: x\r\n"
                  "Accept: text/event-stream\r\nLast-Event-ID: c7\r\n\r\n");
    assert_string_equal(fake_calls[0].resume, "c7");
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[0]);
    fake_publish(fake_subscribers[0], 1);
    ws_world_pump(&http_world); /* a feed ends nobody who has something to take yet */
    fake_end(fake_subscribers[0], ERR_FORBIDDEN, "over");
    const char *response = http_receive(fd, 0);
    assert_memory_equal(response, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(response, "\r\n\r\n:\n\nid: cursor-1\nevent: next\ndata: {\"data\":"));
    assert_non_null(strstr(response, "event: complete\ndata: \n\n<EOF>"));
    close(fd);
    /* A query as an event stream needs no connection of its own. */
    http_gives("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\n"
               "Accept: text/event-stream\r\n\r\n",
               "HTTP/1.1 200",
               "event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\n"
               "event: complete\n");
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
        int fd = http_connect();
        http_send(fd, request);
        fake_reject_with("HTTP", cases[i].code, "the service was lost", cases[i].extensions);
        const char *response = http_receive(fd, 1);
        assert_memory_equal(response, cases[i].status, strlen(cases[i].status));
        assert_non_null(strstr(response, cases[i].outcome));
        close(fd);
    }
    ws_world_pump(&http_world);
    fake_manifest = NULL;
    json_decref(routes);
}

static void test_drain(void **state)
{
    (void)state;
    int fd = http_connect();
    unsigned port = http_server_port(http_world_server);
    http_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_drain(http_world_server);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)(void *)&address, sizeof address), -1);
    close(late);
    fake_answer("Query.hello", "\"hi\"");
    const char *response = http_receive(fd, 0);
    assert_non_null(strstr(response, "Connection: close\r\n"));
    assert_non_null(strstr(response, "{\"data\":{\"hello\":\"hi\"}}<EOF>"));
    close(fd);
}

static void test_end_with_requests_under_way(void **state)
{
    (void)state;
    int fd = http_connect();
    http_send(fd, POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_destroy(&http_world_server);
    assert_int_equal(fake_cancelled, 1);
    const char *response = http_receive(fd, 0);
    assert_memory_equal(response, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(response, "\"outcome\":\"unknown\""));
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, http_world_end)

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
        TEST(test_a_route_that_fails),
        TEST(test_drain),
        TEST(test_end_with_requests_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
