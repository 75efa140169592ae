#include "gateway/graphql/type/print_schema.h"

#include <string.h>

#include "gateway/graphql/language/print_value.h"

static void s_put_indent(unsigned indent, buffer_t *out)
{
    for (unsigned i = 0; i < indent; i++)
        buffer_put_char(out, ' ');
}

static void
s_print_description(const char *description, unsigned indent, bool is_first, buffer_t *out)
{
    if (!description)
        return;
    size_t size = strlen(description);
    if (indent && !is_first)
        buffer_put_char(out, '\n');
    s_put_indent(indent, out);
    if (print_block_string_is_fit(description, size))
        print_block_string(description, size, indent, out);
    else
        print_string(description, size, out);
    buffer_put_char(out, '\n');
}

static void s_print_deprecated(const char *reason, buffer_t *out)
{
    if (!reason)
        return;
    buffer_put_str(out, " @deprecated");
    if (strcmp(reason, "No longer supported") == 0)
        return;
    buffer_put_str(out, "(reason: ");
    print_string(reason, strlen(reason), out);
    buffer_put_char(out, ')');
}

static void s_print_input(const schema_input_t *input, buffer_t *out)
{
    buffer_put_str(out, input->name->data);
    buffer_put_str(out, ": ");
    buffer_put_str(out, input->type->text);
    if (input->default_value) {
        buffer_put_str(out, " = ");
        print_value(input->default_value, out);
    }
    s_print_deprecated(input->deprecation_reason, out);
}

static void
s_print_arguments(const schema_input_t *arguments, uint32_t count, unsigned indent, buffer_t *out)
{
    bool described = false;
    for (uint32_t i = 0; i < count; i++)
        described |= arguments[i].description != NULL;
    if (count == 0)
        return;
    buffer_put_char(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        if (described) {
            buffer_put_char(out, '\n');
            s_print_description(arguments[i].description, indent + 2, i == 0, out);
            s_put_indent(indent + 2, out);
        } else if (i) {
            buffer_put_str(out, ", ");
        }
        s_print_input(&arguments[i], out);
    }
    if (described) {
        buffer_put_char(out, '\n');
        s_put_indent(indent, out);
    }
    buffer_put_char(out, ')');
}

static void s_print_fields(const schema_type_t *type, buffer_t *out)
{
    for (uint32_t i = 0; i < type->interface_count; i++) {
        buffer_put_str(out, i ? " & " : " implements ");
        buffer_put_str(out, type->interfaces[i]->name->data);
    }
    buffer_put_str(out, " {\n");
    for (uint32_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        s_print_description(field->description, 2, i == 0, out);
        buffer_put_str(out, "  ");
        buffer_put_str(out, field->name->data);
        s_print_arguments(field->arguments, field->argument_count, 2, out);
        buffer_put_str(out, ": ");
        buffer_put_str(out, field->type->text);
        s_print_deprecated(field->deprecation_reason, out);
        buffer_put_char(out, '\n');
    }
    buffer_put_char(out, '}');
}

static void s_print_members(const schema_type_t *type, buffer_t *out)
{
    for (uint32_t i = 0; i < type->possible_count; i++) {
        buffer_put_str(out, i ? " | " : " = ");
        buffer_put_str(out, type->possible[i]->name->data);
    }
}

static void s_print_values(const schema_type_t *type, buffer_t *out)
{
    buffer_put_str(out, " {\n");
    for (uint32_t i = 0; i < type->value_count; i++) {
        s_print_description(type->values[i].description, 2, i == 0, out);
        buffer_put_str(out, "  ");
        buffer_put_str(out, type->values[i].name->data);
        s_print_deprecated(type->values[i].deprecation_reason, out);
        buffer_put_char(out, '\n');
    }
    buffer_put_char(out, '}');
}

static void s_print_inputs(const schema_type_t *type, buffer_t *out)
{
    buffer_put_str(out, type->is_one_of ? " @oneOf {\n" : " {\n");
    for (uint32_t i = 0; i < type->input_count; i++) {
        s_print_description(type->inputs[i].description, 2, i == 0, out);
        buffer_put_str(out, "  ");
        s_print_input(&type->inputs[i], out);
        buffer_put_char(out, '\n');
    }
    buffer_put_char(out, '}');
}

static void s_print_type(const schema_type_t *type, buffer_t *out)
{
    static const char *const words[] = {"scalar ", "type ", "interface ",
                                        "union ",  "enum ", "input "};
    s_print_description(type->description, 0, true, out);
    buffer_put_str(out, words[type->kind]);
    buffer_put_str(out, type->name->data);
    switch (type->kind) {
    case SCHEMA_SCALAR:
        if (type->specified_by_url) {
            buffer_put_str(out, " @specifiedBy(url: ");
            print_string(type->specified_by_url, strlen(type->specified_by_url), out);
            buffer_put_char(out, ')');
        }
        return;
    case SCHEMA_OBJECT:
    case SCHEMA_INTERFACE:
        s_print_fields(type, out);
        return;
    case SCHEMA_UNION:
        s_print_members(type, out);
        return;
    case SCHEMA_ENUM:
        s_print_values(type, out);
        return;
    case SCHEMA_INPUT_OBJECT:
        s_print_inputs(type, out);
        return;
    }
}

static void s_print_directive(const schema_directive_t *directive, buffer_t *out)
{
    s_print_description(directive->description, 0, true, out);
    buffer_put_str(out, "directive @");
    buffer_put_str(out, directive->name->data);
    s_print_arguments(directive->arguments, directive->argument_count, 0, out);
    if (directive->is_repeatable)
        buffer_put_str(out, " repeatable");
    buffer_put_str(out, " on ");
    for (uint32_t i = 0; i < directive->location_order_count; i++) {
        buffer_put_str(out, i ? " | " : "");
        buffer_put_str(out, schema_location_name(directive->location_order[i]));
    }
}

static bool s_is_default_root(const schema_t *self, const schema_type_t *root, const char *name)
{
    return root == schema_type_by_text(self, name, strlen(name));
}

static void s_print_root(const char *operation, const schema_type_t *root, buffer_t *out)
{
    if (root)
        buffer_printf(out, "  %s: %s\n", operation, root->name->data);
}

/* Only if it says more than the default names do. */
static bool s_print_schema_definition(const schema_t *self, buffer_t *out)
{
    if (!self->description && s_is_default_root(self, self->query, "Query") &&
        s_is_default_root(self, self->mutation, "Mutation") &&
        s_is_default_root(self, self->subscription, "Subscription"))
        return false;
    s_print_description(self->description, 0, true, out);
    buffer_put_str(out, "schema {\n");
    s_print_root("query", self->query, out);
    s_print_root("mutation", self->mutation, out);
    s_print_root("subscription", self->subscription, out);
    buffer_put_char(out, '}');
    return true;
}

static bool s_is_specified_scalar(const schema_type_t *type)
{
    return type->kind == SCHEMA_SCALAR && type->scalar >= SCALAR_INT && type->scalar <= SCALAR_ID;
}

void schema_print(const schema_t *self, buffer_t *out)
{
    bool separate = s_print_schema_definition(self, out);
    for (uint32_t i = 0; i < self->directive_count; i++) {
        if (self->directives[i]->is_specified)
            continue;
        buffer_put_str(out, separate ? "\n\n" : "");
        s_print_directive(self->directives[i], out);
        separate = true;
    }
    for (uint32_t i = 0; i < self->type_count; i++) {
        const schema_type_t *type = self->types[i];
        if (type->is_introspection || s_is_specified_scalar(type))
            continue;
        buffer_put_str(out, separate ? "\n\n" : "");
        s_print_type(type, out);
        separate = true;
    }
}

void schema_print_value(const ast_value_t *value, buffer_t *out)
{
    print_value(value, out);
}
