#include "store/early_calls.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/clock.h"

enum {
    CALLS_MAX = 10000,
    DEADLINE_MARGIN_MS = 150, /* for the answer's way back */
    TICK_MS = 50,
};

typedef struct early {
    struct early *prev, *next;
    store_call_t *call;
    store_handler_fn fn;
    void *arg;
} early_t;

struct early_calls {
    database_t *database;
    early_t *list;
    size_t count;
    loop_timer_t *tick; /* runs while the list is not empty */
    bool stopped;
};

static void s_fail(store_call_t *call)
{
    static const pg_outcome_t away = {.code = ERR_UNAVAILABLE, .message = ""};
    store_call_fail_database(call, &away);
}

static void s_remove(early_calls_t *self, early_t *early)
{
    DL_DELETE(self->list, early);
    self->count--;
    free(early);
}

static void s_on_tick(void *arg)
{
    early_calls_t *self = arg;
    int64_t limit_ms = clock_unix_ms() + DEADLINE_MARGIN_MS;
    early_t *early, *next;
    DL_FOREACH_SAFE(self->list, early, next)
    {
        if (early->call->deadline_ms > limit_ms && !self->stopped)
            continue;
        s_fail(early->call);
        s_remove(self, early);
    }
    if (!self->list)
        loop_timer_stop(self->tick);
}

early_calls_t *early_calls_new(loop_t *loop, database_t *database)
{
    early_calls_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->database = database;
    self->tick = loop_timer_new(loop, s_on_tick, self);
    return self;
}

void early_calls_add(early_calls_t *self, store_call_t *call, store_handler_fn fn, void *arg)
{
    if (self->stopped || self->count >= CALLS_MAX) {
        s_fail(call);
        return;
    }
    early_t *early = calloc(1, sizeof *early);
    if (!early)
        abort();
    early->call = call;
    early->fn = fn;
    early->arg = arg;
    DL_APPEND(self->list, early);
    self->count++;
    if (!loop_timer_is_active(self->tick))
        loop_timer_start(self->tick, TICK_MS, TICK_MS);
}

void early_calls_serve(early_calls_t *self)
{
    early_t *early, *next;
    DL_FOREACH_SAFE(self->list, early, next)
    {
        early->fn(early->arg, early->call);
        s_remove(self, early);
    }
    loop_timer_stop(self->tick);
}

void early_calls_stop(early_calls_t *self)
{
    self->stopped = true;
    s_on_tick(self);
}

void early_calls_destroy(early_calls_t **self_p)
{
    early_calls_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_timer_destroy(&self->tick);
    free(self);
}
