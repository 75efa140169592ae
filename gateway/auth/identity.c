#include "gateway/auth/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

/* A token has at most 8 KiB, and escaping makes a text at most six times as long. */
enum { IDENTITY_JSON_MAX = 128 * 1024 };

struct identity {
    size_t references;
    identity_provider_t provider;
    int64_t expires_at_us;
    bool is_read_only;
    char *handle;
    char *sub;
    char *issuer_service; /* or NULL */
    char *iss;            /* or NULL */
    uint64_t key;
    char *session; /* or NULL */
    char **groups;
    size_t group_count;
    char *rights_key;         /* issuer, rights and `public_json`, a line each */
    json_slice_t public_json; /* within rights_key */
    char *full_json;          /* with claims; NULL if there are none */
    size_t full_json_size;
};

static const char *const s_provider_names[] = {
    [IDENTITY_USER_POOL] = "user-pool",
    [IDENTITY_OIDC] = "oidc",
    [IDENTITY_API_KEY] = "api-key",
};

static char *s_copy(const char *text)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static void s_copy_groups(identity_t *self, const json_t *groups)
{
    size_t count = json_array_size(groups);
    self->groups = calloc(count + 1, sizeof *self->groups);
    if (!self->groups)
        abort();
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(groups, i));
        if (name)
            self->groups[self->group_count++] = s_copy(name);
    }
}

/* Everything but the closing brace. */
static void s_print(const identity_t *self, buffer_t *out)
{
    buffer_put_str(out, "{\"handle\":");
    buffer_put_json_string(out, self->handle, strlen(self->handle));
    buffer_put_str(out, ",\"sub\":");
    buffer_put_json_string(out, self->sub, strlen(self->sub));
    buffer_printf(out, ",\"provider\":\"%s\",\"groups\":[", s_provider_names[self->provider]);
    for (size_t i = 0; i < self->group_count; i++) {
        if (i > 0)
            buffer_put_char(out, ',');
        buffer_put_json_string(out, self->groups[i], strlen(self->groups[i]));
    }
    buffer_put_char(out, ']');
}

static void s_print_public(identity_t *self)
{
    buffer_t out = BUFFER_INIT(IDENTITY_JSON_MAX);
    size_t size;
    buffer_put_str(&out, self->issuer_service ? self->issuer_service : "");
    buffer_put_char(&out, '\n');
    buffer_put_str(&out, self->iss ? self->iss : "");
    buffer_put_str(&out, self->is_read_only ? "\nread only\n" : "\n");
    size_t start = out.size;
    s_print(self, &out);
    buffer_put_char(&out, '}');
    buffer_put_char(&out, '\0');
    assert(!out.failed);
    self->rights_key = buffer_take(&out, &size);
    self->public_json = (json_slice_t){.data = self->rights_key + start, .size = size - start - 1};
}

static void s_print_full(identity_t *self, const json_t *claims)
{
    if (json_object_size(claims) == 0)
        return;
    char *text = json_dumps(claims, JSON_COMPACT);
    if (!text)
        abort();
    buffer_t out = BUFFER_INIT(IDENTITY_JSON_MAX);
    s_print(self, &out);
    buffer_put_str(&out, ",\"claims\":");
    buffer_put_str(&out, text);
    buffer_put_char(&out, '}');
    assert(!out.failed);
    self->full_json = buffer_take(&out, &self->full_json_size);
    free(text);
}

identity_t *identity_new(const identity_spec_t *spec)
{
    identity_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->references = 1;
    self->provider = spec->provider;
    self->expires_at_us = spec->expires_at_us;
    self->is_read_only = spec->is_read_only;
    self->handle = s_copy(spec->handle);
    self->sub = s_copy(spec->sub);
    self->issuer_service = s_copy(spec->issuer_service);
    self->iss = s_copy(spec->iss);
    self->key = spec->key;
    self->session = s_copy(json_string_value(json_object_get(spec->claims, "session")));
    s_copy_groups(self, spec->groups);
    s_print_public(self);
    s_print_full(self, spec->claims);
    return self;
}

identity_t *identity_ref(identity_t *self)
{
    self->references++;
    return self;
}

void identity_unref(identity_t **self_p)
{
    identity_t *self = *self_p;
    *self_p = NULL;
    if (!self || --self->references > 0)
        return;
    for (size_t i = 0; i < self->group_count; i++)
        free(self->groups[i]);
    free(self->groups);
    free(self->handle);
    free(self->sub);
    free(self->issuer_service);
    free(self->iss);
    free(self->session);
    free(self->rights_key);
    free(self->full_json);
    free(self);
}

identity_provider_t identity_provider(const identity_t *self)
{
    return self->provider;
}

const char *identity_provider_name(const identity_t *self)
{
    return s_provider_names[self->provider];
}

const char *identity_handle(const identity_t *self)
{
    return self->handle;
}

const char *identity_sub(const identity_t *self)
{
    return self->sub;
}

bool identity_is_read_only(const identity_t *self)
{
    return self->is_read_only;
}

const char *identity_session(const identity_t *self)
{
    return self->session;
}

bool identity_in_group(const identity_t *self, const char *group)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (strcmp(self->groups[i], group) == 0)
            return true;
    return false;
}

const char *identity_iss(const identity_t *self)
{
    return self->iss;
}

uint64_t identity_key(const identity_t *self)
{
    return self->key;
}

const char *identity_issuer_service(const identity_t *self)
{
    return self->issuer_service;
}

int64_t identity_expires_at_us(const identity_t *self)
{
    return self->expires_at_us;
}

json_slice_t identity_json(const identity_t *self, const char *service)
{
    if (self->full_json && service && self->issuer_service &&
        strcmp(service, self->issuer_service) == 0)
        return (json_slice_t){.data = self->full_json, .size = self->full_json_size};
    return self->public_json;
}

const char *identity_rights_key(const identity_t *self)
{
    return self->rights_key;
}
