#include "store/pg_value.h"

#include <endian.h>
#include <string.h>

/* Seconds between 1970 and 2000, PostgreSQL's epoch. */
enum { PG_EPOCH_S = 946684800 };

int64_t pg_bigint(const PGresult *result, int row, int column)
{
    uint64_t raw;
    memcpy(&raw, PQgetvalue(result, row, column), sizeof raw);
    return (int64_t)be64toh(raw);
}

bool pg_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] != 0;
}

int64_t pg_unix_us(const PGresult *result, int row, int column)
{
    return pg_bigint(result, row, column) + PG_EPOCH_S * INT64_C(1000000);
}

void pg_put_int64(int64_t value, char out[8])
{
    uint64_t raw = htobe64((uint64_t)value);
    memcpy(out, &raw, sizeof raw);
}

void pg_put_unix_us(int64_t unix_us, char out[8])
{
    pg_put_int64(unix_us - PG_EPOCH_S * INT64_C(1000000), out);
}
