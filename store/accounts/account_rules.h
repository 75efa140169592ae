/* store/accounts/account_rules.h: what a handle, a password and an e-mail address may be. Pure
 * functions; any thread.
 *
 * Two handles are the same if they are after case folding and NFKC: `account_fold` does the first,
 * the SQL function account_handle_key the second. Letters of different scripts that only look alike
 * stay different. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNT_RULES_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum {
    HANDLE_CHARACTERS_MAX = 64,
    HANDLE_FOLDED_SIZE = HANDLE_CHARACTERS_MAX * 4 * 3 / 2 + 3, /* with NUL */
    PASSWORD_CHARACTERS_MIN = 8,
    PASSWORD_BYTES_MAX = 256,
    EMAIL_BYTES_MAX = 254,
};

/* Each takes size bytes of anything. ERR_OK, or ERR_BAD_USER_INPUT with a sentence that begins with
 * the argument's name and names every rule that is violated. */

/* 1 to 64 visible characters; blanks only single and inside; no control or invisible character. */
err_code_t account_check_handle(const char *handle, size_t size, err_t *err);

/* At least 8 characters, among them a-z and 0-9; at most 256 bytes; no NUL. */
err_code_t account_check_password(const char *password, size_t size, err_t *err);

/* local@domain.tld: RFC 5321's Mailbox without quoted strings, address literals and bare hosts;
 * letters beyond ASCII are taken (RFC 6531). */
err_code_t account_check_email(const char *email, size_t size, err_t *err);

/* The case-folded handle with a NUL. False if no account can have it (then out is ""). */
bool account_fold(const char *handle, size_t size, char out[HANDLE_FOLDED_SIZE]);

#endif
