#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/accounts_internal.h"
#include "store/accounts/cognito.h"
#include "store/accounts/master_key.h"

enum { CLEANING_MS = 600000, CLEANING_TIMEOUT_MS = 30000 };

/* ---- the HTTP routes ---- */

/* Takes body. */
static void s_answer_json(store_call_t *call, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        abort();
    buffer_t *out = store_call_begin(call);
    buffer_put_str(out, "{\"status\":200,\"headers\":{\"content-type\":\"application/json\","
                        "\"cache-control\":\"public, max-age=60\"},\"body\":");
    buffer_put_json_string(out, text, strlen(text));
    buffer_put_char(out, '}');
    store_call_done(call);
    free(text);
    json_decref(body);
}

static void s_jwks_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    if (accounts_are_open(self, call))
        s_answer_json(call, signing_keys_jwks(self->tools.keys));
}

/* OpenID Connect Discovery 1.0, 3: what there is of it in a user pool without pages of its own. */
static void s_discovery_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    const char *issuer = self->tools.issuer;
    json_t *body = json_pack("{s:s, s:o, s:[s], s:[s], s:[s]}", "issuer", issuer, "jwks_uri",
                             json_sprintf("%s/.well-known/jwks.json", issuer),
                             "response_types_supported", "token", "subject_types_supported",
                             "public", "id_token_signing_alg_values_supported", "ES256");
    s_answer_json(call, body);
}

/* ---- life ---- */

static void s_on_cleaned(void *arg, const pg_outcome_t *outcome)
{
    (void)arg; /* whatever went wrong, the next time will do */
    if (outcome->code == ERR_INTERNAL)
        log_warn("what has ended was not deleted", log_str("error", outcome->message), LOG_END);
}

static void s_on_cleaning(void *arg)
{
    accounts_t *self = arg;
    account_run_t run = {.link = self->tools.link,
                         .deadline_ms = clock_unix_ms() + CLEANING_TIMEOUT_MS,
                         .fn = s_on_cleaned};
    if (!pg_link_is_up(self->tools.link))
        return;
    account_sql_clean(&run);
    pool_sql_clean(&run);
}

/* Cognito's oldest clients know no path: they post to the root of a host of its own. */
static void s_cognito_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    cognito_call(self->cognito, call);
}

static void s_fill_handlers(accounts_t *self)
{
    snprintf(self->jwks_route, sizeof self->jwks_route, "HTTP GET /%s/.well-known/jwks.json",
             self->tools.pool_id);
    snprintf(self->discovery_route, sizeof self->discovery_route,
             "HTTP GET /%s/.well-known/openid-configuration", self->tools.pool_id);
    const store_handler_t handlers[ACCOUNTS_HANDLERS_MAX] = {
        {"Mutation.signUp", accounts_sign_up},
        {"Mutation.signIn", accounts_sign_in},
        {"Mutation.refreshSession", accounts_refresh},
        {"Mutation.signOut", accounts_sign_out},
        {"Query.me", accounts_me},
        {"HTTP POST /cognito", s_cognito_call},
        {"HTTP POST /", s_cognito_call},
        {"HTTP GET /.well-known/jwks.json", s_jwks_call},
        {self->jwks_route, s_jwks_call},
        {self->discovery_route, s_discovery_call},
        {NULL, NULL},
    };
    memcpy(self->handlers, handlers, sizeof handlers);
}

static char *s_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static err_code_t s_check_options(const accounts_options_t *options, err_t *err)
{
    const char *name = strchr(options->pool_id, '_');
    if (strlen(options->pool_id) > 128)
        return err_set(err, ERR_CONFIG, "--pool-id must have at most 128 characters");
    if (!name || !name[1])
        return err_set(err, ERR_CONFIG,
                       "--pool-id must look like local-1_chat: clients compute "
                       "with the part behind the _");
    return ERR_OK;
}

static void s_fill_tools(account_tools_t *tools,
                         loop_t *loop,
                         pg_link_t *link,
                         const accounts_options_t *options,
                         const master_key_t *master)
{
    tools->loop = loop;
    tools->link = link;
    tools->issuer = s_copy(options->issuer);
    tools->client_id = s_copy(options->client_id);
    tools->pool_id = s_copy(options->pool_id);
    tools->pool_name = strchr(tools->pool_id, '_') + 1;
    tools->srp = !options->no_srp;
    tools->keys = signing_keys_new(loop, link, master);
    tools->hasher = hasher_new(loop);
    tools->attempts = attempts_new(&options->attempts);
    refresh_keys_derive(master, &tools->refresh_keys);
    srp_keys_derive(master, &tools->srp_keys);
}

accounts_t *
accounts_new(loop_t *loop, pg_link_t *link, const accounts_options_t *options, err_t *err)
{
    codes_t codes;
    master_key_t *master = NULL;
    if (s_check_options(options, err) != ERR_OK ||
        !(master = master_key_read(options->keys_dir, err)))
        return NULL;
    mailer_t *mailer = NULL;
    if (codes_init(&codes, master, options->fixed_code, err) != ERR_OK ||
        (options->smtp_url && *options->smtp_url &&
         !(mailer = mailer_new(loop, options->smtp_url, options->smtp_from, err)))) {
        master_key_destroy(&master);
        return NULL;
    }
    accounts_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->tools.codes = codes;
    self->tools.mailer = mailer;
    s_fill_tools(&self->tools, loop, link, options, master);
    master_key_destroy(&master);
    self->cognito = cognito_new(&self->tools);
    if (codes.fixed[0])
        log_warn("PARLEY_FIXED_CODE is set: every confirmation code is the same, anybody can "
                 "confirm and take over every account",
                 LOG_END);
    self->cleaning = loop_timer_new(loop, s_on_cleaning, self);
    loop_timer_start(self->cleaning, CLEANING_MS, CLEANING_MS);
    self->reuses =
        metrics_counter("parley_refresh_token_reuses_total",
                        "Sessions ended because a replaced refresh token came again", NULL);
    s_fill_handlers(self);
    return self;
}

const store_handler_t *accounts_handlers(const accounts_t *self)
{
    return self->handlers;
}

void accounts_on_database_ready(accounts_t *self)
{
    signing_keys_refresh(self->tools.keys);
}

void accounts_on_keys_changed(accounts_t *self)
{
    signing_keys_refresh(self->tools.keys);
}

bool accounts_is_ready(const accounts_t *self, char *reason, size_t size)
{
    return signing_keys_are_ready(self->tools.keys, reason, size);
}

void accounts_manifest_issuer(const accounts_t *self, json_t *manifest)
{
    if (!signing_keys_are_ready(self->tools.keys, NULL, 0))
        return;
    json_object_set_new(manifest, "issuer",
                        json_pack("{s:s, s:s, s:o}", "iss", self->tools.issuer, "clientId",
                                  self->tools.client_id, "jwks",
                                  signing_keys_jwks(self->tools.keys)));
}

void accounts_stop(accounts_t *self)
{
    self->tools.is_stopped = true;
    hasher_stop(self->tools.hasher); /* ends the tasks that wait for it */
    signing_keys_stop(self->tools.keys);
    loop_timer_destroy(&self->cleaning);
    for (task_t *task = self->tasks; task; task = task->next) {
        if (task->call) /* with the database: nobody knows how it will end */
            store_call_fail(task->call, ERR_UNAVAILABLE,
                            "\"outcome\":\"unknown\",\"retryAfterMs\":1000",
                            "the store is stopping");
        task->call = NULL;
    }
    cognito_stop(self->cognito);
    mailer_destroy(&self->tools.mailer);
}

void accounts_destroy(accounts_t **self_p)
{
    accounts_t *self = *self_p;
    if (!self)
        return;
    if (!self->tools.is_stopped)
        accounts_stop(self);
    while (self->tasks)
        task_end(self->tasks);
    cognito_destroy(&self->cognito);
    attempts_destroy(&self->tools.attempts);
    hasher_destroy(&self->tools.hasher);
    signing_keys_destroy(&self->tools.keys);
    free(self->tools.issuer);
    free(self->tools.client_id);
    free(self->tools.pool_id);
    sodium_memzero(&self->tools, sizeof self->tools);
    free(self);
    *self_p = NULL;
}
