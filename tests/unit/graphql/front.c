#include "front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char s_text[FRONT_TEXT];

schema_t *front_schema(const char *sdl)
{
    schema_source_t source = {.service = "main", .sdl = sdl, .size = strlen(sdl)};
    err_t err = ERR_INIT;
    schema_t *schema = schema_build(&source, 1, &err);
    if (!schema)
        print_error("%s\n", err.text);
    assert_non_null(schema);
    return schema;
}

const char *front_refusal(const char *sdl)
{
    static err_t err;
    schema_source_t source = {.service = "main", .sdl = sdl, .size = strlen(sdl)};
    memset(&err, 0, sizeof err);
    schema_t *schema = schema_build(&source, 1, &err);
    assert_true((schema == NULL) == (err.code != ERR_OK));
    schema_destroy(&schema);
    return err.text;
}

static void s_append(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void s_append(const char *format, ...)
{
    size_t used = strlen(s_text);
    va_list args;
    va_start(args, format);
    vsnprintf(s_text + used, sizeof s_text - used, format, args);
    va_end(args);
}

static void s_put_error(const gql_error_t *error)
{
    if (error->code == ERR_LIMIT_EXCEEDED) {
        s_append("limit %s", error->message);
        return;
    }
    s_append("%s", error->rule ? error->rule : "syntax");
    for (uint32_t i = 0; i < error->location_count; i++)
        s_append(" %u:%u", error->locations[i].line, error->locations[i].column);
    if (!error->rule)
        s_append(" %s", error->message);
}

static const char *
s_check(const schema_t *schema, const char *text, const validate_options_t *options, bool messages)
{
    static const validate_options_t defaults = {.introspection = true};
    arena_t *arena = arena_new(0);
    arena_t *scratch = arena_new(0);
    gql_errors_t errors = GQL_ERRORS_INIT(arena, 100);
    parser_limits_t limits = {0};
    s_text[0] = '\0';
    ast_document_t *document =
        parser_parse_document(arena, names_new(arena), text, strlen(text), &limits, &errors);
    bool valid = document && validate_document(schema, document, options ? options : &defaults,
                                               scratch, &errors);
    assert_true(valid == (errors.count == 0));
    for (const gql_error_t *error = errors.first; error; error = error->next) {
        if (error != errors.first)
            s_append("\n");
        if (messages)
            s_append("%s", error->message);
        else
            s_put_error(error);
    }
    arena_destroy(&scratch);
    arena_destroy(&arena);
    return s_text;
}

const char *
front_errors(const schema_t *schema, const char *document, const validate_options_t *options)
{
    return s_check(schema, document, options, false);
}

const char *
front_messages(const schema_t *schema, const char *document, const validate_options_t *options)
{
    return s_check(schema, document, options, true);
}

char *front_golden(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/graphql/%s", PARLEY_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return text;
}
