/* The gateway's bus client against a real ROUTER and XPUB in the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "fake_service.h"
#include "gateway/bus/services.h"

static const char SDL[] = "type Query { get(a: Int): String } type Mutation { put: String }";
static const char EPOCH[] = "00c0ffee00c0ffee";

typedef struct {
    loop_t *loop;
    services_t *services;
    fake_service_t a, b;
    fake_place_t place;
    /* What was told. */
    size_t changes, events, ups, downs;
    service_event_t last_event;
    char last_stream[256], last_payload[256];
    bool refuses;
    size_t asked;
    size_t expected_a, expected_b; /* calls: see s_expect_calls */
} fixture_t;

typedef struct {
    bool is_answered;
    bool ok;
    char code[32], message[128], extensions[128], json[4096];
} result_t;

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    result_t *result = arg;
    assert_false(result->is_answered);
    result->is_answered = true;
    result->ok = answer->ok;
    snprintf(result->json, sizeof result->json, "%.*s", (int)answer->json.size,
             answer->json.data != NULL ? answer->json.data : "");
    snprintf(result->code, sizeof result->code, "%s", answer->code != NULL ? answer->code : "");
    snprintf(result->message, sizeof result->message, "%s",
             answer->message != NULL ? answer->message : "");
    snprintf(result->extensions, sizeof result->extensions, "%.*s", (int)answer->extensions.size,
             answer->extensions.data != NULL ? answer->extensions.data : "");
}

static bool s_is_answered(void *arg)
{
    return ((result_t *)arg)->is_answered;
}

static void s_on_change(void *arg)
{
    ((fixture_t *)arg)->changes++;
}

static void s_on_event(void *arg, const service_event_t *event)
{
    fixture_t *self = arg;
    self->events++;
    self->last_event = *event;
    snprintf(self->last_stream, sizeof self->last_stream, "%s", event->stream);
    snprintf(self->last_payload, sizeof self->last_payload, "%.*s", (int)event->payload.size,
             event->payload.data != NULL ? event->payload.data : "");
}

static void s_on_instance(void *arg, const char *service, uint32_t instance, bool up)
{
    fixture_t *self = arg;
    assert_string_equal(service, "store");
    assert_true(instance > 0);
    self->ups += up;
    self->downs += !up;
}

static bool
s_accept(void *arg, const service_manifest_t *const *manifests, size_t count, err_t *err)
{
    fixture_t *self = arg;
    self->asked++;
    assert_true(count == 1);
    assert_string_equal(manifests[0]->name, "store");
    if (self->refuses)
        err_set(err, ERR_BAD_USER_INPUT, "store collides");
    return !self->refuses;
}

static int s_setup(void **state)
{
    fixture_t *self = calloc(1, sizeof *self);
    *state = self;
    self->loop = loop_new();
    fake_place_make(&self->place);
    self->a = (fake_service_t){.name = "store",
                               .sdl = SDL,
                               .incarnation = "a1",
                               .epoch = EPOCH,
                               .is_ready = true,
                               .events = self->place.events[0],
                               .more = ",\"idempotent\":[\"Mutation.again\"]"};
    self->b = self->a;
    self->b.incarnation = "b1";
    self->b.events = self->place.events[1];
    return 0;
}

static void s_open_a(fixture_t *self)
{
    fake_service_open(&self->a, self->loop, self->place.calls[0], self->place.events[0], NULL);
}

static void s_open_b(fixture_t *self)
{
    fake_service_open(&self->b, self->loop, self->place.calls[1], self->place.events[1], NULL);
}

static int s_teardown(void **state)
{
    fixture_t *self = *state;
    services_destroy(&self->services);
    if (self->a.router != NULL)
        fake_service_close(&self->a);
    if (self->b.router != NULL)
        fake_service_close(&self->b);
    loop_destroy(&self->loop);
    fake_place_remove(&self->place);
    free(self);
    return 0;
}

static void s_start_with(fixture_t *self, const char *list, uint32_t max_in_flight)
{
    err_t err = ERR_INIT;
    services_options_t options = {.loop = self->loop,
                                  .list = list,
                                  .gateway_id = "gw-test",
                                  .security = {.plain_tcp = true},
                                  .max_in_flight = max_in_flight,
                                  .accept = s_accept,
                                  .accept_arg = self};
    self->services = services_new(&options, &err);
    assert_string_equal(err.text, "");
    assert_non_null(self->services);
    static const services_listener_t listener = {
        .on_change = s_on_change, .on_event = s_on_event, .on_instance = s_on_instance};
    services_listen(self->services, &listener, self);
}

static void s_start(fixture_t *self, bool two)
{
    char list[256];
    snprintf(list, sizeof list, two ? "store=%s,store=%s" : "store=%s", self->place.calls[0],
             self->place.calls[1]);
    s_start_with(self, list, 0);
}

static bool s_has_one_up(void *arg)
{
    fixture_t *self = arg;
    return self->ups - self->downs == 1;
}

static bool s_has_two_up(void *arg)
{
    fixture_t *self = arg;
    return self->ups - self->downs == 2;
}

static bool s_has_calls(void *arg)
{
    fixture_t *self = arg;
    return self->a.calls >= self->expected_a && self->b.calls >= self->expected_b;
}

/* So many calls come to each, and no more. */
static void s_expect_calls(fixture_t *self, size_t a, size_t b)
{
    self->expected_a = a;
    self->expected_b = b;
    turn_until(self->loop, s_has_calls, self, 2000);
    assert_int_equal(self->a.calls, a);
    assert_int_equal(self->b.calls, b);
}

static bool s_has_none_up(void *arg)
{
    fixture_t *self = arg;
    return self->ups == self->downs;
}

static service_call_t *s_call(fixture_t *self, const char *field, int timeout_ms, result_t *result)
{
    memset(result, 0, sizeof *result);
    service_request_t request = {.service = "store",
                                 .field = field,
                                 .args = {"{\"a\":1}", 7},
                                 .selection = {"[]", 2},
                                 .request = "r-1",
                                 .deadline_ms = clock_unix_ms() + timeout_ms};
    service_call_t *call = services_call(self->services, &request, s_on_answer, result);
    assert_non_null(call);
    assert_false(result->is_answered);
    return call;
}

static void s_test_call(void **state)
{
    fixture_t *self = *state;
    result_t result;
    char reason[64];
    s_open_a(self);
    s_start(self, false);
    assert_false(services_are_ready(self->services, reason, sizeof reason));
    assert_string_equal(reason, "service store is away");
    s_call(self, "Query.get", 2000, &result); /* waits for the instance */
    assert_true(turn_until(self->loop, s_is_answered, &result, 2000));
    assert_true(result.ok);
    assert_string_equal(result.json, "{\"field\":\"Query.get\",\"args\":{\"a\":1},\"selection\":[],"
                                     "\"request\":\"r-1\"}");
    assert_int_equal(self->a.last_id.bytes[6] >> 4, 7); /* a UUID, version 7 */
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    assert_true(services_are_ready(self->services, reason, sizeof reason));
    assert_int_equal(self->changes, 1);
    assert_int_equal(services_count(self->services), 1);
    assert_string_equal(services_manifest(self->services, 0)->sdl, SDL);
    assert_string_equal(services_manifest(self->services, 0)->epoch, EPOCH);
}

static void s_test_batch(void **state)
{
    fixture_t *self = *state;
    result_t results[300];
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    size_t messages = self->a.messages;
    for (int i = 0; i < 300; i++)
        s_call(self, "Query.get", 2000, &results[i]);
    for (int i = 0; i < 300; i++) {
        assert_true(turn_until(self->loop, s_is_answered, &results[i], 2000));
        assert_true(results[i].ok);
    }
    assert_int_equal(self->a.messages, messages + 1);
}

static void s_fail(fake_service_t *self, const bus_record_t *record, buffer_t *out)
{
    (void)self;
    bus_record_write_error(out, record->verb, &record->id, ERR_CONFLICT, "no \"second\" one",
                           "\"argument\":\"a\"");
}

static void s_test_error(void **state)
{
    fixture_t *self = *state;
    result_t result;
    self->a.on_call = s_fail;
    s_open_a(self);
    s_start(self, false);
    s_call(self, "Query.get", 2000, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 2000));
    assert_false(result.ok);
    assert_string_equal(result.code, "CONFLICT");
    assert_string_equal(result.message, "no \"second\" one");
    assert_string_equal(result.extensions, "{\"argument\":\"a\"}");
}

static void s_test_away(void **state)
{
    fixture_t *self = *state;
    result_t result;
    s_start(self, false);
    int64_t start = clock_mono_us();
    s_call(self, "Query.get", 300, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    int64_t took_ms = (clock_mono_us() - start) / 1000;
    assert_true(took_ms >= 200 && took_ms < 600); /* 250, and what a busy machine adds */
    assert_string_equal(result.code, "UNAVAILABLE");
    assert_non_null(strstr(result.extensions, "\"outcome\":\"none\""));
}

static void s_test_timeout(void **state)
{
    fixture_t *self = *state;
    result_t result;
    self->a.is_silent = true;
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    s_call(self, "Query.get", 200, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.code, "TIMEOUT");
    assert_string_equal(result.extensions, "{\"outcome\":\"unknown\"}");
    /* The answer that comes too late is dropped. */
    buffer_t late = BUFFER_INIT(1024);
    bus_record_t record = {.verb = BUS_CALL,
                           .flags = BUS_FLAG_ANSWER,
                           .id = self->a.last_id,
                           .body = "1",
                           .body_size = 1};
    bus_record_write(&late, &record);
    fake_service_send(&self->a, late.data, late.size);
    turn_for(self->loop, 50);
    buffer_free(&late);
}

static void s_test_no_such_service(void **state)
{
    fixture_t *self = *state;
    static const char *const names[] = {"other", "", NULL};
    s_start(self, false);
    for (size_t i = 0; i < 3; i++) {
        result_t result = {0};
        service_request_t request = {
            .service = names[i], .field = "Query.x", .deadline_ms = clock_unix_ms() + 1000};
        services_call(self->services, &request, s_on_answer, &result);
        assert_true(turn_until(self->loop, s_is_answered, &result, 500));
        assert_string_equal(result.code, "UNAVAILABLE");
        services_subscribe(self->services, names[i], "room/a");
        services_unsubscribe(self->services, names[i], "room/a");
    }
}

/* What has no time left is not sent, and that is certain. */
static void s_test_no_time(void **state)
{
    fixture_t *self = *state;
    result_t result;
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    s_call(self, "Query.get", -5, &result);
    assert_false(result.is_answered); /* not from inside */
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.code, "TIMEOUT");
    assert_non_null(strstr(result.extensions, "\"outcome\":\"none\""));
    turn_for(self->loop, 50);
    assert_int_equal(self->a.calls, 0);
}

static void s_test_ceiling(void **state)
{
    fixture_t *self = *state;
    result_t results[3];
    char list[256];
    self->a.is_silent = true;
    s_open_a(self);
    snprintf(list, sizeof list, "store=%s", self->place.calls[0]);
    s_start_with(self, list, 2);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    service_call_t *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = s_call(self, "Query.get", 5000, &results[i]);
    assert_true(turn_until(self->loop, s_is_answered, &results[2], 500));
    assert_string_equal(results[2].code, "LIMIT_EXCEEDED");
    assert_string_equal(results[2].message, "3 calls to the service are in flight; the limit is 2");
    assert_non_null(strstr(results[2].extensions, "\"none\""));
    assert_false(results[0].is_answered || results[1].is_answered);
    service_call_cancel(&calls[0]);
    assert_null(calls[0]);
    service_call_cancel(&calls[0]);
    calls[0] = s_call(self, "Query.get", 5000, &results[0]); /* there is room again */
    turn_for(self->loop, 50);
    assert_false(results[0].is_answered);
}

static void s_test_restart(void **state)
{
    fixture_t *self = *state;
    result_t query, mutation, again, unsent;
    self->a.is_silent = true;
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    s_call(self, "Mutation.put", 5000, &mutation);
    s_call(self, "Mutation.again", 5000, &again);
    s_call(self, "Query.get", 5000, &query);
    s_expect_calls(self, 3, 0);
    bus_id_t id = self->a.last_id;
    fake_service_close(&self->a);
    assert_true(turn_until(self->loop, s_is_answered, &mutation, 1000));
    assert_string_equal(mutation.code, "UNAVAILABLE");
    assert_string_equal(mutation.extensions, "{\"outcome\":\"unknown\"}");
    assert_true(s_has_none_up(self));
    s_call(self, "Mutation.put", 5000, &unsent); /* was never sent: may wait */
    turn_for(self->loop, 300);
    assert_false(query.is_answered || again.is_answered || unsent.is_answered);
    self->a.is_silent = false;
    self->a.incarnation = "a2";
    int64_t start = clock_mono_us();
    s_open_a(self);
    assert_true(turn_until(self->loop, s_is_answered, &query, 3000));
    assert_true(clock_mono_us() - start < 2000000);
    assert_true(query.ok);
    assert_true(turn_until(self->loop, s_is_answered, &again, 1000));
    assert_true(turn_until(self->loop, s_is_answered, &unsent, 1000));
    assert_true(again.ok && unsent.ok);
    (void)id;
}

static void s_test_sister(void **state)
{
    fixture_t *self = *state;
    result_t results[10];
    s_open_a(self);
    s_open_b(self);
    s_start(self, true);
    assert_true(turn_until(self->loop, s_has_two_up, self, 2000));
    assert_int_equal(self->changes, 1); /* the same manifest */
    self->a.is_silent = true;
    for (int i = 0; i < 10; i++)
        s_call(self, "Query.get", 5000, &results[i]);
    s_expect_calls(self, 5, 5); /* fewest in flight */
    bus_id_t id = self->a.last_id;
    fake_service_close(&self->a);
    for (int i = 0; i < 10; i++) {
        assert_true(turn_until(self->loop, s_is_answered, &results[i], 1000));
        assert_true(results[i].ok);
    }
    assert_int_equal(self->b.calls, 10);
    assert_true(bus_id_equal(&id, &self->b.last_id)); /* the same id */
}

static void s_answer_all_but_polls(fake_service_t *self, const bus_record_t *record, buffer_t *out)
{
    static const char poll[] = "{\"field\":\"AUTH\"";
    (void)self;
    bus_record_t answer = *record;
    answer.flags = BUS_FLAG_ANSWER;
    if (strncmp(record->body, poll, sizeof poll - 1) != 0)
        bus_record_write(out, &answer);
}

/* A call that waits for news is no load: the instance that holds it gets its share of the others.
 */
static void s_test_long_poll(void **state)
{
    fixture_t *self = *state;
    result_t poll = {0}, result;
    self->a.on_call = self->b.on_call = s_answer_all_but_polls;
    s_open_a(self);
    s_open_b(self);
    s_start(self, true);
    assert_true(turn_until(self->loop, s_has_two_up, self, 2000));
    service_request_t request = {.service = "store",
                                 .field = "AUTH",
                                 .args = {"{}", 2},
                                 .deadline_ms = clock_unix_ms() + 20000,
                                 .is_long_poll = true};
    service_call_t *call = services_call(self->services, &request, s_on_answer, &poll);
    for (int i = 0; i < 10; i++) {
        s_call(self, "Query.get", 2000, &result);
        assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
        assert_true(result.ok);
    }
    assert_int_equal(self->a.calls + self->b.calls, 11);
    assert_true(self->a.calls >= 5 && self->b.calls >= 5);
    assert_false(poll.is_answered);
    service_call_cancel(&call);
    s_call(self, "Query.get", 2000, &result); /* and the count is right afterwards */
    s_call(self, "Query.get", 2000, &poll);
    assert_true(turn_until(self->loop, s_is_answered, &poll, 1000));
    assert_true(self->a.calls >= 6 && self->b.calls >= 6);
}

static void s_fail_in_time(fake_service_t *self, const bus_record_t *record, buffer_t *out)
{
    (void)self;
    bus_record_write_error(out, record->verb, &record->id, ERR_TIMEOUT, "too late",
                           "\"outcome\":\"none\"");
}

static bool s_is_one_answered(void *arg)
{
    result_t *results = arg;
    return results[0].is_answered || results[1].is_answered;
}

/* What a sister refuses for certain may have been done by the instance that was lost. */
static void s_test_doubt(void **state)
{
    fixture_t *self = *state;
    result_t results[2];
    s_open_a(self);
    s_open_b(self);
    s_start(self, true);
    assert_true(turn_until(self->loop, s_has_two_up, self, 2000));
    self->a.is_silent = true;
    self->b.on_call = s_fail_in_time;
    for (int i = 0; i < 2; i++)
        s_call(self, "Mutation.again", 5000, &results[i]);
    s_expect_calls(self, 1, 1);
    assert_true(turn_until(self->loop, s_is_one_answered, results, 1000));
    const result_t *sure = results[0].is_answered ? &results[0] : &results[1];
    result_t *doubtful = results[0].is_answered ? &results[1] : &results[0];
    assert_true(sure->is_answered && !doubtful->is_answered);
    assert_string_equal(sure->extensions, "{\"outcome\":\"none\"}");
    fake_service_close(&self->a);
    assert_true(turn_until(self->loop, s_is_answered, doubtful, 1000));
    assert_string_equal(doubtful->code, "TIMEOUT");
    assert_string_equal(doubtful->extensions, "{\"outcome\":\"unknown\"}");
}

static void s_test_manifest_refused(void **state)
{
    fixture_t *self = *state;
    result_t result;
    self->a.name = "other";
    s_open_a(self);
    s_start(self, false);
    s_call(self, "Query.get", 400, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.code, "UNAVAILABLE");
    assert_int_equal(self->changes, 0);
    self->a.name = "store"; /* HELLO goes on */
    assert_true(turn_until(self->loop, s_has_one_up, self, 3000));
}

static bool s_is_asked(void *arg)
{
    return ((fixture_t *)arg)->asked > 0;
}

static void s_test_collision(void **state)
{
    fixture_t *self = *state;
    self->refuses = true;
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_is_asked, self, 2000));
    turn_for(self->loop, 100);
    assert_int_equal(self->asked, 1);
    assert_int_equal(self->ups, 0);
    assert_int_equal(services_count(self->services), 0);
    self->refuses = false;
    self->a.sdl = "type Query { get: Int }";
    assert_true(turn_until(self->loop, s_has_one_up, self, 4000));
    assert_int_equal(self->changes, 1);
}

/* While two versions run, the newest wins and a call goes to who serves its field. */
static bool s_is_old_manifest(void *arg)
{
    fixture_t *self = arg;
    return !strcmp(services_manifest(self->services, 0)->sdl, SDL);
}

static void s_test_versions(void **state)
{
    fixture_t *self = *state;
    result_t result;
    s_open_a(self);
    s_start(self, true);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    self->b.sdl = "type Query { get(a: Int): String fresh: Int }";
    s_open_b(self);
    assert_true(turn_until(self->loop, s_has_two_up, self, 3000));
    assert_int_equal(self->changes, 2);
    assert_string_equal(services_manifest(self->services, 0)->sdl, self->b.sdl);
    size_t before = self->b.calls;
    for (int i = 0; i < 4; i++) {
        s_call(self, "Query.fresh", 1000, &result);
        assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
        assert_true(result.ok);
    }
    assert_int_equal(self->b.calls, before + 4);
    assert_int_equal(self->a.calls, 0);
    for (int i = 0; i < 4; i++) {
        s_call(self, "Query.get", 1000, &result);
        assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    }
    assert_int_equal(self->a.calls, 2);
    /* The new version is withdrawn: the old one takes over. */
    fake_service_close(&self->b);
    assert_true(turn_until(self->loop, s_is_old_manifest, self, 6000));
}

static bool s_is_changed(void *arg)
{
    return ((fixture_t *)arg)->changes > 0;
}

static void s_test_not_ready(void **state)
{
    fixture_t *self = *state;
    char reason[64];
    self->a.is_ready = false;
    s_open_a(self);
    s_start(self, false);
    assert_true(turn_until(self->loop, s_is_changed, self, 2000));
    turn_for(self->loop, 100);
    assert_int_equal(self->ups, 0);
    assert_int_equal(self->changes, 1); /* the schema is known */
    assert_false(services_are_ready(self->services, reason, sizeof reason));
    self->a.is_ready = true;
    assert_true(turn_until(self->loop, s_has_one_up, self, 3500));
    self->a.is_ready = false;
    assert_true(turn_until(self->loop, s_has_none_up, self, 3500));
}

static bool s_has_event(void *arg)
{
    return ((fixture_t *)arg)->events > 0;
}

static void s_test_events(void **state)
{
    fixture_t *self = *state;
    s_open_a(self);
    self->a.answers_heads = true;
    self->a.head = 41;
    s_start(self, false);
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
    fixture_t *self = *state;
    s_open_a(self);
    self->a.answers_heads = true;
    self->a.head = 1;
    s_start(self, false);
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
    assert_true(turn_until(self->loop, s_has_none_up, self, 1000));
    self->a.incarnation = "a2";
    self->a.head = 2;
    s_open_a(self);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    assert_int_equal(self->last_event.seq, 2);
    /* And when only this gateway makes its connection anew. */
    self->events = 0;
    size_t downs = self->downs;
    assert_true(turn_until(self->loop, s_has_one_up, self, 1000));
    services_reconnect(self->services, self->last_event.instance);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    assert_true(self->downs > downs);
    assert_true(turn_until(self->loop, s_has_one_up, self, 3000));
}

/* What is published before the subscription is there is lost. */
static bool s_is_subscribed(void *arg)
{
    return !strcmp(((fixture_t *)arg)->a.last_topic, "room/a");
}

static void s_test_malformed_events(void **state)
{
    fixture_t *self = *state;
    s_open_a(self);
    s_start(self, false);
    services_subscribe(self->services, "store", "room/a");
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
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
    fixture_t *self = *state;
    result_t result;
    s_open_a(self);
    self->a.is_silent = true;
    s_start(self, false);
    assert_true(turn_until(self->loop, s_has_one_up, self, 2000));
    s_call(self, "Query.get", 2000, &result);
    s_expect_calls(self, 1, 0);
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
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.code, "INTERNAL");
    buffer_free(&out);
    self->a.is_silent = false;
    s_call(self, "Query.get", 2000, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_true(result.ok);
}

static void s_test_replay_and_heads(void **state)
{
    fixture_t *self = *state;
    result_t result = {0};
    s_open_a(self);
    s_start(self, false);
    services_replay(self->services, "store", "room/\"q\"", 17, 0, 500, clock_unix_ms() + 1000,
                    s_on_answer, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"stream\":\"room/\\\"q\\\"\",\"after\":17,\"limit\":500}");
    memset(&result, 0, sizeof result);
    services_replay(self->services, "store", "r", 17, 3, 3, clock_unix_ms() + 1000, s_on_answer,
                    &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"stream\":\"r\",\"last\":3,\"limit\":3}");
    memset(&result, 0, sizeof result);
    const char *const streams[] = {"a", "b"};
    services_heads(self->services, "store", streams, 2, true, clock_unix_ms() + 1000, s_on_answer,
                   &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 1000));
    assert_string_equal(result.json, "{\"streams\":[\"a\",\"b\"],\"settled\":true}");
}

/* Instance a over tcp; the events' address is the one that it was reached at. Its port. */
static int s_open_tcp(fixture_t *self, const bus_security_t *security)
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
    fixture_t *self = *state;
    result_t result;
    char list[64];
    int port = s_open_tcp(self, NULL);
    self->a.answers_heads = true;
    snprintf(list, sizeof list, "store=tcp://localhost:%d", port);
    s_start_with(self, list, 0);
    services_subscribe(self->services, "store", "room/a");
    s_call(self, "Query.get", 3000, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 3000));
    assert_true(result.ok);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
}

static void s_test_curve(void **state)
{
    fixture_t *self = *state;
    result_t result;
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
    static const services_listener_t listener = {.on_event = s_on_event,
                                                 .on_instance = s_on_instance};
    services_listen(self->services, &listener, self);
    services_subscribe(self->services, "store", "room/a");
    s_call(self, "Query.get", 3000, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 3000));
    assert_true(result.ok);
    assert_true(turn_until(self->loop, s_has_event, self, 3000));
    /* A stranger gets nothing. */
    services_destroy(&self->services);
    options.security = (bus_security_t){.plain_tcp = true};
    self->services = services_new(&options, &err);
    size_t hellos = self->a.hellos;
    s_call(self, "Query.get", 500, &result);
    assert_true(turn_until(self->loop, s_is_answered, &result, 3000));
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
    fixture_t *self = *state;
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

#define BUS_TEST(fn) cmocka_unit_test_setup_teardown(fn, s_setup, s_teardown)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        BUS_TEST(s_test_call),
        BUS_TEST(s_test_batch),
        BUS_TEST(s_test_error),
        BUS_TEST(s_test_away),
        BUS_TEST(s_test_timeout),
        BUS_TEST(s_test_no_such_service),
        BUS_TEST(s_test_no_time),
        BUS_TEST(s_test_ceiling),
        BUS_TEST(s_test_restart),
        BUS_TEST(s_test_sister),
        BUS_TEST(s_test_long_poll),
        BUS_TEST(s_test_doubt),
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
