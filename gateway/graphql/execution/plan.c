#include "gateway/graphql/execution/plan.h"

#include <string.h>

#include "common/buffer.h"
#include "gateway/graphql/execution/reader.h"
#include "gateway/graphql/introspection/meta_fields.h"

enum {
    SELECTION_MAX_PATHS = 1000,
    SELECTION_MAX_SETS = 4000, /* looked into */
    SELECTION_MAX_BYTES = 256 * 1024,
    SELECTION_MAX_PREFIX = 4096,
    GUESS_SPARE = 8,
};

/* Nodes of one response name, while collecting. */
typedef struct node_link node_link_t;
struct node_link {
    const ast_selection_t *node;
    node_link_t *next;
};

typedef struct {
    const name_t *key;
    node_link_t *first;
    node_link_t *last;
    uint32_t count;
} group_t;

/* The ordered map of CollectFields. */
typedef struct {
    plan_t *plan;
    const schema_type_t *type; /* NULL: over all types, for plan_selection */
    group_t *groups;
    uint32_t count;
    uint32_t room;
    bool failed;
} collect_t;

uint32_t
plan_variable(plan_scratch_t *scratch, const ast_operation_t *operation, const name_t *name)
{
    if (scratch->operation != operation) {
        scratch->operation = operation;
        scratch->operation_turn++;
        for (uint32_t i = 0; i < operation->variable_count; i++) {
            uint32_t id = operation->variables[i].name->id;
            scratch->variable_turn[id] = scratch->operation_turn;
            scratch->variable_index[id] = i;
        }
    }
    return scratch->variable_turn[name->id] == scratch->operation_turn
               ? scratch->variable_index[name->id]
               : UINT32_MAX;
}

/* The value of the argument `if` of the first directive of that name; `missing` if there is none.
 */
static bool
s_condition(const plan_t *self, const ast_directives_t *directives, const char *name, bool missing)
{
    for (uint32_t i = 0; i < directives->count; i++) {
        const ast_directive_t *directive = &directives->items[i];
        if (!name_is(directive->name, name) || directive->argument_count == 0)
            continue;
        const ast_value_t *value = &directive->arguments[0].value;
        if (value->kind == AST_BOOLEAN)
            return value->boolean;
        uint32_t index =
            value->kind == AST_VARIABLE
                ? plan_variable(self->scratch, &self->operation->operation, value->name)
                : UINT32_MAX;
        return index == UINT32_MAX ? missing : self->given.conditions[index];
    }
    return missing;
}

static bool s_included(const plan_t *self, const ast_directives_t *directives)
{
    return directives->count == 0 || (!s_condition(self, directives, "skip", false) &&
                                      s_condition(self, directives, "include", true));
}

static group_t *s_group(collect_t *self, const name_t *key)
{
    plan_scratch_t *scratch = self->plan->scratch;
    if (scratch->name_turn[key->id] == scratch->turn)
        return &self->groups[scratch->name_index[key->id]];
    if (self->count == self->room) {
        uint32_t room = self->room ? self->room * 2 : 8;
        group_t *groups = arena_alloc(self->plan->arena, room * sizeof *groups);
        if (!groups)
            return NULL;
        if (self->count)
            memcpy(groups, self->groups, self->count * sizeof *groups);
        self->groups = groups;
        self->room = room;
    }
    scratch->name_turn[key->id] = scratch->turn;
    scratch->name_index[key->id] = self->count;
    group_t *group = &self->groups[self->count++];
    *group = (group_t){.key = key};
    return group;
}

static void s_collect_field(collect_t *self, const ast_selection_t *node)
{
    group_t *group = s_group(self, self->type ? node->field.key : node->field.name);
    node_link_t *link = group ? arena_alloc(self->plan->arena, sizeof *link) : NULL;
    if (!link) {
        self->failed = true;
        return;
    }
    *link = (node_link_t){.node = node};
    if (group->last)
        group->last->next = link;
    else
        group->first = link;
    group->last = link;
    group->count++;
}

static bool s_applies(const collect_t *self, const schema_type_t *condition)
{
    return !self->type || condition == self->type ||
           (schema_type_is_composite(condition) && schema_type_is_possible(condition, self->type));
}

static void s_collect(collect_t *self, const ast_selection_set_t *set)
{
    for (uint32_t i = 0; i < set->count && !self->failed; i++) {
        const ast_selection_t *node = &set->items[i];
        if (!s_included(self->plan, &node->directives))
            continue;
        if (node->kind == AST_FIELD) {
            s_collect_field(self, node);
        } else if (node->kind == AST_INLINE_FRAGMENT) {
            if (s_applies(self, node->inlined.type))
                s_collect(self, node->inlined.set);
        } else {
            const ast_definition_t *fragment = node->spread.fragment;
            uint32_t *turn = &self->plan->scratch->fragment_turn[fragment->id];
            if (*turn == self->plan->scratch->turn || !s_applies(self, fragment->fragment.type))
                continue;
            *turn = self->plan->scratch->turn;
            s_collect(self, fragment->fragment.set);
        }
    }
}

static collect_t s_collect_below(plan_t *self,
                                 const schema_type_t *type,
                                 const ast_selection_t *const *nodes,
                                 uint32_t node_count)
{
    collect_t collect = {.plan = self, .type = type};
    self->scratch->turn++;
    for (uint32_t i = 0; i < node_count; i++)
        if (nodes[i]->field.set)
            s_collect(&collect, nodes[i]->field.set);
    return collect;
}

static const ast_selection_t *const *s_nodes(plan_t *self, const group_t *group)
{
    const ast_selection_t **nodes = arena_alloc(self->arena, group->count * sizeof *nodes);
    if (!nodes)
        return NULL;
    uint32_t count = 0;
    for (const node_link_t *link = group->first; link; link = link->next)
        nodes[count++] = link->node;
    return nodes;
}

/* A copy with bytes behind it that may be read; NULL if the arena is at its limit. */
static char *s_padded(plan_t *self, const char *text, size_t size)
{
    char *copy = arena_alloc(self->arena, size + READER_PADDING);
    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    memset(copy + size, 0, READER_PADDING);
    return copy;
}

/* The index of the slot of that name; PLAN_NO_SLOT if the arena is at its limit. */
static uint32_t s_slot(plan_t *self, plan_set_t *set, const name_t *name)
{
    for (uint32_t i = 0; i < set->slot_count; i++)
        if (set->slots[i].size == name->size &&
            memcmp(set->slots[i].name, name->data, name->size) == 0)
            return i;
    char *copy = s_padded(self, name->data, name->size);
    if (!copy)
        return PLAN_NO_SLOT;
    set->slots[set->slot_count] = (plan_slot_t){.name = copy, .size = name->size};
    return set->slot_count++;
}

static char *s_key(plan_t *self, const name_t *name)
{
    char *key = arena_alloc(self->arena, name->size + 4 + READER_PADDING);
    if (!key)
        return NULL;
    memset(key, 0, name->size + 4 + READER_PADDING);
    key[0] = ',';
    key[1] = '"';
    memcpy(key + 2, name->data, name->size);
    key[name->size + 2] = '"';
    key[name->size + 3] = ':';
    return key;
}

static bool s_needs(plan_t *self, plan_set_t *set, plan_field_t *field)
{
    const schema_field_t *definition = field->definition;
    uint32_t *slots = arena_alloc(self->arena, definition->need_count * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < definition->need_count; i++) {
        slots[i] = s_slot(self, set, definition->needs[i]);
        if (slots[i] == PLAN_NO_SLOT)
            return false;
    }
    field->need_slots = slots;
    return true;
}

static plan_shape_t s_shape(const schema_ref_t *type)
{
    type = schema_ref_nullable(type);
    if (type->kind != SCHEMA_REF_NAMED || !schema_type_is_leaf(type->type))
        return PLAN_NESTED;
    bool text = type->type->kind == SCHEMA_SCALAR &&
                (type->type->scalar == SCALAR_STRING || type->type->scalar == SCALAR_ID);
    return text ? PLAN_TEXT : PLAN_LEAF;
}

/* May the one who asks not have it? */
static bool s_is_refused(const plan_t *self, const schema_field_t *definition)
{
    const schema_rule_t *rule = definition->rule;
    if (rule && (!self->given.refused || self->given.refused[rule->id]))
        return true;
    return self->given.is_read_only && definition->parent &&
           definition->parent == self->schema->mutation && !definition->is_public;
}

static bool s_field(plan_t *self, plan_set_t *set, const group_t *group, plan_field_t *field)
{
    const ast_selection_t *node = group->first->node;
    char *key = s_key(self, group->key);
    *field = (plan_field_t){
        .key = key,
        .key_size = group->key->size + 4,
        .name = group->key,
        .parent = set->type,
        .definition = schema_type_field(self->schema, set->type, node->field.name),
        .nodes = s_nodes(self, group),
        .node_count = group->count,
    };
    if (!key || !field->nodes)
        return false;
    field->shape = s_shape(field->definition->type);
    field->non_null = field->definition->type->kind == SCHEMA_REF_NON_NULL;
    field->introspection = (int)meta_field_of(field->definition);
    if (field->definition->kind == SCHEMA_FIELD_TYPENAME) {
        field->source = PLAN_TYPENAME;
    } else if (s_is_refused(self, field->definition)) {
        field->source = PLAN_REFUSED;
    } else if (field->introspection != META_NONE) {
        field->source = PLAN_INTROSPECTION;
    } else if (field->definition->is_resolved && self->root) {
        field->source = PLAN_RESOLVED;
        return s_needs(self, set, field);
    } else {
        field->source = PLAN_MEMBER;
        field->slot = s_slot(self, set, field->definition->name);
        field->is_verbatim =
            field->shape == PLAN_TEXT && name_is(field->name, field->definition->name->data);
        return field->slot != PLAN_NO_SLOT;
    }
    return true;
}

/* How many slots the groups can need at most. */
static uint32_t s_slot_room(const plan_t *self, const schema_type_t *type, const collect_t *collect)
{
    uint32_t room = collect->count;
    for (uint32_t i = 0; i < collect->count; i++) {
        const schema_field_t *definition =
            schema_type_field(self->schema, type, collect->groups[i].first->node->field.name);
        room += definition->need_count;
    }
    return room;
}

static bool s_fill(plan_t *self, plan_set_t *set, const collect_t *collect)
{
    uint32_t slot_room = s_slot_room(self, set->type, collect);
    set->guess_room = slot_room + GUESS_SPARE;
    set->fields = arena_calloc(self->arena, collect->count + 1, sizeof *set->fields);
    set->slots = arena_calloc(self->arena, slot_room + 1, sizeof *set->slots);
    set->guesses = arena_calloc(self->arena, set->guess_room, sizeof *set->guesses);
    if (!set->fields || !set->slots || !set->guesses)
        return false;
    set->field_count = collect->count;
    for (uint32_t i = 0; i < collect->count; i++)
        if (!s_field(self, set, &collect->groups[i], &set->fields[i]))
            return false;
    return true;
}

static uint64_t
s_hash(const schema_type_t *type, const ast_selection_t *const *nodes, uint32_t node_count)
{
    uint64_t hash = type->id + 1;
    for (uint32_t i = 0; i < node_count; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)nodes[i]) * 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 32);
}

static plan_set_t *s_find(const plan_t *self,
                          uint64_t hash,
                          const schema_type_t *type,
                          const ast_selection_t *const *nodes,
                          uint32_t node_count)
{
    for (plan_set_t *set = self->buckets[hash % PLAN_BUCKETS]; set; set = set->next)
        if (set->hash == hash && set->type == type && set->node_count == node_count &&
            memcmp(set->nodes, nodes, node_count * sizeof *nodes) == 0)
            return set;
    return NULL;
}

plan_set_t *plan_below(plan_t *self, plan_field_t *field, const schema_type_t *type)
{
    if (field->last_type == type)
        return field->last_set;
    uint64_t hash = s_hash(type, field->nodes, field->node_count);
    plan_set_t *set = s_find(self, hash, type, field->nodes, field->node_count);
    if (!set) {
        collect_t collect = s_collect_below(self, type, field->nodes, field->node_count);
        set = collect.failed ? NULL : arena_calloc(self->arena, 1, sizeof *set);
        if (!set)
            return NULL;
        set->type = type;
        set->hash = hash;
        set->nodes = field->nodes;
        set->node_count = field->node_count;
        if (!s_fill(self, set, &collect))
            return NULL;
        set->next = self->buckets[hash % PLAN_BUCKETS];
        self->buckets[hash % PLAN_BUCKETS] = set;
    }
    field->last_type = type;
    field->last_set = set;
    return set;
}

plan_scratch_t *plan_scratch_new(arena_t *arena, const ast_document_t *document)
{
    plan_scratch_t *self = arena_calloc(arena, 1, sizeof *self);
    if (!self)
        return NULL;
    self->name_turn = arena_calloc(arena, document->name_count + 1, sizeof *self->name_turn);
    self->name_index = arena_calloc(arena, document->name_count + 1, sizeof *self->name_index);
    self->fragment_turn =
        arena_calloc(arena, document->definition_count + 1, sizeof *self->fragment_turn);
    self->variable_turn = arena_calloc(arena, document->name_count + 1, sizeof *self->name_turn);
    self->variable_index = arena_calloc(arena, document->name_count + 1, sizeof *self->name_index);
    return self->name_turn && self->name_index && self->fragment_turn && self->variable_turn &&
                   self->variable_index
               ? self
               : NULL;
}

plan_t *plan_new(arena_t *arena,
                 const schema_t *schema,
                 const ast_definition_t *operation,
                 plan_scratch_t *scratch,
                 const plan_case_t *given)
{
    plan_t *self = arena_calloc(arena, 1, sizeof *self);
    plan_set_t *root = arena_calloc(arena, 1, sizeof *root);
    if (!self || !root)
        return NULL;
    self->arena = arena;
    self->schema = schema;
    self->operation = operation;
    self->scratch = scratch;
    self->given = *given;
    root->type = operation->operation.type;
    collect_t collect = {.plan = self, .type = root->type};
    scratch->turn++;
    s_collect(&collect, operation->operation.set);
    if (collect.failed || !s_fill(self, root, &collect))
        return NULL;
    self->root = root;
    return self;
}

/* ---- plan_selection ---- */
typedef struct {
    plan_t *plan;
    buffer_t *out;
    uint32_t count;
    uint32_t sets;
    char prefix[SELECTION_MAX_PREFIX];
    bool failed;
} paths_t;

static void s_path(paths_t *self, size_t size)
{
    if (self->count++)
        buffer_put_char(self->out, ',');
    buffer_put_char(self->out, '"');
    buffer_put(self->out, self->prefix, size);
    buffer_put_char(self->out, '"');
}

/* Writes a name behind the prefix. The new size, or 0 if it is too long: then the hint leaves it
 * out. */
static size_t s_append(paths_t *self, size_t prefix_size, const char *name, size_t name_size)
{
    size_t size = prefix_size + (prefix_size > 0) + name_size;
    if (size > sizeof self->prefix)
        return 0;
    if (prefix_size)
        self->prefix[prefix_size] = '/';
    memcpy(self->prefix + size - name_size, name, name_size);
    return size;
}

static void s_path_to(paths_t *self, size_t prefix_size, const char *name, size_t name_size)
{
    size_t size = s_append(self, prefix_size, name, name_size);
    if (size)
        s_path(self, size);
}

static void s_paths_below(paths_t *self,
                          size_t prefix_size,
                          const schema_type_t *type,
                          const ast_selection_t *const *nodes,
                          uint32_t node_count);

/* Is the field of that name among the groups, or needed by one of them before `end`? */
static bool s_is_listed(const collect_t *below, const name_t *need, uint32_t end)
{
    for (uint32_t i = 0; i < below->count; i++) {
        const schema_field_t *definition = below->groups[i].first->node->field.definition;
        if (!definition->is_resolved && name_equal(below->groups[i].key, need))
            return true;
        for (uint32_t n = 0; n < definition->need_count && i < end; n++)
            if (name_equal(definition->needs[n], need))
                return true;
    }
    return false;
}

static void s_paths_of(paths_t *self, size_t prefix_size, const collect_t *groups, uint32_t index)
{
    const group_t *group = &groups->groups[index];
    const schema_field_t *definition = group->first->node->field.definition;
    if (definition->kind == SCHEMA_FIELD_TYPENAME || s_is_refused(self->plan, definition))
        return;
    if (definition->is_resolved) {
        for (uint32_t i = 0; i < definition->need_count; i++) {
            const name_t *need = definition->needs[i];
            if (!s_is_listed(groups, need, index))
                s_path_to(self, prefix_size, need->data, need->size);
        }
        return;
    }
    const schema_type_t *type = definition->type->type;
    if (!schema_type_is_composite(type) || self->count >= SELECTION_MAX_PATHS ||
        self->sets >= SELECTION_MAX_SETS) {
        s_path_to(self, prefix_size, group->key->data, group->key->size);
        return;
    }
    const ast_selection_t *const *nodes = s_nodes(self->plan, group);
    size_t size = s_append(self, prefix_size, group->key->data, group->key->size);
    if (!nodes)
        self->failed = true;
    else if (size)
        s_paths_below(self, size, type, nodes, group->count);
}

static void s_paths_below(paths_t *self,
                          size_t prefix_size,
                          const schema_type_t *type,
                          const ast_selection_t *const *nodes,
                          uint32_t node_count)
{
    if (schema_type_is_abstract(type))
        s_path_to(self, prefix_size, "__typename", 10);
    collect_t below = s_collect_below(self->plan, NULL, nodes, node_count);
    self->sets++;
    self->failed |= below.failed;
    for (uint32_t i = 0; i < below.count && !self->failed; i++)
        s_paths_of(self, prefix_size, &below, i);
}

json_slice_t plan_selection(plan_t *self, const plan_field_t *field)
{
    buffer_t out = BUFFER_INIT(SELECTION_MAX_BYTES);
    paths_t paths = {.plan = self, .out = &out};
    buffer_put_char(&out, '[');
    s_paths_below(&paths, 0, field->definition->type->type, field->nodes, field->node_count);
    buffer_put_char(&out, ']');
    json_slice_t selection = {.data = NULL};
    if (!paths.failed) {
        selection.size = out.failed ? 2 : out.size; /* too long to be useful: no hint */
        selection.data = arena_memdup(self->arena, out.failed ? "[]" : out.data, selection.size);
    }
    buffer_free(&out);
    return selection;
}
