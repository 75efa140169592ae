#include "gateway/http/graphql_request.h"

#include <string.h>

#include "common/json_tree.h"

static const char *s_kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "a map";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "nothing";
}

/* A map or NULL (absent or null). */
static err_code_t s_read_map(const json_t *root, const char *name, const json_t **map, err_t *err)
{
    const json_t *value = json_object_get(root, name);
    *map = NULL;
    if (!value || json_is_null(value))
        return ERR_OK;
    if (!json_is_object(value))
        return err_set(err, ERR_BAD_USER_INPUT, "\"%s\" must be a map, not %s", name,
                       s_kind(value));
    *map = value;
    return ERR_OK;
}

/* A string without NUL, or NULL (absent or null). */
static err_code_t s_read_string(const json_t *root, const char *name, const char **text, err_t *err)
{
    const json_t *value = json_object_get(root, name);
    *text = NULL;
    if (!value || json_is_null(value))
        return ERR_OK;
    if (!json_is_string(value))
        return err_set(err, ERR_BAD_USER_INPUT, "\"%s\" must be a string, not %s", name,
                       s_kind(value));
    *text = json_string_value(value);
    if (strlen(*text) != json_string_length(value))
        return err_set(err, ERR_BAD_USER_INPUT, "\"%s\" must not contain U+0000", name);
    return ERR_OK;
}

static err_code_t s_read(graphql_request_t *self, err_t *err)
{
    if (json_is_array(self->root))
        return err_set(err, ERR_BAD_USER_INPUT,
                       "a request must be a JSON map; lists of requests (batching) are off");
    if (!json_is_object(self->root))
        return err_set(err, ERR_BAD_USER_INPUT, "a request must be a JSON map, not %s",
                       s_kind(self->root));
    if (s_read_map(self->root, "extensions", &self->extensions, err) ||
        s_read_string(self->root, "query", &self->query, err))
        return err->code;
    if (!self->query && !json_is_object(json_object_get(self->extensions, "persistedQuery")))
        return err_set(err, ERR_BAD_USER_INPUT, "\"query\" is missing");
    self->query_size = self->query ? strlen(self->query) : 0;
    if (s_read_string(self->root, "operationName", &self->operation_name, err) ||
        s_read_map(self->root, "variables", &self->variables, err))
        return err->code;
    if (self->operation_name && !*self->operation_name)
        self->operation_name = NULL;
    return ERR_OK;
}

err_code_t graphql_request_read(graphql_request_t *self, json_t *root, err_t *err)
{
    err_t local = ERR_INIT;
    err_t *e = err ? err : &local;
    *self = (graphql_request_t)GRAPHQL_REQUEST_INIT;
    self->root = root;
    err_code_t code = s_read(self, e);
    if (code)
        graphql_request_clear(self);
    return code;
}

/* JSON text as a tree; what names the text in the error. */
static json_t *s_load(const char *text, size_t size, const char *what, err_t *err)
{
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!root)
        err_set(err, ERR_BAD_USER_INPUT, "%s is no valid JSON: %.120s at line %d, column %d", what,
                error.text, error.line, error.column);
    return root;
}

/* ---- the usual request, without a tree of all of it ---- */

static bool s_take_string(arena_t *arena, json_slice_t value, const char **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    if (json_kind(value) == JSON_NULL_VALUE)
        return true;
    if (json_kind(value) != JSON_STRING_VALUE)
        return false;
    *text = json_string_decode(arena, value, size);
    return *text && strlen(*text) == *size;
}

static bool s_take_map(json_slice_t value, json_t **tree)
{
    json_decref(*tree);
    *tree = NULL;
    if (json_kind(value) == JSON_NULL_VALUE)
        return true;
    if (json_kind(value) == JSON_MAP)
        *tree = json_tree(value);
    return *tree != NULL;
}

/* Reads what nearly all clients send; false if something is unusual or wrong, which the tree tells
 * better. */
static bool s_read_fast(graphql_request_t *self, arena_t *arena, const char *text, size_t size)
{
    json_slice_t map = json_trim((json_slice_t){.data = text, .size = size});
    json_slice_t key, value;
    size_t name_size;
    bool good =
        json_validate(text, size, GRAPHQL_REQUEST_DEPTH_MAX, NULL) && json_kind(map) == JSON_MAP;
    if (!good)
        return false;
    for (json_walk_t walk = json_walk(map); good && json_walk_member(&walk, &key, &value);) {
        if (json_key_is(key, "query", 5))
            good = s_take_string(arena, value, &self->query, &self->query_size);
        else if (json_key_is(key, "operationName", 13))
            good = s_take_string(arena, value, &self->operation_name, &name_size);
        else if (json_key_is(key, "variables", 9) && (good = s_take_map(value, &self->root)))
            self->variables_size = value.size;
        else if (json_key_is(key, "extensions", 10))
            good = s_take_map(value, &self->other);
    }
    self->variables = self->root;
    self->extensions = self->other;
    if (self->operation_name && !*self->operation_name)
        self->operation_name = NULL;
    return good && self->query;
}

err_code_t graphql_request_parse(
    graphql_request_t *self, arena_t *arena, const char *text, size_t size, err_t *err)
{
    *self = (graphql_request_t)GRAPHQL_REQUEST_INIT;
    if (!size)
        return err_set(err, ERR_BAD_USER_INPUT, "the request body is empty");
    if (s_read_fast(self, arena, text, size))
        return ERR_OK;
    graphql_request_clear(self);
    json_t *root = s_load(text, size, "the request body", err);
    return root ? graphql_request_read(self, root, err) : ERR_BAD_USER_INPUT;
}

err_code_t graphql_request_from_target(graphql_request_t *self,
                                       arena_t *arena,
                                       const http_target_t *target,
                                       err_t *err)
{
    static const char *const names[] = {"query", "operationName", "variables", "extensions"};
    *self = (graphql_request_t)GRAPHQL_REQUEST_INIT;
    json_t *root = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = http_target_param(arena, target, names[i], HTTP_PLUS_IS_BLANK);
        if (!text || (i > 0 && !*text))
            continue;
        json_t *value = i < 2 ? json_string(text) : s_load(text, strlen(text), names[i], err);
        if (!value) {
            json_decref(root);
            return err_set(err, ERR_BAD_USER_INPUT, "\"%s\" is not valid UTF-8", names[i]);
        }
        json_object_set_new(root, names[i], value);
    }
    return graphql_request_read(self, root, err);
}

void graphql_request_clear(graphql_request_t *self)
{
    json_decref(self->root);
    json_decref(self->other);
    *self = (graphql_request_t)GRAPHQL_REQUEST_INIT;
}
