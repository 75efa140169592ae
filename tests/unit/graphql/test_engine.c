/* The facade and the document cache: what golden files cannot show. */
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

#include "gateway/graphql/document_cache.h"
#include "gateway/graphql/execution/document.h"
#include "gateway/graphql/graphql.h"

enum { LIMIT = 64 * 1024 * 1024, MAX_ALLOCATIONS = 20000 };

static const char s_sdl[] =
    "type Query { a: Int b(n: Int): String @public c(first: Int): [Item] d: Item @public }"
    " type Item { id: ID! item: Item other(n: Int): Item }"
    " type Mutation { post: Item put: Item }"
    " type Subscription { posted(room: String, after: String): Item @aws_subscribe(mutations: "
    "[\"post\"]) all: Item }";

static gql_schema_t *s_schema(void)
{
    err_t err = ERR_INIT;
    gql_source_t source = {.service = "test", .sdl = s_sdl, .size = sizeof s_sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, &err);
    assert_string_equal(err.text, "");
    assert_non_null(schema);
    return schema;
}

static gql_document_t *s_prepare(gql_schema_t *schema, const char *text)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        gql_document_prepare(schema, text, strlen(text), &GQL_LIMITS_DEFAULT, true, &response);
    if (!document)
        fail_msg("%.*s", (int)response.size, response.data);
    buffer_free(&response);
    return document;
}

static gql_execution_t *
s_execution(gql_document_t *document, const char *operation, const char *variables)
{
    err_t err = ERR_INIT;
    json_error_t error;
    buffer_t response = BUFFER_INIT(LIMIT);
    json_t *values = variables ? json_loads(variables, 0, &error) : NULL;
    gql_execution_t *execution =
        gql_execution_new(document, gql_document_operation(document, operation, &err), values, NULL,
                          &GQL_LIMITS_DEFAULT, &response);
    json_decref(values);
    if (!execution)
        fail_msg("%.*s", (int)response.size, response.data);
    buffer_free(&response);
    return execution;
}

/* ---- operations ---- */
static void s_expect_operation(gql_document_t *document,
                               const char *name,
                               gql_operation_kind_t kind,
                               bool needs_identity,
                               const char *root_fields)
{
    err_t err = ERR_INIT;
    const gql_operation_t *operation = gql_document_operation(document, name, &err);
    assert_non_null(operation);
    assert_string_equal(gql_operation_name(operation), name);
    assert_int_equal(gql_operation_kind(operation), kind);
    assert_int_equal(gql_operation_needs_identity(operation), needs_identity);
    assert_string_equal(gql_operation_root_fields(operation), root_fields);
}

static void test_operations(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    gql_document_t *document =
        s_prepare(schema, "query Free { x: b ... { d { id } } __typename __schema { description } }"
                          " query Closed { b ...F } fragment F on Query { a }"
                          " query Long { x: a y: b z: a d { id } w: a }"
                          " mutation Write { post { id } put { id } }"
                          " subscription Live { posted { id } }");
    s_expect_operation(document, "Free", GQL_QUERY, false, "b,d,__typename,…");
    s_expect_operation(document, "Closed", GQL_QUERY, true, "b,a");
    s_expect_operation(document, "Long", GQL_QUERY, true, "a,b,a,…");
    s_expect_operation(document, "Write", GQL_MUTATION, true, "post,put");
    s_expect_operation(document, "Live", GQL_SUBSCRIPTION, true, "posted");
    gql_document_unref(&document);
    gql_schema_unref(&schema);
}

static void test_unnamed_operation(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    gql_schema_t *schema = s_schema();
    gql_document_t *document = s_prepare(schema, "{ a }");
    assert_non_null(gql_document_operation(document, NULL, &err));
    assert_non_null(gql_document_operation(document, "", &err));
    assert_null(gql_operation_name(gql_document_operation(document, NULL, &err)));
    assert_null(gql_document_operation(document, "A", &err));
    assert_int_equal(err.code, ERR_BAD_USER_INPUT);
    gql_document_unref(&document);
    gql_schema_unref(&schema);
}

/* ---- subscriptions ---- */
static void test_takes(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    gql_document_t *named = s_prepare(schema, "subscription { posted { id } }");
    gql_document_t *any = s_prepare(schema, "subscription { all { id } }");
    gql_execution_t *execution = s_execution(named, NULL, NULL);
    assert_true(gql_execution_takes(execution, "post", 4));
    assert_false(gql_execution_takes(execution, "put", 3));
    assert_false(gql_execution_takes(execution, "posted", 6));
    gql_execution_destroy(&execution);
    execution = s_execution(any, NULL, NULL);
    assert_true(gql_execution_takes(execution, "whatever", 8));
    gql_execution_destroy(&execution);
    gql_document_unref(&named);
    gql_document_unref(&any);
    gql_schema_unref(&schema);
}

static bool s_same_group(gql_document_t *a,
                         const char *a_operation,
                         const char *a_variables,
                         gql_document_t *b,
                         const char *b_operation,
                         const char *b_variables)
{
    gql_execution_t *first = s_execution(a, a_operation, a_variables);
    gql_execution_t *second = s_execution(b, b_operation, b_variables);
    bool same = strcmp(gql_execution_group_key(first), gql_execution_group_key(second)) == 0;
    gql_execution_destroy(&first);
    gql_execution_destroy(&second);
    return same;
}

/* Equal keys exactly if events look the same: a cursor to resume from makes no difference. */
static void test_group_key(void **state)
{
    (void)state;
    static const char text[] =
        "subscription A($after: String, $x: Boolean = false) { posted(after: $after)"
        " { id @skip(if: $x) item { id } } }"
        " subscription B($n: Int) { posted { id other(n: $n) { id } } }";
    gql_schema_t *schema = s_schema();
    gql_document_t *one = s_prepare(schema, text);
    gql_document_t *two = s_prepare(schema, text);
    gql_document_t *more = s_prepare(schema, "subscription A { posted { id item { id } } }");
    assert_true(s_same_group(one, "A", "{}", two, "A", "{\"after\":\"c\"}"));
    assert_true(s_same_group(one, "A", "{}", two, "A", "{\"x\":false}"));
    assert_false(s_same_group(one, "A", "{}", two, "A", "{\"x\":true}"));
    assert_false(s_same_group(one, "A", "{}", two, "B", "{}"));
    assert_false(s_same_group(one, "A", "{}", more, "A", "{}"));
    assert_true(s_same_group(one, "B", "{\"n\":1}", two, "B", "{\"n\":1.0}"));
    assert_false(s_same_group(one, "B", "{\"n\":1}", two, "B", "{\"n\":2}"));
    assert_false(s_same_group(one, "B", "{\"n\":null}", two, "B", "{}"));
    gql_document_unref(&one);
    gql_document_unref(&two);
    gql_document_unref(&more);
    gql_schema_unref(&schema);
}

/* A long-lived execution must not grow with its events. */
static void test_many_events(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    gql_document_t *document = s_prepare(schema, "subscription { posted { id item { id } } }");
    gql_execution_t *execution = s_execution(document, NULL, NULL);
    buffer_t out = BUFFER_INIT(LIMIT);
    static const char good[] = "{\"id\":\"x\",\"item\":null}";
    static const char bad[] = "{\"id\":\"x\",\"item\":{\"id\":null}}";
    gql_execution_render(execution, good, sizeof good - 1, "c", &out);
    gql_execution_render(execution, bad, sizeof bad - 1, "c", &out);
    size_t cost = gql_document_cost(document);
    size_t expected = out.size;
    for (int i = 0; i < 100000; i++) {
        buffer_clear(&out);
        gql_execution_render(execution, good, sizeof good - 1, "c", &out);
        gql_execution_render(execution, bad, sizeof bad - 1, "c", &out);
        if (out.size != expected)
            fail_msg("%.*s", (int)out.size, out.data);
    }
    assert_int_equal(gql_document_cost(document), cost);
    buffer_free(&out);
    gql_execution_destroy(&execution);
    gql_document_unref(&document);
    gql_schema_unref(&schema);
}

/* ---- plans ---- */

/* 2^6 assignments of the directives' variables: each right, and the document does not grow without
 * end. */
static void test_plan_variants(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    gql_document_t *document = s_prepare(
        schema,
        "subscription S($a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!, $e: Boolean!,"
        " $f: Boolean!) { posted { a: id @include(if: $a) b: id @skip(if: $b) c: id @include(if: "
        "$c)"
        " d: id @skip(if: $d) e: id @include(if: $e) f: id @skip(if: $f) z: id } }");
    size_t cost = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned bits = 0; bits < 64; bits++) {
            char variables[200];
            char expected[400] = "{\"data\":{\"posted\":{";
            buffer_t out = BUFFER_INIT(LIMIT);
            *variables = 0;
            for (unsigned i = 0; i < 6; i++) {
                bool value = bits >> i & 1;
                snprintf(variables + strlen(variables), 30, "%s\"%c\":%s", i ? "," : "{",
                         (int)('a' + i), value ? "true" : "false");
                if (value == (i % 2 == 0))
                    snprintf(expected + strlen(expected), 30, "\"%c\":\"i\",", (int)('a' + i));
            }
            strcat(variables, "}");
            strcat(expected, "\"z\":\"i\"}},\"extensions\":{\"cursor\":\"c\"}}");
            gql_execution_t *execution = s_execution(document, NULL, variables);
            gql_execution_render(execution, "{\"id\":\"i\"}", 10, "c", &out);
            if (out.size != strlen(expected) || memcmp(out.data, expected, out.size) != 0)
                fail_msg("%s: %.*s", variables, (int)out.size, out.data);
            buffer_free(&out);
            gql_execution_destroy(&execution);
        }
        if (round == 0)
            cost = gql_document_cost(document);
        assert_int_equal(gql_document_cost(document), cost);
    }
    gql_document_unref(&document);
    gql_schema_unref(&schema);
}

static double s_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

enum { MAX_LEVELS = 40, LEVEL_SIZE = 128 };

/* Fragments that double with each level: 2^levels fields. */
static gql_document_t *s_doubling(gql_schema_t *schema, int levels, const char *leaf)
{
    char text[MAX_LEVELS * LEVEL_SIZE] = "{ d { ...F0 } }";
    gql_limits_t limits = GQL_LIMITS_DEFAULT;
    limits.max_aliases = 0;
    for (int i = 0; i < levels - 1; i++)
        snprintf(text + strlen(text), LEVEL_SIZE,
                 " fragment F%d on Item { item { ...F%d } other { ...F%d } }", i, i + 1, i + 1);
    snprintf(text + strlen(text), LEVEL_SIZE, " fragment F%d on Item { %s }", levels - 1, leaf);
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        gql_document_prepare(schema, text, strlen(text), &limits, true, &response);
    if (!document)
        fail_msg("%.*s", (int)response.size, response.data);
    buffer_free(&response);
    return document;
}

static void test_too_many_fields(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    buffer_t response = BUFFER_INIT(LIMIT);
    double start = s_seconds();
    gql_document_t *document = s_doubling(schema, MAX_LEVELS, "id");
    gql_execution_t *execution =
        gql_execution_new(document, gql_document_operation(document, NULL, NULL), NULL, NULL,
                          &GQL_LIMITS_DEFAULT, &response);
    assert_null(execution);
    buffer_put_char(&response, 0);
    assert_non_null(strstr(response.data, "LIMIT_EXCEEDED"));
    assert_true(s_seconds() - start < 1.0);
    buffer_free(&response);
    gql_document_unref(&document);
    gql_schema_unref(&schema);
}

static void s_keep_call(void *arg, const gql_call_t *call)
{
    const gql_call_t **kept = arg;
    *kept = call;
}

static void s_ignore_flush(void *arg)
{
    (void)arg;
}

static void s_ignore_done(void *arg, const buffer_t *response, size_t error_count)
{
    (void)arg;
    (void)error_count;
    assert_true(response->size > 0);
}

/* As many as the limit allows: plan and hint stay small, because equal parts are shared and a hint
 * has its own limit. */
static void test_many_fields(void **state)
{
    (void)state;
    static const gql_host_t host = {
        .call = s_keep_call, .flush = s_ignore_flush, .done = s_ignore_done};
    static const char *const leaves[] = {"id", "__typename"};
    static const char answer[] = "{\"item\":{\"item\":{\"item\":null}}}";
    gql_schema_t *schema = s_schema();
    for (int i = 0; i < 2; i++) {
        double start = s_seconds();
        const gql_call_t *call = NULL;
        gql_document_t *document = s_doubling(schema, 21, leaves[i]);
        gql_execution_t *execution = s_execution(document, NULL, NULL);
        gql_execution_start(execution, &host, &call);
        assert_non_null(call);
        assert_true(call->selection.size > 2);
        assert_true(call->selection.size < 300 * 1024);
        gql_execution_resolve(execution, call->index, answer, sizeof answer - 1);
        assert_true(gql_document_cost(document) < 8 * 1024 * 1024);
        assert_true(s_seconds() - start < 1.0);
        gql_execution_destroy(&execution);
        gql_document_unref(&document);
    }
    gql_schema_unref(&schema);
}

/* ---- memory ---- */

/* Each allocation of preparing a document fails in turn: a clean error until there are enough. */
static void test_document_out_of_memory(void **state)
{
    (void)state;
    static const char text[] =
        "query Q($x: Int = 1, $s: Boolean!) { c(first: 3) { ...F @skip(if: $s) } b(n: $x) }"
        " fragment F on Item { id item { i: id __typename ... on Item { other(n: 2) { id } } } }"
        " query R($x: Int) { b(n: $x) }";
    gql_schema_t *schema = s_schema();
    for (size_t n = 1;; n++) {
        arena_t *arena = arena_new(LIMIT);
        buffer_t response = BUFFER_INIT(LIMIT);
        arena_fail_after(arena, n);
        gql_document_t *document = document_prepare(&arena, schema, text, sizeof text - 1,
                                                    &GQL_LIMITS_DEFAULT, true, &response);
        buffer_put_char(&response, 0);
        bool done = document != NULL || !strstr(response.data, "LIMIT_EXCEEDED");
        if (done && !document)
            fail_msg("%zu: %s", n, response.data);
        gql_document_unref(&document);
        buffer_free(&response);
        if (done)
            break;
        assert_true(n < MAX_ALLOCATIONS);
    }
    gql_schema_unref(&schema);
}

/* ---- the cache ---- */
static gql_document_t *s_get(document_cache_t *cache, gql_schema_t *schema, const char *text)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        document_cache_get(cache, schema, text, strlen(text), &GQL_LIMITS_DEFAULT, true, &response);
    assert_int_equal(document == NULL, response.size > 0);
    buffer_free(&response);
    return document;
}

static bool s_hits(document_cache_t *cache, gql_schema_t *schema, const char *text)
{
    uint64_t before = document_cache_counts(cache).hits;
    gql_document_t *document = s_get(cache, schema, text);
    gql_document_unref(&document);
    return document_cache_counts(cache).hits > before;
}

static void test_cache_hits(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    document_cache_t *cache = document_cache_new(2, LIMIT);
    assert_false(s_hits(cache, schema, "{ a }"));
    assert_true(s_hits(cache, schema, "{ a }"));
    assert_false(s_hits(cache, schema, "{ a  }"));
    assert_true(s_hits(cache, schema, "{ a }"));
    assert_false(s_hits(cache, schema, "{ b }")); /* throws out "{ a  }" */
    assert_true(s_hits(cache, schema, "{ a }"));
    assert_false(s_hits(cache, schema, "{ a  }"));
    assert_int_equal(document_cache_counts(cache).documents, 2);
    assert_int_equal(document_cache_counts(cache).evictions, 2);
    assert_int_equal(document_cache_counts(cache).misses, 4);
    document_cache_destroy(&cache);
    gql_schema_unref(&schema);
}

static void test_cache_keeps_no_invalid_documents(void **state)
{
    (void)state;
    gql_schema_t *schema = s_schema();
    document_cache_t *cache = document_cache_new(0, LIMIT);
    assert_null(s_get(cache, schema, "{ nope }"));
    assert_null(s_get(cache, schema, "{"));
    assert_int_equal(document_cache_counts(cache).documents, 0);
    assert_int_equal(document_cache_counts(cache).misses, 2);
    document_cache_destroy(&cache);
    gql_schema_unref(&schema);
}

/* Documents of the old schema go; one in use stays whole. */
static void test_cache_changes_schema(void **state)
{
    (void)state;
    gql_schema_t *old = s_schema();
    gql_schema_t *new = s_schema();
    document_cache_t *cache = document_cache_new(0, LIMIT);
    gql_document_t *held = s_get(cache, old, "{ a }");
    assert_false(s_hits(cache, new, "{ a }"));
    assert_true(s_hits(cache, new, "{ a }"));
    assert_int_equal(document_cache_counts(cache).documents, 1);
    gql_schema_unref(&old);
    gql_execution_t *execution = s_execution(held, NULL, NULL);
    gql_execution_destroy(&execution);
    gql_document_unref(&held);
    gql_schema_unref(&new);
    document_cache_destroy(&cache);
}

static void test_cache_is_bounded(void **state)
{
    (void)state;
    enum { BYTES = 256 * 1024, LARGE = 60000 };
    gql_schema_t *schema = s_schema();
    document_cache_t *cache = document_cache_new(0, BYTES);
    for (int i = 0; i < 1000; i++) {
        char text[64];
        snprintf(text, sizeof text, "query Q%d { a b c { id } }", i);
        assert_false(s_hits(cache, schema, text));
        assert_true(document_cache_counts(cache).bytes <= BYTES);
    }
    assert_true(document_cache_counts(cache).documents > 1);
    size_t documents = document_cache_counts(cache).documents;
    char *large = malloc(LARGE + 1);
    memset(large, ' ', LARGE);
    memcpy(large, "{ a }", 5);
    large[LARGE] = 0;
    assert_false(s_hits(cache, schema, large));
    assert_false(s_hits(cache, schema, large)); /* too large to be kept */
    assert_int_equal(document_cache_counts(cache).documents, documents);
    free(large);
    document_cache_destroy(&cache);
    gql_schema_unref(&schema);
}

/* A circle of fragments whose names, one behind the other, do not fit into memory again and again:
 * it is refused as what it is, and nothing follows it. */
static void test_long_circles(void **state)
{
    (void)state;
    enum { COUNT = 1500, NAME = 130 };
    gql_schema_t *schema = s_schema();
    buffer_t text = BUFFER_INIT(LIMIT), response = BUFFER_INIT(LIMIT);
    buffer_printf(&text, "{d{...F0_%0*d}}", NAME, 0);
    for (int i = 0; i < COUNT; i++) {
        buffer_printf(&text, "fragment F%d_%0*d on Item{id ", i, NAME, 0);
        buffer_printf(&text, i + 1 < COUNT ? "...F%d_%0*d}" : "item{...F%d_%0*d}}", (i + 1) % COUNT,
                      NAME, 0);
    }
    gql_document_t *document =
        gql_document_prepare(schema, text.data, text.size, &GQL_LIMITS_DEFAULT, true, &response);
    assert_null(document);
    buffer_put_char(&response, 0);
    assert_non_null(strstr(response.data, " within itself via "));
    assert_true(response.size < 20000);
    buffer_free(&response);
    buffer_free(&text);
    gql_schema_unref(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_circles),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_unnamed_operation),
        cmocka_unit_test(test_takes),
        cmocka_unit_test(test_group_key),
        cmocka_unit_test(test_many_events),
        cmocka_unit_test(test_plan_variants),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_document_out_of_memory),
        cmocka_unit_test(test_cache_hits),
        cmocka_unit_test(test_cache_keeps_no_invalid_documents),
        cmocka_unit_test(test_cache_changes_schema),
        cmocka_unit_test(test_cache_is_bounded),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
