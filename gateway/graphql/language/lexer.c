#include "gateway/graphql/language/lexer_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a byte can begin or continue. */
enum { NAME_START = 1, NAME_CONTINUE = 2, DIGIT = 4 };

static unsigned s_class(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return NAME_START | NAME_CONTINUE;
    if (c >= '0' && c <= '9')
        return NAME_CONTINUE | DIGIT;
    return 0;
}

static bool s_is(const lexer_t *self, const char *at, unsigned class)
{
    return at < self->end && (s_class((unsigned char)*at) & class);
}

bool l_char_is(const lexer_t *self, const char *at, char c)
{
    return at < self->end && *at == c;
}

const char *token_kind_text(token_kind_t kind)
{
    static const char *const texts[] = {
        [TOKEN_EOF] = "<EOF>",       [TOKEN_BANG] = "\"!\"",
        [TOKEN_DOLLAR] = "\"$\"",    [TOKEN_AMP] = "\"&\"",
        [TOKEN_PAREN_L] = "\"(\"",   [TOKEN_PAREN_R] = "\")\"",
        [TOKEN_SPREAD] = "\"...\"",  [TOKEN_COLON] = "\":\"",
        [TOKEN_EQUALS] = "\"=\"",    [TOKEN_AT] = "\"@\"",
        [TOKEN_BRACKET_L] = "\"[\"", [TOKEN_BRACKET_R] = "\"]\"",
        [TOKEN_BRACE_L] = "\"{\"",   [TOKEN_PIPE] = "\"|\"",
        [TOKEN_BRACE_R] = "\"}\"",   [TOKEN_NAME] = "Name",
        [TOKEN_INT] = "Int",         [TOKEN_FLOAT] = "Float",
        [TOKEN_STRING] = "String",   [TOKEN_BLOCK_STRING] = "BlockString",
    };
    return texts[kind];
}

void lexer_init(lexer_t *self, arena_t *arena, const char *text, size_t size, gql_errors_t *errors)
{
    *self = (lexer_t){.arena = arena,
                      .errors = errors,
                      .begin = text,
                      .at = text,
                      .end = text + size,
                      .line_start = text,
                      .line = 1};
}

static ast_loc_t s_loc(const lexer_t *self, const char *at)
{
    return (ast_loc_t){.offset = (uint32_t)(at - self->begin),
                       .line = self->line,
                       .column = (uint32_t)(at - self->line_start) - self->narrow + 1};
}

bool l_fail(lexer_t *self, const char *at, const char *format, ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ast_loc_t loc = s_loc(self, at);
    gql_errors_add(self->errors, ERR_GRAPHQL_PARSE_FAILED, NULL, &loc, 1, "Syntax Error: %s", text);
    return false;
}

bool l_no_memory(lexer_t *self)
{
    self->errors->out_of_memory = true;
    return false;
}

/* Length of the well-formed UTF-8 sequence at `at` (RFC 3629 4), or 0. */
static unsigned s_utf8(const lexer_t *self, const char *at, uint32_t *point)
{
    const unsigned char *s = (const unsigned char *)at;
    size_t left = (size_t)(self->end - at);
    if (s[0] < 0x80) {
        *point = s[0];
        return 1;
    }
    unsigned size = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < size)
        return 0;
    uint32_t code = s[0] & (0x7FU >> size);
    for (unsigned i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3FU);
    }
    if ((size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10FFFF)) ||
        (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *point = code;
    return size;
}

const char *l_step(lexer_t *self, const char *at)
{
    if ((unsigned char)*at < 0x80)
        return at + 1;
    uint32_t point;
    unsigned size = s_utf8(self, at, &point);
    if (!size)
        return NULL;
    self->narrow += size - (size == 4 ? 2 : 1);
    return at + size;
}

const char *l_char_text(const lexer_t *self, const char *at, char text[static 16])
{
    uint32_t point;
    if (at >= self->end)
        return "<EOF>";
    if (*at == '"')
        return "'\"'";
    unsigned size = s_utf8(self, at, &point);
    if (!size)
        snprintf(text, 16, "byte 0x%02X", (unsigned char)*at);
    else if (point >= 0x20 && point <= 0x7E)
        snprintf(text, 16, "\"%c\"", (char)point);
    else
        snprintf(text, 16, "U+%04X", point);
    return text;
}

void l_newline(lexer_t *self, const char *next)
{
    self->line++;
    self->line_start = next;
    self->narrow = 0;
}

const char *l_after_newline(const lexer_t *self, const char *at)
{
    return *at == '\r' && l_char_is(self, at + 1, '\n') ? at + 2 : at + 1;
}

static bool s_skip_comment(lexer_t *self)
{
    const char *at = self->at + 1;
    while (at < self->end && *at != '\n' && *at != '\r') {
        const char *next = l_step(self, at);
        if (!next) {
            char text[16];
            return l_fail(self, at, "Invalid character: %s.", l_char_text(self, at, text));
        }
        at = next;
    }
    self->at = at;
    return true;
}

/* Moves to the first byte of the next token, or to the end. */
static bool s_skip_ignored(lexer_t *self)
{
    while (self->at < self->end) {
        switch (*self->at) {
        case ' ':
        case '\t':
        case ',':
            self->at++;
            break;
        case '\n':
        case '\r':
            self->at = l_after_newline(self, self->at);
            l_newline(self, self->at);
            break;
        case '#':
            if (!s_skip_comment(self))
                return false;
            break;
        case '\xEF': /* U+FEFF, anywhere */
            if (self->end - self->at < 3 || memcmp(self->at, "\xEF\xBB\xBF", 3) != 0)
                return true;
            self->at += 3;
            self->narrow += 2;
            break;
        default:
            return true;
        }
    }
    return true;
}

static bool s_token(lexer_t *self, token_t *token, token_kind_t kind, uint32_t size)
{
    token->kind = kind;
    self->at += size;
    return true;
}

static bool s_slice(lexer_t *self, token_t *token, token_kind_t kind, const char *end)
{
    token->kind = kind;
    token->data = self->at;
    token->size = (uint32_t)(end - self->at);
    self->at = end;
    return true;
}

static bool s_name(lexer_t *self, token_t *token)
{
    const char *at = self->at + 1;
    while (s_is(self, at, NAME_CONTINUE))
        at++;
    return s_slice(self, token, TOKEN_NAME, at);
}

static const char *s_digits(lexer_t *self, const char *at)
{
    char text[16];
    if (!s_is(self, at, DIGIT)) {
        l_fail(self, at, "Invalid number, expected digit but got: %s.",
               l_char_text(self, at, text));
        return NULL;
    }
    while (s_is(self, at, DIGIT))
        at++;
    return at;
}

/* 2.9.1, 2.9.2 */
static bool s_number(lexer_t *self, token_t *token)
{
    const char *at = self->at;
    char text[16];
    bool is_float = false;
    if (*at == '-')
        at++;
    if (l_char_is(self, at, '0')) {
        at++;
        if (s_is(self, at, DIGIT))
            return l_fail(self, at, "Invalid number, unexpected digit after 0: %s.",
                          l_char_text(self, at, text));
    } else if (!(at = s_digits(self, at))) {
        return false;
    }
    if (l_char_is(self, at, '.')) {
        is_float = true;
        if (!(at = s_digits(self, at + 1)))
            return false;
    }
    if (l_char_is(self, at, 'e') || l_char_is(self, at, 'E')) {
        is_float = true;
        at++;
        if (l_char_is(self, at, '+') || l_char_is(self, at, '-'))
            at++;
        if (!(at = s_digits(self, at)))
            return false;
    }
    if (l_char_is(self, at, '.') || s_is(self, at, NAME_START))
        return l_fail(self, at, "Invalid number, expected digit but got: %s.",
                      l_char_text(self, at, text));
    return s_slice(self, token, is_float ? TOKEN_FLOAT : TOKEN_INT, at);
}

static bool s_dot(lexer_t *self, token_t *token)
{
    const char *at = self->at;
    if (l_char_is(self, at + 1, '.') && l_char_is(self, at + 2, '.'))
        return s_token(self, token, TOKEN_SPREAD, 3);
    if (l_char_is(self, at + 1, '.'))
        return l_fail(self, at, "Unexpected \"..\", did you mean \"...\"?");
    if (s_is(self, at + 1, DIGIT)) {
        const char *end = s_digits(self, at + 1);
        int size = end - at > 32 ? 32 : (int)(end - at - 1);
        return l_fail(self, at,
                      "Invalid number, expected digit before \".\", did you mean \"0.%.*s\"?", size,
                      at + 1);
    }
    return l_fail(self, at, "Unexpected character: \".\".");
}

static bool s_unexpected(lexer_t *self)
{
    char text[16];
    if (*self->at == '\'')
        return l_fail(self, self->at,
                      "Unexpected single quote character ('), did you mean to use a double quote "
                      "(\")?");
    uint32_t point;
    return l_fail(self, self->at, "%s character: %s.",
                  s_utf8(self, self->at, &point) ? "Unexpected" : "Invalid",
                  l_char_text(self, self->at, text));
}

bool lexer_next(lexer_t *self, token_t *token)
{
    if (!s_skip_ignored(self))
        return false;
    *token = (token_t){.kind = TOKEN_EOF, .loc = s_loc(self, self->at)};
    if (self->at >= self->end)
        return true;
    switch (*self->at) {
    case '!':
        return s_token(self, token, TOKEN_BANG, 1);
    case '$':
        return s_token(self, token, TOKEN_DOLLAR, 1);
    case '&':
        return s_token(self, token, TOKEN_AMP, 1);
    case '(':
        return s_token(self, token, TOKEN_PAREN_L, 1);
    case ')':
        return s_token(self, token, TOKEN_PAREN_R, 1);
    case '.':
        return s_dot(self, token);
    case ':':
        return s_token(self, token, TOKEN_COLON, 1);
    case '=':
        return s_token(self, token, TOKEN_EQUALS, 1);
    case '@':
        return s_token(self, token, TOKEN_AT, 1);
    case '[':
        return s_token(self, token, TOKEN_BRACKET_L, 1);
    case ']':
        return s_token(self, token, TOKEN_BRACKET_R, 1);
    case '{':
        return s_token(self, token, TOKEN_BRACE_L, 1);
    case '|':
        return s_token(self, token, TOKEN_PIPE, 1);
    case '}':
        return s_token(self, token, TOKEN_BRACE_R, 1);
    case '"':
        if (l_char_is(self, self->at + 1, '"') && l_char_is(self, self->at + 2, '"'))
            return l_block_string(self, token);
        return l_string(self, token);
    default:
        break;
    }
    if (s_is(self, self->at, NAME_START))
        return s_name(self, token);
    if (s_is(self, self->at, DIGIT) || *self->at == '-')
        return s_number(self, token);
    return s_unexpected(self);
}
