/* gateway/graphql/language/errors.h: the errors of a request, collected (GraphQL 2025-09 7.1.2).
 * Lives in an arena, as its texts do; one thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_ERRORS_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_ERRORS_H

#include <stdarg.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/err.h"
#include "gateway/graphql/language/ast.h"

typedef struct gql_error gql_error_t;
struct gql_error {
    const gql_error_t *next;
    err_code_t code;
    const char *message; /* UTF-8, NUL-terminated */
    const char
        *rule; /* the graphql-js name of the validation rule, or NULL; for tests, never printed */
    const ast_loc_t *locations;
    uint32_t location_count;
};

typedef struct {
    arena_t *arena;
    const gql_error_t *first;
    gql_error_t *last;
    uint32_t count;
    uint32_t limit; /* 0: none. Further errors are dropped and `full` is set */
    bool full;
    bool out_of_memory; /* an error, or what it was about, found no room in the arena */
} gql_errors_t;

#define GQL_ERRORS_INIT(arena_, limit_)                                                            \
    {                                                                                              \
        .arena = (arena_), .limit = (limit_)                                                       \
    }

/* A longer message ends with "…", further places are left out: names, and how often they come, are
 * the client's, and what it gets back is not to be a multiple of what it sent. */
enum { GQL_ERROR_MESSAGE_MAX = 4000, GQL_ERROR_PLACES_MAX = 100 };

/* Adds one error; message and locations are copied. */
void gql_errors_add(gql_errors_t *self,
                    err_code_t code,
                    const char *rule,
                    const ast_loc_t *locations,
                    uint32_t location_count,
                    const char *format,
                    ...) __attribute__((format(printf, 6, 7)));

void gql_errors_addv(gql_errors_t *self,
                     err_code_t code,
                     const char *rule,
                     const ast_loc_t *locations,
                     uint32_t location_count,
                     const char *format,
                     va_list args) __attribute__((format(printf, 6, 0)));

/* Appends the JSON list:
 * [{"message":…,"locations":[{"line":1,"column":2}],"extensions":{"code":…}}]. With out_of_memory
 * set (and maybe nothing collected) a LIMIT_EXCEEDED error about memory is in it. Of errors that
 * `out` has no room for, the last ones are left out. */
void gql_errors_write(const gql_errors_t *self, buffer_t *out);

/* The same list as a whole response: {"errors":[…]}. */
void gql_errors_write_response(const gql_errors_t *self, buffer_t *out);

#endif
