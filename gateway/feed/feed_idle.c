#include "gateway/feed/feed_idle.h"

#include <stdlib.h>

struct feed_idle {
    uv_idle_t idle;
    void (*fn)(void *arg);
    void *arg;
};

static void s_on_idle(uv_idle_t *idle)
{
    feed_idle_t *self = idle->data;
    self->fn(self->arg);
}

static void s_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

feed_idle_t *feed_idle_new(loop_t *loop, void (*fn)(void *arg), void *arg)
{
    feed_idle_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->fn = fn;
    self->arg = arg;
    uv_idle_init(loop_uv(loop), &self->idle);
    self->idle.data = self;
    return self;
}

void feed_idle_destroy(feed_idle_t **self_p)
{
    feed_idle_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    uv_close((uv_handle_t *)&self->idle, s_on_closed);
}

void feed_idle_start(feed_idle_t *self)
{
    uv_idle_start(&self->idle, s_on_idle); /* nothing if it is started */
}

void feed_idle_stop(feed_idle_t *self)
{
    uv_idle_stop(&self->idle);
}
