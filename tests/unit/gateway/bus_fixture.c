#include "bus_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

void bus_on_answer(void *arg, const service_answer_t *answer)
{
    bus_result_t *result = arg;
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

bool bus_is_answered(void *arg)
{
    return ((bus_result_t *)arg)->is_answered;
}

static void s_on_change(void *arg)
{
    ((bus_fixture_t *)arg)->changes++;
}

static void s_on_event(void *arg, const service_event_t *event)
{
    bus_fixture_t *self = arg;
    self->events++;
    self->last_event = *event;
    snprintf(self->last_stream, sizeof self->last_stream, "%s", event->stream);
    snprintf(self->last_payload, sizeof self->last_payload, "%.*s", (int)event->payload.size,
             event->payload.data != NULL ? event->payload.data : "");
}

static void s_on_instance(void *arg, const char *service, uint32_t instance, bool up)
{
    bus_fixture_t *self = arg;
    assert_string_equal(service, "store");
    assert_true(instance > 0);
    self->ups += up;
    self->downs += !up;
}

static bool
s_accept(void *arg, const service_manifest_t *const *manifests, size_t count, err_t *err)
{
    bus_fixture_t *self = arg;
    self->asked++;
    assert_true(count == 1);
    assert_string_equal(manifests[0]->name, "store");
    if (self->refuses)
        err_set(err, ERR_BAD_USER_INPUT, "store collides");
    return !self->refuses;
}

int bus_set_up(void **state)
{
    bus_fixture_t *self = calloc(1, sizeof *self);
    *state = self;
    self->loop = loop_new();
    fake_place_make(&self->place);
    self->a = (fake_service_t){.name = "store",
                               .sdl = BUS_SDL,
                               .incarnation = "a1",
                               .epoch = BUS_EPOCH,
                               .is_ready = true,
                               .events = self->place.events[0],
                               .more = ",\"idempotent\":[\"Mutation.again\"]"};
    self->b = self->a;
    self->b.incarnation = "b1";
    self->b.events = self->place.events[1];
    return 0;
}

void bus_open_a(bus_fixture_t *self)
{
    fake_service_open(&self->a, self->loop, self->place.calls[0], self->place.events[0], NULL);
}

void bus_open_b(bus_fixture_t *self)
{
    fake_service_open(&self->b, self->loop, self->place.calls[1], self->place.events[1], NULL);
}

int bus_tear_down(void **state)
{
    bus_fixture_t *self = *state;
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

void bus_listen(bus_fixture_t *self)
{
    static const services_listener_t listener = {
        .on_change = s_on_change, .on_event = s_on_event, .on_instance = s_on_instance};
    services_listen(self->services, &listener, self);
}

void bus_start_with(bus_fixture_t *self, const char *list, uint32_t max_in_flight)
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
    bus_listen(self);
}

void bus_start(bus_fixture_t *self, bool two)
{
    char list[256];
    snprintf(list, sizeof list, two ? "store=%s,store=%s" : "store=%s", self->place.calls[0],
             self->place.calls[1]);
    bus_start_with(self, list, 0);
}

bool bus_has_one_up(void *arg)
{
    bus_fixture_t *self = arg;
    return self->ups - self->downs == 1;
}

bool bus_has_two_up(void *arg)
{
    bus_fixture_t *self = arg;
    return self->ups - self->downs == 2;
}

static bool s_has_calls(void *arg)
{
    bus_fixture_t *self = arg;
    return self->a.calls >= self->expected_a && self->b.calls >= self->expected_b;
}

void bus_expect_calls(bus_fixture_t *self, size_t a, size_t b)
{
    self->expected_a = a;
    self->expected_b = b;
    turn_until(self->loop, s_has_calls, self, 2000);
    assert_int_equal(self->a.calls, a);
    assert_int_equal(self->b.calls, b);
}

bool bus_has_none_up(void *arg)
{
    bus_fixture_t *self = arg;
    return self->ups == self->downs;
}

service_call_t *
bus_call(bus_fixture_t *self, const char *field, int timeout_ms, bus_result_t *result)
{
    memset(result, 0, sizeof *result);
    service_request_t request = {.service = "store",
                                 .field = field,
                                 .args = {"{\"a\":1}", 7},
                                 .selection = {"[]", 2},
                                 .request = "r-1",
                                 .deadline_ms = clock_unix_ms() + timeout_ms};
    service_call_t *call = services_call(self->services, &request, bus_on_answer, result);
    assert_non_null(call);
    assert_false(result->is_answered);
    return call;
}
