/* gateway/graphql/language/lexer.h: text → tokens (GraphQL 2025-09 2.1). The parser's; lives on its
 * stack. Ignored tokens (white space, commas, comments, byte order marks) are skipped. Strings are
 * decoded into the arena. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_LEXER_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_LEXER_H

#include "common/arena.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/language/errors.h"

typedef enum {
    TOKEN_EOF,
    TOKEN_BANG,
    TOKEN_DOLLAR,
    TOKEN_AMP,
    TOKEN_PAREN_L,
    TOKEN_PAREN_R,
    TOKEN_SPREAD,
    TOKEN_COLON,
    TOKEN_EQUALS,
    TOKEN_AT,
    TOKEN_BRACKET_L,
    TOKEN_BRACKET_R,
    TOKEN_BRACE_L,
    TOKEN_PIPE,
    TOKEN_BRACE_R,
    TOKEN_NAME,
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_STRING,
    TOKEN_BLOCK_STRING,
} token_kind_t;

typedef struct {
    token_kind_t kind;
    ast_loc_t loc;
    const char *
        data; /* names and numbers: in the source text; strings: decoded, in the arena; else NULL */
    uint32_t size;
} token_t;

typedef struct {
    arena_t *arena;
    gql_errors_t *errors;
    const char *begin;
    const char *at;
    const char *end;
    const char *line_start;
    uint32_t line;
    uint32_t narrow; /* how many bytes more than UTF-16 code units the line has had so far */
} lexer_t;

/* text is borrowed as long as the lexer and its tokens are used; size must be below 4 GiB. */
void lexer_init(lexer_t *self, arena_t *arena, const char *text, size_t size, gql_errors_t *errors);

/* Reads the next token; TOKEN_EOF again and again at the end. False with an error added if there is
 * none. */
bool lexer_next(lexer_t *self, token_t *token);

/* "Name", "\"{\"", "<EOF>": for messages. */
const char *token_kind_text(token_kind_t kind);

#endif
