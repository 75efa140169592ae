#include <string.h>

#include "gateway/graphql/language/suggest.h"
#include "gateway/graphql/type/builder.h"
#include "gateway/graphql/type/literal.h"

static const ast_argument_t *s_argument(const ast_directive_t *node, const name_t *name)
{
    for (uint32_t i = 0; i < node->argument_count; i++) {
        if (node->arguments[i].name == name)
            return &node->arguments[i];
    }
    return NULL;
}

/* Has this service applied it here already? Several may, at a type that they share. */
static bool s_is_applied(const schema_applied_list_t *list, const name_t *name, const char *service)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].name == name && list->items[i].service == service)
            return true;
    return false;
}

static bool s_resolve(builder_t *self,
                      const source_t *source,
                      const ast_directive_t *node,
                      schema_location_t location,
                      const schema_applied_list_t *list,
                      schema_applied_t *applied)
{
    const schema_directive_t *definition = self->directives[node->name->id];
    if (!definition)
        return b_fail(self, source->service, node->loc, "Unknown directive \"@%s\".",
                      node->name->data);
    if (!(definition->locations >> location & 1))
        return b_fail(self, source->service, node->loc, "Directive \"@%s\" may not be used on %s.",
                      node->name->data, schema_location_name(location));
    if (!definition->is_repeatable && s_is_applied(list, node->name, source->service))
        return b_fail(self, source->service, node->loc,
                      "The directive \"@%s\" can only be used once at this location.",
                      node->name->data);
    *applied = (schema_applied_t){
        .name = node->name, .definition = definition, .node = node, .service = source->service};
    applied_check_t *check = b_alloc(self, 1, sizeof *check);
    if (!check)
        return false;
    *check = (applied_check_t){.source = source, .applied = applied, .next = self->applied};
    self->applied = check;
    return true;
}

bool b_apply(builder_t *self,
             const source_t *source,
             const ast_directives_t *directives,
             schema_location_t location,
             schema_applied_list_t *list)
{
    if (!directives->count)
        return true;
    schema_applied_t *items = b_alloc(self, list->count + directives->count, sizeof *items);
    if (!items)
        return false;
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    for (uint32_t i = 0; i < directives->count; i++) {
        if (!s_resolve(self, source, &directives->items[i], location, list, &items[list->count]))
            return false;
        list->count++;
    }
    return true;
}

/* Definitions of directives may not be filled yet when the first directives are applied (to their
 * own arguments); so the default reason is known here. */
const char *b_deprecation(const schema_applied_list_t *list)
{
    const schema_applied_t *applied = schema_applied(list, "deprecated");
    if (!applied)
        return NULL;
    for (uint32_t i = 0; i < applied->node->argument_count; i++) {
        const ast_argument_t *argument = &applied->node->arguments[i];
        if (name_is(argument->name, "reason") && argument->value.kind == AST_STRING)
            return argument->value.text.data;
    }
    return "No longer supported";
}

/* The strings of a list argument, as names. */
static bool s_names(builder_t *self,
                    const schema_applied_t *applied,
                    const char *argument,
                    const name_t ***names_p,
                    uint32_t *count)
{
    const ast_value_t *value = NULL;
    for (uint32_t i = 0; i < applied->node->argument_count; i++) {
        if (name_is(applied->node->arguments[i].name, argument))
            value = &applied->node->arguments[i].value;
    }
    *count = 0;
    if (!value || value->kind == AST_NULL)
        return true;
    const ast_value_t *items = value->kind == AST_LIST ? value->list.items : value;
    uint32_t item_count = value->kind == AST_LIST ? value->list.count : 1;
    const name_t **names = b_alloc(self, item_count, sizeof(const name_t *));
    if (!names)
        return false;
    *names_p = names;
    for (uint32_t i = 0; i < item_count; i++) {
        if (items[i].kind != AST_STRING)
            continue; /* reported by b_check_applied */
        const name_t *name = names_intern(self->names, items[i].text.data, items[i].text.size);
        if (!name)
            return b_no_memory(self);
        names[(*count)++] = name;
    }
    return true;
}

bool b_apply_field_flags(builder_t *self, schema_field_t *field)
{
    const schema_applied_t *resolve = schema_applied(&field->applied, "resolve");
    const schema_applied_t *subscribe = schema_applied(&field->applied, "aws_subscribe");
    field->is_public = schema_applied(&field->applied, "public") != NULL;
    field->is_resolved = resolve != NULL;
    field->is_subscribe = subscribe != NULL;
    if (resolve && !s_names(self, resolve, "needs", &field->needs, &field->need_count))
        return false;
    return !subscribe ||
           s_names(self, subscribe, "mutations", &field->mutations, &field->mutation_count);
}

/* ---- arguments ---- */

typedef struct {
    builder_t *builder;
    const source_t *source;
} report_arg_t;

static bool s_report(void *arg, ast_loc_t loc, const char *message)
{
    report_arg_t *self = arg;
    return b_fail(self->builder, self->source->service, loc, "%s", message);
}

static bool
s_unknown_argument(builder_t *self, const applied_check_t *check, const ast_argument_t *argument)
{
    const schema_directive_t *definition = check->applied->definition;
    suggest_t suggest;
    suggest_init(&suggest, argument->name->data, argument->name->size);
    for (uint32_t i = 0; i < definition->argument_count; i++)
        suggest_add_name(&suggest, definition->arguments[i].name);
    return b_fail(self, check->source->service, argument->loc,
                  "Unknown argument \"%s\" on directive \"@%s\".%s", argument->name->data,
                  definition->name->data, suggest_text(&suggest, self->arena));
}

static bool s_check_one(builder_t *self, const applied_check_t *check)
{
    const ast_directive_t *node = check->applied->node;
    const schema_directive_t *definition = check->applied->definition;
    report_arg_t arg = {.builder = self, .source = check->source};
    literal_check_t literal = {
        .arena = self->arena, .suggestions = true, .report = s_report, .arg = &arg};
    b_stamp(self);
    for (uint32_t i = 0; i < node->argument_count; i++) {
        const ast_argument_t *argument = &node->arguments[i];
        const schema_input_t *input =
            schema_argument(definition->arguments, definition->argument_count, argument->name);
        if (!input)
            return s_unknown_argument(self, check, argument);
        if (!b_is_new(self, argument->name))
            return b_fail(self, check->source->service, argument->loc,
                          "There can be only one argument named \"%s\".", argument->name->data);
        if (!literal_check(&literal, &argument->value, input->type))
            return false;
    }
    for (uint32_t i = 0; i < definition->argument_count; i++) {
        const schema_input_t *input = &definition->arguments[i];
        if (schema_input_is_required(input) && !s_argument(node, input->name))
            return b_fail(self, check->source->service, node->loc,
                          "Argument \"@%s(%s:)\" of type \"%s\" is required, but it was not "
                          "provided.",
                          definition->name->data, input->name->data, input->type->text);
    }
    return true;
}

bool b_check_applied(builder_t *self)
{
    /* Collected backwards: find the first in the text. */
    applied_check_t *forwards = NULL;
    while (self->applied) {
        applied_check_t *check = self->applied;
        self->applied = check->next;
        check->next = forwards;
        forwards = check;
    }
    for (; forwards; forwards = forwards->next) {
        if (!s_check_one(self, forwards))
            return false;
    }
    return true;
}
