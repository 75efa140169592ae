/* store/migrations.h: the database's schema, embedded at build time from store/migrations/ (one
 * file a version), and the SQL text that brings a database up to it. Pure. */
#ifndef PARLEY_STORE_MIGRATIONS_H
#define PARLEY_STORE_MIGRATIONS_H

#include <stddef.h>

/* One embedded file. */
typedef struct {
    int version;        /* 1, 2, 3 … without a hole */
    const char *name;   /* "001_log" */
    const char *sha256; /* of the text, hex */
    const char *sql;    /* NUL-terminated */
} migration_t;

/* All of them in order; *count receives their number, which is the newest version. */
const migration_t *migrations_all(size_t *count);

/* The SQL (several statements for one simple query, free() it) that takes an advisory lock, applies
 * what is missing in one transaction, and sees to the epoch. Its last result is one row: epoch,
 * text. It raises an error of MIGRATIONS_REFUSED if the database is newer than the program or an
 * applied migration was another one; the message says which. */
char *migrations_sql(void);
#define MIGRATIONS_REFUSED "PA001"

/* The SQL that begins a new epoch and ends the sessions of running stores, so that they notice.
 * Its last result is the new epoch. */
const char *migrations_new_epoch_sql(void);

#endif
