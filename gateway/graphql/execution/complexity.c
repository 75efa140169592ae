#include "gateway/graphql/execution/complexity.h"

#include "gateway/graphql/execution/plan.h"
#include "gateway/graphql/language/names.h"
#include "gateway/graphql/type/schema.h"

typedef struct {
    const variables_t *variables;
    uint64_t *fragments; /* by id of the definition, plus one; 0: not known yet */
    bool constant;
} weigh_t;

static uint64_t s_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t s_multiply(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static bool s_is_of_lists(const name_t *name)
{
    return name_is(name, "first") || name_is(name, "last") || name_is(name, "limit");
}

static const ast_value_t *s_written(const ast_field_t *field, const name_t *argument)
{
    for (uint32_t i = 0; i < field->argument_count; i++)
        if (name_equal(field->arguments[i].name, argument))
            return &field->arguments[i].value;
    return NULL;
}

/* What an argument says: what is written, or its default (GraphQL 2025-09 6.4.1). */
static uint64_t s_count(weigh_t *self, const ast_field_t *field, const schema_input_t *argument)
{
    json_slice_t text = {.data = NULL};
    const ast_value_t *value = s_written(field, argument->name);
    if (value && value->kind == AST_VARIABLE) {
        self->constant = false;
        text = variables_get(self->variables, value->name);
    }
    if (!value || (value->kind == AST_VARIABLE && !text.data))
        value = argument->default_value;
    if (value && value->kind == AST_INT)
        text = (json_slice_t){value->text.data, value->text.size};
    int64_t count;
    return text.data && json_to_int64(text, &count) && count > 1 ? (uint64_t)count : 1;
}

/* How many items a field's arguments ask for: the largest. */
static uint64_t s_items(weigh_t *self, const ast_field_t *field)
{
    const schema_field_t *definition = field->definition;
    uint64_t items = 1;
    for (uint32_t i = 0; i < definition->argument_count; i++) {
        if (!s_is_of_lists(definition->arguments[i].name))
            continue;
        uint64_t count = s_count(self, field, &definition->arguments[i]);
        items = count > items ? count : items;
    }
    return items;
}

static uint64_t s_set(weigh_t *self, const ast_selection_set_t *set)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const ast_selection_t *node = &set->items[i];
        if (node->kind == AST_FIELD) {
            uint64_t below = node->field.set ? s_set(self, node->field.set) : 0;
            if (below)
                below = s_multiply(below, s_items(self, &node->field));
            sum = s_add(sum, s_add(below, 1));
        } else if (node->kind == AST_INLINE_FRAGMENT) {
            sum = s_add(sum, s_set(self, node->inlined.set));
        } else {
            const ast_definition_t *fragment = node->spread.fragment;
            uint64_t *known = &self->fragments[fragment->id];
            if (*known == 0) {
                *known = 1; /* a circle, which validation refuses, would end here */
                *known = s_add(s_set(self, fragment->fragment.set), 1);
            }
            sum = s_add(sum, *known == UINT64_MAX ? UINT64_MAX : *known - 1);
        }
    }
    return sum;
}

bool complexity_of(const ast_operation_t *operation,
                   const ast_document_t *document,
                   const variables_t *variables,
                   arena_t *arena,
                   uint64_t *complexity,
                   bool *constant)
{
    weigh_t weigh = {.variables = variables, .constant = true};
    weigh.fragments = arena_calloc(arena, document->definition_count, sizeof *weigh.fragments);
    if (!weigh.fragments)
        return false;
    *complexity = s_set(&weigh, operation->set);
    *constant = weigh.constant;
    return true;
}
