#include "gateway/bus/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_MS = 3000, ADDRESSES_MAX = 64 };

struct resolver {
    uv_getaddrinfo_t request;
    loop_t *loop;
    loop_timer_t *timer;
    char *host;
    resolver_fn fn;
    void *arg;
    bool is_busy;
    bool is_closed; /* freed when the look-up under way comes back */
};

static void s_free(resolver_t *self)
{
    free(self->host);
    free(self);
}

static bool s_print(const struct addrinfo *info, char out[INET6_ADDRSTRLEN])
{
    const void *address = NULL;
    if (info->ai_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;
    else if (info->ai_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr;
    return address != NULL && inet_ntop(info->ai_family, address, out, INET6_ADDRSTRLEN) != NULL;
}

static void s_tell(resolver_t *self, const struct addrinfo *list)
{
    char text[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    const char *addresses[ADDRESSES_MAX];
    size_t count = 0;
    for (const struct addrinfo *at = list; at != NULL && count < ADDRESSES_MAX; at = at->ai_next) {
        bool is_new = s_print(at, text[count]);
        for (size_t i = 0; is_new && i < count; i++)
            is_new = strcmp(text[i], text[count]) != 0;
        if (is_new) {
            addresses[count] = text[count];
            count++;
        }
    }
    self->fn(self->arg, addresses, count, count == 0 ? "it has no address" : NULL);
}

static void s_on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    resolver_t *self = request->data;
    self->is_busy = false;
    if (!self->is_closed && status == 0)
        s_tell(self, list);
    else if (!self->is_closed)
        self->fn(self->arg, NULL, 0, uv_strerror(status));
    uv_freeaddrinfo(list);
    if (self->is_closed)
        s_free(self);
}

static void s_look_up(void *arg)
{
    resolver_t *self = arg;
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (self->is_busy)
        return;
    self->request.data = self;
    self->is_busy = uv_getaddrinfo(loop_uv(self->loop), &self->request, s_on_addresses, self->host,
                                   NULL, &hints) == 0;
}

resolver_t *resolver_new(loop_t *loop, const char *host, resolver_fn fn, void *arg)
{
    resolver_t *self = calloc(1, sizeof *self);
    if (self == NULL || (self->host = strdup(host)) == NULL)
        abort();
    self->loop = loop;
    self->fn = fn;
    self->arg = arg;
    self->timer = loop_timer_new(loop, s_look_up, self);
    loop_timer_start(self->timer, 0, EVERY_MS);
    return self;
}

void resolver_destroy(resolver_t **self_p)
{
    resolver_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    loop_timer_destroy(&self->timer);
    self->is_closed = true;
    if (!self->is_busy)
        s_free(self);
    else
        uv_cancel((uv_req_t *)&self->request); /* s_on_addresses is called either way */
}
