#include "gateway/http/graphql_error.h"

#include <string.h>

void graphql_error_write(buffer_t *out,
                         const char *code,
                         const char *message,
                         json_slice_t extensions)
{
    buffer_put_str(out, "{\"errors\":[{\"message\":");
    buffer_put_json_string(out, message, strlen(message));
    buffer_put_str(out, ",\"extensions\":{\"code\":");
    buffer_put_json_string(out, code, strlen(code));
    if (json_kind(extensions) == JSON_MAP) {
        json_slice_t key, value;
        for (json_walk_t walk = json_walk(extensions); json_walk_member(&walk, &key, &value);) {
            if (json_key_is(key, "code", 4))
                continue;
            buffer_put_str(out, ",\"");
            buffer_put(out, key.data, key.size);
            buffer_put_str(out, "\":");
            buffer_put(out, value.data, value.size);
        }
    }
    buffer_put_str(out, "}}]}");
}

void graphql_error_write_err(buffer_t *out, const err_t *err)
{
    graphql_error_write(out, err_code_name(err->code), err->text, (json_slice_t){.data = ""});
}

json_slice_t graphql_error_list(json_slice_t response)
{
    json_slice_t list;
    if (json_get(response, "errors", &list) && json_kind(list) == JSON_LIST)
        return list;
    return (json_slice_t){.data = "[]", .size = 2};
}

err_code_t graphql_error_code(json_slice_t response)
{
    json_walk_t walk = json_walk(graphql_error_list(response));
    json_slice_t error, extensions, code;
    if (!json_walk_item(&walk, &error))
        return ERR_OK;
    if (!json_get(error, "extensions", &extensions) || !json_get(extensions, "code", &code) ||
        json_kind(code) != JSON_STRING_VALUE || code.size < 2)
        return ERR_INTERNAL;
    return err_code_from_name(code.data + 1, code.size - 2);
}
