/* Answers of services: whatever bytes they are, the response is valid JSON; and what the engine
 * takes for JSON is what common/json.h does. The first byte says which field is answered. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/execution/reader.h"
#include "gateway/graphql/graphql.h"

enum { LIMIT = 64 * 1024 * 1024, DEPTH = 3000, DOCUMENTS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char s_sdl[] =
    "enum Color { RED GREEN } scalar Any interface Node { id: ID! }"
    " type Dog implements Node { id: ID! name: String! age: Int f: Float b: Boolean c: Color! any: "
    "Any"
    " friends: [Pet!]! m: [[Int!]]! node: Node at: AWSDateTime json: AWSJSON"
    " owner: Dog @resolve(needs: [\"id\", \"name\"]) keeper: Dog! @resolve(needs: [\"any\"]) }"
    " type Cat implements Node { id: ID! name: String dog: Dog! } union Pet = Dog | Cat"
    " type Query { dogs: [Dog!] pet: Pet any: Any } type Subscription { dog: Dog }";

static const char *const s_documents[DOCUMENTS] = {
    "{ dogs { id name age f b c any friends { __typename ... on Dog { id name } ... on Cat { dog { "
    "age } } }"
    " x: name m node { id } at json } }",
    "{ pet { ... on Dog { id owner { name keeper { id } } friends { ... on Node { id } } } ... on "
    "Cat { id"
    " dog { keeper { c } } } } }",
    "{ any }",
    "subscription { dog { id name friends { ... on Node { id } } owner { id } any } }",
};

typedef struct {
    gql_execution_t *execution;
    uint32_t call;
    size_t call_count;
    bool failed;
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
    self->call = call->index;
    self->call_count++;
}

static void s_flush(void *arg)
{
    (void)arg;
}

static void s_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *self = arg;
    self->failed = error_count > 0;
    s_check(response->data, response->size);
    gql_execution_destroy(&self->execution);
}

static const gql_host_t s_host = {.call = s_call, .flush = s_flush, .done = s_done};

static gql_document_t *s_prepare(const char *text)
{
    static gql_schema_t *schema;
    err_t err = ERR_INIT;
    gql_source_t source = {.service = "test", .sdl = s_sdl, .size = sizeof s_sdl - 1};
    if (!schema)
        schema = gql_schema_build(&source, 1, &err);
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        gql_document_prepare(schema, text, strlen(text), &GQL_LIMITS_DEFAULT, true, &response);
    if (!document)
        abort();
    return document;
}

/* The same bytes answer every call, up to a few levels of batches. */
static void s_run(host_t *host, const char *data, size_t size)
{
    gql_execution_start(host->execution, &s_host, host);
    for (uint32_t i = 0; host->execution && i < 10; i++)
        gql_execution_resolve(host->execution, i, data, size);
    gql_execution_destroy(&host->execution);
}

static void s_render(gql_execution_t *execution, const char *data, size_t size)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    if (!gql_execution_source(execution, &response))
        abort();
    for (int i = 0; i < 2; i++) {
        buffer_clear(&response);
        gql_execution_render(execution, data, size, "cursor", &response);
        s_check(response.data, response.size);
    }
    buffer_free(&response);
    gql_execution_destroy(&execution);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gql_document_t *documents[DOCUMENTS];
    if (size == 0)
        return 0;
    unsigned which = data[0] % DOCUMENTS;
    const char *answer = (const char *)data + 1;
    size--;
    if (!documents[which])
        documents[which] = s_prepare(s_documents[which]);
    buffer_t response = BUFFER_INIT(LIMIT);
    host_t host = {.call_count = 0};
    host.execution =
        gql_execution_new(documents[which], gql_document_operation(documents[which], NULL, NULL),
                          NULL, NULL, &GQL_LIMITS_DEFAULT, &response);
    if (!host.execution)
        abort();
    if (which == DOCUMENTS - 1) {
        s_render(host.execution, answer, size);
        return 0;
    }
    s_run(&host, answer, size);
    if (which == 2 && host.failed == json_validate(answer, size, READER_MAX_DEPTH, NULL))
        abort();
    return 0;
}
