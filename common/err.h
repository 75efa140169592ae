/* common/err.h: what went wrong, as a code for programs and a sentence for people.
 * An err_t lives on its caller's stack; any thread. */
#ifndef PARLEY_COMMON_ERR_H
#define PARLEY_COMMON_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* The first block is the closed list of GraphQL `extensions.code` (proto/bus.md 9), the second
 * never leaves the process under its own name. */
typedef enum {
    ERR_OK = 0,
    ERR_BAD_USER_INPUT,
    ERR_GRAPHQL_PARSE_FAILED,
    ERR_GRAPHQL_VALIDATION_FAILED,
    ERR_PERSISTED_QUERY_NOT_FOUND,
    ERR_PERSISTED_QUERY_NOT_SUPPORTED,
    ERR_UNAUTHENTICATED,
    ERR_UNAUTHORIZED,
    ERR_FORBIDDEN,
    ERR_NOT_FOUND,
    ERR_CONFLICT,
    ERR_LIMIT_EXCEEDED,
    ERR_PAYLOAD_TOO_LARGE,
    ERR_RATE_LIMITED,
    ERR_CURSOR_EXPIRED,
    ERR_UNAVAILABLE,
    ERR_TIMEOUT,
    ERR_INTERNAL,
    /* Codes of our own, for callers inside the process. */
    ERR_PROTOCOL, /* a peer sent bytes that break its protocol */
    ERR_SYSTEM,   /* the operating system or a library refused */
    ERR_CONFIG,   /* an option or a file of the operator is wrong */
} err_code_t;

enum { ERR_TEXT_SIZE = 256 };

typedef struct {
    err_code_t code;
    char text[ERR_TEXT_SIZE]; /* UTF-8, NUL-terminated, cut if longer */
} err_t;

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = ERR_OK, .text = ""                                                                 \
    }

/* Sets code and text (printf style); the first error stands: does nothing if err->code is set
 * already or err is NULL. Returns code, so that `return err_set(...)` reads well. */
err_code_t err_set(err_t *err, err_code_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ERR_SYSTEM with "what: strerror(errnum)". */
err_code_t err_set_errno(err_t *err, int errnum, const char *what);

/* "BAD_USER_INPUT" and so on; the codes of our own are "INTERNAL". Never NULL. */
const char *err_code_name(err_code_t code);

/* The code of that name (size bytes, not NUL-terminated); ERR_INTERNAL if the list has none. */
err_code_t err_code_from_name(const char *name, size_t size);

#endif
