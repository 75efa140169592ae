/* Which variables and rules an operation's response depends on, and its plans. */
#include <string.h>

#include "gateway/graphql/execution/document.h"

typedef struct {
    gql_operation_t *operation;
    bool *in_condition; /* by index of the variable */
    bool *in_response;
    const schema_rule_t **rules; /* by id; NULL: not met */
    bool *visited;               /* by id of the fragment's definition */
} survey_t;

static void s_note(survey_t *self, const ast_value_t *value, bool *where)
{
    const ast_operation_t *operation = &self->operation->definition->operation;
    if (value->constant)
        return;
    if (value->kind == AST_VARIABLE) {
        uint32_t index = plan_variable(self->operation->document->scratch, operation, value->name);
        if (index != UINT32_MAX)
            where[index] = true;
    } else if (value->kind == AST_LIST) {
        for (uint32_t i = 0; i < value->list.count; i++)
            s_note(self, &value->list.items[i], where);
    } else if (value->kind == AST_OBJECT) {
        for (uint32_t i = 0; i < value->object.count; i++)
            s_note(self, &value->object.fields[i].value, where);
    }
}

static void s_note_conditions(survey_t *self, const ast_directives_t *directives)
{
    for (uint32_t i = 0; i < directives->count; i++) {
        const ast_directive_t *directive = &directives->items[i];
        if (directive->argument_count > 0 &&
            (name_is(directive->name, "skip") || name_is(directive->name, "include")))
            s_note(self, &directive->arguments[0].value, self->in_condition);
    }
}

/* Is the field resolved by a call, in the type that it is selected on or in one of its possible
 * types? */
static bool s_is_call(const ast_selection_set_t *set, const ast_field_t *field)
{
    if (field->definition->is_resolved)
        return true;
    if (!schema_type_is_abstract(set->type) || field->definition->kind != SCHEMA_FIELD_PLAIN)
        return false;
    for (uint32_t i = 0; i < set->type->possible_count; i++) {
        const schema_field_t *own = schema_type_own_field(set->type->possible[i], field->name);
        if (own && own->is_resolved)
            return true;
    }
    return false;
}

/* The rules that hold for the field, in the type that it is selected on or in its possible types.
 */
static void s_note_rules(survey_t *self, const ast_selection_set_t *set, const ast_field_t *field)
{
    const schema_rule_t *rule = field->definition->rule;
    if (rule)
        self->rules[rule->id] = rule;
    if (!schema_type_is_abstract(set->type) || field->definition->kind != SCHEMA_FIELD_PLAIN)
        return;
    for (uint32_t i = 0; i < set->type->possible_count; i++) {
        const schema_field_t *own = schema_type_own_field(set->type->possible[i], field->name);
        if (own && own->rule)
            self->rules[own->rule->id] = own->rule;
    }
}

static void s_survey(survey_t *self, const ast_selection_set_t *set, bool at_root)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const ast_selection_t *node = &set->items[i];
        s_note_conditions(self, &node->directives);
        if (node->kind == AST_FIELD) {
            if (!at_root && s_is_call(set, &node->field))
                self->operation->has_calls = true;
            s_note_rules(self, set, &node->field);
            for (uint32_t a = 0; a < node->field.argument_count && !at_root; a++)
                s_note(self, &node->field.arguments[a].value, self->in_response);
            if (node->field.set)
                s_survey(self, node->field.set, false);
        } else if (node->kind == AST_INLINE_FRAGMENT) {
            s_survey(self, node->inlined.set, at_root);
        } else if (!self->visited[2 * node->spread.fragment->id + at_root]) {
            self->visited[2 * node->spread.fragment->id + at_root] = true;
            s_survey(self, node->spread.fragment->fragment.set, at_root);
        }
    }
}

/* The rules that were met, one after the other, in the same memory. */
static void s_keep_rules(gql_operation_t *self, const schema_rule_t **rules, uint32_t count)
{
    self->rules = rules;
    self->rule_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (rules[i])
            rules[self->rule_count++] = rules[i];
}

bool operation_ready(gql_operation_t *self)
{
    if (self->is_ready)
        return true;
    arena_t *arena = self->document->arena;
    const ast_operation_t *operation = &self->definition->operation;
    uint32_t rule_count = self->document->schema->schema->rule_count;
    uint32_t *conditions = arena_calloc(arena, operation->variable_count + 1, sizeof *conditions);
    survey_t survey = {
        .operation = self,
        .in_condition = arena_calloc(arena, operation->variable_count + 1, sizeof(bool)),
        .in_response = arena_calloc(arena, operation->variable_count + 1, sizeof(bool)),
        .rules = arena_calloc(arena, rule_count + 1, sizeof(const schema_rule_t *)),
        .visited =
            arena_calloc(arena, (size_t)2 * self->document->ast->definition_count, sizeof(bool)),
    };
    if (!conditions || !survey.in_condition || !survey.in_response || !survey.rules ||
        !survey.visited)
        return false;
    s_survey(&survey, operation->set, true);
    self->condition_count = 0;
    for (uint32_t i = 0; i < operation->variable_count; i++) {
        if (survey.in_condition[i])
            conditions[self->condition_count++] = i;
        survey.in_response[i] |= survey.in_condition[i];
    }
    self->conditions = conditions;
    s_keep_rules(self, survey.rules, rule_count);
    self->is_rendering = survey.in_response;
    self->is_ready = true;
    return true;
}

static bool s_same(const gql_operation_t *self, const plan_case_t *a, const plan_case_t *b)
{
    for (uint32_t i = 0; i < self->condition_count; i++)
        if (a->conditions[self->conditions[i]] != b->conditions[self->conditions[i]])
            return false;
    for (uint32_t i = 0; i < self->rule_count; i++)
        if (a->refused[self->rules[i]->id] != b->refused[self->rules[i]->id])
            return false;
    return a->is_read_only == b->is_read_only;
}

/* Does the rule, with those that it brings along, let the one who asks in? */
static bool s_may(const gql_access_t *access, const schema_rule_t *rule)
{
    for (; rule; rule = rule->also)
        if (!access || !access->may(access->arg, &rule->rule))
            return false;
    return true;
}

static bool s_is_read_only(const gql_operation_t *self, const gql_access_t *access)
{
    return self->kind == GQL_MUTATION && access && access->is_read_only;
}

/* What each rule of the operation says; all others refuse. NULL if memory is out. */
static bool *s_refused(const gql_operation_t *self, const gql_access_t *access, arena_t *arena)
{
    uint32_t count = self->document->schema->schema->rule_count;
    bool *refused = arena_alloc(arena, count * sizeof *refused);
    if (!refused)
        return NULL;
    memset(refused, true, count * sizeof *refused);
    for (uint32_t i = 0; i < self->rule_count; i++)
        refused[self->rules[i]->id] = !s_may(access, self->rules[i]);
    return refused;
}

/* Values of the conditions' variables. A valid document lets only Booleans come here; one that may
 * be null is null only if a default was overridden with null. */
static bool *s_conditions(const gql_operation_t *self,
                          const variables_t *variables,
                          arena_t *arena,
                          const ast_variable_t **null_variable)
{
    const ast_operation_t *operation = &self->definition->operation;
    bool *values = arena_calloc(arena, operation->variable_count + 1, sizeof *values);
    for (uint32_t i = 0; values && i < self->condition_count; i++) {
        uint32_t index = self->conditions[i];
        json_slice_t text = variables->values[index];
        if (!text.data || text.data[0] == 'n') {
            *null_variable = &operation->variables[index];
            return NULL;
        }
        values[index] = text.data[0] == 't';
    }
    return values;
}

/* What the plan has to be made for. False if memory is out or a variable is null. */
static bool s_case(const gql_operation_t *self,
                   const variables_t *variables,
                   const gql_access_t *access,
                   arena_t *arena,
                   plan_case_t *given,
                   const ast_variable_t **null_variable)
{
    given->is_read_only = s_is_read_only(self, access);
    given->refused = NULL;
    given->conditions = s_conditions(self, variables, arena, null_variable);
    if (!given->conditions)
        return false;
    if (self->rule_count > 0)
        given->refused = s_refused(self, access, arena);
    return self->rule_count == 0 || given->refused;
}

static const bool *s_copy(arena_t *arena, const bool *values, size_t count)
{
    bool *copy = arena_alloc(arena, count * sizeof *copy);
    if (copy)
        memcpy(copy, values, count * sizeof *copy);
    return copy;
}

/* In the document's arena. False if that is at its limit. */
static bool s_keep_case(const gql_operation_t *self, plan_case_t *given)
{
    arena_t *arena = self->document->arena;
    size_t variables = self->definition->operation.variable_count + 1;
    size_t rules = self->document->schema->schema->rule_count;
    given->conditions = s_copy(arena, given->conditions, variables);
    if (given->refused && !(given->refused = s_copy(arena, given->refused, rules)))
        return false;
    return given->conditions != NULL;
}

plan_t *operation_plan(gql_operation_t *self,
                       const variables_t *variables,
                       const gql_access_t *access,
                       arena_t *arena,
                       const ast_variable_t **null_variable)
{
    gql_document_t *document = self->document;
    const schema_t *schema = document->schema->schema;
    plan_case_t given;
    *null_variable = NULL;
    bool is_read_only = s_is_read_only(self, access);
    if (self->condition_count == 0 && self->rule_count == 0 && self->plans &&
        self->plans->plan->given.is_read_only == is_read_only)
        return self->plans->plan;
    if (!s_case(self, variables, access, arena, &given, null_variable))
        return NULL;
    for (operation_plan_t *kept = self->plans; kept; kept = kept->next)
        if (s_same(self, &kept->plan->given, &given))
            return kept->plan;
    if (self->plan_count >= OPERATION_MAX_PLANS)
        return plan_new(arena, schema, self->definition, document->scratch, &given);
    operation_plan_t *kept = arena_calloc(document->arena, 1, sizeof *kept);
    if (!kept || !s_keep_case(self, &given))
        return NULL;
    kept->plan = plan_new(document->arena, schema, self->definition, document->scratch, &given);
    if (!kept->plan)
        return NULL;
    kept->next = self->plans;
    self->plans = kept;
    self->plan_count++;
    return kept->plan;
}
