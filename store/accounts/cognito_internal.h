/* store/accounts/cognito_internal.h: one operation on its way through hasher and database. Private
 * to cognito*.c. */
#ifndef PARLEY_STORE_ACCOUNTS_COGNITO_INTERNAL_H
#define PARLEY_STORE_ACCOUNTS_COGNITO_INTERNAL_H

#include "common/metrics.h"
#include "store/accounts/cognito.h"
#include "store/accounts/cognito_request.h"
#include "store/accounts/pool_sql.h"

typedef struct op op_t;
typedef void (*op_fn)(op_t *op);

/* Lives until it is answered, in op_answer or op_refuse (or their kin), which end it. */
struct op {
    cognito_t *owner;
    account_tools_t *tools;
    store_call_t *call; /* NULL: cognito_stop answered it */
    op_t *previous, *next;
    op_fn then; /* what comes after a look-up */
    cognito_operation_t operation;
    json_t *body;

    /* of a name (op_look_up) or an access token (op_authenticate); copies */
    char *key;
    char *handle; /* NULL: no account */
    char *password_hash;
    char *email;
    char *attributes;
    parley_uuid_t account; /* or code_nobody's */
    bool has_verifier, is_confirmed, is_email_verified, is_disabled;
    uint8_t sealed_verifier[SRP_SEALED_SIZE];

    int64_t retry_ms;  /* of a refusal that says so */
    attempt_t attempt; /* a password or code that is being judged */

    /* of single operations */
    parley_uuid_t session;
    refresh_token_t presented, fresh;
    srp_challenge_t *challenge;
    uint8_t *block; /* the challenge's bytes */
    size_t block_size;
    cognito_attributes_t wanted; /* of SignUp and UpdateUserAttributes */
    char code[CODE_BYTES_MAX + 1];
    void *work; /* what the hasher computes now; the hasher's */
};

/* ---- ends ---- */

/* Takes body. */
void op_answer(op_t *op, json_t *body);
void op_refuse(op_t *op, cognito_error_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void op_refuse_as(op_t *op, const cognito_refusal_t *refusal);

/* ---- steps ---- */

/* How a transaction of the operation is run. */
account_run_t op_run(op_t *op, pg_done_fn fn);
/* Did it commit? If not, the operation is over. */
bool op_committed(op_t *op, const pg_outcome_t *outcome);
/* Has the hasher taken the work? Its `work` is op->work then. If not, the operation is over. */
bool op_compute(op_t *op,
                bool (*fn)(void *work),
                void *work,
                void (*free_work)(void *work),
                hasher_done_fn done);
/* Did the hasher come to it (HASHER_OK or HASHER_MISMATCH)? If not, the operation is over. */
bool op_was_computed(op_t *op, hasher_outcome_t outcome);
/* Of op_compute with a new password: what came of it, which is the operation's. NULL: it is over.
 */
const new_password_t *op_new_password(op_t *op, hasher_outcome_t outcome);

/* Looks the name up, then goes on with `then`, also if it has no account (or a disabled one: then
 * only is_disabled and key say so). */
void op_look_up(op_t *op, const char *name, op_fn then);
void op_look_up_key(op_t *op, const char *key, op_fn then);
/* Whose AccessToken it is; goes on with `then` if the session lives. */
void op_authenticate(op_t *op, op_fn then);
/* Is ClientId this pool's client? If not, the operation is over. */
bool op_is_for_us(op_t *op);

/* ---- judgements: every guess of a password or a code comes by one of these ---- */

/* A password or a code for that name is about to be compared. False: too many were wrong, the
 * operation is over. */
bool op_may_try(op_t *op, attempt_kind_t kind, const char *name);
/* A password, or the proof of one, was compared. False: wrong, the operation is over. */
bool op_judge_password(op_t *op, bool is_right);
/* A code was compared. False: wrong, the operation is over. */
bool op_judge_code(op_t *op, const PGresult *row);

/* ---- parts of answers ---- */

/* {"CodeDeliveryDetails"} of a code that went to the account, or seems to. */
json_t *op_delivery(const op_t *op, const char *email);

/* Makes a code, stores it and delivers it if there is an account; goes on with `then`, in any case
 * after the same work. */
void op_send_code(op_t *op, code_purpose_t purpose, op_fn then);

/* ---- operations ---- */

void cognito_sign_up(op_t *op);
void cognito_confirm_sign_up(op_t *op);
void cognito_resend_confirmation_code(op_t *op);
void cognito_forgot_password(op_t *op);
void cognito_confirm_forgot_password(op_t *op);

void cognito_initiate_auth(op_t *op);
void cognito_respond_to_auth_challenge(op_t *op);
void cognito_get_tokens_from_refresh_token(op_t *op);
void cognito_revoke_token(op_t *op);

void cognito_get_user(op_t *op);
void cognito_change_password(op_t *op);
void cognito_update_user_attributes(op_t *op);
void cognito_get_user_attribute_verification_code(op_t *op);
void cognito_verify_user_attribute(op_t *op);
void cognito_global_sign_out(op_t *op);
void cognito_delete_user(op_t *op);

#endif
