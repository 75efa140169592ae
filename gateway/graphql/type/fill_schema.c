#include <string.h>

#include "gateway/graphql/language/suggest.h"
#include "gateway/graphql/type/builder.h"
#include "gateway/graphql/type/builtins.h"

static schema_kind_t s_kind(ast_definition_kind_t kind)
{
    switch (kind) {
    case AST_SCALAR_TYPE:
        return SCHEMA_SCALAR;
    case AST_OBJECT_TYPE:
        return SCHEMA_OBJECT;
    case AST_INTERFACE_TYPE:
        return SCHEMA_INTERFACE;
    case AST_UNION_TYPE:
        return SCHEMA_UNION;
    case AST_ENUM_TYPE:
        return SCHEMA_ENUM;
    default:
        return SCHEMA_INPUT_OBJECT;
    }
}

static schema_location_t s_location(schema_kind_t kind)
{
    switch (kind) {
    case SCHEMA_SCALAR:
        return SCHEMA_ON_SCALAR;
    case SCHEMA_OBJECT:
        return SCHEMA_ON_OBJECT;
    case SCHEMA_INTERFACE:
        return SCHEMA_ON_INTERFACE;
    case SCHEMA_UNION:
        return SCHEMA_ON_UNION;
    case SCHEMA_ENUM:
        return SCHEMA_ON_ENUM;
    default:
        return SCHEMA_ON_INPUT_OBJECT;
    }
}

/* ---- types by name ---- */

static bool s_make_type(builder_t *self, draft_t *draft)
{
    schema_type_t *type = b_alloc(self, 1, sizeof *type);
    if (!type)
        return false;
    type->name = draft->name;
    type->kind = s_kind(draft->kind);
    type->id = self->type_count;
    type->is_introspection = draft->rank == SOURCE_SPECIFIED && draft->name->size > 2 &&
                             memcmp(draft->name->data, "__", 2) == 0;
    type->is_builtin = draft->rank != SOURCE_SERVICE && !draft->is_root;
    type->service = draft->first->source->service;
    type->loc = draft->first->definition->loc;
    if (type->kind == SCHEMA_SCALAR && type->is_builtin)
        type->scalar = builtin_scalar(type->name->data);
    draft->type = type;
    self->types[self->type_count] = type;
    self->type_drafts[self->type_count++] = draft;
    return true;
}

static void
s_unknown_type(builder_t *self, const source_t *source, const name_t *name, ast_loc_t loc)
{
    suggest_t suggest;
    suggest_init(&suggest, name->data, name->size);
    for (uint32_t i = 0; i < self->name_count; i++) {
        const draft_t *draft = self->drafts[i];
        if (draft && draft->rank != SOURCE_SPECIFIED)
            suggest_add_name(&suggest, draft->name);
    }
    b_fail(self, source ? source->service : NULL, loc, "Unknown type \"%s\".%s", name->data,
           suggest_text(&suggest, self->arena));
}

const schema_type_t *
b_type(builder_t *self, const source_t *source, const name_t *name, ast_loc_t loc)
{
    draft_t *draft = self->drafts[name->id];
    if (!draft || (source && source->rank == SOURCE_SERVICE && name_is(name, "__Meta"))) {
        s_unknown_type(self, source, name, loc);
        return NULL;
    }
    if (!draft->type && !s_make_type(self, draft))
        return NULL;
    return draft->type;
}

static const schema_ref_t *s_ref(builder_t *self, const source_t *source, const ast_type_t *node)
{
    schema_ref_t *ref = b_alloc(self, 1, sizeof *ref);
    if (!ref)
        return NULL;
    if (node->kind == AST_TYPE_NAMED) {
        ref->kind = SCHEMA_REF_NAMED;
        ref->type = b_type(self, source, node->name, node->loc);
        ref->text = node->name->data;
        return ref->type ? ref : NULL;
    }
    const schema_ref_t *of = s_ref(self, source, node->of);
    if (!of)
        return NULL;
    bool is_list = node->kind == AST_TYPE_LIST;
    ref->kind = is_list ? SCHEMA_REF_LIST : SCHEMA_REF_NON_NULL;
    ref->type = of->type;
    ref->of = of;
    ref->text = arena_printf(self->arena, is_list ? "[%s]" : "%s!", of->text);
    if (!ref->text) {
        b_no_memory(self);
        return NULL;
    }
    return ref;
}

/* ---- arguments and input fields ---- */

static bool s_fill_input(builder_t *self,
                         const source_t *source,
                         const ast_input_value_t *node,
                         schema_location_t location,
                         schema_input_t *input)
{
    input->name = node->name;
    input->description = b_description(node->description);
    input->default_value = node->default_value;
    input->loc = node->loc;
    input->type = s_ref(self, source, node->type);
    if (!input->type || !b_apply(self, source, &node->directives, location, &input->applied))
        return false;
    input->deprecation_reason = b_deprecation(&input->applied);
    return true;
}

bool b_fill_arguments(builder_t *self,
                      const source_t *source,
                      const ast_input_value_t *nodes,
                      uint32_t count,
                      const char *owner,
                      const schema_input_t **arguments_p)
{
    schema_input_t *arguments = b_alloc(self, count, sizeof *arguments);
    if (!arguments)
        return false;
    b_stamp(self);
    for (uint32_t i = 0; i < count; i++) {
        if (!b_is_new(self, nodes[i].name))
            return b_fail(self, source->service, nodes[i].name_loc,
                          "Argument \"%s(%s:)\" can only be defined once.", owner,
                          nodes[i].name->data);
        arguments[i].index = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!s_fill_input(self, source, &nodes[i], SCHEMA_ON_ARGUMENT_DEFINITION, &arguments[i]))
            return false;
    }
    *arguments_p = arguments;
    return true;
}

/* ---- fields ---- */

static bool s_fill_field(builder_t *self,
                         const source_t *source,
                         const ast_field_definition_t *node,
                         schema_field_t *field)
{
    field->name = node->name;
    field->description = b_description(node->description);
    field->service = source->service;
    field->loc = node->loc;
    field->argument_count = node->argument_count;
    field->coordinate =
        arena_printf(self->arena, "%s.%s", field->parent->name->data, node->name->data);
    if (!field->coordinate)
        return b_no_memory(self);
    field->type = s_ref(self, source, node->type);
    if (!field->type ||
        !b_fill_arguments(self, source, node->arguments, node->argument_count, field->coordinate,
                          &field->arguments) ||
        !b_apply(self, source, &node->directives, SCHEMA_ON_FIELD_DEFINITION, &field->applied))
        return false;
    field->deprecation_reason = b_deprecation(&field->applied);
    return b_apply_field_flags(self, field);
}

static bool s_field_twice(builder_t *self,
                          const schema_type_t *type,
                          const source_t *source,
                          const ast_field_definition_t *node,
                          const schema_field_t *fields)
{
    const schema_field_t *first = fields;
    while (first->name != node->name)
        first++;
    if (first->service == source->service)
        return b_fail(self, source->service, node->name_loc,
                      "Field \"%s.%s\" can only be defined once.", type->name->data,
                      node->name->data);
    return b_fail(self, source->service, node->name_loc,
                  "Field \"%s.%s\" is defined by service %s and by service %s.", type->name->data,
                  node->name->data, first->service, source->service);
}

static bool s_fill_fields(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    uint32_t count = 0;
    for (const part_t *part = draft->first; part; part = part->next)
        count += part->definition->type.field_count;
    schema_field_t *fields = b_alloc(self, count, sizeof *fields);
    if (!fields)
        return false;
    type->fields = fields;
    b_stamp(self);
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->field_count; i++) {
            if (!b_is_new(self, node->fields[i].name))
                return s_field_twice(self, type, part->source, &node->fields[i], fields);
            schema_field_t *field = &fields[type->field_count];
            field->name = node->fields[i].name;
            field->service = part->source->service;
            field->parent = type;
            field->index = type->field_count++;
        }
    }
    uint32_t at = 0;
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->field_count; i++) {
            if (!s_fill_field(self, part->source, &node->fields[i], &fields[at++]))
                return false;
        }
    }
    return true;
}

static bool s_fill_interfaces(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    uint32_t count = 0;
    for (const part_t *part = draft->first; part; part = part->next)
        count += part->definition->type.interface_count;
    const schema_type_t **interfaces = b_alloc(self, count, sizeof(const schema_type_t *));
    if (!interfaces)
        return false;
    type->interfaces = interfaces;
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->interface_count; i++) {
            const ast_named_t *named = &node->interfaces[i];
            const schema_type_t *interface = b_type(self, part->source, named->name, named->loc);
            if (!interface)
                return false;
            if (interface->kind != SCHEMA_INTERFACE)
                return b_fail(self, part->source->service, named->loc,
                              "Type %s must only implement Interface types, it cannot implement "
                              "%s.",
                              type->name->data, named->name->data);
            if (schema_type_implements(type, interface)) {
                if (draft->is_root)
                    continue; /* several services say so */
                return b_fail(self, part->source->service, named->loc,
                              "Type %s can only implement %s once.", type->name->data,
                              named->name->data);
            }
            interfaces[type->interface_count++] = interface;
        }
    }
    return true;
}

/* ---- unions, enums, input objects ---- */

static bool s_fill_members(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    uint32_t count = 0;
    for (const part_t *part = draft->first; part; part = part->next)
        count += part->definition->type.member_count;
    const schema_type_t **members = b_alloc(self, count, sizeof(const schema_type_t *));
    if (!members)
        return false;
    type->possible = members;
    b_stamp(self);
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->member_count; i++) {
            const ast_named_t *named = &node->members[i];
            const schema_type_t *member = b_type(self, part->source, named->name, named->loc);
            if (!member)
                return false;
            if (!b_is_new(self, named->name))
                return b_fail(self, part->source->service, named->loc,
                              "Union type %s can only include type %s once.", type->name->data,
                              named->name->data);
            if (member->kind != SCHEMA_OBJECT)
                return b_fail(self, part->source->service, named->loc,
                              "Union type %s can only include Object types, it cannot include "
                              "%s.",
                              type->name->data, named->name->data);
            members[type->possible_count++] = member;
        }
    }
    return true;
}

static bool s_fill_values(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    uint32_t count = 0;
    for (const part_t *part = draft->first; part; part = part->next)
        count += part->definition->type.value_count;
    schema_enum_value_t *values = b_alloc(self, count, sizeof *values);
    if (!values)
        return false;
    type->values = values;
    b_stamp(self);
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->value_count; i++) {
            const ast_enum_value_t *from = &node->values[i];
            schema_enum_value_t *value = &values[type->value_count];
            if (!b_is_new(self, from->name))
                return b_fail(self, part->source->service, from->name_loc,
                              "Enum value \"%s.%s\" can only be defined once.", type->name->data,
                              from->name->data);
            value->name = from->name;
            value->description = b_description(from->description);
            value->index = type->value_count++;
            value->loc = from->loc;
            if (!b_apply(self, part->source, &from->directives, SCHEMA_ON_ENUM_VALUE,
                         &value->applied))
                return false;
            value->deprecation_reason = b_deprecation(&value->applied);
        }
    }
    return true;
}

static bool s_fill_inputs(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    uint32_t count = 0;
    for (const part_t *part = draft->first; part; part = part->next)
        count += part->definition->type.input_count;
    schema_input_t *inputs = b_alloc(self, count, sizeof *inputs);
    if (!inputs)
        return false;
    type->inputs = inputs;
    b_stamp(self);
    for (const part_t *part = draft->first; part; part = part->next) {
        const ast_type_definition_t *node = &part->definition->type;
        for (uint32_t i = 0; i < node->input_count; i++) {
            const ast_input_value_t *from = &node->inputs[i];
            schema_input_t *input = &inputs[type->input_count];
            if (!b_is_new(self, from->name))
                return b_fail(self, part->source->service, from->name_loc,
                              "Field \"%s.%s\" can only be defined once.", type->name->data,
                              from->name->data);
            input->index = type->input_count++;
            if (!s_fill_input(self, part->source, from, SCHEMA_ON_INPUT_FIELD_DEFINITION, input))
                return false;
        }
    }
    return true;
}

/* ---- one type ---- */

static bool s_fill_own_directives(builder_t *self, const draft_t *draft, schema_type_t *type)
{
    for (const part_t *part = draft->first; part; part = part->next) {
        if (!b_apply(self, part->source, &part->definition->directives, s_location(type->kind),
                     &type->applied))
            return false;
        if (!type->description)
            type->description = b_description(part->definition->description);
    }
    const schema_applied_t *specified_by = schema_applied(&type->applied, "specifiedBy");
    if (specified_by) {
        const ast_value_t *url = schema_applied_argument(specified_by, "url");
        type->specified_by_url = url && url->kind == AST_STRING ? url->text.data : NULL;
    }
    type->is_one_of = schema_applied(&type->applied, "oneOf") != NULL;
    return true;
}

bool b_fill_type(builder_t *self, uint32_t id)
{
    const draft_t *draft = self->type_drafts[id];
    schema_type_t *type = self->types[id];
    if (!s_fill_own_directives(self, draft, type))
        return false;
    switch (type->kind) {
    case SCHEMA_SCALAR:
        return true;
    case SCHEMA_OBJECT:
    case SCHEMA_INTERFACE:
        return s_fill_interfaces(self, draft, type) && s_fill_fields(self, draft, type);
    case SCHEMA_UNION:
        return s_fill_members(self, draft, type);
    case SCHEMA_ENUM:
        return s_fill_values(self, draft, type);
    case SCHEMA_INPUT_OBJECT:
        return s_fill_inputs(self, draft, type);
    }
    return true;
}

/* ---- roots, meta fields ---- */

static bool s_root(builder_t *self, ast_operation_kind_t kind, const schema_type_t **type_p)
{
    static const char *const words[3] = {"Query", "Mutation", "Subscription"};
    const name_t *name = self->root_names[kind];
    if (!name)
        return true;
    const draft_t *draft = self->drafts[name->id];
    for (uint32_t i = 0; i < self->source_count; i++) {
        const source_t *source = &self->sources[i];
        if (source->roots[kind] &&
            (!draft || draft->kind != AST_OBJECT_TYPE || draft->rank == SOURCE_SPECIFIED))
            return b_fail(self, source->service, source->document->definitions[0].loc,
                          draft ? "%s root type must be Object type, it cannot be %s."
                                : "%s root type \"%s\" is not defined.",
                          words[kind], name->data);
    }
    for (int other = 0; other < (int)kind; other++) {
        if (self->root_names[other] == name)
            return b_fail(self, draft->type->service, draft->type->loc,
                          "All root types must be different, \"%s\" type is used as %s and %s root "
                          "types.",
                          name->data, words[other], words[kind]);
    }
    *type_p = draft->type;
    return true;
}

bool b_fill_schema(builder_t *self)
{
    schema_t *schema = self->schema;
    for (uint32_t i = 0; i < self->source_count; i++) {
        const source_t *source = &self->sources[i];
        for (uint32_t j = 0; j < source->document->definition_count; j++) {
            const ast_definition_t *definition = &source->document->definitions[j];
            if (definition->kind != AST_SCHEMA)
                continue;
            if (!schema->description)
                schema->description = b_description(definition->description);
            if (!b_apply(self, source, &definition->directives, SCHEMA_ON_SCHEMA, &schema->applied))
                return false;
        }
    }
    return s_root(self, AST_QUERY, &schema->query) &&
           s_root(self, AST_MUTATION, &schema->mutation) &&
           s_root(self, AST_SUBSCRIPTION, &schema->subscription);
}

bool b_fill_meta_fields(builder_t *self)
{
    schema_t *schema = self->schema;
    const draft_t *draft = self->drafts[names_find(self->names, "__Meta", 6)->id];
    const ast_type_definition_t *node = &draft->first->definition->type;
    schema_type_t parent = {.name = draft->name};
    schema_field_t *fields = b_alloc(self, node->field_count, sizeof *fields);
    if (!fields)
        return false;
    for (uint32_t i = 0; i < node->field_count; i++) {
        fields[i].parent = &parent;
        if (!s_fill_field(self, draft->first->source, &node->fields[i], &fields[i]))
            return false;
        fields[i].index = i;
        fields[i].kind = SCHEMA_FIELD_TYPENAME + i;
        fields[i].coordinate = fields[i].name->data;
        fields[i].parent = i == 0 ? NULL : schema->query;
    }
    schema->typename_field = &fields[0];
    schema->schema_meta_field = &fields[1];
    schema->type_meta_field = &fields[2];
    return true;
}
