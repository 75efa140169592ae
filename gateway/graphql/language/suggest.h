/* gateway/graphql/language/suggest.h: "Did you mean …?". Pure; any thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_SUGGEST_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_SUGGEST_H

#include "common/arena.h"
#include "gateway/graphql/language/ast.h"

/* Candidates are added one by one; the best five are kept, nearest first, as graphql-js orders
 * them. */
enum { SUGGEST_MAX = 5, SUGGEST_INPUT_BYTES = 200 };

typedef struct {
    const char *input; /* NULL: nothing is suggested */
    size_t input_size;
    struct {
        const char *text;
        uint32_t distance;
    } best[SUGGEST_MAX + 1];
    uint32_t count;
} suggest_t;

/* Looks for what is near to input (borrowed). Long inputs and input NULL get no suggestions. */
void suggest_init(suggest_t *self, const char *input, size_t input_size);
void suggest_add(suggest_t *self, const char *candidate);
void suggest_add_name(suggest_t *self, const name_t *candidate);

/* ` Did you mean "a", "b", or "c"?`, or "" without suggestions (or memory). */
const char *suggest_text(const suggest_t *self, arena_t *arena);

/* The same from a ready list; lead is put before the list, as in "to use an inline fragment on". */
const char *
suggest_list_text(const char *const *items, uint32_t count, const char *lead, arena_t *arena);

/* Compares names so that digits count as numbers. */
int suggest_natural_compare(const char *a, const char *b);

#endif
