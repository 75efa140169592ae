/* The engine of the feed's world: what it renders says for which group and event, and what services
 * answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "feed_world.h"

enum { HOLES_MAX = 2 };

struct gql_execution {
    char key[16];
    /* The event that waits for answers. */
    bool is_busy;
    uint32_t waiting;
    const gql_host_t *host;
    void *arg;
    gql_call_t calls[HOLES_MAX];
    buffer_t text;
};

static size_t s_executions;

gql_execution_t *world_execution(const char *types)
{
    gql_execution_t *self = calloc(1, sizeof *self);
    snprintf(self->key, sizeof self->key, "%s", types);
    self->text = (buffer_t)BUFFER_INIT(1024);
    s_executions++;
    return self;
}

size_t world_executions(void)
{
    return s_executions;
}

void gql_execution_destroy(gql_execution_t **self_p)
{
    gql_execution_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL)
        return;
    s_executions--;
    buffer_free(&self->text);
    free(self);
}

bool gql_execution_takes(const gql_execution_t *self, const char *type, size_t type_size)
{
    return type_size == 1 && strchr(self->key, type[0]) != NULL;
}

const char *gql_execution_group_key(const gql_execution_t *self)
{
    return self->key;
}

static void s_print(const gql_execution_t *self,
                    const char *payload,
                    size_t size,
                    const char *cursor,
                    buffer_t *out)
{
    world.renders++;
    buffer_printf(out, "%s %.*s %s%*s", self->key, (int)size, payload, cursor, (int)world.padding,
                  "");
}

void gql_execution_render(
    gql_execution_t *self, const char *payload, size_t size, const char *cursor, buffer_t *response)
{
    assert(self->key[0] != '@');
    s_print(self, payload, size, cursor, response);
}

bool gql_execution_event_needs_calls(const gql_execution_t *self)
{
    return self->key[0] == '@';
}

static void s_done(gql_execution_t *self)
{
    self->is_busy = false;
    self->host->done(self->arg, &self->text, 0);
}

void gql_execution_start_event(gql_execution_t *self,
                               const char *payload,
                               size_t size,
                               const char *cursor,
                               const gql_host_t *host,
                               void *arg)
{
    assert(!self->is_busy && world.holes <= HOLES_MAX);
    self->is_busy = true;
    self->host = host;
    self->arg = arg;
    buffer_clear(&self->text);
    s_print(self, payload, size, cursor, &self->text);
    self->waiting = world.holes;
    for (uint32_t i = 0; i < world.holes; i++) {
        self->calls[i] = (gql_call_t){
            .index = 7 + i, .service = "profiles", .field = "Message.author", .args = {"{}", 2}};
        host->call(arg, &self->calls[i]);
    }
    if (self->waiting > 0)
        host->flush(arg);
    else
        s_done(self);
}

static void s_answered(gql_execution_t *self, uint32_t index)
{
    assert(self->is_busy && index >= 7 && index < 7 + world.holes && self->waiting > 0);
    if (--self->waiting == 0)
        s_done(self);
}

void gql_execution_resolve(gql_execution_t *self, uint32_t index, const char *json, size_t size)
{
    buffer_printf(&self->text, " %.*s", (int)size, json);
    s_answered(self, index);
}

void gql_execution_reject(gql_execution_t *self, uint32_t index, const gql_failure_t *failure)
{
    buffer_printf(&self->text, " !%s", failure->code);
    s_answered(self, index);
}

void gql_execution_trim(gql_execution_t *self)
{
    assert(!self->is_busy);
    world.trims++;
    buffer_free(&self->text);
}
