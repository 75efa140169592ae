/* What many sockets are to get, by io_uring and by send: the same must come of both. Where this
 * machine has no io_uring, the tests of it are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/metrics.h"
#include "gateway/realtime/sender.h"

enum { PEERS = 150, LIMIT = 1000000 }; /* more than go together */

typedef struct {
    int fds[2]; /* fds[0] is sent on */
    size_t size;
    ssize_t sent;
    int told;
    char first; /* byte of what was given back */
} peer_t;

static peer_t s_peers[PEERS];

static void s_on_sent(void *owner, const char *data, size_t size, ssize_t sent)
{
    peer_t *peer = owner;
    assert_int_equal(size, peer->size);
    peer->told++;
    peer->sent = sent;
    peer->first = data[0];
}

static int s_setup(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        s_peers[i] = (peer_t){.size = 0};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s_peers[i].fds) != 0)
            return -1;
    }
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        close(s_peers[i].fds[0]);
        close(s_peers[i].fds[1]);
    }
    metrics_shutdown();
    return 0;
}

static void s_put(sender_t *sender, peer_t *peer, const char *text)
{
    peer->size = strlen(text);
    buffer_put_str(sender_buffer(sender), text);
    sender_put(sender, peer->fds[0], peer->size, peer);
}

static void s_expect(peer_t *peer, const char *text)
{
    char bytes[100] = "";
    assert_int_equal(peer->told, 1);
    assert_int_equal(peer->sent, strlen(text));
    assert_int_equal(peer->first, text[0]);
    assert_int_equal(recv(peer->fds[1], bytes, sizeof bytes, 0), strlen(text));
    assert_string_equal(bytes, text);
    peer->told = 0;
}

static sender_t *s_new(sender_mode_t mode)
{
    err_t err = ERR_INIT;
    sender_t *sender = sender_new(mode, LIMIT, s_on_sent, &err);
    assert_non_null(sender);
    return sender;
}

static void s_everybody(sender_t *sender)
{
    char text[40];
    for (int i = 0; i < PEERS; i++) {
        snprintf(text, sizeof text, "a message, number %d", i);
        s_put(sender, &s_peers[i], text);
    }
    sender_flush(sender);
    assert_int_equal(sender_buffer(sender)->size, 0);
    for (int i = 0; i < PEERS; i++) {
        snprintf(text, sizeof text, "a message, number %d", i);
        s_expect(&s_peers[i], text);
    }
}

/* What was put for the first goes to all, as long as its bytes are there. */
static void s_again(sender_t *sender)
{
    assert_false(sender_can_put_again(sender));
    int put = 0, again = 0;
    for (; put + again < PEERS;) {
        peer_t *peer = &s_peers[put + again];
        if (sender_can_put_again(sender)) {
            peer->size = 4;
            sender_put_again(sender, peer->fds[0], peer);
            again++;
        } else {
            s_put(sender, peer, "same");
            put++;
        }
    }
    sender_flush(sender);
    assert_false(sender_can_put_again(sender));
    assert_in_range(put, 1, 5);
    for (int i = 0; i < PEERS; i++)
        s_expect(&s_peers[i], "same");
    /* Bytes of somebody else's are not said again, nor those of a flush before. */
    s_peers[0].size = 5;
    sender_put_from(sender, s_peers[0].fds[0], "other", 5, &s_peers[0]);
    assert_false(sender_can_put_again(sender));
    sender_flush(sender);
    s_expect(&s_peers[0], "other");
}

/* One that has room, one that is full, one that takes a part, one that is gone. */
static void s_all_kinds(sender_t *sender)
{
    static char large[LIMIT];
    peer_t *peers = s_peers;
    memset(large, 'x', sizeof large);
    while (send(peers[1].fds[0], large, sizeof large, MSG_DONTWAIT) > 0)
        ;
    close(peers[3].fds[1]);
    s_put(sender, &peers[0], "room");
    s_put(sender, &peers[1], "full");
    peers[2].size = sizeof large;
    sender_put_from(sender, peers[2].fds[0], large, sizeof large, &peers[2]);
    s_put(sender, &peers[3], "gone");
    s_put(sender, &peers[4], "room too");
    sender_flush(sender);
    s_expect(&peers[0], "room");
    assert_int_equal(peers[1].sent, 0);
    assert_in_range(peers[2].sent, 1, sizeof large - 1);
    assert_int_equal(peers[3].sent, -1);
    s_expect(&peers[4], "room too");
    for (int i = 1; i < 4; i++)
        assert_int_equal(peers[i].told, 1);
}

static void s_both(sender_mode_t mode)
{
    sender_t *sender = s_new(mode);
    if (mode == SENDER_AUTO && !sender_uses_ring(sender)) {
        sender_destroy(&sender);
        skip();
    }
    s_everybody(sender);
    s_again(sender);
    s_all_kinds(sender);
    sender_destroy(&sender);
}

static void test_by_send(void **state)
{
    (void)state;
    s_both(SENDER_OFF);
}

static void test_by_io_uring(void **state)
{
    (void)state;
    s_both(SENDER_AUTO);
}

static void test_io_uring_saves_calls(void **state)
{
    (void)state;
    sender_t *sender = s_new(SENDER_AUTO);
    metric_t *calls = metrics_counter("parley_send_calls_total", "", NULL);
    bool uses_ring = sender_uses_ring(sender);
    s_everybody(sender);
    sender_destroy(&sender);
    if (!uses_ring)
        skip();
    assert_in_range(metric_value(calls), 1, PEERS / 10);
}

/* From now on this process may not do that call. */
static void s_forbid(int call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void test_a_ring_that_fails(void **state)
{
    (void)state;
    sender_t *sender = s_new(SENDER_AUTO);
    bool used_ring = sender_uses_ring(sender);
    s_forbid(SYS_io_uring_enter);
    s_everybody(sender); /* not one byte is lost or said twice */
    assert_false(sender_uses_ring(sender));
    s_everybody(sender);
    sender_destroy(&sender);
    if (!used_ring)
        skip();
}

static void test_forbidden(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    s_forbid(SYS_io_uring_setup);
    assert_null(sender_new(SENDER_ON, LIMIT, s_on_sent, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "io_uring"));
    sender_t *sender = s_new(SENDER_AUTO);
    assert_false(sender_uses_ring(sender));
    s_everybody(sender);
    sender_destroy(&sender);
}

static void test_modes(void **state)
{
    (void)state;
    sender_mode_t mode;
    assert_true(sender_mode_parse("off", &mode));
    assert_int_equal(mode, SENDER_OFF);
    assert_true(sender_mode_parse("on", &mode));
    assert_int_equal(mode, SENDER_ON);
    assert_true(sender_mode_parse("auto", &mode));
    assert_int_equal(mode, SENDER_AUTO);
    assert_false(sender_mode_parse("yes", &mode));
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    /* The last two forbid for good. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test_setup_teardown(test_by_send, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_by_io_uring, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_io_uring_saves_calls, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_a_ring_that_fails, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_forbidden, s_setup, s_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
