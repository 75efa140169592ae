/* First pass: ties the tree to the schema and notes what each definition uses. */
#include "gateway/graphql/validation/context.h"

typedef struct {
    validation_t *validation;
    facts_t *facts;
} bind_t;

/* ---- variables ---- */

static bool s_add_use(bind_t *self,
                      const ast_value_t *node,
                      const schema_ref_t *type,
                      const schema_type_t *one_of,
                      bool has_default)
{
    facts_t *facts = self->facts;
    if (!v_grow(self->validation, &facts->uses, facts->use_count, &facts->use_capacity,
                sizeof *facts->uses))
        return false;
    facts->uses[facts->use_count++] =
        (variable_use_t){.node = node, .type = type, .one_of = one_of, .has_default = has_default};
    return true;
}

static const schema_ref_t *s_item_type(const schema_ref_t *type)
{
    const schema_ref_t *nullable = type ? schema_ref_nullable(type) : NULL;
    return nullable && nullable->kind == SCHEMA_REF_LIST ? nullable->of : NULL;
}

static bool s_bind_value(bind_t *self,
                         const ast_value_t *value,
                         const schema_ref_t *type,
                         const schema_type_t *one_of,
                         bool has_default);

static bool s_bind_object(bind_t *self, const ast_value_t *value, const schema_ref_t *type)
{
    const schema_type_t *object =
        type && type->type->kind == SCHEMA_INPUT_OBJECT ? type->type : NULL;
    bool ok = true;
    for (uint32_t i = 0; ok && i < value->object.count; i++) {
        const ast_object_field_t *field = &value->object.fields[i];
        const schema_input_t *input = object ? schema_type_input(object, field->name) : NULL;
        ok = s_bind_value(self, &field->value, input ? input->type : NULL,
                          object && object->is_one_of ? object : NULL,
                          input && input->default_value);
    }
    return ok;
}

static bool s_bind_value(bind_t *self,
                         const ast_value_t *value,
                         const schema_ref_t *type,
                         const schema_type_t *one_of,
                         bool has_default)
{
    bool ok = true;
    if (value->constant)
        return true;
    if (value->kind == AST_VARIABLE)
        return s_add_use(self, value, type, one_of, has_default);
    if (value->kind == AST_OBJECT)
        return s_bind_object(self, value, type);
    for (uint32_t i = 0; ok && i < value->list.count; i++)
        ok = s_bind_value(self, &value->list.items[i], s_item_type(type), NULL, false);
    return ok;
}

static bool s_bind_arguments(bind_t *self,
                             const ast_argument_t *arguments,
                             uint32_t count,
                             const schema_input_t *inputs,
                             uint32_t input_count)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) {
        const schema_input_t *input = schema_argument(inputs, input_count, arguments[i].name);
        ok = s_bind_value(self, &arguments[i].value, input ? input->type : NULL, NULL,
                          input && input->default_value);
    }
    return ok;
}

static bool s_bind_directives(bind_t *self, const ast_directives_t *directives)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < directives->count; i++) {
        ast_directive_t *directive = &directives->items[i];
        const schema_directive_t *definition =
            schema_directive(self->validation->schema, directive->name);
        directive->definition = definition;
        ok = s_bind_arguments(self, directive->arguments, directive->argument_count,
                              definition ? definition->arguments : NULL,
                              definition ? definition->argument_count : 0);
    }
    return ok;
}

/* ---- selections ---- */

static const schema_type_t *s_composite(const schema_type_t *type)
{
    return type && schema_type_is_composite(type) ? type : NULL;
}

static bool s_bind_set(bind_t *self, ast_selection_set_t *set, const schema_type_t *type);

static bool s_bind_field(bind_t *self, ast_selection_t *selection, const schema_type_t *parent)
{
    ast_field_t *field = &selection->field;
    const schema_field_t *definition =
        parent ? schema_type_field(self->validation->schema, parent, field->name) : NULL;
    field->definition = definition;
    return s_bind_arguments(self, field->arguments, field->argument_count,
                            definition ? definition->arguments : NULL,
                            definition ? definition->argument_count : 0) &&
           s_bind_directives(self, &selection->directives) &&
           (!field->set ||
            s_bind_set(self, field->set, definition ? definition->type->type : NULL));
}

static bool s_bind_selection(bind_t *self, ast_selection_t *selection, const schema_type_t *parent)
{
    const schema_t *schema = self->validation->schema;
    switch (selection->kind) {
    case AST_FIELD:
        return s_bind_field(self, selection, parent);
    case AST_FRAGMENT_SPREAD:
        selection->spread.fragment = v_fragment(self->validation, selection->spread.name);
        return s_bind_directives(self, &selection->directives);
    case AST_INLINE_FRAGMENT: {
        const name_t *condition = selection->inlined.condition.name;
        const schema_type_t *type = condition ? schema_type(schema, condition) : parent;
        selection->inlined.type = s_composite(type);
        return s_bind_directives(self, &selection->directives) &&
               s_bind_set(self, selection->inlined.set, type);
    }
    }
    return true;
}

static bool s_bind_set(bind_t *self, ast_selection_set_t *set, const schema_type_t *type)
{
    bool ok = true;
    set->type = s_composite(type);
    for (uint32_t i = 0; ok && i < set->count; i++)
        ok = s_bind_selection(self, &set->items[i], set->type);
    return ok;
}

/* ---- spreads: graphql-js takes the sets of a definition from a stack, and the order of cycles
 * follows ---- */

static bool s_push_inner_set(validation_t *self,
                             const ast_selection_t *selection,
                             const ast_selection_set_t ***stack,
                             uint32_t *count,
                             uint32_t *capacity)
{
    const ast_selection_set_t *set =
        selection->kind == AST_FIELD ? selection->field.set : selection->inlined.set;
    if (!set)
        return true;
    if (!v_grow(self, stack, *count, capacity, sizeof **stack))
        return false;
    (*stack)[(*count)++] = set;
    return true;
}

static bool s_collect_spreads(validation_t *self, facts_t *facts, const ast_selection_set_t *first)
{
    const ast_selection_set_t **stack = NULL;
    uint32_t capacity = 0;
    uint32_t count = 0;
    if (!v_grow(self, &stack, count, &capacity, sizeof *stack))
        return false;
    stack[count++] = first;
    while (count > 0) {
        const ast_selection_set_t *set = stack[--count];
        for (uint32_t i = 0; i < set->count; i++) {
            const ast_selection_t *selection = &set->items[i];
            if (selection->kind != AST_FRAGMENT_SPREAD) {
                if (!s_push_inner_set(self, selection, &stack, &count, &capacity))
                    return false;
                continue;
            }
            if (!v_grow(self, &facts->spreads, facts->spread_count, &facts->spread_capacity,
                        sizeof *facts->spreads))
                return false;
            facts->spreads[facts->spread_count++] = selection;
        }
    }
    return true;
}

/* ---- definitions ---- */

static bool s_bind_operation(bind_t *self, ast_definition_t *definition)
{
    ast_operation_t *operation = &definition->operation;
    operation->type = schema_root(self->validation->schema, operation->kind);
    bool ok = true;
    facts_t unused = {0};
    bind_t variables = {.validation = self->validation, .facts = &unused};
    for (uint32_t i = 0; ok && i < operation->variable_count; i++)
        ok = s_bind_directives(&variables, &operation->variables[i].directives);
    return ok && s_bind_directives(self, &definition->directives) &&
           s_bind_set(self, operation->set, operation->type) &&
           s_collect_spreads(self->validation, self->facts, operation->set);
}

static bool s_bind_fragment(bind_t *self, ast_definition_t *definition)
{
    ast_fragment_t *fragment = &definition->fragment;
    const schema_type_t *type = schema_type(self->validation->schema, fragment->condition.name);
    fragment->type = s_composite(type);
    return s_bind_directives(self, &definition->directives) &&
           s_bind_set(self, fragment->set, type) &&
           s_collect_spreads(self->validation, self->facts, fragment->set);
}

bool v_bind(validation_t *self)
{
    ast_document_t *document = self->document;
    bool ok = true;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        if (document->definitions[i].kind == AST_FRAGMENT)
            self->fragments[document->definitions[i].name->id] = &document->definitions[i];
    }
    for (uint32_t i = 0; ok && i < document->definition_count; i++) {
        ast_definition_t *definition = &document->definitions[i];
        bind_t bind = {.validation = self, .facts = &self->facts[i]};
        if (definition->kind == AST_OPERATION)
            ok = s_bind_operation(&bind, definition);
        else if (definition->kind == AST_FRAGMENT)
            ok = s_bind_fragment(&bind, definition);
    }
    return ok && !self->stopped;
}
