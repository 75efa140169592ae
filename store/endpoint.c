#include "store/endpoint.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/bus_monitor.h"
#include "common/clock.h"
#include "common/json_tree.h"
#include "common/log.h"
#include "common/metrics.h"

enum {
    TABLES_MAX = 8,
    MESSAGES_A_CALL = 64, /* of on_readable; the loop calls it up to 64 times a turn */
    PEER_ID_MAX = 255,
    PEER_IDLE_US = 60 * 1000000,
    PEER_OUT_FLUSH =
        4 * 1024 * 1024, /* bytes of answers after which they do not wait for the turn's end */
    RESULT_MAX = 12 * 1024 * 1024,
    DEFAULT_DEADLINE_MS = 30000,
    SWEEP_MS = 15000,
    FAIL_TEXT_SIZE = 1024,
};

/* Who sent something, by ZeroMQ's routing id. */
typedef struct peer {
    UT_hash_handle hh;
    struct peer *prev_dirty, *next_dirty;
    buffer_t out;
    size_t calls;
    int64_t seen_us;
    bool is_dirty;
    size_t id_size;
    unsigned char id[];
} peer_t;

/* One field's numbers. */
typedef struct {
    const char *field;
    store_handler_fn fn;
    void *arg;
    metric_t *outcomes[ERR_CONFIG + 1];
    metric_t *time;
} route_t;

typedef struct call {
    store_call_t public; /* first: a store_call_t * is a call_t * */
    struct call *prev, *next;
    endpoint_t *endpoint;
    peer_t *peer;
    bus_verb_t verb;
    route_t *route;
    int64_t came_us;
    size_t begun; /* offset of the answer that is printed now */
    char texts[]; /* what public borrows from the body, decoded; as large as that */
} call_t;

struct endpoint {
    loop_t *loop;
    endpoint_options_t options;
    zsock_t *socket;
    bus_monitor_t *monitor;
    loop_zmq_t *zmq;
    loop_timer_t *sweep;
    peer_t *peers, *dirty;
    call_t *calls;
    size_t calls_count;
    route_t *routes;
    size_t routes_count;
    route_t replay_route, heads_route, unknown_route;
    bool flush_deferred, printing;
    metric_t *metric_calls, *metric_malformed, *metric_expired, *metric_messages, *metric_peers;
};

/* ---- answers ---- */

static void s_send(endpoint_t *self, peer_t *peer)
{
    if (peer->out.size == 0 || peer->out.failed) {
        buffer_clear(&peer->out);
        return;
    }
    void *socket = zsock_resolve(self->socket);
    if (zmq_send(socket, peer->id, peer->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(socket, peer->out.data, peer->out.size, ZMQ_DONTWAIT);
    metric_inc(self->metric_messages);
    if (peer->out.capacity > PEER_OUT_FLUSH)
        buffer_free(&peer->out);
    else
        buffer_clear(&peer->out);
    if (self->zmq)
        loop_zmq_kick(self->zmq);
}

static void s_flush(void *arg)
{
    endpoint_t *self = arg;
    self->flush_deferred = false;
    peer_t *peer, *next;
    DL_FOREACH_SAFE2(self->dirty, peer, next, next_dirty)
    {
        DL_DELETE2(self->dirty, peer, prev_dirty, next_dirty);
        peer->is_dirty = false;
        s_send(self, peer);
    }
}

/* The peer has something to be sent. */
static void s_soil(endpoint_t *self, peer_t *peer)
{
    if (peer->out.size > PEER_OUT_FLUSH) {
        s_send(self, peer);
        return;
    }
    if (!peer->is_dirty) {
        peer->is_dirty = true;
        DL_APPEND2(self->dirty, peer, prev_dirty, next_dirty);
    }
    if (!self->flush_deferred) {
        self->flush_deferred = true;
        loop_defer(self->loop, s_flush, self);
    }
}

static void s_refuse(endpoint_t *self,
                     peer_t *peer,
                     const bus_record_t *record,
                     err_code_t code,
                     const char *text,
                     const char *extensions)
{
    bus_record_write_error(&peer->out, record->verb, &record->id, code, text, extensions);
    s_soil(self, peer);
}

static void s_count_outcome(call_t *call, err_code_t code)
{
    route_t *route = call->route;
    if (!route->outcomes[code]) {
        buffer_t labels = BUFFER_INIT(512);
        metrics_label(&labels, "field", route->field, strlen(route->field));
        buffer_printf(&labels, ",code=\"%s\"%c", code == ERR_OK ? "OK" : err_code_name(code), '\0');
        route->outcomes[code] =
            metrics_counter("parley_store_calls_total", "calls answered", labels.data);
        buffer_free(&labels);
    }
    metric_inc(route->outcomes[code]);
    int64_t took_us = clock_mono_us() - call->came_us;
    metric_observe(route->time, took_us);
    log_debug("call", log_str("field", call->public.field),
              log_str("request", call->public.request),
              log_str("code", code == ERR_OK ? "OK" : err_code_name(code)), log_int("us", took_us),
              LOG_END);
}

static void s_free_call(call_t *call)
{
    endpoint_t *self = call->endpoint;
    DL_DELETE(self->calls, call);
    self->calls_count--;
    metric_set(self->metric_calls, (int64_t)self->calls_count);
    call->peer->calls--;
    json_decref(call->public.args);
    free(call);
}

buffer_t *store_call_begin(store_call_t *public)
{
    call_t *call = (call_t *)public;
    assert(!call->endpoint->printing);
    call->endpoint->printing = true;
    call->begun = bus_record_begin(&call->peer->out, call->verb, BUS_FLAG_ANSWER, &public->id, 0);
    return &call->peer->out;
}

void store_call_done(store_call_t *public)
{
    call_t *call = (call_t *)public;
    endpoint_t *self = call->endpoint;
    buffer_t *out = &call->peer->out;
    assert(self->printing);
    self->printing = false;
    if (out->failed || out->size - call->begun - BUS_HEADER_SIZE > RESULT_MAX) {
        out->failed = false;
        out->size = call->begun;
        store_call_fail(public, ERR_LIMIT_EXCEEDED, "\"outcome\":\"none\"",
                        "the result is larger than %d MiB: ask for less", RESULT_MAX >> 20);
        return;
    }
    bus_record_end(out, call->begun);
    s_soil(self, call->peer);
    s_count_outcome(call, ERR_OK);
    s_free_call(call);
}

void store_call_answer(store_call_t *public, const char *json, size_t size)
{
    buffer_put(store_call_begin(public), json, size);
    store_call_done(public);
}

static void s_fail(store_call_t *public, err_code_t code, const char *extensions, const char *text)
{
    call_t *call = (call_t *)public;
    bus_record_write_error(&call->peer->out, call->verb, &public->id, code, text, extensions);
    s_soil(call->endpoint, call->peer);
    s_count_outcome(call, code);
    s_free_call(call);
}

void store_call_fail(
    store_call_t *public, err_code_t code, const char *extensions, const char *format, ...)
{
    char text[FAIL_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s_fail(public, code, extensions, text);
}

void store_call_reject(store_call_t *public, const char *argument, const char *format, ...)
{
    char text[FAIL_TEXT_SIZE], extensions[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(extensions, sizeof extensions, "\"argument\":\"%s\"", argument);
    s_fail(public, ERR_BAD_USER_INPUT, extensions, text);
}

void store_call_fail_database(store_call_t *public, const pg_outcome_t *outcome)
{
    char extensions[96];
    const char *fate = outcome->unknown ? "unknown" : "none";
    snprintf(extensions, sizeof extensions, "\"outcome\":\"%s\"", fate);
    switch (outcome->code) {
    case ERR_UNAVAILABLE:
        snprintf(extensions, sizeof extensions, "\"outcome\":\"%s\",\"retryAfterMs\":1000", fate);
        s_fail(public, ERR_UNAVAILABLE, extensions, "the database is away");
        return;
    case ERR_LIMIT_EXCEEDED:
        snprintf(extensions, sizeof extensions, "\"outcome\":\"none\",\"retryAfterMs\":1000");
        s_fail(public, ERR_LIMIT_EXCEEDED, extensions,
               "too many calls are waiting for the database");
        return;
    case ERR_TIMEOUT:
        s_fail(public, ERR_TIMEOUT, extensions, "the database took too long");
        return;
    default:
        log_error("the database refused a statement", log_str("field", public->field),
                  log_str("request", public->request), log_str("sqlstate", outcome->sqlstate),
                  log_str("message", outcome->message), LOG_END);
        s_fail(public, ERR_INTERNAL, extensions, "internal error");
    }
}

/* ---- requests ---- */

static route_t *s_find_route(endpoint_t *self, const char *field)
{
    for (size_t i = 0; i < self->routes_count; i++)
        if (strcmp(self->routes[i].field, field) == 0)
            return &self->routes[i];
    return NULL;
}

/* An HTTP route's handler is found by "HTTP METHOD /path". */
static route_t *s_find_http(endpoint_t *self, const json_t *args)
{
    const char *method = json_string_value(json_object_get(args, "method"));
    const char *path = json_string_value(json_object_get(args, "path"));
    char field[600];
    if (!method || !path ||
        snprintf(field, sizeof field, "HTTP %s %s", method, path) >= (int)sizeof field)
        return NULL;
    return s_find_route(self, field);
}

/* Takes args. */
static call_t *s_new_call(endpoint_t *self, peer_t *peer, const bus_record_t *record, json_t *args)
{
    call_t *call = malloc(sizeof *call + record->body_size);
    if (!call)
        abort();
    *call =
        (call_t){.endpoint = self, .peer = peer, .verb = record->verb, .came_us = clock_mono_us()};
    call->public.args = args;
    call->public.id = record->id;
    call->public.deadline_ms =
        record->deadline_ms ? record->deadline_ms : clock_unix_ms() + DEFAULT_DEADLINE_MS;
    DL_APPEND(self->calls, call);
    self->calls_count++;
    metric_set(self->metric_calls, (int64_t)self->calls_count);
    peer->calls++;
    return call;
}

static void s_run(call_t *call, route_t *route, store_handler_fn fn, void *arg)
{
    call->route = route;
    fn(arg, &call->public);
}

typedef struct {
    const char *text;
    size_t size;
} name_t;
#define NAME(text_)                                                                                \
    {                                                                                              \
        text_, sizeof text_ - 1                                                                    \
    }

/* The values of the members with these names; an empty one where there is none. */
static void s_pick(json_slice_t map, const name_t *names, int count, json_slice_t *values)
{
    json_slice_t key, value;
    memset(values, 0, (size_t)count * sizeof *values);
    if (json_kind(map) != JSON_MAP)
        return;
    for (json_walk_t walk = json_walk(map); json_walk_member(&walk, &key, &value);)
        for (int i = 0; i < count; i++)
            if (key.size >= names[i].size && json_key_is(key, names[i].text, names[i].size)) {
                values[i] = value;
                break;
            }
}

/* A copy of the string at *end, which moves on; NULL if value is none. */
static const char *s_keep(char **end, json_slice_t value)
{
    if (json_kind(value) != JSON_STRING_VALUE)
        return NULL;
    char *text = *end;
    *end += json_string_decode_to(value, text) + 1;
    return text;
}

enum { FIELD, ARGS, IDENTITY, RESUME, REQUEST, CLIENT, MEMBERS };
static const name_t s_members[MEMBERS] = {NAME("field"),  NAME("args"),    NAME("identity"),
                                          NAME("resume"), NAME("request"), NAME("client")};
enum { HANDLE, SUB, PROVIDER, CLAIMS, IDENTITY_MEMBERS };
static const name_t s_identity[IDENTITY_MEMBERS] = {NAME("handle"), NAME("sub"), NAME("provider"),
                                                    NAME("claims")};
static const name_t s_claims[] = {NAME("session")};

/* What handlers want of the body but the arguments, which are there already. */
static void s_fill_call(call_t *call, const json_slice_t members[MEMBERS])
{
    store_call_t *public = &call->public;
    json_slice_t identity[IDENTITY_MEMBERS], session;
    s_pick(members[IDENTITY], s_identity, IDENTITY_MEMBERS, identity);
    s_pick(identity[CLAIMS], s_claims, 1, &session);
    char *end = call->texts;
    public->field = s_keep(&end, members[FIELD]);
    public->handle = s_keep(&end, identity[HANDLE]);
    public->sub = s_keep(&end, identity[SUB]);
    public->provider = s_keep(&end, identity[PROVIDER]);
    public->session = s_keep(&end, session);
    public->resume = s_keep(&end, members[RESUME]);
    public->request = s_keep(&end, members[REQUEST]);
    public->client = s_keep(&end, members[CLIENT]);
}

static void s_on_call(endpoint_t *self, peer_t *peer, const bus_record_t *record, json_slice_t body)
{
    json_slice_t members[MEMBERS];
    s_pick(body, s_members, MEMBERS, members);
    json_kind_t kind = json_kind(members[ARGS]);
    bool is_absent = kind == JSON_NONE || kind == JSON_NULL_VALUE;
    json_t *args = is_absent ? json_object() : kind == JSON_MAP ? json_tree(members[ARGS]) : NULL;
    if (json_kind(members[FIELD]) != JSON_STRING_VALUE || !args) {
        s_refuse(self, peer, record, ERR_INTERNAL,
                 "a CALL wants `field`, a string, and `args`, an object", NULL);
        json_decref(args);
        return;
    }
    call_t *call = s_new_call(self, peer, record, args);
    s_fill_call(call, members);
    const char *field = call->public.field;
    route_t *route =
        strcmp(field, "HTTP") == 0 ? s_find_http(self, args) : s_find_route(self, field);
    if (!route) {
        call->route = &self->unknown_route;
        store_call_fail(&call->public, ERR_INTERNAL, NULL, "this service has no field %.100s",
                        field);
        return;
    }
    s_run(call, route, route->fn, route->arg);
}

/* REPLAY and HEADS: the body is their arguments. */
static void
s_on_request(endpoint_t *self, peer_t *peer, const bus_record_t *record, json_slice_t body)
{
    json_t *args = json_tree(body);
    if (!args) {
        s_refuse(self, peer, record, ERR_INTERNAL, "the record's body has a number too large",
                 NULL);
        return;
    }
    bool is_replay = record->verb == BUS_REPLAY;
    call_t *call = s_new_call(self, peer, record, args);
    call->public.field = is_replay ? "REPLAY" : "HEADS";
    s_run(call, is_replay ? &self->replay_route : &self->heads_route,
          is_replay ? self->options.replay : self->options.heads, self->options.arg);
}

static void s_on_hello(endpoint_t *self, peer_t *peer, const bus_record_t *record)
{
    size_t offset = bus_record_begin(&peer->out, BUS_HELLO, BUS_FLAG_ANSWER, &record->id, 0);
    self->options.manifest(self->options.arg, &peer->out);
    bus_record_end(&peer->out, offset);
    s_soil(self, peer);
}

static void s_on_record(endpoint_t *self, peer_t *peer, const bus_record_t *record)
{
    if (record->version != BUS_VERSION) {
        char text[96];
        snprintf(text, sizeof text, "bus version %u is not supported, this side speaks %d",
                 record->version, BUS_VERSION);
        s_refuse(self, peer, record, ERR_INTERNAL, text, NULL);
        return;
    }
    if ((record->flags & BUS_FLAG_ANSWER) || record->verb == BUS_EVENT) {
        metric_inc(self->metric_malformed);
        log_warn("bus record that no gateway sends", log_int("verb", record->verb),
                 log_int("flags", record->flags), LOG_END);
        return;
    }
    if (record->verb == BUS_HELLO) {
        s_on_hello(self, peer, record);
        return;
    }
    if (record->deadline_ms && record->deadline_ms <= clock_unix_ms()) {
        metric_inc(self->metric_expired);
        s_refuse(self, peer, record, ERR_TIMEOUT, "the call came after its deadline",
                 "\"outcome\":\"none\"");
        return;
    }
    if (self->calls_count >= self->options.calls_max) {
        s_refuse(self, peer, record, ERR_LIMIT_EXCEEDED, "the store has too many calls in flight",
                 "\"outcome\":\"none\",\"retryAfterMs\":500");
        return;
    }
    size_t error_offset = 0;
    json_slice_t body = json_trim((json_slice_t){record->body, record->body_size});
    if (!json_validate(record->body, record->body_size, BUS_BODY_DEPTH_MAX, &error_offset) ||
        json_kind(body) != JSON_MAP) {
        char text[96];
        snprintf(text, sizeof text, "the record's body is no JSON object (byte %zu)", error_offset);
        s_refuse(self, peer, record, ERR_INTERNAL, text, NULL);
    } else if (record->verb == BUS_CALL) {
        s_on_call(self, peer, record, body);
    } else {
        s_on_request(self, peer, record, body);
    }
}

static void s_on_message(endpoint_t *self, peer_t *peer, const void *data, size_t size)
{
    size_t offset = 0;
    if (size == 0)
        metric_inc(self->metric_malformed);
    while (offset < size) {
        err_t err = ERR_INIT;
        bus_record_t record;
        if (bus_record_read(data, size, &offset, &record, &err) != ERR_OK) {
            char name[2 * PEER_ID_MAX + 1];
            for (size_t i = 0; i < peer->id_size; i++)
                snprintf(name + 2 * i, 3, "%02x", peer->id[i]);
            metric_inc(self->metric_malformed);
            log_warn("malformed bus message", log_str("peer", name), log_str("reason", err.text),
                     LOG_END);
            return;
        }
        s_on_record(self, peer, &record);
    }
}

static peer_t *s_peer(endpoint_t *self, const void *id, size_t size)
{
    peer_t *peer;
    HASH_FIND(hh, self->peers, id, size, peer);
    if (!peer) {
        peer = calloc(1, sizeof *peer + size);
        if (!peer)
            abort();
        memcpy(peer->id, id, size);
        peer->id_size = size;
        peer->out = (buffer_t)BUFFER_INIT(BUS_MESSAGE_MAX);
        HASH_ADD(hh, self->peers, id, size, peer);
    }
    peer->seen_us = clock_mono_us();
    return peer;
}

static bool s_receive(endpoint_t *self)
{
    void *socket = zsock_resolve(self->socket);
    zmq_msg_t id, part;
    zmq_msg_init(&id);
    if (zmq_msg_recv(&id, socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        return false;
    }
    int parts = 0;
    bool more = zmq_msg_more(&id);
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            break;
        }
        more = zmq_msg_more(&part);
        if (parts++ == 0 && !more) /* a bus message is one frame */
            s_on_message(self, s_peer(self, zmq_msg_data(&id), zmq_msg_size(&id)),
                         zmq_msg_data(&part), zmq_msg_size(&part));
        else if (!more)
            metric_inc(self->metric_malformed);
        zmq_msg_close(&part);
    }
    zmq_msg_close(&id);
    return true;
}

static void s_on_readable(void *arg)
{
    endpoint_t *self = arg;
    for (int i = 0; i < MESSAGES_A_CALL; i++)
        if (!self->zmq || !s_receive(self))
            return;
}

/* ---- life ---- */

static void s_free_peer(endpoint_t *self, peer_t *peer)
{
    if (peer->is_dirty)
        DL_DELETE2(self->dirty, peer, prev_dirty, next_dirty);
    HASH_DEL(self->peers, peer);
    buffer_free(&peer->out);
    free(peer);
}

/* Gateways say HELLO every 2 s; who has been silent for long is gone. */
static void s_on_sweep(void *arg)
{
    endpoint_t *self = arg;
    int64_t now_us = clock_mono_us();
    peer_t *peer, *next;
    HASH_ITER(hh, self->peers, peer, next)
    {
        if (peer->calls == 0 && peer->out.size == 0 && now_us - peer->seen_us > PEER_IDLE_US)
            s_free_peer(self, peer);
    }
    metric_set(self->metric_peers, (int64_t)HASH_COUNT(self->peers));
}

static void s_init_route(route_t *route, const char *field)
{
    buffer_t labels = BUFFER_INIT(512);
    metrics_label(&labels, "field", field, strlen(field));
    buffer_put_char(&labels, '\0');
    route->field = field;
    route->time = metrics_latency("parley_store_call_seconds",
                                  "time from a call's arrival to its answer", labels.data);
    buffer_free(&labels);
}

endpoint_t *endpoint_new(loop_t *loop, const endpoint_options_t *options, err_t *err)
{
    zsock_t *socket = bus_socket_bind(BUS_SOCKET_ROUTER, options->bind, options->security, err);
    if (!socket)
        return NULL;
    endpoint_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->options = *options;
    self->options.bind = NULL;
    self->options.security = NULL;
    self->socket = socket;
    s_init_route(&self->replay_route, "REPLAY");
    s_init_route(&self->heads_route, "HEADS");
    s_init_route(&self->unknown_route, "unknown");
    self->metric_calls =
        metrics_gauge("parley_store_calls_in_flight", "calls that are not answered yet", NULL);
    self->metric_malformed = metrics_counter(
        "parley_bus_malformed_total", "bus messages or records that break the protocol", NULL);
    self->metric_expired = metrics_counter("parley_store_calls_expired_total",
                                           "calls that came after their deadline", NULL);
    self->metric_messages =
        metrics_counter("parley_store_bus_messages_sent_total", "messages of answers", NULL);
    self->metric_peers =
        metrics_gauge("parley_store_peers", "gateways that were heard within a minute", NULL);
    self->monitor = bus_monitor_new(loop, socket, "calls");
    self->zmq = loop_zmq_new(loop, zsock_resolve(socket), s_on_readable, self);
    self->sweep = loop_timer_new(loop, s_on_sweep, self);
    loop_timer_start(self->sweep, SWEEP_MS, SWEEP_MS);
    return self;
}

void endpoint_add(endpoint_t *self, const store_handler_t *table, void *arg)
{
    assert(self->calls_count == 0);
    for (; table->field; table++) {
        self->routes = realloc(self->routes, (self->routes_count + 1) * sizeof *self->routes);
        if (!self->routes)
            abort();
        route_t *route = &self->routes[self->routes_count++];
        memset(route, 0, sizeof *route);
        route->fn = table->fn;
        route->arg = arg;
        s_init_route(route, table->field);
    }
}

void endpoint_print_routes(const endpoint_t *self, buffer_t *out)
{
    bool first = true;
    buffer_put_char(out, '[');
    for (size_t i = 0; i < self->routes_count; i++) {
        const char *field = self->routes[i].field;
        if (strncmp(field, "HTTP ", 5) != 0)
            continue;
        const char *method = field + 5;
        size_t method_size = strcspn(method, " ");
        buffer_put_str(out, first ? "{\"method\":" : ",{\"method\":");
        buffer_put_json_string(out, method, method_size);
        buffer_put_str(out, ",\"path\":");
        buffer_put_json_string(out, method + method_size + 1, strlen(method + method_size + 1));
        buffer_put_char(out, '}');
        first = false;
    }
    buffer_put_char(out, ']');
}

size_t endpoint_load(const endpoint_t *self)
{
    return self->calls_count;
}

void endpoint_stop(endpoint_t *self)
{
    loop_zmq_destroy(&self->zmq);
}

void endpoint_destroy(endpoint_t **self_p, int linger_ms)
{
    endpoint_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    s_flush(self);
    loop_defer_cancel(self->loop, s_flush, self);
    call_t *call, *next_call;
    DL_FOREACH_SAFE(self->calls, call, next_call)
    s_free_call(call);
    peer_t *peer, *next_peer;
    HASH_ITER(hh, self->peers, peer, next_peer)
    s_free_peer(self, peer);
    loop_zmq_destroy(&self->zmq);
    loop_timer_destroy(&self->sweep);
    bus_monitor_destroy(&self->monitor);
    zsock_set_linger(self->socket, linger_ms);
    zsock_destroy(&self->socket);
    free(self->routes);
    free(self);
}
