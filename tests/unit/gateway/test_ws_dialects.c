/* The dialects over real sockets, with services and a feed that do what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/realtime/realtime_private.h"
#include "gateway/realtime/ws_codec.h"
#include "ws_world.h"

static ws_world_t s_world;
static ws_client_t s_client;

static int s_setup(void **state)
{
    (void)state;
    ws_world_begin(&s_world);
    return 0;
}

static int s_setup_limited(void **state)
{
    s_world.limits = (rate_options_t){.connection = 3, .handle = 2};
    return s_setup(state);
}

static int s_teardown(void **state)
{
    s_world.limits = (rate_options_t){0};
    (void)state;
    ws_client_close(&s_client);
    ws_world_pump(&s_world);
    ws_world_end(&s_world);
    return 0;
}

static void s_open(void)
{
    ws_client_open(&s_client, &s_world, "/graphql", "graphql-transport-ws", NULL);
}

static void s_say(const char *text)
{
    ws_client_say(&s_client, &s_world, text);
}

static void s_hears(const char *expected)
{
    assert_string_equal(ws_client_hear(&s_client, &s_world), expected);
}

static void s_open_initialised(void)
{
    s_open();
    s_say("{\"type\":\"connection_init\"}");
    s_hears("{\"type\":\"connection_ack\"}\n");
}

static subscriber_t *s_subscribe(const char *id)
{
    char text[200];
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"type\":\"subscribe\",\"payload\":{\"query\":"
             "\"subscription{heard{n}}\"}}",
             id);
    s_say(text);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    subscriber_t *subscriber = fake_subscribers[fake_subscriber_count - 1];
    fake_activate(subscriber);
    return subscriber;
}

/* ---- graphql-transport-ws ---- */

static void test_query(void **state)
{
    (void)state;
    s_open_initialised();
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}");
    s_hears("");
    fake_answer("Query.hello", "\"hi\"");
    s_hears("{\"id\":\"a\",\"type\":\"next\",\"payload\":{\"data\":{\"hello\":\"hi\"}}}\n"
            "{\"id\":\"a\",\"type\":\"complete\"}\n");
    /* The id is free again; a mutation, and an error of a field is no error of the operation. */
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"mutation{say{n}}\"}}");
    fake_reject("Mutation.say", "CONFLICT", "no");
    s_hears(
        "{\"id\":\"a\",\"type\":\"next\",\"payload\":{\"errors\":[{\"message\":\"no\","
        "\"locations\":[{\"line\":1,\"column\":10}],\"path\":[\"say\"],\"extensions\":{\"code\":"
        "\"CONFLICT\"}}],\"data\":{\"say\":null}}}\n"
        "{\"id\":\"a\",\"type\":\"complete\"}\n");
}

static void test_a_refused_operation_fails_alone(void **state)
{
    (void)state;
    s_open_initialised();
    subscriber_t *first = s_subscribe("first");
    s_say("{\"id\":\"b\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{secret}\"}}");
    s_hears("{\"id\":\"b\",\"type\":\"error\",\"payload\":[{\"message\":\"this operation needs a "
            "credential\",\"extensions\":{\"code\":\"UNAUTHENTICATED\"}}]}\n");
    s_say("{\"id\":\"b\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{nope}\"}}");
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world),
                           "{\"id\":\"b\",\"type\":\"error\",\"payload\":[{\"message\":"));
    s_say(
        "{\"id\":\"b\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}");
    fake_reject("Subscription.heard", "FORBIDDEN", "not you");
    s_hears(
        "{\"id\":\"b\",\"type\":\"error\",\"payload\":[{\"message\":\"not you\",\"extensions\":{"
        "\"code\":\"FORBIDDEN\"}}]}\n");
    fake_publish(first, 1);
    s_hears("{\"id\":\"first\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n");
}

static void test_subscription(void **state)
{
    (void)state;
    s_open_initialised();
    subscriber_t *subscriber = s_subscribe("s \\\"1");
    fake_publish(subscriber, 2);
    s_hears("{\"id\":\"s \\\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n"
            "{\"id\":\"s \\\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":2}}}\n");
    fake_end(subscriber, ERR_CURSOR_EXPIRED, "gone");
    s_hears("{\"id\":\"s \\\"1\",\"type\":\"error\",\"payload\":[{\"message\":\"gone\","
            "\"extensions\":{\"code\":\"CURSOR_EXPIRED\"}}]}\n");
    s_subscribe("s \\\"1"); /* the id is free again */
    assert_int_equal(fake_subscribers_left(), 1);
    s_say("{\"id\":\"s \\\"1\",\"type\":\"complete\"}");
    assert_int_equal(fake_subscribers_left(), 0);
    s_say("{\"id\":\"unknown\",\"type\":\"complete\"}");
    s_hears("");
}

static void test_several_subscriptions_share_a_send(void **state)
{
    (void)state;
    s_open_initialised();
    subscriber_t *a = s_subscribe("a");
    subscriber_t *b = s_subscribe("b");
    fake_publish(a, 2);
    fake_publish(b, 1);
    s_hears("{\"id\":\"a\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n"
            "{\"id\":\"b\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n"
            "{\"id\":\"a\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":2}}}\n");
}

static void test_complete_cancels_what_runs(void **state)
{
    (void)state;
    s_open_initialised();
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}");
    s_say("{\"id\":\"a\",\"type\":\"complete\"}");
    assert_int_equal(fake_cancelled, 1);
    s_say(
        "{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}");
    s_say("{\"id\":\"a\",\"type\":\"complete\"}");
    assert_int_equal(fake_cancelled, 2);
    s_hears("");
}

static void s_frame(const char *text)
{
    ws_client_frame(&s_client, 0x81, text, strlen(text));
}

/* What waits to be prepared has an id already, and can be taken back. */
static void test_complete_stops_what_waits(void **state)
{
    (void)state;
    s_open_initialised();
    s_frame("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}");
    s_frame("{\"id\":\"a\",\"type\":\"complete\"}");
    ws_world_pump(&s_world);
    assert_int_equal(fake_call_count, 0);
    s_frame("{\"id\":\"b\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{nope}\"}}");
    s_frame("{\"id\":\"c\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{c:__typename}\"}}");
    ws_world_pump(&s_world);
    const char *heard = ws_client_hear(&s_client, &s_world);
    assert_non_null(strstr(heard, "{\"id\":\"b\",\"type\":\"error\""));
    assert_non_null(strstr(heard, "\"payload\":{\"data\":{\"c\":\"Query\"}}"));
    s_frame("{\"id\":\"d\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{d:hello}\"}}");
    s_frame("{\"id\":\"d\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{e:hello}\"}}");
    s_hears("C4409:Subscriber for d already exists\nEOF\n");
    assert_int_equal(fake_call_count, 0);
}

/* The time in the slow lane is the operation's. */
static void test_time_in_the_slow_lane(void **state)
{
    (void)state;
    s_open_initialised();
    s_frame("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{late:hello}\"}}");
    const metric_t *waiting = metrics_gauge("parley_slow_lane_waiting", "", NULL);
    for (int i = 0; i < 100 && !metric_value(waiting); i++)
        uv_run(loop_uv(s_world.loop), UV_RUN_ONCE);
    assert_int_equal(metric_value(waiting), 1);
    ws_world_sleep(&s_world, 26);
    const char *heard = ws_client_hear(&s_client, &s_world);
    assert_non_null(strstr(heard,
                           "{\"id\":\"a\",\"type\":\"error\",\"payload\":[{\"message\":\"the "
                           "operation waited 26000 ms; the limit is 25000 ms\""));
    assert_non_null(strstr(heard, "\"code\":\"TIMEOUT\",\"outcome\":\"none\""));
    assert_int_equal(fake_call_count, 0);
}

/* One was prepared before, the other is new and takes longer: services get them as they came. */
static void test_mutations_keep_their_order(void **state)
{
    (void)state;
    s_open_initialised();
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":"
          "{\"query\":\"mutation{say(text:\\\"known\\\"){n}}\"}}");
    assert_int_equal(fake_call_count, 1);
    s_frame("{\"id\":\"b\",\"type\":\"subscribe\",\"payload\":"
            "{\"query\":\"mutation{say(text:\\\"new\\\"){n}}\"}}");
    s_frame("{\"id\":\"c\",\"type\":\"subscribe\",\"payload\":"
            "{\"query\":\"mutation{say(text:\\\"known\\\"){n}}\"}}");
    ws_world_pump(&s_world);
    assert_int_equal(fake_call_count, 3);
    assert_string_equal(fake_calls[1].args, "{\"text\":\"new\"}");
    assert_string_equal(fake_calls[2].args, "{\"text\":\"known\"}");
}

static void test_a_client_that_leaves_stops_everything(void **state)
{
    (void)state;
    s_open_initialised();
    s_subscribe("s");
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}");
    shutdown(s_client.fd, SHUT_RDWR);
    ws_world_pump(&s_world);
    assert_int_equal(fake_subscribers_left(), 0);
    assert_int_equal(fake_cancelled, 1);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

/* Says text on a fresh connection and expects that close. */
static void s_closes(bool init, const char *text, const char *expected)
{
    s_open();
    if (init) {
        s_say("{\"type\":\"connection_init\"}");
        ws_client_hear(&s_client, &s_world);
    }
    s_say(text);
    const char *heard = ws_client_hear(&s_client, &s_world);
    char all[300];
    snprintf(all, sizeof all, "%s\nEOF\n", expected);
    assert_string_equal(heard, all);
    ws_client_close(&s_client);
    ws_world_pump(&s_world);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

static void test_close_codes(void **state)
{
    (void)state;
    static const char payload[] = "C4400:subscribe: \"payload\" must be a map with a string "
                                  "\"query\"";
    static const char id[] = "C4400:\"id\" must be a string of 1 to 256 bytes";
    s_closes(false, "nonsense", "C4400:Invalid message received");
    s_closes(false, "[]", "C4400:Invalid message received");
    s_closes(false, "{\"type\":1}", "C4400:Invalid message received");
    s_closes(false, "{\"type\":\"nonsense\"}", "C4400:Invalid message type received");
    s_closes(true, "{\"type\":\"connection_init\"}", "C4429:Too many initialisation requests");
    s_closes(false, "{\"id\":\"a\",\"type\":\"subscribe\"}", "C4401:Unauthorized");
    s_closes(true, "{\"type\":\"subscribe\"}", id);
    s_closes(true, "{\"id\":\"\",\"type\":\"subscribe\"}", id);
    s_closes(true, "{\"id\":1,\"type\":\"complete\"}", id);
    s_closes(true, "{\"id\":\"a\",\"type\":\"subscribe\"}", payload);
    s_closes(true, "{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":1}}", payload);
    s_closes(true,
             "{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"x\",\"variables\":1}}",
             payload);
    s_closes(false, "{\"type\":\"connection_init\",\"payload\":{\"x-api-key\":\"wrong\"}}",
             "C4403:Forbidden");
    s_open();
}

static void test_an_id_in_use_closes_with_4409(void **state)
{
    (void)state;
    s_open_initialised();
    s_subscribe("a");
    s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}");
    s_hears("C4409:Subscriber for a already exists\nEOF\n");
    assert_int_equal(fake_subscribers_left(), 0);
}

static void test_credentials(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{\"x-api-key\":\"key\"}", "{\"X-Api-Key\":\"key\"}",
                                           "{\"headers\":{\"x-api-key\":\"key\"}}"};
    for (size_t i = 0; i < 3; i++) {
        char text[200];
        s_open();
        snprintf(text, sizeof text, "{\"type\":\"connection_init\",\"payload\":%s}", payloads[i]);
        s_say(text);
        s_say("{\"id\":\"a\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{secret}\"}}");
        assert_int_equal(fake_call_count, i + 1);
        assert_non_null(strstr(fake_calls[i].identity, "\"handle\":\"apikey\""));
        ws_client_close(&s_client);
        ws_world_pump(&s_world);
    }
    s_open();
}

static void test_ping_and_pong(void **state)
{
    (void)state;
    s_open();
    s_say("{\"type\":\"ping\"}");
    s_say("{\"type\":\"ping\",\"payload\":{\"a\":[1]}}");
    s_say("{\"type\":\"pong\"}");
    s_hears("{\"type\":\"pong\"}\n{\"type\":\"pong\",\"payload\":{\"a\":[1]}}\n");
    s_say("{\"type\":\"ping\",\"payload\":1}");
    s_hears("C4400:ping: \"payload\" must be a map\nEOF\n");
}

static void test_a_new_credential_comes_in_band(void **state)
{
    (void)state;
    s_open();
    s_say("{\"type\":\"connection_init\",\"payload\":{\"x-api-key\":\"key\"}}");
    subscriber_t *subscriber = s_subscribe("s");
    s_say("{\"type\":\"ping\",\"payload\":{\"x-api-key\":\"key\"}}");
    fake_publish(subscriber, 1);
    s_hears("{\"type\":\"connection_ack\"}\n{\"type\":\"pong\",\"payload\":{}}\n"
            "{\"id\":\"s\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n");
    s_say("{\"type\":\"ping\",\"payload\":{\"x-api-key\":\"wrong\"}}");
    assert_memory_equal(ws_client_hear(&s_client, &s_world), "C4403:", 6);
    assert_int_equal(fake_subscribers_left(), 0);
}

static void test_an_expired_token_ends_the_connection(void **state)
{
    (void)state;
    char text[200];
    long long now_s = (long long)(clock_unix_us() / 1000000);
    s_open();
    snprintf(text, sizeof text,
             "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:%lld\"}}",
             now_s + 100);
    s_say(text);
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world),
                           "{\"type\":\"connection_ack\",\"payload\":{\"expiresAt\":\"20"));
    subscriber_t *subscriber = s_subscribe("s");
    ws_world_sleep(&s_world, 130); /* expired, but within the grace */
    s_hears("P\n");
    snprintf(text, sizeof text, "{\"type\":\"ping\",\"payload\":{\"Authorization\":\"a:%lld\"}}",
             now_s + 200);
    s_say(text);
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world),
                           "{\"type\":\"pong\",\"payload\":{\"expiresAt\":\"20"));
    ws_world_sleep(&s_world, 70);
    fake_publish(subscriber, 1); /* the new one counts, nothing was dropped */
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world), "{\"n\":1}"));
    ws_world_sleep(&s_world, 50);
    ws_client_hear(&s_client, &s_world);
    const char *heard = ""; /* closed in its time, then cut: small steps show both */
    for (int i = 0; i < 20 && !strstr(heard, "EOF"); i++) {
        ws_world_sleep(&s_world, 4);
        heard = ws_client_hear(&s_client, &s_world);
    }
    assert_string_equal(heard, "C4403:the token has expired\nEOF\n");
}

static void test_withdrawn_keys_end_the_connection(void **state)
{
    (void)state;
    s_open();
    s_say("{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:9999999999\"}}");
    ws_client_hear(&s_client, &s_world);
    fake_auth_withdraw(s_world.auth);
    const char *heard = "";
    for (int i = 0; i < 10 && !strstr(heard, "EOF"); i++) {
        ws_world_sleep(&s_world, 4);
        heard = ws_client_hear(&s_client, &s_world);
    }
    assert_string_equal(heard, "C4403:keys were withdrawn: show the token again\nEOF\n");
}

static void test_nobody_takes_over_a_connection(void **state)
{
    (void)state;
    s_open();
    s_say("{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:9999999999\"}}");
    ws_client_hear(&s_client, &s_world);
    s_say("{\"type\":\"ping\",\"payload\":{\"Authorization\":\"b:9999999999\"}}");
    s_hears("C4403:the credential is somebody else's\nEOF\n");
}

static void test_limit_of_operations(void **state)
{
    (void)state;
    s_open_initialised();
    for (int i = 0; i < 6; i++) {
        char text[120];
        snprintf(text, sizeof text,
                 "{\"id\":\"%d\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{hello}\"}}", i);
        s_say(text);
    }
    s_hears(
        "{\"id\":\"5\",\"type\":\"error\",\"payload\":[{\"message\":\"6 operations at a time on "
        "one connection; the limit is 5\",\"extensions\":{\"code\":\"LIMIT_EXCEEDED\"}}]}\n");
    assert_int_equal(fake_call_count, 5);
}

static void s_ask_typename(const char *id)
{
    char text[200];
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{__typename}\"}}", id);
    s_say(text);
}

/* Too many operations are refused one by one, on their ids; what runs goes on. */
static void test_rate_of_a_connection(void **state)
{
    (void)state;
    s_open_initialised();
    subscriber_t *subscriber = s_subscribe("s");
    s_ask_typename("a");
    s_ask_typename("b");
    ws_client_hear(&s_client, &s_world);
    s_ask_typename("c");
    s_hears("{\"id\":\"c\",\"type\":\"error\",\"payload\":[{\"message\":\"too many operations, try "
            "again later\",\"extensions\":{\"code\":\"RATE_LIMITED\",\"retryAfterMs\":334,"
            "\"outcome\":\"none\"}}]}\n");
    fake_publish(subscriber, 1);
    s_hears("{\"id\":\"s\",\"type\":\"next\",\"payload\":{\"data\":{\"n\":1}}}\n");
    ws_world_sleep(&s_world, 1);
    s_ask_typename("c");
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world), "\"id\":\"c\",\"type\":\"next\""));
}

static void test_rate_of_a_handle(void **state)
{
    (void)state;
    ws_client_open(&s_client, &s_world, "/graphql", "graphql-ws", NULL);
    s_say("{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"bob:1900000000\"}}");
    ws_client_hear(&s_client, &s_world);
    for (int i = 0; i < 3; i++)
        s_say("{\"id\":\"a\",\"type\":\"start\",\"payload\":{\"query\":\"{__typename}\"}}");
    const char *heard = ws_client_hear(&s_client, &s_world);
    assert_non_null(strstr(heard, "{\"id\":\"a\",\"type\":\"error\",\"payload\":{\"errors\":[{"
                                  "\"message\":\"too many operations"));
}

static void test_no_protocol_in_common(void **state)
{
    (void)state;
    ws_client_open(&s_client, &s_world, "/graphql", "soap", NULL);
    s_hears("C4406:Subprotocol not acceptable\nEOF\n");
    ws_client_close(&s_client);
    ws_client_open(&s_client, &s_world, "/graphql", NULL, NULL);
    s_hears("C4406:Subprotocol not acceptable\nEOF\n");
}

/* ---- the connection ---- */

static void test_frames(void **state)
{
    (void)state;
    s_open();
    ws_client_frame(&s_client, 0x82, "x", 1);
    s_hears("C1003:only text messages are spoken here\nEOF\n");
    ws_client_close(&s_client);
    s_open();
    char text[10001];
    memset(text, ' ', sizeof text);
    ws_client_frame(&s_client, 0x81, text, sizeof text);
    assert_memory_equal(ws_client_hear(&s_client, &s_world), "C1009:", 6);
    ws_client_close(&s_client);
    s_open();
    ws_client_frame(&s_client, 0x88, "\x03\xe8", 2);
    s_hears("C1000:\nEOF\n");
    assert_int_equal(realtime_count(s_world.realtime), 1); /* until the client hangs up */
    ws_client_close(&s_client);
    ws_world_pump(&s_world);
    assert_int_equal(realtime_count(s_world.realtime), 0);
    s_open();
}

static void test_init_timeout(void **state)
{
    (void)state;
    s_open();
    ws_world_sleep(&s_world, 9);
    s_hears("");
    ws_world_sleep(&s_world, 3);
    s_hears("C4408:Connection initialisation timeout\nEOF\n");
    ws_world_sleep(&s_world, 7); /* who does not answer the close is cut */
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

static void test_silent_clients_are_asked(void **state)
{
    (void)state;
    s_open_initialised();
    ws_world_sleep(&s_world, 40);
    s_hears("P\n");
    ws_client_frame(&s_client, 0x8a, "", 0);
    ws_world_pump(&s_world);
    ws_world_sleep(&s_world, 40);
    s_hears("P\n");
    /* Its machine acknowledges what is sent, so it may only be stalled; not for ever, though. */
    ws_world_sleep(&s_world, 40);
    assert_int_equal(realtime_count(s_world.realtime), 1);
    ws_world_sleep(&s_world, 400);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

static void test_a_slow_reader_keeps_its_order(void **state)
{
    (void)state;
    enum { EVENTS = 20000 };
    s_open_initialised();
    subscriber_t *subscriber = s_subscribe("s");
    for (unsigned published = 0; published < EVENTS; published += 100) {
        fake_publish(subscriber, 100);
        ws_world_pump(&s_world);
    }
    /* Nothing is taken for it beyond what its socket holds. */
    assert_in_range(fake_taken(subscriber), 1, EVENTS / 2);
    unsigned next = 1;
    while (next <= EVENTS) {
        struct pollfd ready = {.fd = s_client.fd, .events = POLLIN};
        const char *heard = ws_client_hear(&s_client, &s_world);
        if (!*heard && poll(&ready, 1, 5000) != 1) /* the kernel opens a shut window in its time */
            fail_msg("nothing more comes after %u", next);
        for (const char *at = heard; (at = strstr(at, "\"n\":")) != NULL; at += 4) {
            unsigned n = 0;
            sscanf(at, "\"n\":%u", &n);
            assert_int_equal(n, next);
            next++;
        }
    }
}

/* Who reads no answers is not read from: what waits for him stays small. */
static void test_questions_without_listening(void **state)
{
    (void)state;
    enum { PINGS = 40, PAYLOAD = 8000 };
    static char ping[PAYLOAD + 100];
    s_open_initialised();
    const conn_t *conn = LIST_ITEM(list_first(&s_world.realtime->all), conn_t, all);
    int much = 1024 * 1024;
    setsockopt(s_client.fd, SOL_SOCKET, SO_SNDBUF, &much, sizeof much);
    int size = snprintf(ping, sizeof ping, "{\"type\":\"ping\",\"payload\":{\"x\":\"");
    memset(ping + size, 'x', PAYLOAD);
    strcpy(ping + size + PAYLOAD, "\"}}");
    for (int i = 0; i < PINGS; i++)
        s_say(ping);
    assert_true(conn->outlet.blocked);
    assert_in_range(outlet_waiting(&conn->outlet), 64 * 1024, 150 * 1024);
    int pongs = 0;
    while (pongs < PINGS) { /* and who listens then, hears all */
        struct pollfd ready = {.fd = s_client.fd, .events = POLLIN};
        const char *heard = ws_client_hear(&s_client, &s_world);
        if (!*heard && poll(&ready, 1, 5000) != 1)
            fail_msg("nothing more comes after %d", pongs);
        for (; (heard = strstr(heard, "pong")) != NULL; heard += 4)
            pongs++;
    }
}

static void test_drain(void **state)
{
    (void)state;
    s_open_initialised();
    realtime_drain(s_world.realtime, 0);
    ws_world_sleep(&s_world, 0);
    s_hears("C1001:the server is going away\nEOF\n");
}

/* ---- the older protocols ---- */

static void test_graphql_ws(void **state)
{
    (void)state;
    ws_client_open(&s_client, &s_world, "/graphql", "graphql-ws", NULL);
    s_say("{\"type\":\"connection_init\",\"payload\":{}}");
    s_say("{\"id\":\"1\",\"type\":\"start\",\"payload\":{\"query\":\"{hello}\"}}");
    fake_answer("Query.hello", "\"hi\"");
    s_hears("{\"type\":\"connection_ack\"}\n{\"type\":\"ka\"}\n"
            "{\"id\":\"1\",\"type\":\"data\",\"payload\":{\"data\":{\"hello\":\"hi\"}}}\n"
            "{\"id\":\"1\",\"type\":\"complete\"}\n");
    s_say("{\"id\":\"2\",\"type\":\"start\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}");
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[0]);
    fake_publish(fake_subscribers[0], 1);
    ws_world_pump(&s_world);
    s_say("{\"id\":\"2\",\"type\":\"stop\"}");
    s_say("{\"id\":\"2\",\"type\":\"start\"}");
    s_hears("{\"id\":\"2\",\"type\":\"data\",\"payload\":{\"data\":{\"n\":1}}}\n"
            "{\"id\":\"2\",\"type\":\"complete\"}\n"
            "{\"id\":\"2\",\"type\":\"error\",\"payload\":{\"errors\":[{\"message\":\"start: "
            "\\\"payload\\\" must be a map\",\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}}\n");
    s_say("{\"type\":\"connection_terminate\"}");
    s_hears("C1000:terminated\nEOF\n");
}

static void test_appsync(void **state)
{
    (void)state;
    /* {"x-api-key":"key","host":"h"} */
    ws_client_open(&s_client, &s_world, "/graphql/realtime",
                   "graphql-ws, header-eyJ4LWFwaS1rZXkiOiJrZXkiLCJob3N0IjoiaCJ9", NULL);
    s_say("{\"type\":\"connection_init\"}");
    s_hears("{\"type\":\"connection_ack\",\"payload\":{\"connectionTimeoutMs\":300000}}\n"
            "{\"type\":\"ka\"}\n");
    static const char start[] = "{\"id\":\"1\",\"type\":\"start\",\"payload\":{\"data\":"
                                "\"{\\\"query\\\":\\\"subscription{heard{n}}\\\"}\",\"extensions\":"
                                "{\"authorization\":{\"x-api-key\":\"key\",\"host\":\"h\"}}}}";
    s_say(start);
    assert_non_null(strstr(fake_calls[0].identity, "apikey"));
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    s_hears(""); /* not before it is live */
    fake_activate(fake_subscribers[0]);
    s_hears("{\"id\":\"1\",\"type\":\"start_ack\"}\n");
    s_say(start);
    s_hears("{\"id\":\"1\",\"type\":\"error\",\"payload\":{\"errors\":[{\"errorType\":"
            "\"DuplicatedOperationError\",\"message\":\"this id is in use by another operation\","
            "\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}}\n");
    fake_publish(fake_subscribers[0], 1); /* the first lives on */
    ws_world_pump(&s_world);
    s_say("{\"id\":\"1\",\"type\":\"stop\"}");
    s_hears("{\"id\":\"1\",\"type\":\"data\",\"payload\":{\"data\":{\"n\":1}}}\n"
            "{\"id\":\"1\",\"type\":\"complete\"}\n");
}

static void test_appsync_refuses(void **state)
{
    (void)state;
    /* The key comes in the query string, in plain base64: {"x-api-key":"key"} */
    ws_client_open(&s_client, &s_world, "/graphql", "graphql-ws", "eyJ4LWFwaS1rZXkiOiJrZXkifQ==");
    s_say("{\"type\":\"connection_init\"}");
    ws_client_hear(&s_client, &s_world);
    s_say("{\"id\":\"q\",\"type\":\"start\",\"payload\":{\"data\":\"{\\\"query\\\":"
          "\\\"{hello}\\\"}\"}}");
    s_hears("{\"id\":\"q\",\"type\":\"error\",\"payload\":{\"errors\":[{\"errorType\":"
            "\"BadRequestException\",\"message\":\"only subscriptions are taken here\","
            "\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}}\n");
    s_say("{\"id\":\"q\",\"type\":\"start\",\"payload\":{\"data\":\"{\\\"query\\\":"
          "\\\"subscription{heard{n}}\\\"}\",\"extensions\":{\"authorization\":{\"x-api-key\":"
          "\"wrong\"}}}}");
    const char *heard = ws_client_hear(&s_client, &s_world);
    assert_non_null(strstr(heard, "\"errorType\":\"UnauthorizedException\""));
    assert_non_null(strstr(heard, "\"code\":\"UNAUTHENTICATED\""));
    s_say("{\"id\":\"zz\",\"type\":\"stop\"}");
    assert_non_null(strstr(ws_client_hear(&s_client, &s_world), "UnknownOperationError"));
    ws_client_close(&s_client);
    ws_client_open(&s_client, &s_world, "/graphql", "graphql-ws", "eyJ4LWFwaS1rZXkiOiJ3cm9uZyJ9");
    s_say("{\"type\":\"connection_init\"}");
    heard = ws_client_hear(&s_client, &s_world);
    assert_non_null(strstr(heard, "{\"type\":\"connection_error\",\"payload\":{\"errors\":[{"
                                  "\"errorType\":\"UnauthorizedException\",\"errorCode\":401,"));
    assert_non_null(strstr(heard, "C1008:unauthorized\nEOF\n"));
}

/* ---- event streams ---- */

/* The bytes that came, whatever they are. */
static const char *s_hear_bytes(void)
{
    static char text[4096];
    ws_world_pump(&s_world);
    ssize_t n = recv(s_client.fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_event_stream(void **state)
{
    (void)state;
    ws_client_open_events(&s_client, &s_world, "subscription{heard{n}}", "cursor-7");
    assert_string_equal(fake_calls[0].resume, "cursor-7");
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    assert_string_equal(s_hear_bytes(), "");
    fake_activate(fake_subscribers[0]);
    const char *head = s_hear_bytes();
    assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(head, "\r\nAccess-Control-Allow-Origin: *\r\n"));
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n:\n\n");
    fake_publish(fake_subscribers[0], 1);
    assert_string_equal(s_hear_bytes(),
                        "id: cursor-1\nevent: next\ndata: {\"data\":{\"n\":1}}\n\n");
    ws_world_sleep(&s_world, 40);
    assert_string_equal(s_hear_bytes(), ":\n\n");
    fake_end(fake_subscribers[0], ERR_FORBIDDEN, "no more");
    assert_string_equal(s_hear_bytes(),
                        "event: next\ndata: {\"errors\":[{\"message\":\"no more\",\"extensions\":{"
                        "\"code\":\"FORBIDDEN\"}}]}\n\nevent: complete\ndata: \n\n");
    char end;
    assert_int_equal(recv(s_client.fd, &end, 1, MSG_DONTWAIT), 0);
}

static void test_event_stream_refused(void **state)
{
    (void)state;
    ws_client_open_events(&s_client, &s_world, "subscription{heard{n}}", NULL);
    /* A line end in it would end the field of the event. */
    fake_reject_with("Subscription.heard", "FORBIDDEN", "no", "{\"why\":{\n\"a\":1,\r\"b\":2}}");
    const char *heard = s_hear_bytes();
    assert_memory_equal(heard, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(heard, "{\"code\":\"FORBIDDEN\",\"why\":{ \"a\":1, \"b\":2}}"));
    assert_non_null(strstr(heard, "event: complete\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)
#define LIMITED(name) cmocka_unit_test_setup_teardown(name, s_setup_limited, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_query),
        TEST(test_a_refused_operation_fails_alone),
        TEST(test_subscription),
        TEST(test_several_subscriptions_share_a_send),
        TEST(test_complete_cancels_what_runs),
        TEST(test_complete_stops_what_waits),
        TEST(test_mutations_keep_their_order),
        TEST(test_time_in_the_slow_lane),
        TEST(test_a_client_that_leaves_stops_everything),
        TEST(test_close_codes),
        TEST(test_an_id_in_use_closes_with_4409),
        TEST(test_credentials),
        TEST(test_ping_and_pong),
        TEST(test_a_new_credential_comes_in_band),
        TEST(test_an_expired_token_ends_the_connection),
        TEST(test_withdrawn_keys_end_the_connection),
        TEST(test_nobody_takes_over_a_connection),
        TEST(test_limit_of_operations),
        LIMITED(test_rate_of_a_connection),
        LIMITED(test_rate_of_a_handle),
        TEST(test_no_protocol_in_common),
        TEST(test_frames),
        TEST(test_init_timeout),
        TEST(test_silent_clients_are_asked),
        TEST(test_a_slow_reader_keeps_its_order),
        TEST(test_questions_without_listening),
        TEST(test_drain),
        TEST(test_graphql_ws),
        TEST(test_appsync),
        TEST(test_appsync_refuses),
        TEST(test_event_stream),
        TEST(test_event_stream_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
