/* The engine's own share of a cached operation, without HTTP and bus: getMessages(last: 50) with
 * six fields. Not run by ctest. bench_graphql [REPEATS]            microseconds per operation
 *   valgrind --tool=callgrind --toggle-collect=s_operation bench_graphql 200
 * Divide the collected instructions by the repeats. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/graphql/document_cache.h"

enum { MESSAGES = 50, LIMIT = 1 << 20 };

static const char s_sdl[] =
    "type Query { getMessages(filter: String, room: String, first: Int, after: String, last: Int,"
    " before: String): [Message!]! }\n"
    "type Message { messageId: String! body: String! createdAt: String! handle: String!"
    " room: String! cursor: String! }";

static const char s_typename[] = "{__typename}";

static const char s_page[] =
    "query Page($room: String, $last: Int) { getMessages(room: $room, last: $last)"
    " { messageId body createdAt handle room cursor } }";

typedef struct {
    gql_execution_t *execution;
    uint32_t index;
    size_t bytes;
} host_t;

static void s_call(void *arg, const gql_call_t *call)
{
    host_t *self = arg;
    self->index = call->index;
}

static void s_flush(void *arg)
{
    (void)arg;
}

static void s_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *self = arg;
    if (error_count)
        abort();
    self->bytes = response->size;
    gql_execution_destroy(&self->execution);
}

static const gql_host_t s_host = {.call = s_call, .flush = s_flush, .done = s_done};

static void s_answer(buffer_t *out)
{
    buffer_put_char(out, '[');
    for (int i = 0; i < MESSAGES; i++)
        buffer_printf(
            out,
            "%s{\"messageId\":\"018f3a5e-7c4b-7d2e-9a1f-%012d\",\"body\":\"A message of "
            "usual length, number %d, with a \\\"quote\\\".\",\"createdAt\":\"2026-01-31T12:"
            "34:56.%03dZ\",\"handle\":\"alice\",\"room\":\"lobby\",\"cursor\":"
            "\"AQDA_-4AwP_uq83vEjRWeJAAAAAAAAA%03d\"}",
            i ? "," : "", i, i, i, i);
    buffer_put_char(out, ']');
}

/* Kept out of line, so that callgrind can be told to count it alone. */
__attribute__((noinline)) static size_t s_operation(document_cache_t *cache,
                                                    gql_schema_t *schema,
                                                    const char *text,
                                                    const json_t *variables,
                                                    const buffer_t *answer)
{
    host_t host = {.bytes = 0};
    buffer_t errors = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        document_cache_get(cache, schema, text, strlen(text), &GQL_LIMITS_DEFAULT, true, &errors);
    const gql_operation_t *operation = gql_document_operation(document, NULL, NULL);
    host.execution =
        gql_execution_new(document, operation, variables, NULL, &GQL_LIMITS_DEFAULT, &errors);
    gql_execution_start(host.execution, &s_host, &host);
    if (host.execution)
        gql_execution_resolve(host.execution, host.index, answer->data, answer->size);
    gql_document_unref(&document);
    buffer_free(&errors);
    return host.bytes;
}

int main(int argc, char **argv)
{
    long repeats = argc > 1 ? atol(argv[1]) : 100000;
    const char *text = argc > 2 ? s_typename : s_page;
    err_t err = ERR_INIT;
    gql_source_t source = {.service = "store", .sdl = s_sdl, .size = sizeof s_sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, &err);
    document_cache_t *cache = document_cache_new(100, LIMIT);
    json_t *variables = json_pack("{s:s,s:i}", "room", "lobby", "last", MESSAGES);
    buffer_t answer = BUFFER_INIT(LIMIT);
    s_answer(&answer);
    size_t bytes = 0;
    for (int i = 0; i < 10; i++)
        bytes = s_operation(cache, schema, text, variables, &answer);
    struct timespec start;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < repeats; i++)
        s_operation(cache, schema, text, variables, &answer);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double us =
        (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
    printf("%.2f us per operation, answer %zu bytes, response %zu bytes\n", us / (double)repeats,
           answer.size, bytes);
    json_decref(variables);
    buffer_free(&answer);
    document_cache_destroy(&cache);
    gql_schema_unref(&schema);
    return 0;
}
