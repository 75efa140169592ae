#include "store/pg_dial.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { OPTIONS_MAX = 80, HOSTS_MAX = 64, REASON_SIZE = 512 };

/* ---- target ---- */

struct pg_target {
    PQconninfoOption *options; /* as parsed */
    char application[64];
};

static const char *s_option(const pg_target_t *self, const char *keyword)
{
    for (const PQconninfoOption *option = self->options; option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0 && option->val && option->val[0])
            return option->val;
    return NULL;
}

pg_target_t *pg_target_new(const char *conninfo, const char *application, err_t *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (!options) {
        /* libpq's message may quote the string and so the password: only its kind is told. */
        const char *kind =
            message && strstr(message, "invalid URI query parameter") ? "unknown parameter"
            : message && strstr(message, "invalid connection option") ? "unknown option"
            : message && strstr(message, "percent")                   ? "bad percent-encoding"
            : message && strstr(message, "missing \"=\"")
                ? "neither a postgresql:// URI nor keyword=value pairs"
                : "it cannot be parsed";
        err_set(err, ERR_CONFIG, "--database-url is no PostgreSQL connection string: %s", kind);
        PQfreemem(message);
        return NULL;
    }
    pg_target_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = options;
    snprintf(self->application, sizeof self->application, "%s", application);
    return self;
}

void pg_target_destroy(pg_target_t **self_p)
{
    pg_target_t *self = *self_p;
    if (!self)
        return;
    PQconninfoFree(self->options);
    free(self);
    *self_p = NULL;
}

/* ---- dial ---- */

/* One host of the connection string. addresses: what its name stands for; NULL for a socket
 * directory, an empty host or one given by hostaddr. */
typedef struct {
    char *name;
    char *hostaddr;
    char *port;
    struct addrinfo *addresses;
} host_t;

/* One look-up in uv's pool. It outlives a dial that is given up. */
typedef struct {
    uv_getaddrinfo_t request;
    pg_dial_t *dial; /* NULL: nobody waits any more */
    int host;
} lookup_t;

struct pg_dial {
    loop_t *loop;
    const pg_target_t *target;
    unsigned first;
    pg_dial_fn fn;
    void *arg;
    host_t hosts[HOSTS_MAX];
    int host_count;
    lookup_t *lookups[HOSTS_MAX];
    int lookups_pending;
    char reason[REASON_SIZE];
    PGconn *conn;
    loop_fd_t *fd;
    loop_timer_t *timer;
    bool ended;
};

static void s_stop(pg_dial_t *self)
{
    loop_fd_destroy(&self->fd);
    loop_timer_destroy(&self->timer);
    for (int i = 0; i < self->host_count; i++)
        if (self->lookups[i]) {
            self->lookups[i]->dial = NULL;
            uv_cancel((uv_req_t *)&self->lookups[i]->request);
            self->lookups[i] = NULL;
        }
}

static void s_end(pg_dial_t *self, PGconn *conn)
{
    assert(!self->ended);
    self->ended = true;
    s_stop(self);
    if (!conn && self->conn)
        PQfinish(self->conn);
    self->conn = NULL;
    self->fn(self->arg, conn, self->reason); /* may destroy self */
}

/* libpq's messages have several lines: one, without the trailing end of line. */
static void s_set_reason(pg_dial_t *self, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < sizeof self->reason; text++)
        self->reason[n++] = *text == '\n' ? ' ' : *text;
    while (n > 0 && self->reason[n - 1] == ' ')
        n--;
    self->reason[n] = '\0';
}

static void s_on_timeout(void *arg)
{
    pg_dial_t *self = arg;
    s_set_reason(self,
                 self->conn ? "timeout while connecting" : "timeout while resolving the host name");
    s_end(self, NULL);
}

static void s_poll(pg_dial_t *self);

static void s_on_ready(void *arg, int events)
{
    (void)events;
    s_poll(arg);
}

/* One step of libpq's connection. It may close its socket and open another of the same number, so
 * the loop's handle is made anew each time. */
static void s_poll(pg_dial_t *self)
{
    loop_fd_destroy(&self->fd);
    PostgresPollingStatusType status = PQconnectPoll(self->conn);
    if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        self->fd = loop_fd_new(self->loop, PQsocket(self->conn), s_on_ready, self);
        loop_fd_want(self->fd, status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE);
        return;
    }
    if (status != PGRES_POLLING_OK || PQsetnonblocking(self->conn, 1) != 0) {
        s_set_reason(self, PQerrorMessage(self->conn));
        s_end(self, NULL);
        return;
    }
    s_end(self, self->conn);
}

typedef struct {
    const char *keywords[OPTIONS_MAX];
    const char *values[OPTIONS_MAX];
    int count;
} params_t;

static void s_param(params_t *params, const char *keyword, const char *value)
{
    if (params->count < OPTIONS_MAX - 1) {
        params->keywords[params->count] = keyword;
        params->values[params->count++] = value;
    }
}

static void
s_default(params_t *params, const pg_target_t *target, const char *keyword, const char *value)
{
    if (!s_option(target, keyword))
        s_param(params, keyword, value);
}

/* A comma before all but the first of the list. */
static void s_append(FILE *list, int index, const char *text)
{
    fprintf(list, "%s%s", index > 0 ? "," : "", text ? text : "");
}

typedef struct {
    char *hosts, *addresses, *ports;
    int count;
} host_lists_t;

static void s_address_text(const struct addrinfo *address, char *text, size_t size)
{
    if (getnameinfo(address->ai_addr, address->ai_addrlen, text, (socklen_t)size, NULL, 0,
                    NI_NUMERICHOST) != 0)
        text[0] = '\0';
}

/* A name that libpq would resolve itself, blocking. */
static bool s_wants_lookup(const host_t *host)
{
    return host->name && host->name[0] && host->name[0] != '/' && host->name[0] != '@' &&
           !(host->hostaddr && host->hostaddr[0]);
}

/* All addresses of all hosts as libpq's three parallel lists, beginning with the first-th. */
static void s_build_lists(const pg_dial_t *self, host_lists_t *lists)
{
    typedef struct {
        const char *name, *port;
        char address[NI_MAXHOST];
    } endpoint_t;
    endpoint_t *endpoints = calloc(HOSTS_MAX, sizeof *endpoints);
    if (!endpoints)
        abort();
    int count = 0;
    for (int i = 0; i < self->host_count && count < HOSTS_MAX; i++) {
        const host_t *host = &self->hosts[i];
        if (!host->addresses && s_wants_lookup(host))
            continue; /* its name could not be resolved */
        const struct addrinfo *address = host->addresses;
        do {
            endpoint_t *endpoint = &endpoints[count++];
            endpoint->name = host->name;
            endpoint->port = host->port;
            if (address) {
                s_address_text(address, endpoint->address, sizeof endpoint->address);
                address = address->ai_next;
            } else if (host->hostaddr) {
                snprintf(endpoint->address, sizeof endpoint->address, "%s", host->hostaddr);
            }
        } while (address && count < HOSTS_MAX);
    }
    size_t size = 0;
    FILE *hosts = open_memstream(&lists->hosts, &size);
    FILE *addresses = open_memstream(&lists->addresses, &size);
    FILE *ports = open_memstream(&lists->ports, &size);
    if (!hosts || !addresses || !ports)
        abort();
    for (int i = 0; i < count; i++) {
        const endpoint_t *endpoint = &endpoints[(i + (int)(self->first % (unsigned)count)) % count];
        s_append(hosts, i, endpoint->name);
        s_append(addresses, i, endpoint->address);
        s_append(ports, i, endpoint->port);
    }
    fclose(hosts);
    fclose(addresses);
    fclose(ports);
    lists->count = count;
    free(endpoints);
}

static void s_connect(pg_dial_t *self)
{
    host_lists_t lists = {NULL, NULL, NULL, 0};
    s_build_lists(self, &lists);
    if (lists.count == 0) {
        s_end(self, NULL); /* the reason is the look-up's */
        goto done;
    }
    params_t params = {.count = 0};
    for (const PQconninfoOption *option = self->target->options; option->keyword; option++)
        if (option->val && option->val[0] && strcmp(option->keyword, "host") != 0 &&
            strcmp(option->keyword, "hostaddr") != 0 && strcmp(option->keyword, "port") != 0)
            s_param(&params, option->keyword, option->val);
    if (strspn(lists.hosts, ",") != strlen(lists.hosts))
        s_param(&params, "host", lists.hosts);
    if (strspn(lists.addresses, ",") != strlen(lists.addresses))
        s_param(&params, "hostaddr", lists.addresses);
    if (strspn(lists.ports, ",") != strlen(lists.ports))
        s_param(&params, "port", lists.ports);
    s_default(&params, self->target, "application_name", self->target->application);
    s_default(&params, self->target, "client_encoding", "UTF8");
    s_default(&params, self->target, "gssencmode",
              "disable"); /* Kerberos libraries resolve names */
    s_default(&params, self->target, "keepalives_idle", "5");
    s_default(&params, self->target, "keepalives_interval", "2");
    s_default(&params, self->target, "keepalives_count", "3");
    s_default(&params, self->target, "tcp_user_timeout", "10000");
    params.keywords[params.count] = NULL;
    params.values[params.count] = NULL;
    self->conn = PQconnectStartParams(params.keywords, params.values, 0);
    if (!self->conn)
        abort();
    if (PQstatus(self->conn) == CONNECTION_BAD) {
        s_set_reason(self, PQerrorMessage(self->conn));
        s_end(self, NULL);
        goto done;
    }
    self->fd = loop_fd_new(self->loop, PQsocket(self->conn), s_on_ready, self);
    loop_fd_want(self->fd, UV_WRITABLE);
done:
    free(lists.hosts);
    free(lists.addresses);
    free(lists.ports);
}

static void s_on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
    lookup_t *lookup = request->data;
    pg_dial_t *self = lookup->dial;
    if (!self) {
        uv_freeaddrinfo(result);
        free(lookup);
        return;
    }
    int index = lookup->host;
    self->lookups[index] = NULL;
    free(lookup);
    if (status == 0)
        self->hosts[index].addresses = result;
    else
        snprintf(self->reason, sizeof self->reason, "cannot resolve the host name \"%s\": %s",
                 self->hosts[index].name, uv_strerror(status));
    if (--self->lookups_pending == 0)
        s_connect(self);
}

/* The index-th item of a comma-separated list (the last one if the list has only one), or NULL. */
static char *s_item(const char *list, int index)
{
    if (!list)
        return NULL;
    if (!strchr(list, ','))
        return strdup(list);
    for (; index > 0; index--) {
        const char *comma = strchr(list, ',');
        if (!comma)
            return NULL;
        list = comma + 1;
    }
    return strndup(list, strcspn(list, ","));
}

static int s_items(const char *list)
{
    int count = list ? 1 : 0;
    for (; list && (list = strchr(list, ',')); list++)
        count++;
    return count;
}

static void s_split_hosts(pg_dial_t *self)
{
    const char *host = s_option(self->target, "host");
    const char *hostaddr = s_option(self->target, "hostaddr");
    const char *port = s_option(self->target, "port");
    if (!host && !hostaddr) {
        host = getenv("PGHOST");
        hostaddr = getenv("PGHOSTADDR");
    }
    int hosts = s_items(host), addresses = s_items(hostaddr);
    int count = hosts > addresses ? hosts : addresses;
    self->host_count = count < 1 ? 1 : count > HOSTS_MAX ? HOSTS_MAX : count;
    for (int i = 0; i < self->host_count; i++) {
        self->hosts[i].name = s_item(host, i);
        self->hosts[i].hostaddr = s_item(hostaddr, i);
        self->hosts[i].port = s_item(port, i);
    }
}

static void s_begin(void *arg)
{
    pg_dial_t *self = arg;
    s_split_hosts(self);
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    for (int i = 0; i < self->host_count; i++) {
        if (!s_wants_lookup(&self->hosts[i]))
            continue;
        lookup_t *lookup = calloc(1, sizeof *lookup);
        if (!lookup)
            abort();
        *lookup = (lookup_t){.dial = self, .host = i};
        lookup->request.data = lookup;
        int status = uv_getaddrinfo(loop_uv(self->loop), &lookup->request, s_on_resolved,
                                    self->hosts[i].name, NULL, &hints);
        if (status != 0) {
            snprintf(self->reason, sizeof self->reason, "cannot resolve the host name \"%s\": %s",
                     self->hosts[i].name, uv_strerror(status));
            free(lookup);
            continue;
        }
        self->lookups[i] = lookup;
        self->lookups_pending++;
    }
    if (self->lookups_pending == 0)
        s_connect(self);
}

pg_dial_t *pg_dial_start(loop_t *loop,
                         const pg_target_t *target,
                         unsigned first,
                         unsigned timeout_ms,
                         pg_dial_fn fn,
                         void *arg)
{
    pg_dial_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->target = target;
    self->first = first;
    self->fn = fn;
    self->arg = arg;
    self->timer = loop_timer_new(loop, s_on_timeout, self);
    loop_timer_start(self->timer, timeout_ms, 0);
    loop_defer(loop, s_begin, self);
    return self;
}

void pg_dial_destroy(pg_dial_t **self_p)
{
    pg_dial_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_begin, self);
    s_stop(self);
    if (self->conn)
        PQfinish(self->conn);
    for (int i = 0; i < self->host_count; i++) {
        free(self->hosts[i].name);
        free(self->hosts[i].hostaddr);
        free(self->hosts[i].port);
        if (self->hosts[i].addresses)
            uv_freeaddrinfo(self->hosts[i].addresses);
    }
    free(self);
}
