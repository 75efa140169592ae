#include "gateway/graphql/execution/leaf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/execution/reader.h"

static const char s_no_memory[] = "The request needs more memory than it may have.";

static const char *s_shown(arena_t *arena, json_slice_t value)
{
    return inspect_text(arena, value.data, value.data + value.size);
}

static const char *s_complain(arena_t *arena, const char *complaint, json_slice_t value)
{
    const char *text = arena_printf(arena, "%s: %s", complaint, s_shown(arena, value));
    return text ? text : s_no_memory;
}

/* A number, or a string or Boolean that JavaScript takes for one. */
static bool s_number(arena_t *arena, json_slice_t value, double *number)
{
    switch (json_kind(value)) {
    case JSON_BOOL:
        *number = value.data[0] == 't';
        return true;
    case JSON_NUMBER:
        return json_to_double(value, number);
    case JSON_STRING_VALUE: {
        size_t size;
        const char *text = json_string_decode(arena, value, &size);
        if (!text || size == 0)
            return false;
        const char *end = reader_number(text, text + size);
        return end == text + size && json_to_double((json_slice_t){text, size}, number);
    }
    default:
        return false;
    }
}

static const char *s_int(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (!s_number(arena, value, &number) || floor(number) != number)
        return s_complain(arena, "Int cannot represent non-integer value", value);
    if (number > INT32_MAX || number < INT32_MIN)
        return s_complain(arena, "Int cannot represent non 32-bit signed integer value", value);
    buffer_put_int(out, (int64_t)number);
    return NULL;
}

static const char *s_float(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (!s_number(arena, value, &number))
        return s_complain(arena, "Float cannot represent non numeric value", value);
    if (json_kind(value) == JSON_NUMBER)
        buffer_put(out, value.data, value.size);
    else
        inspect_number(out, number);
    return NULL;
}

static const char *s_string(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    switch (json_kind(value)) {
    case JSON_STRING_VALUE:
        buffer_put(out, value.data, value.size);
        return NULL;
    case JSON_BOOL:
        buffer_printf(out, "\"%.*s\"", (int)value.size, value.data);
        return NULL;
    case JSON_NUMBER:
        if (!json_to_double(value, &number))
            break;
        buffer_put_char(out, '"');
        inspect_number(out, number);
        buffer_put_char(out, '"');
        return NULL;
    default:
        break;
    }
    return s_complain(arena, "String cannot represent value", value);
}

static const char *s_boolean(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (json_kind(value) == JSON_BOOL) {
        buffer_put(out, value.data, value.size);
        return NULL;
    }
    if (json_kind(value) != JSON_NUMBER || !json_to_double(value, &number))
        return s_complain(arena, "Boolean cannot represent a non boolean value", value);
    buffer_put_str(out, number != 0 ? "true" : "false");
    return NULL;
}

/* All digits of an integer are kept: ids may have 64 bits. */
static const char *s_id(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (json_kind(value) == JSON_STRING_VALUE) {
        buffer_put(out, value.data, value.size);
        return NULL;
    }
    if (json_kind(value) != JSON_NUMBER || !json_to_double(value, &number) ||
        floor(number) != number)
        return s_complain(arena, "ID cannot represent value", value);
    buffer_put_char(out, '"');
    if (memchr(value.data, '.', value.size) || memchr(value.data, 'e', value.size) ||
        memchr(value.data, 'E', value.size))
        inspect_number(out, number);
    else
        buffer_put(out, value.data, value.size);
    buffer_put_char(out, '"');
    return NULL;
}

static const char *
s_extended_complaint(const schema_type_t *type, json_slice_t value, arena_t *arena)
{
    const char *expectation = scalar_expectation(type->scalar);
    const char *text = arena_printf(arena, "%s cannot represent value: %s%s%s", type->name->data,
                                    s_shown(arena, value), expectation ? "; expected " : "",
                                    expectation ? expectation : "");
    return text ? text : s_no_memory;
}

/* AWSJSON goes out as a string that holds JSON; a service may give the value itself. */
static const char *
s_aws_json(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    if (json_kind(value) != JSON_STRING_VALUE) {
        buffer_put_json_string(out, value.data, value.size);
        return NULL;
    }
    size_t size;
    const char *text = json_string_decode(arena, value, &size);
    if (!text)
        return s_no_memory;
    if (!scalar_accepts_text(type->scalar, text, size))
        return s_extended_complaint(type, value, arena);
    buffer_put(out, value.data, value.size);
    return NULL;
}

static const char *
s_extended(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    if (type->scalar == SCALAR_AWS_JSON)
        return s_aws_json(type, value, arena, out);
    if (type->scalar == SCALAR_AWS_TIMESTAMP) {
        int64_t seconds;
        if (json_kind(value) != JSON_NUMBER ||
            !scalar_number_to_int(type->scalar, value.data, value.size, true, &seconds))
            return s_extended_complaint(type, value, arena);
        buffer_put_int(out, seconds);
        return NULL;
    }
    if (json_kind(value) != JSON_STRING_VALUE)
        return s_extended_complaint(type, value, arena);
    size_t size = value.size - 2;
    const char *text = value.data + 1;
    if (memchr(text, '\\', size)) {
        text = json_string_decode(arena, value, &size);
        if (!text)
            return s_no_memory;
    }
    if (!scalar_accepts_text(type->scalar, text, size))
        return s_extended_complaint(type, value, arena);
    buffer_put(out, value.data, value.size);
    return NULL;
}

static const char *
s_enum(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    const schema_enum_value_t *found = NULL;
    if (json_kind(value) == JSON_STRING_VALUE) {
        size_t size = value.size - 2;
        const char *text = value.data + 1;
        if (memchr(text, '\\', size))
            text = json_string_decode(arena, value, &size);
        if (!text)
            return s_no_memory;
        found = schema_type_value_by_text(type, text, size);
    }
    if (!found) {
        const char *text = arena_printf(arena, "Enum \"%s\" cannot represent value: %s",
                                        type->name->data, s_shown(arena, value));
        return text ? text : s_no_memory;
    }
    buffer_put_char(out, '"');
    buffer_put(out, found->name->data, found->name->size);
    buffer_put_char(out, '"');
    return NULL;
}

const char *
leaf_complete(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    if (type->kind == SCHEMA_ENUM)
        return s_enum(type, value, arena, out);
    switch (type->scalar) {
    case SCALAR_CUSTOM:
        reader_put(out, value);
        return NULL;
    case SCALAR_INT:
        return s_int(value, arena, out);
    case SCALAR_FLOAT:
        return s_float(value, arena, out);
    case SCALAR_STRING:
        return s_string(value, arena, out);
    case SCALAR_BOOLEAN:
        return s_boolean(value, arena, out);
    case SCALAR_ID:
        return s_id(value, arena, out);
    default:
        return s_extended(type, value, arena, out);
    }
}
