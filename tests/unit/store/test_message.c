/* Messages as JSON, arrays as PostgreSQL's binary form, heads' schedule, the embedded migrations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "store/embedded.h"
#include "store/heads_schedule.h"
#include "store/message.h"
#include "store/migrations.h"
#include "store/pg_array.h"
#include "store/room_event.h"

static const char s_epoch[] = "00c0ffee00c0ffee";

static void s_print(buffer_t *out, const char *body)
{
    message_t message = {.room = "lobby",
                         .room_size = 5,
                         .handle = "al\"ice",
                         .handle_size = 6,
                         .body = body,
                         .body_size = strlen(body),
                         .seq = 18,
                         .created_us = INT64_C(1795395600123999)};
    for (unsigned char i = 0; i < 16; i++)
        message.id.bytes[i] = (unsigned char)(0xa0 + i);
    cursor_base_t base = message_cursor_base(s_epoch, "lobby", 5);
    buffer_clear(out);
    message_print(out, &message, &base);
    buffer_put_char(out, '\0');
    assert_false(out->failed);
}

/* The payload is: before, its cursor, after; or, if that is NULL, before alone. */
static void s_check_event(const char *type, const char *body, const char *before, const char *after)
{
    char cursor[CURSOR_SIZE], wanted[1000];
    buffer_t out = BUFFER_INIT(10000);
    const message_t row = {.room = "private/a",
                           .room_size = 9,
                           .handle = "ann",
                           .handle_size = 3,
                           .body = body,
                           .body_size = strlen(body),
                           .seq = 18,
                           .created_us = INT64_C(1795395600123999)};
    cursor_base_t base = message_cursor_base(s_epoch, "private/a", 9);
    cursor_print(&base, 18, cursor);
    room_event_print(&out, type, strlen(type), &row, &base);
    buffer_put_char(&out, '\0');
    snprintf(wanted, sizeof wanted, "%s%s%s", before, after ? cursor : "", after ? after : "");
    assert_string_equal(out.data, wanted);
    assert_int_equal(room_event_is_revoke(type, strlen(type)), strcmp(type, "revoke") == 0);
    buffer_free(&out);
}

#define CHANGED "\"changedBy\":\"ann\",\"changedAt\":\"2026-11-23T01:00:00.123Z\""

static void test_events_of_rooms_are_printed(void **state)
{
    (void)state;
    static const char body[] = "{\"handle\" : \"ben\", \"role\" : null}";
    static const char change[] = "{\"room\":\"private/a\"," CHANGED ",\"cursor\":\"";
    s_check_event("leaveRoom", body, change, "\",\"handle\" : \"ben\", \"role\" : null}");
    s_check_event("createRoom", body, change,
                  "\",\"createdAt\":\"2026-11-23T01:00:00.123Z\",\"handle\" : \"ben\", \"role\" : "
                  "null}");
    s_check_event("revoke", body, body, NULL);
    s_check_event("editMessage", "x",
                  "{\"messageId\":\"00000000-0000-0000-0000-000000000000\",\"body\":\"x\","
                  "\"createdAt\":\"2026-11-23T01:00:00.123Z\",\"handle\":\"ann\",\"room\":"
                  "\"private/a\",\"cursor\":\"",
                  "\"}");
}

static void test_message_is_printed(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(10000);
    char cursor[CURSOR_SIZE];
    cursor_base_t base;
    assert_int_equal(cursor_base(&base, s_epoch, "room/lobby", 10), ERR_OK);
    cursor_print(&base, 18, cursor);
    s_print(&out, "h\xc3\xa9llo \"x\" \\ \n\t\x01");
    char wanted[500];
    snprintf(wanted, sizeof wanted,
             "{\"messageId\":\"a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf\",\"body\":\"h\xc3\xa9llo "
             "\\\"x\\\" \\\\ \\n\\t\\u0001\","
             "\"createdAt\":\"2026-11-23T01:00:00.123Z\",\"handle\":\"al\\\"ice\",\"room\":"
             "\"lobby\",\"cursor\":\"%s\"}",
             cursor);
    assert_string_equal(out.data, wanted);
    buffer_free(&out);
}

/* What is printed by hand reads back as what went in, for every character. */
static void test_message_reads_back(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(10000);
    for (int c = 1; c < 0x800; c++) {
        char body[8] = {0};
        if (c < 0x80) {
            body[0] = (char)c;
        } else {
            body[0] = (char)(0xc0 | c >> 6);
            body[1] = (char)(0x80 | (c & 0x3f));
        }
        s_print(&out, body);
        json_t *json = json_loads(out.data, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "body")), body);
        json_decref(json);
    }
    buffer_free(&out);
}

static void test_arrays(void **state)
{
    (void)state;
    static const unsigned char texts[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0,   0,   25, 0, 0, 0,
                                          2, 0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b', 0,  0, 0, 0};
    static const unsigned char numbers[] = {0,  0, 0,    1,    0,    0,    0,    0,    0,    0,   0,
                                            20, 0, 0,    0,    1,    0,    0,    0,    1,    0,   0,
                                            0,  8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    static const unsigned char none[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25};
    pg_array_t array;
    pg_array_init(&array, PG_TEXT_TYPE, 1000);
    pg_array_add(&array, "ab", 2);
    pg_array_add(&array, "", 0);
    pg_param_t param = pg_array_param(&array);
    assert_int_equal(param.size, sizeof texts);
    assert_memory_equal(param.data, texts, sizeof texts);
    pg_array_free(&array);
    pg_array_init(&array, PG_INT8, 1000);
    pg_array_add_int64(&array, -2);
    param = pg_array_param(&array);
    assert_int_equal(param.size, sizeof numbers);
    assert_memory_equal(param.data, numbers, sizeof numbers);
    pg_array_free(&array);
    pg_array_init(&array, PG_TEXT_TYPE, 1000);
    param = pg_array_param(&array);
    assert_int_equal(param.size, sizeof none);
    assert_memory_equal(param.data, none, sizeof none);
    pg_array_free(&array);
}

static void s_expect(heads_schedule_t *schedule, int64_t now_us, const char *room)
{
    const char *next = heads_schedule_next(schedule, now_us);
    if (room)
        assert_string_equal(next, room);
    else
        assert_null(next);
}

static void test_heads_are_repeated_four_times(void **state)
{
    (void)state;
    heads_schedule_t *schedule = heads_schedule_new(10);
    heads_schedule_touch(schedule, "a", 1, 1000);
    static const int64_t due[] = {100000, 500000, 2000000, 10000000};
    for (int i = 0; i < 4; i++) {
        s_expect(schedule, 1000 + due[i] - 1, NULL);
        s_expect(schedule, 1000 + due[i], "a");
        s_expect(schedule, 1000 + due[i], NULL);
    }
    assert_true(heads_schedule_is_empty(schedule));
    heads_schedule_destroy(&schedule);
}

static void test_activity_begins_anew(void **state)
{
    (void)state;
    heads_schedule_t *schedule = heads_schedule_new(10);
    heads_schedule_touch(schedule, "a", 1, 0);
    heads_schedule_touch(schedule, "b", 1, 10);
    s_expect(schedule, 100000, "a");
    heads_schedule_touch(schedule, "a", 1, 100005);
    s_expect(schedule, 100010, "b");
    s_expect(schedule, 200004, NULL);
    s_expect(schedule, 200005, "a");
    s_expect(schedule, 500010, "b");
    s_expect(schedule, 500010, NULL);
    assert_int_equal(heads_schedule_count(schedule), 2);
    heads_schedule_destroy(&schedule);
}

static void test_the_schedule_is_bounded(void **state)
{
    (void)state;
    heads_schedule_t *schedule = heads_schedule_new(2);
    heads_schedule_touch(schedule, "a", 1, 0);
    heads_schedule_touch(schedule, "b", 1, 1);
    s_expect(schedule, 100000, "a");
    heads_schedule_touch(schedule, "c", 1, 100000); /* a, which is nearer its end, gives way */
    assert_int_equal(heads_schedule_count(schedule), 2);
    s_expect(schedule, 100001, "b");
    s_expect(schedule, 200000, "c");
    s_expect(schedule, 500001, "b");
    heads_schedule_destroy(&schedule);
}

static void test_embedded_texts(void **state)
{
    (void)state;
    size_t count;
    const migration_t *all = migrations_all(&count);
    assert_true(count >= 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].version, i + 1);
        assert_int_equal(strlen(all[i].sha256), 64);
        assert_true(strlen(all[i].sql) > 20);
    }
    char *sql = migrations_sql();
    assert_non_null(strstr(sql, "CREATE TABLE messages"));
    assert_non_null(strstr(sql, "pg_advisory_xact_lock"));
    free(sql);
    assert_non_null(strstr(embedded_sdl, "type Message {"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_is_printed),
        cmocka_unit_test(test_events_of_rooms_are_printed),
        cmocka_unit_test(test_message_reads_back),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_heads_are_repeated_four_times),
        cmocka_unit_test(test_activity_begins_anew),
        cmocka_unit_test(test_the_schedule_is_bounded),
        cmocka_unit_test(test_embedded_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
