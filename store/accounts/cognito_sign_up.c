/* Accounts that begin, codes, and passwords that were forgotten. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "store/accounts/cognito_internal.h"

/* ---- codes ---- */

json_t *op_delivery(const op_t *op, const char *email)
{
    char destination[CODE_DESTINATION_SIZE];
    code_destination(&op->tools->codes, op->key, email, destination);
    return json_pack("{s:s, s:s, s:s}", "AttributeName", "email", "DeliveryMedium", "EMAIL",
                     "Destination", destination);
}

/* A new code for the operation's account, as it is stored. */
static code_row_t s_new_code(op_t *op, code_purpose_t purpose)
{
    code_row_t row = {.account = op->account, .purpose = purpose};
    code_make(&op->tools->codes, op->code);
    code_hash(&op->tools->codes, &row.account, purpose, op->code, strlen(op->code), row.hash);
    return row;
}

static code_row_t s_given_code(op_t *op, code_purpose_t purpose)
{
    size_t size;
    const char *code = cognito_sized_string(op->body, "ConfirmationCode", &size);
    code_row_t row = {.account = op->account, .purpose = purpose};
    code_hash(&op->tools->codes, &row.account, purpose, code, size, row.hash);
    return row;
}

static code_purpose_t s_purpose(const op_t *op)
{
    switch (op->operation) {
    case COGNITO_FORGOT_PASSWORD:
        return CODE_PASSWORD;
    case COGNITO_RESEND_CONFIRMATION_CODE:
        return CODE_SIGN_UP;
    default:
        return CODE_EMAIL;
    }
}

static void s_on_code_put(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (!op_committed(op, outcome))
        return;
    if (op->handle && pg_bool(outcome->results[0], 0, CODE_SENT))
        account_deliver_code(op->tools, op->handle, op->email, s_purpose(op), op->code);
    op->then(op);
}

void op_send_code(op_t *op, code_purpose_t purpose, op_fn then)
{
    code_row_t code = s_new_code(op, purpose);
    op->then = then;
    account_run_t run = op_run(op, s_on_code_put);
    pool_sql_put_code(&run, &code);
}

static void s_say_delivery(op_t *op)
{
    op_answer(op, json_pack("{s:o}", "CodeDeliveryDetails", op_delivery(op, op->email)));
}

/* ---- SignUp ---- */

static void s_on_signed_up(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0 &&
        outcome->constraint && strcmp(outcome->constraint, ACCOUNT_HANDLE_CONSTRAINT) == 0) {
        op_refuse(op, COGNITO_USERNAME_EXISTS, "User already exists");
        return;
    }
    if (!op_committed(op, outcome))
        return;
    char sub[UUID_TEXT_SIZE];
    uuid_print(&op->account, sub);
    account_deliver_code(op->tools, cognito_string(op->body, "Username"), op->wanted.email,
                         CODE_SIGN_UP, op->code);
    op_answer(op, json_pack("{s:b, s:s, s:o}", "UserConfirmed", 0, "UserSub", sub,
                            "CodeDeliveryDetails", op_delivery(op, op->wanted.email)));
}

static void s_on_sign_up_computed(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    const new_password_t *computed = op_new_password(op, outcome);
    if (!computed)
        return;
    const char *handle = cognito_string(op->body, "Username");
    char folded[HANDLE_FOLDED_SIZE];
    uint8_t sealed[SRP_SEALED_SIZE];
    account_fold(handle, strlen(handle), folded);
    op->account = uuid_v7(clock_unix_ms());
    account_row_t account = {.id = op->account,
                             .handle = handle,
                             .folded = folded,
                             .email = op->wanted.email,
                             .password_hash = computed->hash,
                             .srp_verifier =
                                 account_seal_verifier(op->tools, &op->account, computed, sealed)};
    code_row_t code = s_new_code(op, CODE_SIGN_UP);
    char *attributes = json_dumps(op->wanted.others, JSON_COMPACT);
    if (!attributes)
        abort();
    account_run_t run = op_run(op, s_on_signed_up);
    pool_sql_sign_up(&run, &account, attributes, &code);
    free(attributes);
}

/* Work for the password in that member. */
static void s_compute_password(op_t *op, const char *member, hasher_done_fn done)
{
    size_t size;
    const char *password = cognito_sized_string(op->body, member, &size);
    op_compute(op, new_password_compute, account_new_password(op->tools, op->key, password, size),
               new_password_free, done);
}

static void s_sign_up_known(op_t *op)
{
    if (op->handle || op->is_disabled)
        op_refuse(op, COGNITO_USERNAME_EXISTS, "User already exists");
    else
        s_compute_password(op, "Password", s_on_sign_up_computed);
}

/* Does the new password in that member conform? If not, the operation is over. */
static bool s_password_conforms(op_t *op, const char *member)
{
    size_t size;
    err_t err = ERR_INIT;
    const char *password = cognito_sized_string(op->body, member, &size);
    if (account_check_password(password, size, &err) == ERR_OK)
        return true;
    op_refuse(op, COGNITO_INVALID_PASSWORD, "Password did not conform with policy: %s", err.text);
    return false;
}

/* Have not too many signed up from this address? If they have, the operation is over. */
static bool s_may_sign_up(op_t *op)
{
    op->retry_ms = attempts_sign_up(op->tools->attempts, op->call->client);
    if (!op->retry_ms)
        return true;
    op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Too many sign-ups, please try after some time.");
    return false;
}

/* The parameters, then the password, then the name. */
void cognito_sign_up(op_t *op)
{
    size_t size;
    err_t err = ERR_INIT;
    cognito_refusal_t refusal;
    if (!op_is_for_us(op))
        return;
    const char *handle = cognito_sized_string(op->body, "Username", &size);
    if (account_check_handle(handle, size, &err) != ERR_OK)
        op_refuse(op, COGNITO_INVALID_PARAMETER, "Username is not valid: %s", err.text);
    else if (!cognito_string(op->body, "Password"))
        op_refuse(op, COGNITO_INVALID_PARAMETER, "Missing required parameter Password");
    else if (!cognito_attributes_read(json_object_get(op->body, "UserAttributes"), &op->wanted,
                                      &refusal))
        op_refuse_as(op, &refusal);
    else if (s_password_conforms(op, "Password") && s_may_sign_up(op))
        op_look_up(op, handle, s_sign_up_known);
}

/* ---- ConfirmSignUp, ResendConfirmationCode ---- */

static void s_on_confirmed(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (op_committed(op, outcome) && op_judge_code(op, outcome->results[0]))
        op_answer(op, json_object());
}

static void s_confirm_known(op_t *op)
{
    code_row_t code = s_given_code(op, CODE_SIGN_UP);
    account_run_t run = op_run(op, s_on_confirmed);
    pool_sql_confirm(&run, &code);
}

void cognito_confirm_sign_up(op_t *op)
{
    const char *name = cognito_string(op->body, "Username");
    if (op_is_for_us(op) && op_may_try(op, ATTEMPT_CODE, name))
        op_look_up(op, name, s_confirm_known);
}

/* An account that is confirmed needs no code: nobody sends one, and nobody hears that. */
static void s_resend_known(op_t *op)
{
    if (op->handle && op->is_confirmed) {
        free(op->handle);
        op->handle = NULL;
        op->account = code_nobody(&op->tools->codes, op->key);
    }
    op_send_code(op, CODE_SIGN_UP, s_say_delivery);
}

void cognito_resend_confirmation_code(op_t *op)
{
    if (op_is_for_us(op))
        op_look_up(op, cognito_string(op->body, "Username"), s_resend_known);
}

/* ---- ForgotPassword, ConfirmForgotPassword ---- */

static void s_forgot_known(op_t *op)
{
    op_send_code(op, CODE_PASSWORD, s_say_delivery);
}

void cognito_forgot_password(op_t *op)
{
    if (op_is_for_us(op))
        op_look_up(op, cognito_string(op->body, "Username"), s_forgot_known);
}

static void s_on_reset_computed(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    const new_password_t *computed = op_new_password(op, outcome);
    if (!computed)
        return;
    uint8_t sealed[SRP_SEALED_SIZE];
    code_row_t code = s_given_code(op, CODE_PASSWORD);
    account_run_t run = op_run(op, s_on_confirmed);
    pool_sql_reset_password(&run, &code, computed->hash,
                            account_seal_verifier(op->tools, &op->account, computed, sealed));
}

static void s_reset_known(op_t *op)
{
    s_compute_password(op, "Password", s_on_reset_computed);
}

void cognito_confirm_forgot_password(op_t *op)
{
    const char *name = cognito_string(op->body, "Username");
    if (op_is_for_us(op) && s_password_conforms(op, "Password") &&
        op_may_try(op, ATTEMPT_CODE, name))
        op_look_up(op, name, s_reset_known);
}
