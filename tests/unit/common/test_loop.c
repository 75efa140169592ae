/* loop, mhd_loop with admin, bus_socket: the glue, with real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/admin.h"
#include "common/bus_socket.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/net.h"

enum { MESSAGES = 5000, GIVE_UP_MS = 20000 };

static loop_t *s_loop;
static char s_trace[64];

static void s_give_up(void *arg)
{
    (void)arg;
    fail_msg("the loop got stuck");
}

/* Runs the loop, but not for ever. */
static void s_run(void)
{
    loop_timer_t *timer = loop_timer_new(s_loop, s_give_up, NULL);
    loop_timer_start(timer, GIVE_UP_MS, 0);
    loop_run(s_loop);
    loop_timer_destroy(&timer);
}

static int s_setup(void **state)
{
    (void)state;
    s_loop = loop_new();
    s_trace[0] = '\0';
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    loop_destroy(&s_loop);
    return 0;
}

/* ---- deferring ---- */

static void s_note(void *arg)
{
    strcat(s_trace, arg);
}

static void s_stop(void *arg)
{
    (void)arg;
    strcat(s_trace, "s");
    loop_stop(s_loop);
}

static void s_defer_more(void *arg)
{
    (void)arg;
    strcat(s_trace, "m");
    loop_defer(s_loop, s_note, "n");
    loop_defer(s_loop, s_stop, NULL);
}

static void s_slice(void *arg)
{
    int *left = arg;
    strcat(s_trace, "x");
    loop_defer(s_loop, s_note, "d");
    if (--*left > 0)
        loop_next_turn(s_loop, s_slice, left);
    else
        loop_defer(s_loop, s_stop, NULL);
}

static void s_test_slices_leave_room_for_others(void **state)
{
    (void)state;
    int left = 3, unwanted = 3;
    loop_next_turn(s_loop, s_slice, &left);
    loop_next_turn(s_loop, s_slice, &unwanted);
    loop_defer_cancel(s_loop, s_slice, &unwanted);
    s_run();
    assert_string_equal(s_trace, "xdxdxds");
}

static void s_test_what_is_put_off_runs_in_order_and_once(void **state)
{
    (void)state;
    loop_defer(s_loop, s_note, "a");
    loop_defer(s_loop, s_note, "x");
    loop_defer(s_loop, s_defer_more, NULL);
    loop_defer(s_loop, s_note, "b");
    loop_defer_cancel(s_loop, s_note, "x");
    s_run();
    assert_string_equal(s_trace, "ambns");
}

/* ---- ZeroMQ in the loop ---- */

static zsock_t *s_a, *s_b;
static loop_zmq_t *s_watch_a, *s_watch_b;
static int s_got_a, s_got_b, s_sent;

/* Echoes; its own sends may swallow the edge of what comes in meanwhile. */
static void s_on_b(void *arg)
{
    (void)arg;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, zsock_resolve(s_b), ZMQ_DONTWAIT) >= 0) {
        s_got_b++;
        zmq_msg_send(&message, zsock_resolve(s_b), ZMQ_DONTWAIT);
    }
    loop_zmq_kick(s_watch_b);
    zmq_msg_close(&message);
}

static void s_send(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10 && s_sent < MESSAGES; i++, s_sent++)
        zmq_send(zsock_resolve(s_a), "x", 1, ZMQ_DONTWAIT);
    loop_zmq_kick(s_watch_a);
}

static void s_on_a(void *arg)
{
    (void)arg;
    char byte;
    if (zmq_recv(zsock_resolve(s_a), &byte, 1, ZMQ_DONTWAIT) == 1)
        s_got_a++;
    if (s_got_a == MESSAGES)
        loop_stop(s_loop);
    else if (s_got_a == s_sent)
        loop_defer(s_loop, s_send, NULL);
}

static void s_test_no_zeromq_edge_is_lost(void **state)
{
    (void)state;
    s_a = zsock_new_pair("@inproc://edge");
    s_b = zsock_new_pair(">inproc://edge");
    s_watch_a = loop_zmq_new(s_loop, zsock_resolve(s_a), s_on_a, NULL);
    s_watch_b = loop_zmq_new(s_loop, zsock_resolve(s_b), s_on_b, NULL);
    loop_defer(s_loop, s_send, NULL);
    s_run();
    assert_int_equal(s_got_a, MESSAGES);
    assert_int_equal(s_got_b, MESSAGES);
    loop_zmq_destroy(&s_watch_a);
    loop_zmq_destroy(&s_watch_b);
    zsock_destroy(&s_a);
    zsock_destroy(&s_b);
}

/* ---- admin over HTTP ---- */

static bool s_is_ready;
static int s_statuses[4];

static bool s_ready(void *arg, char *reason, size_t size)
{
    (void)arg;
    snprintf(reason, size, "the test says so");
    return s_is_ready;
}

static void s_ask(uv_work_t *work)
{
    static const char *const paths[] = {"/livez", "/readyz", "/metrics", "/nothing"};
    for (int i = 0; i < 4; i++)
        s_statuses[i] = net_http_status(work->data, paths[i], 5000);
}

static void s_asked(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
    loop_stop(s_loop);
}

static void s_test_admin_answers_probes(void **state)
{
    (void)state;
    /* A free port: bound and let go again. */
    int fd = net_listen("127.0.0.1:0", false, 0, NULL);
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    getsockname(fd, (struct sockaddr *)&bound, &size);
    close(fd);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(bound.sin_port));
    err_t err = ERR_INIT;
    admin_t *admin = admin_new(s_loop, address, s_ready, NULL, &err);
    assert_non_null(admin);
    assert_null(admin_new(s_loop, address, s_ready, NULL, &err));
    assert_non_null(strstr(err.text, address));
    uv_work_t work = {.data = address};
    for (int ready = 0; ready < 2; ready++) {
        s_is_ready = ready;
        uv_queue_work(loop_uv(s_loop), &work, s_ask, s_asked);
        s_run();
        assert_int_equal(s_statuses[0], 200);
        assert_int_equal(s_statuses[1], ready ? 200 : 503);
        assert_int_equal(s_statuses[2], 200);
        assert_int_equal(s_statuses[3], 404);
    }
    admin_destroy(&admin);
    metrics_shutdown();
}

/* ---- bus sockets ---- */

static char s_dir[] = "/tmp/parley-test-XXXXXX";

static void s_test_keygen_makes_keys_once(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char path[128];
    struct stat info;
    assert_non_null(mkdtemp(s_dir));
    assert_int_equal(bus_keygen(s_dir, &err), ERR_OK);
    static const char *const secrets[] = {"gateway/gateway.key", "store/store.key",
                                          "store/master.key"};
    static const char *const publics[] = {"gateway/services/store.pub",
                                          "store/gateways/gateway.pub"};
    long sizes = 0, again = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", s_dir, secrets[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        sizes += info.st_mtim.tv_nsec;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", s_dir, publics[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
    assert_int_equal(bus_keygen(s_dir, &err), ERR_OK);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", s_dir, secrets[i]);
        stat(path, &info);
        again += info.st_mtim.tv_nsec;
    }
    assert_int_equal(sizes, again);
}

/* Binds to a free port of loopback. */
static zsock_t *s_bind_any(const bus_security_t *security, char endpoint[64])
{
    zsock_t *router = bus_socket_bind(BUS_SOCKET_ROUTER, "tcp://127.0.0.1:*", security, NULL);
    assert_non_null(router);
    size_t size = 64;
    assert_int_equal(zmq_getsockopt(zsock_resolve(router), ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    return router;
}

/* Does something that the peer sends within 1 s reach the router? */
static bool s_arrives(zsock_t *router, zsock_t *dealer)
{
    zsock_set_rcvtimeo(router, 1000);
    zsock_set_sndtimeo(dealer, 1000);
    bool sent = zmq_send(zsock_resolve(dealer), "hi", 2, 0) == 2;
    char bytes[64];
    return sent && zmq_recv(zsock_resolve(router), bytes, sizeof bytes, 0) > 0 &&
           zmq_recv(zsock_resolve(router), bytes, sizeof bytes, 0) == 2;
}

static void s_test_curve_lets_only_known_gateways_in(void **state)
{
    (void)state;
    char store[64], gateway[64], stranger_dir[64], endpoint[64], stranger_gateway[96];
    snprintf(store, sizeof store, "%s/store", s_dir);
    snprintf(gateway, sizeof gateway, "%s/gateway", s_dir);
    snprintf(stranger_dir, sizeof stranger_dir, "%s/stranger", s_dir);
    snprintf(stranger_gateway, sizeof stranger_gateway, "%s/gateway", stranger_dir);
    assert_int_equal(bus_keygen(stranger_dir, NULL), ERR_OK);
    char from[128], to[160];
    snprintf(from, sizeof from, "%s/services/store.pub", gateway);
    snprintf(to, sizeof to, "%s/services/store.pub", stranger_gateway);
    unlink(to);
    assert_int_equal(symlink(from, to), 0); /* knows the store, but the store does not know him */

    bus_security_t server = {.keys_dir = store, .own = "store"};
    bus_security_t known = {.keys_dir = gateway, .own = "gateway"};
    bus_security_t stranger = {.keys_dir = stranger_gateway, .own = "gateway"};
    bus_security_t plain = {.plain_tcp = true};
    err_t err = ERR_INIT;
    bus_auth_t *auth = bus_auth_new(&server, &err);
    assert_non_null(auth);
    zsock_t *router = s_bind_any(&server, endpoint);

    zsock_t *dealer = bus_socket_connect(BUS_SOCKET_DEALER, endpoint, "store", &known, &err);
    assert_non_null(dealer);
    assert_true(s_arrives(router, dealer));
    zsock_destroy(&dealer);
    dealer = bus_socket_connect(BUS_SOCKET_DEALER, endpoint, "store", &stranger, &err);
    assert_non_null(dealer);
    assert_false(s_arrives(router, dealer));
    zsock_destroy(&dealer);
    dealer = bus_socket_connect(BUS_SOCKET_DEALER, endpoint, "store", &plain, &err);
    assert_false(s_arrives(router, dealer));
    zsock_destroy(&dealer);
    zsock_destroy(&router);
    bus_auth_destroy(&auth);
}

static void s_test_tcp_without_keys_needs_the_flag(void **state)
{
    (void)state;
    bus_security_t none = {.keys_dir = NULL}, plain = {.plain_tcp = true};
    err_t err = ERR_INIT;
    assert_null(bus_socket_bind(BUS_SOCKET_ROUTER, "tcp://127.0.0.1:*", &none, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    err = (err_t)ERR_INIT;
    assert_null(bus_socket_connect(BUS_SOCKET_DEALER, "tcp://127.0.0.1:1", "store", &none, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    err = (err_t)ERR_INIT;
    assert_null(bus_socket_bind(BUS_SOCKET_ROUTER, "http://x", &none, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    char endpoint[64];
    zsock_t *router = s_bind_any(&plain, endpoint);
    zsock_t *dealer = bus_socket_connect(BUS_SOCKET_DEALER, endpoint, "store", &plain, NULL);
    assert_true(s_arrives(router, dealer));
    zsock_destroy(&dealer);
    zsock_destroy(&router);

    char ipc[96];
    snprintf(ipc, sizeof ipc, "ipc://%s/bus.ipc", s_dir);
    router = bus_socket_bind(BUS_SOCKET_ROUTER, ipc, &none, NULL);
    assert_non_null(router);
    struct stat info;
    assert_int_equal(stat(ipc + 6, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    dealer = bus_socket_connect(BUS_SOCKET_DEALER, ipc, "store", &none, NULL);
    assert_true(s_arrives(router, dealer));
    zsock_destroy(&dealer);
    zsock_destroy(&router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(s_test_what_is_put_off_runs_in_order_and_once, s_setup,
                                        s_teardown),
        cmocka_unit_test_setup_teardown(s_test_slices_leave_room_for_others, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(s_test_no_zeromq_edge_is_lost, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(s_test_admin_answers_probes, s_setup, s_teardown),
        cmocka_unit_test(s_test_keygen_makes_keys_once),
        cmocka_unit_test(s_test_curve_lets_only_known_gateways_in),
        cmocka_unit_test(s_test_tcp_without_keys_needs_the_flag),
    };
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", s_dir);
    return system(command) == 0 ? failed : 1;
}
