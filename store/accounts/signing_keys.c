#include "store/accounts/signing_keys.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

enum { REFRESH_MS = 600000, RETRY_MS = 1000, READ_TIMEOUT_MS = 8000 };

struct signing_keys {
    pg_link_t *link;
    keyring_t *keyring;
    loop_timer_t *timer;
    err_t last_error; /* why the last look failed, as it was logged */
    bool is_busy;     /* a look is under way … */
    bool again;       /* … and something may have changed since it began */
    bool is_stopped;
};

#define COLUMNS                                                                                    \
    "generation, kid, alg, sealed, signs_from, verifies_until FROM signing_keys "                  \
    "WHERE verifies_until IS NULL OR verifies_until > clock_timestamp() "                          \
    "ORDER BY generation DESC"

enum { GENERATION, KID, ALG, SEALED, SIGNS_FROM, VERIFIES_UNTIL };

static const pg_statement_t s_select = {
    .name = "signing_keys",
    .sql = "SELECT " COLUMNS,
    .binary_results = true,
};

/* A statement of its own behind the insert sees what a sister may have committed meanwhile. */
static const Oid s_insert_types[] = {PG_TEXT_TYPE, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_insert = {
    .name = "signing_keys_first",
    .sql = "INSERT INTO signing_keys (generation, kid, alg, sealed) VALUES (1, $1, $2, $3) "
           "ON CONFLICT (generation) DO NOTHING",
    .param_count = 3,
    .types = s_insert_types,
};

static void s_on_timer(void *arg)
{
    signing_keys_refresh(arg);
}

signing_keys_t *signing_keys_new(loop_t *loop, pg_link_t *link, const master_key_t *master)
{
    signing_keys_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->link = link;
    self->keyring = keyring_new(master);
    self->timer = loop_timer_new(loop, s_on_timer, self);
    return self;
}

void signing_keys_stop(signing_keys_t *self)
{
    self->is_stopped = true;
    loop_timer_destroy(&self->timer);
}

void signing_keys_destroy(signing_keys_t **self_p)
{
    signing_keys_t *self = *self_p;
    if (!self)
        return;
    signing_keys_stop(self);
    keyring_destroy(&self->keyring);
    free(self);
    *self_p = NULL;
}

/* Keeps why, and logs it once. */
static void s_failed(signing_keys_t *self, const err_t *err)
{
    if (strcmp(self->last_error.text, err->text) != 0)
        log_error("signing keys are not usable", log_str("error", err->text), LOG_END);
    self->last_error = *err;
    loop_timer_start(self->timer, RETRY_MS, 0);
}

static int32_t s_int4(const PGresult *result, int row, int column)
{
    uint32_t raw;
    memcpy(&raw, PQgetvalue(result, row, column), sizeof raw);
    return (int32_t)ntohl(raw);
}

static void s_take_rows(signing_keys_t *self, const PGresult *result)
{
    keyring_row_t rows[KEYRING_MAX + 1];
    int count = PQntuples(result);
    if (count > KEYRING_MAX + 1)
        count = KEYRING_MAX + 1;
    for (int i = 0; i < count; i++)
        rows[i] = (keyring_row_t){
            .generation = s_int4(result, i, GENERATION),
            .kid = PQgetvalue(result, i, KID),
            .alg = PQgetvalue(result, i, ALG),
            .sealed = PQgetvalue(result, i, SEALED),
            .sealed_size = (size_t)PQgetlength(result, i, SEALED),
            .signs_from_us = pg_unix_us(result, i, SIGNS_FROM),
            .verifies_until_us =
                PQgetisnull(result, i, VERIFIES_UNTIL) ? 0 : pg_unix_us(result, i, VERIFIES_UNTIL),
        };
    err_t err = ERR_INIT;
    if (keyring_load(self->keyring, rows, (size_t)count, &err) != ERR_OK) {
        s_failed(self, &err);
        return;
    }
    self->last_error = (err_t)ERR_INIT;
    loop_timer_start(self->timer, REFRESH_MS, 0);
}

static void s_on_rows(void *arg, const pg_outcome_t *outcome);

/* The table is empty: makes the first key, unless a sister is faster, and reads again. */
static void s_make_first(signing_keys_t *self)
{
    err_t err = ERR_INIT;
    new_signing_key_t key;
    if (keyring_generate(self->keyring, &key, &err) != ERR_OK) {
        s_failed(self, &err);
        return;
    }
    pg_param_t params[] = {PG_TEXT(key.kid), PG_TEXT(key.alg),
                           PG_BINARY(key.sealed, key.sealed_size)};
    pg_step_t steps[] = {{.statement = &s_insert, .params = params}, {.statement = &s_select}};
    self->is_busy = true;
    pg_link_run(self->link, steps, 2, clock_unix_ms() + READ_TIMEOUT_MS, s_on_rows, self);
}

static void s_on_rows(void *arg, const pg_outcome_t *outcome)
{
    signing_keys_t *self = arg;
    self->is_busy = false;
    if (self->is_stopped)
        return;
    if (outcome->code != ERR_OK) {
        if (outcome->code == ERR_INTERNAL)
            log_error("signing keys could not be read", log_str("error", outcome->message),
                      LOG_END);
        loop_timer_start(self->timer, RETRY_MS, 0);
        return;
    }
    const PGresult *rows = outcome->results[outcome->count - 1];
    if (PQntuples(rows) == 0 && outcome->count == 1)
        s_make_first(self);
    else
        s_take_rows(self, rows);
    if (self->again && !self->is_busy)
        signing_keys_refresh(self);
}

void signing_keys_refresh(signing_keys_t *self)
{
    self->again = self->is_busy;
    if (self->is_busy || self->is_stopped)
        return;
    self->is_busy = true;
    pg_link_read(self->link, &s_select, NULL, clock_unix_ms() + READ_TIMEOUT_MS, s_on_rows, self);
}

bool signing_keys_are_ready(const signing_keys_t *self, char *reason, size_t size)
{
    if (signing_keys_signer(self))
        return true;
    if (reason)
        snprintf(reason, size, "%s",
                 *self->last_error.text ? self->last_error.text
                                        : "the signing keys are not loaded yet");
    return false;
}

const signing_key_t *signing_keys_signer(const signing_keys_t *self)
{
    return keyring_signer(self->keyring, clock_unix_us());
}

const keyring_t *signing_keys_ring(const signing_keys_t *self)
{
    return self->keyring;
}

json_t *signing_keys_jwks(const signing_keys_t *self)
{
    return keyring_jwks(self->keyring, clock_unix_us());
}
