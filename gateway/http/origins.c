#include "gateway/http/origins.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct origins {
    bool all;
    char *text;         /* the list, cut into strings */
    const char **items; /* borrowed from text */
    size_t count;
};

static bool s_is_origin(const char *text)
{
    const char *scheme = strstr(text, "://");
    return scheme && scheme != text && scheme[3] && !strpbrk(scheme + 3, "/?# \t");
}

origins_t *origins_new(const char *list, err_t *err)
{
    origins_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->text = strdup(list ? list : "*");
    self->items = calloc(strlen(self->text) / 2 + 1, sizeof *self->items);
    if (!self->items)
        abort();
    char *save = NULL;
    for (char *item = strtok_r(self->text, ", ", &save); item; item = strtok_r(NULL, ", ", &save)) {
        size_t size = strlen(item);
        if (!strcmp(item, "*"))
            self->all = true;
        else if (size && item[size - 1] == '/')
            item[size - 1] = '\0';
        if (!self->all && strcmp(item, "null") != 0 && !s_is_origin(item)) {
            err_set(err, ERR_CONFIG, "--origins: '%.100s' is no origin like https://host", item);
            origins_destroy(&self);
            return NULL;
        }
        self->items[self->count++] = item;
    }
    return self;
}

void origins_destroy(origins_t **self_p)
{
    origins_t *self = *self_p;
    if (!self)
        return;
    free(self->items);
    free(self->text);
    free(self);
    *self_p = NULL;
}

bool origins_allow(const origins_t *self, const char *origin)
{
    if (self->all || !origin)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (!strcasecmp(self->items[i], origin))
            return true;
    return false;
}

bool origins_allow_all(const origins_t *self)
{
    return self->all;
}

static bool s_header_is_allowed(const char *name, size_t size)
{
    static const char *const names[] = {
        "accept",
        "accept-language",
        "apollo-require-preflight",
        "authorization",
        "cache-control",
        "content-type",
        "content-language",
        "graphql-require-preflight",
        "last-event-id",
        "traceparent",
        "tracestate",
        "x-api-key",
        "x-request-id",
        "x-requested-with",
    };
    static const char *const prefixes[] = {"x-amz-", "amz-sdk-", "x-apollo-", "x-graphql-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (size == strlen(names[i]) && !strncasecmp(name, names[i], size))
            return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (size > strlen(prefixes[i]) && !strncasecmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

static bool s_is_token(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                    name[i]))
            return false;
    return size > 0;
}

void origins_allowed_headers(const char *requested, buffer_t *out)
{
    size_t start = out->size;
    for (const char *at = requested ? requested : ""; *at;) {
        at += strspn(at, ", \t");
        size_t size = strcspn(at, ", \t");
        if (s_is_token(at, size) && s_header_is_allowed(at, size)) {
            if (out->size > start)
                buffer_put_str(out, ", ");
            buffer_put(out, at, size);
        }
        at += size;
    }
}
