#include "feed_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/metrics.h"

world_t world;

/* ---- the bus ---- */

struct service_call {
    service_call_t *next;
    bus_verb_t verb;
    int stream;
    uint64_t after;
    uint32_t last, limit;
    int streams[1000];
    size_t count;
    char identity[64];   /* of a CALL */
    int64_t deadline_ms; /* of a CALL */
    service_answer_fn fn;
    void *arg;
};

static service_call_t *s_calls;
static services_listener_t s_listener;
static void *s_listener_arg;
static service_manifest_t s_manifest = {.name = "store"};

static int s_stream_index(const char *name)
{
    for (int i = 0; i < WORLD_STREAMS; i++)
        if (strcmp(world.streams[i].name, name) == 0)
            return i;
    abort();
}

void services_listen(services_t *self, const services_listener_t *listener, void *arg)
{
    (void)self;
    s_listener = *listener;
    s_listener_arg = arg;
}

size_t services_count(const services_t *self)
{
    (void)self;
    return 1;
}

const service_manifest_t *services_manifest(const services_t *self, size_t index)
{
    (void)self;
    (void)index;
    s_manifest.epoch = world.announced[0] != '\0' ? world.announced : NULL;
    return &s_manifest;
}

size_t services_instances(const services_t *self, const char *name, uint32_t *out, size_t max)
{
    size_t count = 0;
    (void)self;
    for (uint32_t i = 0; strcmp(name, "store") == 0 && i < WORLD_INSTANCES; i++)
        if (world.instances[i].is_up && count < max)
            out[count++] = i + 1;
    return count;
}

static service_call_t *s_add_call(bus_verb_t verb, service_answer_fn fn, void *arg)
{
    service_call_t *call = calloc(1, sizeof *call);
    call->verb = verb;
    call->fn = fn;
    call->arg = arg;
    service_call_t **at = &s_calls;
    while (*at != NULL)
        at = &(*at)->next;
    *at = call;
    return call;
}

static void s_remove_call(service_call_t *call)
{
    world.calls_under_way -= call->verb == BUS_CALL;
    service_call_t **at = &s_calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

void service_call_cancel(service_call_t **call_p)
{
    if (*call_p == NULL)
        return;
    s_remove_call(*call_p);
    free(*call_p);
    *call_p = NULL;
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
    (void)self;
    (void)service;
    assert(deadline_ms > clock_unix_ms() && limit >= 1 && limit <= 1000);
    service_call_t *call = s_add_call(BUS_REPLAY, fn, arg);
    call->stream = s_stream_index(stream);
    call->after = after;
    call->last = last;
    call->limit = limit;
    world.replays++;
    return call;
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
    (void)self;
    (void)service;
    assert(deadline_ms > clock_unix_ms() && count >= 1 && count <= 1000);
    service_call_t *call = s_add_call(BUS_HEADS, fn, arg);
    call->count = count;
    for (size_t i = 0; i < count; i++)
        call->streams[i] = s_stream_index(streams[i]);
    world.heads++;
    world.settled += settled;
    return call;
}

/* SUB drops what it is no longer subscribed to. */
static void s_drop_frames(world_instance_t *self, int stream)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->frame_count; i++)
        if (self->frames[i].stream != stream)
            self->frames[kept++] = self->frames[i];
    self->frame_count = kept;
}

service_call_t *
services_call(services_t *self, const service_request_t *request, service_answer_fn fn, void *arg)
{
    (void)self;
    assert(strcmp(request->service, "profiles") == 0);
    assert(strcmp(request->field, "Message.author") == 0);
    assert(request->deadline_ms > clock_unix_ms() && request->request == NULL);
    service_call_t *call = s_add_call(BUS_CALL, fn, arg);
    call->deadline_ms = request->deadline_ms;
    snprintf(call->identity, sizeof call->identity, "%.*s", (int)request->identity.size,
             request->identity.size > 0 ? request->identity.data : "");
    world.calls++;
    world.calls_under_way++;
    if (world.calls_most < world.calls_under_way)
        world.calls_most = world.calls_under_way;
    return call;
}

void services_subscribe(services_t *self, const char *service, const char *stream)
{
    (void)self;
    if (strcmp(service, "store") != 0)
        return;
    int index = s_stream_index(stream);
    world.streams[index].uses++;
    for (int i = 0; i < WORLD_INSTANCES; i++)
        if (world.instances[i].is_up)
            world.instances[i].surfaces[index]++;
}

void services_unsubscribe(services_t *self, const char *service, const char *stream)
{
    (void)self;
    if (strcmp(service, "store") != 0)
        return;
    int index = s_stream_index(stream);
    assert(world.streams[index].uses > 0);
    if (--world.streams[index].uses > 0)
        return;
    for (int i = 0; i < WORLD_INSTANCES; i++) {
        world.instances[i].knows[index] = false;
        world.instances[i].surfaces[index] = 0;
        s_drop_frames(&world.instances[i], index);
    }
}

void services_poke(services_t *self, uint32_t instance, const char *stream)
{
    (void)self;
    world.pokes++;
    world.instances[instance - 1].surfaces[s_stream_index(stream)]++;
}

void services_reconnect(services_t *self, uint32_t instance)
{
    (void)self;
    (void)instance;
    world.reconnects++; /* a test does it with world_set_up */
}

/* ---- instances ---- */

static void s_queue(int instance, const world_frame_t *frame)
{
    world_instance_t *self = &world.instances[instance];
    if (self->frame_count < sizeof self->frames / sizeof self->frames[0])
        self->frames[self->frame_count++] = *frame;
}

void world_publish_head(int instance, int stream, uint64_t seq)
{
    if (!world.instances[instance].knows[stream])
        return; /* nobody would get it */
    world_frame_t frame = {.stream = stream, .is_head = true, .seq = seq};
    snprintf(frame.epoch, sizeof frame.epoch, "%s", world.epoch);
    s_queue(instance, &frame);
}

uint64_t world_commit(int stream, char type, char who, int instance)
{
    world_stream_t *self = &world.streams[stream];
    if (self->head == self->capacity) {
        self->capacity = self->capacity > 0 ? self->capacity * 2 : 64;
        self->events = realloc(self->events, self->capacity * sizeof self->events[0]);
    }
    self->events[self->head++] = (world_event_t){type, who};
    if (instance >= 0 && world.instances[instance].is_up &&
        world.instances[instance].knows[stream]) {
        world_frame_t frame = {
            .stream = stream, .seq = self->head, .event = self->events[self->head - 1]};
        snprintf(frame.epoch, sizeof frame.epoch, "%s", world.epoch);
        s_queue(instance, &frame);
    }
    return self->head;
}

void world_commit_some(int count, char type, int instance)
{
    for (int i = 0; i < count; i++)
        world_commit(0, type, ' ', instance);
}

void world_surface(int instance)
{
    world_instance_t *self = &world.instances[instance];
    for (int i = 0; i < WORLD_STREAMS && self->is_up && !self->is_mute; i++)
        if (self->surfaces[i] > 0 && !self->is_mute_of[i]) {
            self->surfaces[i] = 0;
            self->knows[i] = true;
            world_publish_head(instance, i, world.streams[i].head);
        }
}

void world_set_up(int instance, bool up)
{
    world_instance_t *self = &world.instances[instance];
    if (self->is_up == up)
        return;
    self->is_up = up;
    self->frame_count = 0;
    for (int i = 0; i < WORLD_STREAMS; i++) {
        self->knows[i] = false;
        self->surfaces[i] = up && world.streams[i].uses > 0;
    }
    if (s_listener.on_instance != NULL)
        s_listener.on_instance(s_listener_arg, "store", (uint32_t)instance + 1, up);
}

static bool s_is_revoke(world_event_t event)
{
    return event.type == 'R' || event.type == 'S';
}

static void s_print_payload(char *out, size_t size, int stream, uint64_t seq, world_event_t event)
{
    if (event.type == 'R')
        snprintf(out, size, "{\"handle\":\"%c\"}", event.who);
    else if (event.type == 'S')
        snprintf(out, size, "{\"handle\":\"h\",\"sub\":\"%c\"}", event.who);
    else
        snprintf(out, size, "{\"stream\":%d,\"seq\":%" PRIu64 "}", stream, seq);
}

void world_deliver(int instance, size_t index, bool keep)
{
    world_instance_t *self = &world.instances[instance];
    if (index >= self->frame_count)
        return;
    world_frame_t frame = self->frames[index];
    if (!keep)
        memmove(&self->frames[index], &self->frames[index + 1],
                (--self->frame_count - index) * sizeof frame);
    char payload[64];
    s_print_payload(payload, sizeof payload, frame.stream, frame.seq, frame.event);
    bool is_revoke = s_is_revoke(frame.event);
    service_event_t event = {.service = "store",
                             .stream = world.streams[frame.stream].name,
                             .epoch = frame.epoch,
                             .seq = frame.seq,
                             .kind = frame.is_head
                                         ? SERVICE_EVENT_HEAD
                                         : (is_revoke ? SERVICE_EVENT_REVOKE : SERVICE_EVENT_DATA),
                             .instance = (uint32_t)instance + 1};
    if (!frame.is_head) {
        event.payload = (json_slice_t){payload, strlen(payload)};
        if (!is_revoke)
            event.type = (json_slice_t){&frame.event.type, 1};
    }
    s_listener.on_event(s_listener_arg, &event);
}

void world_tell_change(void)
{
    s_listener.on_change(s_listener_arg);
}

/* ---- answers ---- */

static void s_write_replay(const service_call_t *call, buffer_t *out)
{
    const world_stream_t *stream = &world.streams[call->stream];
    uint64_t from = call->after + 1;
    if (call->last > 0)
        from = stream->head >= call->last ? stream->head - call->last + 1 : 1;
    if (from < stream->first)
        from = stream->first;
    uint32_t limit = world.cut > 0 && world.cut < call->limit ? world.cut : call->limit;
    buffer_printf(out,
                  "{\"stream\":\"%s\",\"epoch\":\"%s\",\"head\":%" PRIu64 ",\"first\":%" PRIu64
                  ",\"events\":[",
                  stream->name, world.epoch, stream->head, stream->first);
    for (uint32_t i = 0; i < limit && from + i <= stream->head; i++) {
        char payload[64];
        world_event_t event = stream->events[from + i - 1];
        s_print_payload(payload, sizeof payload, call->stream, from + i, event);
        buffer_printf(out, "%s{\"seq\":%" PRIu64 ",\"payload\":%s,", i > 0 ? "," : "", from + i,
                      payload);
        if (s_is_revoke(event))
            buffer_put_str(out, "\"kind\":\"revoke\"}");
        else
            buffer_printf(out, "\"type\":\"%c\"}", event.type);
    }
    buffer_put_str(out, "]}");
}

static void s_write_heads(const service_call_t *call, buffer_t *out)
{
    buffer_printf(out, "{\"epoch\":\"%s\",\"heads\":[", world.epoch);
    for (size_t i = 0; i < call->count; i++) {
        const world_stream_t *stream = &world.streams[call->streams[i]];
        buffer_printf(out, "%s{\"stream\":\"%s\",\"head\":%" PRIu64 ",\"first\":%" PRIu64 "}",
                      i > 0 ? "," : "", stream->name, stream->head, stream->first);
    }
    buffer_put_str(out, "]}");
}

size_t world_request_count(void)
{
    size_t count = 0;
    for (const service_call_t *call = s_calls; call != NULL; call = call->next)
        count++;
    return count;
}

/* The services of fields below the root say who asked. */
static void s_answer_call(service_call_t *call, const char *failure)
{
    service_answer_t answer = {.ok = failure == NULL, .code = failure, .message = "no"};
    answer.json = (json_slice_t){call->identity, strlen(call->identity)};
    s_remove_call(call);
    call->fn(call->arg, &answer);
    free(call);
}

void world_end_calls(void)
{
    service_call_t *next;
    for (service_call_t *call = s_calls; call != NULL; call = next) {
        next = call->next;
        if (call->verb != BUS_CALL || call->deadline_ms - 50 > clock_unix_ms())
            continue;
        s_answer_call(call, "UNAVAILABLE");
        next = s_calls; /* the list has changed */
    }
}

bool world_answer(size_t index)
{
    service_call_t *call = s_calls;
    while (call != NULL && ((world.holds_calls && call->verb == BUS_CALL) || index-- > 0))
        call = call->next;
    if (call == NULL)
        return false;
    if (call->verb == BUS_CALL) {
        s_answer_call(call, world.fails_with);
        return true;
    }
    s_remove_call(call);
    buffer_t out = BUFFER_INIT(64 * 1024 * 1024);
    service_answer_t answer = {.ok = world.fails_with == NULL};
    if (world.gives_rubbish)
        buffer_put_str(&out, "{\"stream\":1}");
    else if (call->verb == BUS_REPLAY)
        s_write_replay(call, &out);
    else
        s_write_heads(call, &out);
    if (world.fails_with != NULL)
        answer.code = world.fails_with;
    answer.json = (json_slice_t){out.data, out.size};
    call->fn(call->arg, &answer);
    free(call);
    buffer_free(&out);
    return true;
}

void world_flow(void)
{
    for (int round = 0; round < 200; round++) {
        bool is_busy = world_turn();
        for (int i = 0; i < WORLD_INSTANCES; i++) {
            world_surface(i);
            while (world.instances[i].frame_count > 0) {
                world_deliver(i, 0, false);
                is_busy = true;
            }
        }
        while (world_answer(0))
            is_busy = true;
        if (!is_busy && world_request_count() == 0)
            return;
    }
}

/* ---- life ---- */

void world_open(void)
{
    for (int i = 0; i < WORLD_STREAMS; i++)
        free(world.streams[i].events);
    memset(&world, 0, sizeof world);
    for (int i = 0; i < WORLD_STREAMS; i++) {
        snprintf(world.streams[i].name, sizeof world.streams[i].name, "room/%c", 'a' + i);
        world.streams[i].first = 1;
    }
    snprintf(world.epoch, sizeof world.epoch, "00c0ffee00c0ffee");
    snprintf(world.announced, sizeof world.announced, "%s", world.epoch);
    world.holes = 1;
    memset(&s_listener, 0, sizeof s_listener);
    world_open_loop();
}

void world_close(void)
{
    world_turn();
    assert(world_loop_is_empty() && s_calls == NULL && world_executions() == 0);
    for (int i = 0; i < WORLD_STREAMS; i++) {
        assert(world.streams[i].uses == 0);
        free(world.streams[i].events);
        world.streams[i].events = NULL;
    }
    metrics_shutdown();
    clock_test_off();
}

feed_t *world_feed(const feed_limits_t *limits)
{
    /* The fakes never look into them. */
    return feed_new((loop_t *)&world, (services_t *)&world, limits);
}
