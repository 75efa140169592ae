/* store/accounts/admin.h: the administrator's sub-commands: users, groups, API keys, signing keys.
 * They speak to the database and may block: there is no loop. Running stores and gateways hear of
 * what changed within two seconds. Each returns the process's exit status and says on stderr what
 * went wrong. */
#ifndef PARLEY_STORE_ACCOUNTS_ADMIN_H
#define PARLEY_STORE_ACCOUNTS_ADMIN_H

#include <stdbool.h>

typedef struct {
    const char *database_url;
    const char *keys_dir; /* holds master.key: for rotate-key, and for user reset if SRP is in use;
                             else NULL will do */
    const char *pool_id;
    bool no_srp;         /* no SRP verifiers are kept */
    const char *name;    /* of apikey create */
    const char *rights;  /* "read" or "write" */
    const char *expires; /* "30d", "2027-01-31", "never"; NULL: never */
    bool as_json;        /* print JSON instead of a table */
} admin_options_t;

/* create, list, revoke NAME-OR-ID */
int admin_apikey(const admin_options_t *options, int count, char **words);

/* list, disable, enable, sign-out or reset HANDLE, group add or remove HANDLE GROUP */
int admin_user(const admin_options_t *options, int count, char **words);

/* A new signing key; the one before verifies until the last token of its has expired. */
int admin_rotate_key(const admin_options_t *options);

/* What admin_apikey and admin_user understand, for --help. */
#define ADMIN_USAGE                                                                                \
    "  apikey create | list | revoke NAME\n"                                                       \
    "                make an API key (--name, --rights, --expires) and print it, once\n"           \
    "  user list | disable | enable | sign-out | reset HANDLE | group add | remove HANDLE GROUP\n" \
    "                accounts; what is taken away ends open connections too\n"                     \
    "  rotate-key    sign tokens with a new key; the old ones verify as long as it takes"

#endif
