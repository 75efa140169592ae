/* What time does to open connections, in each dialect: tokens that end and are renewed, signs of
 * life, machines that are gone; and credentials that are refused at the beginning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "ws_world.h"

enum { TOKEN_S = 100, GRACE_S = 60 };

static ws_world_t s_world;
static ws_client_t s_client;

static int s_setup(void **state)
{
    (void)state;
    ws_world_begin(&s_world);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    ws_client_close(&s_client);
    ws_world_pump(&s_world);
    ws_world_end(&s_world);
    s_world.listener = NULL;
    return 0;
}

/* Sends it with UNTIL replaced by the Unix second that is in_s from now. */
static void s_say_until(const char *pattern, int in_s)
{
    char text[600];
    const char *at = strstr(pattern, "UNTIL");
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - pattern), pattern,
             (long long)(clock_unix_us() / 1000000 + in_s), at + strlen("UNTIL"));
    ws_client_say(&s_client, &s_world, text);
}

/* The same, or as it is. */
static void s_say(const char *pattern, int in_s)
{
    if (strstr(pattern, "UNTIL"))
        s_say_until(pattern, in_s);
    else
        ws_client_say(&s_client, &s_world, pattern);
}

static const char *s_hear(void)
{
    return ws_client_hear(&s_client, &s_world);
}

static void s_hears(const char *part)
{
    const char *heard = s_hear();
    if (!strstr(heard, part))
        fail_msg("\"%s\" is not in \"%s\"", part, heard);
}

static void s_open(const char *path, const char *protocol)
{
    ws_client_open(&s_client, &s_world, path, protocol, NULL);
}

/* In steps that are shorter than the wait for the answer to a close frame. */
static void s_closes_within(unsigned seconds, const char *expected)
{
    char all[1000] = "";
    for (unsigned passed = 0; passed < seconds && !strstr(all, "EOF"); passed += 4) {
        ws_world_sleep(&s_world, 4);
        size_t size = strlen(all);
        snprintf(all + size, sizeof all - size, "%s", s_hear());
    }
    const char *close = strstr(all, "C4");
    assert_string_equal(close ? close : all, expected);
}

static const char EXPIRED[] = "C4403:the token has expired\nEOF\n";

/* What opens a connection with a token, begins a subscription, and renews the token on it. */
typedef struct {
    const char *path, *protocol, *init, *start, *renew, *renewed;
} dialect_case_t;

#define APPSYNC_START(id)                                                                          \
    "{\"id\":\"" id "\",\"type\":\"start\",\"payload\":{\"data\":\"{\\\"query\\\":"                \
    "\\\"subscription{heard{n}}\\\"}\",\"extensions\":{\"authorization\":{\"Authorization\":"      \
    "\"a:UNTIL\"}}}}"

static const dialect_case_t s_cases[] = {
    {"/graphql", "graphql-transport-ws",
     "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:UNTIL\"}}",
     "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}",
     "{\"type\":\"ping\",\"payload\":{\"Authorization\":\"a:UNTIL\"}}", "expiresAt"},
    {"/graphql", "graphql-ws",
     "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:UNTIL\"}}",
     "{\"id\":\"1\",\"type\":\"start\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}",
     "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:UNTIL\"}}",
     "connection_ack"},
    {"/graphql/realtime", "graphql-ws",
     "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"a:UNTIL\"}}",
     APPSYNC_START("1"), APPSYNC_START("2"), ""},
};

static subscriber_t *s_begin(const dialect_case_t *dialect)
{
    s_open(dialect->path, dialect->protocol);
    s_say_until(dialect->init, TOKEN_S);
    s_hears("connection_ack");
    s_say(dialect->start, TOKEN_S);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    subscriber_t *subscriber = fake_subscribers[fake_subscriber_count - 1];
    fake_activate(subscriber);
    return subscriber;
}

static void s_end_of_client(void)
{
    ws_client_close(&s_client);
    ws_world_pump(&s_world);
    assert_int_equal(realtime_count(s_world.realtime), 0);
}

static void test_a_token_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        subscriber_t *subscriber = s_begin(&s_cases[i]);
        ws_world_sleep(&s_world, TOKEN_S + GRACE_S / 2);
        fake_publish(subscriber, 1); /* within the grace */
        s_hears("\"n\":1");
        ws_world_sleep(&s_world, GRACE_S / 2 - 2);
        s_closes_within(30, EXPIRED);
        assert_int_equal(fake_subscribers_left(), 0);
        s_end_of_client();
    }
    s_open("/graphql", "graphql-ws");
}

static void test_a_token_is_renewed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        subscriber_t *subscriber = s_begin(&s_cases[i]);
        ws_world_sleep(&s_world, TOKEN_S - 10);
        s_say_until(s_cases[i].renew, 2 * TOKEN_S);
        s_hears(s_cases[i].renewed);
        ws_world_sleep(&s_world, TOKEN_S); /* beyond the grace of the first */
        fake_publish(subscriber, 1);
        s_hears("\"n\":1");
        s_end_of_client();
    }
    s_open("/graphql", "graphql-ws");
}

/* Replaces "a:" by "a/admin:" in what renews: the same one, in another group. */
static void s_say_promoted(const char *pattern)
{
    char text[600];
    const char *at = strstr(pattern, "\"a:");
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s\"a/admin:%s", (int)(at - pattern), pattern, at + 3);
    s_say_until(text, 2 * TOKEN_S);
}

/* What runs was granted to the old rights: the client comes again, and begins under the new. */
static void test_a_token_is_renewed_with_other_rights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        subscriber_t *subscriber = s_begin(&s_cases[i]);
        s_say_promoted(s_cases[i].renew);
        s_hears("C4403:the rights have changed\n");
        assert_int_equal(fake_subscribers_left(), 0);
        (void)subscriber;
        s_end_of_client();
    }
    s_open("/graphql", "graphql-ws");
}

/* Where nothing runs, nothing is disturbed. */
static void test_other_rights_before_anything_runs(void **state)
{
    (void)state;
    s_open("/graphql", "graphql-transport-ws");
    s_say_until(s_cases[0].init, TOKEN_S);
    s_hears("connection_ack");
    s_say_promoted(s_cases[0].renew);
    s_hears("expiresAt");
    s_say(s_cases[0].start, TOKEN_S);
    assert_non_null(strstr(fake_calls[fake_call_count - 1].identity, "\"groups\":[\"admin\"]"));
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[fake_subscriber_count - 1]);
    ws_world_sleep(&s_world, TOKEN_S / 2);
    assert_int_equal(realtime_count(s_world.realtime), 1);
}

static void test_nobody_renews_for_another(void **state)
{
    (void)state;
    subscriber_t *subscriber = s_begin(&s_cases[1]);
    s_say_until("{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"b:UNTIL\"}}", 500);
    s_hears("connection_error"); /* and all goes on as it was */
    fake_publish(subscriber, 1);
    s_hears("\"n\":1");
    s_end_of_client();
    /* Another's start is another's subscription, on a connection that stays whose it was. */
    s_begin(&s_cases[2]);
    s_say_until("{\"id\":\"2\",\"type\":\"start\",\"payload\":{\"data\":\"{\\\"query\\\":"
                "\\\"subscription{heard{n}}\\\"}\",\"extensions\":{\"authorization\":{"
                "\"Authorization\":\"b:UNTIL\"}}}}",
                500);
    assert_non_null(strstr(fake_calls[fake_call_count - 1].identity, "\"handle\":\"b\""));
    ws_world_sleep(&s_world, TOKEN_S + GRACE_S - 2);
    s_hear();
    s_closes_within(30, EXPIRED);
}

/* A start brings a credential of its own (AppSync): it ends with that, whatever the connection's
 * lives for. */
static void test_a_subscription_ends_with_its_own_token(void **state)
{
    (void)state;
    /* {"x-api-key":"key","host":"h"}, which does not end */
    s_open("/graphql/realtime", "graphql-ws, header-eyJ4LWFwaS1rZXkiOiJrZXkiLCJob3N0IjoiaCJ9");
    s_say("{\"type\":\"connection_init\"}", 0);
    s_hears("connection_ack");
    s_say(APPSYNC_START("1"), TOKEN_S);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[0]);
    ws_world_sleep(&s_world, TOKEN_S + GRACE_S - 5);
    fake_publish(fake_subscribers[0], 1); /* within the grace */
    s_hears("\"n\":1");
    ws_world_sleep(&s_world, 35);
    s_hears("the token has expired");
    assert_int_equal(fake_subscribers_left(), 0);
    assert_int_equal(realtime_count(s_world.realtime), 1);
}

static void test_an_event_stream_ends_with_its_token(void **state)
{
    (void)state;
    identity_spec_t spec = {.provider = IDENTITY_USER_POOL,
                            .handle = "a",
                            .sub = "a",
                            .expires_at_us = clock_unix_us() + (int64_t)TOKEN_S * 1000000};
    identity_t *identity = identity_new(&spec);
    s_world.listener = identity;
    ws_client_open_events(&s_client, &s_world, "subscription{heard{n}}", NULL);
    identity_unref(&identity);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    fake_activate(fake_subscribers[0]);
    ws_world_sleep(&s_world, TOKEN_S + GRACE_S / 2);
    assert_int_equal(realtime_count(s_world.realtime), 1);
    for (int i = 0; i < 5 && realtime_count(s_world.realtime) > 0; i++)
        ws_world_sleep(&s_world, 15);
    assert_int_equal(realtime_count(s_world.realtime), 0);
    assert_int_equal(fake_subscribers_left(), 0);
}

static void test_refused_at_the_beginning(void **state)
{
    (void)state;
    static const char bad[] =
        "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"rubbish\"}}";
    static const char away[] =
        "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"away:0\"}}";
    s_open("/graphql", "graphql-ws");
    ws_client_say(&s_client, &s_world, bad);
    assert_string_equal(s_hear(), "{\"type\":\"connection_error\",\"payload\":{\"message\":\"the "
                                  "token is malformed\"}}\nC1011:the token is malformed\nEOF\n");
    s_end_of_client();
    /* Nobody can say yet: the client may come again. */
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        s_open(s_cases[i].path, s_cases[i].protocol);
        ws_client_say(&s_client, &s_world, away);
        s_hears("C1013:");
        s_end_of_client();
    }
    s_open("/graphql", "graphql-ws");
}

/* Clients of the older protocols hear something at least every half minute. */
static void test_signs_of_life(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof s_cases / sizeof *s_cases; i++) {
        s_open(s_cases[i].path, s_cases[i].protocol);
        s_say_until(s_cases[i].init, 10000);
        s_hears("{\"type\":\"ka\"}\n");
        ws_world_sleep(&s_world, 1); /* the first one counts from the opening */
        for (int half_minutes = 0; half_minutes < 2; half_minutes++) {
            ws_world_sleep(&s_world, 29);
            s_hears("{\"type\":\"ka\"}\n");
            ws_client_frame(&s_client, 0x8a, "", 0);
        }
        s_end_of_client();
    }
    s_open("/graphql", "graphql-ws");
}

/* From now on nothing reaches the client's socket, as if its cable were cut: it acknowledges
 * nothing, and says nothing. */
static void s_cut_cable(void)
{
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &none};
    assert_int_equal(
        setsockopt(s_client.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

static void test_a_machine_that_is_gone(void **state)
{
    (void)state;
    subscriber_t *subscriber = s_begin(&s_cases[0]);
    s_cut_cable();
    fake_publish(subscriber, 1);
    /* The kernel sends it again and again, in real time; minutes before a stalled reader is. */
    int rounds = 0;
    for (; rounds < 20 && realtime_count(s_world.realtime) > 0; rounds++)
        ws_world_sleep(&s_world, 11);
    assert_int_equal(realtime_count(s_world.realtime), 0);
    assert_true(rounds * 11 < 300);
    buffer_t text = BUFFER_INIT(1000000);
    metrics_print(&text);
    buffer_put_char(&text, '\0');
    assert_non_null(strstr(text.data, "reason=\"unreachable\"} 1\n"));
    buffer_free(&text);
}

static void test_a_machine_that_is_gone_and_hears_nothing_anyway(void **state)
{
    (void)state;
    s_begin(&s_cases[0]); /* idle: only pings go to it */
    s_cut_cable();
    int rounds = 0;
    for (; rounds < 20 && realtime_count(s_world.realtime) > 0; rounds++)
        ws_world_sleep(&s_world, 11);
    assert_int_equal(realtime_count(s_world.realtime), 0);
    assert_true(rounds * 11 < 300);
}

/* It is withdrawn while the service is asked for the stream. */
static void test_a_token_that_is_withdrawn_before_the_stream_is_there(void **state)
{
    (void)state;
    s_open("/graphql/realtime", "graphql-ws, header-eyJ4LWFwaS1rZXkiOiJrZXkiLCJob3N0IjoiaCJ9");
    s_say("{\"type\":\"connection_init\"}", 0);
    s_hears("connection_ack");
    s_say(APPSYNC_START("1"), TOKEN_S);
    fake_auth_withdraw(s_world.auth);
    realtime_recheck(s_world.realtime);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    s_hears("UnauthorizedException");
    assert_int_equal(fake_subscribers_left(), 0);
    assert_int_equal(realtime_count(s_world.realtime), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_setup, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_token_ends),
        TEST(test_a_token_is_renewed),
        TEST(test_a_token_is_renewed_with_other_rights),
        TEST(test_other_rights_before_anything_runs),
        TEST(test_nobody_renews_for_another),
        TEST(test_a_subscription_ends_with_its_own_token),
        TEST(test_a_token_that_is_withdrawn_before_the_stream_is_there),
        TEST(test_an_event_stream_ends_with_its_token),
        TEST(test_refused_at_the_beginning),
        TEST(test_signs_of_life),
        TEST(test_a_machine_that_is_gone),
        TEST(test_a_machine_that_is_gone_and_hears_nothing_anyway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
