/* store/commands.h: the sub-commands of parley-store that do one thing and end. They may block:
 * there is no loop. Each returns the process's exit status and says on stderr what went wrong. */
#ifndef PARLEY_STORE_COMMANDS_H
#define PARLEY_STORE_COMMANDS_H

/* Brings the database's schema up to date. */
int command_migrate(const char *database_url);

/* Begins a new epoch: for a database that was restored from a backup into the same cluster. */
int command_new_epoch(const char *database_url);

/* Makes the keys of a store and its gateways under dir. */
int command_keygen(const char *dir);

/* Asks the admin address of a running store whether it is ready. */
int command_healthcheck(const char *admin_address);

#endif
