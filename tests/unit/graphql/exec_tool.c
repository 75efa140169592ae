/* Runs executions for the comparison with graphql-js: reads lines of JSON
 * {"schema": "SDL", "case": {…}} (see run_case.h) and answers each with one line. The schema may be
 * left out after the first line. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/graphql/run_case.h"

/* The answer to a line; *schema is the one of the last line that had one. */
static json_t *s_answer(const json_t *line, gql_schema_t **schema)
{
    err_t err = ERR_INIT;
    const char *sdl = json_string_value(json_object_get(line, "schema"));
    if (sdl) {
        gql_schema_unref(schema);
        *schema = run_case_schema(sdl, &err);
    }
    return *schema ? run_case(*schema, json_object_get(line, "case"), 0)
                   : json_pack("{ss}", "schema", err.text);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    gql_schema_t *schema = NULL;
    json_error_t error = {.line = 0};
    while (getline(&line, &room, stdin) > 0) {
        json_t *json = json_loads(line, 0, &error);
        if (!json)
            break;
        json_t *answer = s_answer(json, &schema);
        char *text = json_dumps(answer, JSON_COMPACT);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(json);
    }
    if (*error.text)
        fprintf(stderr, "%s\n", error.text);
    gql_schema_unref(&schema);
    free(line);
    return *error.text != 0;
}
