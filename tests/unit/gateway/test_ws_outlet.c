/* The writing side of a connection, and the wheel of its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "gateway/realtime/outlet.h"
#include "gateway/realtime/wheel.h"

typedef struct {
    size_t left; /* bytes that can be pulled */
    char next;
} source_t;

static void s_pull(void *arg, buffer_t *out, size_t limit)
{
    source_t *source = arg;
    while (source->left && out->size < limit) {
        buffer_put_char(out, source->next);
        source->next = source->next == 'z' ? 'a' : (char)(source->next + 1);
        source->left--;
    }
}

/* Reads what is there and checks that nothing is missing in it. */
static size_t s_drain(int fd, char *expected)
{
    char bytes[4096];
    size_t total = 0;
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            return total;
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(bytes[i], *expected);
            *expected = *expected == 'z' ? 'a' : (char)(*expected + 1);
        }
        total += (size_t)n;
    }
}

static void s_pair(int fds[2])
{
    int size = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* What the connection and the sender do with it. */
static outlet_result_t s_flush(outlet_t *outlet, int fd, source_t *source, uint64_t *sent)
{
    buffer_t out = BUFFER_INIT(100000);
    outlet_piece_t piece;
    outlet_result_t result = OUTLET_IDLE;
    buffer_put_str(&out, "of others");
    size_t before = out.size;
    if (!outlet_next(outlet, &out, s_pull, source, &piece)) {
        result = OUTLET_BROKEN;
        assert_int_equal(out.size, before);
        assert_false(out.failed);
    } else if (piece.size > 0) {
        const char *data = piece.data ? piece.data : out.data + out.size - piece.size;
        ssize_t n = send(fd, data, piece.size, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            n = 0;
        *sent += n > 0 ? (uint64_t)n : 0;
        result = outlet_sent(outlet, data, piece.size, n);
    }
    buffer_free(&out);
    return result;
}

static void test_a_slow_reader_gets_everything(void **state)
{
    (void)state;
    int fds[2];
    s_pair(fds);
    outlet_t outlet;
    source_t source = {.left = 300000, .next = 'a'};
    outlet_init(&outlet, 1000000);
    size_t received = 0;
    uint64_t sent = 0;
    char expected = 'a';
    for (int i = 0; received < 300000; i++) {
        assert_in_range(i, 0, 100000);
        outlet_result_t result = s_flush(&outlet, fds[0], &source, &sent);
        assert_int_not_equal(result, OUTLET_BROKEN);
        assert_in_range(outlet_waiting(&outlet), 0, OUTLET_CHUNK); /* never more is kept */
        assert_int_equal(outlet.blocked, result == OUTLET_BLOCKED);
        if (result == OUTLET_BLOCKED || result == OUTLET_IDLE)
            received += s_drain(fds[1], &expected);
    }
    assert_int_equal(sent, 300000);
    assert_int_equal(s_flush(&outlet, fds[0], &source, &sent), OUTLET_IDLE);
    assert_null(outlet.rest.data); /* at rest it costs nothing */
    outlet_clear(&outlet);
    close(fds[0]);
    close(fds[1]);
}

static void test_a_large_rest_goes_first(void **state)
{
    (void)state;
    int fds[2];
    s_pair(fds);
    outlet_t outlet;
    source_t text = {.left = 100000, .next = 'a'};
    outlet_init(&outlet, 1000000);
    s_pull(&text, &outlet.rest, 100000);
    source_t source = {.left = 1000, .next = text.next};
    size_t received = 0;
    uint64_t sent = 0;
    char expected = 'a';
    for (int i = 0; received < 101000; i++) {
        assert_in_range(i, 0, 100000);
        s_flush(&outlet, fds[0], &source, &sent);
        received += s_drain(fds[1], &expected);
    }
    outlet_clear(&outlet);
    close(fds[0]);
    close(fds[1]);
}

static void test_broken(void **state)
{
    (void)state;
    int fds[2];
    s_pair(fds);
    outlet_t outlet;
    source_t source = {.left = 10, .next = 'a'};
    uint64_t sent = 0;
    outlet_init(&outlet, 100);
    close(fds[1]);
    assert_int_equal(s_flush(&outlet, fds[0], &source, &sent), OUTLET_BROKEN);
    outlet_clear(&outlet);
    /* More is there than one piece may be: nothing of it goes out, and others do not notice. */
    source.left = 2000;
    outlet_init(&outlet, 1000000);
    buffer_t small = BUFFER_INIT(1000);
    outlet_piece_t piece;
    buffer_put_str(&small, "of others");
    assert_false(outlet_next(&outlet, &small, s_pull, &source, &piece));
    assert_int_equal(small.size, 9);
    assert_false(small.failed);
    buffer_free(&small);
    outlet_clear(&outlet);
    /* More is said than may wait. */
    outlet_init(&outlet, 100);
    for (int i = 0; i < 20; i++)
        buffer_put(&outlet.rest, "0123456789", 10);
    assert_int_equal(s_flush(&outlet, fds[0], &source, &sent), OUTLET_BROKEN);
    outlet_clear(&outlet);
    close(fds[0]);
}

typedef struct {
    wheel_node_t node;
    int fired;
    int64_t again_s; /* set again at that second, 0: not */
} alarm_t;

static wheel_t s_wheel;

static void s_on_due(void *arg, wheel_node_t *node)
{
    alarm_t *alarm = LIST_ITEM(node, alarm_t, node);
    (void)arg;
    alarm->fired++;
    if (alarm->again_s)
        wheel_set(&s_wheel, node, alarm->again_s);
    alarm->again_s = 0;
}

static void test_wheel(void **state)
{
    (void)state;
    alarm_t soon = {.fired = 0}, late = {.fired = 0}, past = {.fired = 0}, never = {.fired = 0};
    wheel_init(&s_wheel, 1000);
    wheel_node_init(&soon.node);
    wheel_node_init(&late.node);
    wheel_node_init(&past.node);
    wheel_node_init(&never.node);
    wheel_set(&s_wheel, &soon.node, 1003);
    wheel_set(&s_wheel, &late.node, 1003 + 3 * WHEEL_SLOTS); /* the same slot, later turns */
    wheel_set(&s_wheel, &past.node, 5);
    wheel_set(&s_wheel, &never.node, 1003);
    wheel_remove(&never.node);
    soon.again_s = 1003 + WHEEL_SLOTS;
    wheel_turn(&s_wheel, 1001, s_on_due, NULL);
    assert_int_equal(past.fired, 1);
    assert_int_equal(soon.fired, 0);
    wheel_turn(&s_wheel, 1003, s_on_due, NULL);
    assert_int_equal(soon.fired, 1);
    assert_int_equal(late.fired, 0);
    wheel_turn(&s_wheel, 1003 + WHEEL_SLOTS - 1, s_on_due, NULL);
    assert_int_equal(soon.fired, 1);
    wheel_turn(&s_wheel, 1003 + WHEEL_SLOTS, s_on_due, NULL);
    assert_int_equal(soon.fired, 2);
    wheel_turn(&s_wheel, 100000, s_on_due, NULL); /* the process slept */
    assert_int_equal(late.fired, 1);
    assert_int_equal(never.fired, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_reader_gets_everything),
        cmocka_unit_test(test_a_large_rest_goes_first),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_wheel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
