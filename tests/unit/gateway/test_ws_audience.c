/* Many connections that hear the same stream: who is where the one before was gets his bytes, and
 * everybody else his own; by io_uring, where there is one, and by send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "ws_world.h"

enum { CLIENTS = 6 };

static ws_world_t s_world;
static ws_client_t s_clients[CLIENTS];
static subscriber_t *s_subscribers[CLIENTS];

static void s_join(int i, const char *protocol, const char *start, const char *id)
{
    char text[200];
    ws_client_open(&s_clients[i], &s_world, "/graphql", protocol, NULL);
    ws_client_say(&s_clients[i], &s_world, "{\"type\":\"connection_init\"}");
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"type\":\"%s\",\"payload\":{\"query\":\"subscription{heard{n}}\"}}",
             id, start);
    ws_client_say(&s_clients[i], &s_world, text);
    fake_answer("Subscription.heard", "{\"stream\":\"room/a\"}");
    s_subscribers[i] = fake_subscribers[fake_subscriber_count - 1];
    fake_activate(s_subscribers[i]);
    ws_client_hear(&s_clients[i], &s_world);
}

static int s_begin(sender_mode_t mode)
{
    s_world.sender_mode = mode;
    ws_world_begin(&s_world);
    for (int i = 0; i < CLIENTS; i++)
        s_join(i, "graphql-transport-ws", "subscribe", "1");
    fake_repeats = 0;
    return 0;
}

static int s_setup(void **state)
{
    (void)state;
    return s_begin(SENDER_AUTO);
}

static int s_setup_send(void **state)
{
    (void)state;
    return s_begin(SENDER_OFF);
}

static int s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        ws_client_close(&s_clients[i]);
    ws_world_pump(&s_world);
    ws_world_end(&s_world);
    return 0;
}

/* All in one turn of the loop. */
static void s_publish(unsigned count)
{
    for (int i = 0; i < CLIENTS; i++)
        fake_publish(s_subscribers[i], count);
    ws_world_pump(&s_world);
}

static void s_hears(int i, const char *type, const char *id, unsigned from, unsigned to)
{
    char expected[1000] = "";
    for (unsigned n = from; n <= to; n++) {
        size_t size = strlen(expected);
        snprintf(expected + size, sizeof expected - size,
                 "{\"id\":\"%s\",\"type\":\"%s\",\"payload\":{\"data\":{\"n\":%u}}}\n", id, type,
                 n);
    }
    assert_string_equal(ws_client_hear(&s_clients[i], &s_world), expected);
}

static void test_all_get_the_same(void **state)
{
    (void)state;
    s_publish(3);
    for (int i = 0; i < CLIENTS; i++)
        s_hears(i, "next", "1", 1, 3);
    assert_int_equal(fake_repeats, CLIENTS - 1);
    s_publish(1);
    for (int i = 0; i < CLIENTS; i++)
        s_hears(i, "next", "1", 4, 4);
    assert_int_equal(fake_repeats, 2 * (CLIENTS - 1));
}

static void test_others_get_their_own(void **state)
{
    (void)state;
    fake_publish(s_subscribers[0], 1); /* he is ahead */
    ws_world_pump(&s_world);
    ws_client_close(&s_clients[2]);
    ws_world_pump(&s_world);
    s_join(2, "graphql-transport-ws", "subscribe", "2"); /* calls it by another name */
    ws_client_close(&s_clients[3]);
    ws_world_pump(&s_world);
    s_join(3, "graphql-ws", "start", "1"); /* says it another way */
    s_publish(2);
    s_hears(0, "next", "1", 1, 3);
    s_hears(1, "next", "1", 1, 2);
    s_hears(2, "next", "2", 1, 2);
    s_hears(3, "data", "1", 1, 2);
    s_hears(4, "next", "1", 1, 2);
    s_hears(5, "next", "1", 1, 2);
    assert_int_equal(fake_repeats, 1); /* the last */
}

/* Something else is to be said to one before, to another with it. */
static void test_words_between(void **state)
{
    (void)state;
    static const char ping[] = "{\"type\":\"ping\"}";
    for (int i = 1; i < 3; i++)
        ws_client_frame(&s_clients[i], 0x81, ping, sizeof ping - 1);
    s_publish(1);
    for (int i = 0; i < CLIENTS; i++) {
        const char *heard = ws_client_hear(&s_clients[i], &s_world);
        assert_non_null(strstr(heard, "{\"n\":1}"));
        assert_null(strstr(strstr(heard, "{\"n\":1}") + 1, "{\"n\":1}"));
        assert_int_equal(strstr(heard, "pong") != NULL, i == 1 || i == 2);
    }
}

/* Nobody gets the piece of one who had not taken all of the one before. */
static void test_one_who_does_not_read(void **state)
{
    (void)state;
    enum { EVENTS = 3000, EACH = 100 };
    unsigned next[CLIENTS] = {0};
    for (int round = 0; round < EVENTS / EACH; round++) {
        s_publish(EACH);
        for (int i = 0; i < CLIENTS; i++) {
            if (i == 2 && round < EVENTS / EACH - 1)
                continue; /* he reads at the end */
            const char *heard;
            while (next[i] < (unsigned)(round + 1) * EACH &&
                   *(heard = ws_client_hear(&s_clients[i], &s_world))) {
                for (const char *at = heard; (at = strstr(at, "\"n\":")) != NULL; at += 4) {
                    unsigned n = 0;
                    sscanf(at, "\"n\":%u", &n);
                    assert_int_equal(n, ++next[i]);
                }
            }
        }
    }
    assert_int_equal(next[1], EVENTS);
    assert_int_equal(next[3], EVENTS);
    assert_true(fake_repeats > 0);
}

#define BOTH(fn)                                                                                   \
    cmocka_unit_test_setup_teardown(fn, s_setup, s_teardown),                                      \
        cmocka_unit_test_setup_teardown(fn, s_setup_send, s_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_all_get_the_same),
        BOTH(test_others_get_their_own),
        BOTH(test_words_between),
        BOTH(test_one_who_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
