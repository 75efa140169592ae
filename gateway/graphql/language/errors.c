#include "gateway/graphql/language/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gql_errors_add(gql_errors_t *self,
                    err_code_t code,
                    const char *rule,
                    const ast_loc_t *locations,
                    uint32_t location_count,
                    const char *format,
                    ...)
{
    if (self->limit && self->count >= self->limit) {
        self->full = true;
        return;
    }
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(self->arena, format, args);
    va_end(args);
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

void gql_errors_write(const gql_errors_t *self, buffer_t *out)
{
    buffer_put_char(out, '[');
    for (const gql_error_t *error = self->first; error; error = error->next) {
        if (error != self->first)
            buffer_put_char(out, ',');
        s_write_error(error, out);
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
