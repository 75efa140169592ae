/* The codec against proto/vectors/records.json and malformed.json, which any other implementation
 * can read too. */
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bus_record.h"
#include "common/json.h"

static const char *const s_verbs[] = {NULL, "HELLO", "CALL", "REPLAY", "HEADS", "EVENT"};

static json_t *s_load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/proto/vectors/%s", PARLEY_SOURCE_DIR, name);
    json_error_t error;
    json_t *vectors = json_load_file(path, 0, &error);
    if (vectors == NULL)
        fail_msg("%s: %s", path, error.text);
    return vectors;
}

/* An exact-size copy on the heap, so that a read beyond the end is found. */
static unsigned char *s_unhex(const char *hex, size_t *size)
{
    unsigned char *bytes = malloc(strlen(hex) / 2);
    assert_non_null(bytes);
    assert_int_equal(sodium_hex2bin(bytes, strlen(hex) / 2, hex, strlen(hex), NULL, size, NULL), 0);
    return bytes;
}

static void s_check_record(const json_t *want, const bus_record_t *got)
{
    char id[33];
    bus_id_print(&got->id, id);
    assert_string_equal(id, json_string_value(json_object_get(want, "id")));
    assert_int_equal(got->version, json_integer_value(json_object_get(want, "version")));
    if (got->version != BUS_VERSION)
        return;
    assert_string_equal(s_verbs[got->verb], json_string_value(json_object_get(want, "verb")));
    assert_int_equal(got->flags & BUS_FLAG_ANSWER,
                     json_is_true(json_object_get(want, "answer")) ? BUS_FLAG_ANSWER : 0);
    assert_int_equal(got->flags & BUS_FLAG_ERROR,
                     json_is_true(json_object_get(want, "error")) ? BUS_FLAG_ERROR : 0);
    assert_int_equal(got->deadline_ms, json_integer_value(json_object_get(want, "deadline")));
    json_t *body = json_loadb(got->body, got->body_size, JSON_DECODE_ANY, NULL);
    if (got->body_size > 0)
        assert_true(json_equal(body, json_object_get(want, "body")));
    json_decref(body);
}

static void s_test_vectors_are_read_and_written(void **state)
{
    (void)state;
    json_t *vectors = s_load("records.json"), *vector, *want;
    size_t i, j;
    json_array_foreach(vectors, i, vector)
    {
        size_t size, offset = 0;
        unsigned char *message = s_unhex(json_string_value(json_object_get(vector, "hex")), &size);
        buffer_t copy = BUFFER_INIT(BUS_MESSAGE_MAX);
        json_array_foreach(json_object_get(vector, "records"), j, want)
        {
            bus_record_t record;
            err_t err = ERR_INIT;
            assert_int_equal(bus_record_read(message, size, &offset, &record, &err), ERR_OK);
            s_check_record(want, &record);
            bus_record_write(&copy, &record);
        }
        assert_int_equal(offset, size);
        if (json_object_get(vector, "write") == NULL) {
            assert_int_equal(copy.size, size);
            assert_memory_equal(copy.data, message, size);
        }
        buffer_free(&copy);
        free(message);
    }
    assert_true(json_array_size(vectors) > 10);
    json_decref(vectors);
}

static void s_test_malformed_is_refused_where_it_begins(void **state)
{
    (void)state;
    json_t *vectors = s_load("malformed.json"), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector)
    {
        size_t size, offset = 0;
        unsigned char *message = s_unhex(json_string_value(json_object_get(vector, "hex")), &size);
        json_int_t good = json_integer_value(json_object_get(vector, "good_records")), read = 0;
        bus_record_t record;
        err_t err = ERR_INIT;
        while (offset < size && bus_record_read(message, size, &offset, &record, &err) == ERR_OK)
            read++;
        assert_int_equal(read, good);
        assert_int_equal(err.code, ERR_PROTOCOL);
        assert_true(strlen(err.text) > 0);
        free(message);
    }
    json_decref(vectors);
}

static void s_test_every_cut_of_a_message_is_refused(void **state)
{
    (void)state;
    json_t *vectors = s_load("records.json");
    size_t size;
    const char *hex = json_string_value(json_object_get(json_array_get(vectors, 0), "hex"));
    unsigned char *message = s_unhex(hex, &size);
    for (size_t cut = 1; cut < size; cut++) {
        unsigned char *part = malloc(cut);
        memcpy(part, message, cut);
        bus_record_t record;
        size_t offset = 0;
        assert_int_equal(bus_record_read(part, cut, &offset, &record, NULL), ERR_PROTOCOL);
        assert_int_equal(offset, 0);
        free(part);
    }
    free(message);
    json_decref(vectors);
}

static void s_test_begin_and_end_fill_in_the_size(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(1024);
    bus_id_t id = bus_id_random();
    size_t first = bus_record_begin(&out, BUS_CALL, 0, &id, 42);
    buffer_put_str(&out, "{\"field\":\"Query.me\"}");
    bus_record_end(&out, first);
    bus_record_write_error(&out, BUS_CALL, &id, ERR_CONFLICT, "a \"quoted\" word",
                           "\"outcome\":\"none\"");
    size_t offset = 0;
    bus_record_t record;
    assert_int_equal(bus_record_read(out.data, out.size, &offset, &record, NULL), ERR_OK);
    assert_int_equal(record.body_size, strlen("{\"field\":\"Query.me\"}"));
    assert_int_equal(record.deadline_ms, 42);
    assert_true(bus_id_equal(&record.id, &id));
    assert_int_equal(bus_record_read(out.data, out.size, &offset, &record, NULL), ERR_OK);
    assert_int_equal(record.flags, BUS_FLAG_ANSWER | BUS_FLAG_ERROR);
    static const char want[] = "{\"code\":\"CONFLICT\",\"message\":\"a \\\"quoted\\\" word\","
                               "\"extensions\":{\"outcome\":\"none\"}}";
    assert_int_equal(record.body_size, strlen(want));
    assert_memory_equal(record.body, want, strlen(want));
    assert_int_equal(offset, out.size);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_vectors_are_read_and_written),
        cmocka_unit_test(s_test_malformed_is_refused_where_it_begins),
        cmocka_unit_test(s_test_every_cut_of_a_message_is_refused),
        cmocka_unit_test(s_test_begin_and_end_fill_in_the_size),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
