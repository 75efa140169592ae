#include "gateway/graphql/language/lexer.h"

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

static bool s_char_is(const lexer_t *self, const char *at, char c)
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

static bool s_fail(lexer_t *self, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool s_fail(lexer_t *self, const char *at, const char *format, ...)
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

static bool s_no_memory(lexer_t *self)
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

/* Steps over one source character of a string or comment and keeps the column right. NULL if it is
 * not UTF-8. */
static const char *s_step(lexer_t *self, const char *at)
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

/* A character for a message, as graphql-js prints it. */
static const char *s_char_text(const lexer_t *self, const char *at, char text[static 16])
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

static void s_newline(lexer_t *self, const char *next)
{
    self->line++;
    self->line_start = next;
    self->narrow = 0;
}

static const char *s_after_newline(const lexer_t *self, const char *at)
{
    return *at == '\r' && s_char_is(self, at + 1, '\n') ? at + 2 : at + 1;
}

static bool s_skip_comment(lexer_t *self)
{
    const char *at = self->at + 1;
    while (at < self->end && *at != '\n' && *at != '\r') {
        const char *next = s_step(self, at);
        if (!next) {
            char text[16];
            return s_fail(self, at, "Invalid character: %s.", s_char_text(self, at, text));
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
            self->at = s_after_newline(self, self->at);
            s_newline(self, self->at);
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
        s_fail(self, at, "Invalid number, expected digit but got: %s.",
               s_char_text(self, at, text));
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
    if (s_char_is(self, at, '0')) {
        at++;
        if (s_is(self, at, DIGIT))
            return s_fail(self, at, "Invalid number, unexpected digit after 0: %s.",
                          s_char_text(self, at, text));
    } else if (!(at = s_digits(self, at))) {
        return false;
    }
    if (s_char_is(self, at, '.')) {
        is_float = true;
        if (!(at = s_digits(self, at + 1)))
            return false;
    }
    if (s_char_is(self, at, 'e') || s_char_is(self, at, 'E')) {
        is_float = true;
        at++;
        if (s_char_is(self, at, '+') || s_char_is(self, at, '-'))
            at++;
        if (!(at = s_digits(self, at)))
            return false;
    }
    if (s_char_is(self, at, '.') || s_is(self, at, NAME_START))
        return s_fail(self, at, "Invalid number, expected digit but got: %s.",
                      s_char_text(self, at, text));
    return s_slice(self, token, is_float ? TOKEN_FLOAT : TOKEN_INT, at);
}

static int s_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t s_hex4(const lexer_t *self, const char *at)
{
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = at + i < self->end ? s_hex(at[i]) : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static size_t s_put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

static bool s_bad_escape(lexer_t *self, const char *at, const char *kind, ptrdiff_t size)
{
    const char *end = self->end - at < size ? self->end : at + size;
    char text[48];
    size_t length = 0;
    for (; at + length < end && length < sizeof text - 1; length++) {
        if ((unsigned char)at[length] < 0x20 || (unsigned char)at[length] > 0x7E)
            break;
        text[length] = at[length];
    }
    text[length] = '\0';
    return s_fail(self, at, "Invalid %s escape sequence: \"%s\".", kind, text);
}

/* \u{1F600}: size of the escape, or 0 with an error. */
static size_t s_braced_escape(lexer_t *self, const char *at, uint32_t *point)
{
    uint32_t code = 0;
    size_t size = 3;
    while (size < 12 && at + size < self->end) {
        char c = at[size++];
        if (c == '}') {
            if (size < 5 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
                break;
            *point = code;
            return size;
        }
        int digit = s_hex(c);
        if (digit < 0)
            break;
        code = code << 4 | (uint32_t)digit;
    }
    s_bad_escape(self, at, "Unicode", (ptrdiff_t)size);
    return 0;
}

/* \uD83D\uDE00: size of the escape, or 0 with an error. */
static size_t s_fixed_escape(lexer_t *self, const char *at, uint32_t *point)
{
    int32_t code = s_hex4(self, at + 2);
    if (code >= 0 && (code < 0xD800 || code > 0xDFFF)) {
        *point = (uint32_t)code;
        return 6;
    }
    if (code >= 0xD800 && code <= 0xDBFF && s_char_is(self, at + 6, '\\') &&
        s_char_is(self, at + 7, 'u')) {
        int32_t low = s_hex4(self, at + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *point = 0x10000 + (((uint32_t)code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            return 12;
        }
    }
    s_bad_escape(self, at, "Unicode", 6);
    return 0;
}

/* Size of the escape at `at`, or 0 with an error. */
static size_t s_escape(lexer_t *self, const char *at, uint32_t *point)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (s_char_is(self, at + 1, 'u'))
        return s_char_is(self, at + 2, '{') ? s_braced_escape(self, at, point)
                                            : s_fixed_escape(self, at, point);
    const char *found = at + 1 < self->end && at[1] ? strchr(from, at[1]) : NULL;
    if (!found) {
        s_bad_escape(self, at, "character", 2);
        return 0;
    }
    *point = (unsigned char)to[found - from];
    return 2;
}

/* Checks a quoted string; *end is its closing quote. */
static bool s_scan_string(lexer_t *self, const char **end, bool *has_escapes)
{
    const char *at = self->at + 1;
    char text[16];
    *has_escapes = false;
    while (at < self->end && *at != '\n' && *at != '\r') {
        if (*at == '"') {
            *end = at;
            return true;
        }
        if (*at == '\\') {
            uint32_t point;
            size_t size = s_escape(self, at, &point);
            if (!size)
                return false;
            *has_escapes = true;
            at += size;
            continue;
        }
        const char *next = s_step(self, at);
        if (!next)
            return s_fail(self, at, "Invalid character within String: %s.",
                          s_char_text(self, at, text));
        at = next;
    }
    return s_fail(self, at, "Unterminated string.");
}

/* 2.9.4 */
static bool s_string(lexer_t *self, token_t *token)
{
    const char *end = NULL; /* gcc does not see that it is set when the scan succeeds */
    bool has_escapes;
    if (!s_scan_string(self, &end, &has_escapes))
        return false;
    const char *at = self->at + 1;
    /* An escape is never shorter than what it stands for. */
    char *out = arena_memdup(self->arena, at, (size_t)(end - at));
    if (!out)
        return s_no_memory(self);
    size_t size = (size_t)(end - at);
    if (has_escapes) {
        size = 0;
        while (at < end) {
            uint32_t point;
            if (*at != '\\') {
                out[size++] = *at++;
                continue;
            }
            at += s_escape(self, at, &point);
            size += s_put_utf8(out + size, point);
        }
        out[size] = '\0';
    }
    token->kind = TOKEN_STRING;
    token->data = out;
    token->size = (uint32_t)size;
    self->at = end + 1;
    return true;
}

/* One line of a block string, in its undecoded text. */
typedef struct {
    const char *at;
    const char *end;  /* without its line terminator */
    const char *next; /* the next line; NULL after the last */
} block_line_t;

static block_line_t s_block_line(const char *at, const char *end)
{
    block_line_t line = {.at = at, .end = end, .next = NULL};
    for (; at < end; at++) {
        if (*at != '\n' && *at != '\r')
            continue;
        line.end = at;
        line.next = at + (*at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1);
        break;
    }
    return line;
}

static size_t s_indent(const block_line_t *line)
{
    const char *at = line->at;
    while (at < line->end && (*at == ' ' || *at == '\t'))
        at++;
    return (size_t)(at - line->at);
}

static size_t s_put_block_line(char *out, const char *at, const char *end)
{
    char *start = out;
    while (at < end) {
        if (*at == '\\' && end - at >= 4 && memcmp(at, "\\\"\"\"", 4) == 0)
            at++;
        else
            *out++ = *at++;
    }
    return (size_t)(out - start);
}

/* 2.9.4 BlockStringValue: the text between the quotes, dedented, into out (which has room); returns
 * its size. */
static size_t s_block_value(const char *text, const char *text_end, char *out)
{
    size_t common = SIZE_MAX;
    uint32_t first = UINT32_MAX;
    uint32_t last = 0;
    uint32_t index = 0;
    for (const char *at = text; at; index++) {
        block_line_t line = s_block_line(at, text_end);
        size_t indent = s_indent(&line);
        at = line.next;
        if (indent == (size_t)(line.end - line.at))
            continue;
        if (first == UINT32_MAX)
            first = index;
        last = index;
        if (index > 0 && indent < common)
            common = indent;
    }
    size_t size = 0;
    if (first == UINT32_MAX)
        return 0;
    index = 0;
    for (const char *at = text; at && index <= last; index++) {
        block_line_t line = s_block_line(at, text_end);
        at = line.next;
        if (index < first)
            continue;
        if (index > first)
            out[size++] = '\n';
        size_t length = (size_t)(line.end - line.at);
        size_t cut = index == 0 ? 0 : common < length ? common : length;
        size += s_put_block_line(out + size, line.at + cut, line.end);
    }
    return size;
}

static bool s_block_string(lexer_t *self, token_t *token)
{
    const char *text = self->at + 3;
    const char *at = text;
    char shown[16];
    for (;;) {
        /* Where the line begins does not matter for what is reported here. */
        if (at >= self->end)
            return s_fail(self, at, "Unterminated string.");
        size_t left = (size_t)(self->end - at);
        if (*at == '"' && left >= 3 && memcmp(at, "\"\"\"", 3) == 0)
            break;
        if (*at == '\\' && left >= 4 && memcmp(at, "\\\"\"\"", 4) == 0) {
            at += 4;
        } else if (*at == '\n' || *at == '\r') {
            at = s_after_newline(self, at);
            s_newline(self, at);
        } else {
            const char *next = s_step(self, at);
            if (!next)
                return s_fail(self, at, "Invalid character within String: %s.",
                              s_char_text(self, at, shown));
            at = next;
        }
    }
    char *out = arena_alloc(self->arena, (size_t)(at - text) + 1);
    if (!out)
        return s_no_memory(self);
    size_t size = s_block_value(text, at, out);
    out[size] = '\0';
    token->kind = TOKEN_BLOCK_STRING;
    token->data = out;
    token->size = (uint32_t)size;
    self->at = at + 3;
    return true;
}

static bool s_dot(lexer_t *self, token_t *token)
{
    const char *at = self->at;
    if (s_char_is(self, at + 1, '.') && s_char_is(self, at + 2, '.'))
        return s_token(self, token, TOKEN_SPREAD, 3);
    if (s_char_is(self, at + 1, '.'))
        return s_fail(self, at, "Unexpected \"..\", did you mean \"...\"?");
    if (s_is(self, at + 1, DIGIT)) {
        const char *end = s_digits(self, at + 1);
        int size = end - at > 32 ? 32 : (int)(end - at - 1);
        return s_fail(self, at,
                      "Invalid number, expected digit before \".\", did you mean \"0.%.*s\"?", size,
                      at + 1);
    }
    return s_fail(self, at, "Unexpected character: \".\".");
}

static bool s_unexpected(lexer_t *self)
{
    char text[16];
    if (*self->at == '\'')
        return s_fail(self, self->at,
                      "Unexpected single quote character ('), did you mean to use a double quote "
                      "(\")?");
    uint32_t point;
    return s_fail(self, self->at, "%s character: %s.",
                  s_utf8(self, self->at, &point) ? "Unexpected" : "Invalid",
                  s_char_text(self, self->at, text));
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
        if (s_char_is(self, self->at + 1, '"') && s_char_is(self, self->at + 2, '"'))
            return s_block_string(self, token);
        return s_string(self, token);
    default:
        break;
    }
    if (s_is(self, self->at, NAME_START))
        return s_name(self, token);
    if (s_is(self, self->at, DIGIT) || *self->at == '-')
        return s_number(self, token);
    return s_unexpected(self);
}
