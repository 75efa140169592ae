#include "tests/unit/graphql/run_case.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/execution/execution.h"
#include "gateway/graphql/graphql.h"

enum { MAX_CALLS = 256, LIMIT = 64 * 1024 * 1024 };

typedef struct {
    const json_t *answers;
    gql_execution_t *execution;
    const gql_call_t *pending[MAX_CALLS];
    size_t pending_count;
    json_t *calls; /* flushed */
    json_t *unflushed;
    json_t *faults;
    json_t *response;
} host_t;

/* Keeps the order and the numbers of a JSON text. */
static json_t *s_parse(const char *data, size_t size)
{
    json_error_t error;
    json_t *json = json_loadb(data, size, JSON_DECODE_ANY, &error);
    if (size && memchr(data, '\n', size))
        abort(); /* all we give is one line, so that SSE can frame it */
    return json ? json : json_sprintf("not JSON: %.*s", (int)size, data);
}

static json_t *s_describe(const gql_call_t *call)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "field", call->field, "service", call->service, "args",
                     s_parse(call->args.data, call->args.size), "selection",
                     s_parse(call->selection.data, call->selection.size));
}

static void s_call(void *arg, const gql_call_t *call)
{
    host_t *self = arg;
    json_array_append_new(self->unflushed, s_describe(call));
    if (self->pending_count == MAX_CALLS)
        abort();
    self->pending[self->pending_count++] = call;
}

static void s_flush(void *arg)
{
    host_t *self = arg;
    json_array_append_new(self->calls, self->unflushed);
    self->unflushed = json_array();
}

static void s_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *self = arg;
    if (self->response)
        abort(); /* twice */
    self->response = s_parse(response->data, response->size);
    bool has_errors = json_object_get(self->response, "errors") != NULL;
    if (has_errors != (error_count > 0))
        abort();
    gql_execution_destroy(&self->execution);
}

static void s_fault(void *arg, const gql_call_t *call, const char *message)
{
    host_t *self = arg;
    json_array_append_new(self->faults, json_sprintf("%s: %s", call->field, message));
}

/* An event is rendered: the execution goes on to the next. */
static void s_event_done(void *arg, const buffer_t *response, size_t error_count)
{
    host_t *self = arg;
    (void)error_count;
    self->response = s_parse(response->data, response->size);
}

static const gql_host_t s_event_host = {
    .call = s_call, .flush = s_flush, .done = s_event_done, .fault = s_fault};
static const gql_host_t s_host = {
    .call = s_call, .flush = s_flush, .done = s_done, .fault = s_fault};

static void s_reject(host_t *self, const gql_call_t *call, const json_t *error)
{
    char *extensions = json_dumps(json_object_get(error, "extensions"), JSON_COMPACT);
    const char *code = json_string_value(json_object_get(error, "code"));
    gql_failure_t failure = {
        .code = code ? code : "INTERNAL",
        .message = json_string_value(json_object_get(error, "message")),
        .extensions = {extensions, extensions ? strlen(extensions) : 0},
    };
    gql_execution_reject(self->execution, call->index, &failure);
    free(extensions);
}

/* The answer of a batch: for each parent, what the case has for its text. */
static json_t *s_batch(const gql_call_t *call, const json_t *items)
{
    json_t *args = s_parse(call->args.data, call->args.size);
    json_t *answer = json_array();
    size_t index;
    json_t *parent;
    json_array_foreach(json_object_get(args, "parents"), index, parent)
    {
        char *text = json_dumps(parent, JSON_COMPACT);
        json_t *item = json_object_get(items, text);
        json_array_append_new(answer, item ? json_deep_copy(item) : json_null());
        free(text);
    }
    json_decref(args);
    return answer;
}

static void s_answer(host_t *self, const gql_call_t *call)
{
    const json_t *answer = json_object_get(self->answers, call->field);
    if (json_object_get(answer, "$error")) {
        s_reject(self, call, json_object_get(answer, "$error"));
        return;
    }
    json_t *raw = json_object_get(answer, "$text");
    if (raw) {
        gql_execution_resolve(self->execution, call->index, json_string_value(raw),
                              json_string_length(raw));
        return;
    }
    json_t *batch = json_object_get(answer, "$batch");
    json_t *built = batch ? s_batch(call, batch) : NULL;
    char *text = answer ? json_dumps(built ? built : answer, JSON_ENCODE_ANY | JSON_COMPACT)
                        : strdup("null");
    json_decref(built);
    /* a copy of the exact size, so that a sanitizer sees reads beyond the end */
    size_t size = strlen(text);
    char *exact = malloc(size);
    memcpy(exact, text, size);
    free(text);
    gql_execution_resolve(self->execution, call->index, exact, size);
    free(exact);
}

static void s_answer_all(host_t *self, bool reverse)
{
    while (self->pending_count) {
        const gql_call_t *call = self->pending[reverse ? self->pending_count - 1 : 0];
        self->pending_count--;
        if (!reverse)
            memmove(self->pending, self->pending + 1,
                    self->pending_count * sizeof self->pending[0]);
        s_answer(self, call);
    }
}

/* The response to one event, with calls or without. */
static json_t *s_event(host_t *self, const char *text, bool with_calls)
{
    json_t *response = NULL;
    if (with_calls) {
        gql_execution_start_event(self->execution, text, strlen(text), "cursor", &s_event_host,
                                  self);
        s_answer_all(self, false);
        gql_execution_trim(self->execution); /* the next event needs nothing of this one */
        response = self->response;
        self->response = NULL;
    } else {
        buffer_t out = BUFFER_INIT(LIMIT);
        gql_execution_render(self->execution, text, strlen(text), "cursor", &out);
        response = s_parse(out.data, out.size);
        buffer_free(&out);
    }
    return response;
}

static void s_render(host_t *self, const json_t *events, bool with_calls, json_t *result)
{
    buffer_t response = BUFFER_INIT(LIMIT);
    const gql_call_t *source = gql_execution_source(self->execution, &response);
    if (!source) {
        self->response = s_parse(response.data, response.size);
        buffer_free(&response);
        gql_execution_destroy(&self->execution);
        return;
    }
    json_object_set_new(result, "source", s_describe(source));
    json_t *responses = json_array();
    size_t index;
    json_t *event;
    json_array_foreach(events, index, event)
    {
        json_t *raw = json_object_get(event, "$text");
        char *text = raw ? strdup(json_string_value(raw))
                         : json_dumps(event, JSON_ENCODE_ANY | JSON_COMPACT);
        json_array_append_new(responses, s_event(self, text, with_calls));
        free(text);
    }
    json_object_set_new(result, "events", responses);
    buffer_free(&response);
    gql_execution_destroy(&self->execution);
}

static gql_limits_t s_limits(const json_t *given)
{
    gql_limits_t limits = GQL_LIMITS_DEFAULT;
    const json_t *value;
    if ((value = json_object_get(given, "max_depth")))
        limits.max_depth = (uint32_t)json_integer_value(value);
    if ((value = json_object_get(given, "max_complexity")))
        limits.max_complexity = (uint64_t)json_integer_value(value);
    if ((value = json_object_get(given, "max_errors")))
        limits.max_errors = (uint32_t)json_integer_value(value);
    if ((value = json_object_get(given, "max_response_bytes")))
        limits.max_response_bytes = (size_t)json_integer_value(value);
    return limits;
}

/* The case's `identity` as who asks. */
static bool s_may(void *arg, const gql_rule_t *rule)
{
    static const struct {
        const char *name;
        gql_provider_t provider;
    } providers[] = {{"user-pool", GQL_USER_POOL}, {"api-key", GQL_API_KEY}, {"oidc", GQL_OIDC}};
    const json_t *identity = arg, *groups = json_object_get(identity, "groups");
    const char *provider = json_string_value(json_object_get(identity, "provider"));
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (!strcmp(provider, providers[i].name) && rule->providers & providers[i].provider)
            return true;
    for (size_t i = 0; i < json_array_size(groups); i++)
        for (uint32_t g = 0; g < rule->group_count; g++)
            if (!strcmp(json_string_value(json_array_get(groups, i)), rule->groups[g]))
                return true;
    return false;
}

static void s_execute(host_t *host,
                      gql_document_t *document,
                      const json_t *test_case,
                      const gql_limits_t *limits,
                      size_t arena_fail_at,
                      json_t *result)
{
    err_t err = ERR_INIT;
    buffer_t response = BUFFER_INIT(LIMIT);
    const char *name = json_string_value(json_object_get(test_case, "operation"));
    const char *order = json_string_value(json_object_get(test_case, "order"));
    const gql_operation_t *operation = gql_document_operation(document, name, &err);
    if (!operation) {
        host->response = json_pack("{s:[{s:s,s:{s:s}}]}", "errors", "message", err.text,
                                   "extensions", "code", err_code_name(err.code));
        return;
    }
    arena_t *arena = arena_new((size_t)LIMIT);
    arena_fail_after(arena, arena_fail_at);
    json_t *identity = json_object_get(test_case, "identity");
    gql_access_t access = {.may = s_may,
                           .arg = identity,
                           .is_read_only = json_is_true(json_object_get(identity, "readOnly"))};
    host->execution =
        execution_new(&arena, document, operation, json_object_get(test_case, "variables"),
                      identity ? &access : NULL, limits, &response);
    if (!host->execution)
        host->response = s_parse(response.data, response.size);
    else if (gql_operation_kind(operation) == GQL_SUBSCRIPTION)
        s_render(host, json_object_get(test_case, "events"),
                 gql_execution_event_needs_calls(host->execution) &&
                     !json_is_false(json_object_get(test_case, "event_calls")),
                 result);
    else {
        gql_execution_start(host->execution, &s_host, host);
        s_answer_all(host, order && strcmp(order, "reverse") == 0);
    }
    buffer_free(&response);
}

gql_schema_t *run_case_schema(const char *sdl, err_t *err)
{
    gql_source_t source = {.service = "test", .sdl = sdl, .size = strlen(sdl)};
    return gql_schema_build(&source, 1, err);
}

json_t *run_case(gql_schema_t *schema, const json_t *test_case, size_t arena_fail_at)
{
    const json_t *introspection = json_object_get(test_case, "introspection");
    json_t *result = json_object();
    host_t host = {.answers = json_object_get(test_case, "answers"),
                   .calls = json_array(),
                   .unflushed = json_array(),
                   .faults = json_array()};
    buffer_t response = BUFFER_INIT(LIMIT);
    gql_limits_t limits = s_limits(json_object_get(test_case, "limits"));
    json_t *text = json_object_get(test_case, "document");
    gql_document_t *document =
        gql_document_prepare(schema, json_string_value(text), json_string_length(text), &limits,
                             !json_is_false(introspection), &response);
    if (document)
        s_execute(&host, document, test_case, &limits, arena_fail_at, result);
    else
        host.response = s_parse(response.data, response.size);
    buffer_free(&response);
    gql_document_unref(&document);
    if (host.response)
        json_object_set_new(result, "response", host.response);
    if (json_array_size(host.unflushed))
        abort(); /* a call was not followed by a flush */
    json_object_set_new(result, "calls", host.calls);
    json_object_set_new(result, "faults", host.faults);
    json_decref(host.unflushed);
    return result;
}
