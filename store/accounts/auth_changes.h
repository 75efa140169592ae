/* store/accounts/auth_changes.h: tells gateways which sessions ended early and which API keys there
 * are (proto/bus.md 4.5). Loop thread only.
 *
 * A gateway asks what changed since the last time, and its call is held until something did or its
 * time is over. Everything is read from the database, where any store, or a command, may have put
 * it; triggers number the changes in the order in which they become visible.
 *
 * Nothing is read in vain: the database notifies, and the number up to which all is told is read
 * after the link came up (which listens from then on) and after each notification. So while the
 * link stands and no look is under way, that number is the last one. */
#ifndef PARLEY_STORE_ACCOUNTS_AUTH_CHANGES_H
#define PARLEY_STORE_ACCOUNTS_AUTH_CHANGES_H

#include "common/loop.h"
#include "store/handler.h"
#include "store/pg_link.h"

enum {
    AUTH_CHANGES_WAIT_MAX_MS = 10000,
    AUTH_CHANGES_AN_ANSWER = 5000,
};

typedef struct auth_changes auth_changes_t;

/* link is borrowed until auth_changes_stop. Never NULL. */
auth_changes_t *auth_changes_new(loop_t *loop, pg_link_t *link);

/* The link came up, or the database says that there is a change. */
void auth_changes_look(auth_changes_t *self);

/* The handler of AUTH; arg is the auth_changes. */
extern const store_handler_t auth_changes_handlers[];

/* Answers the calls that are held, and holds no more; before the endpoint and the link go. */
void auth_changes_stop(auth_changes_t *self);

/* After the link is gone. */
void auth_changes_destroy(auth_changes_t **self_p);

#endif
