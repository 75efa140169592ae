#include "gateway/http/connection_limits.h"

#include <stdlib.h>

#include "common/metrics.h"

#include <uthash.h>

typedef struct {
    UT_hash_handle hh;
    uint64_t address;
    size_t count; /* of connections; never 0 */
} client_t;

struct connection_limits {
    client_t *clients;
    size_t max;
    metric_t *refused;
};

connection_limits_t *connection_limits_new(size_t max)
{
    if (max == 0)
        return NULL;
    connection_limits_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->max = max;
    self->refused = metrics_counter("parley_connections_refused_total",
                                    "Connections refused because of a limit.", "by=\"address\"");
    return self;
}

void connection_limits_destroy(connection_limits_t **self_p)
{
    connection_limits_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    client_t *client, *next;
    HASH_ITER(hh, self->clients, client, next)
    {
        HASH_DEL(self->clients, client);
        free(client);
    }
    free(self);
}

static client_t *s_find(const connection_limits_t *self, uint64_t address)
{
    client_t *client = NULL;
    HASH_FIND(hh, self->clients, &address, sizeof address, client);
    return client;
}

bool connection_limits_allow(connection_limits_t *self, uint64_t address)
{
    const client_t *client = self ? s_find(self, address) : NULL;
    if (!client || client->count < self->max)
        return true;
    metric_inc(self->refused);
    return false;
}

void connection_limits_enter(connection_limits_t *self, uint64_t address)
{
    client_t *client = self ? s_find(self, address) : NULL;
    if (self && !client) {
        client = calloc(1, sizeof *client);
        if (!client)
            abort();
        client->address = address;
        HASH_ADD(hh, self->clients, address, sizeof client->address, client);
    }
    if (client)
        client->count++;
}

void connection_limits_leave(connection_limits_t *self, uint64_t address)
{
    client_t *client = self ? s_find(self, address) : NULL;
    if (!client || --client->count > 0)
        return;
    HASH_DEL(self->clients, client);
    free(client);
}
