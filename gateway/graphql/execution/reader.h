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

enum { READER_MAX_DEPTH = 128 /* lists and maps inside each other */ };

/* Behind white space; may be `end`. */
static inline const char *reader_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* A string, from its opening to behind its closing quote: valid UTF-8, valid escapes, surrogates
 * only in pairs. */
const char *reader_string(const char *at, const char *end);

/* A number. */
const char *reader_number(const char *at, const char *end);

/* One of true, false, null, as `word` says. */
const char *reader_word(const char *at, const char *end, const char *word, size_t size);

/* Any value, nested at most `depth` more levels. */
const char *reader_skip(const char *at, const char *end, unsigned depth);

#endif
