/* JSON in place: what validates can be walked to the end and decoded, and a decoded string encodes
 * to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void s_walk(arena_t *arena, json_slice_t value)
{
    json_slice_t key, member;
    json_walk_t walk;
    double number;
    size_t text_size;
    char *text;
    switch (json_kind(value)) {
    case JSON_MAP:
        walk = json_walk(value);
        while (json_walk_member(&walk, &key, &member))
            s_walk(arena, member);
        break;
    case JSON_LIST:
        walk = json_walk(value);
        while (json_walk_item(&walk, &member))
            s_walk(arena, member);
        break;
    case JSON_STRING_VALUE:
        text = json_string_decode(arena, value, &text_size);
        if (text == NULL || !utf8_is_valid(text, text_size))
            abort();
        buffer_t printed = BUFFER_INIT(SIZE_MAX / 2);
        buffer_put_json_string(&printed, text, text_size);
        size_t again_size;
        char *again = json_string_decode(
            arena, (json_slice_t){.data = printed.data, .size = printed.size}, &again_size);
        if (again_size != text_size || memcmp(again, text, text_size) != 0)
            abort();
        buffer_free(&printed);
        break;
    case JSON_NUMBER:
        json_to_double(value, &number);
        break;
    case JSON_BOOL:
    case JSON_NULL_VALUE:
        break;
    case JSON_NONE:
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!json_validate((const char *)data, size, 32, NULL))
        return 0;
    arena_t *arena = arena_new(0);
    s_walk(arena, json_trim((json_slice_t){.data = (const char *)data, .size = size}));
    arena_destroy(&arena);
    return 0;
}
