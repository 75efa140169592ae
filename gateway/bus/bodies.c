#include "gateway/bus/bodies.h"

#include <string.h>

#include "common/bus_record.h"
#include "common/cursor.h"

/* ---- writing ---- */

static void s_put_string(buffer_t *out, const char *text)
{
    buffer_put_json_string(out, text, strlen(text));
}

void body_hello(buffer_t *out, const char *gateway_id)
{
    buffer_put_str(out, "{\"gateway\":");
    s_put_string(out, gateway_id);
    buffer_printf(out, ",\"versions\":[%d]}", BUS_VERSION);
}

void body_call(buffer_t *out, const service_request_t *request)
{
    buffer_put_str(out, "{\"field\":");
    s_put_string(out, request->field);
    buffer_put_str(out, ",\"args\":");
    if (request->args.size > 0)
        buffer_put(out, request->args.data, request->args.size);
    else
        buffer_put_str(out, "{}");
    if (request->identity.size > 0) {
        buffer_put_str(out, ",\"identity\":");
        buffer_put(out, request->identity.data, request->identity.size);
    }
    if (request->selection.size > 0) {
        buffer_put_str(out, ",\"selection\":");
        buffer_put(out, request->selection.data, request->selection.size);
    }
    if (request->request != NULL) {
        buffer_put_str(out, ",\"request\":");
        s_put_string(out, request->request);
    }
    if (request->traceparent != NULL) {
        buffer_put_str(out, ",\"traceparent\":");
        s_put_string(out, request->traceparent);
    }
    if (request->client != NULL && *request->client != '\0') {
        buffer_put_str(out, ",\"client\":");
        s_put_string(out, request->client);
    }
    if (request->resume.size > 0) {
        buffer_put_str(out, ",\"resume\":");
        buffer_put_json_string(out, request->resume.data, request->resume.size);
    }
    buffer_put_char(out, '}');
}

void body_replay(buffer_t *out, const char *stream, uint64_t after, uint32_t last, uint32_t limit)
{
    buffer_put_str(out, "{\"stream\":");
    s_put_string(out, stream);
    buffer_put_str(out, last > 0 ? ",\"last\":" : ",\"after\":");
    buffer_put_uint(out, last > 0 ? last : after);
    buffer_put_str(out, ",\"limit\":");
    buffer_put_uint(out, limit);
    buffer_put_char(out, '}');
}

void body_heads(buffer_t *out, const char *const *streams, size_t count, bool settled)
{
    buffer_put_str(out, "{\"streams\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_put_char(out, ',');
        s_put_string(out, streams[i]);
    }
    buffer_put_str(out, settled ? "],\"settled\":true}" : "]}");
}

/* ---- reading ---- */

void body_read_error(arena_t *arena, const char *body, size_t size, service_answer_t *answer)
{
    json_slice_t value;
    *answer = (service_answer_t){.code = err_code_name(ERR_INTERNAL),
                                 .message = "the service's error has no message"};
    if (!json_validate(body, size, BUS_BODY_DEPTH_MAX, NULL)) {
        answer->message = "the service's error is no JSON";
        return;
    }
    json_slice_t map = json_trim((json_slice_t){body, size});
    if (json_get(map, "code", &value) && json_kind(value) == JSON_STRING_VALUE)
        answer->code = err_code_name(err_code_from_name(value.data + 1, value.size - 2));
    if (json_get(map, "message", &value) && json_kind(value) == JSON_STRING_VALUE) {
        const char *message = json_string_decode(arena, value, NULL);
        if (message != NULL)
            answer->message = message;
    }
    if (json_get(map, "extensions", &value) && json_kind(value) == JSON_MAP)
        answer->extensions = value;
}

/* The members of an EVENT's body as they stand in the text; empty if absent. */
typedef struct {
    json_slice_t stream, epoch, seq, kind, incarnation, type, payload;
} event_members_t;

static event_members_t s_read_members(json_slice_t map)
{
    event_members_t members = {0};
    const struct {
        const char *name;
        json_slice_t *slice;
    } wanted[] = {
        {"stream", &members.stream},
        {"epoch", &members.epoch},
        {"seq", &members.seq},
        {"kind", &members.kind},
        {"type", &members.type},
        {"payload", &members.payload},
        {"incarnation", &members.incarnation},
    };
    json_walk_t walk = json_walk(map);
    for (json_slice_t key, value; json_walk_member(&walk, &key, &value);)
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (json_key_is(key, wanted[i].name, strlen(wanted[i].name)))
                *wanted[i].slice = value;
    return members;
}

/* What stands between the quotes of a string, still escaped; empty if it is no string. */
static json_slice_t s_unquote(json_slice_t value)
{
    if (json_kind(value) != JSON_STRING_VALUE)
        return (json_slice_t){NULL, 0};
    return (json_slice_t){value.data + 1, value.size - 2};
}

static bool s_read_kind(json_slice_t value, service_event_t *event)
{
    json_slice_t text = s_unquote(value);
    if (text.size == 4 && memcmp(text.data, "data", 4) == 0)
        event->kind = SERVICE_EVENT_DATA;
    else if (text.size == 4 && memcmp(text.data, "head", 4) == 0)
        event->kind = SERVICE_EVENT_HEAD;
    else if (text.size == 6 && memcmp(text.data, "revoke", 6) == 0)
        event->kind = SERVICE_EVENT_REVOKE;
    else
        return false;
    return true;
}

static bool s_is_epoch(const char *text)
{
    return text != NULL && strspn(text, "0123456789abcdef") == EPOCH_SIZE - 1 &&
           text[EPOCH_SIZE - 1] == '\0';
}

static bool s_is_topic(const char *topic, size_t size)
{
    return size >= 2 && size <= BUS_STREAM_MAX + 1 && topic[size - 1] == '\0' &&
           memchr(topic, '\0', size - 1) == NULL;
}

static err_code_t s_read_content(const event_members_t *members, service_event_t *event, err_t *err)
{
    event->type = (json_slice_t){NULL, 0};
    event->payload = (json_slice_t){NULL, 0};
    if (event->kind == SERVICE_EVENT_HEAD)
        return ERR_OK;
    event->type = s_unquote(members->type);
    event->payload = members->payload;
    if (event->seq == 0)
        return err_set(err, ERR_PROTOCOL, "seq 0 is of no event");
    if (event->payload.size == 0)
        return err_set(err, ERR_PROTOCOL, "it has no payload");
    if (event->kind == SERVICE_EVENT_DATA && event->type.size == 0)
        return err_set(err, ERR_PROTOCOL, "it has no type");
    return ERR_OK;
}

err_code_t body_read_event(arena_t *arena,
                           const char *topic,
                           size_t topic_size,
                           const char *body,
                           size_t size,
                           service_event_t *event,
                           const char **incarnation,
                           err_t *err)
{
    if (!json_validate(body, size, BUS_BODY_DEPTH_MAX, NULL))
        return err_set(err, ERR_PROTOCOL, "its body is no JSON");
    json_slice_t map = json_trim((json_slice_t){body, size});
    if (json_kind(map) != JSON_MAP)
        return err_set(err, ERR_PROTOCOL, "its body is no JSON map");
    event_members_t members = s_read_members(map);
    size_t stream_size = 0;
    if (!s_is_topic(topic, topic_size))
        return err_set(err, ERR_PROTOCOL, "its topic is no stream's name with a NUL behind it");
    event->stream = json_string_decode(arena, members.stream, &stream_size);
    if (event->stream == NULL || stream_size != topic_size - 1 ||
        memcmp(event->stream, topic, stream_size) != 0)
        return err_set(err, ERR_PROTOCOL, "its stream is not its topic");
    event->epoch = json_string_decode(arena, members.epoch, NULL);
    if (!s_is_epoch(event->epoch))
        return err_set(err, ERR_PROTOCOL, "its epoch is not 16 hex digits");
    if (!json_to_uint64(members.seq, &event->seq) || event->seq > BODY_SEQ_MAX)
        return err_set(err, ERR_PROTOCOL, "its seq is no count");
    if (!s_read_kind(members.kind, event))
        return err_set(err, ERR_PROTOCOL, "its kind is unknown");
    *incarnation = json_string_decode(arena, members.incarnation, NULL);
    if (*incarnation == NULL)
        *incarnation = "";
    return s_read_content(&members, event, err);
}
