/* gateway/main.c: start, wiring and end of parley-gateway. The only file that knows all modules. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/heap_trim.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/net.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/follower.h"
#include "gateway/auth/oidc.h"
#include "gateway/bus/services.h"
#include "gateway/commands.h"
#include "gateway/feed/feed.h"
#include "gateway/graphql/graphql.h"
#include "gateway/http/operation.h"
#include "gateway/http/rate_limits.h"
#include "gateway/http/server.h"
#include "gateway/options.h"
#include "gateway/realtime/realtime.h"
#include "gateway/web/assets.h"

enum {
    EXIT_USAGE = 2,
    DESCRIPTORS_KEPT = 128, /* for the bus, logs, the admin address … */
    DRAIN_MS = 7000,        /* at SIGTERM, for what is under way */
    DRAIN_TICK_MS = 20,
    LINGER_MS = 300, /* at least: for requests on their way on kept-alive connections */
    HEALTHCHECK_MS = 3000,
    WAITING_BYTES_MAX = 20 * 1024 * 1024,
    NODE_SIZE = 128,
};

/* One a process. */
typedef struct {
    options_t options;
    char node[NODE_SIZE];
    loop_t *loop;
    origins_t *origins;
    trusted_proxies_t *trusted_proxies;
    rate_limits_t *rates;
    connection_limits_t *connections; /* NULL: no limit */
    services_t *services;
    auth_t *auth;
    follower_t *follower;
    oidc_t *oidc; /* NULL: there are no such issuers */
    feed_t *feed;
    runner_t *runner;
    realtime_t *realtime;
    http_server_t *http;
    admin_t *admin;
    loop_timer_t *drain_timer;
    heap_trim_t *heap_trim;
    int64_t drain_until_us;
    bool draining;
    gql_schema_t *next_schema; /* built when manifests were offered, used when they are active */
} gateway_t;

/* ---- what services announce ---- */

static bool
s_accept(void *arg, const service_manifest_t *const *manifests, size_t count, err_t *err)
{
    gateway_t *self = arg;
    gql_source_t *sources = calloc(count ? count : 1, sizeof *sources);
    if (!sources)
        abort();
    for (size_t i = 0; i < count; i++)
        sources[i] = (gql_source_t){.service = manifests[i]->name,
                                    .sdl = manifests[i]->sdl,
                                    .size = strlen(manifests[i]->sdl)};
    gql_schema_t *schema = gql_schema_build(sources, count, err);
    free(sources);
    if (!schema)
        return false;
    gql_schema_unref(&self->next_schema);
    self->next_schema = schema;
    return true;
}

/* Whose tokens and keys are good is said by services that have sessions; one that has just started
 * says it a little later than the rest. */
static bool s_expects_issuers(const gateway_t *self)
{
    for (size_t i = 0; i < services_count(self->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->services, i);
        if (manifest->has_auth && !auth_knows_service(self->auth, manifest->name))
            return true;
    }
    return !services_are_announced(self->services);
}

static void s_on_change(void *arg)
{
    gateway_t *self = arg;
    if (self->next_schema) {
        runner_set_schema(self->runner, self->next_schema);
        gql_schema_unref(&self->next_schema);
        log_info("the schema was replaced",
                 log_int("services", (int64_t)services_count(self->services)), LOG_END);
    }
    for (size_t i = 0; i < services_count(self->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->services, i);
        err_t err = ERR_INIT;
        if (auth_set_issuer(self->auth, manifest->name, manifest->issuer, &err))
            log_error("the keys of a service are refused", log_str("service", manifest->name),
                      log_str("reason", err.text), LOG_END);
    }
    auth_expect(self->auth, s_expects_issuers(self));
    follower_update(self->follower);
}

/* A session ended, or a key went. */
static void s_on_credentials_ended(void *arg)
{
    gateway_t *self = arg;
    if (self->realtime)
        realtime_recheck(self->realtime);
}

/* ---- readiness and numbers ---- */

static bool s_is_ready(void *arg, char *reason, size_t size)
{
    gateway_t *self = arg;
    if (self->draining) {
        snprintf(reason, size, "going away");
        return false;
    }
    if (!services_are_ready(self->services, reason, size))
        return false;
    if (!runner_schema(self->runner)) {
        snprintf(reason, size, "no schema yet");
        return false;
    }
    const char *service;
    if (!auth_is_ready(self->auth, &service)) {
        snprintf(reason, size, "service %s has not said yet which sessions ended", service);
        return false;
    }
    return true;
}

static void s_on_scrape(void *arg)
{
    gateway_t *self = arg;
    auth_stats_t auth = auth_stats(self->auth);
    document_cache_counts_t documents = runner_documents(self->runner);
    const struct {
        const char *name, *help;
        uint64_t value;
        metric_t *(*series)(const char *name, const char *help, const char *labels);
    } metrics[] = {
        {"parley_tokens_remembered", "Verified tokens that are remembered.", auth.entries,
         metrics_gauge},
        {"parley_token_cache_hits_total", "Tokens found among the remembered ones.", auth.hits,
         metrics_counter},
        {"parley_token_cache_misses_total", "Tokens that had to be verified.", auth.misses,
         metrics_counter},
        {"parley_documents", "Prepared documents that are kept.", documents.documents,
         metrics_gauge},
        {"parley_documents_bytes", "Memory of prepared documents.", documents.bytes, metrics_gauge},
        {"parley_document_cache_hits_total", "Documents found prepared.", documents.hits,
         metrics_counter},
        {"parley_document_cache_misses_total", "Documents that had to be prepared.",
         documents.misses, metrics_counter},
        {"parley_operations_running", "Operations under way.", runner_running(self->runner),
         metrics_gauge},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        metric_set(metrics[i].series(metrics[i].name, metrics[i].help, NULL),
                   (int64_t)metrics[i].value);
}

/* ---- the end ---- */

static void s_on_drain_tick(void *arg)
{
    gateway_t *self = arg;
    int64_t left_us = self->drain_until_us - clock_mono_us();
    bool early = left_us > (int64_t)(DRAIN_MS - LINGER_MS) * 1000, late = left_us < 0;
    if (early || (!late && (http_server_busy(self->http) || realtime_count(self->realtime))))
        return;
    if (late)
        log_warn("going away although something is still under way",
                 log_int("requests", (int64_t)http_server_busy(self->http)),
                 log_int("connections", (int64_t)realtime_count(self->realtime)), LOG_END);
    loop_stop(self->loop);
}

static void s_on_stop_signal(void *arg)
{
    gateway_t *self = arg;
    if (self->draining) {
        loop_stop(self->loop);
        return;
    }
    log_info("going away", LOG_END);
    self->draining = true;
    self->drain_until_us = clock_mono_us() + (int64_t)DRAIN_MS * 1000;
    http_server_drain(self->http);
    realtime_drain(self->realtime, (uint32_t)self->options.drain_spread_ms);
    loop_timer_start(self->drain_timer, 0, DRAIN_TICK_MS);
}

/* In the opposite order of s_start; everything may be NULL. */
static void s_stop(gateway_t *self)
{
    admin_destroy(&self->admin);
    http_server_destroy(&self->http);
    realtime_destroy(&self->realtime);
    runner_destroy(&self->runner);
    feed_destroy(&self->feed);
    follower_destroy(&self->follower);
    services_destroy(&self->services);
    oidc_destroy(&self->oidc);
    auth_destroy(&self->auth);
    gql_schema_unref(&self->next_schema);
    connection_limits_destroy(&self->connections);
    rate_limits_destroy(&self->rates);
    trusted_proxies_destroy(&self->trusted_proxies);
    origins_destroy(&self->origins);
    loop_timer_destroy(&self->drain_timer);
    heap_trim_destroy(&self->heap_trim);
    if (self->loop)
        loop_destroy(&self->loop);
    metrics_shutdown();
}

/* ---- the beginning ---- */

static gql_limits_t s_limits(const options_t *options)
{
    gql_limits_t limits = GQL_LIMITS_DEFAULT;
    limits.max_depth = (uint32_t)options->max_depth;
    limits.max_tokens = (uint32_t)options->max_tokens;
    limits.max_root_fields = (uint32_t)options->max_root_fields;
    limits.max_aliases = (uint32_t)options->max_aliases;
    limits.max_directives = (uint32_t)options->max_directives;
    limits.max_complexity = (uint64_t)options->max_complexity;
    return limits;
}

static size_t s_connection_limit(const options_t *options)
{
    size_t descriptors = net_raise_descriptor_limit();
    size_t most =
        descriptors > 2 * DESCRIPTORS_KEPT ? descriptors - DESCRIPTORS_KEPT : descriptors / 2;
    size_t limit = (size_t)options->max_connections;
    if (!limit || limit > most)
        limit = most;
    log_info("connection limit", log_int("connections", (int64_t)limit),
             log_int("descriptors", (int64_t)descriptors), LOG_END);
    return limit;
}

static bool s_start_bus(gateway_t *self, err_t *err)
{
    const options_t *options = &self->options;
    services_options_t services = {
        .loop = self->loop,
        .list = options->services,
        .gateway_id = self->node,
        .security = {.keys_dir = options->keys, .own = "gateway", .plain_tcp = options->plain_tcp},
        .max_in_flight = (uint32_t)options->max_in_flight,
        .accept = s_accept,
        .accept_arg = self,
    };
    static const services_listener_t listener = {.on_change = s_on_change};
    self->services = services_new(&services, err);
    if (!self->services)
        return false;
    services_listen(self->services, &listener, self);
    self->follower =
        follower_new(self->loop, self->services, self->auth, s_on_credentials_ended, self);
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.call_ms = (uint32_t)options->call_timeout_ms;
    limits.rest_max_ms = (uint32_t)options->rest_ms;
    self->feed = feed_new(self->loop, self->services, &limits);
    return true;
}

static bool s_start_realtime(gateway_t *self, err_t *err)
{
    const options_t *options = &self->options;
    sender_mode_t sender_mode;
    if (!sender_mode_parse(options->io_uring, &sender_mode))
        abort(); /* the option takes no other words */
    realtime_options_t realtime = {
        .loop = self->loop,
        .runner = self->runner,
        .auth = self->auth,
        .feed = self->feed,
        .rates = self->rates,
        .connections = self->connections,
        .max_message_bytes = (size_t)options->max_message_bytes,
        .max_waiting_bytes = WAITING_BYTES_MAX,
        .max_operations = (uint32_t)options->max_operations,
        .init_timeout_s = (uint32_t)options->init_timeout_s,
        .ping_interval_s = (uint32_t)options->ping_interval_s,
        .stalled_timeout_s = (uint32_t)options->stalled_timeout_s,
        .sender_mode = sender_mode,
    };
    self->realtime = realtime_new(&realtime, err);
    return self->realtime != NULL;
}

static bool s_start_http(gateway_t *self, err_t *err)
{
    const options_t *options = &self->options;
    http_status_draft_t draft;
    if (!http_status_parse(options->http_status, &draft))
        abort(); /* the option takes no other words */
    http_options_t http = {
        .loop = self->loop,
        .runner = self->runner,
        .auth = self->auth,
        .services = self->services,
        .origins = self->origins,
        .trusted_proxies = self->trusted_proxies,
        .rates = self->rates,
        .connections = self->connections,
        .listen = options->listen,
        .share_port = options->share_port,
        .max_connections = s_connection_limit(options),
        .max_body_bytes = (size_t)options->max_body_bytes,
        .status_draft = draft,
        .request_timeout_ms = (unsigned)options->request_timeout_ms,
        .idle_timeout_s = (unsigned)options->idle_timeout_s,
        .call_timeout_ms = options->call_timeout_ms,
        .ready = s_is_ready,
        .ready_arg = self,
        .find_asset = web_asset_find,
        .hooks = &REALTIME_HOOKS,
        .hooks_arg = self->realtime,
    };
    self->http = http_server_new(&http, err);
    return self->http != NULL;
}

static bool s_start(gateway_t *self, err_t *err)
{
    const options_t *options = &self->options;
    self->origins = origins_new(options->origins, err);
    self->trusted_proxies =
        self->origins ? trusted_proxies_new(options->trusted_proxies, err) : NULL;
    if (!self->trusted_proxies)
        return false;
    self->rates = rate_limits_new(&(rate_options_t){.connection = options->rate_connection,
                                                    .handle = options->rate_handle,
                                                    .address = options->rate_address});
    self->connections = connection_limits_new((size_t)options->max_connections_per_address);
    self->loop = loop_new();
    self->heap_trim = heap_trim_new(self->loop);
    self->drain_timer = loop_timer_new(self->loop, s_on_drain_tick, self);
    self->auth = auth_new(&(auth_options_t){.api_key = options->api_key});
    auth_expect(self->auth, true); /* until the services have spoken */
    if (options->oidc_issuers &&
        !(self->oidc = oidc_new(self->loop, self->auth, options->oidc_issuers, err)))
        return false;
    if (!s_start_bus(self, err))
        return false;
    runner_options_t runner = {
        .loop = self->loop,
        .services = self->services,
        .limits = s_limits(options),
        .introspection = !options->no_introspection,
        .call_timeout_ms = options->call_timeout_ms,
        .operation_timeout_ms = options->operation_timeout_ms,
        .max_variables_bytes = (size_t)options->max_variables_bytes,
        .cache_documents = (size_t)options->max_documents,
        .cache_bytes = (size_t)options->max_documents_bytes,
        .persisted = {.max_bytes = (size_t)options->max_persisted_bytes,
                      .only_trusted = options->only_trusted},
    };
    self->runner = runner_new(&runner);
    if (options->trusted_documents &&
        persisted_load(runner_persisted(self->runner), options->trusted_documents, err))
        return false;
    if (!s_start_realtime(self, err) || !s_start_http(self, err))
        return false;
    self->admin = admin_new(self->loop, options->admin, s_is_ready, self, err);
    if (!self->admin)
        return false;
    metrics_on_scrape(s_on_scrape, self);
    loop_on_stop_signal(self->loop, s_on_stop_signal, self);
    return true;
}

static int s_serve(const options_t *options)
{
    gateway_t self = {.options = *options};
    err_t err = ERR_INIT;
    char host[64] = "gateway";
    if (options->node)
        snprintf(self.node, sizeof self.node, "%s", options->node);
    else if (!gethostname(host, sizeof host - 1))
        snprintf(self.node, sizeof self.node, "%s-%ld", host, (long)getpid());
    log_level_t level;
    log_format_t format;
    if (!log_level_parse(options->log_level, &level) ||
        !log_format_parse(options->log_format, &format))
        abort(); /* the options take no other words */
    if (!options->services) {
        fprintf(stderr, "parley-gateway: --services is missing\n");
        return EXIT_USAGE;
    }
    log_init("gateway", self.node, level, format);
    log_never_wait();
    bool started = s_start(&self, &err);
    if (started) {
        log_info("listening", log_str("address", options->listen),
                 log_str("version", PARLEY_VERSION), LOG_END);
        loop_run(self.loop);
        log_info("stopped", LOG_END);
    } else {
        fprintf(stderr, "parley-gateway: %s\n", err.text);
    }
    s_stop(&self);
    if (started)
        return EXIT_SUCCESS;
    return err.code == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILURE;
}

static int s_healthcheck(const options_t *options)
{
    int status = net_http_status(options->admin, "/readyz", HEALTHCHECK_MS);
    if (status == 200)
        return EXIT_SUCCESS;
    if (status < 0)
        fprintf(stderr, "parley-gateway: nobody answers at %s\n", options->admin);
    else
        fprintf(stderr, "parley-gateway: not ready (%d)\n", status);
    return EXIT_FAILURE;
}

static int s_check(const options_t *options, char *const *files, int count)
{
    gql_limits_t limits = s_limits(options);
    return command_check(options, &limits, files, count);
}

int main(int argc, char **argv)
{
    options_t options;
    err_t err = ERR_INIT;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    int rest_count = 0;
    int status = EXIT_USAGE;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            options_help();
            free(rest);
            return EXIT_SUCCESS;
        }
        if (!strcmp(argv[i], "--version")) {
            puts("parley-gateway " PARLEY_VERSION);
            free(rest);
            return EXIT_SUCCESS;
        }
    }
    if (!rest || sodium_init() < 0)
        abort();
    if (options_read(&options, argc, argv, rest, &rest_count, &err))
        fprintf(stderr, "parley-gateway: %s\n", err.text);
    else if (rest_count == 0)
        status = s_serve(&options);
    else if (rest_count == 1 && !strcmp(rest[0], "healthcheck"))
        status = s_healthcheck(&options);
    else if (!strcmp(rest[0], "schema"))
        status = command_schema(&options, rest + 1, rest_count - 1);
    else if (!strcmp(rest[0], "check"))
        status = s_check(&options, rest + 1, rest_count - 1);
    else
        fprintf(stderr, "parley-gateway: unknown command '%s'\n", rest[0]);
    free(rest);
    return status;
}
