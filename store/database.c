#include "store/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "store/migrations.h"

enum {
    READERS_MAX = 64,
    FILTERS = 2,
    STATEMENT_TIMEOUT_MS = 5000,
    FILTER_TIMEOUT_MS = 3000,
    CONTROL_TIMEOUT_MS = 8000,
    MIGRATION_TIMEOUT_MS = 10 * 60 * 1000,
    READER_PIPELINE = 32,
    READER_QUEUE = 20000,
    FILTER_QUEUE = 200,
};

/* On every connection but control's: is this still the database whose schema and epoch are known?
 */
static const char s_check_sql[] = "SELECT e.epoch, e.system_identifier = c.system_identifier FROM "
                                  "store_epoch e, pg_control_system() c";

/* Plans that are made while tables are small, and kept, must not scan them when they are large. */
#define INDEXES_ONLY "SET enable_seqscan=off"

struct database {
    database_options_t options;
    char *control_sql;
    pg_link_t *control, *writer, *accounts;
    pg_link_t *readers[READERS_MAX];
    pg_link_t *filters[FILTERS];
    char epoch[EPOCH_SIZE]; /* "" while unknown */
    bool opened;
};

static void s_for_all_others(database_t *self, void (*fn)(pg_link_t *link))
{
    fn(self->writer);
    fn(self->accounts);
    for (int i = 0; i < self->options.readers; i++)
        fn(self->readers[i]);
    for (int i = 0; i < FILTERS; i++)
        fn(self->filters[i]);
}

/* control's setup: its text brought the schema up to date; the last result is the epoch. */
static bool s_check_control(void *arg, const PGresult *result)
{
    database_t *self = arg;
    if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != EPOCH_SIZE - 1)
        return false;
    const char *epoch = PQgetvalue(result, 0, 0);
    if (self->epoch[0] && strcmp(self->epoch, epoch) != 0) {
        log_warn("the log has a new epoch: cursors of the old one expire", log_str("epoch", epoch),
                 LOG_END);
        s_for_all_others(self, pg_link_reset);
    }
    snprintf(self->epoch, sizeof self->epoch, "%s", epoch);
    return true;
}

static void s_on_control(void *arg, bool up)
{
    database_t *self = arg;
    if (!up)
        return;
    if (!self->opened)
        s_for_all_others(self, pg_link_open);
    self->opened = true;
    self->options.on_ready(self->options.arg);
}

static void s_on_control_error(void *arg, const char *sqlstate, const char *message)
{
    database_t *self = arg;
    if (strcmp(sqlstate, MIGRATIONS_REFUSED) == 0)
        self->options.on_refused(self->options.arg, message);
}

static bool s_check(void *arg, const PGresult *result)
{
    database_t *self = arg;
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), self->epoch) == 0 &&
        PQgetvalue(result, 0, 1)[0] == 't')
        return true;
    pg_link_reset(self->control); /* looks again, and makes a new epoch if it must */
    return false;
}

static void s_on_writer(void *arg, bool up)
{
    database_t *self = arg;
    if (up) {
        log_info("database connected", log_str("epoch", self->epoch), LOG_END);
        self->options.on_writer_up(self->options.arg);
    }
}

static void s_on_accounts(void *arg, bool up)
{
    database_t *self = arg;
    if (up)
        self->options.on_accounts_up(self->options.arg);
}

static void s_on_change(void *arg, const char *what)
{
    database_t *self = arg;
    self->options.on_change(self->options.arg, what);
}

static pg_link_t *
s_new_link(database_t *self, loop_t *loop, const pg_link_options_t *given, err_t *err)
{
    pg_link_options_t options = *given;
    options.conninfo = self->options.url;
    options.arg = self;
    if (!options.check_sql) {
        options.check_sql = s_check_sql;
        options.check = s_check;
    }
    return pg_link_new(loop, &options, err);
}

database_t *database_new(loop_t *loop, const database_options_t *options, err_t *err)
{
    database_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->control_sql = migrations_sql();
    const pg_link_options_t control = {.name = "control",
                                       .check_sql = self->control_sql,
                                       .check = s_check_control,
                                       .on_setup_error = s_on_control_error,
                                       .on_state = s_on_control,
                                       .setup_timeout_ms = MIGRATION_TIMEOUT_MS,
                                       .statement_timeout_ms = CONTROL_TIMEOUT_MS,
                                       .pipeline_max = 1};
    self->control = s_new_link(self, loop, &control, err);
    if (!self->control) { /* the others would fail alike */
        free(self->control_sql);
        free(self);
        return NULL;
    }
    const pg_link_options_t writer = {.name = "writer",
                                      .settings = INDEXES_ONLY,
                                      .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                                      .on_state = s_on_writer};
    self->writer = s_new_link(self, loop, &writer, err);
    const pg_link_options_t accounts = {.name = "accounts",
                                        .quiet = true,
                                        .settings = "LISTEN parley_changes",
                                        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                                        .pipeline_max = READER_PIPELINE,
                                        .on_state = s_on_accounts,
                                        .on_notify = s_on_change};
    self->accounts = s_new_link(self, loop, &accounts, err);
    for (int i = 0; i < self->options.readers; i++) {
        char name[32];
        snprintf(name, sizeof name, "reader-%d", i + 1);
        const pg_link_options_t reader = {.name = name,
                                          .quiet = true,
                                          .settings = INDEXES_ONLY,
                                          .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                                          .pipeline_max = READER_PIPELINE,
                                          .queue_max = READER_QUEUE};
        self->readers[i] = s_new_link(self, loop, &reader, err);
    }
    for (int i = 0; i < FILTERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "filter-%d", i + 1);
        const pg_link_options_t filter = {.quiet = true,
                                          .name = name,
                                          .statement_timeout_ms = FILTER_TIMEOUT_MS,
                                          .queue_max = FILTER_QUEUE};
        self->filters[i] = s_new_link(self, loop, &filter, err);
    }
    self->options.url = NULL;
    return self;
}

void database_open(database_t *self)
{
    pg_link_open(self->control);
    /* Those without which nothing is ready connect meanwhile. */
    pg_link_prepare(self->writer);
    pg_link_prepare(self->accounts);
    pg_link_prepare(self->readers[0]);
}

void database_destroy(database_t **self_p)
{
    database_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    pg_link_destroy(&self->control);
    pg_link_destroy(&self->writer);
    pg_link_destroy(&self->accounts);
    for (int i = 0; i < self->options.readers; i++)
        pg_link_destroy(&self->readers[i]);
    for (int i = 0; i < FILTERS; i++)
        pg_link_destroy(&self->filters[i]);
    free(self->control_sql);
    free(self);
}

bool database_is_ready(const database_t *self, char *reason, size_t size)
{
    bool reader_up = false;
    for (int i = 0; i < self->options.readers; i++)
        reader_up = reader_up || pg_link_is_up(self->readers[i]);
    const pg_link_t *missing = !self->opened                  ? self->control
                               : !pg_link_is_up(self->writer) ? self->writer
                               : !reader_up                   ? self->readers[0]
                                                              : NULL;
    if (missing && reason)
        snprintf(reason, size, "the database is away: %s", pg_link_reason(missing));
    return !missing;
}

const char *database_epoch(const database_t *self)
{
    return self->epoch[0] ? self->epoch : NULL;
}

pg_link_t *database_control(database_t *self)
{
    return self->control;
}

pg_link_t *database_writer(database_t *self)
{
    return self->writer;
}

pg_link_t *database_accounts(database_t *self)
{
    return self->accounts;
}

/* An idle link that is down is no better than a busy one that is up. */
static pg_link_t *s_least_loaded(pg_link_t *const *links, int count)
{
    pg_link_t *best = links[0];
    for (int i = 1; i < count; i++) {
        bool up = pg_link_is_up(links[i]), best_up = pg_link_is_up(best);
        if (up != best_up ? up : pg_link_load(links[i]) < pg_link_load(best))
            best = links[i];
    }
    return best;
}

pg_link_t *database_reader(database_t *self)
{
    return s_least_loaded(self->readers, self->options.readers);
}

pg_link_t *database_filter(database_t *self)
{
    return s_least_loaded(self->filters, FILTERS);
}
