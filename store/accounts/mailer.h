/* store/accounts/mailer.h: sends short mails by SMTP (RFC 5321), with libcurl in a thread of uv's
 * pool, one at a time: at the end of a connection libcurl waits for the server's answer to QUIT
 * even in its multi interface, which would stop the loop. Loop thread only.
 *
 * What cannot be sent is tried again a few times and then logged, without its text. Mails under way
 * live in memory: those of a store that stops or dies are lost, and people ask for another code. */
#ifndef PARLEY_STORE_ACCOUNTS_MAILER_H
#define PARLEY_STORE_ACCOUNTS_MAILER_H

#include "common/err.h"
#include "common/loop.h"

enum { MAILS_MAX = 1000 /* waiting and under way; more are refused, and counted */ };

typedef struct mailer mailer_t;

/* url: "smtp://user:password@host:587" (STARTTLS if the server has it) or "smtps://…"; from: an
 * address. Copies both. NULL and ERR_CONFIG with one line, without the password, if url is of
 * another kind or from is no address. */
mailer_t *mailer_new(loop_t *loop, const char *url, const char *from, err_t *err);

/* Sends a mail. to: an address that account_check_email took; subject: ASCII; text: UTF-8, lines
 * end with LF. */
void mailer_send(mailer_t *self, const char *to, const char *subject, const char *text);

/* Drops what is under way; the loop must be run afterwards (loop_destroy does), until the thread
 * has noticed, a second at most. */
void mailer_destroy(mailer_t **self_p);

#endif
