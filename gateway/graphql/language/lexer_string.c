/* Quoted and block strings (GraphQL 2025-09 2.9.4). */
#include <string.h>

#include "common/hex.h"
#include "gateway/graphql/language/lexer_state.h"

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
    return l_fail(self, at, "Invalid %s escape sequence: \"%s\".", kind, text);
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
        int digit = hex_digit(c);
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
    int32_t code = hex_digits4(at + 2, self->end);
    if (code >= 0 && (code < 0xD800 || code > 0xDFFF)) {
        *point = (uint32_t)code;
        return 6;
    }
    if (code >= 0xD800 && code <= 0xDBFF && l_char_is(self, at + 6, '\\') &&
        l_char_is(self, at + 7, 'u')) {
        int32_t low = hex_digits4(at + 8, self->end);
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
    if (l_char_is(self, at + 1, 'u'))
        return l_char_is(self, at + 2, '{') ? s_braced_escape(self, at, point)
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
        const char *next = l_step(self, at);
        if (!next)
            return l_fail(self, at, "Invalid character within String: %s.",
                          l_char_text(self, at, text));
        at = next;
    }
    return l_fail(self, at, "Unterminated string.");
}

/* 2.9.4 */
bool l_string(lexer_t *self, token_t *token)
{
    const char *end = NULL; /* gcc does not see that it is set when the scan succeeds */
    bool has_escapes;
    if (!s_scan_string(self, &end, &has_escapes))
        return false;
    const char *at = self->at + 1;
    /* An escape is never shorter than what it stands for. */
    char *out = arena_memdup(self->arena, at, (size_t)(end - at));
    if (!out)
        return l_no_memory(self);
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

bool l_block_string(lexer_t *self, token_t *token)
{
    const char *text = self->at + 3;
    const char *at = text;
    char shown[16];
    for (;;) {
        /* Where the line begins does not matter for what is reported here. */
        if (at >= self->end)
            return l_fail(self, at, "Unterminated string.");
        size_t left = (size_t)(self->end - at);
        if (*at == '"' && left >= 3 && memcmp(at, "\"\"\"", 3) == 0)
            break;
        if (*at == '\\' && left >= 4 && memcmp(at, "\\\"\"\"", 4) == 0) {
            at += 4;
        } else if (*at == '\n' || *at == '\r') {
            at = l_after_newline(self, at);
            l_newline(self, at);
        } else {
            const char *next = l_step(self, at);
            if (!next)
                return l_fail(self, at, "Invalid character within String: %s.",
                              l_char_text(self, at, shown));
            at = next;
        }
    }
    char *out = arena_alloc(self->arena, (size_t)(at - text) + 1);
    if (!out)
        return l_no_memory(self);
    size_t size = s_block_value(text, at, out);
    out[size] = '\0';
    token->kind = TOKEN_BLOCK_STRING;
    token->data = out;
    token->size = (uint32_t)size;
    self->at = at + 3;
    return true;
}
