/* Golden files of execution: tests/golden/graphql/execution/NAME.graphql (the document) and
 * NAME.json (variables, answers of services, and what is expected; see run_case.h). */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/graphql/run_case.h"

#define FOLDER PARLEY_SOURCE_DIR "/tests/golden/graphql/execution/"

enum { MAX_CASES = 500, NAME_SIZE = 64, PATH_SIZE = 512, MAX_ALLOCATIONS = 3000 };

static char s_names[MAX_CASES][NAME_SIZE];
static struct CMUnitTest s_tests[2 * MAX_CASES];
static char s_titles[MAX_CASES][NAME_SIZE + 32];

static char *s_read(const char *name, const char *suffix)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, FOLDER "%s%s", name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    size_t room = 0;
    do {
        room = room ? room * 2 : 4096;
        text = realloc(text, room + 1);
        size += fread(text + size, 1, room - size, file);
    } while (size == room);
    text[size] = 0;
    fclose(file);
    return text;
}

static json_t *s_load(const char *name)
{
    char *text = s_read(name, ".json");
    char *document = s_read(name, ".graphql");
    json_error_t error;
    json_t *json = text ? json_loads(text, JSON_DECODE_ANY, &error) : NULL;
    if (!json)
        fail_msg("%s.json: %s", name, text ? error.text : "not there");
    if (document)
        json_object_set_new(json, "document", json_string(document));
    free(text);
    free(document);
    return json;
}

/* Of all cases. */
static gql_schema_t *s_schema;

static int s_build_schema(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char *text = s_read("schema", ".sdl");
    s_schema = text ? run_case_schema(text, &err) : NULL;
    free(text);
    if (!s_schema)
        print_error("schema.sdl: %s\n", err.text);
    return s_schema ? 0 : -1;
}

static int s_forget_schema(void **state)
{
    (void)state;
    gql_schema_unref(&s_schema);
    return 0;
}

/* Equal, in the order of members too. */
static void s_expect(const char *what, const json_t *expected, const json_t *found)
{
    if (!expected)
        return;
    char *a = json_dumps(expected, JSON_ENCODE_ANY | JSON_COMPACT);
    char *b = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("nothing");
    bool equal = strcmp(a, b) == 0;
    if (!equal)
        print_error("%s\nexpected %s\nfound    %s\n", what, a, b);
    free(a);
    free(b);
    if (!equal)
        fail();
}

static void s_test_case(void **state)
{
    const char *name = *state;
    json_t *test_case = s_load(name);
    json_t *result = run_case(s_schema, test_case, 0);
    static const char *const parts[] = {"response", "calls", "faults", "source", "events"};
    const json_t *expect = json_object_get(test_case, "expect");
    assert_true(json_object_size(expect) > 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        s_expect(parts[i], json_object_get(expect, parts[i]), json_object_get(result, parts[i]));
    json_decref(result);
    json_decref(test_case);
}

static bool s_mentions_memory(const json_t *result)
{
    char *text = json_dumps(result, JSON_COMPACT);
    bool found = strstr(text, "LIMIT_EXCEEDED") != NULL;
    free(text);
    return found;
}

/* The n-th allocation of the request fails, and all after it: a clean error each time, until there
 * are no more. */
static void s_test_memory(void **state)
{
    const char *name = *state;
    json_t *test_case = s_load(name);
    json_t *whole = run_case(s_schema, test_case, 0);
    size_t n = 1;
    for (;; n++) {
        json_t *result = run_case(s_schema, test_case, n);
        bool same = json_equal(result, whole);
        if (!same && !s_mentions_memory(result)) {
            char *text = json_dumps(result, 0);
            print_error("allocation %zu: %s\n", n, text);
            free(text);
            fail();
        }
        json_decref(result);
        if (same)
            break;
        assert_true(n < MAX_ALLOCATIONS);
    }
    json_decref(whole);
    json_decref(test_case);
}

static int s_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

int main(void)
{
    DIR *folder = opendir(FOLDER);
    size_t count = 0;
    if (!folder)
        return 1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t size = strlen(entry->d_name);
        if (size <= 5 || size >= NAME_SIZE || strcmp(entry->d_name + size - 5, ".json") != 0)
            continue;
        if (count == MAX_CASES)
            return 1;
        memcpy(s_names[count], entry->d_name, size - 5);
        s_names[count++][size - 5] = 0;
    }
    closedir(folder);
    qsort(s_names, count, NAME_SIZE, s_compare);
    for (size_t i = 0; i < count; i++) {
        snprintf(s_titles[i], sizeof s_titles[i], "%s, out of memory", s_names[i]);
        s_tests[2 * i] = (struct CMUnitTest){
            .name = s_names[i], .test_func = s_test_case, .initial_state = s_names[i]};
        s_tests[2 * i + 1] = (struct CMUnitTest){
            .name = s_titles[i], .test_func = s_test_memory, .initial_state = s_names[i]};
    }
    return _cmocka_run_group_tests("execution", s_tests, 2 * count, s_build_schema,
                                   s_forget_schema) != 0;
}
