#include "gateway/realtime/outlet.h"

#include "common/clock.h"

void outlet_init(outlet_t *self, size_t limit_bytes)
{
    *self = (outlet_t){.rest = BUFFER_INIT(limit_bytes), .progress_us = clock_mono_us()};
}

void outlet_clear(outlet_t *self)
{
    buffer_free(&self->rest);
    self->taken = 0;
}

void outlet_begin(outlet_t *self)
{
    self->progress_us = clock_mono_us();
}

bool outlet_next(
    outlet_t *self, buffer_t *out, outlet_pull_fn pull, void *arg, outlet_piece_t *piece)
{
    size_t before = out->size, waiting = outlet_waiting(self);
    if (self->rest.failed)
        return false;
    if (waiting >= OUTLET_CHUNK) { /* it is sent from where it lies */
        *piece = (outlet_piece_t){.data = self->rest.data + self->taken, .size = waiting};
        return true;
    }
    if (waiting > 0) {
        buffer_put(out, self->rest.data + self->taken, waiting);
        outlet_clear(self);
    } else {
        outlet_begin(self);
    }
    pull(arg, out, before + OUTLET_CHUNK);
    if (out->failed) {
        out->size = before;
        out->failed = false;
        return false;
    }
    *piece = (outlet_piece_t){.data = NULL, .size = out->size - before};
    return true;
}

/* The piece was the rest itself. */
static outlet_result_t s_on_rest_sent(outlet_t *self, size_t sent)
{
    self->taken += sent;
    if (!outlet_waiting(self)) {
        outlet_clear(self);
        return OUTLET_MORE;
    }
    if (self->taken > self->rest.size / 2) {
        buffer_consume(&self->rest, self->taken);
        self->taken = 0;
    }
    return OUTLET_BLOCKED;
}

static outlet_result_t s_on_sent(outlet_t *self, const char *data, size_t size, size_t sent)
{
    if (sent > 0)
        self->progress_us = clock_mono_us();
    if (outlet_waiting(self) > 0)
        return s_on_rest_sent(self, sent);
    if (sent == size)
        return size >= OUTLET_CHUNK ? OUTLET_MORE : OUTLET_IDLE;
    buffer_put(&self->rest, data + sent, size - sent);
    return self->rest.failed ? OUTLET_BROKEN : OUTLET_BLOCKED;
}

outlet_result_t outlet_sent(outlet_t *self, const char *data, size_t size, ssize_t sent)
{
    outlet_result_t result = sent < 0 ? OUTLET_BROKEN : s_on_sent(self, data, size, (size_t)sent);
    self->blocked = result == OUTLET_BLOCKED;
    return result;
}
