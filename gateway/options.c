#include "gateway/options.h"

#include <stddef.h>

#include "common/config.h"

static options_t s_options;

static const char s_usage[] =
    "parley-gateway [OPTIONS] [COMMAND]\n\n"
    "Speaks GraphQL over HTTP, WebSocket and event streams in front of services on a bus.\n\n"
    "Commands (without one it serves):\n"
    "  healthcheck   exit 0 if the gateway at --admin is ready\n"
    "  schema [FILES…]\n"
    "                print the merged SDL of the files, or of the services at --services\n"
    "  check [--schema FILES] OPERATIONS…\n"
    "                validate files with operations, each as it would be sent; exit 1 and\n"
    "                file:line:column: message if one is wrong";

#define TEXT(name_, field_, fallback_, unit_, help_)                                               \
    {                                                                                              \
        .name = (name_), .type = CONFIG_STRING, .target = &s_options.field_,                       \
        .fallback = (fallback_), .unit = (unit_), .help = (help_)                                  \
    }
#define WORD(name_, field_, fallback_, words_, help_)                                              \
    {                                                                                              \
        .name = (name_), .type = CONFIG_WORD, .target = &s_options.field_,                         \
        .fallback = (fallback_), .unit = (words_), .help = (help_)                                 \
    }
#define NUMBER(name_, field_, fallback_, min_, max_, unit_, help_)                                 \
    {                                                                                              \
        .name = (name_), .type = CONFIG_INT, .target = &s_options.field_, .fallback = (fallback_), \
        .min = (min_), .max = (max_), .unit = (unit_), .help = (help_)                             \
    }
#define FLAG(name_, field_, help_)                                                                 \
    {                                                                                              \
        .name = (name_), .type = CONFIG_FLAG, .target = &s_options.field_, .help = (help_)         \
    }

enum { SECONDS_MAX = 86400, MEBIBYTE = 1024 * 1024, MANY = 1000000000 };

static const config_option_t s_config[] = {
    TEXT("listen", listen, "0.0.0.0:8080", "ADDR:PORT", "where clients connect"),
    FLAG("share-port", share_port, "let several gateways of this host listen on one port"),
    TEXT("admin", admin, "127.0.0.1:9101", "ADDR:PORT", "/livez, /readyz and /metrics"),
    TEXT("services",
         services,
         NULL,
         "LIST",
         "services on the bus: name=endpoint,…; each name is required for readiness"),
    {.name = "oidc-issuer",
     .type = CONFIG_LIST,
     .target = &s_options.oidc_issuers,
     .unit = "URL[,AUDIENCE[,CLAIM]]",
     .help = "an OpenID Connect issuer whose tokens are taken; CLAIM names the handle; repeatable"},
    TEXT("keys", keys, NULL, "DIR", "folder of gateway.key and services/NAME.pub (bus over tcp)"),
    FLAG("plain-tcp", plain_tcp, "allow a bus over tcp without encryption"),
    TEXT("origins", origins, "*", "LIST", "web origins whose pages may call, or *"),
    TEXT("trusted-proxies",
         trusted_proxies,
         "none",
         "LIST",
         "addresses and networks whose X-Forwarded-For is believed"),
    WORD("http-status",
         http_status,
         "2025",
         "2025|2026",
         "draft of GraphQL over HTTP whose status codes are used"),
    FLAG("no-introspection", no_introspection, "refuse __schema and __type"),
    TEXT("trusted-documents",
         trusted_documents,
         NULL,
         "DIR",
         "folder of *.graphql files that may be asked for by their SHA-256"),
    FLAG("only-trusted", only_trusted, "execute nothing but trusted documents"),
    NUMBER("call-timeout-ms",
           call_timeout_ms,
           "10000",
           100,
           600000,
           "MS",
           "a call to a service must be answered by then"),
    NUMBER("operation-timeout-ms",
           operation_timeout_ms,
           "30000",
           100,
           3600000,
           "MS",
           "all calls of an operation must be answered by then"),
    NUMBER("request-timeout-ms",
           request_timeout_ms,
           "20000",
           100,
           600000,
           "MS",
           "head and body of a request must have come by then"),
    NUMBER("idle-timeout-s",
           idle_timeout_s,
           "75",
           1,
           SECONDS_MAX,
           "S",
           "kept-alive HTTP connections are closed after that"),
    NUMBER("init-timeout-s",
           init_timeout_s,
           "10",
           1,
           3600,
           "S",
           "a WebSocket must say connection_init by then"),
    NUMBER("ping-interval-s",
           ping_interval_s,
           "25",
           1,
           3600,
           "S",
           "silent WebSockets and event streams are asked after that"),
    NUMBER("stalled-timeout-s",
           stalled_timeout_s,
           "300",
           1,
           SECONDS_MAX,
           "S",
           "a reader that takes nothing for so long is closed"),
    NUMBER("rest-ms",
           rest_ms,
           "100",
           0,
           1000,
           "MS",
           "events that come quickly go to a large audience together, so much later at most"),
    WORD("io-uring",
         io_uring,
         "auto",
         "auto|on|off",
         "send to WebSockets and event streams by io_uring; auto: if the kernel lets it"),
    NUMBER("drain-spread-ms",
           drain_spread_ms,
           "2000",
           0,
           6000,
           "MS",
           "at SIGTERM, WebSockets are closed over this time"),
    NUMBER("max-connections",
           max_connections,
           "0",
           0,
           MANY,
           "N",
           "open connections; 0: as many as descriptors allow"),
    NUMBER("max-connections-per-address",
           max_connections_per_address,
           "0",
           0,
           MANY,
           "N",
           "open connections of one client address; 0: no limit"),
    NUMBER("max-body-bytes",
           max_body_bytes,
           "1048576",
           1024,
           64 * MEBIBYTE,
           "N",
           "of a request, as sent and inflated"),
    NUMBER("max-message-bytes",
           max_message_bytes,
           "1048576",
           1024,
           64 * MEBIBYTE,
           "N",
           "of a message on a WebSocket"),
    NUMBER("max-variables-bytes",
           max_variables_bytes,
           "524288",
           0,
           64 * MEBIBYTE,
           "N",
           "of variables, as JSON without blanks; 0: no limit"),
    NUMBER("max-operations",
           max_operations,
           "200",
           1,
           100000,
           "N",
           "of one WebSocket at a time, subscriptions among them"),
    NUMBER("rate-connection",
           rate_connection,
           "20000",
           0,
           MANY,
           "N",
           "operations a second on one connection; 0: no limit"),
    NUMBER("rate-handle",
           rate_handle,
           "50000",
           0,
           MANY,
           "N",
           "operations a second of one handle; 0: no limit"),
    NUMBER("rate-address",
           rate_address,
           "100000",
           0,
           MANY,
           "N",
           "operations a second from one address (IPv6: one /64); 0: no limit"),
    NUMBER("max-depth", max_depth, "50", 0, 1000, "N", "of selection sets; 0: no limit"),
    NUMBER("max-tokens", max_tokens, "50000", 0, MANY, "N", "of a document; 0: no limit"),
    NUMBER("max-root-fields", max_root_fields, "50", 0, MANY, "N", "of an operation; 0: no limit"),
    NUMBER("max-aliases", max_aliases, "200", 0, MANY, "N", "of a document; 0: no limit"),
    NUMBER("max-directives", max_directives, "500", 0, MANY, "N", "of a document; 0: no limit"),
    NUMBER("max-complexity",
           max_complexity,
           "5000000",
           0,
           INT64_MAX,
           "N",
           "fields, multiplied by list arguments; 0: no limit"),
    NUMBER(
        "max-documents", max_documents, "2000", 1, MANY, "N", "prepared documents that are kept"),
    NUMBER("max-documents-bytes",
           max_documents_bytes,
           "33554432",
           65536,
           1024 * (int64_t)MEBIBYTE,
           "N",
           "memory for prepared documents"),
    NUMBER("max-persisted-bytes",
           max_persisted_bytes,
           "8388608",
           0,
           1024 * (int64_t)MEBIBYTE,
           "N",
           "memory for documents that clients register by hash; 0: they cannot"),
    NUMBER(
        "max-in-flight", max_in_flight, "20000", 1, 1000000, "N", "calls under way to one service"),
    TEXT("schema",
         schema,
         NULL,
         "FILES",
         "of check: SDL files instead of --services, comma-separated"),
    WORD("log-level", log_level, "info", "debug|info|warn|error", "what is logged"),
    WORD("log-format", log_format, "auto", "auto|json|text", "auto: text on a terminal, else JSON"),
    TEXT("node", node, NULL, "NAME", "name of this process in logs"),
    {.name = "api-key",
     .type = CONFIG_STRING,
     .target = &s_options.api_key,
     .help = "a key that x-api-key is compared with; unset: none is accepted",
     .env_only = true},
    {.name = NULL},
};

err_code_t
options_read(options_t *self, int argc, char **argv, char **rest, int *rest_count, err_t *err)
{
    err_code_t code = config_read(s_config, argc, argv, rest, rest_count, err);
    *self = s_options;
    return code;
}

void options_help(void)
{
    config_help(s_config, s_usage);
}
