/* Small requests that could cost much: time, memory, or bytes of the answer. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/graphql/graphql.h"

enum { LIMIT = 64 * 1024 * 1024, TYPES = 400, SDL_SIZE = 32 * 1024 };

static int s_set_up(void **state)
{
    static const char roots[] =
        "scalar Any input Filter { must: Boolean! n: Int } type Item { id: ID! item: Item } "
        "type Query { a(n: Int): Int any(x: Any): Int list(n: [Int!]): Int filter(x: Filter): Int "
        "item: Item } ";
    buffer_t sdl = BUFFER_INIT(SDL_SIZE);
    err_t err = ERR_INIT;
    buffer_put_str(&sdl, roots);
    for (int i = 0; i < TYPES; i++)
        buffer_printf(&sdl, "type ConversationOfRoom%03d { id: ID } ", i);
    gql_source_t source = {.service = "test", .sdl = sdl.data, .size = sdl.size};
    *state = gql_schema_build(&source, 1, &err);
    assert_non_null(*state);
    buffer_free(&sdl);
    return 0;
}

static int s_tear_down(void **state)
{
    gql_schema_unref((gql_schema_t **)state);
    return 0;
}

/* Processor time: other processes do not count. */
static double s_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void s_repeat(buffer_t *out, char c, int count)
{
    for (int i = 0; i < count; i++)
        buffer_put_char(out, c);
}

/* The document, which is valid. Frees its text. */
static gql_document_t *s_accept(gql_schema_t *schema, buffer_t *text)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        gql_document_prepare(schema, text->data, text->size, &GQL_LIMITS_DEFAULT, true, &response);
    assert_non_null(document);
    buffer_free(&response);
    buffer_free(text);
    return document;
}

/* The response is JSON and says this. Frees it. */
static void s_expect(buffer_t *response, const char *expected)
{
    json_t *json = json_loadb(response->data, response->size, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    buffer_put_char(response, 0);
    assert_non_null(strstr(response->data, expected));
    buffer_free(response);
}

/* Refuses the document and says so; returns the size of the response. Frees the text. */
static size_t s_refuse(gql_schema_t *schema, buffer_t *text, const char *expected)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    assert_false(text->failed);
    assert_null(
        gql_document_prepare(schema, text->data, text->size, &GQL_LIMITS_DEFAULT, true, &response));
    size_t size = response.size;
    s_expect(&response, expected);
    buffer_free(text);
    return size;
}

/* ---- time ---- */

static void s_put_operations(buffer_t *text, int count)
{
    for (int i = 0; i < count; i++)
        buffer_printf(text, "query Q%d{...F} ", i);
}

/* {m0:1 m1:1 …}, or the other way around */
static void s_put_object(buffer_t *text, int count, bool backwards)
{
    buffer_put_char(text, '{');
    for (int i = 0; i < count; i++)
        buffer_printf(text, "m%d:1 ", backwards ? count - 1 - i : i);
    buffer_put_char(text, '}');
}

/* Each operation brings the same two fields together, and their arguments are compared anew. */
static void test_arguments_compared_again(void **state)
{
    enum { OPERATIONS = 3000, MEMBERS = 800, BYTES = 300000 };
    static const char expected[] = "The document takes more validation steps than the limit";
    buffer_t text = BUFFER_INIT(LIMIT);
    s_put_operations(&text, OPERATIONS);
    buffer_put_str(&text, "fragment F on Query{any(x:");
    s_put_object(&text, MEMBERS, false);
    buffer_put_str(&text, ")any(x:");
    s_put_object(&text, MEMBERS, true);
    buffer_put_str(&text, ")}");
    s_refuse(*state, &text, expected);

    s_put_operations(&text, OPERATIONS);
    buffer_put_str(&text, "fragment F on Query{any(x:\"");
    s_repeat(&text, 'x', BYTES);
    buffer_put_str(&text, "\")any(x:\"");
    s_repeat(&text, 'x', BYTES);
    buffer_put_str(&text, "\")}");
    s_refuse(*state, &text, expected);
}

/* Whether a value can be finite is known of each type only when it is known of the one before. */
static void test_long_chain_of_inputs(void **state)
{
    enum { INPUTS = 20000 };
    (void)state;
    buffer_t sdl = BUFFER_INIT(LIMIT);
    err_t err = ERR_INIT;
    buffer_put_str(&sdl, "type Query{a:Int} input I0{a:Int!}");
    for (int i = 1; i < INPUTS; i++)
        buffer_printf(&sdl, "input I%d{a:I%d!}", i, i - 1);
    gql_source_t source = {.service = "test", .sdl = sdl.data, .size = sdl.size};
    double begun = s_seconds();
    gql_schema_t *schema = gql_schema_build(&source, 1, &err);
    double took = s_seconds() - begun;
    assert_non_null(schema);
    assert_true(took < 2); /* 0.1 with a sanitizer; 5 when each type was looked at again */
    gql_schema_unref(&schema);
    buffer_free(&sdl);
}

/* But arguments in another order are the same, and once they may be long. */
static void test_arguments_compared_once(void **state)
{
    enum { MEMBERS = 1000 };
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_put_str(&text, "{any(x:");
    s_put_object(&text, MEMBERS, false);
    buffer_put_str(&text, ")any(x:");
    s_put_object(&text, MEMBERS, true);
    buffer_put_str(&text, ")}");
    gql_document_t *document = s_accept(*state, &text);
    gql_document_unref(&document);
}

/* What is like an unknown name is looked for only as long as errors are reported. */
static void test_suggestions_end(void **state)
{
    enum { VARIABLES = 10000 };
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_put_str(&text, "query(");
    for (int i = 0; i < VARIABLES; i++)
        buffer_printf(&text, "$v%d:ConversationOfRooms%d ", i, i);
    buffer_put_str(&text, "){a}");
    double before = s_seconds();
    s_refuse(*state, &text, "Unknown type \\\"ConversationOfRooms0\\\". Did you mean");
    assert_true(s_seconds() - before < 3);
}

/* A long text is not walked whole for each error that shows its beginning. */
static void test_long_text_in_errors(void **state)
{
    enum { BYTES = 900000, FIELDS = 98 };
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_put_str(&text, "{filter(x:{q:\"");
    s_repeat(&text, 'x', BYTES);
    buffer_put_str(&text, "\" ");
    for (int i = 0; i < FIELDS; i++)
        buffer_printf(&text, "z%d:1 ", i);
    buffer_put_str(&text, "})}");
    double before = s_seconds();
    size_t size = s_refuse(*state, &text, "xxx…");
    assert_true(size < 100000);
    assert_true(s_seconds() - before < 0.5);
}

/* ---- bytes of the answer ---- */

/* 98 errors that each name the operation. */
static void s_put_long_name(buffer_t *text, int bytes)
{
    buffer_put_str(text, "query ");
    s_repeat(text, 'Q', bytes);
    buffer_put_char(text, '{');
    for (int i = 0; i < 98; i++)
        buffer_printf(text, "a(n:$v%d) ", i);
    buffer_put_char(text, '}');
}

static void test_long_names_in_errors(void **state)
{
    buffer_t text = BUFFER_INIT(LIMIT);
    s_put_long_name(&text, 300000);
    size_t size =
        s_refuse(*state, &text, "Variable \\\"$v97\\\" is not defined by operation \\\"QQQ");
    assert_true(size < 500000);
}

static void test_many_places_in_errors(void **state)
{
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_put_str(&text, "{a(");
    for (int i = 0; i < 5000; i++)
        buffer_put_str(&text, "n:1 ");
    buffer_put_str(&text, ")}");
    size_t size = s_refuse(*state, &text, "There can be only one argument named \\\"n\\\".");
    assert_true(size < 10000);
}

/* Where there is little room, there are fewer errors, each whole. */
static void test_little_room_for_errors(void **state)
{
    enum { ROOM = 3000 };
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_t response = BUFFER_INIT(ROOM);
    s_put_long_name(&text, 100);
    assert_null(
        gql_document_prepare(*state, text.data, text.size, &GQL_LIMITS_DEFAULT, true, &response));
    assert_true(response.size > ROOM / 2);
    assert_false(response.failed);
    s_expect(&response, "Variable \\\"$v1\\\" is not defined");
    buffer_free(&text);
}

/* What is wrong with the one variable, which has this name. */
static buffer_t s_coerce(gql_schema_t *schema, const char *name, json_t *value)
{
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_t response = BUFFER_INIT(LIMIT);
    err_t err = ERR_INIT;
    buffer_printf(&text, "query($%s:[Int!]){list(n:$%s)}", name, name);
    gql_document_t *document = s_accept(schema, &text);
    json_t *values = json_object();
    json_object_set_new(values, name, value);
    assert_null(gql_execution_new(document, gql_document_operation(document, NULL, &err), values,
                                  NULL, &GQL_LIMITS_DEFAULT, &response));
    json_decref(values);
    gql_document_unref(&document);
    return response;
}

static void test_long_names_of_variables(void **state)
{
    enum { BYTES = 300000, ITEMS = 20000 };
    buffer_t name = BUFFER_INIT(LIMIT);
    s_repeat(&name, 'V', BYTES);
    buffer_put_char(&name, 0);
    json_t *items = json_array();
    for (int i = 0; i < ITEMS; i++)
        json_array_append_new(items, json_string("one"));
    double before = s_seconds();
    buffer_t response = s_coerce(*state, name.data, items);
    assert_true(s_seconds() - before < 3);
    assert_true(response.size < 300000);
    s_expect(&response, "Too many errors processing variables");
    buffer_free(&name);
}

/* The value is of characters of two bytes, from an even place on and from an odd one. */
static void test_errors_are_cut_between_characters(void **state)
{
    enum { BYTES = 3600, CHARACTERS = 300 };
    buffer_t name = BUFFER_INIT(LIMIT);
    buffer_t value = BUFFER_INIT(LIMIT);
    for (int i = 0; i < CHARACTERS; i++)
        buffer_put_str(&value, "é");
    for (int i = 0; i < 2; i++) {
        buffer_clear(&name);
        s_repeat(&name, 'V', BYTES + i);
        buffer_put_char(&name, 0);
        buffer_t response = s_coerce(*state, name.data, json_stringn(value.data, value.size));
        s_expect(&response, "é…\",\"locations\"");
    }
    buffer_free(&value);
    buffer_free(&name);
}

/* ---- running ---- */

static void s_keep_response(void *arg, const buffer_t *response, size_t error_count)
{
    assert_true(error_count > 0);
    buffer_put(arg, response->data, response->size);
}

static void s_ignore_call(void *arg, const gql_call_t *call)
{
    (void)arg;
    assert_int_equal(call->index, 0);
}

static void s_ignore_flush(void *arg)
{
    (void)arg;
}

/* Starts the operation; its response is appended when it is done. */
static gql_execution_t *
s_start(gql_document_t *document, const gql_limits_t *limits, buffer_t *response)
{
    static const gql_host_t host = {
        .call = s_ignore_call, .flush = s_ignore_flush, .done = s_keep_response};
    err_t err = ERR_INIT;
    gql_execution_t *execution = gql_execution_new(
        document, gql_document_operation(document, NULL, &err), NULL, NULL, limits, response);
    assert_non_null(execution);
    gql_execution_start(execution, &host, response);
    return execution;
}

/* A response name that is longer than an error may be is not in its path. */
static void test_long_alias_in_errors(void **state)
{
    enum { BYTES = 100000 };
    static const gql_failure_t failure = {
        .code = "INTERNAL", .message = "no", .extensions = {.data = ""}};
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_t response = BUFFER_INIT(LIMIT);
    buffer_put_char(&text, '{');
    s_repeat(&text, 'A', BYTES);
    buffer_put_str(&text, ":a}");
    gql_document_t *document = s_accept(*state, &text);
    gql_execution_t *execution = s_start(document, &GQL_LIMITS_DEFAULT, &response);
    gql_execution_reject(execution, 0, &failure);
    s_expect(&response, "\"no\",\"locations\":[{\"line\":1,\"column\":2}],\"extensions\"");
    gql_execution_destroy(&execution);
    gql_document_unref(&document);
}

/* ---- memory ---- */

static void test_many_operations_are_small(void **state)
{
    enum { OPERATIONS = 3000 };
    buffer_t text = BUFFER_INIT(LIMIT);
    for (int i = 0; i < OPERATIONS; i++)
        buffer_printf(&text, "query Q%d{a} ", i);
    gql_document_t *document = s_accept(*state, &text);
    assert_true(gql_document_cost(document) < 5 * 1024 * 1024);
    gql_document_unref(&document);
}

/* Behind an introspection that found no room in the response none is begun: each would take as much
 * memory and time. */
static void test_introspection_without_room(void **state)
{
    gql_limits_t limits = GQL_LIMITS_DEFAULT;
    buffer_t text = BUFFER_INIT(LIMIT);
    buffer_t response = BUFFER_INIT(LIMIT);
    limits.max_response_bytes = 2000;
    buffer_put_str(&text, "{large:__type(name:\"Query\"){fields{");
    for (int i = 0; i < 100; i++)
        buffer_printf(&text, "a%d:name ", i);
    buffer_put_str(&text, "}} small:__type(name:\"Int\"){name}}");
    gql_document_t *document = s_accept(*state, &text);
    gql_execution_t *execution = s_start(document, &limits, &response);
    s_expect(&response, "\"data\":{\"large\":null,\"small\":null}");
    gql_execution_destroy(&execution);
    gql_document_unref(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_compared_again),
        cmocka_unit_test(test_arguments_compared_once),
        cmocka_unit_test(test_long_chain_of_inputs),
        cmocka_unit_test(test_suggestions_end),
        cmocka_unit_test(test_long_text_in_errors),
        cmocka_unit_test(test_long_names_in_errors),
        cmocka_unit_test(test_many_places_in_errors),
        cmocka_unit_test(test_little_room_for_errors),
        cmocka_unit_test(test_long_names_of_variables),
        cmocka_unit_test(test_errors_are_cut_between_characters),
        cmocka_unit_test(test_long_alias_in_errors),
        cmocka_unit_test(test_many_operations_are_small),
        cmocka_unit_test(test_introspection_without_room),
    };
    return cmocka_run_group_tests_name("hostile", tests, s_set_up, s_tear_down);
}
