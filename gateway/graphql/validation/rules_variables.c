#include "gateway/graphql/validation/rules.h"

/* One error for a name that is defined more than once, with all its places. */
static void
s_report_variable(validation_t *self, const ast_operation_t *operation, const name_t *name)
{
    ast_loc_t *locations =
        v_is_full(self) ? NULL : v_alloc(self, operation->variable_count, sizeof *locations);
    uint32_t count = 0;
    if (!locations)
        return;
    for (uint32_t i = 0; i < operation->variable_count; i++) {
        if (operation->variables[i].name == name)
            locations[count++] = operation->variables[i].name_loc;
    }
    v_error_at(self, "UniqueVariableNames", locations, count,
               "There can be only one variable named \"$%s\".", name->data);
}

void rule_unique_variable_names(validation_t *self, const ast_definition_t *operation)
{
    /* The second time that a name comes, it is reported; the third time no more. */
    uint32_t once = ++self->stamp;
    uint32_t twice = ++self->stamp;
    for (uint32_t i = 0; i < operation->operation.variable_count; i++) {
        const name_t *name = operation->operation.variables[i].name;
        uint32_t *stamp = &self->stamps[name->id];
        if (*stamp == once) {
            *stamp = twice;
            s_report_variable(self, &operation->operation, name);
        } else if (*stamp != twice) {
            *stamp = once;
        }
    }
}

/* As it was written. */
static const char *s_type_text(validation_t *self, const ast_type_t *type)
{
    if (type->kind == AST_TYPE_NAMED)
        return type->name->data;
    const char *text =
        v_text(self, type->kind == AST_TYPE_LIST ? "[%s]" : "%s!", s_type_text(self, type->of));
    return text ? text : "";
}

void rule_variables_are_input_types(validation_t *self, const ast_variable_t *variable)
{
    const ast_type_t *named = variable->type;
    while (named->kind != AST_TYPE_NAMED)
        named = named->of;
    const schema_type_t *type = schema_type(self->schema, named->name);
    if (type && !schema_type_is_input(type))
        v_error(self, "VariablesAreInputTypes", variable->type->loc,
                "Variable \"$%s\" cannot be non-input type \"%s\".", variable->name->data,
                s_type_text(self, variable->type));
}

/* ---- uses ---- */

typedef struct {
    validation_t *validation;
    const ast_definition_t *operation;
    const schema_ref_t **types; /* by index of the variable; NULL if unknown */
    uint32_t mark;              /* in validation->used: used by this operation */
} uses_t;

static void s_report_undefined(uses_t *self, const variable_use_t *use)
{
    const name_t *operation = self->operation->name;
    ast_loc_t locations[] = {use->node->loc, self->operation->loc};
    v_error_at(self->validation, "NoUndefinedVariables", locations, 2,
               "Variable \"$%s\" is not defined%s%s%s.", use->node->name->data,
               operation ? " by operation \"" : "", operation ? operation->data : "",
               operation ? "\"" : "");
}

/* 5.8.5 IsVariableUsageAllowed */
static bool
s_is_allowed(const schema_ref_t *type, const ast_value_t *default_value, const variable_use_t *use)
{
    const schema_ref_t *place = use->type;
    if (place->kind == SCHEMA_REF_NON_NULL && type->kind != SCHEMA_REF_NON_NULL) {
        bool has_value = default_value && default_value->kind != AST_NULL;
        if (!has_value && !use->has_default)
            return false;
        place = place->of;
    }
    return schema_ref_is_subtype(type, place);
}

static void
s_check_position(uses_t *self, const variable_use_t *use, const ast_variable_t *variable)
{
    const schema_ref_t *type = self->types[variable - self->operation->operation.variables];
    ast_loc_t locations[] = {variable->loc, use->node->loc};
    if (!type || !use->type)
        return;
    if (!s_is_allowed(type, variable->default_value, use))
        v_error_at(self->validation, "VariablesInAllowedPosition", locations, 2,
                   "Variable \"$%s\" of type \"%s\" used in position expecting type \"%s\".",
                   variable->name->data, type->text, use->type->text);
    if (use->one_of && type->kind != SCHEMA_REF_NON_NULL)
        v_error_at(self->validation, "VariablesInAllowedPosition", locations, 2,
                   "Variable \"$%s\" is of type \"%s\" but must be non-nullable to be used for "
                   "OneOf Input Object \"%s\".",
                   variable->name->data, type->text, use->one_of->name->data);
}

static bool s_check_definition(uses_t *self, const ast_definition_t *definition)
{
    const facts_t *facts = &self->validation->facts[definition->id];
    if (!v_spend(self->validation, 1 + facts->use_count + facts->spread_count))
        return false;
    for (uint32_t i = 0; i < facts->use_count && !v_is_full(self->validation); i++) {
        const variable_use_t *use = &facts->uses[i];
        const ast_variable_t *variable = self->validation->defined[use->node->name->id];
        self->validation->used[use->node->name->id] = self->mark;
        if (variable)
            s_check_position(self, use, variable);
        else
            s_report_undefined(self, use);
    }
    return true;
}

/* The operation, then each fragment that it reaches. */
static void s_check_reachable(uses_t *self)
{
    validation_t *validation = self->validation;
    const ast_definition_t **queue = NULL;
    uint32_t capacity = 0;
    uint32_t count = 0;
    v_visit_begin(validation);
    if (!v_grow(validation, &queue, count, &capacity, sizeof *queue))
        return;
    queue[count++] = self->operation;
    for (uint32_t i = 0; i < count && s_check_definition(self, queue[i]); i++) {
        const facts_t *facts = &validation->facts[queue[i]->id];
        for (uint32_t j = 0; j < facts->spread_count; j++) {
            const ast_definition_t *fragment = facts->spreads[j]->spread.fragment;
            if (!fragment || !v_visit(validation, fragment))
                continue;
            if (!v_grow(validation, &queue, count, &capacity, sizeof *queue))
                return;
            queue[count++] = fragment;
        }
    }
}

static void s_report_unused(uses_t *self)
{
    const ast_operation_t *operation = &self->operation->operation;
    const name_t *name = self->operation->name;
    for (uint32_t i = 0; i < operation->variable_count && !v_is_full(self->validation); i++) {
        const ast_variable_t *variable = &operation->variables[i];
        if (self->validation->used[variable->name->id] != self->mark)
            v_error(self->validation, "NoUnusedVariables", variable->loc,
                    "Variable \"$%s\" is never used%s%s%s.", variable->name->data,
                    name ? " in operation \"" : "", name ? name->data : "", name ? "\"" : "");
    }
}

/* Tables by name, made once for all operations of the document. */
static bool s_prepare(validation_t *self)
{
    if (!self->defined) {
        self->defined = v_alloc(self, self->document->name_count, sizeof(const ast_variable_t *));
        self->used = v_alloc(self, self->document->name_count, sizeof *self->used);
    }
    return self->defined && self->used;
}

void rule_variable_uses(validation_t *self, const ast_definition_t *operation)
{
    const ast_operation_t *node = &operation->operation;
    uses_t uses = {.validation = self, .operation = operation, .mark = operation->id + 1};
    uses.types = v_alloc(self, node->variable_count, sizeof(const schema_ref_t *));
    if (!uses.types || !s_prepare(self))
        return;
    for (uint32_t i = 0; i < node->variable_count; i++) {
        const ast_variable_t *variable = &node->variables[i];
        self->defined[variable->name->id] = variable;
        uses.types[i] = v_ref(self, variable->type);
    }
    s_check_reachable(&uses);
    if (!v_is_full(self))
        s_report_unused(&uses);
    for (uint32_t i = 0; i < node->variable_count; i++)
        self->defined[node->variables[i].name->id] = NULL;
}
