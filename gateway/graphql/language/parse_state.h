/* gateway/graphql/language/parse_state.h: what the two halves of the parser share: parser.c
 * (values, types, executable documents) and parser_sdl.c (type system). Private to this folder.
 * Every p_… function that returns bool gives false once there is an error; its caller returns false
 * at once. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PARSE_STATE_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PARSE_STATE_H

#include "gateway/graphql/language/lexer.h"
#include "gateway/graphql/language/parser.h"

typedef struct {
    arena_t *arena;
    names_t *names;
    gql_errors_t *errors;
    lexer_t lexer;
    token_t token; /* the current one */
    token_t ahead; /* the one behind it, if has_ahead */
    bool has_ahead;
    uint32_t max_tokens;
    uint32_t max_depth;
    uint32_t depth;
    char *stack; /* items of lists that are not finished; malloc'ed, freed by parser_parse_… */
    size_t stack_size;
    size_t stack_capacity;
    ast_document_t *document;
} parse_state_t;

/* ---- tokens ---- */
bool p_advance(parse_state_t *self);
/* The token behind the current one. */
bool p_look_ahead(parse_state_t *self);
/* Skips the current token, which must be of that kind. */
bool p_expect(parse_state_t *self, token_kind_t kind);
/* Skips the current token if it is of that kind; *found says so. */
bool p_optional(parse_state_t *self, token_kind_t kind, bool *found);
bool p_is_keyword(const token_t *token, const char *keyword);
bool p_expect_keyword(parse_state_t *self, const char *keyword);
bool p_optional_keyword(parse_state_t *self, const char *keyword, bool *found);
/* Adds "Unexpected …"; returns false. */
bool p_unexpected(parse_state_t *self, const token_t *token);
bool p_fail(parse_state_t *self, ast_loc_t loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool p_no_memory(parse_state_t *self);
/* One level deeper; false (LIMIT_EXCEEDED) at the limit. Undone by p_leave, only after success. */
bool p_enter(parse_state_t *self);
void p_leave(parse_state_t *self);

/* ---- lists: items are pushed while they are parsed and moved to the arena at the end ---- */
size_t p_list_begin(const parse_state_t *self);
bool p_list_push(parse_state_t *self, const void *item, size_t size);
/* Moves everything pushed since `begin` into *items (NULL if nothing) and *count. */
bool p_list_end(parse_state_t *self, size_t begin, size_t item_size, void *items, uint32_t *count);

/* ---- pieces ---- */
bool p_name(parse_state_t *self, const name_t **name, ast_loc_t *loc);
bool p_named(parse_state_t *self, ast_named_t *named);
bool p_value(parse_state_t *self, bool constant, ast_value_t *value);
bool p_type(parse_state_t *self, const ast_type_t **type);
bool p_directives(parse_state_t *self, bool constant, ast_directives_t *directives);
/* A string before a definition, or NULL. */
bool p_description(parse_state_t *self, const ast_string_t **description);
bool p_operation_kind(parse_state_t *self, ast_operation_kind_t *kind);

/* ---- type system definitions and extensions; the current token is description, keyword or
 * `extend` ---- */
/* The kind that a keyword begins; false if none. */
bool p_type_system_keyword(const token_t *token, ast_definition_kind_t *kind);
bool p_type_system_definition(parse_state_t *self,
                              ast_definition_kind_t kind,
                              ast_definition_t *definition);
bool p_type_system_extension(parse_state_t *self, ast_definition_t *definition);

#endif
