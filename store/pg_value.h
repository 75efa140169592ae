/* store/pg_value.h: single values in PostgreSQL's binary form. Pure. */
#ifndef PARLEY_STORE_PG_VALUE_H
#define PARLEY_STORE_PG_VALUE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Values of binary result columns. The caller knows that the column is not null and of the type. */
int64_t pg_bigint(const PGresult *result, int row, int column);
bool pg_bool(const PGresult *result, int row, int column);
/* Microseconds since 1970-01-01 UTC of a timestamptz. */
int64_t pg_unix_us(const PGresult *result, int row, int column);

/* Types for pg_statement_t.types (pg_type.h is the server's). */
enum {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT4 = 23,
    PG_TEXT_TYPE = 25,
    PG_INT8_ARRAY = 1016,
    PG_TEXT_ARRAY = 1009,
    PG_TIMESTAMPTZ = 1184,
    PG_UUID = 2950,
    PG_UUID_ARRAY = 2951,
};

/* Binary parameters: big-endian bytes of an int8; a timestamptz of a Unix time in microseconds. */
void pg_put_int64(int64_t value, char out[8]);
void pg_put_unix_us(int64_t unix_us, char out[8]);

#endif
