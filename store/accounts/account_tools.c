#include "store/accounts/account_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/pool_sql.h"

enum { UPGRADE_TIMEOUT_MS = 10000 };

new_password_t *account_new_password(const account_tools_t *self,
                                     const char *key,
                                     const char *password,
                                     size_t size)
{
    new_password_t *work = new_password_new(self->pool_name, key, password, size);
    work->wants_hash = true;
    work->wants_verifier = self->srp;
    srp_salt(&self->srp_keys, key, work->salt);
    return work;
}

const uint8_t *account_seal_verifier(const account_tools_t *self,
                                     const parley_uuid_t *account,
                                     const new_password_t *computed,
                                     uint8_t sealed[SRP_SEALED_SIZE])
{
    if (!computed->wants_verifier)
        return NULL;
    srp_seal_verifier(&self->srp_keys, account, computed->verifier, sealed);
    return sealed;
}

/* ---- adding a verifier ---- */

typedef struct {
    account_tools_t *tools;
    parley_uuid_t account;
    new_password_t *work; /* the hasher's */
    char password_hash[PASSWORD_HASH_SIZE];
} upgrade_t;

static void s_on_added(void *arg, const pg_outcome_t *outcome)
{
    if (outcome->code == ERR_INTERNAL)
        log_warn("SRP verifier not added", log_str("error", outcome->message), LOG_END);
    free(arg);
}

static void s_on_computed(void *arg, hasher_outcome_t outcome)
{
    upgrade_t *upgrade = arg;
    account_tools_t *self = upgrade->tools;
    if (outcome != HASHER_OK) {
        free(upgrade);
        return;
    }
    uint8_t sealed[SRP_SEALED_SIZE];
    account_seal_verifier(self, &upgrade->account, upgrade->work, sealed);
    account_run_t run = {.link = self->link,
                         .deadline_ms = clock_unix_ms() + UPGRADE_TIMEOUT_MS,
                         .fn = s_on_added,
                         .arg = upgrade};
    pool_sql_add_verifier(&run, &upgrade->account, upgrade->password_hash, sealed);
}

void account_add_verifier(account_tools_t *self,
                          const parley_uuid_t *account,
                          const char *key,
                          const char *password,
                          size_t size,
                          const char *password_hash)
{
    if (!self->srp)
        return;
    upgrade_t *upgrade = calloc(1, sizeof *upgrade);
    if (!upgrade)
        abort();
    upgrade->tools = self;
    upgrade->account = *account;
    upgrade->work = account_new_password(self, key, password, size);
    upgrade->work->wants_hash = false;
    strncpy(upgrade->password_hash, password_hash, sizeof upgrade->password_hash - 1);
    if (!hasher_run(self->hasher, new_password_compute, upgrade->work, new_password_free,
                    clock_unix_ms() + UPGRADE_TIMEOUT_MS, s_on_computed, upgrade))
        free(upgrade); /* the next sign-in will do it */
}

/* ---- codes ---- */

void account_deliver_code(account_tools_t *self,
                          const char *handle,
                          const char *email,
                          code_purpose_t purpose,
                          const char *code)
{
    static const char *const subjects[] = {"Confirm your account", "Set a new password",
                                           "Confirm your e-mail address"};
    if (self->mailer && email) {
        char text[512];
        int hours = code_lifetime_s(purpose) / 3600;
        snprintf(text, sizeof text,
                 "Hello %s,\n\nyour code is %s\n\nIt works for %d hour%s. If you did not ask for "
                 "it, do nothing.\n",
                 handle, code, hours, hours == 1 ? "" : "s");
        mailer_send(self->mailer, email, subjects[purpose], text);
        return;
    }
    log_info("confirmation code", log_str("handle", handle),
             log_str("purpose", code_purpose_name(purpose)), log_str("code", code), LOG_END);
}
