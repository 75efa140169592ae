#include "gateway/graphql/type/literal.h"

#include <stdarg.h>
#include <string.h>

#include "gateway/graphql/language/print_value.h"
#include "gateway/graphql/language/suggest.h"

static bool s_report(literal_check_t *self, ast_loc_t loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool s_report(literal_check_t *self, ast_loc_t loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(self->arena, format, args);
    va_end(args);
    if (!self->report(self->arg, loc, message ? message : ""))
        self->stopped = true;
    return false;
}

static bool
s_check_specified(literal_check_t *self, const ast_value_t *value, const schema_type_t *type)
{
    const char *expected = NULL;
    switch (type->scalar) {
    case SCALAR_INT:
        if (value->kind == AST_INT)
            return s_report(self, value->loc,
                            "Int cannot represent non 32-bit signed integer value: %s",
                            print_value_short(self->arena, value));
        expected = "Int cannot represent non-integer value: ";
        break;
    case SCALAR_FLOAT:
        expected = "Float cannot represent non numeric value: ";
        break;
    case SCALAR_STRING:
        expected = "String cannot represent a non string value: ";
        break;
    case SCALAR_BOOLEAN:
        expected = "Boolean cannot represent a non boolean value: ";
        break;
    case SCALAR_ID:
        expected = "ID cannot represent a non-string and non-integer value: ";
        break;
    default:
        return s_report(self, value->loc, "Expected value of type \"%s\" (%s), found: %s.",
                        type->name->data, scalar_expectation(type->scalar),
                        print_value_short(self->arena, value));
    }
    return s_report(self, value->loc, "%s%s", expected, print_value_short(self->arena, value));
}

static bool
s_check_scalar(literal_check_t *self, const ast_value_t *value, const schema_type_t *type)
{
    /* A variable inside an object or list given to a scalar is looked at when its value is known.
     */
    if (!value->constant && type->scalar == SCALAR_CUSTOM)
        return true;
    return scalar_accepts_literal(type->scalar, value) || s_check_specified(self, value, type);
}

static const char *
s_suggest_value(literal_check_t *self, const schema_type_t *type, const char *text)
{
    suggest_t suggest;
    suggest_init(&suggest, self->suggestions ? text : NULL, strlen(text));
    for (uint32_t i = 0; i < type->value_count; i++)
        suggest_add_name(&suggest, type->values[i].name);
    /* As in graphql-js: ` Did you mean the enum value "A"?` */
    const char *items[SUGGEST_MAX];
    for (uint32_t i = 0; i < suggest.count; i++)
        items[i] = suggest.best[i].text;
    return suggest_list_text(items, suggest.count, "the enum value", self->arena);
}

static bool s_check_enum(literal_check_t *self, const ast_value_t *value, const schema_type_t *type)
{
    if (value->kind == AST_ENUM && schema_type_value(type, value->name))
        return true;
    const char *text = print_value_short(self->arena, value);
    const char *suggestion = s_suggest_value(self, type, text);
    if (value->kind != AST_ENUM)
        return s_report(self, value->loc, "Enum \"%s\" cannot represent non-enum value: %s.%s",
                        type->name->data, text, suggestion);
    return s_report(self, value->loc, "Value \"%s\" does not exist in \"%s\" enum.%s", text,
                    type->name->data, suggestion);
}

/* The last field of that name: as in a map, later ones replace earlier ones. */
static const ast_object_field_t *s_field(const ast_value_t *value, const name_t *name)
{
    for (uint32_t i = value->object.count; i-- > 0;) {
        if (name_equal(value->object.fields[i].name, name))
            return &value->object.fields[i];
    }
    return NULL;
}

static bool s_report_unknown_field(literal_check_t *self,
                                   const ast_value_t *value,
                                   const ast_object_field_t *field,
                                   const schema_type_t *type)
{
    suggest_t suggest;
    suggest_init(&suggest, self->suggestions ? field->name->data : NULL, field->name->size);
    for (uint32_t i = 0; i < type->input_count; i++)
        suggest_add_name(&suggest, type->inputs[i].name);
    const char *text = suggest_text(&suggest, self->arena);
    return s_report(self, field->loc,
                    "Expected value of type \"%s\" not to include unknown field \"%s\"%s%s%s: %s.",
                    type->name->data, field->name->data, *text ? "." : "", text,
                    *text ? " Found" : ", found", print_value_short(self->arena, value));
}

static bool s_check_one_of(literal_check_t *self,
                           const ast_value_t *value,
                           const schema_type_t *type,
                           uint32_t known,
                           const ast_value_t *only)
{
    if (known == 1 && only->kind != AST_NULL)
        return true;
    return s_report(self, value->loc,
                    "Within OneOf Input Object type \"%s\", exactly one field must be specified, "
                    "and the value for that field must be non-null.",
                    type->name->data);
}

static bool
s_check_object(literal_check_t *self, const ast_value_t *value, const schema_type_t *type)
{
    bool ok = true;
    uint32_t known = 0;
    const ast_value_t *only = NULL;
    if (value->kind != AST_OBJECT)
        return s_report(self, value->loc,
                        "Expected value of type \"%s\" to be an object, found: %s.",
                        type->name->data, print_value_short(self->arena, value));
    for (uint32_t i = 0; i < type->input_count && !self->stopped; i++) {
        const schema_input_t *input = &type->inputs[i];
        const ast_object_field_t *field = s_field(value, input->name);
        if (field)
            ok &= literal_check(self, &field->value, input->type);
        else if (schema_input_is_required(input))
            ok = s_report(self, value->loc,
                          "Expected value of type \"%s\" to include required field \"%s\", "
                          "found: %s.",
                          type->name->data, input->name->data,
                          print_value_short(self->arena, value));
    }
    for (uint32_t i = 0; i < value->object.count && !self->stopped; i++) {
        const ast_object_field_t *field = &value->object.fields[i];
        if (!schema_type_input(type, field->name)) {
            ok = s_report_unknown_field(self, value, field, type);
            continue;
        }
        if (known++ == 0)
            only = &field->value;
    }
    if (type->is_one_of && !self->stopped)
        ok &= s_check_one_of(self, value, type, known, only);
    return ok;
}

bool literal_check(literal_check_t *self, const ast_value_t *value, const schema_ref_t *type)
{
    if (value->kind == AST_VARIABLE)
        return true;
    if (type->kind == SCHEMA_REF_NON_NULL) {
        if (value->kind == AST_NULL)
            return s_report(self, value->loc,
                            "Expected value of non-null type \"%s\" not to be null.", type->text);
        type = type->of;
    }
    if (value->kind == AST_NULL)
        return true;
    if (type->kind == SCHEMA_REF_LIST) {
        bool ok = true;
        if (value->kind != AST_LIST)
            return literal_check(self, value, type->of);
        for (uint32_t i = 0; i < value->list.count && !self->stopped; i++)
            ok &= literal_check(self, &value->list.items[i], type->of);
        return ok;
    }
    switch (type->type->kind) {
    case SCHEMA_INPUT_OBJECT:
        return s_check_object(self, value, type->type);
    case SCHEMA_ENUM:
        return s_check_enum(self, value, type->type);
    case SCHEMA_SCALAR:
        return s_check_scalar(self, value, type->type);
    default:
        return true; /* no input type: reported where the type is */
    }
}
