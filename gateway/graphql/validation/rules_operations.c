#include "gateway/graphql/validation/rules.h"

#include <string.h>

static const char *const s_words[] = {"query", "mutation", "subscription"};

void rule_executable_definitions(validation_t *self, const ast_definition_t *definition)
{
    if (definition->kind == AST_OPERATION || definition->kind == AST_FRAGMENT)
        return;
    bool named = definition->kind != AST_SCHEMA;
    v_error(self, "ExecutableDefinitions", definition->loc,
            "The %s%s%s definition is not executable.", named ? "\"" : "",
            named ? definition->name->data : "schema", named ? "\"" : "");
}

void rule_known_operation_types(validation_t *self, const ast_definition_t *operation)
{
    if (!operation->operation.type)
        v_error(self, "KnownOperationTypes", operation->loc,
                "The %s operation is not supported by the schema.",
                s_words[operation->operation.kind]);
}

void rule_unique_operation_names(validation_t *self)
{
    const ast_document_t *document = self->document;
    const ast_definition_t **first =
        v_alloc(self, document->name_count, sizeof(const ast_definition_t *));
    for (uint32_t i = 0; first && i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind != AST_OPERATION || !definition->name)
            continue;
        const ast_definition_t **known = &first[definition->name->id];
        if (!*known) {
            *known = definition;
            continue;
        }
        ast_loc_t locations[] = {(*known)->name_loc, definition->name_loc};
        v_error_at(self, "UniqueOperationNames", locations, 2,
                   "There can be only one operation named \"%s\".", definition->name->data);
    }
}

void rule_lone_anonymous_operation(validation_t *self)
{
    const ast_document_t *document = self->document;
    uint32_t operations = 0;
    for (uint32_t i = 0; i < document->definition_count; i++)
        operations += document->definitions[i].kind == AST_OPERATION;
    for (uint32_t i = 0; operations > 1 && i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind == AST_OPERATION && !definition->name)
            v_error(self, "LoneAnonymousOperation", definition->loc,
                    "This anonymous operation must be the only defined operation.");
    }
}

/* ---- subscriptions: the root fields through fragments, without running anything ---- */

typedef struct {
    validation_t *validation;
    const schema_type_t *type;
    const ast_selection_t **fields;
    uint32_t field_count;
    uint32_t field_capacity;
    ast_loc_t *forbidden; /* @skip and @include */
    uint32_t forbidden_count;
    uint32_t forbidden_capacity;
} roots_t;

static const ast_directive_t *s_directive(const ast_selection_t *selection, const char *name)
{
    for (uint32_t i = 0; i < selection->directives.count; i++) {
        if (name_is(selection->directives.items[i].name, name))
            return &selection->directives.items[i];
    }
    return NULL;
}

static bool s_note_forbidden(roots_t *self, const ast_selection_t *selection)
{
    const ast_directive_t *directive = s_directive(selection, "skip");
    if (!directive)
        directive = s_directive(selection, "include");
    if (!directive)
        return false;
    if (v_grow(self->validation, &self->forbidden, self->forbidden_count, &self->forbidden_capacity,
               sizeof *self->forbidden))
        self->forbidden[self->forbidden_count++] = directive->loc;
    return true;
}

/* Does a fragment with this condition apply to the root type? */
static bool s_applies(const roots_t *self, const name_t *condition)
{
    const schema_type_t *type =
        condition ? schema_type(self->validation->schema, condition) : self->type;
    return type && schema_type_is_composite(type) && schema_type_is_possible(type, self->type);
}

static void s_collect_roots(roots_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count && v_spend(self->validation, 1); i++) {
        const ast_selection_t *selection = &set->items[i];
        if (s_note_forbidden(self, selection))
            continue;
        if (selection->kind == AST_FIELD) {
            if (v_grow(self->validation, &self->fields, self->field_count, &self->field_capacity,
                       sizeof *self->fields))
                self->fields[self->field_count++] = selection;
        } else if (selection->kind == AST_INLINE_FRAGMENT) {
            if (s_applies(self, selection->inlined.condition.name))
                s_collect_roots(self, selection->inlined.set);
        } else {
            const ast_definition_t *fragment = selection->spread.fragment;
            if (!fragment || !s_applies(self, fragment->fragment.condition.name) ||
                !v_visit(self->validation, fragment) || !v_enter(self->validation))
                continue;
            s_collect_roots(self, fragment->fragment.set);
            v_leave(self->validation);
        }
    }
}

/* `Subscription "name"` or `Anonymous Subscription` */
static const char *s_title(validation_t *self, const ast_definition_t *operation)
{
    const char *title = NULL;
    if (operation->name)
        title = v_text(self, "Subscription \"%s\"", operation->name->data);
    return title ? title : "Anonymous Subscription";
}

static void s_report_roots(roots_t *self, const ast_definition_t *operation)
{
    validation_t *validation = self->validation;
    static const char rule[] = "SingleFieldSubscriptions";
    const char *title = s_title(validation, operation);
    ast_loc_t *locations = v_alloc(validation, self->field_count, sizeof *locations);
    uint32_t count = 0;
    if (!locations)
        return;
    /* Grouped by response name; graphql-js lists the groups one after the other. */
    v_stamp(validation);
    for (uint32_t i = 0; i < self->field_count; i++) {
        const name_t *key = self->fields[i]->field.key;
        if (!v_is_new(validation, key) || key == self->fields[0]->field.key)
            continue;
        for (uint32_t j = i; j < self->field_count && v_spend(validation, 1); j++) {
            if (self->fields[j]->field.key == key)
                locations[count++] = self->fields[j]->loc;
        }
    }
    if (count)
        v_error_at(validation, rule, locations, count, "%s must select only one top level field.",
                   title);
    v_stamp(validation);
    for (uint32_t i = 0; i < self->field_count; i++) {
        const ast_field_t *field = &self->fields[i]->field;
        if (!v_is_new(validation, field->key) || strncmp(field->name->data, "__", 2) != 0)
            continue;
        count = 0;
        for (uint32_t j = i; j < self->field_count && v_spend(validation, 1); j++) {
            if (self->fields[j]->field.key == field->key)
                locations[count++] = self->fields[j]->loc;
        }
        v_error_at(validation, rule, locations, count,
                   "%s must not select an introspection top level field.", title);
    }
}

void rule_single_field_subscriptions(validation_t *self, const ast_definition_t *operation)
{
    roots_t roots = {.validation = self, .type = operation->operation.type};
    if (operation->operation.kind != AST_SUBSCRIPTION || !roots.type)
        return;
    v_visit_begin(self);
    s_collect_roots(&roots, operation->operation.set);
    if (self->stopped)
        return;
    if (roots.forbidden_count)
        v_error_at(self, "SingleFieldSubscriptions", roots.forbidden, roots.forbidden_count,
                   "%s must not use `@skip` or `@include` directives in the top level selection.",
                   s_title(self, operation));
    else if (roots.field_count)
        s_report_roots(&roots, operation);
    else
        v_error(self, "SingleFieldSubscriptions", operation->operation.set->loc,
                "%s must select one top level field.", s_title(self, operation));
}
