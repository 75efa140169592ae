/* Variables of a request: whatever JSON they are, the arguments of the calls and the response are
 * valid JSON. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/graphql.h"

enum { LIMIT = 64 * 1024 * 1024, DEPTH = 3000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char s_sdl[] =
    "enum Color { RED GREEN } scalar Any"
    " input Point { x: Int!, y: Float = 1.5, color: Color = RED, tags: [String!], in: Point, any: "
    "Any }"
    " input Key @oneOf { id: ID, name: String, at: Point }"
    " input Amazon { date: AWSDate, time: AWSTime, at: AWSDateTime, stamp: AWSTimestamp,"
    " email: AWSEmail, json: AWSJSON, url: AWSURL, phone: AWSPhone, ip: AWSIPAddress }"
    " type Query { f(i: Int, f: Float, s: String, b: Boolean, id: ID, c: Color, any: Any, p: Point,"
    " k: Key, a: Amazon, l: [[Int!]], n: Point!): Int g(first: Int, any: Any): [Int] }";

static const char s_document[] =
    "query ($i: Int, $f: Float, $s: String, $b: Boolean, $id: ID, $c: Color, $any: Any, $p: Point,"
    " $k: Key, $a: Amazon, $l: [[Int!]], $n: Point! = {x: 1}, $x: Int! = 2, $skip: Boolean! = "
    "false)"
    " { f(i: $i, f: $f, s: $s, b: $b, id: $id, c: $c, any: {a: $any, b: [$i, $s]}, p: {x: $x, in: "
    "$p},"
    " k: $k, a: $a, l: $l, n: $n) g(first: $i, any: [$any, $k]) @skip(if: $skip) }";

typedef struct {
    gql_execution_t *execution;
    uint32_t calls[4];
    uint32_t call_count;
} host_t;

static void s_check(const char *data, size_t size)
{
    if (!json_validate(data, size, DEPTH, NULL))
        abort();
}

static void s_call(void *arg, const gql_call_t *call)
{
    host_t *self = arg;
    s_check(call->args.data, call->args.size);
    s_check(call->selection.data, call->selection.size);
    self->calls[self->call_count++] = call->index;
}

static void s_flush(void *arg)
{
    (void)arg;
}

static void s_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *self = arg;
    (void)error_count;
    s_check(response->data, response->size);
    gql_execution_destroy(&self->execution);
}

static const gql_host_t s_host = {.call = s_call, .flush = s_flush, .done = s_done};

static gql_document_t *s_prepare(void)
{
    err_t err = ERR_INIT;
    gql_source_t source = {.service = "test", .sdl = s_sdl, .size = sizeof s_sdl - 1};
    gql_schema_t *schema = gql_schema_build(&source, 1, &err);
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document = gql_document_prepare(schema, s_document, sizeof s_document - 1,
                                                    &GQL_LIMITS_DEFAULT, true, &response);
    if (!document)
        abort();
    gql_schema_unref(&schema);
    return document;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gql_document_t *document;
    if (!document)
        document = s_prepare();
    json_error_t error;
    json_t *variables = json_loadb((const char *)data, size, 0, &error);
    if (!json_is_object(variables)) {
        json_decref(variables);
        return 0;
    }
    buffer_t response = BUFFER_INIT(LIMIT);
    host_t host = {.call_count = 0};
    host.execution = gql_execution_new(document, gql_document_operation(document, NULL, NULL),
                                       variables, NULL, &GQL_LIMITS_DEFAULT, &response);
    if (host.execution) {
        gql_execution_start(host.execution, &s_host, &host);
        for (uint32_t i = 0; i < host.call_count; i++)
            gql_execution_resolve(host.execution, host.calls[i], "[1]", 3);
    } else {
        s_check(response.data, response.size);
    }
    buffer_free(&response);
    json_decref(variables);
    return 0;
}
