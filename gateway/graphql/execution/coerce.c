#include "gateway/graphql/execution/coerce.h"

#include <string.h>

#include "gateway/graphql/execution/plan.h"
#include "gateway/graphql/language/print_value.h"

/* Types, literals and the defaults of input objects together nest no deeper than this. */
enum { COERCE_MAX_DEPTH = 1000 };

typedef struct {
    const variables_t *variables;
    buffer_t *out;
    unsigned depth;
} literal_t;

static bool s_literal(literal_t *self, const schema_ref_t *type, const ast_value_t *value);

json_slice_t variables_get(const variables_t *self, const name_t *name)
{
    uint32_t index = self ? plan_variable(self->scratch, self->operation, name) : UINT32_MAX;
    return index == UINT32_MAX ? (json_slice_t){.data = NULL} : self->values[index];
}

static bool s_is_null(json_slice_t text)
{
    return text.size == 4 && text.data[0] == 'n';
}

static void s_put_string(buffer_t *out, const char *data, size_t size)
{
    buffer_put_json_string(out, data, size);
}

/* A value of a scalar that the gateway knows nothing about. */
static void s_untyped(literal_t *self, const ast_value_t *value);

static void s_untyped_map(literal_t *self, const ast_value_t *value)
{
    buffer_put_char(self->out, '{');
    bool first = true;
    for (uint32_t i = 0; i < value->object.count; i++) {
        const ast_object_field_t *field = &value->object.fields[i];
        if (field->value.kind == AST_VARIABLE &&
            !variables_get(self->variables, field->value.name).data)
            continue;
        if (!first)
            buffer_put_char(self->out, ',');
        first = false;
        s_put_string(self->out, field->name->data, field->name->size);
        buffer_put_char(self->out, ':');
        s_untyped(self, &field->value);
    }
    buffer_put_char(self->out, '}');
}

static void s_untyped(literal_t *self, const ast_value_t *value)
{
    json_slice_t text;
    switch (value->kind) {
    case AST_VARIABLE:
        text = variables_get(self->variables, value->name);
        buffer_put(self->out, text.data ? text.data : "null", text.data ? text.size : 4);
        break;
    case AST_INT:
    case AST_FLOAT:
        buffer_put(self->out, value->text.data, value->text.size);
        break;
    case AST_STRING:
        s_put_string(self->out, value->text.data, value->text.size);
        break;
    case AST_ENUM:
        s_put_string(self->out, value->name->data, value->name->size);
        break;
    case AST_BOOLEAN:
        buffer_put_str(self->out, value->boolean ? "true" : "false");
        break;
    case AST_NULL:
        buffer_put_str(self->out, "null");
        break;
    case AST_LIST:
        buffer_put_char(self->out, '[');
        for (uint32_t i = 0; i < value->list.count; i++) {
            if (i)
                buffer_put_char(self->out, ',');
            s_untyped(self, &value->list.items[i]);
        }
        buffer_put_char(self->out, ']');
        break;
    case AST_OBJECT:
        s_untyped_map(self, value);
        break;
    }
}

static bool s_scalar(literal_t *self, const schema_type_t *type, const ast_value_t *value)
{
    int64_t integer;
    double number;
    json_slice_t text;
    if (type->scalar == SCALAR_CUSTOM) {
        s_untyped(self, value);
        return true;
    }
    if (!scalar_accepts_literal(type->scalar, value))
        return false;
    switch (type->scalar) {
    case SCALAR_INT:
    case SCALAR_AWS_TIMESTAMP:
        if (!scalar_number_to_int(type->scalar, value->text.data, value->text.size, false,
                                  &integer))
            return false;
        buffer_put_int(self->out, integer);
        return true;
    case SCALAR_FLOAT:
        text = (json_slice_t){value->text.data, value->text.size};
        if (!json_to_double(text, &number))
            return false;
        buffer_put(self->out, text.data, text.size);
        return true;
    case SCALAR_BOOLEAN:
        buffer_put_str(self->out, value->boolean ? "true" : "false");
        return true;
    default:
        s_put_string(self->out, value->text.data, value->text.size);
        return true;
    }
}

static bool s_enum(literal_t *self, const schema_type_t *type, const ast_value_t *value)
{
    if (value->kind != AST_ENUM || !schema_type_value(type, value->name))
        return false;
    s_put_string(self->out, value->name->data, value->name->size);
    return true;
}

/* A variable that the request gave no value, nor its definition. */
static bool s_missing(const literal_t *self, const ast_value_t *value)
{
    return value->kind == AST_VARIABLE && !variables_get(self->variables, value->name).data;
}

static bool s_list(literal_t *self, const schema_ref_t *item_type, const ast_value_t *value)
{
    buffer_put_char(self->out, '[');
    if (value->kind != AST_LIST) {
        if (!s_literal(self, item_type, value))
            return false;
    } else {
        for (uint32_t i = 0; i < value->list.count; i++) {
            const ast_value_t *item = &value->list.items[i];
            if (i)
                buffer_put_char(self->out, ',');
            if (s_missing(self, item)) {
                if (item_type->kind == SCHEMA_REF_NON_NULL)
                    return false;
                buffer_put_str(self->out, "null");
            } else if (!s_literal(self, item_type, item)) {
                return false;
            }
        }
    }
    buffer_put_char(self->out, ']');
    return true;
}

static const ast_value_t *s_object_member(const ast_value_t *value, const name_t *name)
{
    for (uint32_t i = 0; i < value->object.count; i++)
        if (name_equal(value->object.fields[i].name, name))
            return &value->object.fields[i].value;
    return NULL;
}

/* One field of an input object. *count goes up if it is there. */
static bool s_input_field(literal_t *self,
                          const schema_input_t *field,
                          const ast_value_t *given,
                          uint32_t *count)
{
    if (given && s_missing(self, given))
        given = NULL;
    const ast_value_t *value = given ? given : field->default_value;
    if (!value)
        return field->type->kind != SCHEMA_REF_NON_NULL;
    if ((*count)++)
        buffer_put_char(self->out, ',');
    s_put_string(self->out, field->name->data, field->name->size);
    buffer_put_char(self->out, ':');
    return s_literal(self, field->type, value);
}

static bool s_input_object(literal_t *self, const schema_type_t *type, const ast_value_t *value)
{
    if (value->kind != AST_OBJECT)
        return false;
    uint32_t count = 0;
    buffer_put_char(self->out, '{');
    for (uint32_t i = 0; i < type->input_count; i++)
        if (!s_input_field(self, &type->inputs[i], s_object_member(value, type->inputs[i].name),
                           &count))
            return false;
    buffer_put_char(self->out, '}');
    if (!type->is_one_of || self->out->failed)
        return true;
    static const char null_end[] = ":null}";
    return count == 1 && memcmp(self->out->data + self->out->size - (sizeof null_end - 1), null_end,
                                sizeof null_end - 1) != 0;
}

static bool s_literal(literal_t *self, const schema_ref_t *type, const ast_value_t *value)
{
    if (value->kind == AST_VARIABLE) {
        json_slice_t text = variables_get(self->variables, value->name);
        if (!text.data || (s_is_null(text) && type->kind == SCHEMA_REF_NON_NULL))
            return false;
        buffer_put(self->out, text.data, text.size);
        return true;
    }
    if (type->kind == SCHEMA_REF_NON_NULL) {
        if (value->kind == AST_NULL)
            return false;
        type = type->of;
    }
    if (value->kind == AST_NULL) {
        buffer_put_str(self->out, "null");
        return true;
    }
    if (self->out->failed || self->depth >= COERCE_MAX_DEPTH)
        return false;
    self->depth++;
    bool ok;
    if (type->kind == SCHEMA_REF_LIST)
        ok = s_list(self, type->of, value);
    else if (type->type->kind == SCHEMA_INPUT_OBJECT)
        ok = s_input_object(self, type->type, value);
    else if (type->type->kind == SCHEMA_ENUM)
        ok = s_enum(self, type->type, value);
    else
        ok = s_scalar(self, type->type, value);
    self->depth--;
    return ok;
}

bool coerce_literal(const schema_ref_t *type,
                    const ast_value_t *value,
                    const variables_t *variables,
                    buffer_t *out)
{
    literal_t self = {.variables = variables, .out = out};
    return s_literal(&self, type, value);
}

/* ---- arguments ---- */
static const ast_argument_t *s_argument(const ast_selection_t *node, const name_t *name)
{
    for (uint32_t i = 0; i < node->field.argument_count; i++)
        if (name_equal(node->field.arguments[i].name, name))
            return &node->field.arguments[i];
    return NULL;
}

typedef struct {
    const ast_selection_t *node;
    const variables_t *variables;
    field_errors_t *errors;
    const path_t *path;
    buffer_t *out;
    bool any;
} arguments_t;

static bool
s_put_argument(arguments_t *self, const schema_input_t *definition, const ast_value_t *value)
{
    if (self->any)
        buffer_put_char(self->out, ',');
    self->any = true;
    s_put_string(self->out, definition->name->data, definition->name->size);
    buffer_put_char(self->out, ':');
    return coerce_literal(definition->type, value, self->variables, self->out);
}

/* No value was given: the default, or nothing, or an error. */
static bool
s_absent_argument(arguments_t *self, const schema_input_t *definition, const ast_value_t *value)
{
    if (definition->default_value)
        return s_put_argument(self, definition, definition->default_value);
    if (definition->type->kind != SCHEMA_REF_NON_NULL)
        return true;
    if (value)
        field_errors_addf_at(self->errors, value->loc, self->path, ERR_BAD_USER_INPUT,
                             "Argument \"%s\" of required type \"%s\" was provided the variable "
                             "\"$%s\" which was not provided a runtime value.",
                             definition->name->data, definition->type->text, value->name->data);
    else
        field_errors_addf_at(self->errors, self->node->loc, self->path, ERR_BAD_USER_INPUT,
                             "Argument \"%s\" of required type \"%s\" was not provided.",
                             definition->name->data, definition->type->text);
    return false;
}

static bool s_argument_value(arguments_t *self, const schema_input_t *definition)
{
    const ast_argument_t *given = s_argument(self->node, definition->name);
    if (!given)
        return s_absent_argument(self, definition, NULL);
    const ast_value_t *value = &given->value;
    bool is_null = value->kind == AST_NULL;
    if (value->kind == AST_VARIABLE) {
        json_slice_t text = variables_get(self->variables, value->name);
        if (!text.data)
            return s_absent_argument(self, definition, value);
        is_null = s_is_null(text);
    }
    if (is_null && definition->type->kind == SCHEMA_REF_NON_NULL) {
        field_errors_addf_at(self->errors, value->loc, self->path, ERR_BAD_USER_INPUT,
                             "Argument \"%s\" of non-null type \"%s\" must not be null.",
                             definition->name->data, definition->type->text);
        return false;
    }
    if (s_put_argument(self, definition, value))
        return true;
    field_errors_addf_at(self->errors, value->loc, self->path, ERR_BAD_USER_INPUT,
                         "Argument \"%s\" has invalid value %s.", definition->name->data,
                         print_value_short(self->errors->arena, value));
    return false;
}

bool coerce_arguments(const schema_input_t *definitions,
                      uint32_t definition_count,
                      const ast_selection_t *node,
                      const variables_t *variables,
                      field_errors_t *errors,
                      const path_t *path,
                      buffer_t *out)
{
    arguments_t self = {
        .node = node, .variables = variables, .errors = errors, .path = path, .out = out};
    buffer_put_char(out, '{');
    for (uint32_t i = 0; i < definition_count; i++)
        if (!s_argument_value(&self, &definitions[i]))
            return false;
    buffer_put_char(out, '}');
    return true;
}
