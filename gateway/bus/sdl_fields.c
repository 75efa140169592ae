#include "gateway/bus/sdl_fields.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *at;
    const char *end;
    /* The token: a name, or one character in `sign`; both empty at the end. */
    const char *name;
    size_t name_size;
    char sign;
} scanner_t;

static bool s_starts(const scanner_t *self, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(self->end - self->at) >= size && memcmp(self->at, text, size) == 0;
}

static void s_skip_comment(scanner_t *self)
{
    while (self->at < self->end && *self->at != '\n' && *self->at != '\r')
        self->at++;
}

/* at is behind the opening quotes. */
static void s_skip_block_string(scanner_t *self)
{
    while (self->at < self->end && !s_starts(self, "\"\"\""))
        self->at += s_starts(self, "\\\"\"\"") ? 4 : 1;
    self->at += self->at < self->end ? 3 : 0;
}

static void s_skip_string(scanner_t *self)
{
    while (self->at < self->end && *self->at != '"' && *self->at != '\n') {
        bool is_escape = *self->at == '\\' && self->at + 1 < self->end;
        self->at += is_escape ? 2 : 1;
    }
    self->at += self->at < self->end ? 1 : 0;
}

static bool s_is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next name or sign outside strings and comments; false at the end. */
static bool s_next(scanner_t *self)
{
    self->name_size = 0;
    self->sign = '\0';
    while (self->at < self->end) {
        if (*self->at == '#') {
            s_skip_comment(self);
        } else if (s_starts(self, "\"\"\"")) {
            self->at += 3;
            s_skip_block_string(self);
        } else if (*self->at == '"') {
            self->at++;
            s_skip_string(self);
        } else if (s_is_name_char(*self->at)) {
            self->name = self->at;
            while (self->at < self->end && s_is_name_char(*self->at))
                self->at++;
            self->name_size = (size_t)(self->at - self->name);
            return true;
        } else if (strchr("{}()[]:=@", *self->at) != NULL && *self->at != '\0') {
            self->sign = *self->at++;
            return true;
        } else {
            self->at++;
        }
    }
    return false;
}

/* Behind the `{` of an object type: takes its fields up to the `}`. A field is a name that is
 * followed by `(` or `:`, outside of parentheses. */
static void s_take_fields(scanner_t *self, const char *type, size_t type_size, zhashx_t *fields)
{
    unsigned depth = 0; /* of parentheses, brackets and braces of values */
    char key[256];
    const char *name = NULL;
    size_t name_size = 0;
    while (s_next(self)) {
        if (self->sign == '}' && depth == 0)
            return;
        bool opens = self->sign == '(' || self->sign == '[' || self->sign == '{';
        bool closes = self->sign == ')' || self->sign == ']' || self->sign == '}';
        bool is_field = depth == 0 && name != NULL && (self->sign == '(' || self->sign == ':');
        if (is_field && type_size + name_size + 2 <= sizeof key) {
            snprintf(key, sizeof key, "%.*s.%.*s", (int)type_size, type, (int)name_size, name);
            zhashx_insert(fields, key, fields);
        }
        depth += opens ? 1 : 0;
        depth -= closes && depth > 0 ? 1 : 0;
        bool is_directive = self->sign == '@' && s_next(self);
        name = is_directive || self->name_size == 0 ? NULL : self->name;
        name_size = self->name_size;
    }
}

static bool s_is_name(const scanner_t *self, const char *name)
{
    return self->name_size == strlen(name) && memcmp(self->name, name, self->name_size) == 0;
}

/* Behind `type Name`: goes behind the `{`. `implements A & B @directive(arg: {…})` may come before
 * it; false if the next definition comes first. */
static bool s_find_brace(scanner_t *self)
{
    static const char *const keywords[] = {"type",  "extend", "interface", "input",    "enum",
                                           "union", "scalar", "schema",    "directive"};
    unsigned depth = 0;
    for (const char *before = self->at; s_next(self); before = self->at) {
        depth += self->sign == '(' ? 1 : 0;
        depth -= self->sign == ')' && depth > 0 ? 1 : 0;
        if (depth == 0 && self->sign == '{')
            return true;
        if (self->sign == '@') {
            s_next(self);
            continue;
        }
        for (size_t i = 0; depth == 0 && i < sizeof keywords / sizeof keywords[0]; i++)
            if (s_is_name(self, keywords[i])) {
                self->at = before;
                return false;
            }
    }
    return false;
}

zhashx_t *sdl_fields(const char *sdl, size_t size)
{
    zhashx_t *fields = zhashx_new();
    scanner_t scanner = {.at = sdl, .end = sdl + size};
    while (s_next(&scanner)) {
        if (!s_is_name(&scanner, "type") || !s_next(&scanner) || scanner.name_size == 0)
            continue;
        const char *type = scanner.name;
        size_t type_size = scanner.name_size;
        if (s_find_brace(&scanner))
            s_take_fields(&scanner, type, type_size, fields);
    }
    return fields;
}
