#include "gateway/commands.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "gateway/schema_source.h"

enum {
    EXIT_USAGE = 2,
    TEXT_MAX = 64 * 1024 * 1024,
};

/* One complaint, and the status that goes with it. */
static int s_complain(const err_t *err)
{
    fprintf(stderr, "parley-gateway: %s\n", err->text);
    return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILURE;
}

static int s_misuse(const char *sentence)
{
    err_t err = ERR_INIT;
    err_set(&err, ERR_CONFIG, "%s", sentence);
    return s_complain(&err);
}

/* Nothing is done unless all that was written arrived. */
static int s_flushed(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    perror("parley-gateway: stdout");
    return EXIT_FAILURE;
}

/* ---- schema ---- */

int command_schema(const options_t *options, char *const *files, int count)
{
    if (count == 0 && !options->services)
        return s_misuse("schema: give it SDL files, or --services of a running system");
    err_t err = ERR_INIT;
    gql_schema_t *schema = count > 0 ? schema_from_files(files, (size_t)count, &err)
                                     : schema_from_services(options, &err);
    if (!schema)
        return s_complain(&err);
    buffer_t text = BUFFER_INIT(TEXT_MAX);
    gql_schema_print(schema, &text);
    gql_schema_unref(&schema);
    bool failed = text.failed;
    if (!failed && text.size > 0) {
        fwrite(text.data, 1, text.size, stdout);
        if (text.data[text.size - 1] != '\n')
            putchar('\n');
    }
    buffer_free(&text);
    if (failed) {
        fprintf(stderr, "parley-gateway: schema: larger than %d bytes\n", TEXT_MAX);
        return EXIT_FAILURE;
    }
    return s_flushed(EXIT_SUCCESS);
}

/* ---- check ---- */

/* The schema of a comma-separated list of files. */
static gql_schema_t *s_schema_of_list(const char *list, err_t *err)
{
    char *copy = strdup(list), *rest = NULL;
    char **files = calloc(strlen(list) / 2 + 2, sizeof *files);
    if (!copy || !files)
        abort();
    size_t count = 0;
    for (char *file = strtok_r(copy, ",", &rest); file; file = strtok_r(NULL, ",", &rest))
        files[count++] = file;
    gql_schema_t *schema = NULL;
    if (count > 0)
        schema = schema_from_files(files, count, err);
    else
        err_set(err, ERR_CONFIG, "--schema: names no file");
    free(files);
    free(copy);
    return schema;
}

/* An error without a place is about the document as a whole. */
static void s_print_error(const char *file, const json_t *error)
{
    const json_t *place = json_array_get(json_object_get(error, "locations"), 0);
    const char *message = json_string_value(json_object_get(error, "message"));
    if (place)
        printf("%s:%lld:%lld: %s\n", file,
               (long long)json_integer_value(json_object_get(place, "line")),
               (long long)json_integer_value(json_object_get(place, "column")), message);
    else
        printf("%s: %s\n", file, message);
}

static void s_print_errors(const char *file, const buffer_t *response)
{
    json_t *root =
        response->failed ? NULL : json_loadb(response->data, response->size, JSON_ALLOW_NUL, NULL);
    const json_t *errors = json_object_get(root, "errors"), *error;
    size_t i;
    json_array_foreach(errors, i, error) s_print_error(file, error);
    if (json_array_size(errors) == 0)
        printf("%s: more errors than fit into %d bytes\n", file, TEXT_MAX);
    json_decref(root);
}

static int
s_check(gql_schema_t *schema, const gql_limits_t *limits, bool introspection, const char *file)
{
    err_t err = ERR_INIT;
    buffer_t text = BUFFER_INIT(TEXT_MAX), response = BUFFER_INIT(TEXT_MAX);
    int status = EXIT_SUCCESS;
    if (read_file(file, &text, &err)) {
        status = s_complain(&err);
    } else {
        gql_document_t *document = gql_document_prepare(
            schema, text.data ? text.data : "", text.size, limits, introspection, &response);
        if (!document) {
            s_print_errors(file, &response);
            status = EXIT_FAILURE;
        }
        gql_document_unref(&document);
    }
    buffer_free(&response);
    buffer_free(&text);
    return status;
}

int command_check(const options_t *options,
                  const gql_limits_t *limits,
                  char *const *files,
                  int count)
{
    if (count == 0)
        return s_misuse("check: give it files with operations");
    if (!options->schema && !options->services)
        return s_misuse("check: --schema is missing (or --services of a running system)");
    err_t err = ERR_INIT;
    gql_schema_t *schema = options->schema ? s_schema_of_list(options->schema, &err)
                                           : schema_from_services(options, &err);
    if (!schema)
        return s_complain(&err);
    gql_limits_t all = *limits;
    all.max_errors = 0; /* whoever repairs a file wants to see all of them */
    int worst = EXIT_SUCCESS;
    for (int i = 0; i < count; i++) {
        int status = s_check(schema, &all, !options->no_introspection, files[i]);
        worst = status > worst ? status : worst;
    }
    gql_schema_unref(&schema);
    return s_flushed(worst);
}
