/* Instances of a service come, go and ail: what the metrics say of each, and how a gateway dials
 * one that is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus_socket.h"
#include "common/log.h"
#include "common/metrics.h"
#include "fake_service.h"
#include "gateway/bus/services.h"

typedef struct {
    loop_t *loop;
    services_t *services;
    fake_service_t service;
    fake_place_t place;
    bool refuses;
    const char *wanted; /* a state */
} fixture_t;

static bool
s_accept(void *arg, const service_manifest_t *const *manifests, size_t count, err_t *err)
{
    const fixture_t *self = arg;
    (void)manifests;
    (void)count;
    if (self->refuses)
        err_set(err, ERR_BAD_USER_INPUT, "it collides");
    return !self->refuses;
}

static int s_setup(void **state)
{
    fixture_t *self = calloc(1, sizeof *self);
    *state = self;
    self->loop = loop_new();
    fake_place_make(&self->place);
    self->service = (fake_service_t){.name = "store",
                                     .sdl = "type Query { a: Int }",
                                     .incarnation = "a",
                                     .epoch = "00c0ffee00c0ffee",
                                     .is_ready = true,
                                     .events = self->place.events[0]};
    char list[128];
    err_t err = ERR_INIT;
    snprintf(list, sizeof list, "store=%s", self->place.calls[0]);
    services_options_t options = {.loop = self->loop,
                                  .list = list,
                                  .gateway_id = "gw",
                                  .accept = s_accept,
                                  .accept_arg = self};
    self->services = services_new(&options, &err);
    assert_non_null(self->services);
    return 0;
}

static void s_open(fixture_t *self)
{
    fake_service_open(&self->service, self->loop, self->place.calls[0], self->place.events[0],
                      NULL);
}

static int s_teardown(void **state)
{
    fixture_t *self = *state;
    services_destroy(&self->services);
    if (self->service.router != NULL)
        fake_service_close(&self->service);
    loop_destroy(&self->loop);
    fake_place_remove(&self->place);
    free(self);
    return 0;
}

static int64_t s_gauge(const fixture_t *self, const char *state)
{
    char labels[256];
    snprintf(labels, sizeof labels, "service=\"store\",endpoint=\"%s\",state=\"%s\"",
             self->place.calls[0], state);
    return metric_value(metrics_gauge("parley_bus_instance_state", "", labels));
}

static int64_t s_changes(const char *state)
{
    char labels[64];
    snprintf(labels, sizeof labels, "service=\"store\",state=\"%s\"", state);
    return metric_value(metrics_counter("parley_bus_instance_changes_total", "", labels));
}

static bool s_is_wanted(void *arg)
{
    const fixture_t *self = arg;
    return s_gauge(self, self->wanted) == 1;
}

/* It comes into that state, and is in no other. */
static void s_expect(fixture_t *self, const char *state, int timeout_ms)
{
    static const char *const all[] = {"down", "joining", "refused", "unready", "suspect", "up"};
    int64_t sum = 0;
    self->wanted = state;
    bool is_there = turn_until(self->loop, s_is_wanted, self, timeout_ms);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!is_there && s_gauge(self, all[i]))
            fail_msg("it is %s, not %s", all[i], state);
        sum += s_gauge(self, all[i]);
    }
    assert_true(is_there);
    assert_int_equal(sum, 1);
}

static void s_test_states(void **state)
{
    fixture_t *self = *state;
    s_expect(self, "down", 0);
    int64_t ups = s_changes("up"), downs = s_changes("down"), joins = s_changes("joining");
    self->service.is_deaf = true;
    s_open(self);
    s_expect(self, "joining", 3000);
    s_expect(self, "suspect", 5000); /* answers no HELLO */
    self->service.is_deaf = false;
    s_expect(self, "up", 3000);
    self->service.is_ready = false;
    s_expect(self, "unready", 4000);
    self->service.is_ready = true;
    s_expect(self, "up", 4000);
    self->service.is_deaf = true; /* it hangs, but its machine answers heartbeats */
    s_expect(self, "suspect", 8000);
    self->service.is_deaf = false;
    s_expect(self, "up", 3000);
    self->service.more =
        ",\"routes\":7"; /* a broken manifest is no answer, however often it comes */
    s_expect(self, "suspect", 8000);
    self->service.more = "";
    s_expect(self, "up", 3000);
    fake_service_close(&self->service);
    s_expect(self, "down", 1000);
    self->refuses = true;
    self->service.incarnation = "b";
    self->service.sdl = "type Query { b: Int }";
    s_open(self);
    s_expect(self, "refused", 3000);
    self->refuses = false;
    self->service.sdl = "type Query { c: Int }";
    s_expect(self, "up", 4000);
    self->service.name = "other";
    fake_service_close(&self->service);
    s_expect(self, "down", 1000);
    s_open(self);
    s_expect(self, "refused", 3000); /* no valid manifest */
    assert_int_equal(s_changes("up") - ups, 5);
    assert_int_equal(s_changes("down") - downs, 2);
    assert_true(s_changes("joining") - joins >= 1);
}

/* ZeroMQ says after how many ms it will dial again. */
static size_t s_waits(zsock_t *monitor, int32_t *waits, size_t count)
{
    size_t seen = 0;
    while (seen < count) {
        zmq_msg_t frame;
        uint16_t event = 0;
        zmq_msg_init(&frame);
        int size = zmq_msg_recv(&frame, zsock_resolve(monitor), 0);
        if (size == 6) {
            memcpy(&event, zmq_msg_data(&frame), 2);
            memcpy(&waits[seen], (char *)zmq_msg_data(&frame) + 2, 4);
        }
        zmq_msg_close(&frame);
        if (size < 0)
            return seen;
        seen += event == ZMQ_EVENT_CONNECT_RETRIED;
    }
    return seen;
}

/* Who is away is dialled at growing intervals, which are not the same for all who dial. */
static void s_test_back_off(void **state)
{
    enum { DIALS = 5, LINKS = 4 };
    static const bus_socket_kind_t kinds[] = {BUS_SOCKET_DEALER, BUS_SOCKET_SUB};
    int32_t waits[LINKS][DIALS];
    zsock_t *sockets[LINKS], *monitors[LINKS];
    bus_security_t security = {.plain_tcp = true};
    (void)state;
    for (int i = 0; i < LINKS; i++) {
        char address[32];
        err_t err = ERR_INIT;
        sockets[i] =
            bus_socket_prepare(kinds[i % 2], "tcp://127.0.0.1:1", "store", 0, &security, &err);
        assert_non_null(sockets[i]);
        snprintf(address, sizeof address, "inproc://dial-%d", i);
        assert_int_equal(
            zmq_socket_monitor(zsock_resolve(sockets[i]), address, ZMQ_EVENT_CONNECT_RETRIED), 0);
        monitors[i] = zsock_new(ZMQ_PAIR);
        zsock_set_rcvtimeo(monitors[i], 10000);
        assert_int_equal(zmq_connect(zsock_resolve(monitors[i]), address), 0);
        assert_int_equal(zmq_connect(zsock_resolve(sockets[i]), "tcp://127.0.0.1:1"), 0);
    }
    bool differ = false;
    for (int i = 0; i < LINKS; i++) {
        assert_int_equal(s_waits(monitors[i], waits[i], DIALS), DIALS);
        for (int n = 0; n < DIALS; n++) {
            int32_t least =
                n < 4 ? 100 << n : 1000; /* 100, 200, 400, 800, 1000, and up to 100 more */
            if (waits[i][n] < least || waits[i][n] >= least + 100)
                fail_msg("dial %d waits %d ms", n, waits[i][n]);
            differ = differ || waits[i][n] - least != waits[0][0] - 100;
        }
    }
    assert_true(differ);
    for (int i = 0; i < LINKS; i++) {
        zmq_socket_monitor(zsock_resolve(sockets[i]), NULL, 0);
        zsock_destroy(&monitors[i]);
        zsock_destroy(&sockets[i]);
    }
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(s_test_states, s_setup, s_teardown),
        cmocka_unit_test(s_test_back_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
