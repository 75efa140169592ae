/* The gateway's bus client, and two instances of a service that it may find, in one loop. */
#ifndef PARLEY_TESTS_BUS_FIXTURE_H
#define PARLEY_TESTS_BUS_FIXTURE_H

#include "fake_service.h"
#include "gateway/bus/services.h"

#define BUS_EPOCH "00c0ffee00c0ffee"
#define BUS_SDL "type Query { get(a: Int): String } type Mutation { put: String }"

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
    size_t expected_a, expected_b; /* calls: see bus_expect_calls */
} bus_fixture_t;

typedef struct {
    bool is_answered;
    bool ok;
    char code[32], message[128], extensions[128], json[4096];
} bus_result_t;

/* The state is a bus_fixture_t. Nothing is open, and no client there, yet. */
int bus_set_up(void **state);
int bus_tear_down(void **state);

void bus_open_a(bus_fixture_t *self);
void bus_open_b(bus_fixture_t *self);
/* The client, for one instance or both. */
void bus_start(bus_fixture_t *self, bool two);
void bus_start_with(bus_fixture_t *self, const char *list, uint32_t max_in_flight);
/* The fixture hears what its client, made by the test, is told. */
void bus_listen(bus_fixture_t *self);

/* For turn_until; arg is the fixture. */
bool bus_has_one_up(void *arg);
bool bus_has_two_up(void *arg);
bool bus_has_none_up(void *arg);
/* So many calls come to each, and no more. */
void bus_expect_calls(bus_fixture_t *self, size_t a, size_t b);

service_call_t *
bus_call(bus_fixture_t *self, const char *field, int timeout_ms, bus_result_t *result);
/* For turn_until; arg is the result. */
bool bus_is_answered(void *arg);
/* The call's answer comes into the bus_result_t arg. */
void bus_on_answer(void *arg, const service_answer_t *answer);

#endif
