/* Values of variables, as a request gives them (GraphQL 2025-09 6.1.2 CoerceVariableValues). */
#include <math.h>
#include <string.h>

#include "gateway/graphql/execution/coerce.h"
#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/language/suggest.h"

enum {
    MAX_ERRORS = 50, /* as graphql-js */
    MAX_BYTES = 64 * 1024 * 1024,
};

/* Where in the value: .name or [index]. */
typedef struct place place_t;
struct place {
    const place_t *above;
    const char *name; /* NULL: an index */
    size_t index;
};

typedef struct {
    const schema_t *schema;
    const ast_variable_t *variable;
    arena_t *arena;
    gql_errors_t *errors;
    bool suggestions;
    uint32_t error_count;
    buffer_t out;
} coercion_t;

static bool
s_value(coercion_t *self, const schema_ref_t *type, const json_t *value, const place_t *place);

__attribute__((format(printf, 2, 3))) static void s_add(coercion_t *self, const char *format, ...)
{
    if (self->error_count > MAX_ERRORS)
        return;
    if (self->error_count++ == MAX_ERRORS) {
        gql_errors_add(self->errors, ERR_BAD_USER_INPUT, NULL, NULL, 0,
                       "Too many errors processing variables, error limit reached. Execution "
                       "aborted.");
        return;
    }
    va_list args;
    va_start(args, format);
    gql_errors_addv(self->errors, ERR_BAD_USER_INPUT, NULL, &self->variable->loc, 1, format, args);
    va_end(args);
}

static void s_put_place(buffer_t *out, const place_t *place)
{
    if (!place)
        return;
    s_put_place(out, place->above);
    if (place->name)
        buffer_printf(out, ".%s", place->name);
    else
        buffer_printf(out, "[%zu]", place->index);
}

/* Variable "$x" got invalid value 5 at "x.a[0]"; <message> */
__attribute__((format(printf, 4, 5))) static void
s_invalid(coercion_t *self, const json_t *value, const place_t *place, const char *format, ...)
{
    if (self->error_count > MAX_ERRORS || self->errors->out_of_memory)
        return;
    va_list args;
    va_start(args, format);
    const char *detail = arena_vprintf(self->arena, format, args);
    va_end(args);
    buffer_t at = BUFFER_INIT(4096);
    if (place) {
        buffer_printf(&at, " at \"%s", self->variable->name->data);
        s_put_place(&at, place);
        buffer_put_char(&at, '"');
    }
    if (detail)
        s_add(self, "Variable \"$%s\" got invalid value %s%.*s; %s", self->variable->name->data,
              inspect_value(self->arena, value), (int)at.size, at.data ? at.data : "", detail);
    else
        self->errors->out_of_memory = true;
    buffer_free(&at);
}

/* ---- leaves ---- */
static bool s_is_integer(const json_t *value)
{
    if (json_is_integer(value))
        return true;
    return json_is_real(value) && isfinite(json_real_value(value)) &&
           floor(json_real_value(value)) == json_real_value(value);
}

static void s_put_integer(buffer_t *out, const json_t *value)
{
    if (json_is_integer(value))
        buffer_put_int(out, json_integer_value(value));
    else
        inspect_number(out, json_real_value(value));
}

static bool s_int(coercion_t *self, const json_t *value, const place_t *place)
{
    if (!s_is_integer(value)) {
        s_invalid(self, value, place, "Int cannot represent non-integer value: %s",
                  inspect_value(self->arena, value));
        return false;
    }
    if (json_number_value(value) > INT32_MAX || json_number_value(value) < INT32_MIN) {
        s_invalid(self, value, place, "Int cannot represent non 32-bit signed integer value: %s",
                  inspect_value(self->arena, value));
        return false;
    }
    s_put_integer(&self->out, value);
    return true;
}

/* An AWS scalar. */
static bool
s_extended(coercion_t *self, const schema_type_t *type, const json_t *value, const place_t *place)
{
    const double safe = 9007199254740991.0; /* 2^53 - 1 */
    if (type->scalar == SCALAR_AWS_TIMESTAMP) {
        if (s_is_integer(value) && fabs(json_number_value(value)) <= safe) {
            s_put_integer(&self->out, value);
            return true;
        }
    } else if (json_is_string(value) && scalar_accepts_text(type->scalar, json_string_value(value),
                                                            json_string_length(value))) {
        buffer_put_json_string(&self->out, json_string_value(value), json_string_length(value));
        return true;
    }
    const char *expectation = scalar_expectation(type->scalar);
    s_invalid(self, value, place, "%s cannot represent value: %s%s%s", type->name->data,
              inspect_value(self->arena, value), expectation ? "; expected " : "",
              expectation ? expectation : "");
    return false;
}

/* What a scalar of the specification says about a value of the wrong kind. */
static bool
s_wrong_kind(coercion_t *self, const json_t *value, const place_t *place, const char *complaint)
{
    s_invalid(self, value, place, "%s: %s", complaint, inspect_value(self->arena, value));
    return false;
}

static void s_untyped(buffer_t *out, const json_t *value);

static void s_untyped_map(buffer_t *out, const json_t *value)
{
    const char *key;
    json_t *member;
    bool first = true;
    buffer_put_char(out, '{');
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (!first)
            buffer_put_char(out, ',');
        first = false;
        buffer_put_json_string(out, key, strlen(key));
        buffer_put_char(out, ':');
        s_untyped(out, member);
    }
    buffer_put_char(out, '}');
}

static void s_untyped(buffer_t *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        s_untyped_map(out, value);
        break;
    case JSON_ARRAY:
        buffer_put_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                buffer_put_char(out, ',');
            s_untyped(out, json_array_get(value, i));
        }
        buffer_put_char(out, ']');
        break;
    case JSON_STRING:
        buffer_put_json_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        s_put_integer(out, value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buffer_put_str(out, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        buffer_put_str(out, "null");
        break;
    }
}

static bool
s_scalar(coercion_t *self, const schema_type_t *type, const json_t *value, const place_t *place)
{
    switch (type->scalar) {
    case SCALAR_CUSTOM:
        s_untyped(&self->out, value);
        return true;
    case SCALAR_INT:
        return s_int(self, value, place);
    case SCALAR_FLOAT:
        if (!json_is_number(value) || !isfinite(json_number_value(value)))
            return s_wrong_kind(self, value, place, "Float cannot represent non numeric value");
        s_put_integer(&self->out, value);
        return true;
    case SCALAR_STRING:
        if (!json_is_string(value))
            return s_wrong_kind(self, value, place, "String cannot represent a non string value");
        s_untyped(&self->out, value);
        return true;
    case SCALAR_BOOLEAN:
        if (!json_is_boolean(value))
            return s_wrong_kind(self, value, place, "Boolean cannot represent a non boolean value");
        s_untyped(&self->out, value);
        return true;
    case SCALAR_ID:
        if (json_is_string(value)) {
            s_untyped(&self->out, value);
            return true;
        }
        if (!s_is_integer(value))
            return s_wrong_kind(self, value, place, "ID cannot represent value");
        buffer_put_char(&self->out, '"');
        s_put_integer(&self->out, value);
        buffer_put_char(&self->out, '"');
        return true;
    default:
        return s_extended(self, type, value, place);
    }
}

static const char *s_suggest_value(coercion_t *self, const schema_type_t *type, const char *given)
{
    suggest_t suggest;
    const char *items[SUGGEST_MAX];
    suggest_init(&suggest, self->suggestions ? given : NULL, strlen(given));
    for (uint32_t i = 0; i < type->value_count; i++)
        suggest_add_name(&suggest, type->values[i].name);
    for (uint32_t i = 0; i < suggest.count; i++)
        items[i] = suggest.best[i].text;
    return suggest_list_text(items, suggest.count, "the enum value", self->arena);
}

static const char *s_suggest_field(coercion_t *self, const schema_type_t *type, const char *given)
{
    suggest_t suggest;
    suggest_init(&suggest, self->suggestions ? given : NULL, strlen(given));
    for (uint32_t i = 0; i < type->input_count; i++)
        suggest_add_name(&suggest, type->inputs[i].name);
    return suggest_text(&suggest, self->arena);
}

static bool
s_enum(coercion_t *self, const schema_type_t *type, const json_t *value, const place_t *place)
{
    if (!json_is_string(value)) {
        const char *shown = inspect_value(self->arena, value);
        s_invalid(self, value, place, "Enum \"%s\" cannot represent non-string value: %s.%s",
                  type->name->data, shown, s_suggest_value(self, type, shown));
        return false;
    }
    if (!schema_type_value_by_text(type, json_string_value(value), json_string_length(value))) {
        s_invalid(self, value, place, "Value \"%s\" does not exist in \"%s\" enum.%s",
                  json_string_value(value), type->name->data,
                  s_suggest_value(self, type, json_string_value(value)));
        return false;
    }
    s_untyped(&self->out, value);
    return true;
}

/* ---- input objects and lists ---- */
static bool s_unknown_fields(coercion_t *self,
                             const schema_type_t *type,
                             const json_t *value,
                             const place_t *place)
{
    const char *key;
    json_t *member;
    bool ok = true;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (schema_type_input_by_text(type, key, strlen(key)))
            continue;
        ok = false;
        if (self->error_count > MAX_ERRORS)
            break;
        s_invalid(self, value, place, "Field \"%s\" is not defined by type \"%s\".%s", key,
                  type->name->data, s_suggest_field(self, type, key));
    }
    return ok;
}

static bool s_one_of(coercion_t *self,
                     const schema_type_t *type,
                     const json_t *value,
                     uint32_t count,
                     const char *key,
                     const place_t *place)
{
    if (count != 1) {
        s_invalid(self, value, place, "Exactly one key must be specified for OneOf type \"%s\".",
                  type->name->data);
        if (count == 0)
            return false;
    }
    const json_t *member = json_object_get(value, key);
    if (json_is_null(member)) {
        place_t below = {.above = place, .name = key};
        s_invalid(self, member, &below, "Field \"%s\" must be non-null.", key);
        return false;
    }
    return count == 1;
}

static bool s_input_object(coercion_t *self,
                           const schema_type_t *type,
                           const json_t *value,
                           const place_t *place)
{
    if (!json_is_object(value)) {
        s_invalid(self, value, place, "Expected type \"%s\" to be an object.", type->name->data);
        return false;
    }
    bool ok = true;
    uint32_t count = 0;
    const char *first = NULL;
    buffer_put_char(&self->out, '{');
    for (uint32_t i = 0; i < type->input_count; i++) {
        const schema_input_t *field = &type->inputs[i];
        const json_t *member = json_object_get(value, field->name->data);
        if (!member && !field->default_value) {
            if (field->type->kind == SCHEMA_REF_NON_NULL) {
                ok = false;
                s_invalid(self, value, place,
                          "Field \"%s\" of required type \"%s\" was not provided.",
                          field->name->data, field->type->text);
            }
            continue;
        }
        if (count++)
            buffer_put_char(&self->out, ',');
        else
            first = field->name->data;
        buffer_put_json_string(&self->out, field->name->data, field->name->size);
        buffer_put_char(&self->out, ':');
        place_t below = {.above = place, .name = field->name->data};
        if (member)
            ok &= s_value(self, field->type, member, &below);
        else
            ok &= coerce_literal(field->type, field->default_value, NULL, &self->out);
    }
    buffer_put_char(&self->out, '}');
    ok &= s_unknown_fields(self, type, value, place);
    if (type->is_one_of)
        ok &= s_one_of(self, type, value, count, first, place);
    return ok;
}

static bool
s_list(coercion_t *self, const schema_ref_t *item_type, const json_t *value, const place_t *place)
{
    bool ok = true;
    buffer_put_char(&self->out, '[');
    if (!json_is_array(value))
        ok = s_value(self, item_type, value, place);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i)
            buffer_put_char(&self->out, ',');
        place_t below = {.above = place, .index = i};
        ok &= s_value(self, item_type, json_array_get(value, i), &below);
    }
    buffer_put_char(&self->out, ']');
    return ok;
}

static bool
s_value(coercion_t *self, const schema_ref_t *type, const json_t *value, const place_t *place)
{
    if (type->kind == SCHEMA_REF_NON_NULL) {
        if (json_is_null(value)) {
            s_invalid(self, value, place, "Expected non-nullable type \"%s\" not to be null.",
                      type->text);
            return false;
        }
        type = type->of;
    }
    if (json_is_null(value)) {
        buffer_put_str(&self->out, "null");
        return true;
    }
    if (type->kind == SCHEMA_REF_LIST)
        return s_list(self, type->of, value, place);
    if (type->type->kind == SCHEMA_INPUT_OBJECT)
        return s_input_object(self, type->type, value, place);
    if (type->type->kind == SCHEMA_ENUM)
        return s_enum(self, type->type, value, place);
    return s_scalar(self, type->type, value, place);
}

/* ---- variables ---- */

/* The schema's reference to a type of the document; NULL if the arena is at its limit. */
static const schema_ref_t *s_type(const schema_t *schema, const ast_type_t *type, arena_t *arena)
{
    if (type->kind == AST_TYPE_NAMED) {
        const schema_type_t *named = schema_type(schema, type->name);
        return named ? schema->named_refs[named->id] : NULL;
    }
    schema_ref_t *ref = arena_alloc(arena, sizeof *ref);
    const schema_ref_t *of = ref ? s_type(schema, type->of, arena) : NULL;
    if (!of)
        return NULL;
    bool list = type->kind == AST_TYPE_LIST;
    ref->kind = list ? SCHEMA_REF_LIST : SCHEMA_REF_NON_NULL;
    ref->type = of->type;
    ref->of = of;
    ref->text = arena_printf(arena, list ? "[%s]" : "%s!", of->text);
    return ref->text ? ref : NULL;
}

/* Appends the variable's value to out; *present says whether it has one. False after an error. */
static bool
s_variable(coercion_t *self, const schema_ref_t *type, const json_t *value, bool *present)
{
    const ast_variable_t *variable = self->variable;
    *present = true;
    if (!value) {
        if (variable->default_value)
            return coerce_literal(type, variable->default_value, NULL, &self->out);
        *present = false;
        if (type->kind != SCHEMA_REF_NON_NULL)
            return true;
    } else if (!json_is_null(value) || type->kind != SCHEMA_REF_NON_NULL) {
        return s_value(self, type, value, NULL);
    }
    s_add(self,
          value ? "Variable \"$%s\" of non-null type \"%s\" must not be null."
                : "Variable \"$%s\" of required type \"%s\" was not provided.",
          variable->name->data, type->text);
    return false;
}

bool variables_coerce(variables_t *self,
                      const schema_t *schema,
                      const ast_operation_t *operation,
                      plan_scratch_t *scratch,
                      const json_t *given,
                      bool suggestions,
                      arena_t *arena,
                      gql_errors_t *errors)
{
    *self = (variables_t){.operation = operation, .scratch = scratch};
    if (operation->variable_count == 0)
        return true;
    json_slice_t *values = arena_calloc(arena, operation->variable_count, sizeof *values);
    coercion_t coercion = {.schema = schema,
                           .arena = arena,
                           .errors = errors,
                           .suggestions = suggestions,
                           .out = BUFFER_INIT(MAX_BYTES)};
    bool ok = values != NULL;
    bool memory = values != NULL;
    for (uint32_t i = 0; memory && i < operation->variable_count; i++) {
        coercion.variable = &operation->variables[i];
        if (coercion.error_count > MAX_ERRORS)
            break;
        const schema_ref_t *type = s_type(schema, coercion.variable->type, arena);
        bool present = false;
        memory = type != NULL;
        buffer_clear(&coercion.out);
        if (!memory)
            break;
        const json_t *value = json_object_get(given, coercion.variable->name->data);
        bool fits = s_variable(&coercion, type, value, &present);
        memory = !coercion.out.failed;
        ok &= fits;
        if (fits && present) {
            if (memory)
                values[i].data = arena_memdup(arena, coercion.out.data, coercion.out.size);
            values[i].size = coercion.out.size;
            memory = memory && values[i].data;
        }
    }
    buffer_free(&coercion.out);
    errors->out_of_memory |= !memory;
    self->values = values;
    return ok && memory && !errors->out_of_memory;
}
