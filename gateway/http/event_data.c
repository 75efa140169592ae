#include "gateway/http/event_data.h"

#include <string.h>

void event_data_put(buffer_t *out, const char *json, size_t size)
{
    char *at = buffer_reserve(out, size);
    if (!at || !size)
        return;
    memcpy(at, json, size);
    for (size_t i = 0; i < size; i++)
        if (at[i] == '\n' || at[i] == '\r')
            at[i] = ' ';
    out->size += size;
}
