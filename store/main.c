/* store/main.c: options, wiring, start and stop of parley-store. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/bus_socket.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/heap_trim.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/net.h"
#include "store/accounts/accounts.h"
#include "store/accounts/admin.h"
#include "store/accounts/auth_changes.h"
#include "store/commands.h"
#include "store/database.h"
#include "store/early_calls.h"
#include "store/embedded.h"
#include "store/endpoint.h"
#include "store/log_reader.h"
#include "store/message.h"
#include "store/publisher.h"
#include "store/reader.h"
#include "store/rooms/room_changes.h"
#include "store/rooms/room_lists.h"
#include "store/starts.h"
#include "store/tail_reader.h"
#include "store/writer.h"

enum {
    EXIT_USAGE = 2,
    CALLS_MAX = 20000,
    DRAIN_MS = 3000, /* at SIGTERM: for calls that are under way */
    LINGER_MS = 500, /* for answers and events that ZeroMQ has not sent yet */
    WATCH_MS = 100,
    ISSUER_MAX = 256 * 1024,
    NODE_SIZE = 128,
};

static const char s_usage[] =
    "parley-store [OPTIONS] [COMMAND]\n\n"
    "Keeps a chat's messages and accounts in PostgreSQL and serves them to gateways on the bus.\n\n"
    "Commands (without one it serves):\n"
    "  healthcheck   exit 0 if the store at --admin is ready\n"
    "  keygen DIR    make the keys of a store and its gateways; keys that exist are kept\n"
    "  migrate       bring the database's schema up to date\n"
    "  epoch new     after a restore from a backup: expire all cursors\n" ADMIN_USAGE;

typedef struct {
    const char *database_url, *bus, *events, *announce_events, *keys, *admin, *issuer, *pool_id,
        *client_id;
    const char *log_level, *log_format, *node;
    const char *fixed_code, *smtp_url, *smtp_from;
    int64_t readers, delay_after, failures_per_minute, sign_ups_per_minute;
    const char *name, *rights, *expires; /* of apikey create */
    bool plain_tcp, no_srp, json;
} options_t;

static options_t s_options;

static const config_option_t s_config[] = {
    {"database-url", CONFIG_STRING, &s_options.database_url, NULL, 0, 0, "URI",
     "PostgreSQL: postgresql://user:password@host:5432/name", false},
    {"bus", CONFIG_STRING, &s_options.bus, "tcp://*:5555", 0, 0, "ENDPOINT", "where gateways call",
     false},
    {"events", CONFIG_STRING, &s_options.events, "tcp://*:5556", 0, 0, "ENDPOINT",
     "where gateways listen", false},
    {"announce-events", CONFIG_STRING, &s_options.announce_events, NULL, 0, 0, "ENDPOINT",
     "what they are told of it, if a proxy or NAT lies between", false},
    {"keys", CONFIG_STRING, &s_options.keys, NULL, 0, 0, "DIR",
     "folder of master.key and the bus keys", false},
    {"plain-tcp", CONFIG_FLAG, &s_options.plain_tcp, NULL, 0, 0, NULL,
     "allow a bus over tcp without encryption", false},
    {"admin", CONFIG_STRING, &s_options.admin, "127.0.0.1:9201", 0, 0, "ADDR:PORT",
     "/livez, /readyz and /metrics", false},
    {"issuer", CONFIG_STRING, &s_options.issuer, "http://localhost:8080/local-1_chat", 0, 0, "URL",
     "claim iss of tokens", false},
    {"pool-id", CONFIG_STRING, &s_options.pool_id, "local-1_chat", 0, 0, "NAME",
     "name of the user pool", false},
    {"client-id", CONFIG_STRING, &s_options.client_id, "chatclient", 0, 0, "NAME",
     "claim client_id of tokens", false},
    {"no-srp", CONFIG_FLAG, &s_options.no_srp, NULL, 0, 0, NULL,
     "keep no SRP verifiers; Cognito's clients then sign in with USER_PASSWORD_AUTH", false},
    {"fixed-code", CONFIG_STRING, &s_options.fixed_code, NULL, 0, 0, "CODE",
     "every confirmation code, for development", true},
    {"smtp-url", CONFIG_STRING, &s_options.smtp_url, NULL, 0, 0, "URL",
     "smtp://user:password@host:587: confirmation codes go out by it; without it they are logged",
     true},
    {"smtp-from", CONFIG_STRING, &s_options.smtp_from, "parley@localhost", 0, 0, "ADDRESS",
     "sender of those mails", false},
    {"readers", CONFIG_INT, &s_options.readers, "2", 1, 64, "N", "connections that read", false},
    {"sign-in-delay-after", CONFIG_INT, &s_options.delay_after, "5", 0, 1000, "N",
     "the failed sign-in of an account from one address after which the next has to wait, longer "
     "each time; 0: none has to",
     false},
    {"failures-per-minute", CONFIG_INT, &s_options.failures_per_minute, "600", 0, 1000000, "N",
     "failed sign-ins and codes from one address; 0: no limit", false},
    {"sign-ups-per-minute", CONFIG_INT, &s_options.sign_ups_per_minute, "600", 0, 1000000, "N",
     "from one address; 0: no limit", false},
    {"log-level", CONFIG_WORD, &s_options.log_level, "info", 0, 0, "debug|info|warn|error",
     "what is logged", false},
    {"log-format", CONFIG_WORD, &s_options.log_format, "auto", 0, 0, "auto|json|text",
     "auto: text on a terminal, else JSON", false},
    {"node", CONFIG_STRING, &s_options.node, NULL, 0, 0, "NAME", "name of this process in logs",
     false},
    {"name", CONFIG_STRING, &s_options.name, NULL, 0, 0, "NAME",
     "apikey create: the handle of what is done with the key", false},
    {"rights", CONFIG_WORD, &s_options.rights, "read", 0, 0, "read|write",
     "apikey create: may it change anything", false},
    {"expires", CONFIG_STRING, &s_options.expires, "never", 0, 0, "TIME",
     "apikey create: 30d, 12h, 2027-01-31, never", false},
    {"json", CONFIG_FLAG, &s_options.json, NULL, 0, 0, NULL, "apikey and user: print JSON", false},
    {NULL, CONFIG_FLAG, NULL, NULL, 0, 0, NULL, NULL, false},
};

typedef struct {
    loop_t *loop;
    bus_auth_t *auth;
    database_t *database;
    endpoint_t *endpoint;
    publisher_t *publisher;
    writer_t *writer;
    early_calls_t *early;
    tail_reader_t *tails;
    starts_t *starts;
    reader_t *reader;
    log_reader_t *log_reader;
    room_changes_t *room_changes;
    room_lists_t *room_lists;
    accounts_t *accounts;
    auth_changes_t *auth_changes;
    admin_t *admin;
    loop_timer_t *watch, *drain;
    heap_trim_t *heap_trim;
    metric_t *metric_ready;
    char node[NODE_SIZE];
    char incarnation[17];
    bool ready, was_ready, stopping;
    int64_t drain_until_us;
    int status;
} store_t;

/* ---- readiness ---- */

static bool s_is_ready(void *arg, char *reason, size_t size)
{
    const store_t *self = arg;
    if (self->stopping) {
        if (reason)
            snprintf(reason, size, "shutting down");
        return false;
    }
    return database_is_ready(self->database, reason, size) &&
           accounts_is_ready(self->accounts, reason, size);
}

/* Says in the log when readiness comes and goes. */
static void s_on_watch(void *arg)
{
    store_t *self = arg;
    char reason[512] = "";
    bool ready = s_is_ready(self, reason, sizeof reason);
    if (ready == self->ready)
        return;
    self->ready = ready;
    if (ready)
        log_info("ready", log_str("epoch", database_epoch(self->database)), LOG_END);
    else
        log_warn("not ready", log_str("reason", reason), LOG_END);
}

static void s_on_scrape(void *arg)
{
    store_t *self = arg;
    metric_set(self->metric_ready, s_is_ready(self, NULL, 0));
}

static void s_on_database_ready(void *arg)
{
    store_t *self = arg;
    self->was_ready = true;
    starts_on_database_ready(self->starts);
    publisher_on_database_ready(self->publisher);
    early_calls_serve(self->early);
}

static void s_on_writer_up(void *arg)
{
    store_t *self = arg;
    writer_on_link_up(self->writer);
    publisher_on_database_ready(self->publisher);
}

static void s_on_accounts_up(void *arg)
{
    store_t *self = arg;
    accounts_on_database_ready(self->accounts);
    auth_changes_look(self->auth_changes);
}

static void s_on_change(void *arg, const char *what)
{
    store_t *self = arg;
    if (strcmp(what, "auth_changes") == 0)
        auth_changes_look(self->auth_changes);
    else if (strcmp(what, "signing_keys") == 0)
        accounts_on_keys_changed(self->accounts);
    else if (strncmp(what, STREAM_PREFIX, STREAM_PREFIX_SIZE) == 0)
        publisher_head(self->publisher, what + STREAM_PREFIX_SIZE,
                       strlen(what + STREAM_PREFIX_SIZE));
}

/* At start it is the operator's mistake; later a newer store has migrated the database under this
 * one, which then waits, not ready, to be replaced. */
static void s_on_refused(void *arg, const char *reason)
{
    store_t *self = arg;
    if (self->was_ready)
        return;
    log_error(reason, LOG_END);
    self->status = EXIT_FAILURE;
    loop_stop(self->loop);
}

/* ---- HELLO ---- */

static void s_put_member(buffer_t *out, const char *name, const char *value)
{
    buffer_printf(out, ",\"%s\":", name);
    buffer_put_json_string(out, value, strlen(value));
}

static void s_put_issuer(store_t *self, buffer_t *out)
{
    json_t *holder = json_object();
    accounts_manifest_issuer(self->accounts, holder);
    const json_t *issuer = json_object_get(holder, "issuer");
    char *text = issuer ? json_dumps(issuer, JSON_COMPACT) : NULL;
    if (text) {
        buffer_put_str(out, ",\"issuer\":");
        buffer_put_str(out, text);
    }
    free(text);
    json_decref(holder);
}

/* proto/bus.md 3. */
static void s_print_manifest(void *arg, buffer_t *out)
{
    store_t *self = arg;
    char reason[256];
    bool ready = s_is_ready(self, reason, sizeof reason);
    buffer_put_str(out, "{\"name\":\"store\"");
    s_put_member(out, "instance", self->node);
    s_put_member(out, "incarnation", self->incarnation);
    s_put_member(out, "version", PARLEY_VERSION);
    buffer_put_str(out, ready ? ",\"ready\":true" : ",\"ready\":false");
    s_put_member(out, "events",
                 s_options.announce_events ? s_options.announce_events : s_options.events);
    buffer_put_str(out, ",\"auth\":true");
    buffer_put_str(out, ",\"idempotent\":[\"Mutation.createMessage\"");
    for (const store_handler_t *change = room_changes_handlers; change->field; change++)
        buffer_printf(out, ",\"%s\"", change->field);
    buffer_put_str(out, "],\"routes\":");
    endpoint_print_routes(self->endpoint, out);
    if (database_is_ready(self->database, NULL, 0)) {
        s_put_member(out, "epoch", database_epoch(self->database));
        s_put_issuer(self, out);
    }
    s_put_member(out, "sdl", embedded_sdl);
    buffer_put_char(out, '}');
}

static void s_on_replay(void *arg, store_call_t *call)
{
    const store_t *self = arg;
    log_reader_replay(self->log_reader, call);
}

static void s_on_heads(void *arg, store_call_t *call)
{
    const store_t *self = arg;
    log_reader_heads(self->log_reader, call);
}

/* ---- stop ---- */

static void s_on_drain(void *arg)
{
    store_t *self = arg;
    if (endpoint_load(self->endpoint) == 0 || clock_mono_us() >= self->drain_until_us)
        loop_stop(self->loop);
}

/* SIGTERM: takes no more calls (gateways give theirs to another store, or wait for this one's
 * successor), finishes what runs. A second one does not wait for that. */
static void s_on_stop(void *arg)
{
    store_t *self = arg;
    if (self->stopping) {
        loop_stop(self->loop);
        return;
    }
    self->stopping = true;
    log_info("shutting down", log_int("calls", (int64_t)endpoint_load(self->endpoint)), LOG_END);
    endpoint_stop(self->endpoint);
    auth_changes_stop(self->auth_changes); /* they wait for nothing that would still come */
    self->drain_until_us = clock_mono_us() + (int64_t)DRAIN_MS * 1000;
    loop_timer_start(self->drain, 0, WATCH_MS / 10);
}

/* ---- start ---- */

static void s_name_node(store_t *self)
{
    unsigned char random[8];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(self->incarnation, sizeof self->incarnation, random, sizeof random);
    char host[64] = "store";
    gethostname(host, sizeof host - 1);
    if (s_options.node)
        snprintf(self->node, sizeof self->node, "%s", s_options.node);
    else
        snprintf(self->node, sizeof self->node, "%s:%ld", host, (long)getpid());
}

static bool s_is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

/* The bus is bound at once; the database comes in the background. */
static err_code_t s_start(store_t *self, err_t *err)
{
    const bus_security_t security = {s_options.keys, "store", s_options.plain_tcp};
    const database_options_t database = {.url = s_options.database_url,
                                         .readers = (int)s_options.readers,
                                         .on_ready = s_on_database_ready,
                                         .on_writer_up = s_on_writer_up,
                                         .on_accounts_up = s_on_accounts_up,
                                         .on_change = s_on_change,
                                         .on_refused = s_on_refused,
                                         .arg = self};
    const accounts_options_t accounts = {
        .issuer = s_options.issuer,
        .client_id = s_options.client_id,
        .pool_id = s_options.pool_id,
        .attempts = {s_options.delay_after, s_options.failures_per_minute,
                     s_options.sign_ups_per_minute},
        .keys_dir = s_options.keys,
        .fixed_code = s_options.fixed_code,
        .smtp_url = s_options.smtp_url,
        .smtp_from = s_options.smtp_from,
        .no_srp = s_options.no_srp,
    };
    const endpoint_options_t endpoint = {.bind = s_options.bus,
                                         .security = &security,
                                         .calls_max = CALLS_MAX,
                                         .manifest = s_print_manifest,
                                         .replay = s_on_replay,
                                         .heads = s_on_heads,
                                         .arg = self};
    bool needs_auth =
        !s_options.plain_tcp && (s_is_tcp(s_options.bus) || s_is_tcp(s_options.events));
    if (needs_auth && !(self->auth = bus_auth_new(&security, err)))
        return err->code;
    if (!(self->database = database_new(self->loop, &database, err)))
        return err->code;
    database_open(self->database);
    if (!(self->publisher = publisher_new(self->loop, s_options.events, &security, self->database,
                                          self->incarnation, err)) ||
        !(self->endpoint = endpoint_new(self->loop, &endpoint, err)) ||
        !(self->admin = admin_new(self->loop, s_options.admin, s_is_ready, self, err)) ||
        !(self->accounts =
              accounts_new(self->loop, database_accounts(self->database), &accounts, err)))
        return err->code;
    self->early = early_calls_new(self->loop, self->database);
    self->tails = tail_reader_new(self->loop, self->database);
    self->writer = writer_new(self->loop, self->database, self->publisher, self->tails);
    self->starts = starts_new(self->loop, self->database);
    self->reader = reader_new(self->database, self->early, self->tails, self->starts);
    self->log_reader = log_reader_new(self->loop, self->database, self->early);
    self->room_changes = room_changes_new(self->loop, self->database, self->publisher);
    self->room_lists = room_lists_new(self->database, self->early);
    endpoint_add(self->endpoint, writer_handlers, self->writer);
    endpoint_add(self->endpoint, reader_handlers, self->reader);
    endpoint_add(self->endpoint, room_changes_handlers, self->room_changes);
    endpoint_add(self->endpoint, room_lists_handlers, self->room_lists);
    self->auth_changes = auth_changes_new(self->loop, database_accounts(self->database));
    endpoint_add(self->endpoint, accounts_handlers(self->accounts), self->accounts);
    endpoint_add(self->endpoint, auth_changes_handlers, self->auth_changes);
    self->heap_trim = heap_trim_new(self->loop);
    self->watch = loop_timer_new(self->loop, s_on_watch, self);
    self->drain = loop_timer_new(self->loop, s_on_drain, self);
    metrics_on_scrape(s_on_scrape, self);
    loop_timer_start(self->watch, 0, WATCH_MS);
    loop_on_stop_signal(self->loop, s_on_stop, self);
    log_info("bus is open", log_str("bus", s_options.bus), log_str("events", s_options.events),
             log_str("version", PARLEY_VERSION), LOG_END);
    return ERR_OK;
}

/* Calls that still live are failed while there is an endpoint to answer on. */
static void s_end(store_t *self)
{
    admin_destroy(&self->admin);
    heap_trim_destroy(&self->heap_trim);
    loop_timer_destroy(&self->watch);
    loop_timer_destroy(&self->drain);
    if (self->reader) {
        writer_stop(self->writer);
        room_changes_stop(self->room_changes);
        early_calls_stop(self->early);
        log_reader_stop(self->log_reader);
        tail_reader_stop(self->tails);
        starts_stop(self->starts);
    }
    if (self->auth_changes)
        auth_changes_stop(self->auth_changes);
    if (self->accounts)
        accounts_stop(self->accounts);
    if (self->publisher)
        publisher_stop(self->publisher);
    database_destroy(&self->database);
    endpoint_destroy(&self->endpoint, LINGER_MS);
    publisher_destroy(&self->publisher, LINGER_MS);
    writer_destroy(&self->writer);
    reader_destroy(&self->reader);
    log_reader_destroy(&self->log_reader);
    room_changes_destroy(&self->room_changes);
    room_lists_destroy(&self->room_lists);
    tail_reader_destroy(&self->tails);
    starts_destroy(&self->starts);
    early_calls_destroy(&self->early);
    accounts_destroy(&self->accounts);
    auth_changes_destroy(&self->auth_changes);
    bus_auth_destroy(&self->auth);
    loop_destroy(&self->loop);
    metrics_shutdown();
    zsys_shutdown();
}

static int s_complain(const char *text)
{
    fprintf(stderr, "parley-store: %s\n", text);
    return EXIT_USAGE;
}

static int s_serve(void)
{
    log_level_t level;
    log_format_t format;
    if (!log_level_parse(s_options.log_level, &level) ||
        !log_format_parse(s_options.log_format, &format))
        abort(); /* the option takes no other words */
    if (!s_options.keys)
        return s_complain("--keys is needed (make the keys with: parley-store keygen DIR, then "
                          "--keys DIR/store)");
    store_t self = {.status = EXIT_SUCCESS};
    err_t err = ERR_INIT;
    s_name_node(&self);
    log_init("store", self.node, level, format);
    log_never_wait();
    net_raise_descriptor_limit();
    self.loop = loop_new();
    self.metric_ready = metrics_gauge("parley_store_ready", "1 while calls can be answered", NULL);
    if (s_start(&self, &err) == ERR_OK) {
        loop_run(self.loop);
    } else {
        fprintf(stderr, "parley-store: %s\n", err.text);
        self.status = err.code == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILURE;
    }
    s_end(&self);
    return self.status;
}

/* Is it a command that works on the database? */
static bool s_is_known(int count, char **words)
{
    static const char *const alone[] = {"migrate", "rotate-key"};
    if (strcmp(words[0], "apikey") == 0 || strcmp(words[0], "user") == 0)
        return true;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (count == 1 && strcmp(words[0], alone[i]) == 0)
            return true;
    return count == 2 && strcmp(words[0], "epoch") == 0 && strcmp(words[1], "new") == 0;
}

/* The command's exit status. */
static int s_command(int count, char **words)
{
    if (count == 0) {
        if (!s_options.database_url)
            return s_complain("--database-url (or PARLEY_DATABASE_URL) is needed");
        return s_serve();
    }
    const char *command = words[0];
    if (strcmp(command, "keygen") == 0)
        return count == 2 ? command_keygen(words[1])
                          : s_complain("keygen wants one folder: keygen DIR");
    if (strcmp(command, "healthcheck") == 0 && count == 1)
        return command_healthcheck(s_options.admin);
    if (!s_is_known(count, words))
        return s_complain("unknown command: there are healthcheck, keygen DIR, migrate, epoch new, "
                          "apikey, user and rotate-key");
    if (!s_options.database_url)
        return s_complain("--database-url (or PARLEY_DATABASE_URL) is needed");
    const admin_options_t admin = {.database_url = s_options.database_url,
                                   .keys_dir = s_options.keys,
                                   .pool_id = s_options.pool_id,
                                   .no_srp = s_options.no_srp,
                                   .name = s_options.name,
                                   .rights = s_options.rights,
                                   .expires = s_options.expires,
                                   .as_json = s_options.json};
    if (strcmp(command, "apikey") == 0)
        return admin_apikey(&admin, count - 1, words + 1);
    if (strcmp(command, "user") == 0)
        return admin_user(&admin, count - 1, words + 1);
    if (strcmp(command, "rotate-key") == 0)
        return admin_rotate_key(&admin);
    return strcmp(command, "migrate") == 0 ? command_migrate(s_options.database_url)
                                           : command_new_epoch(s_options.database_url);
}

/* What stands on the command line is everybody's to read (ps): a URI there may hold a password,
 * also one that a later one replaces. */
static void s_hide_urls(int argc, char **argv)
{
    static const char option[] = "--database-url";
    const size_t size = sizeof option - 1;
    if (s_options.database_url)
        s_options.database_url = strdup(s_options.database_url); /* for the process's life */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *at = NULL;
        if (strncmp(argv[i], option, size) == 0 && argv[i][size] == '=')
            at = argv[i] + size + 1;
        else if (strcmp(argv[i], option) == 0 && i + 1 < argc)
            at = argv[++i];
        if (at)
            memset(at, 'x', strlen(at));
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            config_help(s_config, s_usage);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("parley-store " PARLEY_VERSION);
            return EXIT_SUCCESS;
        }
    }
    if (sodium_init() < 0)
        abort();
    err_t err = ERR_INIT;
    int count = 0;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    if (!words)
        abort();
    int status;
    if (config_read(s_config, argc, argv, words, &count, &err) != ERR_OK) {
        status = s_complain(err.text);
    } else {
        s_hide_urls(argc, argv);
        status = s_command(count, words);
    }
    free(words);
    return status;
}
