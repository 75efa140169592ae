/* The parts of the bus client and the feed that know no socket: the list of services, manifests,
 * bodies (with proto/vectors/records.json), calls by time, fields of an SDL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/bus/bodies.h"
#include "gateway/bus/call.h"
#include "gateway/bus/manifest.h"
#include "gateway/bus/sdl_fields.h"
#include "gateway/bus/service_list.h"
#include "gateway/feed/replay_answer.h"

static json_t *s_vectors;

static int s_load(void **state)
{
    (void)state;
    s_vectors = json_load_file(PARLEY_SOURCE_DIR "/proto/vectors/records.json", 0, NULL);
    return s_vectors == NULL;
}

static int s_unload(void **state)
{
    (void)state;
    json_decref(s_vectors);
    return 0;
}

/* The body of a vector's only record, as text (free with free()). */
static char *s_body(const char *name)
{
    size_t index;
    json_t *vector;
    json_array_foreach(s_vectors, index, vector)
    {
        if (strcmp(json_string_value(json_object_get(vector, "name")), name) == 0)
            return json_dumps(
                json_object_get(json_array_get(json_object_get(vector, "records"), 0), "body"),
                JSON_COMPACT);
    }
    fail_msg("no vector %s", name);
    return NULL;
}

static void s_expect_json(const buffer_t *got, const char *name)
{
    char *text = s_body(name);
    json_t *want = json_loads(text, 0, NULL);
    json_t *have = json_loadb(got->data, got->size, 0, NULL);
    assert_true(json_equal(want, have));
    json_decref(want);
    json_decref(have);
    free(text);
}

/* ---- bodies ---- */

static void s_test_written_bodies(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(65536);
    body_hello(&out, "gw-1");
    s_expect_json(&out, "hello");
    buffer_clear(&out);
    body_replay(&out, "room/lobby", 17, 0, 500);
    s_expect_json(&out, "replay");
    buffer_clear(&out);
    const char *const streams[] = {"room/a", "room/b"};
    body_heads(&out, streams, 2, true);
    s_expect_json(&out, "heads");
    buffer_clear(&out);
    service_request_t request = {.field = "Mutation.x",
                                 .args = {"{\"a\":1}", 7},
                                 .selection = {"[\"b\"]", 5},
                                 .identity = {"{}", 2},
                                 .resume = {"cur\"sor", 7},
                                 .request = "r",
                                 .traceparent = "00-1"};
    body_call(&out, &request);
    buffer_put_char(&out, '\0');
    assert_string_equal(out.data,
                        "{\"field\":\"Mutation.x\",\"args\":{\"a\":1},\"identity\":{},"
                        "\"selection\":[\"b\"],\"request\":\"r\",\"traceparent\":\"00-1\","
                        "\"resume\":\"cur\\\"sor\"}");
    buffer_free(&out);
}

static void s_test_events(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    service_event_t event = {0};
    const char *incarnation;
    err_t err = ERR_INIT;
    char *body = s_body("event data");
    assert_int_equal(
        body_read_event(arena, "room/lobby", 11, body, strlen(body), &event, &incarnation, &err),
        ERR_OK);
    assert_string_equal(event.stream, "room/lobby");
    assert_string_equal(event.epoch, "00c0ffee00c0ffee");
    assert_string_equal(incarnation, "a1b2");
    assert_int_equal(event.seq, 18);
    assert_int_equal(event.kind, SERVICE_EVENT_DATA);
    assert_int_equal(event.type.size, strlen("createMessage"));
    assert_memory_equal(event.payload.data, "{\"body\":\"x\"}", event.payload.size);
    assert_int_equal(
        body_read_event(arena, "room/lobbx", 11, body, strlen(body), &event, &incarnation, &err),
        ERR_PROTOCOL);
    assert_string_equal(err.text, "its stream is not its topic");
    free(body);
    body = s_body("event head");
    assert_int_equal(
        body_read_event(arena, "room/lobby", 11, body, strlen(body), &event, &incarnation, NULL),
        ERR_OK);
    assert_int_equal(event.kind, SERVICE_EVENT_HEAD);
    assert_int_equal(event.payload.size, 0);
    assert_int_equal(
        body_read_event(arena, "room/lobby", 10, body, strlen(body), &event, &incarnation, NULL),
        ERR_PROTOCOL); /* no NUL */
    free(body);
    arena_destroy(&arena);
}

static void s_test_errors(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    service_answer_t answer;
    char *body = s_body("call error");
    body_read_error(arena, body, strlen(body), &answer);
    assert_string_equal(answer.code, "BAD_USER_INPUT");
    assert_string_equal(answer.message, "body must not be empty");
    assert_memory_equal(answer.extensions.data, "{\"argument\":\"body\"", 18);
    free(body);
    static const char *const odd[] = {"",
                                      "null",
                                      "[]",
                                      "{}",
                                      "{\"code\":7,\"message\":{}}",
                                      "{\"code\":\"WHATEVER\",\"extensions\":[]}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        body_read_error(arena, odd[i], strlen(odd[i]), &answer);
        assert_false(answer.ok);
        assert_string_equal(answer.code, "INTERNAL");
        assert_true(strlen(answer.message) > 0);
        assert_int_equal(answer.extensions.size, 0);
    }
    arena_destroy(&arena);
}

static void s_test_replay_answers(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    replay_answer_t answer;
    char *body = s_body("replay answer");
    json_slice_t text = {body, strlen(body)};
    assert_true(replay_answer_read(&answer, arena, "room/lobby", text));
    assert_int_equal(answer.head, 18);
    assert_int_equal(answer.first, 1);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.events[0].seq, 18);
    assert_false(answer.events[0].is_revoke);
    assert_false(replay_answer_read(&answer, arena, "room/other", text));
    free(body);
#define HEADER "{\"stream\":\"s\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":9,\"first\":1,\"events\":"
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {HEADER "[]}", true},
        {HEADER "[{\"seq\":8,\"kind\":\"revoke\",\"payload\":{\"handle\":\"x\"}},"
                "{\"seq\":9,\"type\":\"a\",\"payload\":1}]}",
         true},
        {HEADER "[{\"seq\":7,\"type\":\"a\",\"payload\":1},{\"seq\":9,\"type\":\"a\",\"payload\":1}"
                "]}",
         false},                                                        /* a hole */
        {HEADER "[{\"seq\":10,\"type\":\"a\",\"payload\":1}]}", false}, /* beyond the head */
        {HEADER "[{\"seq\":0,\"type\":\"a\",\"payload\":1}]}", false},
        {HEADER "[{\"seq\":1,\"payload\":1}]}", false},
        {HEADER "[{\"seq\":1,\"type\":\"a\"}]}", false},
        {HEADER "[1]}", false},
        {HEADER "{}}", false},
        {HEADER "[]", false},
        {"{\"stream\":\"s\",\"epoch\":\"00\",\"head\":9,\"first\":1,\"events\":[]}", false},
        {"{\"stream\":\"s\",\"epoch\":\"00c0ffee00c0ffee\",\"head\":-1,\"first\":1,\"events\":[]}",
         false},
        {"[]", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text = (json_slice_t){cases[i].text, strlen(cases[i].text)};
        if (replay_answer_read(&answer, arena, "s", text) != cases[i].ok)
            fail_msg("case %zu", i);
    }
    arena_destroy(&arena);
}

/* ---- manifests ---- */

static manifest_t *s_read(const char *more, err_t *err)
{
    char body[2048];
    snprintf(body, sizeof body,
             "{\"name\":\"store\",\"incarnation\":\"i\",\"sdl\":\"type Query { a: Int }\"%s}",
             more);
    return manifest_read(body, strlen(body), "store", err);
}

static void s_test_manifests(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char *body = s_body("hello answer");
    manifest_t *manifest = manifest_read(body, strlen(body), "store", &err);
    assert_string_equal(err.text, "");
    assert_string_equal(manifest_view(manifest)->version, "0.1.0");
    assert_string_equal(manifest_view(manifest)->epoch, "00c0ffee00c0ffee");
    assert_int_equal(json_array_size(manifest_view(manifest)->routes), 1);
    assert_string_equal(manifest_events(manifest), "tcp://*:5556");
    assert_string_equal(manifest_incarnation(manifest), "a1b2");
    assert_true(manifest_is_ready(manifest));
    assert_true(manifest_has_field(manifest, "Query.a"));
    assert_false(manifest_has_field(manifest, "Query.b"));
    assert_true(manifest_is_idempotent(manifest, "Mutation.createMessage"));
    assert_false(manifest_is_idempotent(manifest, "Mutation.other"));
    manifest_unref(&manifest);
    free(body);
    static const struct {
        const char *more, *text;
    } broken[] = {
        {",\"name\":\"other\"", "it calls itself 'other', configured is 'store'"},
        {",\"name\":7", "name of the manifest is no string"},
        {",\"incarnation\":\"\"", "incarnation of the manifest is not 1 to 64 characters"},
        {",\"ready\":1", "ready of the manifest is no boolean"},
        {",\"sdl\":null", "the manifest has no sdl"},
        {",\"epoch\":\"xyz\"", "epoch of the manifest is not 16 hex digits"},
        {",\"events\":\"http://x\"", "events of the manifest is no endpoint"},
        {",\"idempotent\":{}", "idempotent of the manifest is no list"},
        {",\"idempotent\":[1]", "idempotent of the manifest is no list of strings"},
        {",\"routes\":[{\"method\":\"GET\"}]", "route 0 of the manifest is no {method, path}"},
        {",\"routes\":[{\"method\":\"get\",\"path\":\"/\"}]",
         "route 0 of the manifest is no {method, path}"},
        {",\"routes\":[{\"method\":\"GET\",\"path\":\"/a?b\"}]",
         "route 0 of the manifest is no {method, path}"},
        {",\"issuer\":{}", "issuer of the manifest is no {iss, clientId, jwks}"},
        {",\"issuer\":{\"iss\":\"i\",\"jwks\":{\"keys\":[{\"d\":\"secret\"}]}}",
         "key 0 of the manifest's issuer is no public key"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        err = (err_t)ERR_INIT;
        assert_null(s_read(broken[i].more, &err));
        assert_string_equal(err.text, broken[i].text);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
    assert_null(manifest_read("[]", 2, "store", &err));
    assert_null(manifest_read("{", 1, "store", &err));
}

static void s_test_manifest_hash(void **state)
{
    (void)state;
    manifest_t *a = s_read("", NULL);
    manifest_t *b = s_read(",\"incarnation\":\"j\",\"ready\":false,\"instance\":\"b\","
                           "\"epoch\":\"00c0ffee00c0ffee\",\"events\":\"ipc:///x\"",
                           NULL);
    manifest_t *c = s_read(",\"version\":\"2\"", NULL);
    assert_true(manifest_is_same(a, b)); /* instances of one version */
    assert_false(manifest_is_same(a, c));
    assert_false(manifest_is_ready(b));
    manifest_t *again = manifest_ref(a);
    manifest_unref(&again);
    manifest_unref(&a);
    manifest_unref(&b);
    manifest_unref(&c);
}

static void s_test_sdl_fields(void **state)
{
    (void)state;
    static const char sdl[] =
        "\"\"\"type Fake { no: Int } \\\"\"\" still\"\"\"\n"
        "type Query implements A & B @dir(x: {y: [1]}) {\n"
        "  \"type no: Int\" plain: Int # type Fake { no: Int }\n"
        "  list(first: Int = 3, type: T = {a: 1}): [Int!]! @public @size(of: 3)\n"
        "  type: String\n"
        "}\n"
        "type Empty\n"
        "extend type Query { more: Int }\n"
        "input In { a: Int } enum E { B C } interface I { i: Int }\n"
        "type Mutation{a(x:Int):Int b:Int}";
    zhashx_t *fields = sdl_fields(sdl, sizeof sdl - 1);
    static const char *const there[] = {"Query.plain", "Query.list", "Query.type",
                                        "Query.more",  "Mutation.a", "Mutation.b"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        if (zhashx_lookup(fields, there[i]) == NULL)
            fail_msg("%s is missing", there[i]);
    assert_int_equal(zhashx_size(fields), sizeof there / sizeof there[0]);
    zhashx_destroy(&fields);
    static const char *const odd[] = {"",          "type",       "type Q",       "type Q {",
                                      "type Q {a", "type Q {a:", "\"\"\"type Q", "type Q { a( }"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        fields = sdl_fields(odd[i], strlen(odd[i]));
        zhashx_destroy(&fields);
    }
}

/* ---- calls ---- */

static void s_test_calls(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static service_call_t *calls[COUNT];
    calls_t *self = calls_new();
    srand(7);
    bus_id_t previous = {{0}};
    for (int i = 0; i < COUNT; i++) {
        calls[i] = calls_add(self, rand() % 1000);
        assert_int_equal(calls[i]->id.bytes[6] >> 4, 7);
        assert_true(memcmp(previous.bytes, calls[i]->id.bytes, 6) <= 0); /* ordered by time */
        previous = calls[i]->id;
    }
    for (int i = 0; i < COUNT; i += 3) {
        bus_id_t id = calls[i]->id;
        assert_ptr_equal(calls_find(self, &id), calls[i]);
        calls_remove(self, calls[i]);
        assert_null(calls_find(self, &id));
    }
    for (int i = 1; i < COUNT; i += 3)
        calls_set_due(self, calls[i], rand() % 1000);
    int64_t last = 0;
    size_t left = calls_count(self);
    for (service_call_t *call; (call = calls_next_due(self)) != NULL; left--) {
        assert_true(call->due_ms >= last);
        last = call->due_ms;
        calls_remove(self, call);
    }
    assert_int_equal(left, 0);
    calls_add(self, 1); /* what is left is freed */
    calls_destroy(&self);
}

static void s_test_service_list(void **state)
{
    (void)state;
    service_entry_t *entries;
    size_t count;
    err_t err = ERR_INIT;
    assert_int_equal(service_list_read(" a=ipc:///x , b=tcp://host:1,b=tcp://[::1]:2,"
                                       "b=tcp://10.0.0.1:3,",
                                       &entries, &count, &err),
                     ERR_OK);
    assert_int_equal(count, 4);
    assert_string_equal(entries[0].endpoint, "ipc:///x");
    assert_false(entries[0].is_host_name);
    assert_true(entries[1].is_host_name);
    assert_string_equal(entries[1].host, "host");
    assert_string_equal(entries[1].port, "1");
    assert_string_equal(entries[2].host, "::1");
    assert_false(entries[2].is_host_name || entries[3].is_host_name);
    free(entries);
    assert_int_equal(service_list_read("", &entries, &count, &err), ERR_OK);
    assert_int_equal(count, 0);
    char endpoint[SERVICE_ENDPOINT_SIZE];
    service_endpoint_join(endpoint, "::1", "5");
    assert_string_equal(endpoint, "tcp://[::1]:5");
    service_endpoint_join(endpoint, "1.2.3.4", "5");
    assert_string_equal(endpoint, "tcp://1.2.3.4:5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_written_bodies), cmocka_unit_test(s_test_events),
        cmocka_unit_test(s_test_errors),         cmocka_unit_test(s_test_replay_answers),
        cmocka_unit_test(s_test_manifests),      cmocka_unit_test(s_test_manifest_hash),
        cmocka_unit_test(s_test_sdl_fields),     cmocka_unit_test(s_test_calls),
        cmocka_unit_test(s_test_service_list),
    };
    return cmocka_run_group_tests(tests, s_load, s_unload);
}
