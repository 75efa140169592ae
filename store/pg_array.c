#include "store/pg_array.h"

#include <endian.h>
#include <string.h>

/* Header: dimensions, has nulls, element type, length, lower bound; 4 bytes each. */
enum { DIMENSIONS_OFFSET = 0, LENGTH_OFFSET = 12 };

static void s_put_u32(buffer_t *out, uint32_t value)
{
    value = htobe32(value);
    buffer_put(out, &value, sizeof value);
}

void pg_array_init(pg_array_t *self, Oid element_type, size_t limit_bytes)
{
    *self = (pg_array_t){.bytes = BUFFER_INIT(limit_bytes)};
    s_put_u32(&self->bytes, 1);
    s_put_u32(&self->bytes, 0);
    s_put_u32(&self->bytes, element_type);
    s_put_u32(&self->bytes, 0);
    s_put_u32(&self->bytes, 1);
}

void pg_array_free(pg_array_t *self)
{
    buffer_free(&self->bytes);
}

void pg_array_add(pg_array_t *self, const void *data, size_t size)
{
    s_put_u32(&self->bytes, (uint32_t)size);
    if (size > 0)
        buffer_put(&self->bytes, data, size);
    self->count++;
}

void pg_array_add_int64(pg_array_t *self, int64_t value)
{
    char bytes[8];
    pg_put_int64(value, bytes);
    pg_array_add(self, bytes, sizeof bytes);
}

pg_param_t pg_array_param(pg_array_t *self)
{
    if (self->count == 0) { /* an empty array has no dimension */
        uint32_t none = 0;
        memcpy(self->bytes.data + DIMENSIONS_OFFSET, &none, sizeof none);
        self->bytes.size = LENGTH_OFFSET;
    } else {
        uint32_t length = htobe32(self->count);
        memcpy(self->bytes.data + LENGTH_OFFSET, &length, sizeof length);
    }
    return PG_BINARY(self->bytes.data, self->bytes.size);
}
