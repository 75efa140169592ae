/* Second pass: visits every node once and shows it to the rules, in the order of graphql-js. */
#include "gateway/graphql/validation/context.h"
#include "gateway/graphql/validation/rules.h"

/* ---- values, arguments, directives ---- */

static void s_walk_object_values(validation_t *self, const ast_value_t *value)
{
    if (value->kind == AST_LIST) {
        for (uint32_t i = 0; i < value->list.count; i++)
            s_walk_object_values(self, &value->list.items[i]);
    } else if (value->kind == AST_OBJECT) {
        rule_unique_input_field_names(self, value);
        for (uint32_t i = 0; i < value->object.count; i++)
            s_walk_object_values(self, &value->object.fields[i].value);
    }
}

static void s_walk_value(validation_t *self, const ast_value_t *value, const schema_ref_t *type)
{
    if (type && schema_type_is_input(type->type))
        rule_values_of_correct_type(self, value, type);
    s_walk_object_values(self, value);
}

static void s_walk_arguments(validation_t *self,
                             const ast_argument_t *arguments,
                             uint32_t count,
                             const schema_input_t *inputs,
                             uint32_t input_count,
                             const ast_selection_t *field)
{
    for (uint32_t i = 0; i < count && !v_is_full(self); i++) {
        const schema_input_t *input = schema_argument(inputs, input_count, arguments[i].name);
        if (field)
            rule_known_field_argument(self, field, &arguments[i]);
        s_walk_value(self, &arguments[i].value, input ? input->type : NULL);
    }
}

static void s_walk_directives(validation_t *self,
                              const ast_directives_t *directives,
                              schema_location_t location)
{
    for (uint32_t i = 0; i < directives->count && !v_is_full(self); i++) {
        const ast_directive_t *directive = &directives->items[i];
        const schema_directive_t *definition = directive->definition;
        rule_known_directive(self, directive, location);
        rule_known_directive_arguments(self, directive);
        rule_unique_argument_names(self, directive->arguments, directive->argument_count);
        s_walk_arguments(self, directive->arguments, directive->argument_count,
                         definition ? definition->arguments : NULL,
                         definition ? definition->argument_count : 0, NULL);
        rule_provided_required_directive_arguments(self, directive);
    }
}

/* ---- selections ---- */

static void s_walk_set(validation_t *self, const ast_selection_set_t *set);

static void
s_walk_field(validation_t *self, const ast_selection_t *selection, const schema_type_t *parent)
{
    const ast_field_t *field = &selection->field;
    const schema_field_t *definition = field->definition;
    rule_scalar_leafs(self, selection);
    rule_fields_on_correct_type(self, selection, parent);
    rule_unique_directives_per_location(self, &selection->directives);
    rule_unique_argument_names(self, field->arguments, field->argument_count);
    rule_max_introspection_depth(self, selection);
    rule_no_introspection(self, selection);
    s_walk_arguments(self, field->arguments, field->argument_count,
                     definition ? definition->arguments : NULL,
                     definition ? definition->argument_count : 0, selection);
    s_walk_directives(self, &selection->directives, SCHEMA_ON_FIELD);
    if (field->set)
        s_walk_set(self, field->set);
    rule_provided_required_arguments(self, selection);
}

static void
s_walk_inline(validation_t *self, const ast_selection_t *selection, const schema_type_t *parent)
{
    const ast_named_t *condition = &selection->inlined.condition;
    if (condition->name)
        rule_fragments_on_composite_types(self, condition, NULL);
    rule_possible_fragment_spreads(self, selection, parent);
    rule_unique_directives_per_location(self, &selection->directives);
    if (condition->name)
        rule_known_type_name(self, condition->name, condition->loc);
    s_walk_directives(self, &selection->directives, SCHEMA_ON_INLINE_FRAGMENT);
    s_walk_set(self, selection->inlined.set);
}

static void s_walk_set(validation_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count && !v_is_full(self); i++) {
        const ast_selection_t *selection = &set->items[i];
        switch (selection->kind) {
        case AST_FIELD:
            s_walk_field(self, selection, set->type);
            break;
        case AST_FRAGMENT_SPREAD:
            rule_known_fragment_name(self, selection);
            rule_possible_fragment_spreads(self, selection, set->type);
            rule_unique_directives_per_location(self, &selection->directives);
            s_walk_directives(self, &selection->directives, SCHEMA_ON_FRAGMENT_SPREAD);
            break;
        case AST_INLINE_FRAGMENT:
            s_walk_inline(self, selection, set->type);
            break;
        }
    }
}

/* ---- definitions ---- */

static void s_walk_type(validation_t *self, const ast_type_t *type)
{
    while (type->kind != AST_TYPE_NAMED)
        type = type->of;
    rule_known_type_name(self, type->name, type->loc);
}

static void s_walk_variables(validation_t *self, const ast_operation_t *operation)
{
    for (uint32_t i = 0; i < operation->variable_count && !v_is_full(self); i++) {
        const ast_variable_t *variable = &operation->variables[i];
        rule_variables_are_input_types(self, variable);
        rule_unique_directives_per_location(self, &variable->directives);
        s_walk_type(self, variable->type);
        if (variable->default_value)
            s_walk_value(self, variable->default_value, v_ref(self, variable->type));
        s_walk_directives(self, &variable->directives, SCHEMA_ON_VARIABLE_DEFINITION);
    }
}

static void s_walk_operation(validation_t *self, const ast_definition_t *definition)
{
    static const schema_location_t locations[] = {SCHEMA_ON_QUERY, SCHEMA_ON_MUTATION,
                                                  SCHEMA_ON_SUBSCRIPTION};
    rule_known_operation_types(self, definition);
    rule_single_field_subscriptions(self, definition);
    rule_unique_variable_names(self, definition);
    rule_unique_directives_per_location(self, &definition->directives);
    s_walk_variables(self, &definition->operation);
    s_walk_directives(self, &definition->directives, locations[definition->operation.kind]);
    s_walk_set(self, definition->operation.set);
    rule_variable_uses(self, definition);
}

static void s_walk_fragment(validation_t *self, const ast_definition_t *definition)
{
    const ast_named_t *condition = &definition->fragment.condition;
    rule_fragments_on_composite_types(self, condition, definition->name);
    rule_unique_directives_per_location(self, &definition->directives);
    rule_known_type_name(self, condition->name, condition->loc);
    s_walk_directives(self, &definition->directives, SCHEMA_ON_FRAGMENT_DEFINITION);
    s_walk_set(self, definition->fragment.set);
}

void v_walk(validation_t *self)
{
    const ast_document_t *document = self->document;
    for (uint32_t i = 0; i < document->definition_count; i++)
        rule_executable_definitions(self, &document->definitions[i]);
    rule_unique_operation_names(self);
    rule_lone_anonymous_operation(self);
    rule_unique_fragment_names(self);
    rule_no_fragment_cycles(self);
    for (uint32_t i = 0; i < document->definition_count && !v_is_full(self); i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind == AST_OPERATION)
            s_walk_operation(self, definition);
        else if (definition->kind == AST_FRAGMENT)
            s_walk_fragment(self, definition);
    }
    if (!v_is_full(self))
        rule_no_unused_fragments(self);
    if (!v_is_full(self))
        rule_overlapping_fields_can_be_merged(self);
}
