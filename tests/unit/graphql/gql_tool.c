/* Verdicts of the engine's front half, for comparison with graphql-js: reads lines of JSON
 * {"sdl": "…" or [{"service": "…", "sdl": "…"}], "document": "…", "print": true}
 * and answers each with one line {"schema": null or "error", "print": "…", "errors": [{message,
 * rule, code, locations}]}. The schema of the line before is kept when a line has no sdl. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/language/parser.h"
#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/type/print_schema.h"
#include "gateway/graphql/validation/validate.h"

static schema_t *s_build(const json_t *sdl, err_t *err)
{
    size_t count = json_is_array(sdl) ? json_array_size(sdl) : 1;
    schema_source_t *sources = calloc(count + 1, sizeof *sources);
    for (size_t i = 0; i < count; i++) {
        const json_t *source = json_is_array(sdl) ? json_array_get(sdl, i) : NULL;
        const json_t *text = source ? json_object_get(source, "sdl") : sdl;
        sources[i].service =
            source ? json_string_value(json_object_get(source, "service")) : "main";
        sources[i].sdl = json_string_value(text);
        sources[i].size = json_string_length(text);
    }
    schema_t *schema = schema_build(sources, count, err);
    free(sources);
    return schema;
}

static json_t *s_errors(const gql_errors_t *errors)
{
    json_t *list = json_array();
    for (const gql_error_t *error = errors->first; error; error = error->next) {
        json_t *locations = json_array();
        for (uint32_t i = 0; i < error->location_count; i++)
            json_array_append_new(locations, json_pack("[ii]", (int)error->locations[i].line,
                                                       (int)error->locations[i].column));
        json_array_append_new(list, json_pack("{ss ss ss so}", "message", error->message, "rule",
                                              error->rule ? error->rule : "", "code",
                                              err_code_name(error->code), "locations", locations));
    }
    return list;
}

static uint32_t s_limit(const json_t *line, const char *name)
{
    return (uint32_t)json_integer_value(json_object_get(line, name));
}

static json_t *s_check(const schema_t *schema, const json_t *line)
{
    const json_t *text = json_object_get(line, "document");
    arena_t *arena = arena_new(0);
    arena_t *scratch = arena_new(0);
    gql_errors_t errors = GQL_ERRORS_INIT(arena, 100);
    parser_limits_t limits = {.max_depth = s_limit(line, "parserDepth"),
                              .max_tokens = s_limit(line, "tokens")};
    validate_options_t options = {.max_depth = s_limit(line, "depth"),
                                  .max_root_fields = s_limit(line, "rootFields"),
                                  .max_aliases = s_limit(line, "aliases"),
                                  .max_directives = s_limit(line, "directives"),
                                  .introspection =
                                      !json_is_false(json_object_get(line, "introspection"))};
    ast_document_t *document =
        parser_parse_document(arena, names_new(arena), json_string_value(text),
                              json_string_length(text), &limits, &errors);
    if (document)
        validate_document(schema, document, &options, scratch, &errors);
    json_t *list = s_errors(&errors);
    arena_destroy(&scratch);
    arena_destroy(&arena);
    return list;
}

static void s_answer(schema_t **schema, const json_t *line)
{
    err_t err = ERR_INIT;
    json_t *answer = json_object();
    const json_t *sdl = json_object_get(line, "sdl");
    if (sdl) {
        schema_destroy(schema);
        *schema = s_build(sdl, &err);
    }
    json_object_set_new(answer, "schema", *schema ? json_null() : json_string(err.text));
    if (*schema && json_is_true(json_object_get(line, "print"))) {
        buffer_t out = BUFFER_INIT(SIZE_MAX);
        schema_print(*schema, &out);
        json_object_set_new(answer, "print", json_stringn(out.data, out.size));
        buffer_free(&out);
    }
    if (*schema && json_object_get(line, "document"))
        json_object_set_new(answer, "errors", s_check(*schema, line));
    char *text = json_dumps(answer, JSON_COMPACT);
    puts(text ? text : "null");
    fflush(stdout);
    free(text);
    json_decref(answer);
}

int main(void)
{
    schema_t *schema = NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        json_t *value = json_loadb(line, (size_t)size, JSON_ALLOW_NUL, NULL);
        if (!value) {
            puts("null");
            fflush(stdout);
            continue;
        }
        s_answer(&schema, value);
        json_decref(value);
    }
    free(line);
    schema_destroy(&schema);
    return 0;
}
