/* gateway/auth/access.h with the engine: real identities before a schema whose services say who
 * may. What each field becomes is in tests/golden/graphql/execution/access-*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/access.h"
#include "gateway/graphql/graphql.h"

enum { LIMIT = 1024 * 1024 };

/* Two services; what the second says of the roots and of the first one's type is about its own. */
static const char s_first[] =
    "type Query { open: Int item: Item }"
    " type Mutation { post: Item log: Int @public }"
    " type Subscription { posted: Item @aws_subscribe(mutations: [\"post\"]) }"
    " type Item @aws_cognito_user_pools { id: ID secret: String"
    " @aws_auth(cognito_groups: [\"admin\", \"staff\"]) }";
static const char s_second[] =
    "type Query @aws_auth(cognito_groups: [\"admin\"]) { audit: Int free: Int @public"
    " machine: Int @aws_api_key }"
    " extend type Item @aws_api_key { parts: Int @resolve(needs: [\"id\"]) }";

static gql_schema_t *s_schema;

static int s_build(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    gql_source_t sources[] = {
        {.service = "first", .sdl = s_first, .size = sizeof s_first - 1},
        {.service = "second", .sdl = s_second, .size = sizeof s_second - 1},
    };
    s_schema = gql_schema_build(sources, 2, &err);
    if (!s_schema)
        print_error("%s\n", err.text);
    return s_schema ? 0 : -1;
}

static int s_forget(void **state)
{
    (void)state;
    gql_schema_unref(&s_schema);
    return 0;
}

/* ---- who asks ---- */

static identity_t *s_identity(identity_provider_t provider, const char *groups, bool is_read_only)
{
    json_t *list = groups ? json_loads(groups, 0, NULL) : NULL;
    identity_spec_t spec = {.provider = provider,
                            .handle = "ada",
                            .sub = "1",
                            .groups = list,
                            .is_read_only = is_read_only};
    identity_t *identity = identity_new(&spec);
    json_decref(list);
    return identity;
}

/* ---- asking ---- */

typedef struct {
    gql_execution_t *execution;
    const gql_call_t *calls[8];
    size_t call_count;
    char text[4096];
} host_t;

static void s_call(void *arg, const gql_call_t *call)
{
    host_t *host = arg;
    assert_true(host->call_count < 8);
    host->calls[host->call_count++] = call;
}

static void s_flush(void *arg)
{
    (void)arg;
}

static void s_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *host = arg;
    (void)error_count;
    assert_true(response->size < sizeof host->text);
    memcpy(host->text, response->data, response->size);
    host->text[response->size] = '\0';
}

static gql_document_t *s_prepare(const char *text)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_document_t *document =
        gql_document_prepare(s_schema, text, strlen(text), &GQL_LIMITS_DEFAULT, true, &response);
    if (!document)
        fail_msg("%.*s", (int)response.size, response.data);
    buffer_free(&response);
    return document;
}

static gql_execution_t *s_execution(gql_document_t *document, identity_t *identity)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_access_t access = access_of(identity);
    gql_execution_t *execution =
        gql_execution_new(document, gql_document_operation(document, NULL, NULL), NULL, &access,
                          &GQL_LIMITS_DEFAULT, &response);
    assert_non_null(execution);
    buffer_free(&response);
    return execution;
}

/* Runs the document for the identity, which is given up; every call is answered with `answer`. The
 * names of the refused fields, with a blank behind each. */
static const char *s_refused(gql_document_t *document, identity_t *identity, const char *answer)
{
    static const gql_host_t vtable = {.call = s_call, .flush = s_flush, .done = s_done};
    static char names[1024];
    host_t host = {.call_count = 0};
    host.execution = s_execution(document, identity);
    gql_execution_start(host.execution, &vtable, &host);
    while (host.call_count > 0) {
        const gql_call_t *call = host.calls[--host.call_count];
        gql_execution_resolve(host.execution, call->index, answer, strlen(answer));
    }
    json_t *response = json_loads(host.text, 0, NULL);
    const json_t *errors = json_object_get(response, "errors");
    names[0] = '\0';
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *error = json_array_get(errors, i), *path = json_object_get(error, "path");
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(error, "extensions"), "code")),
            "UNAUTHORIZED");
        strcat(names, json_string_value(json_array_get(path, json_array_size(path) - 1)));
        strcat(names, " ");
    }
    json_decref(response);
    gql_execution_destroy(&host.execution);
    identity_unref(&identity);
    return names;
}

/* ---- tests ---- */

static void test_providers_and_groups(void **state)
{
    (void)state;
    gql_document_t *document = s_prepare("{ item { id secret } }");
    static const char item[] = "{\"id\":\"1\",\"secret\":\"s\"}";
    const struct {
        identity_provider_t provider;
        const char *groups, *refused;
    } cases[] = {
        {IDENTITY_USER_POOL, NULL, "secret "},
        {IDENTITY_USER_POOL, "[\"guest\"]", "secret "},
        {IDENTITY_USER_POOL, "[\"guest\",\"staff\"]", ""},
        {IDENTITY_API_KEY, NULL, "id secret "},
        {IDENTITY_OIDC, NULL, "id secret "},
        {IDENTITY_OIDC, "[\"admin\"]", "id secret "}, /* groups of another issuer are not ours */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        identity_t *identity = s_identity(cases[i].provider, cases[i].groups, false);
        assert_string_equal(s_refused(document, identity, item), cases[i].refused);
    }
    gql_document_unref(&document);
}

static void test_each_service_speaks_for_itself(void **state)
{
    (void)state;
    gql_document_t *document = s_prepare("{ open audit free machine }");
    assert_string_equal(s_refused(document, s_identity(IDENTITY_USER_POOL, NULL, false), "1"),
                        "audit machine ");
    assert_string_equal(
        s_refused(document, s_identity(IDENTITY_USER_POOL, "[\"admin\"]", false), "1"), "machine ");
    assert_string_equal(s_refused(document, s_identity(IDENTITY_API_KEY, NULL, false), "1"),
                        "audit ");
    assert_string_equal(s_refused(document, NULL, "1"), "audit machine ");
    gql_document_unref(&document);
    document = s_prepare("{ item { id parts } }");
    /* the second service lets keys in to what it added, and to nothing else; an answer that is no
       list is a fault, so nothing is asked for it here */
    assert_string_equal(s_refused(document, s_identity(IDENTITY_USER_POOL, NULL, false), "{}"),
                        "parts ");
    gql_document_unref(&document);
    document = s_prepare("{ item { id } }");
    assert_string_equal(s_refused(document, s_identity(IDENTITY_API_KEY, NULL, false), "{}"),
                        "id ");
    gql_document_unref(&document);
}

static void test_read_only(void **state)
{
    (void)state;
    gql_document_t *document = s_prepare("mutation { post { __typename } log }");
    gql_document_t *query = s_prepare("{ open }");
    assert_string_equal(s_refused(document, s_identity(IDENTITY_API_KEY, NULL, true), "1"),
                        "post ");
    assert_string_equal(s_refused(query, s_identity(IDENTITY_API_KEY, NULL, true), "1"), "");
    gql_document_t *posted = s_prepare("mutation { log }");
    assert_string_equal(s_refused(posted, s_identity(IDENTITY_API_KEY, NULL, true), "1"), "");
    gql_document_unref(&document);
    gql_document_unref(&query);
    gql_document_unref(&posted);
}

/* A rendering is shared by those, and only those, for whom every rule comes out the same. */
static void test_group_keys(void **state)
{
    (void)state;
    gql_document_t *document = s_prepare("subscription { posted { id secret } }");
    static const struct {
        identity_provider_t provider;
        const char *groups;
        size_t same; /* as which one before */
    } cases[] = {
        {IDENTITY_USER_POOL, NULL, 0},
        {IDENTITY_USER_POOL, "[\"guest\"]", 0},
        {IDENTITY_USER_POOL, "[\"admin\"]", 2},
        {IDENTITY_USER_POOL, "[\"staff\",\"x\"]", 2},
        {IDENTITY_API_KEY, NULL, 4},
        {IDENTITY_OIDC, NULL, 4},
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    gql_execution_t *executions[COUNT];
    identity_t *identities[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        identities[i] = s_identity(cases[i].provider, cases[i].groups, false);
        executions[i] = s_execution(document, identities[i]);
    }
    for (size_t a = 0; a < COUNT; a++)
        for (size_t b = 0; b < COUNT; b++)
            assert_int_equal(strcmp(gql_execution_group_key(executions[a]),
                                    gql_execution_group_key(executions[b])) == 0,
                             cases[a].same == cases[b].same);
    for (size_t i = 0; i < COUNT; i++) {
        gql_execution_destroy(&executions[i]);
        identity_unref(&identities[i]);
    }
    gql_document_unref(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers_and_groups),
        cmocka_unit_test(test_each_service_speaks_for_itself),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_group_keys),
    };
    return cmocka_run_group_tests_name("access", tests, s_build, s_forget);
}
