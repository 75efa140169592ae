#include "gateway/graphql/language/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

/* A message, cut between characters where it is too long; NULL if the arena is at its limit. */
static char *s_message(arena_t *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *s_message(arena_t *arena, const char *format, va_list args)
{
    static const char more[] = "…";
    char text[GQL_ERROR_MESSAGE_MAX + 1];
    int written = vsnprintf(text, sizeof text, format, args);
    if (written <= GQL_ERROR_MESSAGE_MAX)
        return arena_memdup(arena, text, written > 0 ? (size_t)written : 0);
    size_t size = utf8_cut(text, GQL_ERROR_MESSAGE_MAX - (sizeof more - 1));
    memcpy(text + size, more, sizeof more - 1);
    return arena_memdup(arena, text, size + sizeof more - 1);
}

void gql_errors_addv(gql_errors_t *self,
                     err_code_t code,
                     const char *rule,
                     const ast_loc_t *locations,
                     uint32_t location_count,
                     const char *format,
                     va_list args)
{
    if (self->limit && self->count >= self->limit) {
        self->full = true;
        return;
    }
    if (location_count > GQL_ERROR_PLACES_MAX)
        location_count = GQL_ERROR_PLACES_MAX;
    char *message = s_message(self->arena, format, args);
    ast_loc_t *copy = arena_calloc(self->arena, location_count, sizeof *copy);
    gql_error_t *error = arena_calloc(self->arena, 1, sizeof *error);
    if (!message || !copy || !error) {
        self->out_of_memory = true;
        return;
    }
    if (location_count)
        memcpy(copy, locations, location_count * sizeof *copy);
    error->code = code;
    error->message = message;
    error->rule = rule;
    error->locations = copy;
    error->location_count = location_count;
    if (self->last)
        self->last->next = error;
    else
        self->first = error;
    self->last = error;
    self->count++;
}

void gql_errors_add(gql_errors_t *self,
                    err_code_t code,
                    const char *rule,
                    const ast_loc_t *locations,
                    uint32_t location_count,
                    const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    gql_errors_addv(self, code, rule, locations, location_count, format, args);
    va_end(args);
}

static void s_write_error(const gql_error_t *error, buffer_t *out)
{
    buffer_put_str(out, "{\"message\":");
    buffer_put_json_string(out, error->message, strlen(error->message));
    if (error->location_count) {
        buffer_put_str(out, ",\"locations\":[");
        for (uint32_t i = 0; i < error->location_count; i++) {
            buffer_put_str(out, i ? ",{\"line\":" : "{\"line\":");
            buffer_put_uint(out, error->locations[i].line);
            buffer_put_str(out, ",\"column\":");
            buffer_put_uint(out, error->locations[i].column);
            buffer_put_char(out, '}');
        }
        buffer_put_char(out, ']');
    }
    buffer_put_str(out, ",\"extensions\":{\"code\":\"");
    buffer_put_str(out, err_code_name(error->code));
    buffer_put_str(out, "\"}}");
}

/* What goes behind the last error: "]}", and the one about memory. */
enum { CLOSING_BYTES = 256 };

void gql_errors_write(const gql_errors_t *self, buffer_t *out)
{
    buffer_put_char(out, '[');
    for (const gql_error_t *error = self->first; error; error = error->next) {
        size_t mark = out->size;
        bool failed = out->failed;
        if (error != self->first)
            buffer_put_char(out, ',');
        s_write_error(error, out);
        if (!out->failed && out->limit - out->size >= CLOSING_BYTES)
            continue;
        out->size = mark; /* as many as there is room for, each whole */
        out->failed = failed;
        break;
    }
    if (self->out_of_memory) {
        char text[120];
        snprintf(text, sizeof text, "The document needs more memory than the limit of %zu bytes.",
                 arena_limit(self->arena));
        gql_error_t error = {.code = ERR_LIMIT_EXCEEDED, .message = text};
        if (self->first)
            buffer_put_char(out, ',');
        s_write_error(&error, out);
    }
    buffer_put_char(out, ']');
}

void gql_errors_write_response(const gql_errors_t *self, buffer_t *out)
{
    buffer_put_str(out, "{\"errors\":");
    gql_errors_write(self, out);
    buffer_put_char(out, '}');
}
