#include "gateway/bus/instance.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/bus/bodies.h"

enum {
    TICK_MS = 1000,
    HELLO_TICKS = 2, /* between an answered HELLO and the next one */
    MUTE_TICKS = 3,  /* a HELLO unanswered for so long: no new calls */
    RETRY_SEND_MS = 5,
    REKEY_MS = 300,       /* after a refusal: quicker than ZeroMQ's own attempts come to an end */
    REKEY_LATE_MS = 1000, /* while the files of keys cannot be read */
    MESSAGES_A_CALL = 32,
    OUT_SPLIT_BYTES = 4 * 1024 * 1024, /* a message is sent when it has grown to this */
    ARENA_MAX_BYTES = 4 * BUS_BODY_MAX,
    COMPLAIN_US = 1000000, /* at most one line a second about a peer's bytes */
};

/* ---- complaints ---- */

static void s_say(instance_t *self, const char *what, const char *reason)
{
    int64_t now = clock_mono_us();
    if (self->complained_at_us != 0 && now - self->complained_at_us < COMPLAIN_US)
        return;
    self->complained_at_us = now;
    log_warn("service sends what it should not", log_str("service", self->name),
             log_str("endpoint", self->endpoint), log_str("part", what), log_str("reason", reason),
             LOG_END);
}

static void s_complain(instance_t *self, const char *what, const char *reason)
{
    metric_inc(self->malformed);
    s_say(self, what, reason);
}

/* ---- sending ---- */

static void s_flush(void *arg)
{
    instance_t *self = arg;
    if (self->out.size == 0 || self->calls == NULL || !link_is_connected(self->calls))
        return; /* on_lost takes the calls back */
    if (!link_send(self->calls, self->out.data, self->out.size)) {
        if (!loop_timer_is_active(self->retry))
            loop_timer_start(self->retry, RETRY_SEND_MS, 0);
        return;
    }
    buffer_clear(&self->out);
    self->vtable->on_flushed(self);
}

static void s_deferred_flush(void *arg)
{
    instance_t *self = arg;
    self->is_flushing = false;
    s_flush(self);
}

bool instance_has_room(const instance_t *self, size_t size)
{
    return self->out.size == 0 || self->out.size + size <= self->out.limit;
}

void instance_send(instance_t *self, const void *record, size_t size)
{
    if (self->out.size > 0 && self->out.size + size > OUT_SPLIT_BYTES)
        s_flush(self);
    buffer_put(&self->out, record, size);
    assert(!self->out.failed); /* instance_has_room was asked */
    if (self->is_flushing)
        return;
    self->is_flushing = true;
    loop_defer(self->loop, s_deferred_flush, self);
}

/* ---- HELLO ---- */

static void s_send_hello(instance_t *self, bool is_new)
{
    if (is_new) {
        self->hello_id = bus_id_random();
        self->hello_is_answered = false;
        self->hello_ticks = 0;
    }
    buffer_t record = BUFFER_INIT(4096);
    size_t at = bus_record_begin(&record, BUS_HELLO, 0, &self->hello_id, 0);
    body_hello(&record, self->gateway_id);
    bus_record_end(&record, at);
    if (!record.failed && instance_has_room(self, record.size))
        instance_send(self, record.data, record.size);
    buffer_free(&record);
}

static void s_on_tick(void *arg)
{
    instance_t *self = arg;
    if (!link_is_connected(self->calls))
        return;
    self->hello_ticks++;
    if (!self->hello_is_answered && self->out.size == 0)
        s_send_hello(self, false);
    else if (self->hello_is_answered && self->hello_ticks >= HELLO_TICKS)
        s_send_hello(self, true);
    if (!self->hello_is_answered && self->hello_ticks == MUTE_TICKS)
        self->vtable->on_state(self);
}

static void s_close_events(instance_t *self)
{
    if (self->events == NULL)
        return;
    link_destroy(&self->events);
    self->vtable->on_state(self);
}

static void s_open_events(instance_t *self);

/* Events come from the same incarnation as the manifest: the SUB follows the DEALER. */
static void s_take_manifest(instance_t *self, manifest_t *manifest)
{
    bool is_same_place =
        self->manifest != NULL && manifest_events(self->manifest) != NULL &&
        manifest_events(manifest) != NULL &&
        strcmp(manifest_events(self->manifest), manifest_events(manifest)) == 0 &&
        strcmp(manifest_incarnation(self->manifest), manifest_incarnation(manifest)) == 0;
    manifest_unref(&self->manifest);
    self->manifest = manifest;
    if (!is_same_place)
        s_close_events(self);
    self->vtable->on_manifest(self);
    if (self->events == NULL && manifest_events(manifest) != NULL)
        s_open_events(self);
}

static void s_on_hello_answer(instance_t *self, const bus_record_t *record)
{
    err_t err = ERR_INIT;
    uint8_t hash[MANIFEST_HASH_SIZE];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)record->body, record->body_size,
                       NULL, 0);
    bool is_news = !self->has_manifest_body || memcmp(hash, self->manifest_body, sizeof hash) != 0;
    memcpy(self->manifest_body, hash, sizeof hash);
    self->has_manifest_body = true;
    manifest_t *manifest = NULL;
    if (record->flags & BUS_FLAG_ERROR) {
        service_answer_t answer;
        body_read_error(self->arena, record->body, record->body_size, &answer);
        err_set(&err, ERR_PROTOCOL, "it refuses HELLO: %s", answer.message);
    } else if (is_news || self->is_manifest_broken || self->manifest == NULL) {
        manifest = manifest_read(record->body, record->body_size, self->name, &err);
    }
    self->is_manifest_broken = err.code != ERR_OK;
    if (err.code != ERR_OK && is_news)
        log_error("service refused", log_str("service", self->name),
                  log_str("endpoint", self->endpoint), log_str("reason", err.text), LOG_END);
    if (err.code != ERR_OK) { /* counts as unanswered; what was there before stays */
        self->vtable->on_state(self);
        return;
    }
    self->hello_is_answered = true;
    self->hello_ticks = 0;
    if (manifest != NULL)
        s_take_manifest(self, manifest);
    else if (self->manifest != NULL && !self->is_accepted)
        self->vtable->on_manifest(self); /* what it collided with may be gone */
    self->vtable->on_state(self);
}

/* ---- receiving ---- */

static void s_on_record(instance_t *self, const bus_record_t *record)
{
    bool is_answer = (record->flags & BUS_FLAG_ANSWER) != 0;
    arena_reset(self->arena);
    if (record->version != BUS_VERSION)
        s_complain(self, "answer", "it is of another version of the bus");
    else if (!is_answer || record->verb == BUS_EVENT)
        s_complain(self, "answer", "a gateway answers no requests");
    else if (record->verb != BUS_HELLO)
        self->vtable->on_answer(self, record);
    else if (bus_id_equal(&record->id, &self->hello_id) && !self->hello_is_answered)
        s_on_hello_answer(self, record);
    else
        metric_inc(self->dropped);
}

static void s_on_message(instance_t *self, const void *data, size_t size)
{
    for (size_t offset = 0; offset < size;) {
        err_t err = ERR_INIT;
        bus_record_t record;
        if (bus_record_read(data, size, &offset, &record, &err) != ERR_OK) {
            s_complain(self, "answer", err.text);
            return;
        }
        s_on_record(self, &record);
    }
}

/* Receives the rest of a message that has more frames than it should. */
static void s_skip(link_t *link)
{
    for (bool more = true; more;) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (!link_receive(link, &frame, &more))
            more = false;
        zmq_msg_close(&frame);
    }
}

static void s_on_answers(void *arg)
{
    instance_t *self = arg;
    for (int i = 0; i < MESSAGES_A_CALL; i++) {
        bool more = false;
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        bool is_there = link_receive(self->calls, &frame, &more);
        if (is_there && more) {
            s_skip(self->calls);
            s_complain(self, "answer", "it is of more than one frame");
        } else if (is_there) {
            s_on_message(self, zmq_msg_data(&frame), zmq_msg_size(&frame));
        }
        zmq_msg_close(&frame);
        if (!is_there)
            return;
    }
}

static void s_on_event(instance_t *self, const char *topic, size_t topic_size, zmq_msg_t *body)
{
    err_t err = ERR_INIT;
    bus_record_t record;
    service_event_t event = {.service = self->name, .instance = self->id};
    const char *incarnation;
    size_t offset = 0;
    arena_reset(self->arena);
    if (bus_record_read(zmq_msg_data(body), zmq_msg_size(body), &offset, &record, &err) != ERR_OK ||
        record.version != BUS_VERSION || record.verb != BUS_EVENT || record.flags != 0) {
        s_complain(self, "event", err.code != ERR_OK ? err.text : "it is no event");
        return;
    }
    if (body_read_event(self->arena, topic, topic_size, record.body, record.body_size, &event,
                        &incarnation, &err) != ERR_OK) {
        s_complain(self, "event", err.text);
        return;
    }
    /* A head proves something only about the incarnation that is connected (proto/bus.md 7). */
    if (event.kind == SERVICE_EVENT_HEAD &&
        strcmp(incarnation, manifest_incarnation(self->manifest)) != 0)
        return;
    self->vtable->on_event(self, &event);
}

static bool s_read_event(instance_t *self)
{
    bool more = false;
    zmq_msg_t topic, body;
    zmq_msg_init(&topic);
    zmq_msg_init(&body);
    bool is_there = link_receive(self->events, &topic, &more);
    bool has_body = is_there && more && link_receive(self->events, &body, &more);
    if (is_there && more)
        s_skip(self->events);
    if (has_body && !more)
        s_on_event(self, zmq_msg_data(&topic), zmq_msg_size(&topic), &body);
    else if (is_there)
        s_complain(self, "event", "it is not of two frames");
    zmq_msg_close(&topic);
    zmq_msg_close(&body);
    return is_there;
}

static void s_on_events(void *arg)
{
    instance_t *self = arg;
    for (int i = 0; i < MESSAGES_A_CALL; i++)
        if (!s_read_event(self))
            return;
}

/* ---- the connection ---- */

static void s_on_connected(void *arg)
{
    instance_t *self = arg;
    log_info("service connected", log_str("service", self->name),
             log_str("endpoint", self->endpoint), LOG_END);
    self->has_manifest_body = false;
    s_send_hello(self, true);
    loop_timer_start(self->timer, TICK_MS, TICK_MS);
    self->vtable->on_state(self);
}

/* Back to where nothing is known of the instance. */
static void s_forget(instance_t *self)
{
    loop_timer_stop(self->timer);
    loop_timer_stop(self->retry);
    buffer_clear(&self->out);
    manifest_unref(&self->manifest);
    self->has_manifest_body = false;
    self->is_manifest_broken = false;
    self->hello_is_answered = false;
    link_destroy(&self->events);
}

static void s_on_lost(void *arg)
{
    instance_t *self = arg;
    log_warn("service lost", log_str("service", self->name), log_str("endpoint", self->endpoint),
             LOG_END);
    metric_inc(self->reconnects);
    s_forget(self);
    self->vtable->on_lost(self);
    self->vtable->on_state(self);
}

static void s_on_refused(void *arg, const char *reason)
{
    instance_t *self = arg;
    metric_inc(self->refused);
    s_say(self, "handshake", reason);
    if (!loop_timer_is_active(self->rekey))
        loop_timer_start(self->rekey, REKEY_MS, 0);
}

static void s_on_rekey(void *arg)
{
    instance_t *self = arg;
    if (instance_is_connected(self) && instance_is_live(self))
        return; /* it has come about meanwhile */
    self->key_turn++;
    self->vtable->on_refused(self);
}

static void s_on_events_changed(void *arg)
{
    instance_t *self = arg;
    self->vtable->on_state(self);
}

static const link_vtable_t s_calls_vtable = {
    .on_readable = s_on_answers,
    .on_connected = s_on_connected,
    .on_lost = s_on_lost,
    .on_refused = s_on_refused,
};

static const link_vtable_t s_events_vtable = {
    .on_readable = s_on_events,
    .on_connected = s_on_events_changed,
    .on_lost = s_on_events_changed,
    .on_refused = s_on_refused,
};

/* `tcp://` followed by `*` stands for the address that the service was reached at. */
static void s_events_endpoint(const instance_t *self, char out[SERVICE_ENDPOINT_SIZE])
{
    char host[SERVICE_HOST_SIZE], port[6], own_host[SERVICE_HOST_SIZE], own_port[6];
    const char *announced = manifest_events(self->manifest);
    if (service_endpoint_split(announced, host, port) && strcmp(host, "*") == 0 &&
        service_endpoint_split(self->endpoint, own_host, own_port))
        service_endpoint_join(out, own_host, port);
    else
        snprintf(out, SERVICE_ENDPOINT_SIZE, "%s", announced);
}

static void s_open_events(instance_t *self)
{
    err_t err = ERR_INIT;
    char endpoint[SERVICE_ENDPOINT_SIZE];
    s_events_endpoint(self, endpoint);
    self->events = link_new(self->loop, BUS_SOCKET_SUB, endpoint, self->name, self->key_turn,
                            self->security, &s_events_vtable, self, &err);
    if (self->events == NULL) {
        log_error("events of the service cannot be reached", log_str("service", self->name),
                  log_str("endpoint", endpoint), log_str("reason", err.text), LOG_END);
        return;
    }
    self->vtable->on_events_open(self);
}

void instance_topic(instance_t *self, const char *stream, bool subscribe)
{
    /* The NUL is part of the topic (proto/bus.md 7). */
    if (self->events != NULL)
        link_topic(self->events, stream, strlen(stream) + 1, subscribe);
}

bool instance_is_connected(const instance_t *self)
{
    return self->calls != NULL && link_is_connected(self->calls);
}

/* HELLO has had no answer for long. */
static bool s_is_mute(const instance_t *self)
{
    return !self->hello_is_answered && self->hello_ticks >= MUTE_TICKS;
}

bool instance_is_callable(const instance_t *self)
{
    return instance_is_connected(self) && self->manifest != NULL && self->is_accepted &&
           manifest_is_ready(self->manifest) && !s_is_mute(self);
}

bool instance_is_live(const instance_t *self)
{
    return self->manifest != NULL && (manifest_events(self->manifest) == NULL ||
                                      (self->events != NULL && link_is_connected(self->events)));
}

circuit_state_t instance_state(const instance_t *self)
{
    if (!instance_is_connected(self))
        return CIRCUIT_DOWN;
    if (self->manifest == NULL && self->has_manifest_body)
        return CIRCUIT_REFUSED;
    if (s_is_mute(self))
        return CIRCUIT_SUSPECT;
    if (self->manifest == NULL)
        return CIRCUIT_JOINING;
    if (!self->is_accepted)
        return CIRCUIT_REFUSED;
    if (!manifest_is_ready(self->manifest))
        return CIRCUIT_UNREADY;
    return instance_is_live(self) ? CIRCUIT_UP : CIRCUIT_JOINING;
}

static link_t *s_open_calls(instance_t *self, err_t *err)
{
    return link_new(self->loop, BUS_SOCKET_DEALER, self->endpoint, self->name, self->key_turn,
                    self->security, &s_calls_vtable, self, err);
}

instance_t *instance_new(const instance_options_t *options,
                         uint32_t id,
                         const char *name,
                         const char *endpoint,
                         err_t *err)
{
    instance_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->id = id;
    self->loop = options->loop;
    self->security = options->security;
    self->vtable = options->vtable;
    self->gateway_id = options->gateway_id;
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(self->endpoint, sizeof self->endpoint, "%s", endpoint);
    list_init(&self->node);
    list_init(&self->buffered);
    list_init(&self->sent);
    self->out = (buffer_t)BUFFER_INIT(BUS_MESSAGE_MAX);
    self->arena = arena_new(ARENA_MAX_BYTES);
    self->timer = loop_timer_new(self->loop, s_on_tick, self);
    self->retry = loop_timer_new(self->loop, s_flush, self);
    self->rekey = loop_timer_new(self->loop, s_on_rekey, self);
    buffer_t labels = BUFFER_INIT(1024);
    metrics_label(&labels, "service", name, strlen(name));
    buffer_put_char(&labels, '\0');
    self->malformed = metrics_counter("parley_bus_malformed_total",
                                      "Bytes from services that broke the protocol", labels.data);
    self->reconnects = metrics_counter("parley_bus_reconnects_total",
                                       "Connections to services that were lost", labels.data);
    self->dropped = metrics_counter("parley_bus_unknown_answers_total",
                                    "Answers that nobody waits for (late, repeated)", labels.data);
    self->refused = metrics_counter("parley_bus_handshakes_refused_total",
                                    "Connections to services whose handshake failed", labels.data);
    buffer_free(&labels);
    circuit_open(&self->circuit, name, endpoint);
    self->calls = s_open_calls(self, err);
    if (self->calls == NULL)
        instance_destroy(&self);
    return self;
}

void instance_destroy(instance_t **self_p)
{
    instance_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_deferred_flush, self);
    s_forget(self);
    link_destroy(&self->calls);
    loop_timer_destroy(&self->timer);
    loop_timer_destroy(&self->retry);
    loop_timer_destroy(&self->rekey);
    arena_destroy(&self->arena);
    buffer_free(&self->out);
    circuit_close(&self->circuit);
    free(self);
}

void instance_restart(instance_t *self)
{
    err_t err = ERR_INIT;
    bool was_connected = instance_is_connected(self);
    link_destroy(&self->calls);
    s_forget(self);
    self->calls = s_open_calls(self, &err);
    if (self->calls == NULL) { /* it could be opened before: the keys are gone */
        log_error("service cannot be reached", log_str("service", self->name),
                  log_str("endpoint", self->endpoint), log_str("reason", err.text), LOG_END);
        loop_timer_start(self->rekey, REKEY_LATE_MS, 0);
    }
    if (!was_connected)
        return;
    metric_inc(self->reconnects);
    self->vtable->on_lost(self);
    self->vtable->on_state(self);
}
