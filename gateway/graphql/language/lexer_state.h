/* gateway/graphql/language/lexer_state.h: what lexer.c and lexer_string.c share. Private to this
 * folder. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_LEXER_STATE_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_LEXER_STATE_H

#include "gateway/graphql/language/lexer.h"

/* Add an error; return false. */
bool l_fail(lexer_t *self, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool l_no_memory(lexer_t *self);

/* Is there this character at `at`? */
bool l_char_is(const lexer_t *self, const char *at, char c);

/* Steps over one source character of a string or comment and keeps the column right. NULL if it is
 * not UTF-8. */
const char *l_step(lexer_t *self, const char *at);

/* A character for a message, as graphql-js prints it. */
const char *l_char_text(const lexer_t *self, const char *at, char text[static 16]);

/* Line terminators: the byte behind the one at `at`; and that a line begins at `next`. */
const char *l_after_newline(const lexer_t *self, const char *at);
void l_newline(lexer_t *self, const char *next);

/* lexer_string.c: the string that begins at self->at. */
bool l_string(lexer_t *self, token_t *token);
bool l_block_string(lexer_t *self, token_t *token);

#endif
