#include "gateway/bus/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"

enum {
    POOL_MAX = 256,           /* unused calls that are kept: more come only with a rush */
    RECORD_KEEP_BYTES = 4096, /* of an unused call */
};

struct calls {
    service_call_t *table;
    service_call_t **heap; /* a binary heap by due_ms */
    size_t count;
    size_t capacity;
    list_t pool;
    size_t pool_count;
};

calls_t *calls_new(void)
{
    calls_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    list_init(&self->pool);
    return self;
}

static void s_free(service_call_t *call)
{
    buffer_free(&call->record);
    free(call);
}

void calls_destroy(calls_t **self_p)
{
    calls_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    HASH_CLEAR(hh, self->table);
    for (size_t i = 0; i < self->count; i++)
        s_free(self->heap[i]);
    for (list_node_t *node; (node = list_first(&self->pool)) != NULL;) {
        list_remove(node);
        s_free(LIST_ITEM(node, service_call_t, node));
    }
    free(self->heap);
    free(self);
}

/* ---- the heap ---- */

static void s_place(calls_t *self, size_t index, service_call_t *call)
{
    self->heap[index] = call;
    call->heap_index = (uint32_t)index;
}

static void s_rise(calls_t *self, size_t index)
{
    service_call_t *call = self->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (self->heap[parent]->due_ms <= call->due_ms)
            break;
        s_place(self, index, self->heap[parent]);
        index = parent;
    }
    s_place(self, index, call);
}

static void s_sink(calls_t *self, size_t index)
{
    service_call_t *call = self->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count && self->heap[child + 1]->due_ms < self->heap[child]->due_ms)
            child++;
        if (call->due_ms <= self->heap[child]->due_ms)
            break;
        s_place(self, index, self->heap[child]);
        index = child;
    }
    s_place(self, index, call);
}

static void s_heap_add(calls_t *self, service_call_t *call)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? self->capacity * 2 : 256;
        self->heap = realloc(self->heap, self->capacity * sizeof self->heap[0]);
        if (self->heap == NULL)
            abort();
    }
    s_place(self, self->count++, call);
    s_rise(self, call->heap_index);
}

static void s_heap_remove(calls_t *self, const service_call_t *call)
{
    size_t index = call->heap_index;
    service_call_t *last = self->heap[--self->count];
    if (last == call)
        return;
    s_place(self, index, last);
    s_rise(self, index);
    s_sink(self, last->heap_index);
}

/* ---- calls ---- */

service_call_t *calls_add(calls_t *self, int64_t due_ms)
{
    list_node_t *node = list_first(&self->pool);
    service_call_t *call = NULL;
    buffer_t record = BUFFER_INIT(BUS_BODY_MAX + BUS_HEADER_SIZE);
    if (node != NULL) {
        call = LIST_ITEM(node, service_call_t, node);
        list_remove(node);
        self->pool_count--;
        record = call->record;
        buffer_clear(&record);
    } else if ((call = malloc(sizeof *call)) == NULL) {
        abort();
    }
    memset(call, 0, sizeof *call);
    call->record = record;
    list_init(&call->node);
    call->calls = self;
    call->due_ms = due_ms;
    call->started_us = clock_mono_us();
    parley_uuid_t uuid = uuid_v7(clock_unix_ms());
    static_assert(sizeof uuid.bytes == BUS_ID_SIZE, "a call's id is a UUID");
    memcpy(call->id.bytes, uuid.bytes, BUS_ID_SIZE);
    HASH_ADD(hh, self->table, id, sizeof call->id, call);
    s_heap_add(self, call);
    return call;
}

void calls_remove(calls_t *self, service_call_t *call)
{
    list_remove(&call->node);
    HASH_DEL(self->table, call);
    s_heap_remove(self, call);
    if (call->record.capacity > RECORD_KEEP_BYTES)
        buffer_free(&call->record);
    if (self->pool_count >= POOL_MAX) {
        s_free(call);
        return;
    }
    list_append(&self->pool, &call->node);
    self->pool_count++;
}

service_call_t *calls_find(calls_t *self, const bus_id_t *id)
{
    service_call_t *call = NULL;
    HASH_FIND(hh, self->table, id, sizeof *id, call);
    return call;
}

size_t calls_count(const calls_t *self)
{
    return self->count;
}

service_call_t *calls_next_due(const calls_t *self)
{
    return self->count > 0 ? self->heap[0] : NULL;
}

void calls_set_due(calls_t *self, service_call_t *call, int64_t due_ms)
{
    call->due_ms = due_ms;
    s_rise(self, call->heap_index);
    s_sink(self, call->heap_index);
}
