#include "common/json_tree.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 256 };

static json_t *s_value(json_walk_t *in);

/* The next byte that means something: between values there are only these. */
static char s_peek(json_walk_t *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' ||
                                *in->at == '\r' || *in->at == ',' || *in->at == ':'))
        in->at++;
    return in->at < in->end ? *in->at : '\0';
}

/* The string at `at`, with its quotes. */
static json_slice_t s_quoted(json_walk_t *in)
{
    const char *begin = in->at++;
    while (in->at < in->end && *in->at != '"')
        in->at += *in->at == '\\' ? 2 : 1;
    in->at++;
    return (json_slice_t){.data = begin, .size = (size_t)(in->at - begin)};
}

static json_t *s_string(json_walk_t *in)
{
    json_slice_t quoted = s_quoted(in);
    if (!memchr(quoted.data, '\\', quoted.size))
        return json_stringn_nocheck(quoted.data + 1, quoted.size - 2);
    char *text = malloc(quoted.size);
    if (!text)
        abort();
    json_t *string = json_stringn_nocheck(text, json_string_decode_to(quoted, text));
    free(text);
    return string;
}

static json_t *s_number(json_walk_t *in)
{
    const char *begin = in->at;
    while (in->at < in->end && !strchr(",]} \n\t\r", *in->at))
        in->at++;
    json_slice_t number = {.data = begin, .size = (size_t)(in->at - begin)};
    int64_t whole;
    double real;
    if (json_to_int64(number, &whole))
        return json_integer(whole);
    bool is_whole = true;
    for (size_t i = 0; i < number.size; i++)
        is_whole = is_whole && !strchr(".eE", number.data[i]);
    return !is_whole && json_to_double(number, &real) ? json_real(real) : NULL;
}

/* Sets the member whose key is quoted. Takes value. */
static bool s_set(json_t *map, json_slice_t quoted, json_t *value)
{
    char buffer[KEY_MAX], *key = quoted.size < KEY_MAX ? buffer : malloc(quoted.size);
    if (!key)
        abort();
    size_t size = json_string_decode_to(quoted, key);
    bool ok = value && !memchr(key, '\0', size);
    if (!ok)
        json_decref(value);
    else
        ok = json_object_set_new_nocheck(map, key, value) == 0;
    if (key != buffer)
        free(key);
    return ok;
}

static json_t *s_map(json_walk_t *in)
{
    json_t *map = json_object();
    for (in->at++; map && s_peek(in) == '"';) {
        json_slice_t key = s_quoted(in);
        if (!s_set(map, key, s_value(in))) {
            json_decref(map);
            map = NULL;
        }
    }
    in->at++;
    return map;
}

static json_t *s_list(json_walk_t *in)
{
    json_t *list = json_array();
    for (in->at++; list && s_peek(in) != ']';) {
        if (json_array_append_new(list, s_value(in)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    in->at++;
    return list;
}

/* The value before which `in` stands; its depth was bounded by json_validate. */
static json_t *s_value(json_walk_t *in)
{
    switch (s_peek(in)) {
    case '{':
        return s_map(in);
    case '[':
        return s_list(in);
    case '"':
        return s_string(in);
    case 't':
        in->at += 4;
        return json_true();
    case 'f':
        in->at += 5;
        return json_false();
    case 'n':
        in->at += 4;
        return json_null();
    default:
        return s_number(in);
    }
}

json_t *json_tree(json_slice_t value)
{
    json_walk_t in = {.at = value.data, .end = value.data + value.size};
    return s_value(&in);
}
