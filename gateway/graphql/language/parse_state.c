#include "gateway/graphql/language/parse_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

enum { SHOWN_BYTES = 64 };

/* ---- errors ---- */

bool p_fail(parse_state_t *self, ast_loc_t loc, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gql_errors_add(self->errors, ERR_GRAPHQL_PARSE_FAILED, NULL, &loc, 1, "Syntax Error: %s", text);
    return false;
}

bool p_no_memory(parse_state_t *self)
{
    self->errors->out_of_memory = true;
    return false;
}

/* A token for a message: `Name "foo"`, `"{"`. Long values are cut between characters. */
static const char *s_token_text(const token_t *token, char text[static SHOWN_BYTES + 24])
{
    const char *kind = token_kind_text(token->kind);
    if (!token->data)
        return kind;
    size_t size = token->size;
    const char *more = "";
    if (size > SHOWN_BYTES) {
        size = utf8_cut(token->data, SHOWN_BYTES);
        more = "…";
    }
    snprintf(text, SHOWN_BYTES + 24, "%s \"%.*s%s\"", kind, (int)size, token->data, more);
    return text;
}

bool p_unexpected(parse_state_t *self, const token_t *token)
{
    char text[SHOWN_BYTES + 24];
    return p_fail(self, token->loc, "Unexpected %s.", s_token_text(token, text));
}

bool p_enter(parse_state_t *self)
{
    if (self->depth < self->max_depth) {
        self->depth++;
        return true;
    }
    gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, NULL, &self->token.loc, 1,
                   "The document is nested %u levels deep or more; the limit (depth) is %u.",
                   self->depth + 1, self->max_depth);
    return false;
}

void p_leave(parse_state_t *self)
{
    self->depth--;
}

/* ---- tokens ---- */

static bool s_read(parse_state_t *self, token_t *token)
{
    if (!lexer_next(&self->lexer, token))
        return false;
    if (token->kind == TOKEN_EOF)
        return true;
    self->document->token_count++;
    if (self->max_tokens && self->document->token_count > self->max_tokens) {
        gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, NULL, &token->loc, 1,
                       "The document has %u tokens or more; the limit (tokens) is %u.",
                       self->document->token_count, self->max_tokens);
        return false;
    }
    return true;
}

bool p_advance(parse_state_t *self)
{
    if (self->has_ahead) {
        self->token = self->ahead;
        self->has_ahead = false;
        return true;
    }
    return s_read(self, &self->token);
}

bool p_look_ahead(parse_state_t *self)
{
    if (self->has_ahead)
        return true;
    self->has_ahead = s_read(self, &self->ahead);
    return self->has_ahead;
}

bool p_expect(parse_state_t *self, token_kind_t kind)
{
    if (self->token.kind == kind)
        return p_advance(self);
    char text[SHOWN_BYTES + 24];
    return p_fail(self, self->token.loc, "Expected %s, found %s.", token_kind_text(kind),
                  s_token_text(&self->token, text));
}

bool p_optional(parse_state_t *self, token_kind_t kind, bool *found)
{
    *found = self->token.kind == kind;
    return !*found || p_advance(self);
}

bool p_is_keyword(const token_t *token, const char *keyword)
{
    return token->kind == TOKEN_NAME && strlen(keyword) == token->size &&
           memcmp(token->data, keyword, token->size) == 0;
}

bool p_expect_keyword(parse_state_t *self, const char *keyword)
{
    if (p_is_keyword(&self->token, keyword))
        return p_advance(self);
    char text[SHOWN_BYTES + 24];
    return p_fail(self, self->token.loc, "Expected \"%s\", found %s.", keyword,
                  s_token_text(&self->token, text));
}

bool p_optional_keyword(parse_state_t *self, const char *keyword, bool *found)
{
    *found = p_is_keyword(&self->token, keyword);
    return !*found || p_advance(self);
}

/* ---- lists ---- */

size_t p_list_begin(const parse_state_t *self)
{
    return self->stack_size;
}

bool p_list_push(parse_state_t *self, const void *item, size_t size)
{
    if (self->stack_capacity - self->stack_size < size) {
        size_t capacity = self->stack_capacity ? self->stack_capacity * 2 : 4096;
        while (capacity - self->stack_size < size)
            capacity *= 2;
        char *stack = realloc(self->stack, capacity);
        if (!stack)
            return p_no_memory(self);
        self->stack = stack;
        self->stack_capacity = capacity;
    }
    memcpy(self->stack + self->stack_size, item, size);
    self->stack_size += size;
    return true;
}

bool p_list_end(parse_state_t *self, size_t begin, size_t item_size, void *items, uint32_t *count)
{
    size_t size = self->stack_size - begin;
    void *copy = NULL;
    if (size) {
        copy = arena_alloc(self->arena, size);
        if (!copy)
            return p_no_memory(self);
        memcpy(copy, self->stack + begin, size);
    }
    memcpy(items, &copy, sizeof copy);
    *count = (uint32_t)(size / item_size);
    self->stack_size = begin;
    return true;
}
