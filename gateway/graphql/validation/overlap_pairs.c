#include <string.h>

#include "gateway/graphql/validation/overlap.h"

/* As graphql-js: steps before the search is given up, and how much one error tells. */
enum { PAIR_BUDGET = 500000, NODES_MAX = 20, MESSAGE_MAX = 1000, RECURSION = 1000 };

/* More conflicts than this in one set are neither reported nor told apart. */
enum { CONFLICTS_MAX = 128 };

/* Fields of one response name in a set, fragments not followed. */
typedef struct {
    const name_t *key;
    const ast_selection_t **nodes;
    const schema_type_t **parents;
    uint32_t count;
    uint32_t capacity;
    uint32_t parent_capacity;
} group_t;

typedef struct {
    uint32_t id; /* of the set */
    group_t *groups;
    uint32_t group_count;
    uint32_t group_capacity;
    const ast_definition_t **spreads; /* each fragment once; NULL stands for unknown ones */
    uint32_t spread_count;
    uint32_t spread_capacity;
} collected_t;

typedef struct conflict conflict_t;
struct conflict {
    conflict_t *next;
    const name_t *key;
    const char *reason;
    const ast_selection_t **nodes[2]; /* the two sides */
    uint32_t counts[2];
};

typedef struct {
    conflict_t *first;
    conflict_t *last;
    uint32_t count;
} conflicts_t;

/* Pairs that were compared: key → were their parents mutually exclusive? */
typedef struct {
    uint64_t *keys; /* 0 is free */
    uint8_t *exclusive;
    uint32_t count;
    uint32_t mask;
} pairs_t;

typedef struct {
    validation_t *validation;
    collected_t **collected; /* by set id */
    pairs_t sets_and_fragments;
    pairs_t fragments;
    uint32_t *slots; /* by name id: index + 1 of the group in `slots_of` */
    uint32_t *slot_marks;
    uint32_t mark;
    uint32_t budget;
    uint32_t depth;
} search_t;

static bool s_spend(search_t *self, uint32_t steps)
{
    if (self->validation->stopped || self->budget < steps || self->depth > RECURSION) {
        self->budget = 0;
        return false;
    }
    self->budget -= steps;
    return true;
}

/* ---- pairs ---- */

static uint32_t s_pair_slot(const pairs_t *self, uint64_t key)
{
    uint64_t hash = key * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t at = (uint32_t)(hash >> 32) & self->mask;
    while (self->keys[at] && self->keys[at] != key)
        at = (at + 1) & self->mask;
    return at;
}

static bool s_pairs_grow(search_t *search, pairs_t *self)
{
    pairs_t old = *self;
    uint32_t slots = old.keys ? (old.mask + 1) * 2 : 256;
    self->keys = v_alloc(search->validation, slots, sizeof *self->keys);
    self->exclusive = v_alloc(search->validation, slots, sizeof *self->exclusive);
    if (!self->keys || !self->exclusive)
        return false;
    self->mask = slots - 1;
    for (uint32_t i = 0; old.keys && i <= old.mask; i++) {
        if (!old.keys[i])
            continue;
        uint32_t at = s_pair_slot(self, old.keys[i]);
        self->keys[at] = old.keys[i];
        self->exclusive[at] = old.exclusive[i];
    }
    return true;
}

/* Was this pair compared, at least as strictly? If not, it is from now on. */
static bool s_was_compared(search_t *search, pairs_t *self, uint32_t a, uint32_t b, bool exclusive)
{
    uint64_t key = ((uint64_t)a + 1) << 32 | ((uint64_t)b + 1);
    if ((!self->keys || self->count * 2 >= self->mask) && !s_pairs_grow(search, self))
        return true;
    uint32_t at = s_pair_slot(self, key);
    if (self->keys[at] && (exclusive || !self->exclusive[at]))
        return true;
    self->count += !self->keys[at];
    self->keys[at] = key;
    self->exclusive[at] = exclusive;
    return false;
}

static uint32_t s_fragment_key(const ast_definition_t *fragment)
{
    return fragment ? fragment->id + 1 : 0;
}

/* ---- collecting ---- */

static bool s_add_field(search_t *self,
                        collected_t *to,
                        const ast_selection_t *node,
                        const schema_type_t *parent)
{
    validation_t *validation = self->validation;
    uint32_t *slot = &self->slots[node->field.key->id];
    if (self->slot_marks[node->field.key->id] != self->mark) {
        if (!v_grow(validation, &to->groups, to->group_count, &to->group_capacity,
                    sizeof *to->groups))
            return false;
        memset(&to->groups[to->group_count], 0, sizeof *to->groups);
        to->groups[to->group_count].key = node->field.key;
        self->slot_marks[node->field.key->id] = self->mark;
        *slot = ++to->group_count;
    }
    group_t *group = &to->groups[*slot - 1];
    if (!v_grow(validation, &group->nodes, group->count, &group->capacity, sizeof *group->nodes) ||
        !v_grow(validation, &group->parents, group->count, &group->parent_capacity,
                sizeof *group->parents))
        return false;
    group->nodes[group->count] = node;
    group->parents[group->count++] = parent;
    return true;
}

static bool s_add_spread(search_t *self, collected_t *to, const ast_definition_t *fragment)
{
    for (uint32_t i = 0; i < to->spread_count; i++) {
        if (to->spreads[i] == fragment)
            return true;
        if (!s_spend(self, 1))
            return false;
    }
    if (!v_grow(self->validation, &to->spreads, to->spread_count, &to->spread_capacity,
                sizeof *to->spreads))
        return false;
    to->spreads[to->spread_count++] = fragment;
    return true;
}

static bool s_collect_into(search_t *self, collected_t *to, const ast_selection_set_t *set)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < set->count; i++) {
        const ast_selection_t *selection = &set->items[i];
        if (selection->kind == AST_FIELD)
            ok = s_add_field(self, to, selection, set->type);
        else if (selection->kind == AST_INLINE_FRAGMENT)
            ok = s_collect_into(self, to, selection->inlined.set);
        else
            ok = s_add_spread(self, to, selection->spread.fragment);
    }
    return ok;
}

/* NULL when memory or budget is out. */
static const collected_t *s_collect(search_t *self, const ast_selection_set_t *set)
{
    collected_t **known = &self->collected[set->id];
    if (*known)
        return *known;
    collected_t *collected = v_alloc(self->validation, 1, sizeof *collected);
    if (!collected)
        return NULL;
    collected->id = set->id;
    self->mark++;
    if (!s_collect_into(self, collected, set))
        return NULL;
    return *known = collected;
}

/* ---- conflicts ---- */

static conflict_t *s_new_conflict(search_t *self, const name_t *key, uint32_t room)
{
    validation_t *validation = self->validation;
    conflict_t *conflict = v_alloc(validation, 1, sizeof *conflict);
    if (!conflict)
        return NULL;
    conflict->key = key;
    for (int side = 0; side < 2; side++) {
        conflict->nodes[side] = v_alloc(validation, room, sizeof(const ast_selection_t *));
        if (!conflict->nodes[side])
            return NULL;
    }
    return conflict;
}

static void s_add(conflicts_t *self, conflict_t *conflict)
{
    if (self->last)
        self->last->next = conflict;
    else
        self->first = conflict;
    self->last = conflict;
    self->count++;
}

static void s_add_simple(search_t *self,
                         conflicts_t *conflicts,
                         const name_t *key,
                         const ast_selection_t *a,
                         const ast_selection_t *b,
                         const char *reason)
{
    conflict_t *conflict = s_new_conflict(self, key, 1);
    if (!conflict || !reason)
        return;
    conflict->reason = reason;
    conflict->nodes[0][0] = a;
    conflict->nodes[1][0] = b;
    conflict->counts[0] = conflict->counts[1] = 1;
    s_add(conflicts, conflict);
}

/* A field's own node, then those of the conflicts below, the last ones of each. */
static void
s_join_nodes(conflict_t *conflict, int side, const ast_selection_t *node, const conflict_t *inner)
{
    uint32_t count = 1;
    conflict->nodes[side][0] = node;
    for (; inner && count < NODES_MAX; inner = inner->next) {
        uint32_t left = NODES_MAX - count;
        uint32_t from = inner->counts[side] > left ? inner->counts[side] - left : 0;
        for (uint32_t i = from; i < inner->counts[side]; i++)
            conflict->nodes[side][count++] = inner->nodes[side][i];
    }
    conflict->counts[side] = count;
}

static void s_add_joined(search_t *self,
                         conflicts_t *conflicts,
                         const name_t *key,
                         const ast_selection_t *a,
                         const ast_selection_t *b,
                         const conflict_t *inner)
{
    const char *reason = "";
    if (!inner)
        return;
    for (const conflict_t *at = inner; at && reason && strlen(reason) <= MESSAGE_MAX; at = at->next)
        reason = v_text(self->validation, "%s%ssubfields \"%s\" conflict because %s", reason,
                        at == inner ? "" : " and ", at->key->data, at->reason);
    conflict_t *conflict = s_new_conflict(self, key, NODES_MAX);
    if (!conflict || !reason)
        return;
    conflict->reason = reason;
    s_join_nodes(conflict, 0, a, inner);
    s_join_nodes(conflict, 1, b, inner);
    s_add(conflicts, conflict);
}

/* ---- comparing ---- */

static conflicts_t s_compare_sub_selections(search_t *self,
                                            bool exclusive,
                                            const ast_selection_set_t *a,
                                            const ast_selection_set_t *b);

static void s_compare_fields(search_t *self,
                             conflicts_t *conflicts,
                             bool exclusive,
                             const group_t *group_a,
                             uint32_t a,
                             const group_t *group_b,
                             uint32_t b)
{
    const ast_selection_t *node_a = group_a->nodes[a];
    const ast_selection_t *node_b = group_b->nodes[b];
    const schema_type_t *parent_a = group_a->parents[a];
    const schema_type_t *parent_b = group_b->parents[b];
    const schema_field_t *known_a = overlap_definition(&node_a->field);
    const schema_field_t *known_b = overlap_definition(&node_b->field);
    validation_t *validation = self->validation;
    exclusive |= parent_a != parent_b && parent_a && parent_b && parent_a->kind == SCHEMA_OBJECT &&
                 parent_b->kind == SCHEMA_OBJECT;
    if (!s_spend(self, 2) || conflicts->count == CONFLICTS_MAX)
        return;
    if (!exclusive && node_a->field.name != node_b->field.name) {
        s_add_simple(self, conflicts, group_a->key, node_a, node_b,
                     v_text(validation, "\"%s\" and \"%s\" are different fields",
                            node_a->field.name->data, node_b->field.name->data));
    } else if (!exclusive && !overlap_same_arguments(validation, &node_a->field, &node_b->field)) {
        s_add_simple(self, conflicts, group_a->key, node_a, node_b,
                     "they have differing arguments");
    } else if (known_a && known_b && overlap_types_conflict(known_a->type, known_b->type)) {
        s_add_simple(self, conflicts, group_a->key, node_a, node_b,
                     v_text(validation, "they return conflicting types \"%s\" and \"%s\"",
                            known_a->type->text, known_b->type->text));
    } else if (node_a->field.set && node_b->field.set) {
        conflicts_t inner =
            s_compare_sub_selections(self, exclusive, node_a->field.set, node_b->field.set);
        s_add_joined(self, conflicts, group_a->key, node_a, node_b, inner.first);
    }
}

static void s_compare_within(search_t *self, conflicts_t *conflicts, const collected_t *set)
{
    for (uint32_t i = 0; i < set->group_count && self->budget; i++) {
        const group_t *group = &set->groups[i];
        for (uint32_t a = 0; a < group->count && self->budget; a++) {
            for (uint32_t b = a + 1; b < group->count && self->budget; b++)
                s_compare_fields(self, conflicts, false, group, a, group, b);
        }
    }
}

static void s_compare_groups(
    search_t *self, conflicts_t *conflicts, bool exclusive, const group_t *a, const group_t *b)
{
    for (uint32_t i = 0; i < a->count && self->budget; i++) {
        for (uint32_t j = 0; j < b->count && self->budget; j++)
            s_compare_fields(self, conflicts, exclusive, a, i, b, j);
    }
}

static const group_t *s_find_group(search_t *self, const collected_t *set, const name_t *key)
{
    for (uint32_t i = 0; i < set->group_count && s_spend(self, 1); i++) {
        if (set->groups[i].key == key)
            return &set->groups[i];
    }
    return NULL;
}

static void s_compare_sets(search_t *self,
                           conflicts_t *conflicts,
                           bool exclusive,
                           const collected_t *a,
                           const collected_t *b)
{
    for (uint32_t i = 0; i < a->group_count && s_spend(self, 1); i++) {
        const group_t *group = s_find_group(self, b, a->groups[i].key);
        if (group)
            s_compare_groups(self, conflicts, exclusive, &a->groups[i], group);
    }
}

static void s_compare_set_and_fragment(search_t *self,
                                       conflicts_t *conflicts,
                                       bool exclusive,
                                       const collected_t *set,
                                       const ast_definition_t *fragment)
{
    if (!s_spend(self, 1) || set->group_count == 0 ||
        s_was_compared(self, &self->sets_and_fragments, set->id, s_fragment_key(fragment),
                       exclusive) ||
        !fragment)
        return;
    const collected_t *other = s_collect(self, fragment->fragment.set);
    if (!other || other == set)
        return;
    s_compare_sets(self, conflicts, exclusive, set, other);
    self->depth++;
    for (uint32_t i = 0; i < other->spread_count; i++)
        s_compare_set_and_fragment(self, conflicts, exclusive, set, other->spreads[i]);
    self->depth--;
}

static void s_compare_fragments(search_t *self,
                                conflicts_t *conflicts,
                                bool exclusive,
                                const ast_definition_t *a,
                                const ast_definition_t *b)
{
    uint32_t key_a = s_fragment_key(a);
    uint32_t key_b = s_fragment_key(b);
    if (!s_spend(self, 2) || a == b ||
        s_was_compared(self, &self->fragments, key_a < key_b ? key_a : key_b,
                       key_a < key_b ? key_b : key_a, exclusive) ||
        !a || !b)
        return;
    const collected_t *set_a = s_collect(self, a->fragment.set);
    const collected_t *set_b = s_collect(self, b->fragment.set);
    if (!set_a || !set_b)
        return;
    s_compare_sets(self, conflicts, exclusive, set_a, set_b);
    self->depth++;
    for (uint32_t i = 0; i < set_b->spread_count; i++)
        s_compare_fragments(self, conflicts, exclusive, a, set_b->spreads[i]);
    for (uint32_t i = 0; i < set_a->spread_count; i++)
        s_compare_fragments(self, conflicts, exclusive, set_a->spreads[i], b);
    self->depth--;
}

static conflicts_t s_compare_sub_selections(search_t *self,
                                            bool exclusive,
                                            const ast_selection_set_t *a,
                                            const ast_selection_set_t *b)
{
    conflicts_t conflicts = {0};
    const collected_t *set_a = s_collect(self, a);
    const collected_t *set_b = s_collect(self, b);
    if (!set_a || !set_b || !s_spend(self, 1))
        return conflicts;
    self->depth++;
    s_compare_sets(self, &conflicts, exclusive, set_a, set_b);
    for (uint32_t i = 0; i < set_b->spread_count; i++)
        s_compare_set_and_fragment(self, &conflicts, exclusive, set_a, set_b->spreads[i]);
    for (uint32_t i = 0; i < set_a->spread_count; i++)
        s_compare_set_and_fragment(self, &conflicts, exclusive, set_b, set_a->spreads[i]);
    for (uint32_t i = 0; i < set_a->spread_count; i++) {
        for (uint32_t j = 0; j < set_b->spread_count; j++)
            s_compare_fragments(self, &conflicts, exclusive, set_a->spreads[i], set_b->spreads[j]);
    }
    self->depth--;
    return conflicts;
}

/* ---- one set and all sets ---- */

static void s_report(search_t *self, const conflict_t *conflict)
{
    ast_loc_t locations[2 * NODES_MAX];
    uint32_t count = 0;
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < conflict->counts[side]; i++)
            locations[count++] = conflict->nodes[side][i]->loc;
    }
    v_error_at(self->validation, "OverlappingFieldsCanBeMerged", locations, count,
               "Fields \"%s\" conflict because %s. Use different aliases on the fields to fetch "
               "both if this was intentional.",
               conflict->key->data, conflict->reason);
}

static void s_search_set(search_t *self, const ast_selection_set_t *set)
{
    conflicts_t conflicts = {0};
    if (set->count == 1 && set->items[0].kind != AST_INLINE_FRAGMENT)
        return;
    const collected_t *collected = s_collect(self, set);
    if (!collected)
        return;
    s_compare_within(self, &conflicts, collected);
    for (uint32_t i = 0; i < collected->spread_count; i++) {
        s_compare_set_and_fragment(self, &conflicts, false, collected, collected->spreads[i]);
        for (uint32_t j = i + 1; j < collected->spread_count; j++)
            s_compare_fragments(self, &conflicts, false, collected->spreads[i],
                                collected->spreads[j]);
    }
    for (const conflict_t *at = conflicts.first; at && !v_is_full(self->validation); at = at->next)
        s_report(self, at);
}

/* A set and those below it, but for the sets of inline fragments, which are part of the one around
 * them. */
static void s_search(search_t *self, const ast_selection_set_t *set, bool is_inlined)
{
    if (!is_inlined)
        s_search_set(self, set);
    for (uint32_t i = 0; i < set->count && self->budget && !v_is_full(self->validation); i++) {
        const ast_selection_t *selection = &set->items[i];
        if (selection->kind == AST_INLINE_FRAGMENT)
            s_search(self, selection->inlined.set, true);
        else if (selection->kind == AST_FIELD && selection->field.set)
            s_search(self, selection->field.set, false);
    }
}

bool overlap_report_pairs(validation_t *validation)
{
    const ast_document_t *document = validation->document;
    uint32_t before = validation->errors->count;
    search_t search = {
        .validation = validation,
        .collected = v_alloc(validation, document->selection_set_count, sizeof(collected_t *)),
        .slots = v_alloc(validation, document->name_count, sizeof(uint32_t)),
        .slot_marks = v_alloc(validation, document->name_count, sizeof(uint32_t)),
        .budget = PAIR_BUDGET};
    if (!search.collected || !search.slots || !search.slot_marks)
        return true;
    for (uint32_t i = 0; i < document->definition_count && search.budget; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind == AST_OPERATION)
            s_search(&search, definition->operation.set, false);
        else if (definition->kind == AST_FRAGMENT)
            s_search(&search, definition->fragment.set, false);
    }
    return validation->errors->count == before;
}
