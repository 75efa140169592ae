#include "store/migrations.h"

#include <stdio.h>
#include <stdlib.h>

/* The bytes "parley" and the lock's purpose, as a number. */
#define LOCK_KEY "7021800394101"

static const char s_head[] =
    "BEGIN; SET LOCAL client_min_messages = warning;"
    " SELECT pg_advisory_xact_lock(" LOCK_KEY ");"
    /* Not IF NOT EXISTS, which wants the right to create also where there is nothing to do. */
    " DO $parley$ BEGIN IF to_regclass('schema_migrations') IS NULL THEN"
    " CREATE TABLE schema_migrations ("
    "  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
    "  applied_at timestamptz NOT NULL DEFAULT now()); END IF; END $parley$;";

/* %zu: the newest version. */
static const char s_check_newer[] =
    " DO $parley$ DECLARE newest integer := (SELECT max(version) FROM schema_migrations); BEGIN"
    " IF newest > %zu THEN RAISE EXCEPTION 'the database has schema version %%, but this"
    " program knows only %zu: use a newer parley-store', newest USING ERRCODE = "
    "'" MIGRATIONS_REFUSED "'; END IF;"
    " END $parley$;";

/* version, checksum, version, name, version, name, version, sql, version, name, checksum. */
static const char s_apply[] =
    " DO $parley$ DECLARE found text := (SELECT checksum FROM schema_migrations WHERE version"
    " = %d); BEGIN IF found <> '%s' THEN RAISE EXCEPTION 'migration %d (%s) was changed after it"
    " had been applied to this database' USING ERRCODE = '" MIGRATIONS_REFUSED "'; END IF;"
    " IF found IS NULL THEN EXECUTE $parley_migration$%s$parley_migration$;"
    " INSERT INTO schema_migrations (version, name, checksum) VALUES (%d, '%s', '%s'); END IF;"
    " END $parley$;";

static const char s_tail[] =
    " INSERT INTO store_epoch AS e (epoch, system_identifier)"
    "  SELECT left(md5(gen_random_uuid()::text), 16), system_identifier FROM pg_control_system()"
    "  ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch,"
    "   system_identifier = excluded.system_identifier, created_at = now()"
    "  WHERE e.system_identifier <> excluded.system_identifier;"
    " COMMIT;"
    " SELECT epoch FROM store_epoch";

char *migrations_sql(void)
{
    size_t count, size = 0;
    const migration_t *all = migrations_all(&count);
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fputs(s_head, out);
    fprintf(out, s_check_newer, count, count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, s_apply, all[i].version, all[i].sha256, all[i].version, all[i].name,
                all[i].sql, all[i].version, all[i].name, all[i].sha256);
    fputs(s_tail, out);
    fclose(out);
    return text;
}

const char *migrations_new_epoch_sql(void)
{
    return "UPDATE store_epoch SET epoch = left(md5(gen_random_uuid()::text), 16), created_at = "
           "now();"
           " SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
           "current_database()"
           "  AND usename = current_user AND application_name LIKE 'parley-store %' AND pid <> "
           "pg_backend_pid();"
           " SELECT epoch FROM store_epoch";
}
