#include "gateway/feed/replay_answer.h"

#include <string.h>

#include "common/bus_record.h"
#include "common/cursor.h"

#define SEQ_MAX ((uint64_t)1 << 53)

static bool s_read_count(json_slice_t map, const char *name, uint64_t *out)
{
    json_slice_t value;
    return json_get(map, name, &value) && json_to_uint64(value, out) && *out <= SEQ_MAX;
}

static bool s_read_event(json_slice_t map, replay_event_t *event)
{
    json_slice_t key, value;
    memset(event, 0, sizeof *event);
    if (json_kind(map) != JSON_MAP)
        return false;
    json_walk_t walk = json_walk(map);
    while (json_walk_member(&walk, &key, &value)) {
        if (json_key_is(key, "seq", 3) && !json_to_uint64(value, &event->seq))
            return false;
        if (json_key_is(key, "payload", 7))
            event->payload = value;
        if (json_key_is(key, "type", 4) && json_kind(value) == JSON_STRING_VALUE)
            event->type = (json_slice_t){value.data + 1, value.size - 2};
        if (json_key_is(key, "kind", 4))
            event->is_revoke = value.size == 8 && memcmp(value.data, "\"revoke\"", 8) == 0;
    }
    return event->seq > 0 && event->payload.size > 0 && (event->type.size > 0 || event->is_revoke);
}

/* Events in order and without a hole; at most BUS_REPLAY_MAX. */
static bool s_read_events(arena_t *arena, json_slice_t map, replay_answer_t *answer)
{
    json_slice_t list, item;
    if (!json_get(map, "events", &list) || json_kind(list) != JSON_LIST)
        return false;
    replay_event_t *events = arena_alloc(arena, BUS_REPLAY_MAX * sizeof events[0]);
    if (events == NULL)
        return false;
    json_walk_t walk = json_walk(list);
    while (json_walk_item(&walk, &item)) {
        size_t i = answer->count;
        if (i == BUS_REPLAY_MAX || !s_read_event(item, &events[i]) || events[i].seq > answer->head)
            return false;
        if (i > 0 && events[i].seq != events[i - 1].seq + 1)
            return false;
        answer->count++;
    }
    answer->events = events;
    return true;
}

bool replay_answer_read(replay_answer_t *self,
                        arena_t *arena,
                        const char *stream,
                        json_slice_t body)
{
    json_slice_t value;
    cursor_base_t base;
    memset(self, 0, sizeof *self);
    if (!json_validate(body.data, body.size, BUS_BODY_DEPTH_MAX, NULL))
        return false;
    json_slice_t map = json_trim(body);
    if (json_kind(map) != JSON_MAP || !json_get(map, "stream", &value))
        return false;
    const char *name = json_string_decode(arena, value, NULL);
    if (name == NULL || strcmp(name, stream) != 0 || !json_get(map, "epoch", &value))
        return false;
    self->epoch = json_string_decode(arena, value, NULL);
    if (self->epoch == NULL || cursor_base(&base, self->epoch, "", 0) != ERR_OK)
        return false;
    if (!s_read_count(map, "head", &self->head) || !s_read_count(map, "first", &self->first))
        return false;
    return s_read_events(arena, map, self);
}
