/* What a document may cost, looked at before the rules run. */
#include "gateway/graphql/validation/context.h"

typedef struct {
    validation_t *validation;
    uint32_t *depths; /* by definition id: levels of a fragment's set, + 1; 0: not known yet */
    bool *entered;    /* by definition id: on the way (fragments may go in circles) */
} depth_t;

static uint32_t s_set_depth(depth_t *self, const ast_selection_set_t *set);

static uint32_t s_fragment_depth(depth_t *self, const ast_definition_t *fragment)
{
    if (!fragment || self->entered[fragment->id])
        return 0;
    if (!self->depths[fragment->id]) {
        self->entered[fragment->id] = true;
        self->depths[fragment->id] = s_set_depth(self, fragment->fragment.set) + 1;
        self->entered[fragment->id] = false;
    }
    return self->depths[fragment->id] - 1;
}

/* Levels of fields in a set: 1 for a set of leaves. */
static uint32_t s_set_depth(depth_t *self, const ast_selection_set_t *set)
{
    uint32_t deepest = 0;
    if (!v_enter(self->validation))
        return 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const ast_selection_t *selection = &set->items[i];
        uint32_t depth = 1;
        if (selection->kind == AST_FRAGMENT_SPREAD)
            depth = s_fragment_depth(self, selection->spread.fragment);
        else if (selection->kind == AST_INLINE_FRAGMENT)
            depth = s_set_depth(self, selection->inlined.set);
        else if (selection->field.set)
            depth = 1 + s_set_depth(self, selection->field.set);
        if (depth > deepest)
            deepest = depth;
    }
    v_leave(self->validation);
    return deepest;
}

static bool s_check_depth(validation_t *self)
{
    const ast_document_t *document = self->document;
    depth_t depth = {.validation = self};
    depth.depths = v_alloc(self, document->definition_count, sizeof *depth.depths);
    depth.entered = v_alloc(self, document->definition_count, sizeof *depth.entered);
    if (!depth.depths || !depth.entered)
        return false;
    uint32_t limit = self->options->max_depth;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        uint32_t levels = 0;
        if (definition->kind == AST_OPERATION)
            levels = s_set_depth(&depth, definition->operation.set);
        else if (definition->kind == AST_FRAGMENT)
            levels = s_fragment_depth(&depth, definition);
        if (self->stopped)
            return false;
        if (limit && levels > limit) {
            v_limit(self, definition->loc, "depth", levels, limit);
            return false;
        }
    }
    return true;
}

/* ---- root fields: different response names of an operation, through fragments ---- */

typedef struct {
    validation_t *validation;
    uint32_t count;
} roots_t;

static void s_count_roots(roots_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count && v_spend(self->validation, 1); i++) {
        const ast_selection_t *selection = &set->items[i];
        if (selection->kind == AST_FIELD) {
            self->count += v_is_new(self->validation, selection->field.key);
        } else if (selection->kind == AST_INLINE_FRAGMENT) {
            s_count_roots(self, selection->inlined.set);
        } else if (selection->spread.fragment &&
                   v_visit(self->validation, selection->spread.fragment) &&
                   v_enter(self->validation)) {
            s_count_roots(self, selection->spread.fragment->fragment.set);
            v_leave(self->validation);
        }
    }
}

static bool s_check_root_fields(validation_t *self)
{
    const ast_document_t *document = self->document;
    uint32_t limit = self->options->max_root_fields;
    for (uint32_t i = 0; limit && i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind != AST_OPERATION)
            continue;
        roots_t roots = {.validation = self};
        v_stamp(self);
        v_visit_begin(self);
        s_count_roots(&roots, definition->operation.set);
        if (self->stopped)
            return false;
        if (roots.count > limit) {
            v_limit(self, definition->loc, "root fields", roots.count, limit);
            return false;
        }
    }
    return true;
}

bool v_check_limits(validation_t *self)
{
    const validate_options_t *options = self->options;
    const ast_document_t *document = self->document;
    ast_loc_t start = document->definitions[0].loc;
    if (options->max_aliases && document->alias_count > options->max_aliases) {
        v_limit(self, start, "aliases", document->alias_count, options->max_aliases);
        return false;
    }
    if (options->max_directives && document->directive_count > options->max_directives) {
        v_limit(self, start, "directives", document->directive_count, options->max_directives);
        return false;
    }
    return s_check_depth(self) && s_check_root_fields(self);
}
