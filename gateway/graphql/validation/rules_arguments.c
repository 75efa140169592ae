#include "gateway/graphql/language/suggest.h"
#include "gateway/graphql/validation/rules.h"

static const char *
s_suggest(validation_t *self, const name_t *name, const schema_input_t *inputs, uint32_t count)
{
    suggest_t suggest;
    suggest_init(&suggest, v_suggests(self) ? name->data : NULL, name->size);
    for (uint32_t i = 0; i < count; i++)
        suggest_add_name(&suggest, inputs[i].name);
    return suggest_text(&suggest, self->scratch);
}

void rule_known_field_argument(validation_t *self,
                               const ast_selection_t *field,
                               const ast_argument_t *argument)
{
    const schema_field_t *definition = field->field.definition;
    if (!definition ||
        schema_argument(definition->arguments, definition->argument_count, argument->name))
        return;
    v_error(self, "KnownArgumentNames", argument->loc, "Unknown argument \"%s\" on field \"%s\".%s",
            argument->name->data, definition->coordinate,
            s_suggest(self, argument->name, definition->arguments, definition->argument_count));
}

void rule_known_directive_arguments(validation_t *self, const ast_directive_t *directive)
{
    const schema_directive_t *definition = directive->definition;
    for (uint32_t i = 0; definition && i < directive->argument_count && !v_is_full(self); i++) {
        const ast_argument_t *argument = &directive->arguments[i];
        if (schema_argument(definition->arguments, definition->argument_count, argument->name))
            continue;
        v_error(self, "KnownArgumentNames", argument->loc,
                "Unknown argument \"%s\" on directive \"@%s\".%s", argument->name->data,
                definition->name->data,
                s_suggest(self, argument->name, definition->arguments, definition->argument_count));
    }
}

/* One error for a name that is there more than once, with all its places. */
static void s_report_argument(validation_t *self,
                              const ast_argument_t *arguments,
                              uint32_t count,
                              const name_t *name)
{
    ast_loc_t *locations = v_is_full(self) ? NULL : v_alloc(self, count, sizeof *locations);
    uint32_t found = 0;
    if (!locations)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i].name == name)
            locations[found++] = arguments[i].loc;
    }
    v_error_at(self, "UniqueArgumentNames", locations, found,
               "There can be only one argument named \"%s\".", name->data);
}

void rule_unique_argument_names(validation_t *self, const ast_argument_t *arguments, uint32_t count)
{
    if (count < 2)
        return;
    /* The second time that a name comes, it is reported; the third time no more. */
    uint32_t once = ++self->stamp;
    uint32_t twice = ++self->stamp;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *stamp = &self->stamps[arguments[i].name->id];
        if (*stamp == once) {
            *stamp = twice;
            s_report_argument(self, arguments, count, arguments[i].name);
        } else if (*stamp != twice) {
            *stamp = once;
        }
    }
}

static bool s_is_given(const ast_argument_t *arguments, uint32_t count, const name_t *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (name_equal(arguments[i].name, name))
            return true;
    }
    return false;
}

void rule_provided_required_arguments(validation_t *self, const ast_selection_t *field)
{
    const schema_field_t *definition = field->field.definition;
    for (uint32_t i = 0; definition && i < definition->argument_count; i++) {
        const schema_input_t *input = &definition->arguments[i];
        if (schema_input_is_required(input) &&
            !s_is_given(field->field.arguments, field->field.argument_count, input->name))
            v_error(self, "ProvidedRequiredArguments", field->loc,
                    "Argument \"%s(%s:)\" of type \"%s\" is required, but it was not provided.",
                    definition->coordinate, input->name->data, input->type->text);
    }
}

void rule_provided_required_directive_arguments(validation_t *self,
                                                const ast_directive_t *directive)
{
    const schema_directive_t *definition = directive->definition;
    for (uint32_t i = 0; definition && i < definition->argument_count; i++) {
        const schema_input_t *input = &definition->arguments[i];
        if (schema_input_is_required(input) &&
            !s_is_given(directive->arguments, directive->argument_count, input->name))
            v_error(self, "ProvidedRequiredArguments", directive->loc,
                    "Argument \"@%s(%s:)\" of type \"%s\" is required, but it was not provided.",
                    definition->name->data, input->name->data, input->type->text);
    }
}
