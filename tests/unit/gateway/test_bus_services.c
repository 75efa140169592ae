/* The gateway's bus client against a real ROUTER and XPUB in the same loop: manifests, events, how
 * services are found and trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "common/clock.h"
#include "common/log.h"

static void s_test_manifest_refused(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    self->a.name = "other";
    bus_open_a(self);
    bus_start(self, false);
    bus_call(self, "Query.get", 400, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.code, "UNAVAILABLE");
    assert_int_equal(self->changes, 0);
    self->a.name = "store"; /* HELLO goes on */
    assert_true(turn_until(self->loop, bus_has_one_up, self, 3000));
}

static bool s_is_asked(void *arg)
{
    return ((bus_fixture_t *)arg)->asked > 0;
}

static void s_test_collision(void **state)
{
    bus_fixture_t *self = *state;
    self->refuses = true;
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, s_is_asked, self, 2000));
    turn_for(self->loop, 100);
    assert_int_equal(self->asked, 1);
    assert_int_equal(self->ups, 0);
    assert_int_equal(services_count(self->services), 0);
    self->refuses = false;
    self->a.sdl = "type Query { get: Int }";
    assert_true(turn_until(self->loop, bus_has_one_up, self, 4000));
    assert_int_equal(self->changes, 1);
}

/* While two versions run, the newest wins and a call goes to who serves its field. */
static bool s_is_old_manifest(void *arg)
{
    bus_fixture_t *self = arg;
    return !strcmp(services_manifest(self->services, 0)->sdl, BUS_SDL);
}

static void s_test_versions(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    bus_open_a(self);
    bus_start(self, true);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    self->b.sdl = "type Query { get(a: Int): String fresh: Int }";
    bus_open_b(self);
    assert_true(turn_until(self->loop, bus_has_two_up, self, 3000));
    assert_int_equal(self->changes, 2);
    assert_string_equal(services_manifest(self->services, 0)->sdl, self->b.sdl);
    size_t before = self->b.calls;
    for (int i = 0; i < 4; i++) {
        bus_call(self, "Query.fresh", 1000, &result);
        assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
        assert_true(result.ok);
    }
    assert_int_equal(self->b.calls, before + 4);
    assert_int_equal(self->a.calls, 0);
    for (int i = 0; i < 4; i++) {
        bus_call(self, "Query.get", 1000, &result);
        assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    }
    assert_int_equal(self->a.calls, 2);
    /* The new version is withdrawn: the old one takes over. */
    fake_service_close(&self->b);
    assert_true(turn_until(self->loop, s_is_old_manifest, self, 6000));
}

static bool s_is_changed(void *arg)
{
    return ((bus_fixture_t *)arg)->changes > 0;
}

static void s_test_not_ready(void **state)
{
    bus_fixture_t *self = *state;
    char reason[64];
    self->a.is_ready = false;
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, s_is_changed, self, 2000));
    turn_for(self->loop, 100);
    assert_int_equal(self->ups, 0);
    assert_int_equal(self->changes, 1); /* the schema is known */
    assert_false(services_are_ready(self->services, reason, sizeof reason));
    self->a.is_ready = true;
    assert_true(turn_until(self->loop, bus_has_one_up, self, 3500));
    self->a.is_ready = false;
    assert_true(turn_until(self->loop, bus_has_none_up, self, 3500));
}

static bool s_has_event(void *arg)
{
    return ((bus_fixture_t *)arg)->events > 0;
}

static void s_test_events(void **state)
{
    bus_fixture_t *self = *state;
    bus_open_a(self);
    self->a.answers_heads = true;
    self->a.head = 41;
    bus_start(self, false);
    services_subscribe(self->services, "store", "room/a"); /* before the connection */
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    assert_int_equal(self->last_event.kind, SERVICE_EVENT_HEAD);
    assert_int_equal(self->last_event.seq, 41);
    assert_string_equal(self->last_stream, "room/a");
    uint32_t instance = 0;
    assert_int_equal(services_instances(self->services, "store", &instance, 1), 1);
    assert_int_equal(instance, self->last_event.instance);
    self->events = 0;
    fake_service_event(&self->a, "room/ab", 9, "data", ",\"type\":\"put\",\"payload\":1");
    fake_service_event(&self->a, "room/a", 42, "data", ",\"type\":\"put\",\"payload\":{\"b\": 1}");
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    assert_int_equal(self->events, 1);
    assert_int_equal(self->last_event.seq, 42);
    assert_string_equal(self->last_payload, "{\"b\": 1}");
    self->events = 0;
    self->a.head = 42;
    services_poke(self->services, instance, "room/a");
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    assert_int_equal(self->last_event.seq, 42);
    /* Still subscribed after the poke. */
    self->events = 0;
    fake_service_event(&self->a, "room/a", 43, "revoke", ",\"payload\":{\"handle\":\"x\"}");
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    assert_int_equal(self->last_event.kind, SERVICE_EVENT_REVOKE);
    services_unsubscribe(self->services, "store", "room/a");
    turn_for(self->loop, 50);
    self->events = 0;
    fake_service_event(&self->a, "room/a", 44, "head", "");
    turn_for(self->loop, 50);
    assert_int_equal(self->events, 0);
}

/* Heads of a former incarnation prove nothing; after a restart the topics are subscribed again. */
static void s_test_events_restart(void **state)
{
    bus_fixture_t *self = *state;
    bus_open_a(self);
    self->a.answers_heads = true;
    self->a.head = 1;
    bus_start(self, false);
    services_subscribe(self->services, "store", "room/a");
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    self->events = 0;
    const char *incarnation = self->a.incarnation;
    self->a.incarnation = "older";
    fake_service_event(&self->a, "room/a", 1, "head", "");
    turn_for(self->loop, 50);
    assert_int_equal(self->events, 0);
    self->a.incarnation = incarnation;
    fake_service_close(&self->a);
    assert_true(turn_until(self->loop, bus_has_none_up, self, 1000));
    self->a.incarnation = "a2";
    self->a.head = 2;
    bus_open_a(self);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    assert_int_equal(self->last_event.seq, 2);
    /* And when only this gateway makes its connection anew. */
    self->events = 0;
    size_t downs = self->downs;
    assert_true(turn_until(self->loop, bus_has_one_up, self, 1000));
    services_reconnect(self->services, self->last_event.instance);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    assert_true(self->downs > downs);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 3000));
}

/* What is published before the subscription is there is lost. */
static bool s_is_subscribed(void *arg)
{
    return !strcmp(((bus_fixture_t *)arg)->a.last_topic, "room/a");
}

static void s_test_malformed_events(void **state)
{
    bus_fixture_t *self = *state;
    bus_open_a(self);
    bus_start(self, false);
    services_subscribe(self->services, "store", "room/a");
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    assert_true(turn_until(self->loop, s_is_subscribed, self, 2000));
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"stream\":\"room/b\"}",
        "{\"stream\":\"room/a\",\"epoch\":\"x\",\"seq\":1,\"kind\":\"head\"}",
        "{\"stream\":\"room/a\",\"epoch\":\"00c0ffee00c0ffee\",\"seq\":-1,\"kind\":\"head\"}",
        "{\"stream\":\"room/a\",\"epoch\":\"00c0ffee00c0ffee\",\"seq\":1,\"kind\":\"none\"}",
        "{\"stream\":\"room/a\",\"epoch\":\"00c0ffee00c0ffee\",\"seq\":1,\"kind\":\"data\"}",
        ("{\"stream\":\"room/a\",\"epoch\":\"00c0ffee00c0ffee\",\"seq\":1,\"kind\":\"data\","
         "\"payload\":1}"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        fake_service_publish(&self->a, "room/a", bad[i]);
    zmq_send(zsock_resolve(self->a.xpub), "room/a", 7, 0);
    zmq_send(zsock_resolve(self->a.xpub), "room/a", 7, ZMQ_SNDMORE);
    zmq_send(zsock_resolve(self->a.xpub), "x", 1, ZMQ_SNDMORE);
    zmq_send(zsock_resolve(self->a.xpub), "y", 1, 0);
    fake_service_event(&self->a, "room/a", 1, "data", ",\"type\":\"put\",\"payload\":1");
    assert_true(turn_until(self->loop, s_has_event, self, 2000));
    assert_int_equal(self->events, 1);
}

static void s_test_malformed_answers(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    bus_open_a(self);
    self->a.is_silent = true;
    bus_start(self, false);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    bus_call(self, "Query.get", 2000, &result);
    bus_expect_calls(self, 1, 0);
    fake_service_send(&self->a, "", 0);
    fake_service_send(&self->a, "PRL", 3);
    buffer_t out = BUFFER_INIT(4096);
    bus_id_t other = {{1}};
    bus_record_t record = {.verb = BUS_CALL, .flags = BUS_FLAG_ANSWER, .id = other};
    bus_record_write(&out, &record); /* unknown id */
    record.flags = 0;
    record.id = self->a.last_id;
    bus_record_write(&out, &record); /* a request */
    record.flags = BUS_FLAG_ANSWER | BUS_FLAG_ERROR;
    record.verb = BUS_HEADS;
    bus_record_write(&out, &record); /* another verb */
    record.verb = BUS_CALL;
    record.body = "no JSON";
    record.body_size = 7;
    bus_record_write(&out, &record); /* a broken error: INTERNAL */
    buffer_put(&out, "rubbish", 7);
    fake_service_send(&self->a, out.data, out.size);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.code, "INTERNAL");
    buffer_free(&out);
    self->a.is_silent = false;
    bus_call(self, "Query.get", 2000, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_true(result.ok);
}

static void s_test_replay_and_heads(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result = {0};
    bus_open_a(self);
    bus_start(self, false);
    services_replay(self->services, "store", "room/\"q\"", 17, 0, 500, clock_unix_ms() + 1000,
                    bus_on_answer, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"stream\":\"room/\\\"q\\\"\",\"after\":17,\"limit\":500}");
    memset(&result, 0, sizeof result);
    services_replay(self->services, "store", "r", 17, 3, 3, clock_unix_ms() + 1000, bus_on_answer,
                    &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"stream\":\"r\",\"last\":3,\"limit\":3}");
    memset(&result, 0, sizeof result);
    const char *const streams[] = {"a", "b"};
    services_heads(self->services, "store", streams, 2, true, clock_unix_ms() + 1000, bus_on_answer,
                   &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"streams\":[\"a\",\"b\"],\"settled\":true}");
}

/* Instance a over tcp; the events' address is the one that it was reached at. Its port. */
static int s_open_tcp(bus_fixture_t *self, const bus_security_t *security)
{
    char calls[64], events[64];
    int port = fake_service_port(), events_port = fake_service_port();
    snprintf(calls, sizeof calls, "tcp://127.0.0.1:%d", port);
    snprintf(events, sizeof events, "tcp://127.0.0.1:%d", events_port);
    snprintf(self->place.events[0], sizeof self->place.events[0], "tcp://*:%d", events_port);
    fake_service_open(&self->a, self->loop, calls, events, security);
    return port;
}

static void s_test_host_name(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    char list[64];
    int port = s_open_tcp(self, NULL);
    self->a.answers_heads = true;
    snprintf(list, sizeof list, "store=tcp://localhost:%d", port);
    bus_start_with(self, list, 0);
    services_subscribe(self->services, "store", "room/a");
    bus_call(self, "Query.get", 3000, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 3000));
    assert_true(result.ok);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
}

static void s_test_curve(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    err_t err = ERR_INIT;
    char keys[96], path[160], command[200];
    snprintf(keys, sizeof keys, "%s-keys", self->place.folder);
    assert_int_equal(bus_keygen(keys, &err), ERR_OK);
    snprintf(path, sizeof path, "%s/store", keys);
    bus_security_t store = {.keys_dir = path, .own = "store"};
    bus_auth_t *auth = bus_auth_new(&store, &err);
    assert_non_null(auth);
    int port = s_open_tcp(self, &store);
    self->a.answers_heads = true;
    char gateway[160], list[64];
    snprintf(gateway, sizeof gateway, "%s/gateway", keys);
    snprintf(list, sizeof list, "store=tcp://127.0.0.1:%d", port);
    services_options_t options = {
        .loop = self->loop, .list = list, .gateway_id = "gw", .security = {.keys_dir = gateway}};
    self->services = services_new(&options, &err);
    assert_non_null(self->services);
    bus_listen(self);
    services_subscribe(self->services, "store", "room/a");
    bus_call(self, "Query.get", 3000, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 3000));
    assert_true(result.ok);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    /* A stranger gets nothing. */
    services_destroy(&self->services);
    options.security = (bus_security_t){.plain_tcp = true};
    self->services = services_new(&options, &err);
    size_t hellos = self->a.hellos;
    bus_call(self, "Query.get", 500, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 3000));
    assert_string_equal(result.code, "UNAVAILABLE");
    assert_int_equal(self->a.hellos, hellos);
    services_destroy(&self->services);
    fake_service_close(&self->a);
    bus_auth_destroy(&auth);
    snprintf(command, sizeof command, "rm -rf '%s'", keys);
    assert_int_equal(system(command), 0);
}

static void s_test_bad_lists(void **state)
{
    bus_fixture_t *self = *state;
    static const struct {
        const char *list, *text;
    } cases[] = {
        {"store", "services: 'store' is no name=endpoint"},
        {"1x=ipc:///a", "services: '1x' is no name for a service"},
        {"a=http://x", "services: 'http://x' of a is neither ipc:///PATH nor tcp://HOST:PORT"},
        {"a=tcp://*:1", "services: 'tcp://*:1' of a is neither ipc:///PATH nor tcp://HOST:PORT"},
        {"a=tcp://h:99999",
         "services: 'tcp://h:99999' of a is neither ipc:///PATH nor tcp://HOST:PORT"},
        {"a=ipc:///x,b=ipc:///x", "services: ipc:///x is there twice"},
        {"a=tcp://host:5", "the bus over tcp needs --keys (or, without encryption, --plain-tcp)"},
        {"a=tcp://127.0.0.1:5",
         "the bus over tcp needs --keys (or, without encryption, --plain-tcp)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        services_options_t options = {.loop = self->loop, .list = cases[i].list};
        services_t *services = services_new(&options, &err);
        assert_null(services);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.code, ERR_CONFIG);
    }
}

#define BUS_TEST(fn) cmocka_unit_test_setup_teardown(fn, bus_set_up, bus_tear_down)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        BUS_TEST(s_test_manifest_refused),
        BUS_TEST(s_test_collision),
        BUS_TEST(s_test_versions),
        BUS_TEST(s_test_not_ready),
        BUS_TEST(s_test_events),
        BUS_TEST(s_test_events_restart),
        BUS_TEST(s_test_malformed_events),
        BUS_TEST(s_test_malformed_answers),
        BUS_TEST(s_test_replay_and_heads),
        BUS_TEST(s_test_host_name),
        BUS_TEST(s_test_curve),
        BUS_TEST(s_test_bad_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
