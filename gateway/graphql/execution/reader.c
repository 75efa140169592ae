#include "gateway/graphql/execution/reader.h"

#include <stdint.h>
#include <string.h>

#include "common/hex.h"

/* The first byte from `at` on that a string cannot simply hold: quote, backslash, control
 * character. *wide is set if bytes beyond ASCII were passed. */
static const char *s_plain(const char *at, const char *end, bool *wide)
{
#ifdef __SSE2__
    int high = 0;
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int mask = reader_stops(bytes);
        if (mask) {
            unsigned first = (unsigned)__builtin_ctz((unsigned)mask);
            high |= _mm_movemask_epi8(bytes) & (int)((1U << first) - 1);
            *wide |= high != 0;
            return at + first;
        }
        high |= _mm_movemask_epi8(bytes);
        at += 16;
    }
    *wide |= high != 0;
#endif
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        *wide |= c >= 0x80;
    }
    return at;
}

/* at: the backslash. */
static const char *s_escape(const char *at, const char *end)
{
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return reader_is_short_escape(at[1]) ? at + 2 : NULL;
    int unit = hex_digits4(at + 2, end);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return NULL;
    if (unit < 0xd800 || unit > 0xdbff)
        return at + 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return NULL;
    int low = hex_digits4(at + 8, end);
    return low >= 0xdc00 && low <= 0xdfff ? at + 12 : NULL;
}

const char *reader_string(const char *at, const char *end)
{
    if (at >= end || *at != '"')
        return NULL;
    const char *start = ++at;
    bool wide = false;
    for (;;) {
        at = s_plain(at, end, &wide);
        if (at >= end)
            return NULL;
        if (*at == '"')
            break;
        if (*at != '\\')
            return NULL;
        at = s_escape(at, end);
        if (!at)
            return NULL;
    }
    if (wide && !utf8_is_valid(start, (size_t)(at - start)))
        return NULL;
    return at + 1;
}

static const char *s_digits(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > start ? at : NULL;
}

const char *reader_number(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!(at = s_digits(at, end)))
        return NULL;
    if (at < end && *at == '.' && !(at = s_digits(at + 1, end)))
        return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = s_digits(at, end);
    }
    return at;
}

const char *reader_word(const char *at, const char *end, const char *word, size_t size)
{
    if ((size_t)(end - at) < size || memcmp(at, word, size) != 0)
        return NULL;
    return at + size;
}

static const char *s_map(const char *at, const char *end, unsigned depth)
{
    at = reader_space(at + 1, end);
    if (at < end && *at == '}')
        return at + 1;
    for (;;) {
        at = reader_string(at, end);
        if (!at)
            return NULL;
        at = reader_space(at, end);
        if (at >= end || *at != ':')
            return NULL;
        at = reader_skip(reader_space(at + 1, end), end, depth);
        if (!at)
            return NULL;
        at = reader_space(at, end);
        if (at >= end)
            return NULL;
        if (*at == '}')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = reader_space(at + 1, end);
    }
}

static const char *s_list(const char *at, const char *end, unsigned depth)
{
    at = reader_space(at + 1, end);
    if (at < end && *at == ']')
        return at + 1;
    for (;;) {
        at = reader_skip(at, end, depth);
        if (!at)
            return NULL;
        at = reader_space(at, end);
        if (at >= end)
            return NULL;
        if (*at == ']')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = reader_space(at + 1, end);
    }
}

const char *reader_skip(const char *at, const char *end, unsigned depth)
{
    if (at >= end)
        return NULL;
    switch (*at) {
    case '"':
        return reader_string(at, end);
    case '{':
        return depth ? s_map(at, end, depth - 1) : NULL;
    case '[':
        return depth ? s_list(at, end, depth - 1) : NULL;
    case 't':
        return reader_word(at, end, "true", 4);
    case 'f':
        return reader_word(at, end, "false", 5);
    case 'n':
        return reader_word(at, end, "null", 4);
    default:
        return reader_number(at, end);
    }
}

void reader_put(buffer_t *out, json_slice_t value)
{
    const char *at = value.data;
    const char *end = value.data + value.size;
    while (at < end) {
        const char *start = at;
        while (at && at < end && (unsigned char)*at > ' ')
            at = *at == '"' ? reader_string(at, end) : at + 1;
        if (!at)
            at = end; /* not valid: as it is */
        buffer_put(out, start, (size_t)(at - start));
        while (at < end && (unsigned char)*at <= ' ')
            at++;
    }
}
