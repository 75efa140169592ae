/* gateway/schema_source.h: the merged schema for commands that serve nothing: from SDL files, or
 * from the services of a running system. Main thread; each call is complete when it returns. */
#ifndef PARLEY_GATEWAY_SCHEMA_SOURCE_H
#define PARLEY_GATEWAY_SCHEMA_SOURCE_H

#include <stddef.h>

#include "common/buffer.h"
#include "common/err.h"
#include "gateway/graphql/graphql.h"
#include "gateway/options.h"

/* Appends a whole file. ERR_CONFIG with "path: reason" if it cannot be read, is larger than the
 * buffer's ceiling, or is no UTF-8. */
err_code_t read_file(const char *path, buffer_t *out, err_t *err);

/* A file is one service, named as the file is without folder and ".graphql". ERR_CONFIG as
 * read_file; ERR_BAD_USER_INPUT with a sentence that names service, line and column if the files
 * make no schema. The caller holds the one reference. */
gql_schema_t *schema_from_files(char *const *paths, size_t count, err_t *err);

/* Asks each service of options->services for its manifest (proto/bus.md 3), as a gateway does, and
 * waits for all of them at most options->call_timeout_ms. ERR_CONFIG if the list or the keys are
 * wrong, ERR_TIMEOUT with the name of a service that was silent, ERR_UNAVAILABLE after SIGINT or
 * SIGTERM, ERR_BAD_USER_INPUT as schema_from_files. The caller holds the one reference. */
gql_schema_t *schema_from_services(const options_t *options, err_t *err);

#endif
