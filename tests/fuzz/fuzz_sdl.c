/* Any bytes as the SDL of services (a line "---" goes on with the next one): built, checked,
 * printed; and what was printed must be a schema that prints the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/graphql/type/build_schema.h"
#include "gateway/graphql/type/print_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERVICES_MAX = 3 };

static size_t s_split(const char *text, size_t size, schema_source_t *sources)
{
    static const char *const names[SERVICES_MAX] = {"one", "two", "three"};
    size_t count = 0;
    while (count < SERVICES_MAX) {
        const char *end = count + 1 < SERVICES_MAX ? memmem(text, size, "\n---\n", 5) : NULL;
        size_t length = end ? (size_t)(end - text) : size;
        sources[count] = (schema_source_t){.service = names[count], .sdl = text, .size = length};
        count++;
        if (!end)
            break;
        text += length + 5;
        size -= length + 5;
    }
    return count;
}

static void s_check_print(const schema_t *schema, size_t source_count)
{
    buffer_t first = BUFFER_INIT(1U << 26);
    buffer_t second = BUFFER_INIT(1U << 26);
    schema_print(schema, &first);
    schema_source_t source = {.service = "again", .sdl = first.data, .size = first.size};
    err_t err = ERR_INIT;
    schema_t *again = schema_build(&source, 1, &err);
    /* A printed schema has lost what it says about services: @resolve and who owns what. */
    if (!again && source_count == 1)
        abort();
    if (again)
        schema_print(again, &second);
    if (again && (first.size != second.size || memcmp(first.data, second.data, first.size) != 0))
        abort();
    schema_destroy(&again);
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    schema_source_t sources[SERVICES_MAX];
    size_t count = s_split((const char *)data, size, sources);
    err_t err = ERR_INIT;
    schema_t *schema = schema_build(sources, count, &err);
    if ((schema == NULL) != (err.code != ERR_OK))
        abort();
    if (schema)
        s_check_print(schema, count);
    schema_destroy(&schema);
    return 0;
}
