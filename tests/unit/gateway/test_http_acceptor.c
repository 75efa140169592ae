/* The acceptor, with a small server on libmicrohttpd behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/net.h"
#include "gateway/http/acceptor.h"

enum { CROWD = 200, A_TURN = 64, PATIENCE_MS = 5000 };

static loop_t *s_loop;
static struct MHD_Daemon *s_daemon;
static mhd_loop_t *s_mhd;
static acceptor_t *s_acceptor;
static unsigned s_taken;
static int s_clients[CROWD];

static enum MHD_Result s_on_access(void *cls,
                                   struct MHD_Connection *connection,
                                   const char *url,
                                   const char *method,
                                   const char *version,
                                   const char *upload_data,
                                   size_t *upload_data_size,
                                   void **con_cls)
{
    static char answer[] = "here";
    (void)cls, (void)url, (void)method, (void)version, (void)upload_data;
    (void)upload_data_size, (void)con_cls;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof answer - 1, answer, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static void s_on_connection(void *cls,
                            struct MHD_Connection *connection,
                            void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    (void)cls, (void)connection, (void)socket_context;
    s_taken += code == MHD_CONNECTION_NOTIFY_STARTED;
}

static int s_setup(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO;
    s_taken = 0;
    s_loop = loop_new();
    s_daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, s_on_access, NULL, MHD_OPTION_NOTIFY_CONNECTION,
                         s_on_connection, NULL, MHD_OPTION_CONNECTION_LIMIT, 1000U, MHD_OPTION_END);
    assert_non_null(s_daemon);
    s_mhd = mhd_loop_new(s_loop, s_daemon);
    int fd = net_listen("127.0.0.1:0", false, 0, &err);
    assert_true(fd >= 0);
    s_acceptor = acceptor_new(s_loop, fd, s_daemon, s_mhd);
    for (int i = 0; i < CROWD; i++)
        s_clients[i] = -1;
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    acceptor_destroy(&s_acceptor);
    assert_null(s_acceptor);
    acceptor_destroy(&s_acceptor);
    mhd_loop_destroy(&s_mhd);
    MHD_stop_daemon(s_daemon);
    for (int i = 0; i < CROWD; i++)
        if (s_clients[i] >= 0)
            close(s_clients[i]);
    loop_destroy(&s_loop);
    return 0;
}

static int s_try_connect(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void s_connect(int count)
{
    for (int i = 0; i < count; i++) {
        s_clients[i] = s_try_connect(acceptor_port(s_acceptor));
        assert_true(s_clients[i] >= 0);
    }
}

static void s_turn(void)
{
    uv_run(loop_uv(s_loop), UV_RUN_NOWAIT);
}

/* Is the client answered, now or a little later? */
static bool s_is_answered(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[16] = "";
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    for (int i = 0; i < PATIENCE_MS; i++) {
        s_turn();
        if (recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT) > 0)
            return strncmp(answer, "HTTP/1.1 200", 12) == 0;
        usleep(1000);
    }
    return false;
}

/* Many a turn, but not so many that others have no turn. */
static void test_a_crowd_gets_in(void **state)
{
    (void)state;
    s_connect(CROWD);
    for (unsigned turn = 1; turn <= CROWD / A_TURN; turn++) {
        s_turn();
        assert_int_equal(s_taken, turn * A_TURN);
    }
    s_turn();
    assert_int_equal(s_taken, CROWD);
    for (int i = 0; i < CROWD; i += 50)
        assert_true(s_is_answered(s_clients[i]));
}

/* Nothing is refused and nothing spins; they get in when there are descriptors again. */
static void test_no_descriptors(void **state)
{
    (void)state;
    struct rlimit limit;
    s_connect(3);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    struct rlimit low = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    unsigned turns = 0;
    for (int64_t until_us = clock_mono_us() + 200000; clock_mono_us() < until_us; turns++)
        uv_run(loop_uv(s_loop), UV_RUN_ONCE); /* the pause's timer ends it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(s_taken, 0);
    assert_in_range(turns, 2, 20);
    assert_true(s_is_answered(s_clients[2]));
    assert_int_equal(s_taken, 3);
}

static void test_close_takes_who_is_there(void **state)
{
    (void)state;
    s_connect(CROWD);
    unsigned port = acceptor_port(s_acceptor);
    acceptor_close(s_acceptor);
    assert_int_equal(s_taken, CROWD);
    acceptor_close(s_acceptor);
    assert_int_equal(s_try_connect(port), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_true(s_is_answered(s_clients[CROWD - 1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_crowd_gets_in, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_no_descriptors, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_close_takes_who_is_there, s_setup, s_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
