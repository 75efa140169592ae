#include "gateway/graphql/execution/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"

enum { MAX_ITEMS = 10, MAX_LEVELS = 2, VALUE_MAX = 64 * INSPECT_MAX };

/* Shortest digits that read back as the same number: "d.ddde±x" in text. */
static void s_shortest(double number, char text[40])
{
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, 40, "%.*e", precision, number);
        if (strtod(text, NULL) == number)
            return;
    }
}

void inspect_number(buffer_t *out, double number)
{
    if (number == 0) {
        buffer_put_char(out, '0');
        return;
    }
    char text[40];
    s_shortest(fabs(number), text);
    int exponent = atoi(strchr(text, 'e') + 1);
    char digits[24];
    int count = 0;
    for (const char *at = text; *at != 'e'; at++)
        if (*at != '.')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (number < 0)
        buffer_put_char(out, '-');
    if (exponent >= 21 || exponent < -6) {
        buffer_put_char(out, digits[0]);
        if (count > 1)
            buffer_printf(out, ".%.*s", count - 1, digits + 1);
        buffer_printf(out, "e%+d", exponent);
    } else if (exponent < 0) {
        buffer_put_str(out, "0.");
        for (int i = -1; i > exponent; i--)
            buffer_put_char(out, '0');
        buffer_put(out, digits, (size_t)count);
    } else {
        for (int i = 0; i < count || i <= exponent; i++) {
            if (i == exponent + 1)
                buffer_put_char(out, '.');
            buffer_put_char(out, i < count ? digits[i] : '0');
        }
    }
}

static void s_value(buffer_t *out, arena_t *arena, json_slice_t value, int level);

static void s_list(buffer_t *out, arena_t *arena, json_slice_t list, int level)
{
    json_walk_t walk = json_walk(list);
    json_slice_t item;
    size_t count = 0;
    while (json_walk_item(&walk, &item)) {
        if (count == 0 && level > MAX_LEVELS) {
            buffer_put_str(out, "[Array]");
            return;
        }
        if (count < MAX_ITEMS) {
            buffer_put_str(out, count ? ", " : "[");
            s_value(out, arena, item, level);
        }
        count++;
    }
    if (count > MAX_ITEMS)
        buffer_printf(out, count == MAX_ITEMS + 1 ? ", ... %zu more item" : ", ... %zu more items",
                      count - MAX_ITEMS);
    buffer_put_str(out, count ? "]" : "[]");
}

static void s_map(buffer_t *out, arena_t *arena, json_slice_t map, int level)
{
    json_walk_t walk = json_walk(map);
    json_slice_t key;
    json_slice_t value;
    size_t count = 0;
    while (!out->failed && json_walk_member(&walk, &key, &value)) {
        if (count == 0 && level > MAX_LEVELS) {
            buffer_put_str(out, "[Object]");
            return;
        }
        buffer_put_str(out, count++ ? ", " : "{ ");
        buffer_put(out, key.data, key.size);
        buffer_put_str(out, ": ");
        s_value(out, arena, value, level);
    }
    buffer_put_str(out, count ? " }" : "{}");
}

static void s_value(buffer_t *out, arena_t *arena, json_slice_t value, int level)
{
    double number;
    switch (json_kind(value)) {
    case JSON_LIST:
        s_list(out, arena, value, level + 1);
        break;
    case JSON_MAP:
        s_map(out, arena, value, level + 1);
        break;
    case JSON_NUMBER:
        if (json_to_double(value, &number)) {
            inspect_number(out, number);
            break;
        }
        buffer_put_str(out, value.data[0] == '-' ? "-Infinity" : "Infinity");
        break;
    default:
        /* strings as they are written; what is too long is cut later */
        if (value.size > INSPECT_MAX)
            value.size = INSPECT_MAX + 1;
        buffer_put(out, value.data, value.size);
    }
}

/* Cuts between characters. */
static const char *s_text(arena_t *arena, const buffer_t *out)
{
    size_t size = out->size;
    bool cut = size > INSPECT_MAX || out->failed;
    if (cut) {
        size = size > INSPECT_MAX ? INSPECT_MAX : size;
        if (size < out->size)
            size = utf8_cut(out->data, size);
    }
    const char *text =
        arena_printf(arena, "%.*s%s", (int)size, out->data ? out->data : "", cut ? "…" : "");
    return text ? text : "…";
}

const char *inspect_text(arena_t *arena, const char *start, const char *end)
{
    buffer_t out = BUFFER_INIT(VALUE_MAX);
    buffer_put(&out, "", 0);
    s_value(&out, arena, json_trim((json_slice_t){start, (size_t)(end - start)}), 0);
    const char *text = s_text(arena, &out);
    buffer_free(&out);
    return text;
}

/* Takes text as long as there is room, and ends the writing then. */
static int s_write(const char *data, size_t size, void *arg)
{
    buffer_t *out = arg;
    size_t room = out->limit - out->size;
    buffer_put(out, data, size < room ? size : room);
    out->failed |= size > room;
    return out->failed ? -1 : 0;
}

/* A large value is not written as a whole, for each of its errors, to be cut then: its beginning is
 * shown as JSON. */
const char *inspect_value(arena_t *arena, const json_t *value)
{
    buffer_t json = BUFFER_INIT(VALUE_MAX);
    bool is_whole = json_dump_callback(value, s_write, &json, JSON_ENCODE_ANY | JSON_COMPACT) == 0;
    json.failed |= !is_whole;
    const char *text =
        is_whole ? inspect_text(arena, json.data, json.data + json.size) : s_text(arena, &json);
    buffer_free(&json);
    return text;
}
