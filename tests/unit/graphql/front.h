/* tests/unit/graphql/front.h: schema, parser and validation in one call, for the tests of the
 * engine's front half. */
#ifndef PARLEY_TESTS_UNIT_GRAPHQL_FRONT_H
#define PARLEY_TESTS_UNIT_GRAPHQL_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/graphql/language/parser.h"
#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/validation/validate.h"

enum { FRONT_TEXT = 8192 };

/* The schema of one SDL text; fails the test if it is not valid. */
schema_t *front_schema(const char *sdl);

/* The sentence that refuses the SDL, or "" if it is valid. */
const char *front_refusal(const char *sdl);

/* What is wrong with a document, one line an error: "Rule 1:2 3:4". Syntax errors are "syntax 1:2
 * message", limits are "limit message". "" if nothing is wrong. options NULL: none of the limits.
 * The result is overwritten by the next call. */
const char *
front_errors(const schema_t *schema, const char *document, const validate_options_t *options);

/* The messages only. */
const char *
front_messages(const schema_t *schema, const char *document, const validate_options_t *options);

/* A whole file below tests/golden/graphql, NUL-terminated; free() it. */
char *front_golden(const char *name);

#endif
