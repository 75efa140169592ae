/* The rules of GraphQL 2025-09 3 that need the whole schema, and the gateway's own. */
#include <string.h>

#include "gateway/graphql/type/builder.h"
#include "gateway/graphql/type/check_inputs.h"
#include "gateway/graphql/type/literal.h"

static bool s_check_name(builder_t *self, const char *service, ast_loc_t loc, const name_t *name)
{
    if (name->size < 2 || memcmp(name->data, "__", 2) != 0)
        return true;
    return b_fail(self, service, loc,
                  "Name \"%s\" must not begin with \"__\", which is reserved by GraphQL "
                  "introspection.",
                  name->data);
}

/* ---- arguments and input fields ---- */

typedef struct {
    builder_t *builder;
    const char *service;
    const char *owner;
    const char *name;
} default_arg_t;

static bool s_report_default(void *arg, ast_loc_t loc, const char *message)
{
    const default_arg_t *self = arg;
    return b_fail(self->builder, self->service, loc, "%s%s has invalid default value: %s",
                  self->owner, self->name, message);
}

/* `owner` and `name` make the coordinate: "Query.a" "(b:)", or "Filter" ".b". */
static bool s_check_input(builder_t *self,
                          const char *service,
                          const schema_input_t *input,
                          const char *owner,
                          bool is_argument)
{
    const char *name = arena_printf(self->arena, is_argument ? "(%s:)" : ".%s", input->name->data);
    if (!name)
        return b_no_memory(self);
    if (!s_check_name(self, service, input->loc, input->name))
        return false;
    if (!schema_type_is_input(input->type->type))
        return b_fail(self, service, input->loc, "The type of %s%s must be Input Type but got: %s.",
                      owner, name, input->type->text);
    if (schema_input_is_required(input) && input->deprecation_reason)
        return b_fail(self, service, input->loc, "Required %s %s%s cannot be deprecated.",
                      is_argument ? "argument" : "input field", owner, name);
    if (!input->default_value)
        return true;
    default_arg_t arg = {.builder = self, .service = service, .owner = owner, .name = name};
    literal_check_t check = {
        .arena = self->arena, .suggestions = true, .report = s_report_default, .arg = &arg};
    return literal_check(&check, input->default_value, input->type);
}

/* ---- fields ---- */

static bool s_check_field(builder_t *self, const schema_field_t *field)
{
    if (!s_check_name(self, field->service, field->loc, field->name))
        return false;
    if (!schema_type_is_output(field->type->type))
        return b_fail(self, field->service, field->loc,
                      "The type of %s must be Output Type but got: %s.", field->coordinate,
                      field->type->text);
    for (uint32_t i = 0; i < field->argument_count; i++) {
        if (!s_check_input(self, field->service, &field->arguments[i], field->coordinate, true))
            return false;
    }
    return true;
}

static bool s_check_fields(builder_t *self, const schema_type_t *type)
{
    if (type->field_count == 0)
        return b_fail(self, type->service, type->loc, "Type %s must define one or more fields.",
                      type->name->data);
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (!s_check_field(self, &type->fields[i]))
            return false;
    }
    return true;
}

/* ---- interfaces: IsValidImplementation (3.6) ---- */

static bool s_check_implementing_arguments(builder_t *self,
                                           const schema_field_t *own,
                                           const schema_field_t *wanted)
{
    for (uint32_t i = 0; i < wanted->argument_count; i++) {
        const schema_input_t *argument = &wanted->arguments[i];
        const schema_input_t *found =
            schema_argument(own->arguments, own->argument_count, argument->name);
        if (!found)
            return b_fail(self, own->service, own->loc,
                          "Interface field argument %s(%s:) expected but %s does not provide it.",
                          wanted->coordinate, argument->name->data, own->coordinate);
        if (!schema_ref_equal(argument->type, found->type))
            return b_fail(self, own->service, found->loc,
                          "Interface field argument %s(%s:) expects type %s but %s(%s:) is type "
                          "%s.",
                          wanted->coordinate, argument->name->data, argument->type->text,
                          own->coordinate, found->name->data, found->type->text);
    }
    for (uint32_t i = 0; i < own->argument_count; i++) {
        const schema_input_t *argument = &own->arguments[i];
        if (schema_input_is_required(argument) &&
            !schema_argument(wanted->arguments, wanted->argument_count, argument->name))
            return b_fail(self, own->service, argument->loc,
                          "Argument \"%s(%s:)\" must not be required type \"%s\" if not provided "
                          "by the Interface field \"%s\".",
                          own->coordinate, argument->name->data, argument->type->text,
                          wanted->coordinate);
    }
    return true;
}

static bool
s_check_implementing_field(builder_t *self, const schema_type_t *type, const schema_field_t *wanted)
{
    const schema_field_t *own = schema_type_own_field(type, wanted->name);
    if (!own)
        return b_fail(self, type->service, type->loc,
                      "Interface field %s expected but %s does not provide it.", wanted->coordinate,
                      type->name->data);
    if (!schema_ref_is_subtype(own->type, wanted->type))
        return b_fail(self, own->service, own->loc,
                      "Interface field %s expects type %s but %s is type %s.", wanted->coordinate,
                      wanted->type->text, own->coordinate, own->type->text);
    if (own->deprecation_reason && !wanted->deprecation_reason)
        return b_fail(
            self, own->service, own->loc,
            "Interface field %s is not deprecated, so implementation field %s must not be "
            "deprecated.",
            wanted->coordinate, own->coordinate);
    return s_check_implementing_arguments(self, own, wanted);
}

static bool s_check_interfaces(builder_t *self, const schema_type_t *type)
{
    for (uint32_t i = 0; i < type->interface_count; i++) {
        const schema_type_t *interface = type->interfaces[i];
        if (interface == type)
            return b_fail(self, type->service, type->loc,
                          "Type %s cannot implement itself because it would create a circular "
                          "reference.",
                          type->name->data);
        for (uint32_t j = 0; j < interface->interface_count; j++) {
            const schema_type_t *above = interface->interfaces[j];
            if (above == type)
                return b_fail(self, type->service, type->loc,
                              "Type %s cannot implement %s because it would create a circular "
                              "reference.",
                              type->name->data, interface->name->data);
            if (!schema_type_implements(type, above))
                return b_fail(self, type->service, type->loc,
                              "Type %s must implement %s because it is implemented by %s.",
                              type->name->data, above->name->data, interface->name->data);
        }
        for (uint32_t j = 0; j < interface->field_count; j++) {
            if (!s_check_implementing_field(self, type, &interface->fields[j]))
                return false;
        }
    }
    return true;
}

/* ---- what the gateway asks of services ---- */

static bool s_is_root(const schema_t *schema, const schema_type_t *type)
{
    return type == schema->query || type == schema->mutation || type == schema->subscription;
}

static bool s_check_needs(builder_t *self, const schema_field_t *field)
{
    for (uint32_t i = 0; i < field->need_count; i++) {
        const schema_field_t *needed = schema_type_own_field(field->parent, field->needs[i]);
        if (!needed || needed->is_resolved || !schema_type_is_leaf(needed->type->type))
            return b_fail(self, field->service, field->loc,
                          "@resolve(needs:) of %s names \"%s\", which is no scalar or enum field "
                          "that %s has by itself.",
                          field->coordinate, field->needs[i]->data, field->parent->name->data);
        for (uint32_t j = 0; j < needed->argument_count; j++) {
            if (schema_input_is_required(&needed->arguments[j]))
                return b_fail(self, field->service, field->loc,
                              "@resolve(needs:) of %s names \"%s\", which needs an argument.",
                              field->coordinate, field->needs[i]->data);
        }
    }
    return true;
}

static bool s_check_ownership(builder_t *self, const schema_type_t *type)
{
    bool is_root = s_is_root(self->schema, type);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        if (field->is_resolved && (is_root || type->kind != SCHEMA_OBJECT))
            return b_fail(self, field->service, field->loc,
                          "@resolve is for fields of object types below the root; %s is none.",
                          field->coordinate);
        if (!is_root && !field->is_resolved && type->kind == SCHEMA_OBJECT && field->service &&
            strcmp(field->service, type->service) != 0)
            return b_fail(self, field->service, field->loc,
                          "Field %s extends a type of service %s and needs @resolve.",
                          field->coordinate, type->service);
        if (field->is_subscribe && type != self->schema->subscription)
            return b_fail(self, field->service, field->loc,
                          "@aws_subscribe is for fields of the subscription root; %s is none.",
                          field->coordinate);
        if (field->is_resolved && !s_check_needs(self, field))
            return false;
    }
    return true;
}

/* ---- one type ---- */

static bool s_check_enum(builder_t *self, const schema_type_t *type)
{
    if (type->value_count == 0)
        return b_fail(self, type->service, type->loc,
                      "Enum type %s must define one or more values.", type->name->data);
    for (uint32_t i = 0; i < type->value_count; i++) {
        if (!s_check_name(self, type->service, type->values[i].loc, type->values[i].name))
            return false;
    }
    return true;
}

static bool s_check_input_object(builder_t *self, const schema_type_t *type)
{
    if (type->input_count == 0)
        return b_fail(self, type->service, type->loc,
                      "Input Object type %s must define one or more fields.", type->name->data);
    for (uint32_t i = 0; i < type->input_count; i++) {
        const schema_input_t *input = &type->inputs[i];
        if (!s_check_input(self, type->service, input, type->name->data, false))
            return false;
        if (type->is_one_of && input->type->kind == SCHEMA_REF_NON_NULL)
            return b_fail(self, type->service, input->loc,
                          "OneOf input field %s.%s must be nullable.", type->name->data,
                          input->name->data);
        if (type->is_one_of && input->default_value)
            return b_fail(self, type->service, input->loc,
                          "OneOf input field %s.%s cannot have a default value.", type->name->data,
                          input->name->data);
    }
    return true;
}

static bool s_check_type(builder_t *self, const schema_type_t *type)
{
    if (!s_check_name(self, type->service, type->loc, type->name))
        return false;
    switch (type->kind) {
    case SCHEMA_SCALAR:
        return true;
    case SCHEMA_OBJECT:
    case SCHEMA_INTERFACE:
        return s_check_fields(self, type) && s_check_interfaces(self, type) &&
               s_check_ownership(self, type);
    case SCHEMA_UNION:
        if (type->possible_count == 0)
            return b_fail(self, type->service, type->loc,
                          "Union type %s must define one or more member types.", type->name->data);
        return true;
    case SCHEMA_ENUM:
        return s_check_enum(self, type);
    case SCHEMA_INPUT_OBJECT:
        return s_check_input_object(self, type);
    }
    return true;
}

/* ---- directives (3.13) ---- */

static bool s_check_directive(builder_t *self, const schema_directive_t *directive)
{
    const char *owner = arena_printf(self->arena, "@%s", directive->name->data);
    if (!owner)
        return b_no_memory(self);
    if (!s_check_name(self, directive->service, directive->loc, directive->name))
        return false;
    for (uint32_t i = 0; i < directive->argument_count; i++) {
        if (!s_check_input(self, directive->service, &directive->arguments[i], owner, true))
            return false;
    }
    return true;
}

bool b_check_schema(builder_t *self)
{
    const schema_t *schema = self->schema;
    if (!b_check_applied(self))
        return false;
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        if (!s_check_directive(self, schema->directives[i]))
            return false;
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        if (!schema->types[i]->is_builtin && !s_check_type(self, schema->types[i]))
            return false;
    }
    return check_inputs_are_finite(self) && check_inputs_default_cycles(self) &&
           check_directive_cycles(self);
}
