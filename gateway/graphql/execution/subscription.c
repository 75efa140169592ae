/* Subscriptions: the source as a call, and one response per event (GraphQL 2025-09 6.2.3). */
#include <string.h>

#include "gateway/graphql/execution/execution.h"

enum {
    EVENT_MAX_BYTES = 8 * 1024 * 1024, /* of arena: errors */
    KEY_MAX_BYTES = 64 * 1024 * 1024,
};

static root_t *s_root(gql_execution_t *self)
{
    return self->root_count == 1 && self->roots[0].field->source == PLAN_MEMBER ? &self->roots[0]
                                                                                : NULL;
}

/* May the one who asks not subscribe to it? */
static bool s_is_refused(const gql_execution_t *self)
{
    return self->root_count == 1 && self->roots[0].field->source == PLAN_REFUSED;
}

const gql_call_t *gql_execution_source(gql_execution_t *self, buffer_t *response)
{
    root_t *root = s_root(self);
    if (root && execution_prepare_call(self, root))
        return &root->call;
    if (s_is_refused(self))
        field_errors_add_refusal(&self->errors, self->roots[0].field, &self->roots[0].path);
    else if (!root)
        field_errors_addf_at(&self->errors, self->operation->definition->loc, NULL,
                             ERR_BAD_USER_INPUT,
                             "A subscription must select exactly one field that is not "
                             "introspection.");
    buffer_put_char(response, '{');
    field_errors_write(&self->errors, response);
    buffer_put_char(response, '}');
    return NULL;
}

bool gql_execution_takes(const gql_execution_t *self, const char *type, size_t type_size)
{
    if (self->root_count == 0)
        return false;
    const schema_field_t *definition = self->roots[0].field->definition;
    if (!definition->is_subscribe)
        return true;
    for (uint32_t i = 0; i < definition->mutation_count; i++)
        if (definition->mutations[i]->size == type_size &&
            memcmp(definition->mutations[i]->data, type, type_size) == 0)
            return true;
    return false;
}

/* Variables that only decide which events come (arguments of the root field) make no difference to
 * how an event is rendered, and are not part of the key. */
const char *gql_execution_group_key(const gql_execution_t *const_self)
{
    gql_execution_t *self = (gql_execution_t *)(uintptr_t)const_self;
    if (self->group_key)
        return self->group_key;
    const ast_definition_t *definition = self->operation->definition;
    buffer_t key = BUFFER_INIT(KEY_MAX_BYTES);
    buffer_put_uint(&key, (uintptr_t)self->document->schema);
    buffer_put_char(&key, ' ');
    if (definition->name)
        buffer_put(&key, definition->name->data, definition->name->size);
    buffer_put_str(&key, " {");
    for (uint32_t i = 0; i < definition->operation.variable_count; i++) {
        json_slice_t value = self->variables.values[i];
        if (!self->operation->is_rendering[i] || !value.data)
            continue;
        buffer_printf(&key, "\"%s\":", definition->operation.variables[i].name->data);
        buffer_put(&key, value.data, value.size);
        buffer_put_char(&key, ' ');
    }
    buffer_put_str(&key, "} ");
    for (uint32_t i = 0; i < self->operation->rule_count; i++)
        buffer_put_char(&key, self->plan->given.refused[self->operation->rules[i]->id] ? '-' : '+');
    buffer_put_char(&key, ' ');
    /* JSON, because the text of a comment may hold a NUL */
    buffer_put_json_string(&key, self->document->text, self->document->size);
    if (!key.failed)
        self->group_key = arena_memdup(self->arena, key.data, key.size);
    buffer_free(&key);
    if (!self->group_key) /* no memory: a group of its own */
        self->group_key = arena_printf(self->arena, "%p", (void *)self);
    return self->group_key ? self->group_key : "";
}

/* ---- events ---- */

/* Forgets the event before and completes this one's payload. */
static void s_complete(gql_execution_t *self, const char *payload, size_t size, const char *cursor)
{
    root_t *root = s_root(self);
    if (self->event_arena)
        arena_reset(self->event_arena);
    else
        self->event_arena = arena_new(EVENT_MAX_BYTES);
    batches_free(self);
    self->work = self->event_arena;
    self->errors = (field_errors_t){.arena = self->work, .limit = self->limits.max_errors};
    self->cursor = arena_memdup(self->work, cursor, strlen(cursor));
    self->is_null = false;
    self->waiting = self->issued = 0;
    self->call_count = self->next_root = self->root_count;
    if (!self->cursor || !root) { /* gql_execution_source would have refused */
        self->cursor = "";
        execution_nullify(self);
        return;
    }
    buffer_clear(&root->text.bytes);
    root->text.first = root->text.last = NULL;
    self->root_scheduled[0] = NULL;
    root->text.bytes.limit = execution_room(self);
    completion_t completion = execution_completion(self, &root->text, root->call.service);
    if (!complete_field(&completion, root->field, &root->path, payload, size))
        execution_nullify(self);
}

void gql_execution_render(
    gql_execution_t *self, const char *payload, size_t size, const char *cursor, buffer_t *response)
{
    s_complete(self, payload, size, cursor);
    batches_refuse(self);
    execution_put_response(self, response);
}

bool gql_execution_event_needs_calls(const gql_execution_t *self)
{
    return self->operation->has_calls;
}

void gql_execution_start_event(gql_execution_t *self,
                               const char *payload,
                               size_t size,
                               const char *cursor,
                               const gql_host_t *host,
                               void *arg)
{
    s_complete(self, payload, size, cursor);
    self->host = host;
    self->host_arg = arg;
    execution_advance(self);
}

void gql_execution_trim(gql_execution_t *self)
{
    batches_free(self);
    for (uint32_t i = 0; i < self->root_count; i++) {
        buffer_free(&self->roots[i].text.bytes);
        self->roots[i].text.first = self->roots[i].text.last = NULL;
        self->root_scheduled[i] = NULL;
    }
    buffer_free(&self->response);
    arena_destroy(&self->event_arena);
    self->work = self->arena;
    self->errors = (field_errors_t){.arena = self->work, .limit = self->limits.max_errors};
    self->cursor = NULL;
}
