/* gateway/http/target.h: the target of a request as the client sent it, taken before any library
 * decodes it (RFC 9112 3.2, RFC 3986). Pure; strings live in the caller's arena. */
#ifndef PARLEY_GATEWAY_HTTP_TARGET_H
#define PARLEY_GATEWAY_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"

typedef struct {
    const char *path;  /* decoded, valid UTF-8 without NUL, begins with "/"; or "*" */
    const char *query; /* raw, behind the "?", valid UTF-8 also like this; "" if there is none */
} http_target_t;

/* Reads raw (NUL-terminated, as long-lived as the arena): "/path?query", "http://host/path?query"
 * or "*". ERR_OK, or ERR_BAD_USER_INPUT with a sentence: a broken escape, %00, bytes that are no
 * UTF-8, no leading
 * "/"; the answer is 400. ERR_LIMIT_EXCEEDED when the arena is full. */
err_code_t http_target_parse(arena_t *arena, const char *raw, http_target_t *target, err_t *err);

/* How a query parameter spells a blank. */
typedef enum {
    HTTP_PLUS_IS_BLANK, /* application/x-www-form-urlencoded */
    HTTP_PLUS_IS_PLUS,  /* base64 that nobody encoded, as AppSync clients send it */
} http_plus_t;

/* The decoded value of the first parameter of that name, NUL-terminated, in the arena; NULL if it
 * is not there. The query must come from http_target_parse, which checked all escapes. */
const char *
http_target_param(arena_t *arena, const http_target_t *target, const char *name, http_plus_t plus);

#endif
