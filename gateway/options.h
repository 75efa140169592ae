/* gateway/options.h: what the operator says: command line and environment of parley-gateway. */
#ifndef PARLEY_GATEWAY_OPTIONS_H
#define PARLEY_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

typedef struct {
    const char *listen, *admin, *services, *keys, *origins, *trusted_proxies;
    const char *log_level, *log_format, *node, *api_key, *oidc_issuers, *schema, *trusted_documents,
        *http_status, *io_uring;
    bool share_port, plain_tcp, no_introspection, only_trusted;
    int64_t call_timeout_ms, operation_timeout_ms, request_timeout_ms, idle_timeout_s;
    int64_t init_timeout_s, ping_interval_s, stalled_timeout_s, drain_spread_ms, rest_ms;
    int64_t max_connections, max_connections_per_address, max_body_bytes, max_message_bytes,
        max_variables_bytes, max_operations;
    int64_t max_depth, max_tokens, max_root_fields, max_aliases, max_directives, max_complexity;
    int64_t rate_connection, rate_handle, rate_address;
    int64_t max_documents, max_documents_bytes, max_persisted_bytes, max_in_flight;
} options_t;

/* Reads them; strings are borrowed from argv and the environment. rest and rest_count: arguments
 * that are no options, see config.h. ERR_CONFIG with one line. */
err_code_t
options_read(options_t *self, int argc, char **argv, char **rest, int *rest_count, err_t *err);
/* Prints --help. */
void options_help(void);

#endif
