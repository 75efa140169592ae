#include <stdlib.h>

#include "gateway/graphql/language/suggest.h"
#include "gateway/graphql/validation/rules.h"

/* ---- 5.3.1 ---- */

/* A type that has the field that an abstract type lacks. */
typedef struct {
    const schema_type_t *type;
    uint32_t uses; /* possible types that have it, or have it through this interface */
} candidate_t;

static int s_compare_candidates(const void *a_p, const void *b_p)
{
    const candidate_t *a = a_p;
    const candidate_t *b = b_p;
    if (a->uses != b->uses)
        return a->uses > b->uses ? -1 : 1;
    if (a->type->kind == SCHEMA_INTERFACE && schema_type_implements(b->type, a->type))
        return -1;
    if (b->type->kind == SCHEMA_INTERFACE && schema_type_implements(a->type, b->type))
        return 1;
    return suggest_natural_compare(a->type->name->data, b->type->name->data);
}

static void
s_count(candidate_t *candidates, uint32_t *slots, uint32_t *count, const schema_type_t *type)
{
    if (!slots[type->id]) {
        candidates[*count].type = type;
        slots[type->id] = ++*count;
    }
    candidates[slots[type->id] - 1].uses++;
}

static const char *
s_suggest_types(validation_t *self, const schema_type_t *parent, const name_t *name)
{
    uint32_t count = 0;
    if (!v_suggests(self) || !schema_type_is_abstract(parent))
        return "";
    candidate_t *candidates = v_alloc(self, self->schema->type_count, sizeof *candidates);
    uint32_t *slots = v_alloc(self, self->schema->type_count, sizeof *slots);
    const char **items = v_alloc(self, self->schema->type_count, sizeof(const char *));
    if (!candidates || !slots || !items)
        return "";
    for (uint32_t i = 0; i < parent->possible_count; i++) {
        const schema_type_t *object = parent->possible[i];
        if (!schema_type_own_field(object, name))
            continue;
        s_count(candidates, slots, &count, object);
        for (uint32_t j = 0; j < object->interface_count; j++) {
            if (schema_type_own_field(object->interfaces[j], name))
                s_count(candidates, slots, &count, object->interfaces[j]);
        }
    }
    qsort(candidates, count, sizeof *candidates, s_compare_candidates);
    for (uint32_t i = 0; i < count; i++)
        items[i] = candidates[i].type->name->data;
    return suggest_list_text(items, count, "to use an inline fragment on", self->scratch);
}

static const char *
s_suggest_fields(validation_t *self, const schema_type_t *parent, const name_t *name)
{
    suggest_t suggest;
    suggest_init(&suggest, v_suggests(self) ? name->data : NULL, name->size);
    for (uint32_t i = 0; i < parent->field_count; i++)
        suggest_add_name(&suggest, parent->fields[i].name);
    return suggest_text(&suggest, self->scratch);
}

void rule_fields_on_correct_type(validation_t *self,
                                 const ast_selection_t *field,
                                 const schema_type_t *parent)
{
    if (!parent || field->field.definition)
        return;
    const name_t *name = field->field.name;
    const char *suggestion = s_suggest_types(self, parent, name);
    if (!*suggestion)
        suggestion = s_suggest_fields(self, parent, name);
    v_error(self, "FieldsOnCorrectType", field->loc, "Cannot query field \"%s\" on type \"%s\".%s",
            name->data, parent->name->data, suggestion);
}

/* ---- 5.3.3 ---- */

void rule_scalar_leafs(validation_t *self, const ast_selection_t *field)
{
    const schema_field_t *definition = field->field.definition;
    const char *name = field->field.name->data;
    if (!definition)
        return;
    bool is_leaf = schema_type_is_leaf(definition->type->type);
    if (is_leaf && field->field.set)
        v_error(self, "ScalarLeafs", field->field.set->loc,
                "Field \"%s\" must not have a selection since type \"%s\" has no subfields.", name,
                definition->type->text);
    else if (!is_leaf && !field->field.set)
        v_error(self, "ScalarLeafs", field->loc,
                "Field \"%s\" of type \"%s\" must have a selection of subfields. Did you mean "
                "\"%s { ... }\"?",
                name, definition->type->text, name);
}

/* ---- introspection ---- */

enum { INTROSPECTION_LISTS = 3 };

/* How deep each fragment was entered, so that each is looked at a few times only. */
typedef struct {
    validation_t *validation;
    uint32_t *depths; /* by definition id: valid since the last v_visit_begin */
} lists_t;

static bool s_is_list_of_types(const name_t *name)
{
    return name_is(name, "fields") || name_is(name, "interfaces") ||
           name_is(name, "possibleTypes") || name_is(name, "inputFields");
}

static bool s_is_too_deep(lists_t *self, const ast_selection_set_t *set, uint32_t depth)
{
    for (uint32_t i = 0; set && i < set->count; i++) {
        const ast_selection_t *selection = &set->items[i];
        if (!v_spend(self->validation, 1))
            return false;
        if (selection->kind == AST_FIELD) {
            uint32_t inner = depth + s_is_list_of_types(selection->field.name);
            if (inner >= INTROSPECTION_LISTS || s_is_too_deep(self, selection->field.set, inner))
                return true;
        } else if (selection->kind == AST_INLINE_FRAGMENT) {
            if (s_is_too_deep(self, selection->inlined.set, depth))
                return true;
        } else {
            const ast_definition_t *fragment = selection->spread.fragment;
            if (!fragment)
                continue;
            if (!v_visit(self->validation, fragment) && self->depths[fragment->id] >= depth)
                continue;
            self->depths[fragment->id] = depth;
            if (!v_enter(self->validation))
                return false;
            bool too_deep = s_is_too_deep(self, fragment->fragment.set, depth);
            v_leave(self->validation);
            if (too_deep)
                return true;
        }
    }
    return false;
}

static bool s_is_meta(const ast_selection_t *field)
{
    return name_is(field->field.name, "__schema") || name_is(field->field.name, "__type");
}

void rule_max_introspection_depth(validation_t *self, const ast_selection_t *field)
{
    if (!s_is_meta(field))
        return;
    if (!self->depths)
        self->depths = v_alloc(self, self->document->definition_count, sizeof *self->depths);
    lists_t lists = {.validation = self, .depths = self->depths};
    v_visit_begin(self);
    if (lists.depths && s_is_too_deep(&lists, field->field.set, 0))
        v_error(self, "MaxIntrospectionDepth", field->loc, "Maximum introspection depth exceeded");
}

void rule_no_introspection(validation_t *self, const ast_selection_t *field)
{
    if (!self->options->introspection && s_is_meta(field))
        v_error(self, "NoIntrospection", field->loc,
                "GraphQL introspection has been disabled, but the requested query contained the "
                "field \"%s\".",
                field->field.name->data);
}
