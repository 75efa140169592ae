#include "gateway/http/operation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/auth/access.h"
#include "gateway/http/graphql_error.h"
#include "gateway/http/operation_metrics.h"

enum { RESPONSE_ERRORS_MAX = 1024 * 1024, NAME_LOGGED_MAX = 100, REASON_SIZE = 120 };

struct runner {
    runner_options_t options;
    gql_schema_t *schema; /* NULL: none yet */
    document_cache_t *documents;
    persisted_t *persisted;
    operation_metrics_t *metrics;
    slow_lane_t *slow_lane; /* or NULL */
    size_t running;
};

/* One call to a service that is under way; lives until it is answered or cancelled. */
typedef struct pending pending_t;
struct pending {
    pending_t *next;
    operation_t *operation;
    uint32_t index;
    bool is_last; /* the operation ends when this call's time does */
    service_call_t *call;
};

/* Lives as long as the request that it is part of. */
struct operation {
    runner_t *runner;
    gql_document_t *document;
    const gql_operation_t *operation; /* part of document */
    gql_execution_t *execution;       /* NULL before it runs */
    identity_t *identity;             /* or NULL */
    json_t *variables;                /* or NULL */
    const char *front;
    int64_t started_us;
    int64_t deadline_ms;
    pending_t *pending;
    const char *source_service; /* borrowed from execution */
    operation_done_fn done;
    void *arg;
    char request_id[REQUEST_ID_MAX + 1];
    char traceparent[TRACEPARENT_MAX + 1];
    char client[64];
};

/* ---- runner ---- */

runner_t *runner_new(const runner_options_t *options)
{
    runner_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->documents = document_cache_new(options->cache_documents, options->cache_bytes);
    self->persisted = persisted_new(&options->persisted);
    self->metrics = operation_metrics_new();
    if (options->loop)
        self->slow_lane = slow_lane_new(options->loop, options->operation_timeout_ms * 1000);
    return self;
}

void runner_destroy(runner_t **self_p)
{
    runner_t *self = *self_p;
    if (!self)
        return;
    slow_lane_destroy(&self->slow_lane);
    operation_metrics_destroy(&self->metrics);
    persisted_destroy(&self->persisted);
    document_cache_destroy(&self->documents);
    gql_schema_unref(&self->schema);
    free(self);
    *self_p = NULL;
}

void runner_set_schema(runner_t *self, gql_schema_t *schema)
{
    gql_schema_t *old = self->schema;
    self->schema = gql_schema_ref(schema);
    document_cache_clear(self->documents);
    gql_schema_unref(&old);
}

persisted_t *runner_persisted(runner_t *self)
{
    return self->persisted;
}

gql_schema_t *runner_schema(const runner_t *self)
{
    return self->schema;
}

document_cache_counts_t runner_documents(const runner_t *self)
{
    return document_cache_counts(self->documents);
}

size_t runner_running(const runner_t *self)
{
    return self->running;
}

slow_lane_t *runner_slow_lane(const runner_t *self)
{
    return self->slow_lane;
}

/* ---- the one line and the counts of a request ---- */

static const char *s_kind_name(gql_operation_kind_t kind)
{
    switch (kind) {
    case GQL_QUERY:
        return "query";
    case GQL_MUTATION:
        return "mutation";
    case GQL_SUBSCRIPTION:
        return "subscription";
    }
    return "query";
}

/* kind and fields are NULL for a document that never became an operation. */
static void s_report(runner_t *runner,
                     const operation_caller_t *caller,
                     const gql_operation_t *operation,
                     const char *outcome,
                     int64_t started_us)
{
    int64_t duration_us = clock_mono_us() - started_us;
    const char *kind = operation ? s_kind_name(gql_operation_kind(operation)) : "invalid";
    const char *fields = operation ? gql_operation_root_fields(operation) : "";
    operation_metrics_count(runner->metrics, kind, fields, outcome, duration_us);
    if (!log_is_on(LOG_LEVEL_INFO))
        return;
    const char *name = operation ? gql_operation_name(operation) : NULL;
    char cut[NAME_LOGGED_MAX + 1] = "";
    strncat(cut, name ? name : "", NAME_LOGGED_MAX);
    log_info("request", log_str("request", caller->request_id), log_str("front", caller->front),
             log_str("client", caller->client && *caller->client ? caller->client : NULL),
             log_str("type", kind), log_str("operation", *cut ? cut : NULL),
             log_str("fields", fields), log_str("outcome", outcome),
             log_int("duration_us", duration_us), LOG_END);
}

/* "ok", or the code of the response's first error. */
static const char *s_outcome(json_slice_t response)
{
    err_code_t code = graphql_error_code(response);
    return code ? err_code_name(code) : "ok";
}

static void s_finish_report(operation_t *self, const char *outcome)
{
    operation_caller_t caller = {
        .front = self->front, .request_id = self->request_id, .client = self->client};
    s_report(self->runner, &caller, self->operation, outcome, self->started_us);
}

/* ---- preparing ---- */

static void s_copy(char *out, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= size)
        n = 0; /* nothing is better than a half */
    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}

static void s_free(operation_t *self)
{
    while (self->pending) {
        pending_t *pending = self->pending;
        self->pending = pending->next;
        service_call_cancel(&pending->call);
        free(pending);
    }
    self->runner->running--;
    gql_execution_destroy(&self->execution);
    gql_document_unref(&self->document);
    identity_unref(&self->identity);
    json_decref(self->variables);
    free(self);
}

static operation_t *s_new(runner_t *runner,
                          const graphql_request_t *request,
                          const operation_caller_t *caller,
                          int64_t started_us)
{
    operation_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->runner = runner;
    self->front = caller->front;
    self->started_us = started_us;
    self->deadline_ms = clock_unix_ms() + runner->options.operation_timeout_ms -
                        (clock_mono_us() - started_us) / 1000;
    self->identity = caller->identity ? identity_ref(caller->identity) : NULL;
    self->variables = json_incref((json_t *)request->variables);
    s_copy(self->request_id, sizeof self->request_id, caller->request_id);
    s_copy(self->traceparent, sizeof self->traceparent, caller->traceparent);
    s_copy(self->client, sizeof self->client, caller->client);
    runner->running++;
    return self;
}

static void s_refuse(buffer_t *response, err_code_t code, const char *message)
{
    graphql_error_write(response, err_code_name(code), message, (json_slice_t){.data = ""});
}

/* The document of that text; NULL after refusing, or if it is not prepared yet and may wait. */
static gql_document_t *s_document(runner_t *runner,
                                  const char *text,
                                  size_t size,
                                  bool may_wait,
                                  operation_verdict_t *verdict,
                                  buffer_t *response)
{
    if (!may_wait)
        return document_cache_get(runner->documents, runner->schema, text, size,
                                  &runner->options.limits, runner->options.introspection, response);
    gql_document_t *document = document_cache_find(runner->documents, runner->schema, text, size);
    if (!document)
        *verdict = OPERATION_LATER;
    return document;
}

/* The document of the request, out of its text or of the hash of it; NULL after refusing, or if it
 * may wait. */
static gql_document_t *s_find_document(runner_t *runner,
                                       const graphql_request_t *request,
                                       bool may_wait,
                                       operation_verdict_t *verdict,
                                       buffer_t *response)
{
    const char *text;
    size_t size;
    err_t err = ERR_INIT;
    if (!runner->schema) {
        *verdict = OPERATION_UNAVAILABLE;
        graphql_error_write(response, "UNAVAILABLE", "no service has announced its schema yet",
                            (json_slice_t){.data = "{\"outcome\":\"none\"}", .size = 18});
        return NULL;
    }
    switch (persisted_resolve(runner->persisted, request, &text, &size, &err)) {
    case ERR_OK:
        return s_document(runner, text, size, may_wait, verdict, response);
    case ERR_PERSISTED_QUERY_NOT_FOUND:
    case ERR_PERSISTED_QUERY_NOT_SUPPORTED:
        *verdict = OPERATION_NOT_PERSISTED;
        break;
    default:
        break;
    }
    graphql_error_write_err(response, &err);
    return NULL;
}

/* Are the variables within the limit? What came as text and is short enough is not measured. */
static bool s_check_variables(const runner_t *runner, const graphql_request_t *request, err_t *err)
{
    size_t limit = runner->options.max_variables_bytes;
    if (!limit || !request->variables ||
        (request->variables_size && request->variables_size <= limit))
        return true;
    size_t size = json_dumpb(request->variables, NULL, 0, JSON_COMPACT);
    if (size > limit)
        err_set(err, ERR_LIMIT_EXCEEDED, "the variables have %zu bytes; the limit is %zu", size,
                limit);
    return size <= limit;
}

operation_t *operation_prepare(runner_t *runner,
                               const graphql_request_t *request,
                               const operation_caller_t *caller,
                               operation_verdict_t *verdict,
                               buffer_t *response)
{
    int64_t started_us = caller->since_us ? caller->since_us : clock_mono_us();
    size_t start = response->size;
    const gql_operation_t *operation = NULL;
    gql_document_t *document = NULL;
    err_t err = ERR_INIT;
    *verdict = OPERATION_REFUSED;
    if (!s_check_variables(runner, request, &err)) {
        graphql_error_write_err(response, &err);
        goto refused;
    }
    bool may_wait = caller->may_wait && runner->slow_lane;
    document = s_find_document(runner, request, may_wait, verdict, response);
    if (!document && *verdict == OPERATION_LATER)
        return NULL;
    if (!document)
        goto refused;
    operation = gql_document_operation(document, request->operation_name, &err);
    if (!operation) {
        graphql_error_write_err(response, &err);
        goto refused;
    }
    if (may_wait && gql_operation_is_heavy(operation)) {
        *verdict = OPERATION_LATER;
        gql_document_unref(&document);
        return NULL;
    }
    if (!caller->identity && gql_operation_needs_identity(operation)) {
        *verdict = OPERATION_UNAUTHENTICATED;
        s_refuse(response, ERR_UNAUTHENTICATED, "this operation needs a credential");
        goto refused;
    }
    operation_t *self = s_new(runner, request, caller, started_us);
    self->document = document;
    self->operation = operation;
    return self;

refused:;
    json_slice_t text = {.data = response->data + start, .size = response->size - start};
    s_report(runner, caller, operation, s_outcome(text), started_us);
    gql_document_unref(&document);
    return NULL;
}

bool operation_is_late(runner_t *runner, const operation_caller_t *caller, buffer_t *response)
{
    static const char none[] = "{\"outcome\":\"none\"}";
    char text[REASON_SIZE];
    int64_t waited_ms = (clock_mono_us() - caller->since_us) / 1000;
    if (waited_ms < runner->options.operation_timeout_ms)
        return false;
    snprintf(text, sizeof text, "the operation waited %lld ms; the limit is %lld ms",
             (long long)waited_ms, (long long)runner->options.operation_timeout_ms);
    graphql_error_write(response, err_code_name(ERR_TIMEOUT), text,
                        (json_slice_t){.data = none, .size = sizeof none - 1});
    s_report(runner, caller, NULL, err_code_name(ERR_TIMEOUT), caller->since_us);
    return true;
}

gql_operation_kind_t operation_kind(const operation_t *self)
{
    return gql_operation_kind(self->operation);
}

void operation_cancel(operation_t **self_p)
{
    operation_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    s_finish_report(self, "cancelled");
    s_free(self);
}

/* ---- calls ---- */

static void s_forget(pending_t *pending)
{
    pending_t **at = &pending->operation->pending;
    while (*at != pending)
        at = &(*at)->next;
    *at = pending->next;
    free(pending);
}

static void
s_call(operation_t *self, const gql_call_t *call, json_slice_t resume, service_answer_fn answered)
{
    pending_t *pending = calloc(1, sizeof *pending);
    if (!pending)
        abort();
    pending->operation = self;
    pending->index = call->index;
    pending->next = self->pending;
    self->pending = pending;
    int64_t deadline_ms = clock_unix_ms() + self->runner->options.call_timeout_ms;
    pending->is_last = deadline_ms >= self->deadline_ms;
    service_request_t request = {
        .service = call->service,
        .field = call->field,
        .args = call->args,
        .selection = call->selection,
        .resume = resume,
        .request = self->request_id,
        .traceparent = *self->traceparent ? self->traceparent : NULL,
        .client = self->client,
        .deadline_ms = pending->is_last ? self->deadline_ms : deadline_ms,
    };
    if (self->identity)
        request.identity = identity_json(self->identity, call->service);
    pending->call = services_call(self->runner->options.services, &request, answered, pending);
}

/* What to tell of a call that failed: if it was the operation whose time was over, that. */
static const char *
s_reason(const pending_t *pending, const service_answer_t *answer, char text[REASON_SIZE])
{
    const operation_t *self = pending->operation;
    if (!pending->is_last || strcmp(answer->code, err_code_name(ERR_TIMEOUT)) != 0)
        return answer->message;
    snprintf(text, REASON_SIZE, "the operation took %lld ms; the limit is %lld ms",
             (long long)(clock_mono_us() - self->started_us) / 1000,
             (long long)self->runner->options.operation_timeout_ms);
    return text;
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    pending_t *pending = arg;
    operation_t *self = pending->operation;
    uint32_t index = pending->index;
    char text[REASON_SIZE];
    const char *reason = answer->ok ? NULL : s_reason(pending, answer, text);
    s_forget(pending);
    if (answer->ok) {
        gql_execution_resolve(self->execution, index, answer->json.data, answer->json.size);
        return;
    }
    gql_failure_t failure = {
        .code = answer->code, .message = reason, .extensions = answer->extensions};
    gql_execution_reject(self->execution, index, &failure);
}

/* ---- running ---- */

/* The one way out: tells, counts and frees. Only a response that has errors is looked into for its
 * code: a page of messages is long. */
static void s_finish(operation_t *self, const operation_result_t *result)
{
    s_finish_report(self, result->ok ? "ok" : s_outcome(result->response));
    operation_done_fn done = self->done;
    void *arg = self->arg;
    done(arg, result);
    s_free(self);
}

static void s_finish_refused(operation_t *self, const buffer_t *response)
{
    operation_result_t result = {
        .verdict = OPERATION_REFUSED,
        .response = {.data = response->data, .size = response->size},
    };
    s_finish(self, &result);
}

static void s_host_call(void *arg, const gql_call_t *call)
{
    s_call(arg, call, (json_slice_t){.data = ""}, s_on_answer);
}

static void s_host_flush(void *arg)
{
    (void)arg; /* the bus sends what one turn produced in one message */
}

static void s_host_done(void *arg, const buffer_t *response, size_t error_count)
{
    operation_t *self = arg;
    if (error_count == 0 && gql_operation_keep_answer(self->operation, response))
        document_cache_weigh(self->runner->documents, self->document);
    operation_result_t result = {
        .verdict = OPERATION_DONE,
        .ok = error_count == 0,
        .response = {.data = response->data, .size = response->size},
    };
    s_finish(self, &result);
}

static void s_host_fault(void *arg, const gql_call_t *call, const char *what)
{
    operation_t *self = arg;
    log_warn("a service's answer is broken", log_str("request", self->request_id),
             log_str("service", call->service), log_str("field", call->field),
             log_str("reason", what), LOG_END);
}

/* Makes the execution; false after it was refused and is gone. */
static bool s_begin(operation_t *self)
{
    buffer_t response = BUFFER_INIT(RESPONSE_ERRORS_MAX);
    gql_access_t access = access_of(self->identity);
    self->execution = gql_execution_new(self->document, self->operation, self->variables, &access,
                                        &self->runner->options.limits, &response);
    bool begun = self->execution != NULL;
    if (!begun)
        s_finish_refused(self, &response); /* and self is gone */
    buffer_free(&response);
    return begun;
}

void operation_run(operation_t *self, operation_done_fn done, void *arg)
{
    static const gql_host_t host = {
        .call = s_host_call, .flush = s_host_flush, .done = s_host_done, .fault = s_host_fault};
    operation_result_t kept = {
        .verdict = OPERATION_DONE,
        .ok = true,
        .response = gql_operation_answer(self->operation),
    };
    self->done = done;
    self->arg = arg;
    if (kept.response.size > 0)
        s_finish(self, &kept);
    else if (s_begin(self))
        gql_execution_start(self->execution, &host, self);
}

static void s_on_source(void *arg, const service_answer_t *answer)
{
    pending_t *pending = arg;
    operation_t *self = pending->operation;
    char text[REASON_SIZE];
    const char *reason = answer->ok ? NULL : s_reason(pending, answer, text);
    s_forget(pending);
    if (answer->ok) {
        operation_result_t result = {
            .verdict = OPERATION_DONE,
            .ok = true,
            .service = self->source_service,
            .source = answer->json,
            .execution = self->execution,
            .identity = self->identity,
        };
        self->execution = NULL;
        s_finish(self, &result);
        return;
    }
    buffer_t response = BUFFER_INIT(RESPONSE_ERRORS_MAX);
    graphql_error_write(&response, answer->code, reason, answer->extensions);
    s_finish_refused(self, &response);
    buffer_free(&response);
}

void operation_open(operation_t *self, json_slice_t resume, operation_done_fn done, void *arg)
{
    self->done = done;
    self->arg = arg;
    if (!s_begin(self))
        return;
    buffer_t response = BUFFER_INIT(RESPONSE_ERRORS_MAX);
    const gql_call_t *call = gql_execution_source(self->execution, &response);
    if (call) {
        self->source_service = call->service;
        s_call(self, call, resume, s_on_source);
    } else {
        s_finish_refused(self, &response);
    }
    buffer_free(&response);
}
