/* The endpoint on a real ROUTER, with handlers of the test and the bytes of proto/vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "store/endpoint.h"
#include "store/message.h"

enum { CALLS_MAX = 4, HELD_MAX = 8 };

static loop_t *s_loop;
static endpoint_t *s_endpoint;
static zsock_t *s_gateway;
static char s_address[64];
static store_call_t *s_held[HELD_MAX];
static int s_held_count;

/* ---- handlers ---- */

static void s_echo(void *arg, store_call_t *call)
{
    (void)arg;
    char *text = json_dumps(call->args, JSON_COMPACT | JSON_ENCODE_ANY);
    store_call_answer(call, text, strlen(text));
    free(text);
}

static void s_hold(void *arg, store_call_t *call)
{
    (void)arg;
    assert_true(s_held_count < HELD_MAX);
    s_held[s_held_count++] = call;
}

static void s_reject(void *arg, store_call_t *call)
{
    (void)arg;
    store_call_reject(call, "body", "body must be %s", "\"short\"");
}

static void s_http(void *arg, store_call_t *call)
{
    (void)arg;
    store_call_answer(call, "{\"status\":200}", 14);
}

static void s_huge(void *arg, store_call_t *call)
{
    (void)arg;
    buffer_t *out = store_call_begin(call);
    buffer_put_char(out, '"');
    for (int i = 0; i < 13 * 1024; i++) {
        char *kib = buffer_reserve(out, 1024);
        assert_non_null(kib);
        memset(kib, 'x', 1024);
        out->size += 1024;
    }
    buffer_put_char(out, '"');
    store_call_done(call);
}

static const store_handler_t s_handlers[] = {
    {"Query.echo", s_echo}, {"Query.hold", s_hold},  {"Query.reject", s_reject},
    {"Query.huge", s_huge}, {"HTTP GET /x", s_http}, {"HTTP POST /a/b", s_http},
    {NULL, NULL},
};

static void s_manifest(void *arg, buffer_t *out)
{
    (void)arg;
    buffer_put_str(out, "{\"name\":\"test\"}");
}

/* ---- set up ---- */

static int s_setup(void **state)
{
    (void)state;
    static int count;
    snprintf(s_address, sizeof s_address, "ipc:///tmp/parley-test-%ld-%d", (long)getpid(), count++);
    const bus_security_t security = {NULL, "store", false};
    const endpoint_options_t options = {.bind = s_address,
                                        .security = &security,
                                        .calls_max = CALLS_MAX,
                                        .manifest = s_manifest,
                                        .replay = s_echo,
                                        .heads = s_echo};
    err_t err = ERR_INIT;
    s_held_count = 0;
    s_loop = loop_new();
    s_endpoint = endpoint_new(s_loop, &options, &err);
    assert_non_null(s_endpoint);
    endpoint_add(s_endpoint, s_handlers, NULL);
    s_gateway = bus_socket_connect(BUS_SOCKET_DEALER, s_address, "store", &security, &err);
    assert_non_null(s_gateway);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    endpoint_destroy(&s_endpoint, 0);
    zsock_destroy(&s_gateway);
    loop_destroy(&s_loop);
    unlink(s_address + 6);
    return 0;
}

/* Runs the loop until a bus message is there or nothing came for a while. */
static zframe_t *s_receive(void)
{
    for (int i = 0; i < 400; i++) {
        if (zsock_events(s_gateway) & ZMQ_POLLIN)
            return zframe_recv(s_gateway);
        uv_run(loop_uv(s_loop), UV_RUN_NOWAIT);
        usleep(500);
    }
    return NULL;
}

static void s_send(const void *data, size_t size)
{
    zframe_t *frame = zframe_new(data, size);
    for (int i = 0; i < 1000 && !(zsock_events(s_gateway) & ZMQ_POLLOUT); i++) {
        uv_run(loop_uv(s_loop), UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(zframe_send(&frame, s_gateway, 0), 0);
}

static void
s_put(buffer_t *out, bus_verb_t verb, unsigned char id, const char *body, int64_t deadline_ms)
{
    bus_record_t record = {
        .verb = verb, .deadline_ms = deadline_ms, .body = body, .body_size = strlen(body)};
    record.id.bytes[0] = id;
    bus_record_write(out, &record);
}

/* The next record of a message that is received whole; body is copied and NUL-terminated (free it).
 */
typedef struct {
    unsigned char id;
    uint8_t flags;
    bus_verb_t verb;
    char *body;
} answer_t;

static int s_receive_answers(answer_t *answers, int max)
{
    int count = 0;
    zframe_t *frame = s_receive();
    if (!frame)
        return 0;
    size_t offset = 0;
    err_t err = ERR_INIT;
    while (offset < zframe_size(frame)) {
        bus_record_t record;
        /* A request of another version may have had a verb that this one lacks; its answer repeats
         * it. */
        unsigned char *verb = zframe_data(frame) + offset + 4;
        if (*verb > BUS_EVENT)
            *verb = BUS_HELLO;
        assert_int_equal(
            bus_record_read(zframe_data(frame), zframe_size(frame), &offset, &record, &err),
            ERR_OK);
        assert_true(count < max);
        answers[count++] = (answer_t){record.id.bytes[0], record.flags, record.verb,
                                      strndup(record.body, record.body_size)};
    }
    zframe_destroy(&frame);
    return count;
}

static void s_assert_answer(const char *field, const char *wanted, bool is_error)
{
    char body[300];
    answer_t answer;
    buffer_t out = BUFFER_INIT(10000);
    snprintf(body, sizeof body, "{\"field\":\"%s\",\"args\":{\"method\":\"GET\",\"path\":\"/x\"}}",
             field);
    s_put(&out, BUS_CALL, 7, body, 0);
    s_send(out.data, out.size);
    assert_int_equal(s_receive_answers(&answer, 1), 1);
    assert_int_equal(answer.id, 7);
    assert_int_equal(answer.flags, is_error ? BUS_FLAG_ANSWER | BUS_FLAG_ERROR : BUS_FLAG_ANSWER);
    assert_string_equal(answer.body, wanted);
    free(answer.body);
    buffer_free(&out);
}

/* ---- tests ---- */

static void test_answers(void **state)
{
    (void)state;
    s_assert_answer("Query.echo", "{\"method\":\"GET\",\"path\":\"/x\"}", false);
    s_assert_answer("HTTP", "{\"status\":200}", false);
    s_assert_answer("Query.reject",
                    "{\"code\":\"BAD_USER_INPUT\",\"message\":\"body must be "
                    "\\\"short\\\"\",\"extensions\":{\"argument\":\"body\"}}",
                    true);
    s_assert_answer(
        "Query.nothing",
        "{\"code\":\"INTERNAL\",\"message\":\"this service has no field Query.nothing\"}", true);
    s_assert_answer("Query.huge",
                    "{\"code\":\"LIMIT_EXCEEDED\",\"message\":\"the result is larger than 12 MiB: "
                    "ask for less\",\"extensions\":{\"outcome\":\"none\"}}",
                    true);
    s_assert_answer("Query.echo", "{\"method\":\"GET\",\"path\":\"/x\"}", false);
    assert_int_equal(endpoint_load(s_endpoint), 0);
}

static void test_routes(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(1000);
    endpoint_print_routes(s_endpoint, &out);
    buffer_put_char(&out, '\0');
    assert_string_equal(
        out.data, "[{\"method\":\"GET\",\"path\":\"/x\"},{\"method\":\"POST\",\"path\":\"/a/b\"}]");
    buffer_free(&out);
}

/* Too many calls at once are refused and not queued; those that live are answered, in any order. */
static void test_ceiling(void **state)
{
    (void)state;
    answer_t answers[6];
    buffer_t out = BUFFER_INIT(10000);
    for (unsigned char i = 0; i < 6; i++)
        s_put(&out, BUS_CALL, i, "{\"field\":\"Query.hold\"}", 0);
    s_send(out.data, out.size);
    assert_int_equal(s_receive_answers(answers, 6), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(answers[i].id, 4 + i);
        assert_non_null(strstr(answers[i].body, "LIMIT_EXCEEDED"));
        assert_non_null(strstr(answers[i].body, "\"outcome\":\"none\""));
        free(answers[i].body);
    }
    assert_int_equal(s_held_count, CALLS_MAX);
    assert_true(s_held[0]->deadline_ms > clock_unix_ms());
    for (int i = CALLS_MAX - 1; i >= 0; i--)
        store_call_answer(s_held[i], "true", 4);
    assert_int_equal(s_receive_answers(answers, 6), CALLS_MAX);
    for (int i = 0; i < CALLS_MAX; i++) {
        assert_int_equal(answers[i].id, CALLS_MAX - 1 - i);
        free(answers[i].body);
    }
    buffer_free(&out);
}

static void test_calls_alive_at_the_end_are_freed(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(10000);
    s_put(&out, BUS_CALL, 1, "{\"field\":\"Query.hold\"}", 0);
    s_send(out.data, out.size);
    assert_null(s_receive());
    assert_int_equal(endpoint_load(s_endpoint), 1);
    buffer_free(&out);
}

static void test_past_deadline(void **state)
{
    (void)state;
    answer_t answer;
    buffer_t out = BUFFER_INIT(10000);
    s_put(&out, BUS_CALL, 1, "{\"field\":\"Query.hold\"}", clock_unix_ms() - 1);
    s_send(out.data, out.size);
    assert_int_equal(s_receive_answers(&answer, 1), 1);
    assert_non_null(strstr(answer.body, "TIMEOUT"));
    assert_int_equal(s_held_count, 0);
    free(answer.body);
    buffer_free(&out);
}

static json_t *s_load(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/proto/vectors/%s", PARLEY_SOURCE_DIR, name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static size_t s_bytes_of(const json_t *vector, unsigned char *bytes, size_t max)
{
    size_t size = 0;
    const char *hex = json_string_value(json_object_get(vector, "hex"));
    assert_int_equal(sodium_hex2bin(bytes, max, hex, strlen(hex), NULL, &size, NULL), 0);
    return size;
}

/* Whatever comes, the endpoint answers HELLO afterwards; requests are answered, all else is not. */
static void test_vectors(void **state)
{
    (void)state;
    static const char *const files[] = {"records.json", "malformed.json"};
    static unsigned char bytes[100000];
    for (size_t f = 0; f < 2; f++) {
        json_t *vectors = s_load(files[f]), *vector;
        size_t index;
        json_array_foreach(vectors, index, vector)
        {
            answer_t answers[50];
            buffer_t hello = BUFFER_INIT(1000);
            s_send(bytes, s_bytes_of(vector, bytes, sizeof bytes));
            s_put(&hello, BUS_HELLO, 99, "{}", 0);
            s_send(hello.data, hello.size);
            bool done = false;
            while (!done) {
                int count = s_receive_answers(answers, 50);
                assert_true(count > 0);
                for (int i = 0; i < count; i++) {
                    assert_true(answers[i].flags & BUS_FLAG_ANSWER);
                    done = done || answers[i].id == 99;
                    free(answers[i].body);
                }
            }
            buffer_free(&hello);
        }
        json_decref(vectors);
    }
    assert_int_equal(endpoint_load(s_endpoint), 0);
}

/* The store's cursors are those of proto/vectors. */
static void test_cursor_vectors(void **state)
{
    (void)state;
    json_t *file = s_load("cursors.json"), *vector;
    size_t index, checked = 0;
    json_array_foreach(json_object_get(file, "cursors"), index, vector)
    {
        const char *stream = json_string_value(json_object_get(vector, "stream"));
        char cursor[CURSOR_SIZE];
        if (strncmp(stream, STREAM_PREFIX, STREAM_PREFIX_SIZE) != 0)
            continue;
        cursor_base_t base =
            message_cursor_base(json_string_value(json_object_get(vector, "epoch")),
                                stream + STREAM_PREFIX_SIZE, strlen(stream) - STREAM_PREFIX_SIZE);
        cursor_print(&base, strtoull(json_string_value(json_object_get(vector, "seq")), NULL, 10),
                     cursor);
        assert_string_equal(cursor, json_string_value(json_object_get(vector, "cursor")));
        checked++;
    }
    assert_true(checked >= 3);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_routes, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_ceiling, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_calls_alive_at_the_end_are_freed, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_past_deadline, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown(test_vectors, s_setup, s_teardown),
        cmocka_unit_test(test_cursor_vectors),
    };
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    metrics_shutdown();
    zsys_shutdown();
    return failed;
}
