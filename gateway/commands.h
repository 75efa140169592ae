/* gateway/commands.h: the commands of parley-gateway that are about schemas and documents and end
 * by themselves. Each returns the exit status: 0; 1 if what was looked at is wrong or nobody
 * answers; 2 for wrong usage, which includes files that cannot be read. Complaints about usage and
 * schema go to stderr, one line each. */
#ifndef PARLEY_GATEWAY_COMMANDS_H
#define PARLEY_GATEWAY_COMMANDS_H

#include "gateway/graphql/graphql.h"
#include "gateway/options.h"

/* Prints the merged SDL of the files to stdout or, without files, that of the services in
 * options->services. */
int command_schema(const options_t *options, char *const *files, int count);

/* Validates documents, each file as a client would send it, against the files of options->schema
 * (comma-separated) or else the schema that the services announce; with the gateway's limits. Each
 * error is a line `file:line:column: message` on stdout; no errors, no output. */
int command_check(const options_t *options,
                  const gql_limits_t *limits,
                  char *const *files,
                  int count);

#endif
