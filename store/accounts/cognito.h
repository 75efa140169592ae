/* store/accounts/cognito.h: the user pool as Amazon Cognito's clients speak to it: POST requests of
 * AWS's JSON 1.1 protocol. The accounts are those of Mutation.signUp; sessions that begin here have
 * refresh tokens that do not rotate, as Cognito's do not by default.
 *
 * Names without an account are answered like names with one, after the same work, by everything
 * but SignUp. Loop thread only. */
#ifndef PARLEY_STORE_ACCOUNTS_COGNITO_H
#define PARLEY_STORE_ACCOUNTS_COGNITO_H

#include "store/accounts/account_tools.h"
#include "store/handler.h"

typedef struct cognito cognito_t;

/* tools are borrowed and outlive self. Never NULL. */
cognito_t *cognito_new(account_tools_t *tools);

/* The handler of the HTTP routes; arg is self. */
void cognito_call(void *arg, store_call_t *call);

/* Answers all that is under way with ServiceUnavailableException. Before the endpoint and the link
 * go. */
void cognito_stop(cognito_t *self);

/* After the link is gone. */
void cognito_destroy(cognito_t **self_p);

#endif
