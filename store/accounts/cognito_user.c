/* What the holder of an access token does with his account. */
#include <stdlib.h>
#include <string.h>

#include "store/accounts/cognito_internal.h"

static void s_on_done(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (op_committed(op, outcome))
        op_answer(op, json_object());
}

/* ---- GetUser ---- */

static void s_add_attribute(json_t *list, const char *name, const char *value)
{
    json_array_append_new(list, json_pack("{s:s, s:s}", "Name", name, "Value", value));
}

static json_t *s_attributes(const op_t *op)
{
    json_t *list = json_array(), *others = json_loads(op->attributes, 0, NULL), *value;
    char sub[UUID_TEXT_SIZE];
    const char *name;
    uuid_print(&op->account, sub);
    s_add_attribute(list, "sub", sub);
    if (op->email || op->is_email_verified)
        s_add_attribute(list, "email_verified", op->is_email_verified ? "true" : "false");
    json_object_foreach(others, name, value) s_add_attribute(list, name, json_string_value(value));
    if (op->email)
        s_add_attribute(list, "email", op->email);
    json_decref(others);
    return list;
}

static void s_answer_user(op_t *op)
{
    op_answer(op,
              json_pack("{s:s, s:o}", "Username", op->handle, "UserAttributes", s_attributes(op)));
}

void cognito_get_user(op_t *op)
{
    op_authenticate(op, s_answer_user);
}

/* ---- ChangePassword ---- */

static void s_on_changed(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (op_committed(op, outcome) && op_judge_password(op, PQntuples(outcome->results[0]) == 1))
        op_answer(op, json_object());
}

static void s_on_new_computed(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    const new_password_t *computed = op_new_password(op, outcome);
    if (!computed)
        return;
    uint8_t sealed[SRP_SEALED_SIZE];
    account_run_t run = op_run(op, s_on_changed);
    pool_sql_change_password(&run, &op->account, op->password_hash, computed->hash,
                             account_seal_verifier(op->tools, &op->account, computed, sealed));
}

static void s_on_old_verified(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    if (!op_was_computed(op, outcome) || !op_judge_password(op, outcome == HASHER_OK))
        return;
    size_t size;
    const char *password = cognito_sized_string(op->body, "ProposedPassword", &size);
    op_compute(op, new_password_compute, account_new_password(op->tools, op->key, password, size),
               new_password_free, s_on_new_computed);
}

static void s_change_known(op_t *op)
{
    size_t size;
    const char *password = cognito_sized_string(op->body, "PreviousPassword", &size);
    if (!op_may_try(op, ATTEMPT_PASSWORD, op->handle))
        return;
    if (!hasher_verify(op->tools->hasher, op->password_hash, password, size, op->call->deadline_ms,
                       s_on_old_verified, op))
        op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Too many sign-ins at once, try again later.");
}

void cognito_change_password(op_t *op)
{
    size_t size, old_size;
    err_t err = ERR_INIT;
    const char *password = cognito_sized_string(op->body, "ProposedPassword", &size);
    cognito_sized_string(op->body, "PreviousPassword", &old_size);
    if (old_size > PASSWORD_BYTES_MAX)
        op_refuse(op, COGNITO_INVALID_PARAMETER, "PreviousPassword must have at most %d bytes",
                  PASSWORD_BYTES_MAX);
    else if (account_check_password(password, size, &err) != ERR_OK)
        op_refuse(op, COGNITO_INVALID_PASSWORD, "Password did not conform with policy: %s",
                  err.text);
    else
        op_authenticate(op, s_change_known);
}

/* ---- UpdateUserAttributes ---- */

static void s_answer_update(op_t *op)
{
    op_answer(op, json_pack("{s:[o]}", "CodeDeliveryDetailsList", op_delivery(op, op->email)));
}

static void s_on_updated(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (!op_committed(op, outcome))
        return;
    const char *email = op->wanted.email;
    bool is_new = email && (!op->email || strcmp(email, op->email) != 0);
    if (!is_new) {
        op_answer(op, json_pack("{s:[]}", "CodeDeliveryDetailsList"));
        return;
    }
    free(op->email);
    op->email = strdup(email);
    if (!op->email)
        abort();
    op_send_code(op, CODE_EMAIL, s_answer_update);
}

static void s_update_known(op_t *op)
{
    char *patch = json_dumps(op->wanted.others, JSON_COMPACT);
    if (!patch)
        abort();
    account_run_t run = op_run(op, s_on_updated);
    pool_sql_update(&run, &op->account, patch, op->wanted.has_email, op->wanted.email);
    free(patch);
}

void cognito_update_user_attributes(op_t *op)
{
    cognito_refusal_t refusal;
    if (!json_is_array(json_object_get(op->body, "UserAttributes")))
        op_refuse(op, COGNITO_INVALID_PARAMETER, "Missing required parameter UserAttributes");
    else if (!cognito_attributes_read(json_object_get(op->body, "UserAttributes"), &op->wanted,
                                      &refusal))
        op_refuse_as(op, &refusal);
    else
        op_authenticate(op, s_update_known);
}

/* ---- the address's code ---- */

static bool s_is_email(op_t *op)
{
    if (strcmp(cognito_string(op->body, "AttributeName"), "email") == 0)
        return true;
    op_refuse(op, COGNITO_INVALID_PARAMETER, "only the attribute email can be verified");
    return false;
}

static void s_answer_code(op_t *op)
{
    op_answer(op, json_pack("{s:o}", "CodeDeliveryDetails", op_delivery(op, op->email)));
}

static void s_send_known(op_t *op)
{
    if (op->email)
        op_send_code(op, CODE_EMAIL, s_answer_code);
    else
        op_refuse(op, COGNITO_INVALID_PARAMETER, "the account has no email");
}

void cognito_get_user_attribute_verification_code(op_t *op)
{
    if (s_is_email(op))
        op_authenticate(op, s_send_known);
}

static void s_on_code_judged(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (op_committed(op, outcome) && op_judge_code(op, outcome->results[0]))
        op_answer(op, json_object());
}

static void s_verify_known(op_t *op)
{
    size_t size;
    const char *text = cognito_sized_string(op->body, "Code", &size);
    if (!op_may_try(op, ATTEMPT_CODE, op->handle))
        return;
    code_row_t code = {.account = op->account, .purpose = CODE_EMAIL};
    code_hash(&op->tools->codes, &code.account, CODE_EMAIL, text, size, code.hash);
    account_run_t run = op_run(op, s_on_code_judged);
    pool_sql_confirm(&run, &code);
}

void cognito_verify_user_attribute(op_t *op)
{
    if (s_is_email(op))
        op_authenticate(op, s_verify_known);
}

/* ---- GlobalSignOut, DeleteUser ---- */

static void s_sign_out_known(op_t *op)
{
    account_run_t run = op_run(op, s_on_done);
    account_sql_end_sessions(&run, &op->account, "global-sign-out");
}

void cognito_global_sign_out(op_t *op)
{
    op_authenticate(op, s_sign_out_known);
}

static void s_delete_known(op_t *op)
{
    account_run_t run = op_run(op, s_on_done);
    pool_sql_delete(&run, &op->account);
}

void cognito_delete_user(op_t *op)
{
    op_authenticate(op, s_delete_known);
}
