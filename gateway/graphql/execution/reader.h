/* gateway/graphql/execution/reader.h: a service's JSON text, read and checked in the same pass (RFC
 * 8259). common/json.h wants the text validated first and then walks it again per level; completion
 * touches each byte once, so it has these. Nothing is copied. Pure functions; any thread.
 *
 * Each function starts at `at`, looks no further than `end`, and returns where it stopped: behind
 * what it read, or NULL if the text is not JSON there. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_READER_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/buffer.h"
#include "common/json.h"

enum { READER_MAX_DEPTH = 128 /* lists and maps inside each other */ };

/* Behind white space; may be `end`. */
static inline const char *reader_space(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* Behind that one character and the white space around it, of which there mostly is none; NULL if
 * it is not there. */
static inline const char *reader_mark(const char *at, const char *end, char mark)
{
    if (end - at < 2 || at[0] != mark) {
        at = reader_space(at, end);
        if (at >= end || *at != mark)
            return NULL;
    }
    at++;
    return at < end && (unsigned char)*at > ' ' ? at : reader_space(at, end);
}

/* A string, from its opening to behind its closing quote: valid UTF-8, valid escapes, surrogates
 * only in pairs. */
const char *reader_string(const char *at, const char *end);

/* May it stand behind a backslash, as one character of an escape? */
static inline bool reader_is_short_escape(char c)
{
    return c == '"' || c == '\\' || c == '/' || c == 'n' || c == 't' || c == 'r' || c == 'b' ||
           c == 'f';
}

#ifdef __SSE2__
/* A bit for each of 16 bytes that a string cannot simply hold: quote, backslash, control
 * characters. */
static inline int reader_stops(__m128i bytes)
{
    const __m128i control = _mm_set1_epi8(0x1f);
    __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control));
    return _mm_movemask_epi8(stop);
}
#endif

/* reader_string, quick for strings of ASCII with no \\u in them. */
static inline const char *reader_string_quick(const char *at, const char *end)
{
#ifdef __SSE2__
    const char *next = at + 1;
    while (end - next >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)next);
        unsigned stops = (unsigned)reader_stops(bytes);
        unsigned wide = (unsigned)_mm_movemask_epi8(bytes);
        if ((stops | wide) == 0) {
            next += 16;
            continue;
        }
        next += __builtin_ctz(stops | wide);
        if (*next == '"' && *at == '"')
            return next + 1;
        if (*next != '\\' || end - next < 2 || !reader_is_short_escape(next[1]))
            break;
        next += 2;
    }
#endif
    return reader_string(at, end);
}

/* Are the first size bytes equal? padded has 16 bytes that may be read whatever its size. */
static inline bool reader_equals(const char *at, const char *end, const char *padded, size_t size)
{
    if ((size_t)(end - at) < size)
        return false;
#ifdef __SSE2__
    if (size <= 16 && end - at >= 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)padded);
        unsigned wanted = (1U << size) - 1;
        return ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) & wanted) == wanted;
    }
#endif
    return memcmp(at, padded, size) == 0;
}

/* Copies size bytes in steps of 16: up to 15 more are read and written. */
static inline void reader_copy(char *to, const char *from, size_t size)
{
#ifdef __SSE2__
    for (size_t done = 0; done < size; done += 16)
        _mm_storeu_si128((__m128i *)(void *)(to + done),
                         _mm_loadu_si128((const __m128i *)(const void *)(from + done)));
#else
    memcpy(to, from, size);
#endif
}

enum { READER_PADDING = 16 };

/* Appends a valid value without line breaks and other white space between its parts. */
void reader_put(buffer_t *out, json_slice_t value);

/* A number. */
const char *reader_number(const char *at, const char *end);

/* One of true, false, null, as `word` says. */
const char *reader_word(const char *at, const char *end, const char *word, size_t size);

/* Any value, nested at most `depth` more levels. */
const char *reader_skip(const char *at, const char *end, unsigned depth);

#endif
