#include "store/tail_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/cursor.h"
#include "common/table.h"

struct tail {
    UT_hash_handle hh;
    struct tail *prev, *next; /* by use, the longest unused first */
    uint64_t end_seq, mark;
    bool complete; /* the room has no older messages than these */
    int count;
    uint32_t offsets[TAIL_MAX]; /* of each message in text; between two is a comma */
    buffer_t text;
    char room[];
};

struct tail_cache {
    tail_t *by_room, *by_use;
    size_t bytes, limit_bytes;
    char epoch[EPOCH_SIZE];
};

static size_t s_bytes(const tail_t *tail)
{
    return sizeof *tail + tail->text.capacity;
}

tail_cache_t *tail_cache_new(size_t limit_bytes)
{
    tail_cache_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->limit_bytes = limit_bytes;
    return self;
}

static void s_remove(tail_cache_t *self, tail_t *tail)
{
    self->bytes -= s_bytes(tail);
    HASH_DEL(self->by_room, tail);
    DL_DELETE(self->by_use, tail);
    buffer_free(&tail->text);
    free(tail);
}

static void s_clear(tail_cache_t *self)
{
    while (self->by_use)
        s_remove(self, self->by_use);
}

void tail_cache_destroy(tail_cache_t **self_p)
{
    tail_cache_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    s_clear(self);
    free(self);
}

void tail_cache_set_epoch(tail_cache_t *self, const char *epoch)
{
    if (strcmp(self->epoch, epoch) == 0)
        return;
    s_clear(self);
    assert(strlen(epoch) < sizeof self->epoch);
    memcpy(self->epoch, epoch, strlen(epoch) + 1);
}

tail_t *tail_cache_find(tail_cache_t *self, const char *room, size_t size)
{
    tail_t *tail;
    HASH_FIND(hh, self->by_room, room, size, tail);
    if (tail) {
        DL_DELETE(self->by_use, tail);
        DL_APPEND(self->by_use, tail);
    }
    return tail;
}

void tail_cache_forget(tail_cache_t *self, const char *room, size_t size)
{
    tail_t *tail;
    HASH_FIND(hh, self->by_room, room, size, tail);
    if (tail)
        s_remove(self, tail);
}

tail_t *
tail_cache_begin(tail_cache_t *self, const char *room, size_t size, uint64_t end_seq, bool complete)
{
    tail_cache_forget(self, room, size);
    tail_t *tail = calloc(1, sizeof *tail + size);
    if (!tail)
        abort();
    memcpy(tail->room, room, size);
    tail->end_seq = end_seq;
    tail->complete = complete;
    tail->text = (buffer_t)BUFFER_INIT(TAIL_BYTES_MAX);
    HASH_ADD(hh, self->by_room, room, size, tail);
    DL_APPEND(self->by_use, tail);
    self->bytes += s_bytes(tail);
    return tail;
}

size_t tail_cache_bytes(const tail_cache_t *self)
{
    return self->bytes;
}

/* Keeps the newest keep messages. */
static void s_shorten(tail_t *tail, int keep)
{
    int gone = tail->count - keep;
    uint32_t offset = keep > 0 ? tail->offsets[gone] : (uint32_t)tail->text.size;
    buffer_consume(&tail->text, offset);
    for (int i = 0; i < keep; i++)
        tail->offsets[i] = tail->offsets[gone + i] - offset;
    tail->count = keep;
    tail->complete = false;
}

void tail_cache_append(
    tail_cache_t *self, tail_t *tail, uint64_t seq, const char *json, size_t size)
{
    assert(seq > tail->end_seq && size < TAIL_BYTES_MAX);
    self->bytes -= s_bytes(tail);
    tail->end_seq = seq;
    if (tail->count == TAIL_MAX)
        s_shorten(tail, TAIL_KEEP);
    while (tail->count > 0 && tail->text.size + size + 1 > TAIL_BYTES_MAX)
        s_shorten(tail, tail->count / 2);
    if (tail->count > 0)
        buffer_put_char(&tail->text, ',');
    tail->offsets[tail->count++] = (uint32_t)tail->text.size;
    buffer_put(&tail->text, json, size);
    self->bytes += s_bytes(tail);
    while (self->bytes > self->limit_bytes && self->by_use != tail)
        s_remove(self, self->by_use);
}

bool tail_mark(tail_t *self, uint64_t mark)
{
    bool is_new = self->mark != mark;
    self->mark = mark;
    return is_new;
}

uint64_t tail_end(const tail_t *self)
{
    return self->end_seq;
}

bool tail_has(const tail_t *self, int count)
{
    return self->complete || self->count >= count;
}

void tail_print(const tail_t *self, int count, buffer_t *out)
{
    int shown = count < self->count ? count : self->count;
    buffer_put_char(out, '[');
    if (shown > 0) {
        uint32_t offset = self->offsets[self->count - shown];
        buffer_put(out, self->text.data + offset, self->text.size - offset);
    }
    buffer_put_char(out, ']');
}
