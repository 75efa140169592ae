/* Sockets of the bus: their options, and connections that end when libzmq's heartbeat would abort
 * the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus_socket.h"

enum {
    WAIT_MS = 5000,
    HEARTBEATS_MS = 1500, /* longer than the second between two heartbeats */
    SETTLED_MS = 100,     /* nothing could be sent for so long: all queues are full */
};

static const bus_security_t PLAIN = {.plain_tcp = true};
static const char TOPIC[] = "t";

static char s_folder[] = "/tmp/parley-bus-XXXXXX";
static char s_endpoint[64];

static int s_setup(void **state)
{
    (void)state;
    if (mkdtemp(s_folder) == NULL)
        return -1;
    snprintf(s_endpoint, sizeof s_endpoint, "ipc://%s/bus", s_folder);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    unlink(s_endpoint + strlen("ipc://"));
    return rmdir(s_folder);
}

/* A socket that stands for the other side: no heartbeats of its own, and short queues. */
static zsock_t *s_peer(int type)
{
    zsock_t *peer = zsock_new(type);
    assert_non_null(peer);
    zsock_set_linger(peer, WAIT_MS);
    zsock_set_sndhwm(peer, 1);
    zsock_set_rcvhwm(peer, 1);
    zsock_set_rcvtimeo(peer, WAIT_MS);
    zsock_set_sndtimeo(peer, SETTLED_MS);
    return peer;
}

/* Only who connects a DEALER asks for signs of life: a socket that does not ask cannot abort. */
static void s_test_options(void **state)
{
    (void)state;
    for (int kind = BUS_SOCKET_ROUTER; kind <= BUS_SOCKET_SUB; kind++) {
        err_t err = ERR_INIT;
        bool binds = kind == BUS_SOCKET_ROUTER || kind == BUS_SOCKET_XPUB;
        zsock_t *socket =
            binds ? bus_socket_bind((bus_socket_kind_t)kind, "tcp://127.0.0.1:*", &PLAIN, &err)
                  : bus_socket_prepare((bus_socket_kind_t)kind, "tcp://127.0.0.1:1", "store", 0,
                                       &PLAIN, &err);
        assert_non_null(socket);
        assert_int_equal(zsock_heartbeat_ivl(socket), kind == BUS_SOCKET_DEALER ? 1000 : 0);
        assert_int_equal(zsock_heartbeat_ttl(socket), kind == BUS_SOCKET_DEALER ? 3000 : 0);
        assert_int_equal(zsock_tcp_keepalive(socket), 1);
        assert_int_equal(zsock_tcp_keepalive_idle(socket), 1);
        assert_int_equal(zsock_tcp_keepalive_intvl(socket), 1);
        assert_int_equal(zsock_tcp_keepalive_cnt(socket), 3);
        assert_int_equal(zsock_tcp_maxrt(socket), 3000);
        zsock_destroy(&socket);
    }
}

/* A gateway that is busy has a full queue of events when its store dies. */
static void s_test_full_queue(void **state)
{
    err_t err = ERR_INIT;
    uint64_t sent = 0, received = 0, number;
    char topic[sizeof TOPIC];
    (void)state;
    zsock_t *publisher = s_peer(ZMQ_XPUB);
    zsock_set_xpub_nodrop(publisher, 1);
    assert_int_equal(zmq_bind(zsock_resolve(publisher), s_endpoint), 0);
    zsock_t *sub = bus_socket_connect(BUS_SOCKET_SUB, s_endpoint, "store", &PLAIN, &err);
    assert_non_null(sub);
    zmq_setsockopt(zsock_resolve(sub), ZMQ_SUBSCRIBE, TOPIC, sizeof TOPIC);
    zmq_msg_t subscription;
    zmq_msg_init(&subscription);
    assert_int_equal(zmq_msg_recv(&subscription, zsock_resolve(publisher), 0), 1 + sizeof TOPIC);
    zmq_msg_close(&subscription);
    while (zmq_send(zsock_resolve(publisher), TOPIC, sizeof TOPIC, ZMQ_SNDMORE) >= 0) {
        assert_int_equal(zmq_send(zsock_resolve(publisher), &sent, sizeof sent, 0), sizeof sent);
        sent++;
    }
    assert_true(sent > 100000);
    zsock_set_linger(publisher, 0);
    zsock_destroy(&publisher);
    zclock_sleep(HEARTBEATS_MS);
    zsock_set_rcvtimeo(sub, SETTLED_MS);
    while (zmq_recv(zsock_resolve(sub), topic, sizeof topic, 0) == sizeof topic) {
        assert_int_equal(zmq_recv(zsock_resolve(sub), &number, sizeof number, 0), sizeof number);
        assert_int_equal(number, received);
        received++;
    }
    assert_true(received >= 100000 && received <= sent);
    zsock_destroy(&sub);
}

/* A service that ends still has answers for a gateway, which goes away as well. */
static void s_test_lingering(void **state)
{
    static const char CALL[] = "call";
    static char answer[1 << 20];
    err_t err = ERR_INIT;
    uint8_t address[256];
    (void)state;
    zsock_t *router = bus_socket_bind(BUS_SOCKET_ROUTER, s_endpoint, &PLAIN, &err);
    assert_non_null(router);
    zsock_t *gateway = s_peer(ZMQ_DEALER);
    assert_int_equal(zmq_connect(zsock_resolve(gateway), s_endpoint), 0);
    assert_int_equal(zmq_send(zsock_resolve(gateway), CALL, sizeof CALL, 0), sizeof CALL);
    zsock_set_rcvtimeo(router, WAIT_MS);
    int size = zmq_recv(zsock_resolve(router), address, sizeof address, 0);
    assert_in_range(size, 1, sizeof address);
    for (int i = 0; i < 16; i++) { /* more than its queue and the socket take */
        zmq_send(zsock_resolve(router), address, (size_t)size, ZMQ_SNDMORE);
        assert_int_equal(zmq_send(zsock_resolve(router), answer, sizeof answer, 0), sizeof answer);
    }
    zsock_set_linger(router, WAIT_MS);
    zsock_destroy(&router);
    assert_int_equal(zmq_send(zsock_resolve(gateway), CALL, sizeof CALL, 0), sizeof CALL);
    zsock_destroy(&gateway); /* when the call is out */
    zclock_sleep(HEARTBEATS_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_options),
        cmocka_unit_test(s_test_lingering),
        cmocka_unit_test(s_test_full_queue),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
