#include "gateway/graphql/execution/leaf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/execution/reader.h"

/* A string's text, decoded if it has escapes. NULL if the arena is at its limit. */
static const char *s_text(json_slice_t value, arena_t *arena, size_t *size)
{
    *size = value.size - 2;
    if (!memchr(value.data + 1, '\\', *size))
        return value.data + 1;
    return json_string_decode(arena, value, size);
}

/* A number, or a string or Boolean that JavaScript takes for one. */
static bool s_number(json_slice_t value, arena_t *arena, double *number)
{
    size_t size;
    const char *text;
    switch (json_kind(value)) {
    case JSON_BOOL:
        *number = value.data[0] == 't';
        return true;
    case JSON_NUMBER:
        return json_to_double(value, number);
    case JSON_STRING_VALUE:
        text = s_text(value, arena, &size);
        return text && size > 0 && reader_number(text, text + size) == text + size &&
               json_to_double((json_slice_t){text, size}, number);
    default:
        return false;
    }
}

static bool s_int(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (!s_number(value, arena, &number) || floor(number) != number || number > INT32_MAX ||
        number < INT32_MIN)
        return false;
    buffer_put_int(out, (int64_t)number);
    return true;
}

static bool s_float(json_slice_t value, arena_t *arena, buffer_t *out)
{
    double number;
    if (!s_number(value, arena, &number))
        return false;
    if (json_kind(value) == JSON_NUMBER)
        buffer_put(out, value.data, value.size);
    else
        inspect_number(out, number);
    return true;
}

static bool s_string(json_slice_t value, buffer_t *out)
{
    double number;
    switch (json_kind(value)) {
    case JSON_STRING_VALUE:
        buffer_put(out, value.data, value.size);
        return true;
    case JSON_BOOL:
        buffer_printf(out, "\"%.*s\"", (int)value.size, value.data);
        return true;
    case JSON_NUMBER:
        if (!json_to_double(value, &number))
            return false;
        buffer_put_char(out, '"');
        inspect_number(out, number);
        buffer_put_char(out, '"');
        return true;
    default:
        return false;
    }
}

static bool s_boolean(json_slice_t value, buffer_t *out)
{
    double number;
    if (json_kind(value) == JSON_BOOL) {
        buffer_put(out, value.data, value.size);
        return true;
    }
    if (json_kind(value) != JSON_NUMBER || !json_to_double(value, &number))
        return false;
    buffer_put_str(out, number != 0 ? "true" : "false");
    return true;
}

/* All digits of an integer are kept: ids may have 64 bits. */
static bool s_id(json_slice_t value, buffer_t *out)
{
    double number;
    if (json_kind(value) == JSON_STRING_VALUE) {
        buffer_put(out, value.data, value.size);
        return true;
    }
    if (json_kind(value) != JSON_NUMBER || !json_to_double(value, &number) ||
        floor(number) != number)
        return false;
    buffer_put_char(out, '"');
    if (memchr(value.data, '.', value.size) || memchr(value.data, 'e', value.size) ||
        memchr(value.data, 'E', value.size))
        inspect_number(out, number);
    else
        buffer_put(out, value.data, value.size);
    buffer_put_char(out, '"');
    return true;
}

/* The AWS scalars. AWSJSON goes out as a string that holds JSON; a service may give the value
 * itself. */
static bool s_extended(scalar_kind_t kind, json_slice_t value, arena_t *arena, buffer_t *out)
{
    if (kind == SCALAR_AWS_TIMESTAMP) {
        int64_t seconds;
        if (json_kind(value) != JSON_NUMBER ||
            !scalar_number_to_int(kind, value.data, value.size, true, &seconds))
            return false;
        buffer_put_int(out, seconds);
        return true;
    }
    if (json_kind(value) != JSON_STRING_VALUE) {
        if (kind == SCALAR_AWS_JSON)
            buffer_put_json_string(out, value.data, value.size);
        return kind == SCALAR_AWS_JSON;
    }
    size_t size;
    const char *text = s_text(value, arena, &size);
    if (!text || !scalar_accepts_text(kind, text, size))
        return false;
    buffer_put(out, value.data, value.size);
    return true;
}

static bool s_enum(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    size_t size;
    const char *text = json_kind(value) == JSON_STRING_VALUE ? s_text(value, arena, &size) : NULL;
    const schema_enum_value_t *found = text ? schema_type_value_by_text(type, text, size) : NULL;
    if (!found)
        return false;
    buffer_put_char(out, '"');
    buffer_put(out, found->name->data, found->name->size);
    buffer_put_char(out, '"');
    return true;
}

bool leaf_complete(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out)
{
    if (type->kind == SCHEMA_ENUM)
        return s_enum(type, value, arena, out);
    switch (type->scalar) {
    case SCALAR_CUSTOM:
        reader_put(out, value);
        return true;
    case SCALAR_INT:
        return s_int(value, arena, out);
    case SCALAR_FLOAT:
        return s_float(value, arena, out);
    case SCALAR_STRING:
        return s_string(value, out);
    case SCALAR_BOOLEAN:
        return s_boolean(value, out);
    case SCALAR_ID:
        return s_id(value, out);
    default:
        return s_extended(type->scalar, value, arena, out);
    }
}

const char *leaf_complaint(const schema_type_t *type, json_slice_t value, arena_t *arena)
{
    const char *shown = inspect_text(arena, value.data, value.data + value.size);
    const char *expectation;
    double number;
    if (type->kind == SCHEMA_ENUM)
        return arena_printf(arena, "Enum \"%s\" cannot represent value: %s", type->name->data,
                            shown);
    switch (type->scalar) {
    case SCALAR_INT:
        return arena_printf(arena,
                            s_number(value, arena, &number) && floor(number) == number
                                ? "Int cannot represent non 32-bit signed integer value: %s"
                                : "Int cannot represent non-integer value: %s",
                            shown);
    case SCALAR_FLOAT:
        return arena_printf(arena, "Float cannot represent non numeric value: %s", shown);
    case SCALAR_BOOLEAN:
        return arena_printf(arena, "Boolean cannot represent a non boolean value: %s", shown);
    default:
        expectation = scalar_expectation(type->scalar);
        return arena_printf(arena, "%s cannot represent value: %s%s%s", type->name->data, shown,
                            expectation ? "; expected " : "", expectation ? expectation : "");
    }
}
