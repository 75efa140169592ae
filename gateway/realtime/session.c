#include "gateway/realtime/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cells.h"
#include "gateway/http/graphql_error.h"
#include "gateway/realtime/conn.h"
#include "gateway/realtime/realtime_private.h"

enum { ERRORS_MAX = 1024 * 1024, RESULT_EXTRA = 2 * SESSION_ID_MAX + 200 };

/* An operation that waits in the slow lane. */
struct stream_start {
    slow_job_t job;
    identity_t *identity; /* under which it runs; or NULL */
    size_t request_size, resume_size;
    char text[]; /* the request, as it came; then where to resume */
};

/* What nearly every connection has has cells; what is larger than they are is malloc's. */
enum { STREAM_CELL = 128, STREAM_CELL_UUID = 208, NAMES_CELL = 64 };

static cells_t s_streams = CELLS_INIT(STREAM_CELL);
static cells_t s_streams_uuid = CELLS_INIT(STREAM_CELL_UUID); /* of clients whose ids are UUIDs */
static cells_t s_names = CELLS_INIT(NAMES_CELL);

static cells_t *s_stream_cells(size_t size)
{
    return size <= STREAM_CELL ? &s_streams : &s_streams_uuid;
}

static void *s_take(cells_t *cells, size_t size)
{
    void *memory = size <= cells->size ? cell_take(cells) : malloc(size);
    if (!memory)
        abort();
    return memory;
}

static void s_give(cells_t *cells, void *memory, size_t size)
{
    if (size <= cells->size)
        cell_give(cells, memory);
    else
        free(memory);
}

void session_init(session_t *self, realtime_t *realtime, const dialect_t *dialect)
{
    *self = (session_t){.realtime = realtime, .dialect = dialect};
    list_init(&self->streams);
    list_init(&self->ready);
}

void session_set_names(session_t *self, const char *request_id, const char *client)
{
    size_t id_size = request_id && *request_id ? strlen(request_id) + 1 : 0;
    size_t client_size = client && *client ? strlen(client) + 1 : 0;
    self->names_size = id_size + client_size;
    if (!self->names_size)
        return;
    char *memory = s_take(&s_names, self->names_size);
    if (id_size)
        self->request_id = memcpy(memory, request_id, id_size);
    if (client_size)
        self->client = memcpy(memory + id_size, client, client_size);
}

void session_clear(session_t *self)
{
    session_stop_all(self);
    identity_unref(&self->identity);
    free(self->authorization);
    free(self->api_key);
    s_give(&s_names, self->request_id ? self->request_id : self->client, self->names_size);
    free(self->greeting);
}

/* ---- streams ---- */

static const char *s_id(const stream_t *stream)
{
    return stream->text + stream->prefix_size;
}

stream_t *session_find(session_t *self, const char *id, size_t id_size)
{
    for (list_node_t *node = self->streams.next; node != &self->streams; node = node->next) {
        stream_t *stream = LIST_ITEM(node, stream_t, node);
        if (stream->id_size == id_size && !memcmp(s_id(stream), id, id_size))
            return stream;
    }
    return NULL;
}

static stream_t *s_new(session_t *self, const char *id, size_t id_size)
{
    buffer_t prefix = BUFFER_INIT(RESULT_EXTRA * 4);
    self->dialect->put_prefix(&prefix, id, id_size);
    size_t size = sizeof(stream_t) + prefix.size + id_size + 1;
    stream_t *stream = s_take(s_stream_cells(size), size);
    *stream = (stream_t){
        .session = self, .prefix_size = (uint16_t)prefix.size, .id_size = (uint16_t)id_size};
    if (prefix.size)
        memcpy(stream->text, prefix.data, prefix.size);
    memcpy(stream->text + prefix.size, id, id_size);
    stream->text[prefix.size + id_size] = '\0';
    buffer_free(&prefix);
    list_init(&stream->node);
    list_init(&stream->ready);
    list_append(&self->streams, &stream->node);
    self->count++;
    return stream;
}

static void s_free_start(struct stream_start **start_p)
{
    struct stream_start *start = *start_p;
    *start_p = NULL;
    if (!start)
        return;
    identity_unref(&start->identity);
    free(start);
}

/* Takes the stream out of its session, ending what runs for it. What is said about it afterwards
 * may end the whole session. */
static void s_detach(stream_t *stream)
{
    session_t *self = stream->session;
    if (stream->start)
        slow_lane_remove(runner_slow_lane(self->realtime->options.runner), &stream->start->job);
    s_free_start(&stream->start);
    operation_cancel(&stream->operation);
    if (stream->subscriber)
        metric_add(self->realtime->subscriptions, -1);
    feed_unsubscribe(&stream->subscriber);
    list_remove(&stream->node);
    list_remove(&stream->ready);
    self->count--;
}

static void s_free(stream_t *stream)
{
    identity_unref(&stream->identity);
    size_t size = sizeof *stream + stream->prefix_size + stream->id_size + 1;
    s_give(s_stream_cells(size), stream, size);
}

void session_stop(stream_t *stream)
{
    s_detach(stream);
    s_free(stream);
}

void session_stop_all(session_t *self)
{
    while (!list_is_empty(&self->streams))
        session_stop(LIST_ITEM(list_first(&self->streams), stream_t, node));
}

void session_refuse(
    session_t *self, const char *id, size_t id_size, err_code_t code, const char *message)
{
    buffer_t response = BUFFER_INIT(ERRORS_MAX);
    graphql_error_write(&response, err_code_name(code), message, (json_slice_t){.data = ""});
    self->dialect->send_error(self, id, id_size,
                              (json_slice_t){.data = response.data, .size = response.size});
    buffer_free(&response);
}

static void s_refuse_with(session_t *self, const char *id, size_t id_size, const buffer_t *response)
{
    self->dialect->send_error(self, id, id_size,
                              (json_slice_t){.data = response->data, .size = response->size});
}

/* May one more operation start now? False after saying on its id when it may. */
static bool
s_take_operation(session_t *self, const char *id, size_t id_size, const identity_t *identity)
{
    rate_limits_t *rates = self->realtime->options.rates;
    int64_t wait_ms = rate_limits_take(rates, self->client_key, &self->rate);
    if (!wait_ms)
        wait_ms = rate_limits_take_handle(rates, identity);
    if (!wait_ms)
        return true;
    buffer_t response = BUFFER_INIT(ERRORS_MAX);
    rate_limits_write(&response, wait_ms);
    s_refuse_with(self, id, id_size, &response);
    buffer_free(&response);
    return false;
}

/* An operation failed: says so on its id, which is free from then on. */
static void s_fail(stream_t *stream, json_slice_t response)
{
    session_t *self = stream->session;
    s_detach(stream);
    self->dialect->send_error(self, s_id(stream), stream->id_size, response);
    s_free(stream);
}

static void s_fail_with(stream_t *stream, err_code_t code, const char *message)
{
    s_detach(stream);
    session_refuse(stream->session, s_id(stream), stream->id_size, code, message);
    s_free(stream);
}

static const char *s_withdrawn(const session_t *self, const identity_t *own)
{
    return auth_objection(self->realtime->options.auth, own);
}

/* A credential may end where the connection's has taken its place, with the same rights. */
static const char *s_expired(const session_t *self, const identity_t *own)
{
    bool is_replaced = self->identity &&
                       strcmp(identity_rights_key(own), identity_rights_key(self->identity)) == 0;
    return is_replaced || !session_has_expired(own) ? NULL : "the token has expired";
}

/* Ends the subscriptions that began under a credential of their own which is objected to. */
static void s_end_those(session_t *self,
                        const char *(*object)(const session_t *self, const identity_t *own))
{
    for (list_node_t *node = self->streams.next; node != &self->streams;) {
        stream_t *stream = LIST_ITEM(node, stream_t, node);
        bool is_own = stream->identity && stream->identity != self->identity;
        const char *objection = is_own ? object(self, stream->identity) : NULL;
        node = node->next;
        if (!objection)
            continue;
        s_fail_with(stream, ERR_UNAUTHENTICATED, objection);
        node = self->streams.next; /* saying so may have ended others */
    }
}

void session_recheck(session_t *self)
{
    s_end_those(self, s_withdrawn);
}

void session_end_expired(session_t *self)
{
    s_end_those(self, s_expired);
}

/* A credential of a start's own may have been withdrawn while the service was asked. */
static const char *s_objection(const session_t *self, const identity_t *identity)
{
    bool is_own = identity && identity != self->identity;
    return is_own ? s_withdrawn(self, identity) : NULL;
}

/* ---- subscriptions ---- */

static void s_on_active(void *arg)
{
    stream_t *stream = arg;
    session_t *self = stream->session;
    stream->active = true;
    if (self->dialect->send_active)
        self->dialect->send_active(self, stream);
}

static void s_on_ready(void *arg)
{
    stream_t *stream = arg;
    session_t *self = stream->session;
    if (list_is_empty(&stream->ready)) /* a node in no list points at itself */
        list_append(&self->ready, &stream->ready);
    conn_wake(conn_of(self));
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    stream_t *stream = arg;
    metric_add(stream->session->realtime->subscriptions, -1);
    stream->subscriber = NULL; /* gone already */
    s_fail_with(stream, code, message);
}

static const subscriber_vtable_t subscriber_vtable = {
    .on_active = s_on_active,
    .on_ready = s_on_ready,
    .on_end = s_on_end,
};

static void s_on_opened(void *arg, const operation_result_t *result)
{
    stream_t *stream = arg;
    session_t *self = stream->session;
    stream->operation = NULL;
    if (result->verdict != OPERATION_DONE) {
        s_fail(stream, result->response);
        return;
    }
    err_t err = ERR_INIT;
    gql_execution_t *execution = result->execution;
    feed_subscription_t subscription;
    const char *objection = s_objection(self, result->identity);
    if (objection) {
        gql_execution_destroy(&execution);
        s_fail_with(stream, ERR_UNAUTHENTICATED, objection);
        return;
    }
    arena_t *arena = arena_new(result->source.size + 4096);
    if (feed_read_source(arena, result->source, &subscription, &err)) {
        gql_execution_destroy(&execution);
        s_fail_with(stream, err.code, err.text);
    } else {
        subscription.service = result->service;
        subscription.rights = "";
        subscription.handle = result->identity ? identity_handle(result->identity) : NULL;
        subscription.sub = result->identity ? identity_sub(result->identity) : NULL;
        subscription.identity =
            result->identity ? identity_json(result->identity, NULL) : (json_slice_t){.data = ""};
        stream->identity = result->identity ? identity_ref(result->identity) : NULL;
        stream->subscriber = feed_subscribe(self->realtime->options.feed, &subscription, &execution,
                                            &subscriber_vtable, stream);
        metric_add(self->realtime->subscriptions, 1);
    }
    arena_destroy(&arena);
}

/* ---- queries and mutations ---- */

static void s_on_done(void *arg, const operation_result_t *result)
{
    stream_t *stream = arg;
    session_t *self = stream->session;
    stream->operation = NULL;
    if (result->verdict != OPERATION_DONE) {
        s_fail(stream, result->response);
        return;
    }
    buffer_t text = BUFFER_INIT(result->response.size + RESULT_EXTRA * 4);
    buffer_put(&text, stream->text, stream->prefix_size);
    buffer_put(&text, result->response.data, result->response.size);
    buffer_put_str(&text, self->dialect->suffix);
    s_detach(stream);
    conn_send_buffer(conn_of(self), &text);
    self->dialect->send_complete(self, s_id(stream), stream->id_size);
    s_free(stream);
}

/* ---- starting ---- */

static void s_run(stream_t *stream, operation_t *operation, json_slice_t resume)
{
    stream->operation = operation;
    if (operation_kind(operation) == GQL_SUBSCRIPTION)
        operation_open(operation, resume, s_on_opened, stream);
    else
        operation_run(operation, s_on_done, stream);
}

void session_start_prepared(
    session_t *self, const char *id, size_t id_size, operation_t **operation_p, json_slice_t resume)
{
    operation_t *operation = *operation_p;
    *operation_p = NULL;
    s_run(s_new(self, id, id_size), operation, resume);
}

/* The connection's, as far as there is room for it, and a number. */
static void s_make_request_id(session_t *self, char out[REQUEST_ID_MAX + 1])
{
    enum { OWN_MAX = 50 };
    static_assert(OWN_MAX + 1 + 10 <= REQUEST_ID_MAX, "and a number of 32 bits");
    buffer_t text = {.data = out, .capacity = REQUEST_ID_MAX + 1, .limit = REQUEST_ID_MAX + 1};
    const char *own = self->request_id ? self->request_id : "";
    buffer_put(&text, own, strnlen(own, OWN_MAX));
    buffer_put_char(&text, '-');
    buffer_put_uint(&text, ++self->started);
    buffer_put_char(&text, '\0');
}

/* start: what has waited in the slow lane, or NULL. */
static operation_t *s_prepare(session_t *self,
                              const graphql_request_t *request,
                              identity_t *identity,
                              const struct stream_start *start,
                              operation_verdict_t *verdict,
                              buffer_t *response)
{
    runner_t *runner = self->realtime->options.runner;
    char request_id[REQUEST_ID_MAX + 1];
    s_make_request_id(self, request_id);
    operation_caller_t caller = {
        .front = self->dialect->name,
        .identity = identity,
        .request_id = request_id,
        .client = self->client,
        .may_wait = !start,
        .since_us = start ? start->job.since_us : 0,
    };
    if (start && operation_is_late(runner, &caller, response))
        return NULL;
    return operation_prepare(runner, request, &caller, verdict, response);
}

static bool s_is_taken_here(const session_t *self, const operation_t *operation)
{
    return !self->dialect->subscriptions_only || operation_kind(operation) == GQL_SUBSCRIPTION;
}

static const char only_subscriptions[] = "only subscriptions are taken here";

/* In the slow lane it is this client's turn. No message is being read. */
static void s_on_turn(void *arg)
{
    stream_t *stream = arg;
    session_t *self = stream->session;
    struct stream_start *start = stream->start;
    graphql_request_t request;
    operation_verdict_t verdict;
    err_t err = ERR_INIT;
    buffer_t response = BUFFER_INIT(ERRORS_MAX);
    operation_t *operation = NULL;
    stream->start = NULL;
    arena_reset(self->realtime->arena);
    if (graphql_request_parse(&request, self->realtime->arena, start->text, start->request_size,
                              &err) == ERR_OK)
        operation = s_prepare(self, &request, start->identity, start, &verdict, &response);
    else
        graphql_error_write_err(&response, &err);
    graphql_request_clear(&request);
    if (!operation) {
        s_fail(stream, (json_slice_t){.data = response.data, .size = response.size});
    } else if (!s_is_taken_here(self, operation)) {
        operation_cancel(&operation);
        s_fail_with(stream, ERR_BAD_USER_INPUT, only_subscriptions);
    } else {
        s_run(
            stream, operation,
            (json_slice_t){.data = start->text + start->request_size, .size = start->resume_size});
    }
    buffer_free(&response);
    s_free_start(&start);
}

/* What comes behind one that waits does, too: nobody's mutations overtake each other. */
static bool s_has_waiting(const session_t *self)
{
    for (const list_node_t *node = self->streams.next; node != &self->streams; node = node->next)
        if (LIST_ITEM(node, stream_t, node)->start)
            return true;
    return false;
}

static void
s_wait(stream_t *stream, json_slice_t request, identity_t *identity, json_slice_t resume)
{
    session_t *self = stream->session;
    struct stream_start *start = malloc(sizeof *start + request.size + resume.size);
    if (!start)
        abort();
    *start = (struct stream_start){.identity = identity ? identity_ref(identity) : NULL,
                                   .request_size = request.size,
                                   .resume_size = resume.size};
    memcpy(start->text, request.data, request.size);
    if (resume.size > 0)
        memcpy(start->text + request.size, resume.data, resume.size);
    if (slow_lane_add(runner_slow_lane(self->realtime->options.runner), &start->job,
                      self->client_key, sizeof *start + request.size + resume.size, s_on_turn,
                      stream)) {
        stream->start = start;
        return;
    }
    s_free_start(&start);
    s_fail_with(stream, ERR_RATE_LIMITED, "too many operations, try again later");
}

void session_start(session_t *self,
                   const char *id,
                   size_t id_size,
                   json_slice_t request_text,
                   identity_t *identity,
                   json_slice_t resume)
{
    uint32_t most = self->realtime->options.max_operations;
    if (self->count >= most) {
        char message[120];
        snprintf(message, sizeof message,
                 "%u operations at a time on one connection; the limit is %u", self->count + 1,
                 most);
        session_refuse(self, id, id_size, ERR_LIMIT_EXCEEDED, message);
        return;
    }
    if (!s_take_operation(self, id, id_size, identity))
        return;
    if (s_has_waiting(self)) {
        s_wait(s_new(self, id, id_size), request_text, identity, resume);
        return;
    }
    err_t err = ERR_INIT;
    graphql_request_t request;
    if (graphql_request_parse(&request, self->realtime->arena, request_text.data, request_text.size,
                              &err)) {
        session_refuse(self, id, id_size, err.code, err.text);
        return;
    }
    buffer_t response = BUFFER_INIT(ERRORS_MAX);
    operation_verdict_t verdict;
    operation_t *operation = s_prepare(self, &request, identity, NULL, &verdict, &response);
    if (!operation && verdict == OPERATION_LATER) {
        s_wait(s_new(self, id, id_size), request_text, identity, resume);
    } else if (!operation) {
        s_refuse_with(self, id, id_size, &response);
    } else if (!s_is_taken_here(self, operation)) {
        operation_cancel(&operation);
        session_refuse(self, id, id_size, ERR_BAD_USER_INPUT, only_subscriptions);
    } else {
        s_run(s_new(self, id, id_size), operation, resume);
    }
    buffer_free(&response);
    graphql_request_clear(&request);
}

/* ---- taking ---- */

size_t session_pull(session_t *self, session_put_fn put, buffer_t *out, size_t limit)
{
    size_t taken = 0;
    while (out->size < limit && !list_is_empty(&self->ready)) {
        stream_t *stream = LIST_ITEM(list_first(&self->ready), stream_t, ready);
        list_remove(&stream->ready);
        feed_item_t item;
        if (!subscriber_next(stream->subscriber, &item))
            continue;
        list_append(&self->ready, &stream->ready); /* behind the connection's others */
        put(out, stream, &item);
        taken++;
    }
    return taken;
}

size_t
session_take(session_t *self, session_put_fn put, buffer_t *out, size_t limit, session_take_t *take)
{
    session_take_forget(take);
    if (self->count != 1 || list_is_empty(&self->ready))
        return session_pull(self, put, out, limit);
    const stream_t *stream = LIST_ITEM(list_first(&self->ready), stream_t, ready);
    subscriber_begin_span(stream->subscriber, &take->span);
    size_t taken = session_pull(self, put, out, limit);
    subscriber_end_span(stream->subscriber, &take->span, taken, out->size >= limit);
    take->dialect = self->dialect;
    take->prefix_size = stream->prefix_size;
    if (take->prefix_size <= sizeof take->prefix)
        memcpy(take->prefix, stream->text, take->prefix_size);
    else
        session_take_forget(take);
    return taken;
}

size_t session_repeat(session_t *self, const session_take_t *take)
{
    if (!take->span.group || self->count != 1 || self->dialect != take->dialect ||
        list_is_empty(&self->ready))
        return 0;
    stream_t *stream = LIST_ITEM(list_first(&self->ready), stream_t, ready);
    bool is_all;
    if (stream->prefix_size != take->prefix_size ||
        memcmp(stream->text, take->prefix, take->prefix_size) != 0 ||
        !subscriber_repeat(stream->subscriber, &take->span, &is_all))
        return 0;
    if (is_all)
        list_remove(&stream->ready);
    return take->span.count;
}
