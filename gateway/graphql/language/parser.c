#include "gateway/graphql/language/parser.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/language/parse_state.h"

enum { DEPTH_CEILING = 500, SHOWN_BYTES = 64 };

/* ---- names and values ---- */

static bool s_intern(parse_state_t *self, const token_t *token, const name_t **name)
{
    *name = names_intern(self->names, token->data, token->size);
    return *name || p_no_memory(self);
}

bool p_name(parse_state_t *self, const name_t **name, ast_loc_t *loc)
{
    token_t token = self->token;
    if (loc)
        *loc = token.loc;
    return p_expect(self, TOKEN_NAME) && s_intern(self, &token, name);
}

bool p_named(parse_state_t *self, ast_named_t *named)
{
    return p_name(self, &named->name, &named->loc);
}

static ast_string_t s_text(const token_t *token)
{
    return (ast_string_t){.data = token->data,
                          .size = token->size,
                          .block = token->kind == TOKEN_BLOCK_STRING,
                          .loc = token->loc};
}

/* Numbers point into the source, which goes away. */
static bool s_number(parse_state_t *self, ast_value_t *value)
{
    value->kind = self->token.kind == TOKEN_INT ? AST_INT : AST_FLOAT;
    value->text = s_text(&self->token);
    value->text.data = arena_memdup(self->arena, self->token.data, self->token.size);
    return value->text.data ? p_advance(self) : p_no_memory(self);
}

static bool s_variable(parse_state_t *self, bool constant, ast_value_t *value)
{
    ast_loc_t loc = self->token.loc;
    token_t dollar = self->token;
    value->kind = AST_VARIABLE;
    value->constant = false;
    if (!p_expect(self, TOKEN_DOLLAR))
        return false;
    if (!constant)
        return p_name(self, &value->name, NULL);
    if (self->token.kind != TOKEN_NAME)
        return p_unexpected(self, &dollar);
    int size = self->token.size > SHOWN_BYTES ? SHOWN_BYTES : (int)self->token.size;
    return p_fail(self, loc, "Unexpected variable \"$%.*s\" in constant value.", size,
                  self->token.data);
}

static bool s_list(parse_state_t *self, bool constant, ast_value_t *value)
{
    size_t begin = p_list_begin(self);
    value->kind = AST_LIST;
    if (!p_enter(self) || !p_expect(self, TOKEN_BRACKET_L))
        return false;
    while (self->token.kind != TOKEN_BRACKET_R) {
        ast_value_t item;
        if (!p_value(self, constant, &item) || !p_list_push(self, &item, sizeof item))
            return false;
        value->constant &= item.constant;
    }
    p_leave(self);
    return p_advance(self) &&
           p_list_end(self, begin, sizeof(ast_value_t), &value->list.items, &value->list.count);
}

static bool s_object(parse_state_t *self, bool constant, ast_value_t *value)
{
    size_t begin = p_list_begin(self);
    value->kind = AST_OBJECT;
    if (!p_enter(self) || !p_expect(self, TOKEN_BRACE_L))
        return false;
    while (self->token.kind != TOKEN_BRACE_R) {
        ast_object_field_t field;
        if (!p_name(self, &field.name, &field.loc) || !p_expect(self, TOKEN_COLON) ||
            !p_value(self, constant, &field.value) || !p_list_push(self, &field, sizeof field))
            return false;
        value->constant &= field.value.constant;
    }
    p_leave(self);
    return p_advance(self) && p_list_end(self, begin, sizeof(ast_object_field_t),
                                         &value->object.fields, &value->object.count);
}

static bool s_word(parse_state_t *self, ast_value_t *value)
{
    value->kind = AST_ENUM;
    if (p_is_keyword(&self->token, "null")) {
        value->kind = AST_NULL;
    } else if (p_is_keyword(&self->token, "true") || p_is_keyword(&self->token, "false")) {
        value->kind = AST_BOOLEAN;
        value->boolean = self->token.size == 4;
    } else if (!s_intern(self, &self->token, &value->name)) {
        return false;
    }
    return p_advance(self);
}

/* 2.9 */
bool p_value(parse_state_t *self, bool constant, ast_value_t *value)
{
    *value = (ast_value_t){.loc = self->token.loc, .constant = true};
    switch (self->token.kind) {
    case TOKEN_BRACKET_L:
        return s_list(self, constant, value);
    case TOKEN_BRACE_L:
        return s_object(self, constant, value);
    case TOKEN_INT:
    case TOKEN_FLOAT:
        return s_number(self, value);
    case TOKEN_STRING:
    case TOKEN_BLOCK_STRING:
        value->kind = AST_STRING;
        value->text = s_text(&self->token);
        return p_advance(self);
    case TOKEN_NAME:
        return s_word(self, value);
    case TOKEN_DOLLAR:
        return s_variable(self, constant, value);
    default:
        return p_unexpected(self, &self->token);
    }
}

/* ---- types, directives, descriptions ---- */

/* 2.11 */
bool p_type(parse_state_t *self, const ast_type_t **type_p)
{
    ast_type_t *type = arena_calloc(self->arena, 1, sizeof *type);
    if (!type)
        return p_no_memory(self);
    bool found;
    type->loc = self->token.loc;
    if (!p_optional(self, TOKEN_BRACKET_L, &found))
        return false;
    if (found) {
        type->kind = AST_TYPE_LIST;
        if (!p_enter(self) || !p_type(self, &type->of) || !p_expect(self, TOKEN_BRACKET_R))
            return false;
        p_leave(self);
    } else {
        type->kind = AST_TYPE_NAMED;
        if (!p_name(self, &type->name, NULL))
            return false;
    }
    *type_p = type;
    if (self->token.kind != TOKEN_BANG)
        return true;
    ast_type_t *non_null = arena_calloc(self->arena, 1, sizeof *non_null);
    if (!non_null)
        return p_no_memory(self);
    *non_null = (ast_type_t){.kind = AST_TYPE_NON_NULL, .loc = type->loc, .of = type};
    *type_p = non_null;
    return p_advance(self);
}

static bool
s_arguments(parse_state_t *self, bool constant, ast_argument_t **arguments, uint32_t *count)
{
    size_t begin = p_list_begin(self);
    bool found;
    if (!p_optional(self, TOKEN_PAREN_L, &found))
        return false;
    bool more = found;
    while (more) {
        ast_argument_t argument;
        if (!p_name(self, &argument.name, &argument.loc) || !p_expect(self, TOKEN_COLON) ||
            !p_value(self, constant, &argument.value) ||
            !p_list_push(self, &argument, sizeof argument))
            return false;
        more = self->token.kind != TOKEN_PAREN_R;
    }
    if (found && !p_advance(self))
        return false;
    return p_list_end(self, begin, sizeof(ast_argument_t), arguments, count);
}

/* 2.12 */
bool p_directives(parse_state_t *self, bool constant, ast_directives_t *directives)
{
    size_t begin = p_list_begin(self);
    while (self->token.kind == TOKEN_AT) {
        ast_directive_t directive = {.loc = self->token.loc};
        if (!p_advance(self) || !p_name(self, &directive.name, NULL) ||
            !s_arguments(self, constant, &directive.arguments, &directive.argument_count) ||
            !p_list_push(self, &directive, sizeof directive))
            return false;
        self->document->directive_count++;
    }
    return p_list_end(self, begin, sizeof(ast_directive_t), &directives->items, &directives->count);
}

static bool s_is_string(const token_t *token)
{
    return token->kind == TOKEN_STRING || token->kind == TOKEN_BLOCK_STRING;
}

bool p_description(parse_state_t *self, const ast_string_t **description)
{
    *description = NULL;
    if (!s_is_string(&self->token))
        return true;
    ast_string_t *text = arena_alloc(self->arena, sizeof *text);
    if (!text)
        return p_no_memory(self);
    *text = s_text(&self->token);
    *description = text;
    return p_advance(self);
}

/* ---- executable definitions ---- */

static bool s_selection_set(parse_state_t *self, ast_selection_set_t **set);

static bool s_field(parse_state_t *self, ast_selection_t *selection)
{
    ast_field_t *field = &selection->field;
    bool aliased;
    selection->kind = AST_FIELD;
    self->document->field_count++;
    if (!p_name(self, &field->name, NULL) || !p_optional(self, TOKEN_COLON, &aliased))
        return false;
    field->key = field->name;
    if (aliased) {
        self->document->alias_count++;
        field->alias = field->name;
        if (!p_name(self, &field->name, NULL))
            return false;
    }
    if (!s_arguments(self, false, &field->arguments, &field->argument_count) ||
        !p_directives(self, false, &selection->directives))
        return false;
    return self->token.kind != TOKEN_BRACE_L || s_selection_set(self, &field->set);
}

/* 2.8: a spread or an inline fragment */
static bool s_fragment(parse_state_t *self, ast_selection_t *selection)
{
    bool conditioned;
    if (!p_expect(self, TOKEN_SPREAD) || !p_optional_keyword(self, "on", &conditioned))
        return false;
    if (!conditioned && self->token.kind == TOKEN_NAME) {
        selection->kind = AST_FRAGMENT_SPREAD;
        return p_name(self, &selection->spread.name, &selection->spread.loc) &&
               p_directives(self, false, &selection->directives);
    }
    selection->kind = AST_INLINE_FRAGMENT;
    if (conditioned && !p_named(self, &selection->inlined.condition))
        return false;
    return p_directives(self, false, &selection->directives) &&
           s_selection_set(self, &selection->inlined.set);
}

/* 2.5 */
static bool s_selection_set(parse_state_t *self, ast_selection_set_t **set_p)
{
    ast_selection_set_t *set = arena_calloc(self->arena, 1, sizeof *set);
    if (!set)
        return p_no_memory(self);
    size_t begin = p_list_begin(self);
    set->loc = self->token.loc;
    set->id = self->document->selection_set_count++;
    if (!p_enter(self) || !p_expect(self, TOKEN_BRACE_L))
        return false;
    do {
        ast_selection_t selection;
        memset(&selection, 0, sizeof selection);
        selection.loc = self->token.loc;
        bool ok = self->token.kind == TOKEN_SPREAD ? s_fragment(self, &selection)
                                                   : s_field(self, &selection);
        if (!ok || !p_list_push(self, &selection, sizeof selection))
            return false;
    } while (self->token.kind != TOKEN_BRACE_R);
    p_leave(self);
    *set_p = set;
    return p_advance(self) &&
           p_list_end(self, begin, sizeof(ast_selection_t), &set->items, &set->count);
}

static bool s_variable_definition(parse_state_t *self, ast_variable_t *variable)
{
    bool has_default;
    variable->loc = self->token.loc;
    if (!p_description(self, &variable->description))
        return false;
    variable->variable_loc = self->token.loc;
    if (!p_expect(self, TOKEN_DOLLAR) || !p_name(self, &variable->name, &variable->name_loc) ||
        !p_expect(self, TOKEN_COLON) || !p_type(self, &variable->type) ||
        !p_optional(self, TOKEN_EQUALS, &has_default))
        return false;
    if (has_default) {
        ast_value_t *value = arena_alloc(self->arena, sizeof *value);
        if (!value)
            return p_no_memory(self);
        if (!p_value(self, true, value))
            return false;
        variable->default_value = value;
    }
    return p_directives(self, true, &variable->directives);
}

/* 2.10 */
static bool s_variable_definitions(parse_state_t *self, ast_operation_t *operation)
{
    size_t begin = p_list_begin(self);
    bool found;
    if (!p_optional(self, TOKEN_PAREN_L, &found))
        return false;
    bool more = found;
    while (more) {
        ast_variable_t variable = {0};
        if (!s_variable_definition(self, &variable) ||
            !p_list_push(self, &variable, sizeof variable))
            return false;
        more = self->token.kind != TOKEN_PAREN_R;
    }
    if (found && !p_advance(self))
        return false;
    return p_list_end(self, begin, sizeof(ast_variable_t), &operation->variables,
                      &operation->variable_count);
}

static bool s_is_operation(const token_t *token)
{
    return p_is_keyword(token, "query") || p_is_keyword(token, "mutation") ||
           p_is_keyword(token, "subscription");
}

bool p_operation_kind(parse_state_t *self, ast_operation_kind_t *kind)
{
    token_t token = self->token;
    if (!p_expect(self, TOKEN_NAME))
        return false;
    if (!s_is_operation(&token))
        return p_unexpected(self, &token);
    *kind = token.data[0] == 'q'   ? AST_QUERY
            : token.data[0] == 'm' ? AST_MUTATION
                                   : AST_SUBSCRIPTION;
    return true;
}

/* 2.3; the description, if there is one, is still to be read */
static bool s_operation(parse_state_t *self, ast_definition_t *definition)
{
    ast_operation_t *operation = &definition->operation;
    definition->kind = AST_OPERATION;
    if (self->token.kind == TOKEN_BRACE_L)
        return s_selection_set(self, &operation->set);
    if (!p_description(self, &definition->description) || !p_operation_kind(self, &operation->kind))
        return false;
    if (self->token.kind == TOKEN_NAME && !p_name(self, &definition->name, &definition->name_loc))
        return false;
    return s_variable_definitions(self, operation) &&
           p_directives(self, false, &definition->directives) &&
           s_selection_set(self, &operation->set);
}

/* 2.8 */
static bool s_fragment_definition(parse_state_t *self, ast_definition_t *definition)
{
    definition->kind = AST_FRAGMENT;
    if (!p_description(self, &definition->description) || !p_expect_keyword(self, "fragment"))
        return false;
    if (p_is_keyword(&self->token, "on"))
        return p_unexpected(self, &self->token);
    return p_name(self, &definition->name, &definition->name_loc) && p_expect_keyword(self, "on") &&
           p_named(self, &definition->fragment.condition) &&
           p_directives(self, false, &definition->directives) &&
           s_selection_set(self, &definition->fragment.set);
}

static bool s_definition(parse_state_t *self, ast_definition_t *definition)
{
    bool described = s_is_string(&self->token);
    if (self->token.kind == TOKEN_BRACE_L)
        return s_operation(self, definition);
    if (described && !p_look_ahead(self))
        return false;
    const token_t *keyword = described ? &self->ahead : &self->token;
    if (described && keyword->kind == TOKEN_BRACE_L)
        return p_fail(self, self->token.loc,
                      "Unexpected description, descriptions are not supported on shorthand "
                      "queries.");
    ast_definition_kind_t kind;
    if (p_type_system_keyword(keyword, &kind))
        return p_type_system_definition(self, kind, definition);
    if (s_is_operation(keyword))
        return s_operation(self, definition);
    if (p_is_keyword(keyword, "fragment"))
        return s_fragment_definition(self, definition);
    if (described && keyword->kind == TOKEN_NAME)
        return p_fail(self, self->token.loc,
                      "Unexpected description, only GraphQL definitions support descriptions.");
    if (p_is_keyword(keyword, "extend"))
        return p_type_system_extension(self, definition);
    return p_unexpected(self, keyword);
}

/* ---- entry points ---- */

static bool s_begin(parse_state_t *self, const char *text, size_t size)
{
    if (size >= UINT32_MAX) {
        gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, NULL, NULL, 0,
                       "The document has %zu bytes; the limit is %u.", size, UINT32_MAX);
        return false;
    }
    self->document = arena_calloc(self->arena, 1, sizeof *self->document);
    if (!self->document)
        return p_no_memory(self);
    lexer_init(&self->lexer, self->arena, text, size, self->errors);
    return p_advance(self);
}

static bool s_document(parse_state_t *self)
{
    size_t begin = p_list_begin(self);
    uint32_t id = 0;
    do {
        ast_definition_t definition;
        memset(&definition, 0, sizeof definition);
        definition.id = id++;
        definition.loc = self->token.loc;
        if (!s_definition(self, &definition) || !p_list_push(self, &definition, sizeof definition))
            return false;
    } while (self->token.kind != TOKEN_EOF);
    ast_document_t *document = self->document;
    document->name_count = names_count(self->names);
    return p_list_end(self, begin, sizeof(ast_definition_t), &document->definitions,
                      &document->definition_count);
}

ast_document_t *parser_parse_document(arena_t *arena,
                                      names_t *names,
                                      const char *text,
                                      size_t size,
                                      const parser_limits_t *limits,
                                      gql_errors_t *errors)
{
    uint32_t depth = limits->max_depth;
    parse_state_t state = {.arena = arena,
                           .names = names,
                           .errors = errors,
                           .max_tokens = limits->max_tokens,
                           .max_depth =
                               depth == 0 || depth > DEPTH_CEILING ? DEPTH_CEILING : depth};
    bool ok = s_begin(&state, text, size) && s_document(&state);
    free(state.stack);
    return ok ? state.document : NULL;
}

ast_value_t *parser_parse_value(arena_t *arena,
                                names_t *names,
                                const char *text,
                                size_t size,
                                bool constant,
                                gql_errors_t *errors)
{
    parse_state_t state = {
        .arena = arena, .names = names, .errors = errors, .max_depth = DEPTH_CEILING};
    ast_value_t *value = arena_alloc(arena, sizeof *value);
    bool ok = value ? s_begin(&state, text, size) && p_value(&state, constant, value) &&
                          p_expect(&state, TOKEN_EOF)
                    : p_no_memory(&state);
    free(state.stack);
    return ok ? value : NULL;
}
