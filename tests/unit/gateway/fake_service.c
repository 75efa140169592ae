#include "fake_service.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

static zframe_t *s_gateway; /* routing id of the last caller; one service at a time sends by it */

void fake_place_make(fake_place_t *self)
{
    snprintf(self->folder, sizeof self->folder, "/tmp/parley-bus-XXXXXX");
    if (mkdtemp(self->folder) == NULL)
        abort();
    for (int i = 0; i < 2; i++) {
        snprintf(self->calls[i], sizeof self->calls[i], "ipc://%s/c%d", self->folder, i);
        snprintf(self->events[i], sizeof self->events[i], "ipc://%s/e%d", self->folder, i);
    }
}

void fake_place_remove(const fake_place_t *self)
{
    char path[96];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%c%d", self->folder, "ce"[i % 2], i / 2);
        unlink(path);
    }
    rmdir(self->folder);
}

int fake_service_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    close(fd);
    return ntohs(address.sin_port);
}

static void s_write_manifest(fake_service_t *self, const bus_id_t *id, buffer_t *out)
{
    size_t at = bus_record_begin(out, BUS_HELLO, BUS_FLAG_ANSWER, id, 0);
    buffer_printf(out, "{\"name\":\"%s\",\"incarnation\":\"%s\",\"ready\":%s,\"sdl\":", self->name,
                  self->incarnation, self->is_ready ? "true" : "false");
    buffer_put_json_string(out, self->sdl, strlen(self->sdl));
    if (self->events != NULL)
        buffer_printf(out, ",\"events\":\"%s\"", self->events);
    if (self->epoch != NULL)
        buffer_printf(out, ",\"epoch\":\"%s\"", self->epoch);
    buffer_printf(out, "%s}", self->more != NULL ? self->more : "");
    bus_record_end(out, at);
}

static void s_on_record(fake_service_t *self, const bus_record_t *record, buffer_t *out)
{
    if (record->verb == BUS_HELLO) {
        self->hellos++;
        if (!self->is_deaf)
            s_write_manifest(self, &record->id, out);
        return;
    }
    self->calls++;
    self->last_id = record->id;
    size_t size = record->body_size < sizeof self->last_body - 1 ? record->body_size
                                                                 : sizeof self->last_body - 1;
    memcpy(self->last_body, record->body, size);
    self->last_body[size] = '\0';
    if (self->is_silent)
        return;
    if (self->on_call != NULL) {
        self->on_call(self, record, out);
        return;
    }
    bus_record_t answer = {.verb = record->verb,
                           .flags = BUS_FLAG_ANSWER,
                           .id = record->id,
                           .body = record->body,
                           .body_size = record->body_size};
    bus_record_write(out, &answer);
}

void fake_service_send(fake_service_t *self, const void *data, size_t size)
{
    zframe_t *frame = zframe_dup(s_gateway);
    zframe_send(&frame, self->router, ZFRAME_MORE);
    zmq_send(zsock_resolve(self->router), data, size, 0);
    loop_zmq_kick(self->router_watch);
}

static void s_on_router(void *arg)
{
    fake_service_t *self = arg;
    zframe_destroy(&s_gateway);
    s_gateway = zframe_recv(self->router);
    zframe_t *message = zframe_recv(self->router);
    buffer_t out = BUFFER_INIT(BUS_MESSAGE_MAX);
    self->messages++;
    for (size_t offset = 0; offset < zframe_size(message);) {
        bus_record_t record;
        if (bus_record_read(zframe_data(message), zframe_size(message), &offset, &record, NULL) !=
            ERR_OK)
            abort(); /* a gateway writes nothing else */
        s_on_record(self, &record, &out);
    }
    if (out.size > 0)
        fake_service_send(self, out.data, out.size);
    buffer_free(&out);
    zframe_destroy(&message);
}

void fake_service_publish(fake_service_t *self, const char *stream, const char *body)
{
    buffer_t out = BUFFER_INIT(BUS_MESSAGE_MAX);
    bus_record_t record = {.verb = BUS_EVENT, .body = body, .body_size = strlen(body)};
    bus_record_write(&out, &record);
    zmq_send(zsock_resolve(self->xpub), stream, strlen(stream) + 1, ZMQ_SNDMORE);
    zmq_send(zsock_resolve(self->xpub), out.data, out.size, 0);
    loop_zmq_kick(self->xpub_watch);
    buffer_free(&out);
}

void fake_service_event(
    fake_service_t *self, const char *stream, uint64_t seq, const char *kind, const char *rest)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"stream\":\"%s\",\"epoch\":\"%s\",\"seq\":%" PRIu64
             ",\"kind\":\"%s\",\"incarnation\":\"%s\"%s}",
             stream, self->epoch, seq, kind, self->incarnation, rest);
    fake_service_publish(self, stream, body);
}

static void s_on_xpub(void *arg)
{
    fake_service_t *self = arg;
    zframe_t *frame = zframe_recv(self->xpub);
    const char *data = (const char *)zframe_data(frame);
    size_t size = zframe_size(frame);
    if (size > 2 && data[0] == 1 && data[size - 1] == '\0') {
        self->topics++;
        snprintf(self->last_topic, sizeof self->last_topic, "%s", data + 1);
        if (self->answers_heads)
            fake_service_event(self, self->last_topic,
                               self->head_of != NULL ? self->head_of(self->last_topic) : self->head,
                               "head", "");
    }
    zframe_destroy(&frame);
}

void fake_service_open(fake_service_t *self,
                       loop_t *loop,
                       const char *endpoint,
                       const char *events_endpoint,
                       const bus_security_t *security)
{
    static const bus_security_t plain = {.plain_tcp = true};
    err_t err = ERR_INIT;
    self->loop = loop;
    self->router = bus_socket_bind(BUS_SOCKET_ROUTER, endpoint, security ? security : &plain, &err);
    if (self->router == NULL) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    self->router_watch = loop_zmq_new(loop, zsock_resolve(self->router), s_on_router, self);
    if (events_endpoint == NULL)
        return;
    self->xpub =
        bus_socket_bind(BUS_SOCKET_XPUB, events_endpoint, security ? security : &plain, &err);
    if (self->xpub == NULL)
        abort();
    self->xpub_watch = loop_zmq_new(loop, zsock_resolve(self->xpub), s_on_xpub, self);
}

void fake_service_close(fake_service_t *self)
{
    loop_zmq_destroy(&self->router_watch);
    loop_zmq_destroy(&self->xpub_watch);
    zsock_destroy(&self->router);
    zsock_destroy(&self->xpub);
    zframe_destroy(&s_gateway);
}

static void s_on_pulse(uv_timer_t *timer)
{
    (void)timer; /* wakes uv_run */
}

bool turn_until(loop_t *loop, bool (*is_done)(void *arg), void *arg, int timeout_ms)
{
    int64_t end_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    uv_timer_t pulse;
    uv_timer_init(loop_uv(loop), &pulse);
    uv_timer_start(&pulse, s_on_pulse, 5, 5);
    bool done = is_done(arg);
    while (!done && clock_mono_us() < end_us) {
        uv_run(loop_uv(loop), UV_RUN_ONCE);
        done = is_done(arg);
    }
    uv_close((uv_handle_t *)&pulse, NULL);
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    return done;
}

static bool s_never(void *arg)
{
    (void)arg;
    return false;
}

void turn_for(loop_t *loop, int ms)
{
    turn_until(loop, s_never, NULL, ms);
}
