#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/bus/bodies.h"
#include "gateway/bus/services_internal.h"

enum {
    NEAR_MS = 50,        /* so long before its deadline a call stops waiting for an instance */
    TIMER_MAX_MS = 1000, /* Unix time may step: look again after this */
    FAILURE_SIZE = 128,
    FIELD_SIZE = sizeof(((service_call_t *)NULL)->field),
};

static const char *const s_outcome_names[OUTCOME_COUNT] = {"ok",      "error", "unavailable",
                                                           "timeout", "limit", "cancelled"};

static const json_slice_t s_outcome_none = {"{\"outcome\":\"none\",\"retryAfterMs\":1000}", 38};
static const json_slice_t s_outcome_unknown = {"{\"outcome\":\"unknown\"}", 21};

/* ---- metrics ---- */

static call_series_t *s_make_series(service_t *service, const char *field)
{
    size_t size = strlen(field) + 1;
    call_series_t *series = calloc(1, sizeof *series + size);
    if (series == NULL)
        abort();
    memcpy(series->field, field, size);
    for (int i = 0; i <= OUTCOME_COUNT; i++) {
        buffer_t labels = BUFFER_INIT(4096);
        metrics_label(&labels, "service", service->name, strlen(service->name));
        metrics_label(&labels, "field", field, strlen(field));
        if (i < OUTCOME_COUNT)
            metrics_label(&labels, "outcome", s_outcome_names[i], strlen(s_outcome_names[i]));
        buffer_put_char(&labels, '\0');
        if (i < OUTCOME_COUNT)
            series->outcomes[i] =
                metrics_counter("parley_bus_calls_total", "Calls to services", labels.data);
        else
            series->latency =
                metrics_latency("parley_bus_call_seconds", "From call to answer", labels.data);
        buffer_free(&labels);
    }
    HASH_ADD_STR(service->series, field, series);
    return series;
}

static call_series_t *s_series(service_t *service, const char *field)
{
    call_series_t *series = NULL;
    HASH_FIND_STR(service->series, field, series);
    return series != NULL ? series : s_make_series(service, field);
}

/* ---- the end of a call ---- */

static void s_leave_instance(service_call_t *call)
{
    if (call->instance == NULL)
        return;
    call->instance->in_flight -= !call->is_idle;
    call->instance = NULL;
}

static void s_forget(service_call_t *call, outcome_t outcome)
{
    service_t *service = call->service;
    s_leave_instance(call);
    if (call->series != NULL) {
        metric_inc(call->series->outcomes[outcome]);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_ERROR)
            metric_observe(call->series->latency, clock_mono_us() - call->started_us);
    }
    if (service != NULL) {
        service->in_flight--;
        metric_set(service->in_flight_gauge, (int64_t)service->in_flight);
    }
    calls_remove(call->calls, call);
}

static void s_finish(service_call_t *call, outcome_t outcome, const service_answer_t *answer)
{
    service_answer_fn fn = call->fn;
    void *arg = call->arg;
    s_forget(call, outcome);
    fn(arg, answer);
}

static void s_fail(
    service_call_t *call, outcome_t outcome, err_code_t code, const char *message, bool is_unknown)
{
    service_answer_t answer = {.code = err_code_name(code),
                               .message = message,
                               .extensions = is_unknown ? s_outcome_unknown : s_outcome_none};
    s_finish(call, outcome, &answer);
}

static outcome_t s_refused_outcome(err_code_t code)
{
    return code == ERR_UNAVAILABLE ? OUTCOME_UNAVAILABLE
           : code == ERR_TIMEOUT   ? OUTCOME_TIMEOUT
                                   : OUTCOME_LIMIT;
}

static void s_fail_refused(void *arg)
{
    services_t *self = arg;
    self->is_failing = false;
    for (list_node_t *node; (node = list_first(&self->failed)) != NULL;) {
        service_call_t *call = LIST_ITEM(node, service_call_t, node);
        char text[FAILURE_SIZE]; /* the sentence may live in the call */
        snprintf(text, sizeof text, "%s", call->failure);
        s_fail(call, s_refused_outcome(call->failure_code), call->failure_code, text, false);
    }
}

/* It is answered at the end of the turn, not from inside the function that made it. */
static void s_refuse(services_t *self, service_call_t *call, err_code_t code, const char *message)
{
    call->state = CALL_FAILED;
    call->failure_code = code;
    call->failure = message;
    list_append(&self->failed, &call->node);
    if (self->is_failing)
        return;
    self->is_failing = true;
    loop_defer(self->loop, s_fail_refused, self);
}

/* ---- deadlines ---- */

static void s_arm(services_t *self)
{
    const service_call_t *call = calls_next_due(self->calls);
    if (call == NULL || call->due_ms >= self->deadline_armed_ms)
        return; /* the timer that runs comes early enough */
    int64_t wait_ms = call->due_ms - clock_unix_ms();
    wait_ms = wait_ms < 0 ? 0 : wait_ms > TIMER_MAX_MS ? TIMER_MAX_MS : wait_ms;
    self->deadline_armed_ms = call->due_ms;
    loop_timer_start(self->deadline_timer, (uint64_t)wait_ms, 0);
}

static void s_on_due(services_t *self, service_call_t *call)
{
    if (call->state == CALL_FAILED) {
        calls_set_due(self->calls, call, clock_unix_ms() + TIMER_MAX_MS); /* answered elsewhere */
    } else if (call->state == CALL_SENT && call->due_ms < call->deadline_ms) {
        calls_set_due(self->calls, call, call->deadline_ms);
    } else if (call->state == CALL_SENT) {
        s_fail(call, OUTCOME_TIMEOUT, ERR_TIMEOUT, "the service did not answer in time", true);
    } else {
        /* What is buffered may still leave, and what was sent before may have been executed. */
        bool is_unknown = call->was_sent || call->state == CALL_BUFFERED;
        s_fail(call, OUTCOME_UNAVAILABLE, ERR_UNAVAILABLE, "the service is away", is_unknown);
    }
}

static void s_on_deadline_timer(void *arg)
{
    services_t *self = arg;
    int64_t now_ms = clock_unix_ms();
    self->deadline_armed_ms = INT64_MAX;
    for (service_call_t *call;
         (call = calls_next_due(self->calls)) != NULL && call->due_ms <= now_ms;)
        s_on_due(self, call);
    s_arm(self);
}

/* ---- to an instance ---- */

static bool s_may_go_to(const service_call_t *call, const instance_t *instance)
{
    if (!instance_is_callable(instance) || !instance_has_room(instance, call->record.size))
        return false;
    return call->field[0] == '\0' || call->service->active == NULL ||
           manifest_is_same(instance->manifest, call->service->active) ||
           manifest_has_field(instance->manifest, call->field);
}

/* The one with the fewest calls in flight; equals take turns. */
static instance_t *s_choose(const service_call_t *call)
{
    service_t *service = call->service;
    instance_t *best = NULL;
    for (list_node_t *node = service->instances.next; node != &service->instances;
         node = node->next) {
        instance_t *instance = LIST_ITEM(node, instance_t, node);
        if ((best == NULL || instance->in_flight < best->in_flight) && s_may_go_to(call, instance))
            best = instance;
    }
    if (best != NULL) {
        list_remove(&best->node);
        list_append(&service->instances, &best->node);
    }
    return best;
}

/* Gives the call, which is in no list, to an instance, or lets it wait. */
static void s_dispatch(service_call_t *call)
{
    instance_t *instance = s_choose(call);
    if (instance == NULL) {
        call->state = CALL_WAITING;
        list_append(&call->service->waiting, &call->node);
        return;
    }
    call->state = CALL_BUFFERED;
    call->instance = instance;
    instance->in_flight += !call->is_idle;
    instance_send(instance, call->record.data, call->record.size);
    list_append(&instance->buffered, &call->node); /* behind what that may have flushed */
}

void services_dispatch_waiting(service_t *service)
{
    list_t waiting;
    list_init(&waiting);
    list_splice(&waiting, &service->waiting);
    for (list_node_t *node; (node = list_first(&waiting)) != NULL;) {
        list_remove(node);
        s_dispatch(LIST_ITEM(node, service_call_t, node));
    }
}

void services_on_flushed(instance_t *instance)
{
    for (list_node_t *node = instance->buffered.next; node != &instance->buffered;
         node = node->next)
        LIST_ITEM(node, service_call_t, node)->state = CALL_SENT;
    list_splice(&instance->sent, &instance->buffered);
}

void services_on_lost(instance_t *instance)
{
    list_t lost, safe;
    list_init(&lost);
    list_init(&safe);
    list_splice(&safe, &instance->buffered);
    list_splice(&lost, &instance->sent);
    for (list_node_t *node; (node = list_first(&safe)) != NULL;) {
        service_call_t *call = LIST_ITEM(node, service_call_t, node);
        list_remove(node);
        s_leave_instance(call);
        s_dispatch(call);
    }
    for (list_node_t *node; (node = list_first(&lost)) != NULL;) {
        service_call_t *call = LIST_ITEM(node, service_call_t, node);
        list_remove(node);
        s_leave_instance(call);
        call->was_sent = true;
        if (!call->may_repeat) {
            s_fail(call, OUTCOME_UNAVAILABLE, ERR_UNAVAILABLE,
                   "the service was lost before it answered", true);
            continue;
        }
        metric_inc(call->service->retries);
        s_dispatch(call);
    }
}

/* ---- answers ---- */

/* Certain is only what this instance did: another one that was lost may have executed the call. */
static void s_doubt(const service_call_t *call, service_answer_t *answer)
{
    json_slice_t outcome;
    if (call->was_sent && answer->extensions.size > 0 &&
        json_get(answer->extensions, "outcome", &outcome) && outcome.size == 6 &&
        memcmp(outcome.data, "\"none\"", 6) == 0)
        answer->extensions = s_outcome_unknown;
}

void services_on_answer(instance_t *instance, const bus_record_t *record)
{
    services_t *self = instance->service->services;
    service_call_t *call = calls_find(self->calls, &record->id);
    if (call == NULL || call->service != instance->service || call->verb != record->verb ||
        call->state == CALL_FAILED) {
        metric_inc(instance->dropped);
        return;
    }
    service_answer_t answer;
    if (record->flags & BUS_FLAG_ERROR) {
        arena_reset(self->arena);
        body_read_error(self->arena, record->body, record->body_size, &answer);
        s_doubt(call, &answer);
        s_finish(call, OUTCOME_ERROR, &answer);
        return;
    }
    answer = (service_answer_t){.ok = true, .json = {record->body, record->body_size}};
    s_finish(call, OUTCOME_OK, &answer);
}

/* ---- calls ---- */

/* Of HTTP routes only those that change nothing (RFC 9110 9.2.1). */
static bool s_is_safe_http(json_slice_t args)
{
    json_slice_t method;
    if (!json_get(args, "method", &method))
        return false;
    return (method.size == 5 && memcmp(method.data, "\"GET\"", 5) == 0) ||
           (method.size == 6 && memcmp(method.data, "\"HEAD\"", 6) == 0);
}

static bool s_may_repeat(const service_t *service, const service_request_t *request)
{
    if (strcmp(request->field, "HTTP") == 0)
        return s_is_safe_http(request->args);
    if (strncmp(request->field, "Mutation.", 9) != 0)
        return true;
    return service->active != NULL && manifest_is_idempotent(service->active, request->field);
}

/* A call with all but its record. */
static service_call_t *s_new_call(services_t *self,
                                  const char *service_name,
                                  bus_verb_t verb,
                                  int64_t deadline_ms,
                                  service_answer_fn fn,
                                  void *arg)
{
    service_call_t *call = calls_add(self->calls, deadline_ms - NEAR_MS);
    call->verb = verb;
    call->deadline_ms = deadline_ms;
    call->fn = fn;
    call->arg = arg;
    call->service = services_find(self, service_name);
    if (call->service != NULL) {
        call->service->in_flight++;
        metric_set(call->service->in_flight_gauge, (int64_t)call->service->in_flight);
    }
    return call;
}

/* The sentence lives in the record, which is not going to be sent. */
static const char *s_crowd(const services_t *self, service_call_t *call)
{
    buffer_clear(&call->record);
    buffer_printf(&call->record, "%zu calls to the service are in flight; the limit is %zu%c",
                  (size_t)call->service->in_flight, (size_t)self->max_in_flight, 0);
    return call->record.data;
}

/* record is complete: off it goes. */
static service_call_t *s_launch(services_t *self, service_call_t *call, const char *series)
{
    if (call->service == NULL) {
        s_refuse(self, call, ERR_UNAVAILABLE, "there is no such service");
        return call;
    }
    call->series = s_series(call->service, series);
    if (call->record.failed)
        s_refuse(self, call, ERR_PAYLOAD_TOO_LARGE, "the call is larger than 16 MiB");
    else if (call->service->in_flight > self->max_in_flight)
        s_refuse(self, call, ERR_LIMIT_EXCEEDED, s_crowd(self, call));
    else if (call->deadline_ms - NEAR_MS <= clock_unix_ms())
        s_refuse(self, call, ERR_TIMEOUT, "there is no time left for the call");
    else
        s_dispatch(call);
    s_arm(self);
    return call;
}

service_call_t *
services_call(services_t *self, const service_request_t *request, service_answer_fn fn, void *arg)
{
    service_call_t *call =
        s_new_call(self, request->service, BUS_CALL, request->deadline_ms, fn, arg);
    call->is_idle = request->is_long_poll;
    if (call->service != NULL)
        call->may_repeat = s_may_repeat(call->service, request);
    if (strlen(request->field) < FIELD_SIZE)
        memcpy(call->field, request->field, strlen(request->field) + 1);
    size_t at = bus_record_begin(&call->record, BUS_CALL, 0, &call->id, request->deadline_ms);
    body_call(&call->record, request);
    bus_record_end(&call->record, at);
    return s_launch(self, call, request->field);
}

service_call_t *services_replay(services_t *self,
                                const char *service,
                                const char *stream,
                                uint64_t after,
                                uint32_t last,
                                uint32_t limit,
                                int64_t deadline_ms,
                                service_answer_fn fn,
                                void *arg)
{
    service_call_t *call = s_new_call(self, service, BUS_REPLAY, deadline_ms, fn, arg);
    call->may_repeat = true;
    size_t at = bus_record_begin(&call->record, BUS_REPLAY, 0, &call->id, deadline_ms);
    body_replay(&call->record, stream, after, last, limit);
    bus_record_end(&call->record, at);
    return s_launch(self, call, "REPLAY");
}

service_call_t *services_heads(services_t *self,
                               const char *service,
                               const char *const *streams,
                               size_t count,
                               bool settled,
                               int64_t deadline_ms,
                               service_answer_fn fn,
                               void *arg)
{
    assert(count <= BUS_HEADS_MAX);
    service_call_t *call = s_new_call(self, service, BUS_HEADS, deadline_ms, fn, arg);
    call->may_repeat = true;
    size_t at = bus_record_begin(&call->record, BUS_HEADS, 0, &call->id, deadline_ms);
    body_heads(&call->record, streams, count, settled);
    bus_record_end(&call->record, at);
    return s_launch(self, call, "HEADS");
}

void service_call_cancel(service_call_t **call_p)
{
    service_call_t *call = *call_p;
    *call_p = NULL;
    if (call != NULL)
        s_forget(call, OUTCOME_CANCELLED);
}

/* ---- opening and closing ---- */

void services_calls_open(services_t *self)
{
    self->calls = calls_new();
    list_init(&self->failed);
    self->deadline_armed_ms = INT64_MAX;
    self->deadline_timer = loop_timer_new(self->loop, s_on_deadline_timer, self);
    self->arena = arena_new(2 * (size_t)BUS_BODY_MAX);
}

void services_calls_close(services_t *self)
{
    loop_defer_cancel(self->loop, s_fail_refused, self);
    loop_timer_destroy(&self->deadline_timer);
    calls_destroy(&self->calls);
    arena_destroy(&self->arena);
    for (size_t i = 0; i < self->count; i++) {
        call_series_t *series, *next;
        HASH_ITER(hh, self->list[i].series, series, next)
        {
            HASH_DEL(self->list[i].series, series);
            free(series);
        }
    }
}
