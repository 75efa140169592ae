#include <string.h>

#include "gateway/graphql/language/suggest.h"
#include "gateway/graphql/validation/rules.h"

/* How much is told of a circle. */
enum { CYCLE_PLACES = 100, CYCLE_BYTES = 1000 };

void rule_unique_fragment_names(validation_t *self)
{
    const ast_document_t *document = self->document;
    const ast_definition_t **first =
        v_alloc(self, document->name_count, sizeof(const ast_definition_t *));
    for (uint32_t i = 0; first && i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind != AST_FRAGMENT)
            continue;
        const ast_definition_t **known = &first[definition->name->id];
        if (!*known) {
            *known = definition;
            continue;
        }
        ast_loc_t locations[] = {(*known)->name_loc, definition->name_loc};
        v_error_at(self, "UniqueFragmentNames", locations, 2,
                   "There can be only one fragment named \"%s\".", definition->name->data);
    }
}

void rule_known_type_name(validation_t *self, const name_t *name, ast_loc_t loc)
{
    const schema_t *schema = self->schema;
    suggest_t suggest;
    if (schema_type(schema, name))
        return;
    suggest_init(&suggest, v_suggests(self) ? name->data : NULL, name->size);
    for (uint32_t i = 0; i < schema->type_count; i++)
        suggest_add_name(&suggest, schema->types[i]->name);
    v_error(self, "KnownTypeNames", loc, "Unknown type \"%s\".%s", name->data,
            suggest_text(&suggest, self->scratch));
}

void rule_fragments_on_composite_types(validation_t *self,
                                       const ast_named_t *condition,
                                       const name_t *fragment)
{
    const schema_type_t *type = schema_type(self->schema, condition->name);
    if (!type || schema_type_is_composite(type))
        return;
    v_error(self, "FragmentsOnCompositeTypes", condition->loc,
            "Fragment%s%s%s cannot condition on non composite type \"%s\".", fragment ? " \"" : "",
            fragment ? fragment->data : "", fragment ? "\"" : "", condition->name->data);
}

/* ---- 5.5.1.4 ---- */

static void s_mark_used(validation_t *self, const ast_definition_t **queue, bool *used)
{
    const ast_document_t *document = self->document;
    uint32_t count = 0;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        if (document->definitions[i].kind == AST_OPERATION)
            queue[count++] = &document->definitions[i];
    }
    while (count > 0) {
        const facts_t *facts = &self->facts[queue[--count]->id];
        for (uint32_t i = 0; i < facts->spread_count; i++) {
            const ast_definition_t *fragment = facts->spreads[i]->spread.fragment;
            if (!fragment || used[fragment->name->id])
                continue;
            used[fragment->name->id] = true;
            queue[count++] = fragment;
        }
    }
}

void rule_no_unused_fragments(validation_t *self)
{
    const ast_document_t *document = self->document;
    const ast_definition_t **queue =
        v_alloc(self, document->definition_count, sizeof(const ast_definition_t *));
    bool *used = v_alloc(self, document->name_count, sizeof *used); /* by name id */
    if (!queue || !used)
        return;
    s_mark_used(self, queue, used);
    for (uint32_t i = 0; i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind == AST_FRAGMENT && !used[definition->name->id])
            v_error(self, "NoUnusedFragments", definition->loc, "Fragment \"%s\" is never used.",
                    definition->name->data);
    }
}

/* ---- 5.5.2 ---- */

void rule_known_fragment_name(validation_t *self, const ast_selection_t *spread)
{
    if (!spread->spread.fragment)
        v_error(self, "KnownFragmentNames", spread->spread.loc, "Unknown fragment \"%s\".",
                spread->spread.name->data);
}

/* Fragments on the way from the first one; the walk is a loop, so that it needs no stack of its
 * own. */
typedef struct {
    const ast_definition_t *fragment;
    uint32_t next; /* spread to follow */
} visit_t;

typedef struct {
    validation_t *validation;
    visit_t *visits;
    const ast_selection_t **path; /* spreads that led here */
    uint32_t *entered;            /* by name id: 1 + index in visits while on the way */
    bool *visited;                /* by name id */
} cycles_t;

/* The names on the way, as many as a person reads. */
static const char *s_via(cycles_t *self, uint32_t from, uint32_t to)
{
    const char *via = "";
    for (uint32_t i = from; via && i + 1 < to; i++) {
        if (strlen(via) > CYCLE_BYTES)
            return v_text(self->validation, "%s, …", via);
        via = v_text(self->validation, "%s%s\"%s\"", via, i == from ? " via " : ", ",
                     self->path[i]->spread.name->data);
    }
    return via;
}

static void s_report_cycle(cycles_t *self, uint32_t from, uint32_t to, const name_t *name)
{
    ast_loc_t locations[CYCLE_PLACES];
    uint32_t count = to - from < CYCLE_PLACES ? to - from : CYCLE_PLACES;
    for (uint32_t i = 0; i < count; i++)
        locations[i] = self->path[from + i]->loc;
    const char *via = s_via(self, from, to);
    if (via)
        v_error_at(self->validation, "NoFragmentCycles", locations, count,
                   "Cannot spread fragment \"%s\" within itself%s.", name->data, via);
}

static void s_find_cycles(cycles_t *self, const ast_definition_t *first)
{
    validation_t *validation = self->validation;
    uint32_t count = 1;
    if (self->visited[first->name->id])
        return;
    self->visited[first->name->id] = true;
    self->visits[0] = (visit_t){.fragment = first};
    self->entered[first->name->id] = 1;
    while (count > 0 && !validation->stopped && !validation->errors->full) {
        visit_t *visit = &self->visits[count - 1];
        const facts_t *facts = &validation->facts[visit->fragment->id];
        if (visit->next == facts->spread_count) {
            self->entered[visit->fragment->name->id] = 0;
            count--;
            continue;
        }
        const ast_selection_t *spread = facts->spreads[visit->next++];
        const name_t *name = spread->spread.name;
        const ast_definition_t *fragment = spread->spread.fragment;
        self->path[count - 1] = spread;
        if (self->entered[name->id]) {
            s_report_cycle(self, self->entered[name->id] - 1, count, name);
        } else if (fragment && !self->visited[name->id]) {
            self->visited[name->id] = true;
            self->visits[count] = (visit_t){.fragment = fragment};
            self->entered[name->id] = ++count;
        }
    }
    /* Left early: nothing is on the way any more. */
    while (count > 0)
        self->entered[self->visits[--count].fragment->name->id] = 0;
}

void rule_no_fragment_cycles(validation_t *self)
{
    const ast_document_t *document = self->document;
    cycles_t cycles = {
        .validation = self,
        .visits = v_alloc(self, document->definition_count, sizeof(visit_t)),
        .path = v_alloc(self, document->definition_count, sizeof(const ast_selection_t *)),
        .entered = v_alloc(self, document->name_count, sizeof(uint32_t)),
        .visited = v_alloc(self, document->name_count, sizeof(bool))};
    if (!cycles.visits || !cycles.path || !cycles.entered || !cycles.visited)
        return;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        if (document->definitions[i].kind == AST_FRAGMENT)
            s_find_cycles(&cycles, &document->definitions[i]);
    }
}

void rule_possible_fragment_spreads(validation_t *self,
                                    const ast_selection_t *selection,
                                    const schema_type_t *parent)
{
    bool is_spread = selection->kind == AST_FRAGMENT_SPREAD;
    const ast_definition_t *fragment = is_spread ? selection->spread.fragment : NULL;
    const schema_type_t *type =
        is_spread ? (fragment ? fragment->fragment.type : NULL) : selection->inlined.type;
    /* A fragment further down in the text is bound already: binding is a pass of its own. */
    if (!type || !parent || schema_types_overlap(self->schema, type, parent))
        return;
    v_error(self, "PossibleFragmentSpreads", selection->loc,
            "Fragment%s%s%s cannot be spread here as objects of type \"%s\" can never be of type "
            "\"%s\".",
            fragment ? " \"" : "", fragment ? fragment->name->data : "", fragment ? "\"" : "",
            parent->name->data, type->name->data);
}
