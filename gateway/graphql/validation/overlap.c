#include "gateway/graphql/validation/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/validation/rules.h"

/* SHAPES: all fields of a response name have one shape, whatever object they are on.
 * PARENTS: fields that can be on one object are the same field with the same arguments. */
typedef enum { SHAPES, PARENTS } pass_t;

enum { TEXT_STEP = 256 /* bytes of a text that are compared in one step */ };

typedef struct {
    const ast_selection_t *node;
    const schema_type_t *parent; /* may be NULL */
    uint32_t next;               /* of the same response name: index + 1, or 0 */
} entry_t;

/* Sets that are merged, sorted by id; what was checked once need not be checked again. */
typedef struct {
    const ast_selection_set_t **sets;
    uint32_t count;
    uint32_t hash;
    pass_t pass;
} merged_t;

typedef struct {
    validation_t *validation;
    merged_t **cache; /* open addressing */
    uint32_t cache_count;
    uint32_t cache_mask;
    entry_t *entries; /* a stack: each set that is being checked has its own at the top */
    uint32_t entry_count;
    uint32_t entry_capacity;
    uint32_t *heads;      /* by name id: index + 1 of the first entry … */
    uint32_t *tails;      /* … and of the last one */
    uint32_t *head_marks; /* by name id: heads are of this mark */
    uint32_t *type_marks; /* by type id */
    uint32_t mark;
    bool *reached;                /* fragments, by definition id */
    const ast_selection_t *first; /* the conflict that was found */
    const ast_selection_t *second;
} overlap_t;

/* ---- comparing ---- */

static bool s_same_value(validation_t *validation, const ast_value_t *a, const ast_value_t *b);

static bool s_same_list(validation_t *validation, const ast_value_t *a, const ast_value_t *b)
{
    if (a->list.count != b->list.count)
        return false;
    for (uint32_t i = 0; i < a->list.count; i++) {
        if (!s_same_value(validation, &a->list.items[i], &b->list.items[i]))
            return false;
    }
    return true;
}

static bool s_same_object(validation_t *validation, const ast_value_t *a, const ast_value_t *b)
{
    if (a->object.count != b->object.count)
        return false;
    for (uint32_t i = 0; i < a->object.count; i++) {
        const ast_object_field_t *field = &a->object.fields[i];
        const ast_object_field_t *other = &b->object.fields[i]; /* most often in the same order */
        uint32_t looks = 0;
        while (other->name != field->name && looks < b->object.count)
            other = &b->object.fields[looks++];
        if (!v_spend(validation, looks))
            return true;
        if (other->name != field->name || !s_same_value(validation, &field->value, &other->value))
            return false;
    }
    return true;
}

static bool s_same_text(validation_t *validation, const ast_string_t *a, const ast_string_t *b)
{
    return a->size == b->size && a->block == b->block &&
           (!v_spend(validation, a->size / TEXT_STEP) || memcmp(a->data, b->data, a->size) == 0);
}

static bool s_same_value(validation_t *validation, const ast_value_t *a, const ast_value_t *b)
{
    if (a->kind != b->kind)
        return false;
    if (!v_spend(validation, 1))
        return true;
    switch (a->kind) {
    case AST_VARIABLE:
    case AST_ENUM:
        return a->name == b->name;
    case AST_INT:
    case AST_FLOAT:
    case AST_STRING:
        return s_same_text(validation, &a->text, &b->text);
    case AST_BOOLEAN:
        return a->boolean == b->boolean;
    case AST_NULL:
        return true;
    case AST_LIST:
        return s_same_list(validation, a, b);
    case AST_OBJECT:
        return s_same_object(validation, a, b);
    }
    return false;
}

bool overlap_same_arguments(validation_t *validation, const ast_field_t *a, const ast_field_t *b)
{
    if (a->argument_count != b->argument_count)
        return false;
    for (uint32_t i = 0; i < a->argument_count; i++) {
        const ast_argument_t *argument = &a->arguments[i];
        const ast_value_t *other = NULL;
        if (!v_spend(validation, b->argument_count))
            return true;
        for (uint32_t j = 0; j < b->argument_count; j++) {
            if (b->arguments[j].name == argument->name)
                other = &b->arguments[j].value;
        }
        if (!other || !s_same_value(validation, &argument->value, other))
            return false;
    }
    return true;
}

bool overlap_types_conflict(const schema_ref_t *a, const schema_ref_t *b)
{
    while (a->kind == b->kind) {
        if (a->kind == SCHEMA_REF_NAMED)
            return a->type != b->type &&
                   (schema_type_is_leaf(a->type) || schema_type_is_leaf(b->type));
        a = a->of;
        b = b->of;
    }
    return true;
}

static bool s_conflict(overlap_t *self, const ast_selection_t *a, const ast_selection_t *b)
{
    self->first = a;
    self->second = b;
    return false;
}

/* ---- the cache ---- */

static bool s_same_merged(const merged_t *a, const merged_t *b)
{
    return a->hash == b->hash && a->pass == b->pass && a->count == b->count &&
           memcmp(a->sets, b->sets, a->count * sizeof *a->sets) == 0;
}

static merged_t **s_slot(const overlap_t *self, const merged_t *merged)
{
    uint32_t at = merged->hash & self->cache_mask;
    while (self->cache[at] && !s_same_merged(self->cache[at], merged))
        at = (at + 1) & self->cache_mask;
    return &self->cache[at];
}

static bool s_grow_cache(overlap_t *self)
{
    merged_t **old = self->cache;
    uint32_t old_slots = old ? self->cache_mask + 1 : 0;
    uint32_t slots = old ? old_slots * 2 : 256;
    self->cache = v_alloc(self->validation, slots, sizeof *self->cache);
    if (!self->cache)
        return false;
    self->cache_mask = slots - 1;
    for (uint32_t i = 0; i < old_slots; i++) {
        if (old[i])
            *s_slot(self, old[i]) = old[i];
    }
    return true;
}

/* Notes that these sets are checked; *is_new says whether they were not before. */
static bool s_note(overlap_t *self, merged_t *merged, bool *is_new)
{
    merged->hash = merged->pass;
    for (uint32_t i = 0; i < merged->count; i++)
        merged->hash = (merged->hash ^ merged->sets[i]->id) * 0x9E3779B1U;
    merged->hash ^= merged->hash >> 15;
    if (self->cache_count * 2 >= self->cache_mask && !s_grow_cache(self))
        return false;
    merged_t **slot = s_slot(self, merged);
    *is_new = !*slot;
    if (*slot)
        return true;
    *slot = v_alloc(self->validation, 1, sizeof **slot);
    if (!*slot)
        return false;
    **slot = *merged;
    self->cache_count++;
    return true;
}

/* ---- collecting ---- */

static bool s_add_entry(overlap_t *self, const ast_selection_t *node, const schema_type_t *parent)
{
    if (!v_grow(self->validation, &self->entries, self->entry_count, &self->entry_capacity,
                sizeof *self->entries))
        return false;
    self->entries[self->entry_count++] = (entry_t){.node = node, .parent = parent};
    return true;
}

static bool s_collect(overlap_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const ast_selection_t *selection = &set->items[i];
        if (!v_spend(self->validation, 1))
            return false;
        if (selection->kind == AST_FIELD) {
            if (!s_add_entry(self, selection, set->type))
                return false;
        } else if (selection->kind == AST_INLINE_FRAGMENT) {
            if (!s_collect(self, selection->inlined.set))
                return false;
        } else {
            const ast_definition_t *fragment = selection->spread.fragment;
            if (!fragment || !v_visit(self->validation, fragment))
                continue;
            self->reached[fragment->id] = true;
            if (!v_enter(self->validation))
                return false;
            if (!s_collect(self, fragment->fragment.set))
                return false;
            v_leave(self->validation);
        }
    }
    return true;
}

/* Chains entries of one response name; each chain begins with an entry whose index comes first. */
static void s_group(overlap_t *self, uint32_t begin)
{
    self->mark++;
    for (uint32_t i = begin; i < self->entry_count; i++) {
        uint32_t name = self->entries[i].node->field.key->id;
        if (self->head_marks[name] == self->mark) {
            self->entries[self->tails[name] - 1].next = i + 1;
        } else {
            self->head_marks[name] = self->mark;
            self->heads[name] = i + 1;
        }
        self->tails[name] = i + 1;
    }
}

/* ---- checking ---- */

static bool s_check(overlap_t *self, pass_t pass, const ast_selection_set_t **sets, uint32_t count);

static int s_compare_sets(const void *a_p, const void *b_p)
{
    const ast_selection_set_t *const *a = a_p;
    const ast_selection_set_t *const *b = b_p;
    return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

/* Is this entry one of those that are looked at? object NULL: all of the chain. */
static bool s_belongs(const entry_t *entry, const schema_type_t *object)
{
    return !object || entry->parent == object || !entry->parent ||
           entry->parent->kind != SCHEMA_OBJECT;
}

/* Checks the merged sub-selections of a chain. */
static bool s_check_inner(overlap_t *self, pass_t pass, uint32_t head, const schema_type_t *object)
{
    uint32_t count = 0;
    for (uint32_t i = head; i; i = self->entries[i - 1].next) {
        const entry_t *entry = &self->entries[i - 1];
        count += s_belongs(entry, object) && entry->node->field.set;
    }
    if (count == 0)
        return true;
    const ast_selection_set_t **sets =
        v_alloc(self->validation, count, sizeof(const ast_selection_set_t *));
    if (!sets)
        return true;
    count = 0;
    for (uint32_t i = head; i; i = self->entries[i - 1].next) {
        const entry_t *entry = &self->entries[i - 1];
        if (s_belongs(entry, object) && entry->node->field.set)
            sets[count++] = entry->node->field.set;
    }
    if (count > 1)
        qsort(sets, count, sizeof *sets, s_compare_sets);
    uint32_t unique = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (sets[i] != sets[unique - 1])
            sets[unique++] = sets[i];
    }
    return s_check(self, pass, sets, unique);
}

static bool s_check_shapes(overlap_t *self, uint32_t head)
{
    const ast_selection_t *first = NULL; /* the first whose type is known */
    for (uint32_t i = head; i; i = self->entries[i - 1].next) {
        const ast_selection_t *node = self->entries[i - 1].node;
        const schema_field_t *definition = overlap_definition(&node->field);
        if (!definition)
            continue;
        if (!first)
            first = node;
        else if (overlap_types_conflict(first->field.definition->type, definition->type))
            return s_conflict(self, first, node);
    }
    return s_check_inner(self, SHAPES, head, NULL);
}

static bool s_check_same(overlap_t *self, uint32_t head, const schema_type_t *object)
{
    const ast_selection_t *first = NULL;
    for (uint32_t i = head; i; i = self->entries[i - 1].next) {
        const entry_t *entry = &self->entries[i - 1];
        if (!v_spend(self->validation, 1))
            return true;
        if (!s_belongs(entry, object))
            continue;
        if (!first)
            first = entry->node;
        else if (first->field.name != entry->node->field.name ||
                 !overlap_same_arguments(self->validation, &first->field, &entry->node->field))
            return s_conflict(self, first, entry->node);
    }
    return s_check_inner(self, PARENTS, head, object);
}

/* The object types among the parents of a chain; *types_p is NULL if there are none (or no memory).
 */
static uint32_t s_objects(overlap_t *self, uint32_t head, const schema_type_t ***types_p)
{
    uint32_t capacity = 0;
    uint32_t count = 0;
    *types_p = NULL;
    self->mark++;
    for (uint32_t i = head; i; i = self->entries[i - 1].next) {
        const schema_type_t *parent = self->entries[i - 1].parent;
        if (!parent || parent->kind != SCHEMA_OBJECT || self->type_marks[parent->id] == self->mark)
            continue;
        self->type_marks[parent->id] = self->mark;
        if (!v_grow(self->validation, types_p, count, &capacity, sizeof **types_p))
            return 0;
        (*types_p)[count++] = parent;
    }
    return count;
}

/* For each object type among the parents: its fields and those on abstract types. */
static bool s_check_parents(overlap_t *self, uint32_t head)
{
    const schema_type_t **objects;
    uint32_t count = s_objects(self, head, &objects);
    for (uint32_t i = 0; i < count; i++) {
        if (!s_check_same(self, head, objects[i]))
            return false;
    }
    return count > 0 || s_check_same(self, head, NULL);
}

static bool s_check_groups(overlap_t *self, pass_t pass, uint32_t begin)
{
    uint32_t end = self->entry_count;
    s_group(self, begin);
    /* The chains stay; marks and heads are overwritten by inner checks, so find the heads first. */
    bool *is_tail = v_alloc(self->validation, end - begin, sizeof *is_tail);
    if (!is_tail)
        return true;
    for (uint32_t i = begin; i < end; i++) {
        if (self->entries[i].next)
            is_tail[self->entries[i].next - 1 - begin] = true;
    }
    for (uint32_t i = begin; i < end; i++) {
        if (is_tail[i - begin])
            continue;
        bool single_leaf = !self->entries[i].next && !self->entries[i].node->field.set;
        if (single_leaf)
            continue;
        if (!(pass == SHAPES ? s_check_shapes(self, i + 1) : s_check_parents(self, i + 1)))
            return false;
    }
    return true;
}

/* False when a conflict is found. */
static bool s_check(overlap_t *self, pass_t pass, const ast_selection_set_t **sets, uint32_t count)
{
    validation_t *validation = self->validation;
    merged_t merged = {.sets = sets, .count = count, .pass = pass};
    bool is_new;
    if (!s_note(self, &merged, &is_new) || !is_new)
        return true;
    if (!v_enter(validation))
        return true;
    uint32_t begin = self->entry_count;
    bool ok = true;
    v_visit_begin(validation);
    for (uint32_t i = 0; ok && i < count; i++)
        ok = s_collect(self, sets[i]);
    ok = !ok || s_check_groups(self, pass, begin); /* out of budget: no conflict that we know of */
    v_leave(validation);
    self->entry_count = begin;
    return ok;
}

static bool s_check_definition(overlap_t *self, const ast_selection_set_t *set)
{
    const ast_selection_set_t **sets =
        v_alloc(self->validation, 1, sizeof(const ast_selection_set_t *));
    if (!sets)
        return true;
    sets[0] = set;
    return s_check(self, SHAPES, sets, 1) && s_check(self, PARENTS, sets, 1);
}

static bool s_check_document(overlap_t *self)
{
    const ast_document_t *document = self->validation->document;
    for (int pass = 0; pass < 2;
         pass++) { /* operations, then fragments that none of them reaches */
        for (uint32_t i = 0; i < document->definition_count; i++) {
            const ast_definition_t *definition = &document->definitions[i];
            const ast_selection_set_t *set = NULL;
            if (pass == 0 && definition->kind == AST_OPERATION)
                set = definition->operation.set;
            else if (pass == 1 && definition->kind == AST_FRAGMENT && !self->reached[i])
                set = definition->fragment.set;
            if (set && !s_check_definition(self, set))
                return false;
        }
    }
    return true;
}

static bool s_prepare(overlap_t *self)
{
    validation_t *validation = self->validation;
    uint32_t names = validation->document->name_count;
    self->heads = v_alloc(validation, names, sizeof *self->heads);
    self->tails = v_alloc(validation, names, sizeof *self->tails);
    self->head_marks = v_alloc(validation, names, sizeof *self->head_marks);
    self->type_marks = v_alloc(validation, validation->schema->type_count, sizeof(uint32_t));
    self->reached = v_alloc(validation, validation->document->definition_count, sizeof(bool));
    return self->heads && self->tails && self->head_marks && self->type_marks && self->reached &&
           s_grow_cache(self);
}

void rule_overlapping_fields_can_be_merged(validation_t *self)
{
    overlap_t overlap = {.validation = self};
    uint32_t before = self->errors->count;
    if (!s_prepare(&overlap) || s_check_document(&overlap))
        return;
    overlap_report_pairs(self);
    if (self->errors->count > before || v_is_full(self))
        return;
    ast_loc_t locations[] = {overlap.first->loc, overlap.second->loc};
    v_error_at(self, "OverlappingFieldsCanBeMerged", locations, 2,
               "Fields \"%s\" conflict. Use different aliases on the fields to fetch both if this "
               "was intentional.",
               overlap.first->field.key->data);
}
