/* The same: who has too much, and what waits in the slow lane. */
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

#include "common/clock.h"
#include "common/metrics.h"
#include "http_world.h"

static int s_setup(void **state)
{
    (void)state;
    http_world_begin("none");
    return 0;
}

static int s_setup_large(void **state)
{
    http_world_max_body = 100000;
    return s_setup(state);
}

static int s_setup_limited(void **state)
{
    http_world.limits = (rate_options_t){.handle = 2, .address = 5};
    return s_setup(state);
}

static int s_setup_proxied(void **state)
{
    (void)state;
    http_world.limits = (rate_options_t){.connection = 3, .address = 5};
    http_world_begin("127.0.0.1");
    return 0;
}

static int s_setup_slow_connections(void **state)
{
    http_world.limits = (rate_options_t){.connection = 3};
    return s_setup(state);
}

static int s_setup_two_connections(void **state)
{
    http_world.most_connections = 2;
    return s_setup(state);
}

static void test_limit_of_connections(void **state)
{
    (void)state;
    int fds[10];
    for (int i = 0; i < 10; i++)
        fds[i] = http_connect();
    ws_world_pump(&http_world);
    int more = http_connect();
    assert_string_equal(http_receive(more, 1), "<EOF>");
    close(more);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    ws_world_pump(&http_world);
    http_gives("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "alive");
}

static const char s_upgrade[] =
    "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* A connection too many is told so, or closed if it says nothing; WebSockets count too. */
static void test_connections_of_an_address(void **state)
{
    (void)state;
    int idle = http_connect(), websocket = http_connect();
    http_send(websocket, s_upgrade);
    assert_memory_equal(http_receive(websocket, 1), "HTTP/1.1 101 ", 13);
    assert_int_equal(realtime_count(http_world.realtime), 1);
    http_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 429", "\"code\":\"RATE_LIMITED\"");
    http_gives(s_upgrade, "HTTP/1.1 429", "Retry-After: 1\r\n");
    int silent = http_connect();
    ws_world_pump(&http_world);
    for (int i = 0; i < 3; i++)
        ws_world_sleep(&http_world, 1);
    assert_string_equal(http_receive(silent, 0), "<EOF>");
    close(silent);
    close(websocket);
    ws_world_pump(&http_world);
    http_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "page");
    close(idle);
}

/* What introspection says is said again without finding it out, and belongs to its schema. */
static void test_introspection_is_kept(void **state)
{
    (void)state;
    static const char ask[] = POST(JSON, 47, "{\"query\":\"{__schema{queryType{fields{name}}}}\"}");
    static const char sdl[] = "type Query { other: Int @public }";
    http_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"hello\"},{\"name\":\"secret\"}]}");
    size_t kept = runner_documents(http_world.runner).bytes;
    http_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"hello\"},{\"name\":\"secret\"}]}");
    assert_int_equal(runner_documents(http_world.runner).bytes,
                     kept); /* weighed when it was kept */
    gql_source_t source = {.service = "echo", .sdl = sdl, .size = sizeof sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, NULL);
    runner_set_schema(http_world.runner, schema);
    gql_schema_unref(&schema);
    http_gives(ask, "HTTP/1.1 200", "{\"fields\":[{\"name\":\"other\"}]}");
}

/* A connection whose request is read, and waits in the slow lane. */
static int s_waiting(const char *request)
{
    int fd = http_connect();
    ws_world_pump(&http_world);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    const metric_t *waiting = metrics_gauge("parley_slow_lane_waiting", "", NULL);
    for (int i = 0; i < 100 && !metric_value(waiting); i++)
        uv_run(loop_uv(http_world.loop), UV_RUN_ONCE);
    assert_int_equal(metric_value(waiting), 1);
    return fd;
}

/* A request whose document is not known yet is on its way when the server ends. */
static void test_end_with_requests_that_wait(void **state)
{
    (void)state;
    int fd = s_waiting(POST(JSON, 19, "{\"query\":\"{hello}\"}"));
    http_server_destroy(&http_world_server);
    const char *response = http_receive(fd, 0);
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
    ws_world_sleep(&http_world, 20);
    assert_int_equal(fake_call_count, 1);
    assert_int_equal(fake_calls[0].deadline_ms, start_ms + 25000);
    fake_answer("Query.hello", "\"hi\"");
    assert_non_null(strstr(http_receive(fd, 1), "{\"data\":{\"hello\":\"hi\"}}"));
    close(fd);
    ws_world_pump(&http_world);
    static char large[70000];
    size_t size = (size_t)sprintf(large, POST(JSON, 66000, "{\"query\":\"{other:hello}\"}"));
    memset(large + size, ' ', 66000 - strlen("{\"query\":\"{other:hello}\"}"));
    const char *late[] = {POST(JSON, 25, "{\"query\":\"{other:hello}\"}"), large};
    for (int i = 0; i < 2; i++) {
        fd = s_waiting(late[i]);
        ws_world_sleep(&http_world, 26);
        const char *response = http_receive(fd, 1);
        assert_memory_equal(response, "HTTP/1.1 503 ", 13);
        assert_non_null(strstr(response, "the operation waited 26000 ms; the limit is 25000 ms"));
        assert_non_null(strstr(response, "\"code\":\"TIMEOUT\",\"outcome\":\"none\""));
        close(fd);
        ws_world_pump(&http_world);
    }
    assert_int_equal(fake_call_count, 1);
}

/* A request that was not read yet when the server ends is not begun. */
static void test_end_with_requests_unread(void **state)
{
    (void)state;
    int fd = http_connect();
    ws_world_pump(&http_world);
    static const char request[] = POST(JSON, 19, "{\"query\":\"{hello}\"}");
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    http_server_destroy(&http_world_server);
    assert_string_equal(http_receive(fd, 0), "<EOF>");
    assert_int_equal(fake_call_count, 0);
    close(fd);
}

/* Between the credential's check and its turn in the slow lane the session ended. */
static void test_a_credential_that_ends_while_it_waits(void **state)
{
    (void)state;
    int fd =
        s_waiting(POST(JSON "Authorization: a:9999999999\r\n", 20, "{\"query\":\"{secret}\"}"));
    fake_auth_withdraw(http_world.auth);
    assert_memory_equal(http_receive(fd, 1), "HTTP/1.1 401 ", 13);
    assert_int_equal(fake_call_count, 0);
    close(fd);
}

#define AS(handle) "Authorization: " handle ":1900000000\r\n"
#define HELLO_AS(credential) POST(JSON credential, 24, "{\"query\":\"{__typename}\"}")

static void test_rate_of_a_handle(void **state)
{
    (void)state;
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "Retry-After: 1\r\n");
    http_gives(HELLO_AS(AS("bob")), "HTTP/1.1 200", "\"data\"");
    ws_world_sleep(&http_world, 1);
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
}

static void test_rate_of_an_address(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        http_gives(HELLO_AS(""), "HTTP/1.1 200", "\"data\"");
    http_gives(
        HELLO_AS(AS("bob")), "HTTP/1.1 429",
        "\"extensions\":{\"code\":\"RATE_LIMITED\",\"retryAfterMs\":200,\"outcome\":\"none\"}");
    http_gives("GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
               "HTTP/1.1 429", "RATE_LIMITED");
    http_gives("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "page");
    ws_world_sleep(&http_world, 1);
    http_gives(HELLO_AS(AS("bob")), "HTTP/1.1 200", "\"data\"");
}

static void test_a_wrong_credential_costs_more(void **state)
{
    (void)state;
    http_gives(HELLO_AS("Authorization: nonsense\r\n"), "HTTP/1.1 401",
               "WWW-Authenticate: Bearer\r\n");
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&http_world, 1);
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&http_world, 1);
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
}

/* Nobody can say whose it is while a service is away: that is no way around the limit. */
static void test_an_unknown_credential_costs_more(void **state)
{
    (void)state;
    http_gives(HELLO_AS("Authorization: away:0\r\n"), "HTTP/1.1 503", "the issuer's keys");
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 429", "RATE_LIMITED");
    ws_world_sleep(&http_world, 1);
    http_gives(HELLO_AS(AS("alice")), "HTTP/1.1 200", "\"data\"");
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
        http_gives(request, "HTTP/1.1 200", "\"data\"");
    }
    http_gives(HELLO_AS("X-Forwarded-For: 6.6.6.9\r\nX-Forwarded-For: 1.1.1.1\r\n"), "HTTP/1.1 429",
               "RATE_LIMITED");
    http_gives(HELLO_AS("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"), "HTTP/1.1 200",
               "\"data\"");
}

/* Who is no proxy says so in vain. */
static void test_rate_of_a_connection(void **state)
{
    (void)state;
    int fd = http_connect();
    for (int i = 0; i < 3; i++) {
        http_send(fd, HELLO_AS("X-Forwarded-For: 6.6.6.6\r\n"));
        assert_memory_equal(http_receive(fd, 1), "HTTP/1.1 200", 12);
    }
    http_send(fd, HELLO_AS("X-Forwarded-For: 6.6.6.6\r\n"));
    assert_memory_equal(http_receive(fd, 1), "HTTP/1.1 429", 12);
    close(fd);
    http_gives(HELLO_AS(""), "HTTP/1.1 200", "\"data\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, http_world_end)
#define TWO_CONNECTIONS(name)                                                                      \
    cmocka_unit_test_setup_teardown(name, s_setup_two_connections, http_world_end)
#define LIMITED(name) cmocka_unit_test_setup_teardown(name, s_setup_limited, http_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limit_of_connections),
        TWO_CONNECTIONS(test_connections_of_an_address),
        TEST(test_introspection_is_kept),
        TEST(test_end_with_requests_that_wait),
        cmocka_unit_test_setup_teardown(test_time_in_the_slow_lane, s_setup_large, http_world_end),
        TEST(test_end_with_requests_unread),
        TEST(test_a_credential_that_ends_while_it_waits),
        LIMITED(test_rate_of_a_handle),
        LIMITED(test_rate_of_an_address),
        LIMITED(test_a_wrong_credential_costs_more),
        LIMITED(test_an_unknown_credential_costs_more),
        cmocka_unit_test_setup_teardown(test_a_forged_address_behind_a_proxy, s_setup_proxied,
                                        http_world_end),
        cmocka_unit_test_setup_teardown(test_rate_of_a_connection, s_setup_slow_connections,
                                        http_world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
