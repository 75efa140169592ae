/* Runs executions for the comparison with graphql-js: reads lines of JSON
 * {"schema": "SDL", "case": {…}} (see run_case.h) and answers each with one line. The schema may be
 * left out after the first line. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/graphql/run_case.h"

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    json_t *schema = NULL;
    while (getline(&line, &room, stdin) > 0) {
        json_error_t error;
        json_t *json = json_loads(line, 0, &error);
        if (!json) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        if (json_object_get(json, "schema")) {
            json_decref(schema);
            schema = json_incref(json_object_get(json, "schema"));
        }
        json_t *result = run_case(json_string_value(schema), json_object_get(json, "case"), 0);
        char *text = json_dumps(result, JSON_COMPACT);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(result);
        json_decref(json);
    }
    json_decref(schema);
    free(line);
    return 0;
}
