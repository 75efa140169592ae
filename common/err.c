#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const s_names[] = {
    [ERR_OK] = "OK",
    [ERR_BAD_USER_INPUT] = "BAD_USER_INPUT",
    [ERR_GRAPHQL_PARSE_FAILED] = "GRAPHQL_PARSE_FAILED",
    [ERR_GRAPHQL_VALIDATION_FAILED] = "GRAPHQL_VALIDATION_FAILED",
    [ERR_PERSISTED_QUERY_NOT_FOUND] = "PERSISTED_QUERY_NOT_FOUND",
    [ERR_PERSISTED_QUERY_NOT_SUPPORTED] = "PERSISTED_QUERY_NOT_SUPPORTED",
    [ERR_UNAUTHENTICATED] = "UNAUTHENTICATED",
    [ERR_UNAUTHORIZED] = "UNAUTHORIZED",
    [ERR_FORBIDDEN] = "FORBIDDEN",
    [ERR_NOT_FOUND] = "NOT_FOUND",
    [ERR_CONFLICT] = "CONFLICT",
    [ERR_LIMIT_EXCEEDED] = "LIMIT_EXCEEDED",
    [ERR_PAYLOAD_TOO_LARGE] = "PAYLOAD_TOO_LARGE",
    [ERR_RATE_LIMITED] = "RATE_LIMITED",
    [ERR_CURSOR_EXPIRED] = "CURSOR_EXPIRED",
    [ERR_UNAVAILABLE] = "UNAVAILABLE",
    [ERR_TIMEOUT] = "TIMEOUT",
    [ERR_INTERNAL] = "INTERNAL",
};

err_code_t err_set(err_t *err, err_code_t code, const char *format, ...)
{
    if (err == NULL || err->code != ERR_OK)
        return code;
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

err_code_t err_set_errno(err_t *err, int errnum, const char *what)
{
    char buffer[128];
    /* The GNU form, which may return a constant string instead of filling the buffer. */
    return err_set(err, ERR_SYSTEM, "%s: %s", what, strerror_r(errnum, buffer, sizeof buffer));
}

const char *err_code_name(err_code_t code)
{
    if (code < ERR_OK || code > ERR_INTERNAL)
        return s_names[ERR_INTERNAL];
    return s_names[code];
}

err_code_t err_code_from_name(const char *name, size_t size)
{
    for (int code = ERR_BAD_USER_INPUT; code <= ERR_INTERNAL; code++)
        if (strlen(s_names[code]) == size && memcmp(s_names[code], name, size) == 0)
            return (err_code_t)code;
    return ERR_INTERNAL;
}
