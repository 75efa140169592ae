#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/hex.h"

#ifdef __SSE2__
/* A bit for each of 16 bytes that is a quote or a backslash. */
static unsigned s_marks(__m128i bytes)
{
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}
#endif

/* The next byte that is not simply part of a string: quote, backslash, control character, or one
 * beyond ASCII. Near the end it may stop before. */
static const unsigned char *s_skip_plain(const unsigned char *at, const unsigned char *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* As signed numbers, those beyond ASCII are below the blank, too. */
        unsigned stops =
            s_marks(bytes) | (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
        if (stops)
            return at + __builtin_ctz(stops);
        at += 16;
    }
#else
    (void)end;
#endif
    return at;
}

/* ---- validation: one recursive-descent pass, bounded by max_depth ---- */

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
} cursor_in_t;

static bool s_value(cursor_in_t *in, unsigned depth);

static void s_skip_space(cursor_in_t *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

static bool s_take(cursor_in_t *in, unsigned char c)
{
    if (in->at >= in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool s_word(cursor_in_t *in, const char *word)
{
    for (; *word != '\0'; word++)
        if (!s_take(in, (unsigned char)*word))
            return false;
    return true;
}

/* Behind "\u": one code point, a surrogate pair counts as one. -1 for a lone surrogate or bad
 * digits. */
static int32_t s_unicode_escape(const unsigned char **at, const unsigned char *end)
{
    int first = hex_digits4((const char *)*at, (const char *)end);
    if (first < 0)
        return -1;
    *at += 4;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int second = hex_digits4((const char *)*at + 2, (const char *)end);
    if (second < 0xDC00 || second > 0xDFFF)
        return -1;
    *at += 6;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/* Bytes of the UTF-8 sequence at `at`, or 0 if it is malformed (RFC 3629 4). */
static size_t s_utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    unsigned char lead = at[0];
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return left >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (left < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
            return 0;
        if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F))
            return 0;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (left < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 || (at[3] & 0xC0) != 0x80)
            return 0;
        if ((lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

static bool s_escape(cursor_in_t *in)
{
    if (in->at >= in->end)
        return false;
    unsigned char c = *in->at;
    if (c == 'u') {
        in->at++;
        return s_unicode_escape(&in->at, in->end) >= 0;
    }
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
        return false;
    in->at++;
    return true;
}

static bool s_string(cursor_in_t *in)
{
    if (!s_take(in, '"'))
        return false;
    while ((in->at = s_skip_plain(in->at, in->end)) < in->end) {
        unsigned char c = *in->at;
        if (c == '"') {
            in->at++;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c == '\\') {
            in->at++;
            if (!s_escape(in))
                return false;
        } else if (c < 0x80) {
            in->at++;
        } else {
            size_t size = s_utf8_sequence(in->at, in->end);
            if (size == 0)
                return false;
            in->at += size;
        }
    }
    return false;
}

static bool s_digits(cursor_in_t *in)
{
    const unsigned char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > start;
}

static bool s_number(cursor_in_t *in)
{
    s_take(in, '-');
    if (!s_take(in, '0') && !s_digits(in))
        return false;
    if (s_take(in, '.') && !s_digits(in))
        return false;
    if (s_take(in, 'e') || s_take(in, 'E')) {
        if (!s_take(in, '+'))
            s_take(in, '-');
        return s_digits(in);
    }
    return true;
}

static bool s_map(cursor_in_t *in, unsigned depth)
{
    in->at++;
    s_skip_space(in);
    if (s_take(in, '}'))
        return true;
    do {
        s_skip_space(in);
        if (!s_string(in))
            return false;
        s_skip_space(in);
        if (!s_take(in, ':') || !s_value(in, depth))
            return false;
    } while (s_take(in, ','));
    return s_take(in, '}');
}

static bool s_list(cursor_in_t *in, unsigned depth)
{
    in->at++;
    s_skip_space(in);
    if (s_take(in, ']'))
        return true;
    do {
        if (!s_value(in, depth))
            return false;
    } while (s_take(in, ','));
    return s_take(in, ']');
}

/* A value with white space on both sides. */
static bool s_value(cursor_in_t *in, unsigned depth)
{
    s_skip_space(in);
    if (in->at >= in->end)
        return false;
    bool ok;
    switch (*in->at) {
    case '{':
        ok = depth > 0 && s_map(in, depth - 1);
        break;
    case '[':
        ok = depth > 0 && s_list(in, depth - 1);
        break;
    case '"':
        ok = s_string(in);
        break;
    case 't':
        ok = s_word(in, "true");
        break;
    case 'f':
        ok = s_word(in, "false");
        break;
    case 'n':
        ok = s_word(in, "null");
        break;
    default:
        ok = s_number(in);
    }
    s_skip_space(in);
    return ok;
}

bool json_validate(const char *data, size_t size, unsigned max_depth, size_t *error_offset)
{
    cursor_in_t in = {.at = (const unsigned char *)data, .end = (const unsigned char *)data + size};
    bool ok = s_value(&in, max_depth) && in.at == in.end;
    if (!ok && error_offset != NULL)
        *error_offset = (size_t)(in.at - (const unsigned char *)data);
    return ok;
}

/* ---- walking text that was validated ---- */

static bool s_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

json_slice_t json_trim(json_slice_t text)
{
    while (text.size > 0 && s_is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && s_is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

json_kind_t json_kind(json_slice_t value)
{
    if (value.size == 0)
        return JSON_NONE;
    switch (value.data[0]) {
    case '{':
        return JSON_MAP;
    case '[':
        return JSON_LIST;
    case '"':
        return JSON_STRING_VALUE;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL_VALUE;
    default:
        return JSON_NUMBER;
    }
}

json_walk_t json_walk(json_slice_t container)
{
    json_slice_t text = json_trim(container);
    if (text.size < 2)
        return (json_walk_t){.at = text.data, .end = text.data};
    return (json_walk_t){.at = text.data + 1, .end = text.data + text.size - 1};
}

/* at is behind the opening quote; returns the closing one. */
static const char *s_string_end(const char *at, const char *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned marks = s_marks(_mm_loadu_si128((const __m128i *)(const void *)at));
        at += marks ? __builtin_ctz(marks) : 16;
        if (marks && *at == '"')
            return at;
        at += marks ? 2 : 0; /* an escape */
    }
#endif
    while (at < end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    return at < end ? at : end;
}

/* Behind the value that begins at `at`. */
static const char *s_value_end(const char *at, const char *end)
{
    if (at >= end)
        return end;
    if (*at == '"') {
        at = s_string_end(at + 1, end);
        return at < end ? at + 1 : end;
    }
    if (*at != '{' && *at != '[') {
        while (at < end && *at != ',' && *at != '}' && *at != ']' && !s_is_space(*at))
            at++;
        return at;
    }
    size_t depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '"') {
            at = s_string_end(at, end);
            at += at < end;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            break;
        }
    }
    return at;
}

static void s_walk_skip(json_walk_t *walk)
{
    while (walk->at < walk->end && (s_is_space(*walk->at) || *walk->at == ',' || *walk->at == ':'))
        walk->at++;
}

bool json_walk_item(json_walk_t *walk, json_slice_t *value)
{
    s_walk_skip(walk);
    if (walk->at >= walk->end)
        return false;
    const char *end = s_value_end(walk->at, walk->end);
    *value = (json_slice_t){.data = walk->at, .size = (size_t)(end - walk->at)};
    walk->at = end;
    return true;
}

bool json_walk_member(json_walk_t *walk, json_slice_t *key, json_slice_t *value)
{
    json_slice_t quoted;
    if (!json_walk_item(walk, &quoted) || quoted.size < 2)
        return false;
    *key = (json_slice_t){.data = quoted.data + 1, .size = quoted.size - 2};
    return json_walk_item(walk, value);
}

/* One character of a JSON string, decoded into out (at most 4 bytes); *at moves on. */
static size_t s_decode_char(const unsigned char **at, const unsigned char *end, char out[4])
{
    if (**at != '\\' || end - *at < 2) {
        out[0] = (char)*(*at)++;
        return 1;
    }
    unsigned char letter = (*at)[1];
    *at += 2;
    switch (letter) {
    case 'b':
        out[0] = '\b';
        return 1;
    case 'f':
        out[0] = '\f';
        return 1;
    case 'n':
        out[0] = '\n';
        return 1;
    case 'r':
        out[0] = '\r';
        return 1;
    case 't':
        out[0] = '\t';
        return 1;
    case 'u':
        break;
    default:
        out[0] = (char)letter;
        return 1;
    }
    int32_t point = s_unicode_escape(at, end);
    if (point < 0)
        return 0; /* validated text has none */
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | (point >> 6));
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | (point >> 12));
        out[1] = (char)(0x80 | ((point >> 6) & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (point >> 18));
    out[1] = (char)(0x80 | ((point >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((point >> 6) & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

bool json_key_is(json_slice_t key, const char *name, size_t name_size)
{
    if (key.size == name_size && memcmp(key.data, name, name_size) == 0)
        return memchr(key.data, '\\', key.size) == NULL;
    if (key.size <= name_size || memchr(key.data, '\\', key.size) == NULL)
        return false;
    const unsigned char *at = (const unsigned char *)key.data, *end = at + key.size;
    size_t matched = 0;
    while (at < end) {
        char decoded[4];
        size_t size = s_decode_char(&at, end, decoded);
        if (size > name_size - matched || memcmp(decoded, name + matched, size) != 0)
            return false;
        matched += size;
    }
    return matched == name_size;
}

bool json_get(json_slice_t map, const char *name, json_slice_t *value)
{
    if (json_kind(json_trim(map)) != JSON_MAP)
        return false;
    json_walk_t walk = json_walk(map);
    json_slice_t key, member;
    size_t name_size = strlen(name);
    bool found = false;
    while (json_walk_member(&walk, &key, &member)) {
        if (json_key_is(key, name, name_size)) {
            *value = member;
            found = true;
        }
    }
    return found;
}

size_t json_string_decode_to(json_slice_t value, char *out)
{
    const unsigned char *at = (const unsigned char *)value.data + 1, *end = at + value.size - 2;
    size_t used = 0; /* never more than what was read */
    while (at < end) {
        const unsigned char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        memmove(out + used, at, plain);
        used += plain;
        at += plain;
        if (escape != NULL) {
            char decoded[4];
            size_t decoded_size = s_decode_char(&at, end, decoded);
            memcpy(out + used, decoded, decoded_size);
            used += decoded_size;
        }
    }
    out[used] = '\0';
    return used;
}

char *json_string_decode(arena_t *arena, json_slice_t value, size_t *size)
{
    if (json_kind(value) != JSON_STRING_VALUE || value.size < 2)
        return NULL;
    char *text = arena_alloc(arena, value.size); /* decoding never makes it longer */
    if (text == NULL)
        return NULL;
    size_t used = json_string_decode_to(value, text);
    if (size != NULL)
        *size = used;
    return text;
}

bool json_to_uint64(json_slice_t value, uint64_t *number)
{
    if (value.size == 0 || value.size > 20)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < value.size; i++) {
        unsigned digit = (unsigned)(value.data[i] - '0');
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

bool json_to_int64(json_slice_t value, int64_t *number)
{
    bool negative = value.size > 0 && value.data[0] == '-';
    json_slice_t digits = {.data = value.data + negative, .size = value.size - negative};
    uint64_t magnitude;
    if (!json_to_uint64(digits, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool json_to_double(json_slice_t value, double *number)
{
    char text[64];
    if (json_kind(value) != JSON_NUMBER)
        return false;
    char *copy = value.size < sizeof text ? text : malloc(value.size + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, value.data, value.size);
    copy[value.size] = '\0';
    char *end;
    double parsed = strtod(copy, &end); /* no setlocale in this program: the point is a point */
    bool ok = *end == '\0' && end != copy && isfinite(parsed);
    if (copy != text)
        free(copy);
    if (ok)
        *number = parsed;
    return ok;
}

bool json_slice_is_true(json_slice_t value)
{
    return value.size == 4 && value.data[0] == 't';
}

bool utf8_is_valid(const char *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
#ifdef __SSE2__
    while (end - at >= 16 && !_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)at)))
        at += 16;
#endif
    while (at < end) {
        size_t sequence = s_utf8_sequence(at, end);
        if (sequence == 0)
            return false;
        at += sequence;
    }
    return true;
}

size_t utf8_length(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)data[i] & 0xC0) != 0x80;
    return count;
}
