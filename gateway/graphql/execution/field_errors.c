#include "gateway/graphql/execution/field_errors.h"

#include <stdarg.h>
#include <string.h>

#include "common/utf8.h"
#include "gateway/graphql/execution/reader.h"

enum {
    ERROR_MAX_BYTES = 64 * 1024,
    MESSAGE_MAX_BYTES = 8 * 1024, /* a longer one is cut */
    MAX_PLACES = 100,
};

struct field_error {
    field_error_t *next;
    json_slice_t text;
};

static void s_put_path(buffer_t *out, const path_t *path, bool last)
{
    if (path->above)
        s_put_path(out, path->above, false);
    if (path->field) {
        buffer_put_char(out, '"');
        buffer_put(out, path->field->name->data, path->field->name->size);
        buffer_put_char(out, '"');
    } else {
        buffer_put_uint(out, path->index);
    }
    if (!last)
        buffer_put_char(out, ',');
}

static void s_put_places(buffer_t *out, const ast_loc_t *places, uint32_t count)
{
    buffer_put_str(out, ",\"locations\":[");
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(out, "%s{\"line\":%u,\"column\":%u}", i ? "," : "", places[i].line,
                      places[i].column);
    buffer_put_char(out, ']');
}

static void s_put_field_places(buffer_t *out, const plan_field_t *field)
{
    buffer_put_str(out, ",\"locations\":[");
    for (uint32_t i = 0; i < field->node_count && i < MAX_PLACES; i++)
        buffer_printf(out, "%s{\"line\":%u,\"column\":%u}", i ? "," : "", field->nodes[i]->loc.line,
                      field->nodes[i]->loc.column);
    buffer_put_char(out, ']');
}

/* The members of a JSON map that are not called `code`, each with a comma before it. */
static void s_put_members(buffer_t *out, json_slice_t map)
{
    if (json_kind(map) != JSON_MAP)
        return;
    json_walk_t walk = json_walk(map);
    json_slice_t key;
    json_slice_t value;
    while (json_walk_member(&walk, &key, &value)) {
        if (json_key_is(key, "code", 4))
            continue;
        buffer_put_str(out, ",\"");
        buffer_put(out, key.data, key.size);
        buffer_put_str(out, "\":");
        reader_put(out, value);
    }
}

static void s_keep(field_errors_t *self, const buffer_t *text)
{
    field_error_t *error = arena_alloc(self->arena, sizeof *error);
    char *copy = text->failed ? NULL : arena_memdup(self->arena, text->data, text->size);
    if (!error || !copy) {
        self->out_of_memory = true;
        return;
    }
    *error = (field_error_t){.text = {copy, text->size}};
    if (self->last)
        self->last->next = error;
    else
        self->first = error;
    self->last = error;
}

/* Counts one more; false if it shall not be rendered. */
static bool s_counts(field_errors_t *self)
{
    if (self->closed)
        return false;
    self->count++;
    return self->limit == 0 || self->count <= self->limit;
}

bool field_errors_count_unread(field_errors_t *self)
{
    if (!self->closed && (self->limit == 0 || self->count < self->limit))
        return false;
    self->count += !self->closed;
    return true;
}

static void s_finish(field_errors_t *self,
                     buffer_t *out,
                     const path_t *path,
                     const char *code,
                     json_slice_t extensions)
{
    size_t mark = out->size;
    if (path) {
        buffer_put_str(out, ",\"path\":[");
        s_put_path(out, path, true);
        buffer_put_char(out, ']');
    }
    if (out->failed) { /* a client may choose names as long as it likes: without it */
        out->failed = false;
        out->size = mark;
    }
    buffer_put_str(out, ",\"extensions\":{\"code\":");
    buffer_put_json_string(out, code, strlen(code));
    size_t size = out->size;
    s_put_members(out, extensions);
    if (out->failed) { /* too much: without them */
        out->failed = false;
        out->size = size;
    }
    buffer_put_str(out, "}}");
    s_keep(self, out);
    buffer_free(out);
}

static void s_begin(buffer_t *out, const char *message)
{
    size_t size = utf8_cut(message, strnlen(message, MESSAGE_MAX_BYTES));
    buffer_put_str(out, "{\"message\":");
    buffer_put_json_string(out, message, size);
}

void field_errors_add(field_errors_t *self,
                      const plan_field_t *field,
                      const path_t *path,
                      const char *code,
                      json_slice_t extensions,
                      const char *message)
{
    if (!s_counts(self))
        return;
    buffer_t out = BUFFER_INIT(ERROR_MAX_BYTES);
    s_begin(&out, message);
    if (field)
        s_put_field_places(&out, field);
    s_finish(self, &out, path, code, extensions);
}

void field_errors_addf(field_errors_t *self,
                       const plan_field_t *field,
                       const path_t *path,
                       err_code_t code,
                       const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(self->arena, format, args);
    va_end(args);
    if (!message)
        self->out_of_memory = true;
    else
        field_errors_add(self, field, path, err_code_name(code), (json_slice_t){.data = NULL},
                         message);
}

void field_errors_add_refusal(field_errors_t *self, const plan_field_t *field, const path_t *path)
{
    field_errors_addf(self, field, path, ERR_UNAUTHORIZED, "Not Authorized to access %s on type %s",
                      field->definition->name->data, field->parent->name->data);
}

void field_errors_addf_at(field_errors_t *self,
                          ast_loc_t place,
                          const path_t *path,
                          err_code_t code,
                          const char *format,
                          ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(self->arena, format, args);
    va_end(args);
    if (!message) {
        self->out_of_memory = true;
        return;
    }
    if (!s_counts(self))
        return;
    buffer_t out = BUFFER_INIT(ERROR_MAX_BYTES);
    s_begin(&out, message);
    s_put_places(&out, &place, 1);
    s_finish(self, &out, path, err_code_name(code), (json_slice_t){.data = NULL});
}

field_errors_mark_t field_errors_mark(const field_errors_t *self)
{
    return (field_errors_mark_t){self->last, self->count};
}

void field_errors_cut(field_errors_t *self, field_errors_mark_t mark)
{
    if (mark.last)
        mark.last->next = NULL;
    else
        self->first = NULL;
    self->last = mark.last;
    self->count = mark.count;
}

void field_errors_write(const field_errors_t *self, buffer_t *out)
{
    buffer_put_str(out, "\"errors\":[");
    for (const field_error_t *error = self->first; error; error = error->next) {
        if (error != self->first)
            buffer_put_char(out, ',');
        buffer_put(out, error->text.data, error->text.size);
    }
    if (self->out_of_memory) {
        if (self->first)
            buffer_put_char(out, ',');
        buffer_printf(out,
                      "{\"message\":\"The request needs more memory than the limit of %zu "
                      "bytes.\",\"extensions\":{\"code\":\"LIMIT_EXCEEDED\"}}",
                      arena_limit(self->arena));
    }
    buffer_put_char(out, ']');
}

const path_t *path_copy(arena_t *arena, const path_t *path)
{
    if (!path)
        return NULL;
    path_t *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *path;
    copy->above = path_copy(arena, path->above);
    return path->above && !copy->above ? NULL : copy;
}
