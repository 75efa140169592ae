/* common/json.h: reading JSON text in place, without a tree (RFC 8259). Pure functions; any thread.
 * Messages, calls, answers and events stay bytes; what is wanted as a tree of them is made by
 * common/json_tree.h. First json_validate once, then walk: the walkers trust the text. */
#ifndef PARLEY_COMMON_JSON_H
#define PARLEY_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"

/* Bytes inside a larger text, borrowed from it; not NUL-terminated. */
typedef struct {
    const char *data;
    size_t size;
} json_slice_t;

typedef enum {
    JSON_NONE, /* an empty slice */
    JSON_NULL_VALUE,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING_VALUE,
    JSON_LIST,
    JSON_MAP,
} json_kind_t;

/* Is this exactly one JSON value (white space around it allowed), nested at most max_depth, in
 * valid UTF-8, with no lone surrogate escape? If not, *error_offset (may be NULL) is the byte where
 * it ends to be one. */
bool json_validate(const char *data, size_t size, unsigned max_depth, size_t *error_offset);

/* The same text without white space around it. */
json_slice_t json_trim(json_slice_t text);

/* What the (trimmed) value is, by its first byte. */
json_kind_t json_kind(json_slice_t value);

/* Walks the members of a map or the items of a list, in the order of the text; duplicate keys are
 * all given. */
typedef struct {
    const char *at;
    const char *end;
} json_walk_t;

json_walk_t json_walk(json_slice_t container);
/* key is without its quotes and still escaped; value is trimmed. False at the end. */
bool json_walk_member(json_walk_t *walk, json_slice_t *key, json_slice_t *value);
bool json_walk_item(json_walk_t *walk, json_slice_t *value);

/* The member of that name (compared as raw bytes; keys with escapes are decoded for the
 * comparison); the last one if the name is there twice. False if map is not a map or has none. */
bool json_get(json_slice_t map, const char *name, json_slice_t *value);

/* Is the (still escaped, unquoted) key this name? */
bool json_key_is(json_slice_t key, const char *name, size_t name_size);

/* The text of a JSON string (value with quotes), decoded, NUL-terminated, in the arena; *size may
 * be NULL. NULL if it is no string or memory is out. A decoded string may hold NULs. */
char *json_string_decode(arena_t *arena, json_slice_t value, size_t *size);

/* The same into out, which has room for value.size bytes; ends with a NUL. value is a string. The
 * size without the NUL. out may be where value lies. */
size_t json_string_decode_to(json_slice_t value, char *out);

/* An integer without fraction or exponent that fits; false otherwise. */
bool json_to_int64(json_slice_t value, int64_t *number);
bool json_to_uint64(json_slice_t value, uint64_t *number);
/* A finite double; false if the value is no number or overflows. */
bool json_to_double(json_slice_t value, double *number);
bool json_slice_is_true(json_slice_t value);

/* Is this valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool utf8_is_valid(const char *data, size_t size);
/* Number of code points of valid UTF-8. */
size_t utf8_length(const char *data, size_t size);

#endif
