/* Calls of the gateway's bus client to a real ROUTER in the same loop. */
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

static void s_test_call(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    char reason[64];
    bus_open_a(self);
    bus_start(self, false);
    assert_false(services_are_ready(self->services, reason, sizeof reason));
    assert_string_equal(reason, "service store is away");
    bus_call(self, "Query.get", 2000, &result); /* waits for the instance */
    assert_true(turn_until(self->loop, bus_is_answered, &result, 2000));
    assert_true(result.ok);
    assert_string_equal(result.json, "{\"field\":\"Query.get\",\"args\":{\"a\":1},\"selection\":[],"
                                     "\"request\":\"r-1\"}");
    assert_int_equal(self->a.last_id.bytes[6] >> 4, 7); /* a UUID, version 7 */
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    assert_true(services_are_ready(self->services, reason, sizeof reason));
    assert_int_equal(self->changes, 1);
    assert_int_equal(services_count(self->services), 1);
    assert_string_equal(services_manifest(self->services, 0)->sdl, BUS_SDL);
    assert_string_equal(services_manifest(self->services, 0)->epoch, BUS_EPOCH);
}

static void s_test_batch(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t results[300];
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    size_t messages = self->a.messages;
    for (int i = 0; i < 300; i++)
        bus_call(self, "Query.get", 2000, &results[i]);
    for (int i = 0; i < 300; i++) {
        assert_true(turn_until(self->loop, bus_is_answered, &results[i], 2000));
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
    bus_fixture_t *self = *state;
    bus_result_t result;
    self->a.on_call = s_fail;
    bus_open_a(self);
    bus_start(self, false);
    bus_call(self, "Query.get", 2000, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 2000));
    assert_false(result.ok);
    assert_string_equal(result.code, "CONFLICT");
    assert_string_equal(result.message, "no \"second\" one");
    assert_string_equal(result.extensions, "{\"argument\":\"a\"}");
}

static void s_test_away(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    bus_start(self, false);
    int64_t start = clock_mono_us();
    bus_call(self, "Query.get", 300, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    int64_t took_ms = (clock_mono_us() - start) / 1000;
    assert_true(took_ms >= 200 && took_ms < 600); /* 250, and what a busy machine adds */
    assert_string_equal(result.code, "UNAVAILABLE");
    assert_non_null(strstr(result.extensions, "\"outcome\":\"none\""));
}

static void s_test_timeout(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    self->a.is_silent = true;
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    bus_call(self, "Query.get", 200, &result);
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
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
    bus_fixture_t *self = *state;
    static const char *const names[] = {"other", "", NULL};
    bus_start(self, false);
    for (size_t i = 0; i < 3; i++) {
        bus_result_t result = {0};
        service_request_t request = {
            .service = names[i], .field = "Query.x", .deadline_ms = clock_unix_ms() + 1000};
        services_call(self->services, &request, bus_on_answer, &result);
        assert_true(turn_until(self->loop, bus_is_answered, &result, 500));
        assert_string_equal(result.code, "UNAVAILABLE");
        services_subscribe(self->services, names[i], "room/a");
        services_unsubscribe(self->services, names[i], "room/a");
    }
}

/* What has no time left is not sent, and that is certain. */
static void s_test_no_time(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t result;
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    bus_call(self, "Query.get", -5, &result);
    assert_false(result.is_answered); /* not from inside */
    assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
    assert_string_equal(result.code, "TIMEOUT");
    assert_non_null(strstr(result.extensions, "\"outcome\":\"none\""));
    turn_for(self->loop, 50);
    assert_int_equal(self->a.calls, 0);
}

static void s_test_ceiling(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t results[3];
    char list[256];
    self->a.is_silent = true;
    bus_open_a(self);
    snprintf(list, sizeof list, "store=%s", self->place.calls[0]);
    bus_start_with(self, list, 2);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    service_call_t *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = bus_call(self, "Query.get", 5000, &results[i]);
    assert_true(turn_until(self->loop, bus_is_answered, &results[2], 500));
    assert_string_equal(results[2].code, "LIMIT_EXCEEDED");
    assert_string_equal(results[2].message, "3 calls to the service are in flight; the limit is 2");
    assert_non_null(strstr(results[2].extensions, "\"none\""));
    assert_false(results[0].is_answered || results[1].is_answered);
    service_call_cancel(&calls[0]);
    assert_null(calls[0]);
    service_call_cancel(&calls[0]);
    calls[0] = bus_call(self, "Query.get", 5000, &results[0]); /* there is room again */
    turn_for(self->loop, 50);
    assert_false(results[0].is_answered);
}

static void s_test_restart(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t query, mutation, again, unsent;
    self->a.is_silent = true;
    bus_open_a(self);
    bus_start(self, false);
    assert_true(turn_until(self->loop, bus_has_one_up, self, 2000));
    bus_call(self, "Mutation.put", 5000, &mutation);
    bus_call(self, "Mutation.again", 5000, &again);
    bus_call(self, "Query.get", 5000, &query);
    bus_expect_calls(self, 3, 0);
    bus_id_t id = self->a.last_id;
    fake_service_close(&self->a);
    assert_true(turn_until(self->loop, bus_is_answered, &mutation, 1000));
    assert_string_equal(mutation.code, "UNAVAILABLE");
    assert_string_equal(mutation.extensions, "{\"outcome\":\"unknown\"}");
    assert_true(bus_has_none_up(self));
    bus_call(self, "Mutation.put", 5000, &unsent); /* was never sent: may wait */
    turn_for(self->loop, 300);
    assert_false(query.is_answered || again.is_answered || unsent.is_answered);
    self->a.is_silent = false;
    self->a.incarnation = "a2";
    int64_t start = clock_mono_us();
    bus_open_a(self);
    assert_true(turn_until(self->loop, bus_is_answered, &query, 3000));
    assert_true(clock_mono_us() - start < 2000000);
    assert_true(query.ok);
    assert_true(turn_until(self->loop, bus_is_answered, &again, 1000));
    assert_true(turn_until(self->loop, bus_is_answered, &unsent, 1000));
    assert_true(again.ok && unsent.ok);
    (void)id;
}

static void s_test_sister(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t results[10];
    bus_open_a(self);
    bus_open_b(self);
    bus_start(self, true);
    assert_true(turn_until(self->loop, bus_has_two_up, self, 2000));
    assert_int_equal(self->changes, 1); /* the same manifest */
    self->a.is_silent = true;
    for (int i = 0; i < 10; i++)
        bus_call(self, "Query.get", 5000, &results[i]);
    bus_expect_calls(self, 5, 5); /* fewest in flight */
    bus_id_t id = self->a.last_id;
    fake_service_close(&self->a);
    for (int i = 0; i < 10; i++) {
        assert_true(turn_until(self->loop, bus_is_answered, &results[i], 1000));
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
    bus_fixture_t *self = *state;
    bus_result_t poll = {0}, result;
    self->a.on_call = self->b.on_call = s_answer_all_but_polls;
    bus_open_a(self);
    bus_open_b(self);
    bus_start(self, true);
    assert_true(turn_until(self->loop, bus_has_two_up, self, 2000));
    service_request_t request = {.service = "store",
                                 .field = "AUTH",
                                 .args = {"{}", 2},
                                 .deadline_ms = clock_unix_ms() + 20000,
                                 .is_long_poll = true};
    service_call_t *call = services_call(self->services, &request, bus_on_answer, &poll);
    for (int i = 0; i < 10; i++) {
        bus_call(self, "Query.get", 2000, &result);
        assert_true(turn_until(self->loop, bus_is_answered, &result, 1000));
        assert_true(result.ok);
    }
    assert_int_equal(self->a.calls + self->b.calls, 11);
    assert_true(self->a.calls >= 5 && self->b.calls >= 5);
    assert_false(poll.is_answered);
    service_call_cancel(&call);
    bus_call(self, "Query.get", 2000, &result); /* and the count is right afterwards */
    bus_call(self, "Query.get", 2000, &poll);
    assert_true(turn_until(self->loop, bus_is_answered, &poll, 1000));
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
    bus_result_t *results = arg;
    return results[0].is_answered || results[1].is_answered;
}

/* What a sister refuses for certain may have been done by the instance that was lost. */
static void s_test_doubt(void **state)
{
    bus_fixture_t *self = *state;
    bus_result_t results[2];
    bus_open_a(self);
    bus_open_b(self);
    bus_start(self, true);
    assert_true(turn_until(self->loop, bus_has_two_up, self, 2000));
    self->a.is_silent = true;
    self->b.on_call = s_fail_in_time;
    for (int i = 0; i < 2; i++)
        bus_call(self, "Mutation.again", 5000, &results[i]);
    bus_expect_calls(self, 1, 1);
    assert_true(turn_until(self->loop, s_is_one_answered, results, 1000));
    const bus_result_t *sure = results[0].is_answered ? &results[0] : &results[1];
    bus_result_t *doubtful = results[0].is_answered ? &results[1] : &results[0];
    assert_true(sure->is_answered && !doubtful->is_answered);
    assert_string_equal(sure->extensions, "{\"outcome\":\"none\"}");
    fake_service_close(&self->a);
    assert_true(turn_until(self->loop, bus_is_answered, doubtful, 1000));
    assert_string_equal(doubtful->code, "TIMEOUT");
    assert_string_equal(doubtful->extensions, "{\"outcome\":\"unknown\"}");
}

#define BUS_TEST(fn) cmocka_unit_test_setup_teardown(fn, bus_set_up, bus_tear_down)

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        BUS_TEST(s_test_call),    BUS_TEST(s_test_batch),     BUS_TEST(s_test_error),
        BUS_TEST(s_test_away),    BUS_TEST(s_test_timeout),   BUS_TEST(s_test_no_such_service),
        BUS_TEST(s_test_no_time), BUS_TEST(s_test_ceiling),   BUS_TEST(s_test_restart),
        BUS_TEST(s_test_sister),  BUS_TEST(s_test_long_poll), BUS_TEST(s_test_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
