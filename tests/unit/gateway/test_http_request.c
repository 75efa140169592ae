/* GraphQL requests out of JSON bodies and query strings, and errors as responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/http/graphql_error.h"
#include "gateway/http/graphql_request.h"
#include "gateway/http/persisted.h"

static arena_t *s_arena;

static int s_setup(void **state)
{
    (void)state;
    s_arena = arena_new(64 * 1024);
    return 0;
}

static int s_teardown(void **state)
{
    (void)state;
    arena_destroy(&s_arena);
    return 0;
}

static void test_whole(void **state)
{
    (void)state;
    static const char text[] = "{\"query\":\"{a}\",\"operationName\":\"N\",\"variables\":{\"x\":1},"
                               "\"extensions\":{\"y\":2},\"other\":[]}";
    graphql_request_t request;
    err_t err = ERR_INIT;
    assert_int_equal(graphql_request_parse(&request, s_arena, text, sizeof text - 1, &err), ERR_OK);
    assert_string_equal(request.query, "{a}");
    assert_int_equal(request.query_size, 3);
    assert_string_equal(request.operation_name, "N");
    assert_int_equal(json_integer_value(json_object_get(request.variables, "x")), 1);
    assert_int_equal(json_integer_value(json_object_get(request.extensions, "y")), 2);
    graphql_request_clear(&request);
    assert_null(request.root);
}

static void test_nulls_are_absent(void **state)
{
    (void)state;
    static const char text[] = "{\"query\":\"{a}\",\"operationName\":null,\"variables\":null,"
                               "\"extensions\":null}";
    graphql_request_t request;
    assert_int_equal(graphql_request_parse(&request, s_arena, text, sizeof text - 1, NULL), ERR_OK);
    assert_null(request.operation_name);
    assert_null(request.variables);
    assert_null(request.extensions);
    graphql_request_clear(&request);
}

static void s_refuses(const char *text, err_code_t code, const char *word)
{
    graphql_request_t request;
    err_t err = ERR_INIT;
    assert_int_equal(graphql_request_parse(&request, s_arena, text, strlen(text), &err), code);
    if (!strstr(err.text, word))
        fail_msg("%s says \"%s\", not %s", text, err.text, word);
    assert_null(request.root);
}

/* What the short way reads must be what the tree says. */
static void test_both_ways_agree(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        " {\"query\" : \"{ a\\n\\u00e9\\ud83d\\ude00 }\" , \"x\" : [1, {\"query\": 2}] } ",
        "{\"query\":\"{a}\",\"query\":\"{b}\",\"operationName\":\"\"}",
        "{\"query\":\"{a}\",\"variables\":{\"n\":9007199254740993,\"s\":\"a\\u0000b\"}}",
        "{\"\\u0071uery\":\"{a}\",\"variables\":{\"a\":1},\"variables\":null}",
        "{\"query\":\"{a}\",\"variables\":{\"a\":1,\"a\":2},\"extensions\":{\"e\":[]}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        graphql_request_t fast, slow;
        assert_int_equal(graphql_request_parse(&fast, s_arena, bodies[i], strlen(bodies[i]), NULL),
                         ERR_OK);
        json_t *root = json_loadb(bodies[i], strlen(bodies[i]), JSON_ALLOW_NUL, NULL);
        assert_int_equal(graphql_request_read(&slow, root, NULL), ERR_OK);
        assert_string_equal(fast.query, slow.query);
        assert_int_equal(fast.query_size, slow.query_size);
        assert_true(!fast.operation_name == !slow.operation_name);
        assert_true(!fast.variables == !slow.variables);
        if (fast.variables)
            assert_true(json_equal(fast.variables, slow.variables));
        assert_true(!fast.extensions == !slow.extensions);
        graphql_request_clear(&fast);
        graphql_request_clear(&slow);
    }
    /* A query too large for the arena is read all the same. */
    static char large[200000];
    int head = sprintf(large, "{\"query\":\"");
    memset(large + head, ' ', 100000);
    strcpy(large + head + 100000, "{a}\"}");
    graphql_request_t request;
    assert_int_equal(graphql_request_parse(&request, s_arena, large, strlen(large), NULL), ERR_OK);
    assert_int_equal(request.query_size, 100003);
    graphql_request_clear(&request);
}

static void test_refused(void **state)
{
    (void)state;
    s_refuses("", ERR_BAD_USER_INPUT, "empty");
    s_refuses("{", ERR_BAD_USER_INPUT, "JSON");
    s_refuses("{\"query\":\"\xff\"}", ERR_BAD_USER_INPUT, "JSON");
    s_refuses("[]", ERR_BAD_USER_INPUT, "batching");
    s_refuses("1", ERR_BAD_USER_INPUT, "a number");
    s_refuses("{}", ERR_BAD_USER_INPUT, "\"query\" is missing");
    s_refuses("{\"query\":null}", ERR_BAD_USER_INPUT, "\"query\" is missing");
    s_refuses("{\"query\":{}}", ERR_BAD_USER_INPUT, "\"query\" must be a string, not a map");
    s_refuses("{\"query\":\"a\\u0000b\"}", ERR_BAD_USER_INPUT, "U+0000");
    s_refuses("{\"query\":\"a\",\"operationName\":1}", ERR_BAD_USER_INPUT, "operationName");
    s_refuses("{\"query\":\"a\",\"variables\":[]}", ERR_BAD_USER_INPUT, "variables");
    s_refuses("{\"query\":\"a\",\"variables\":\"{}\"}", ERR_BAD_USER_INPUT, "variables");
    s_refuses("{\"query\":\"a\",\"extensions\":true}", ERR_BAD_USER_INPUT, "extensions");
    s_refuses("{\"extensions\":{\"persistedQuery\":1}}", ERR_BAD_USER_INPUT,
              "\"query\" is missing");
}

static void test_deep_input_does_not_recurse_far(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    static char text[DEPTH];
    memset(text, '[', sizeof text);
    graphql_request_t request;
    assert_int_equal(graphql_request_parse(&request, s_arena, text, sizeof text, NULL),
                     ERR_BAD_USER_INPUT);
}

static err_code_t s_from_target(graphql_request_t *request, arena_t *arena, const char *raw)
{
    http_target_t target;
    assert_int_equal(http_target_parse(arena, raw, &target, NULL), ERR_OK);
    return graphql_request_from_target(request, arena, &target, NULL);
}

static void test_query_string(void **state)
{
    (void)state;
    arena_t *arena = arena_new(0);
    graphql_request_t request;
    assert_int_equal(s_from_target(&request, arena,
                                   "/graphql?query=query+Q%7Ba%7D&operationName=Q&variables=%7B%22x"
                                   "%22:1%7D&extensions="),
                     ERR_OK);
    assert_string_equal(request.query, "query Q{a}");
    assert_string_equal(request.operation_name, "Q");
    assert_int_equal(json_integer_value(json_object_get(request.variables, "x")), 1);
    assert_null(request.extensions);
    graphql_request_clear(&request);
    assert_int_equal(s_from_target(&request, arena, "/graphql"), ERR_BAD_USER_INPUT);
    assert_int_equal(s_from_target(&request, arena, "/graphql?query=%7Ba%7D&variables=x"),
                     ERR_BAD_USER_INPUT);
    assert_int_equal(s_from_target(&request, arena, "/graphql?query=%7Ba%7D&variables=%5B%5D"),
                     ERR_BAD_USER_INPUT);
    arena_destroy(&arena);
}

static err_code_t
s_resolve(persisted_t *persisted, const char *query, const char *hash, const char **text)
{
    char body[400];
    graphql_request_t request;
    size_t size;
    snprintf(body, sizeof body,
             "{%s%s%s\"extensions\":{\"persistedQuery\":{\"version\":1,"
             "\"sha256Hash\":\"%s\"}}}",
             query ? "\"query\":\"" : "", query ? query : "", query ? "\"," : "", hash);
    assert_int_equal(graphql_request_parse(&request, s_arena, body, strlen(body), NULL), ERR_OK);
    err_code_t code = persisted_resolve(persisted, &request, text, &size, NULL);
    if (!code)
        assert_int_equal(strlen(*text), size);
    graphql_request_clear(&request);
    return code;
}

static void s_hash(const char *text, char out[65])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
    sodium_bin2hex(out, 65, hash, sizeof hash);
}

static void test_persisted_queries(void **state)
{
    (void)state;
    char hash[65], other[65];
    const char *text;
    s_hash("{a}", hash);
    s_hash("{b}", other);
    persisted_t *persisted = persisted_new(&(persisted_options_t){.max_bytes = 100});
    assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_PERSISTED_QUERY_NOT_FOUND);
    assert_int_equal(s_resolve(persisted, "{a}", other, &text), ERR_BAD_USER_INPUT);
    assert_int_equal(s_resolve(persisted, "{a}", "12", &text), ERR_BAD_USER_INPUT);
    assert_int_equal(s_resolve(persisted, "{a}", hash, &text), ERR_OK);
    assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_OK);
    assert_string_equal(text, "{a}");
    /* The least recently used one goes first. */
    for (int i = 0; i < 40; i++) {
        char query[16], name[65];
        snprintf(query, sizeof query, "{q%d}", i);
        s_hash(query, name);
        assert_int_equal(s_resolve(persisted, query, name, &text), ERR_OK);
        assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_OK);
    }
    s_hash("{q0}", other);
    assert_int_equal(s_resolve(persisted, NULL, other, &text), ERR_PERSISTED_QUERY_NOT_FOUND);
    s_hash("{q39}", other);
    assert_int_equal(s_resolve(persisted, NULL, other, &text), ERR_OK);
    persisted_destroy(&persisted);
    persisted = persisted_new(&(persisted_options_t){.max_bytes = 0});
    assert_int_equal(s_resolve(persisted, "{a}", hash, &text), ERR_OK);
    assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_PERSISTED_QUERY_NOT_SUPPORTED);
    persisted_destroy(&persisted);
}

static void test_trusted_documents(void **state)
{
    (void)state;
    char dir[] = "/tmp/parley-trusted-XXXXXX", path[100], hash[65];
    const char *text;
    err_t err = ERR_INIT;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.graphql", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{a}", file);
    fclose(file);
    persisted_t *persisted =
        persisted_new(&(persisted_options_t){.max_bytes = 100, .only_trusted = true});
    assert_int_equal(persisted_load(persisted, dir, &err), ERR_OK);
    assert_int_equal(persisted_load(persisted, "/does/not/exist", &err), ERR_CONFIG);
    s_hash("{a}", hash);
    assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_OK);
    assert_string_equal(text, "{a}");
    assert_int_equal(s_resolve(persisted, "{a}", hash, &text), ERR_OK);
    s_hash("{b}", hash);
    assert_int_equal(s_resolve(persisted, "{b}", hash, &text), ERR_FORBIDDEN);
    assert_int_equal(s_resolve(persisted, NULL, hash, &text), ERR_FORBIDDEN);
    graphql_request_t plain = {.query = "{b}", .query_size = 3};
    size_t size;
    assert_int_equal(persisted_resolve(persisted, &plain, &text, &size, NULL), ERR_FORBIDDEN);
    plain.query = "{a}";
    assert_int_equal(persisted_resolve(persisted, &plain, &text, &size, NULL), ERR_OK);
    persisted_destroy(&persisted);
    remove(path);
    rmdir(dir);
}

static void test_errors(void **state)
{
    (void)state;
    buffer_t out = BUFFER_INIT(1000);
    json_slice_t extensions = {.data = "{\"code\":\"X\",\"argument\":\"a\"}", .size = 27};
    graphql_error_write(&out, "CONFLICT", "a \"quote\"", extensions);
    static const char expected[] = "{\"errors\":[{\"message\":\"a \\\"quote\\\"\",\"extensions\":"
                                   "{\"code\":\"CONFLICT\",\"argument\":\"a\"}}]}";
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    json_slice_t response = {.data = out.data, .size = out.size};
    assert_int_equal(graphql_error_code(response), ERR_CONFLICT);
    assert_int_equal(graphql_error_list(response).data[0], '[');
    response = (json_slice_t){.data = "{\"data\":{}}", .size = 11};
    assert_int_equal(graphql_error_code(response), ERR_OK);
    assert_int_equal(graphql_error_list(response).size, 2);
    response = (json_slice_t){.data = "{\"errors\":[{\"message\":\"x\"}]}", .size = 28};
    assert_int_equal(graphql_error_code(response), ERR_INTERNAL);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_nulls_are_absent),
        cmocka_unit_test(test_both_ways_agree),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep_input_does_not_recurse_far),
        cmocka_unit_test(test_query_string),
        cmocka_unit_test(test_persisted_queries),
        cmocka_unit_test(test_trusted_documents),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
