#include <string.h>

#include "gateway/graphql/language/directive_locations.h"
#include "gateway/graphql/language/parse_state.h"

bool p_type_system_keyword(const token_t *token, ast_definition_kind_t *kind)
{
    static const struct {
        const char *keyword;
        ast_definition_kind_t kind;
    } keywords[] = {
        {"schema", AST_SCHEMA},    {"scalar", AST_SCALAR_TYPE},
        {"type", AST_OBJECT_TYPE}, {"interface", AST_INTERFACE_TYPE},
        {"union", AST_UNION_TYPE}, {"enum", AST_ENUM_TYPE},
        {"input", AST_INPUT_TYPE}, {"directive", AST_DIRECTIVE_DEFINITION},
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (p_is_keyword(token, keywords[i].keyword)) {
            *kind = keywords[i].kind;
            return true;
        }
    }
    return false;
}

/* Reads items until `close`, at least one, if the current token is `open`. */
typedef bool item_parser_t(parse_state_t *self, void *item);

static bool s_optional_many(parse_state_t *self,
                            token_kind_t open,
                            token_kind_t close,
                            item_parser_t *parse,
                            void *item,
                            size_t item_size,
                            void *items,
                            uint32_t *count)
{
    size_t begin = p_list_begin(self);
    if (self->token.kind == open) {
        if (!p_advance(self))
            return false;
        do {
            memset(item, 0, item_size);
            if (!parse(self, item) || !p_list_push(self, item, item_size))
                return false;
        } while (self->token.kind != close);
        if (!p_advance(self))
            return false;
    }
    return p_list_end(self, begin, item_size, items, count);
}

/* A | B, & A & B: names behind a leading delimiter that may be there. */
static bool s_delimited(parse_state_t *self,
                        token_kind_t delimiter,
                        bool (*accept)(const token_t *),
                        ast_named_t **items,
                        uint32_t *count)
{
    size_t begin = p_list_begin(self);
    bool more;
    if (!p_optional(self, delimiter, &more))
        return false;
    do {
        ast_named_t named;
        token_t token = self->token;
        if (!p_named(self, &named))
            return false;
        if (accept && !accept(&token))
            return p_unexpected(self, &token);
        if (!p_list_push(self, &named, sizeof named) || !p_optional(self, delimiter, &more))
            return false;
    } while (more);
    return p_list_end(self, begin, sizeof(ast_named_t), items, count);
}

static bool s_input_value(parse_state_t *self, void *item)
{
    ast_input_value_t *input = item;
    bool has_default;
    input->loc = self->token.loc;
    if (!p_description(self, &input->description) ||
        !p_name(self, &input->name, &input->name_loc) || !p_expect(self, TOKEN_COLON) ||
        !p_type(self, &input->type) || !p_optional(self, TOKEN_EQUALS, &has_default))
        return false;
    if (has_default) {
        ast_value_t *value = arena_alloc(self->arena, sizeof *value);
        if (!value)
            return p_no_memory(self);
        if (!p_value(self, true, value))
            return false;
        input->default_value = value;
    }
    return p_directives(self, true, &input->directives);
}

static bool
s_argument_definitions(parse_state_t *self, ast_input_value_t **arguments, uint32_t *count)
{
    ast_input_value_t item;
    return s_optional_many(self, TOKEN_PAREN_L, TOKEN_PAREN_R, s_input_value, &item, sizeof item,
                           arguments, count);
}

static bool s_field_definition(parse_state_t *self, void *item)
{
    ast_field_definition_t *field = item;
    field->loc = self->token.loc;
    return p_description(self, &field->description) &&
           p_name(self, &field->name, &field->name_loc) &&
           s_argument_definitions(self, &field->arguments, &field->argument_count) &&
           p_expect(self, TOKEN_COLON) && p_type(self, &field->type) &&
           p_directives(self, true, &field->directives);
}

static bool s_enum_value(parse_state_t *self, void *item)
{
    ast_enum_value_t *value = item;
    value->loc = self->token.loc;
    if (!p_description(self, &value->description))
        return false;
    if (p_is_keyword(&self->token, "true") || p_is_keyword(&self->token, "false") ||
        p_is_keyword(&self->token, "null"))
        return p_fail(self, self->token.loc,
                      "Name \"%.*s\" is reserved and cannot be used for an enum value.",
                      (int)self->token.size, self->token.data);
    return p_name(self, &value->name, &value->name_loc) &&
           p_directives(self, true, &value->directives);
}

static bool s_root(parse_state_t *self, void *item)
{
    ast_root_t *root = item;
    root->loc = self->token.loc;
    return p_operation_kind(self, &root->kind) && p_expect(self, TOKEN_COLON) &&
           p_named(self, &root->type);
}

static bool s_is_location(const token_t *token)
{
    for (int i = 0; i < DIRECTIVE_LOCATIONS; i++) {
        if (p_is_keyword(token, directive_location_names[i]))
            return true;
    }
    return false;
}

/* ---- the parts behind name and keyword; the same in definitions and extensions ---- */

static bool s_implements(parse_state_t *self, ast_type_definition_t *type)
{
    bool found;
    if (!p_optional_keyword(self, "implements", &found))
        return false;
    return !found || s_delimited(self, TOKEN_AMP, NULL, &type->interfaces, &type->interface_count);
}

static bool s_fields(parse_state_t *self, ast_type_definition_t *type)
{
    ast_field_definition_t item;
    return s_optional_many(self, TOKEN_BRACE_L, TOKEN_BRACE_R, s_field_definition, &item,
                           sizeof item, &type->fields, &type->field_count);
}

static bool s_members(parse_state_t *self, ast_type_definition_t *type)
{
    bool found;
    if (!p_optional(self, TOKEN_EQUALS, &found))
        return false;
    return !found || s_delimited(self, TOKEN_PIPE, NULL, &type->members, &type->member_count);
}

static bool s_values(parse_state_t *self, ast_type_definition_t *type)
{
    ast_enum_value_t item;
    return s_optional_many(self, TOKEN_BRACE_L, TOKEN_BRACE_R, s_enum_value, &item, sizeof item,
                           &type->values, &type->value_count);
}

static bool s_inputs(parse_state_t *self, ast_type_definition_t *type)
{
    ast_input_value_t item;
    return s_optional_many(self, TOKEN_BRACE_L, TOKEN_BRACE_R, s_input_value, &item, sizeof item,
                           &type->inputs, &type->input_count);
}

static bool s_schema(parse_state_t *self, ast_definition_t *definition)
{
    ast_root_t item;
    if (!p_directives(self, true, &definition->directives))
        return false;
    if (!definition->extend && self->token.kind != TOKEN_BRACE_L)
        return p_expect(self, TOKEN_BRACE_L);
    return s_optional_many(self, TOKEN_BRACE_L, TOKEN_BRACE_R, s_root, &item, sizeof item,
                           &definition->schema.roots, &definition->schema.root_count);
}

static bool s_directive_definition(parse_state_t *self, ast_definition_t *definition)
{
    ast_directive_definition_t *directive = &definition->directive;
    return p_expect(self, TOKEN_AT) && p_name(self, &definition->name, &definition->name_loc) &&
           s_argument_definitions(self, &directive->arguments, &directive->argument_count) &&
           p_optional_keyword(self, "repeatable", &directive->repeatable) &&
           p_expect_keyword(self, "on") &&
           s_delimited(self, TOKEN_PIPE, s_is_location, &directive->locations,
                       &directive->location_count);
}

/* What follows the keyword; the extent of a definition and of an extension is the same but for
 * emptiness. */
static bool s_body(parse_state_t *self, ast_definition_t *definition)
{
    ast_type_definition_t *type = &definition->type;
    if (definition->kind == AST_SCHEMA)
        return s_schema(self, definition);
    if (definition->kind == AST_DIRECTIVE_DEFINITION)
        return s_directive_definition(self, definition);
    if (!p_name(self, &definition->name, &definition->name_loc))
        return false;
    bool has_fields = definition->kind == AST_OBJECT_TYPE || definition->kind == AST_INTERFACE_TYPE;
    if (has_fields && !s_implements(self, type))
        return false;
    if (!p_directives(self, true, &definition->directives))
        return false;
    switch (definition->kind) {
    case AST_OBJECT_TYPE:
    case AST_INTERFACE_TYPE:
        return s_fields(self, type);
    case AST_UNION_TYPE:
        return s_members(self, type);
    case AST_ENUM_TYPE:
        return s_values(self, type);
    case AST_INPUT_TYPE:
        return s_inputs(self, type);
    default:
        return true;
    }
}

bool p_type_system_definition(parse_state_t *self,
                              ast_definition_kind_t kind,
                              ast_definition_t *definition)
{
    definition->kind = kind;
    return p_description(self, &definition->description) && p_advance(self) &&
           s_body(self, definition);
}

static bool s_is_empty_extension(const ast_definition_t *definition)
{
    if (definition->directives.count)
        return false;
    if (definition->kind == AST_SCHEMA)
        return definition->schema.root_count == 0;
    const ast_type_definition_t *type = &definition->type;
    return !type->interface_count && !type->field_count && !type->member_count &&
           !type->value_count && !type->input_count;
}

bool p_type_system_extension(parse_state_t *self, ast_definition_t *definition)
{
    if (!p_look_ahead(self))
        return false;
    if (!p_type_system_keyword(&self->ahead, &definition->kind) ||
        definition->kind == AST_DIRECTIVE_DEFINITION)
        return p_unexpected(self, &self->ahead);
    definition->extend = true;
    if (!p_advance(self) || !p_advance(self) || !s_body(self, definition))
        return false;
    return !s_is_empty_extension(definition) || p_unexpected(self, &self->token);
}
