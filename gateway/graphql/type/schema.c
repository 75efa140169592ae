#include "gateway/graphql/type/schema.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/language/directive_locations.h"

/* Hash tables hold index + 1 of the member; 0 is free. Each has at least one free slot. */

static bool s_same(const name_t *name, uint32_t hash, const char *data, size_t size)
{
    return name->hash == hash && name->size == size && memcmp(name->data, data, size) == 0;
}

/* Walks a table over `items`, structs of `item_size` that begin with (a pointer to) their name. */
#define LOOK_UP(table, mask, hash, data, size, name_of, result)                                    \
    do {                                                                                           \
        if (!(table))                                                                              \
            break;                                                                                 \
        for (uint32_t at_ = (hash) & (mask); (table)[at_]; at_ = (at_ + 1) & (mask)) {             \
            uint32_t i = (table)[at_] - 1;                                                         \
            if (s_same(name_of, hash, data, size))                                                 \
                return result;                                                                     \
        }                                                                                          \
    } while (0)

void schema_destroy(schema_t **self_p)
{
    schema_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    arena_t *arena = self->arena; /* the schema itself is in it */
    arena_destroy(&arena);
}

/* ---- look-up ---- */

static const schema_type_t *
s_type(const schema_t *self, uint32_t hash, const char *data, size_t size)
{
    LOOK_UP(self->type_index, self->type_index_mask, hash, data, size, self->types[i]->name,
            self->types[i]);
    return NULL;
}

const schema_type_t *schema_type(const schema_t *self, const name_t *name)
{
    return s_type(self, name->hash, name->data, name->size);
}

const schema_type_t *schema_type_by_text(const schema_t *self, const char *data, size_t size)
{
    return s_type(self, name_hash(data, size), data, size);
}

/* Hidden directives follow the visible ones in the table. */
static const schema_directive_t *s_directive_at(const schema_t *self, uint32_t i)
{
    return i < self->directive_count ? self->directives[i]
                                     : self->hidden[i - self->directive_count];
}

const schema_directive_t *schema_directive(const schema_t *self, const name_t *name)
{
    LOOK_UP(self->directive_index, self->directive_index_mask, name->hash, name->data, name->size,
            s_directive_at(self, i)->name, s_directive_at(self, i));
    return NULL;
}

const schema_type_t *schema_root(const schema_t *self, ast_operation_kind_t kind)
{
    return kind == AST_QUERY      ? self->query
           : kind == AST_MUTATION ? self->mutation
                                  : self->subscription;
}

static const schema_field_t *
s_field(const schema_type_t *type, uint32_t hash, const char *data, size_t size)
{
    LOOK_UP(type->index, type->index_mask, hash, data, size, type->fields[i].name,
            &type->fields[i]);
    return NULL;
}

static bool s_has_fields(const schema_type_t *type)
{
    return type->kind == SCHEMA_OBJECT || type->kind == SCHEMA_INTERFACE;
}

const schema_field_t *schema_type_own_field(const schema_type_t *type, const name_t *name)
{
    return s_has_fields(type) ? s_field(type, name->hash, name->data, name->size) : NULL;
}

const schema_field_t *
schema_type_field_by_text(const schema_type_t *type, const char *data, size_t size)
{
    return s_has_fields(type) ? s_field(type, name_hash(data, size), data, size) : NULL;
}

const schema_field_t *
schema_type_field(const schema_t *self, const schema_type_t *type, const name_t *name)
{
    if (name->size > 2 && name->data[0] == '_' && name->data[1] == '_') {
        if (schema_type_is_composite(type) && name_equal(name, self->typename_field->name))
            return self->typename_field;
        if (type == self->query && name_equal(name, self->schema_meta_field->name))
            return self->schema_meta_field;
        if (type == self->query && name_equal(name, self->type_meta_field->name))
            return self->type_meta_field;
    }
    return schema_type_own_field(type, name);
}

static const schema_input_t *
s_input(const schema_type_t *type, uint32_t hash, const char *data, size_t size)
{
    LOOK_UP(type->index, type->index_mask, hash, data, size, type->inputs[i].name,
            &type->inputs[i]);
    return NULL;
}

const schema_input_t *schema_type_input(const schema_type_t *type, const name_t *name)
{
    return type->kind == SCHEMA_INPUT_OBJECT ? s_input(type, name->hash, name->data, name->size)
                                             : NULL;
}

const schema_input_t *
schema_type_input_by_text(const schema_type_t *type, const char *data, size_t size)
{
    return type->kind == SCHEMA_INPUT_OBJECT ? s_input(type, name_hash(data, size), data, size)
                                             : NULL;
}

static const schema_enum_value_t *
s_value(const schema_type_t *type, uint32_t hash, const char *data, size_t size)
{
    LOOK_UP(type->index, type->index_mask, hash, data, size, type->values[i].name,
            &type->values[i]);
    return NULL;
}

const schema_enum_value_t *schema_type_value(const schema_type_t *type, const name_t *name)
{
    return type->kind == SCHEMA_ENUM ? s_value(type, name->hash, name->data, name->size) : NULL;
}

const schema_enum_value_t *
schema_type_value_by_text(const schema_type_t *type, const char *data, size_t size)
{
    return type->kind == SCHEMA_ENUM ? s_value(type, name_hash(data, size), data, size) : NULL;
}

const schema_input_t *
schema_argument(const schema_input_t *arguments, uint32_t count, const name_t *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (name_equal(arguments[i].name, name))
            return &arguments[i];
    }
    return NULL;
}

/* ---- applied directives ---- */

const schema_applied_t *schema_applied(const schema_applied_list_t *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (name_is(list->items[i].name, name))
            return &list->items[i];
    }
    return NULL;
}

const ast_value_t *schema_applied_argument(const schema_applied_t *applied, const char *argument)
{
    for (uint32_t i = 0; i < applied->node->argument_count; i++) {
        if (name_is(applied->node->arguments[i].name, argument))
            return &applied->node->arguments[i].value;
    }
    for (uint32_t i = 0; i < applied->definition->argument_count; i++) {
        if (name_is(applied->definition->arguments[i].name, argument))
            return applied->definition->arguments[i].default_value;
    }
    return NULL;
}

const char *schema_location_name(schema_location_t location)
{
    _Static_assert((int)SCHEMA_LOCATION_COUNT == (int)DIRECTIVE_LOCATIONS, "one table");
    return directive_location_names[location];
}

/* ---- questions ---- */

bool schema_types_overlap(const schema_t *self, const schema_type_t *a, const schema_type_t *b)
{
    if (a->kind == SCHEMA_OBJECT)
        return schema_type_is_possible(b, a);
    if (b->kind == SCHEMA_OBJECT)
        return schema_type_is_possible(a, b);
    if (a == b)
        return true;
    uint32_t words = (self->type_count + 63) / 64;
    for (uint32_t i = 0; i < words; i++) {
        if (a->possible_bits[i] & b->possible_bits[i])
            return true;
    }
    return false;
}

bool schema_type_implements(const schema_type_t *type, const schema_type_t *interface)
{
    for (uint32_t i = 0; i < type->interface_count; i++) {
        if (type->interfaces[i] == interface)
            return true;
    }
    return false;
}

bool schema_type_is_subtype(const schema_type_t *type, const schema_type_t *super)
{
    if (type == super)
        return true;
    if (super->kind == SCHEMA_INTERFACE)
        return schema_type_implements(type, super);
    if (super->kind != SCHEMA_UNION)
        return false;
    for (uint32_t i = 0; i < super->possible_count; i++) {
        if (super->possible[i] == type)
            return true;
    }
    return false;
}

bool schema_ref_equal(const schema_ref_t *a, const schema_ref_t *b)
{
    while (a->kind == b->kind) {
        if (a->kind == SCHEMA_REF_NAMED)
            return a->type == b->type;
        a = a->of;
        b = b->of;
    }
    return false;
}

bool schema_ref_is_subtype(const schema_ref_t *ref, const schema_ref_t *super)
{
    for (;;) {
        if (super->kind == SCHEMA_REF_NON_NULL) {
            if (ref->kind != SCHEMA_REF_NON_NULL)
                return false;
            ref = ref->of;
            super = super->of;
        } else if (ref->kind == SCHEMA_REF_NON_NULL) {
            ref = ref->of;
        } else if (super->kind == SCHEMA_REF_LIST) {
            if (ref->kind != SCHEMA_REF_LIST)
                return false;
            ref = ref->of;
            super = super->of;
        } else {
            return ref->kind == SCHEMA_REF_NAMED && schema_type_is_subtype(ref->type, super->type);
        }
    }
}
