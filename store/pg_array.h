/* store/pg_array.h: one-dimensional arrays in PostgreSQL's binary form, for parameters. Pure. */
#ifndef PARLEY_STORE_PG_ARRAY_H
#define PARLEY_STORE_PG_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "store/pg_link.h"

typedef struct {
    buffer_t bytes;
    uint32_t count;
} pg_array_t;

/* An empty array of element_type (PG_TEXT_TYPE, PG_INT8, PG_UUID) of at most limit_bytes. */
void pg_array_init(pg_array_t *self, Oid element_type, size_t limit_bytes);
void pg_array_free(pg_array_t *self);

void pg_array_add(pg_array_t *self, const void *data, size_t size);
void pg_array_add_int64(pg_array_t *self, int64_t value);

/* Completes the header; the parameter borrows the bytes. */
pg_param_t pg_array_param(pg_array_t *self);

#endif
