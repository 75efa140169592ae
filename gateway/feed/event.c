#include "gateway/feed/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/address_key.h"

enum { RING_SMALLEST = 8 };

static void *s_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        abort();
    return memory;
}

/* ---- graves ---- */

void graves_init(graves_t *self, loop_t *loop)
{
    memset(self, 0, sizeof *self);
    self->loop = loop;
}

static void s_free_buried(graves_t *self)
{
    while (self->events != NULL) {
        event_t *event = self->events;
        self->events = event->next;
        event_destroy(&event);
    }
    for (size_t i = 0; i < self->count; i++)
        shared_bytes_unref(&self->bytes[i]);
    self->count = 0;
}

static void s_on_turn_over(void *arg)
{
    graves_t *self = arg;
    self->is_digging = false;
    s_free_buried(self);
}

/* Others may have put off functions before that still look at what is buried: one round later. */
static void s_on_turn_end(void *arg)
{
    graves_t *self = arg;
    loop_defer(self->loop, s_on_turn_over, self);
}

static void s_dig(graves_t *self)
{
    if (self->is_digging)
        return;
    self->is_digging = true;
    loop_defer(self->loop, s_on_turn_end, self);
}

void graves_empty(graves_t *self)
{
    loop_defer_cancel(self->loop, s_on_turn_end, self);
    loop_defer_cancel(self->loop, s_on_turn_over, self);
    self->is_digging = false;
    s_free_buried(self);
    free(self->bytes);
    self->bytes = NULL;
    self->capacity = 0;
}

void graves_bury_bytes(graves_t *self, shared_bytes_t **bytes_p)
{
    shared_bytes_t *bytes = *bytes_p;
    *bytes_p = NULL;
    if (bytes == NULL)
        return;
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? self->capacity * 2 : 64;
        self->bytes = realloc(self->bytes, self->capacity * sizeof(shared_bytes_t *));
        if (self->bytes == NULL)
            abort();
    }
    self->bytes[self->count++] = bytes;
    s_dig(self);
}

/* ---- events ---- */

uint64_t identity_hash(const char *name, size_t size)
{
    uint64_t hash = key_of(name, size);
    return hash != 0 ? hash : 1;
}

/* The hash of a string in the payload of a revoke; 0: it has none of that name. */
static uint64_t s_read_name(json_slice_t payload, const char *member)
{
    json_slice_t value;
    size_t size = 0;
    if (!json_get(payload, member, &value) || json_kind(value) != JSON_STRING_VALUE)
        return 0;
    arena_t *arena = arena_new(0);
    const char *name = json_string_decode(arena, value, &size);
    uint64_t hash = name != NULL ? identity_hash(name, size) : 0;
    arena_destroy(&arena);
    return hash;
}

/* Whose rights end (proto/bus.md 7). */
static void s_read_whom(event_t *self, json_slice_t payload)
{
    if (json_kind(payload) != JSON_MAP)
        return;
    self->whom = s_read_name(payload, "sub");
    self->is_by_sub = self->whom != 0;
    if (!self->is_by_sub)
        self->whom = s_read_name(payload, "handle");
}

event_t *event_new(const cursor_base_t *base,
                   uint64_t seq,
                   bool is_revoke,
                   json_slice_t type,
                   json_slice_t payload)
{
    event_t *self = s_alloc(sizeof *self + type.size + payload.size + 2);
    self->seq = seq;
    self->is_revoke = is_revoke;
    self->type_size = (uint32_t)type.size;
    self->payload_size = (uint32_t)payload.size;
    if (type.size > 0)
        memcpy(self->text, type.data, type.size);
    memcpy(self->text + type.size + 1, payload.data, payload.size);
    cursor_print(base, seq, self->cursor);
    if (is_revoke)
        s_read_whom(self, payload);
    return self;
}

size_t event_cost(const event_t *self)
{
    return sizeof *self + self->type_size + self->payload_size + 2;
}

size_t event_set_rendered(event_t *self, uint32_t index, shared_bytes_t **bytes_p)
{
    size_t before = self->rendered_bytes;
    if (index >= self->rendered_capacity) {
        uint32_t capacity = self->rendered_capacity > 0 ? self->rendered_capacity : 1;
        while (capacity <= index)
            capacity *= 2;
        self->rendered = realloc(self->rendered, capacity * sizeof(shared_bytes_t *));
        if (self->rendered == NULL)
            abort();
        for (uint32_t i = self->rendered_capacity; i < capacity; i++)
            self->rendered[i] = NULL;
        self->rendered_bytes += (capacity - self->rendered_capacity) * sizeof(shared_bytes_t *);
        self->rendered_capacity = capacity;
    }
    assert(self->rendered[index] == NULL);
    self->rendered[index] = *bytes_p;
    self->rendered_bytes += shared_bytes_size(*bytes_p);
    *bytes_p = NULL;
    return self->rendered_bytes - before;
}

size_t event_drop_rendered(event_t *self, uint32_t index, graves_t *graves)
{
    const shared_bytes_t *bytes = event_rendered(self, index);
    if (bytes == NULL)
        return 0;
    size_t size = shared_bytes_size(bytes);
    self->rendered_bytes -= size;
    graves_bury_bytes(graves, &self->rendered[index]);
    return size;
}

size_t event_drop_all_rendered(event_t *self, graves_t *graves)
{
    size_t size = self->rendered_bytes;
    for (uint32_t i = 0; i < self->rendered_capacity; i++)
        event_drop_rendered(self, i, graves);
    free(self->rendered);
    self->rendered = NULL;
    self->rendered_capacity = 0;
    self->rendered_bytes = 0;
    return size;
}

size_t event_drop_rendered_but(event_t *self, uint32_t index, graves_t *graves)
{
    size_t size = 0;
    for (uint32_t i = 0; i < self->rendered_capacity; i++)
        if (i != index)
            size += event_drop_rendered(self, i, graves);
    return size;
}

void event_bury(event_t **self_p, graves_t *graves)
{
    (*self_p)->next = graves->events;
    graves->events = *self_p;
    *self_p = NULL;
    s_dig(graves);
}

void event_destroy(event_t **self_p)
{
    event_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    for (uint32_t i = 0; i < self->rendered_capacity; i++)
        shared_bytes_unref(&self->rendered[i]);
    free(self->rendered);
    free(self);
}

/* ---- ring ---- */

static void s_ring_grow(ring_t *self)
{
    uint32_t capacity = self->capacity > 0 ? self->capacity * 2 : RING_SMALLEST;
    event_t **slots = s_alloc(capacity * sizeof(event_t *));
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t seq = self->first + i;
        slots[seq & (capacity - 1)] = ring_at(self, seq);
    }
    free(self->slots);
    self->slots = slots;
    self->capacity = capacity;
}

void ring_push(ring_t *self, event_t *event)
{
    assert(event->seq == self->first + self->count);
    if (self->count == self->capacity)
        s_ring_grow(self);
    self->slots[event->seq & (self->capacity - 1)] = event;
    self->count++;
    self->bytes += event_cost(event);
}

event_t *ring_shift(ring_t *self)
{
    assert(self->count > 0);
    event_t *event = ring_at(self, self->first);
    self->slots[self->first & (self->capacity - 1)] = NULL;
    self->first++;
    self->count--;
    self->bytes -= event_cost(event);
    return event;
}

void ring_free(ring_t *self, graves_t *graves)
{
    while (self->count > 0) {
        event_t *event = ring_shift(self);
        event_bury(&event, graves);
    }
    free(self->slots);
    self->slots = NULL;
    self->capacity = 0;
}
