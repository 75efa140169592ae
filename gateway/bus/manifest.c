#include "gateway/bus/manifest.h"

#include <ctype.h>
#include <czmq.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"
#include "common/cursor.h"
#include "gateway/bus/sdl_fields.h"
#include "gateway/bus/service_list.h"

enum { INCARNATION_MAX = 64 };

struct manifest {
    unsigned references;
    json_t *root; /* all strings live here */
    service_manifest_t view;
    const char *instance;
    const char *incarnation;
    const char *events;
    const json_t *idempotent;
    zhashx_t *fields; /* made when first asked for */
    bool is_ready;
    uint8_t hash[MANIFEST_HASH_SIZE];
};

/* ---- reading: each returns ERR_OK or says what is wrong ---- */

static err_code_t
s_string(const json_t *root, const char *name, bool is_required, const char **out, err_t *err)
{
    const json_t *value = json_object_get(root, name);
    *out = NULL;
    if (value == NULL || json_is_null(value))
        return is_required ? err_set(err, ERR_PROTOCOL, "the manifest has no %s", name) : ERR_OK;
    if (!json_is_string(value))
        return err_set(err, ERR_PROTOCOL, "%s of the manifest is no string", name);
    *out = json_string_value(value);
    return ERR_OK;
}

static bool s_is_epoch(const char *text)
{
    return strlen(text) == EPOCH_SIZE - 1 && strspn(text, "0123456789abcdef") == EPOCH_SIZE - 1;
}

static bool s_is_events_endpoint(const char *text)
{
    char host[SERVICE_HOST_SIZE], port[6];
    if (strlen(text) >= SERVICE_ENDPOINT_SIZE)
        return false;
    return (strncmp(text, "ipc://", 6) == 0 && text[6] != '\0') ||
           service_endpoint_split(text, host, port);
}

static err_code_t s_read_idempotent(manifest_t *self, err_t *err)
{
    const json_t *list = json_object_get(self->root, "idempotent");
    if (list == NULL || json_is_null(list))
        return ERR_OK;
    size_t index;
    const json_t *item;
    if (!json_is_array(list))
        return err_set(err, ERR_PROTOCOL, "idempotent of the manifest is no list");
    json_array_foreach(list, index, item)
    {
        if (!json_is_string(item))
            return err_set(err, ERR_PROTOCOL, "idempotent of the manifest is no list of strings");
    }
    self->idempotent = list;
    return ERR_OK;
}

static bool s_is_route(const json_t *route)
{
    const char *method = json_string_value(json_object_get(route, "method"));
    const char *path = json_string_value(json_object_get(route, "path"));
    if (method == NULL || path == NULL || *method == '\0' || *path != '/')
        return false;
    for (const char *at = method; *at != '\0'; at++)
        if (!isupper((unsigned char)*at))
            return false;
    for (const char *at = path; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at) || *at == '?' || *at == '#')
            return false;
    return true;
}

static err_code_t s_read_routes(manifest_t *self, err_t *err)
{
    const json_t *list = json_object_get(self->root, "routes");
    if (list == NULL || json_is_null(list))
        return ERR_OK;
    size_t index;
    const json_t *route;
    if (!json_is_array(list))
        return err_set(err, ERR_PROTOCOL, "routes of the manifest is no list");
    json_array_foreach(list, index, route)
    {
        if (!s_is_route(route))
            return err_set(err, ERR_PROTOCOL, "route %zu of the manifest is no {method, path}",
                           index);
    }
    self->view.routes = list;
    return ERR_OK;
}

/* A key set with a secret in it would be handed on: refuse it. */
static bool s_is_public_key(const json_t *key)
{
    static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    if (!json_is_object(key))
        return false;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (json_object_get(key, secrets[i]) != NULL)
            return false;
    return true;
}

static err_code_t s_read_issuer(manifest_t *self, err_t *err)
{
    const json_t *issuer = json_object_get(self->root, "issuer");
    if (issuer == NULL || json_is_null(issuer))
        return ERR_OK;
    const json_t *keys = json_object_get(json_object_get(issuer, "jwks"), "keys");
    if (!json_is_string(json_object_get(issuer, "iss")) || !json_is_array(keys))
        return err_set(err, ERR_PROTOCOL, "issuer of the manifest is no {iss, clientId, jwks}");
    const json_t *client = json_object_get(issuer, "clientId");
    if (client != NULL && !json_is_null(client) && !json_is_string(client))
        return err_set(err, ERR_PROTOCOL, "clientId of the manifest's issuer is no string");
    size_t index;
    const json_t *key;
    json_array_foreach(keys, index, key)
    {
        if (!s_is_public_key(key))
            return err_set(err, ERR_PROTOCOL, "key %zu of the manifest's issuer is no public key",
                           index);
    }
    self->view.issuer = issuer;
    return ERR_OK;
}

static err_code_t s_read_strings(manifest_t *self, const char *service, err_t *err)
{
    const json_t *root = self->root;
    service_manifest_t *view = &self->view;
    if (s_string(root, "name", true, &view->name, err) != ERR_OK ||
        s_string(root, "instance", false, &self->instance, err) != ERR_OK ||
        s_string(root, "incarnation", true, &self->incarnation, err) != ERR_OK ||
        s_string(root, "version", false, &view->version, err) != ERR_OK ||
        s_string(root, "sdl", true, &view->sdl, err) != ERR_OK ||
        s_string(root, "events", false, &self->events, err) != ERR_OK ||
        s_string(root, "epoch", false, &view->epoch, err) != ERR_OK)
        return ERR_PROTOCOL;
    if (strcmp(view->name, service) != 0)
        return err_set(err, ERR_PROTOCOL, "it calls itself '%.64s', configured is '%s'", view->name,
                       service);
    size_t size = strlen(self->incarnation);
    if (size == 0 || size > INCARNATION_MAX)
        return err_set(err, ERR_PROTOCOL, "incarnation of the manifest is not 1 to 64 characters");
    if (view->epoch != NULL && !s_is_epoch(view->epoch))
        return err_set(err, ERR_PROTOCOL, "epoch of the manifest is not 16 hex digits");
    if (self->events != NULL && !s_is_events_endpoint(self->events))
        return err_set(err, ERR_PROTOCOL, "events of the manifest is no endpoint");
    if (self->instance == NULL)
        self->instance = "";
    if (view->version == NULL)
        view->version = "";
    view->has_events = self->events != NULL;
    view->has_auth = json_is_true(json_object_get(root, "auth"));
    return ERR_OK;
}

static void s_hash_member(crypto_generichash_state *state, const json_t *value)
{
    char *text =
        value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    if (text != NULL) /* with its NUL, so that members cannot run into each other */
        crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
    else
        crypto_generichash_update(state, (const unsigned char *)"", 1);
    free(text);
}

static void s_hash(manifest_t *self)
{
    static const char *const members[] = {"version", "sdl", "idempotent", "routes", "issuer"};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, MANIFEST_HASH_SIZE);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        s_hash_member(&state, json_object_get(self->root, members[i]));
    crypto_generichash_final(&state, self->hash, MANIFEST_HASH_SIZE);
}

static err_code_t s_read(manifest_t *self, const char *service, err_t *err)
{
    if (!json_is_object(self->root))
        return err_set(err, ERR_PROTOCOL, "the manifest is no JSON map");
    const json_t *ready = json_object_get(self->root, "ready");
    if (ready != NULL && !json_is_null(ready) && !json_is_boolean(ready))
        return err_set(err, ERR_PROTOCOL, "ready of the manifest is no boolean");
    self->is_ready = !json_is_false(ready);
    if (s_read_strings(self, service, err) != ERR_OK || s_read_idempotent(self, err) != ERR_OK ||
        s_read_routes(self, err) != ERR_OK || s_read_issuer(self, err) != ERR_OK)
        return ERR_PROTOCOL;
    s_hash(self);
    return ERR_OK;
}

manifest_t *manifest_read(const char *body, size_t size, const char *service, err_t *err)
{
    if (size > MANIFEST_MAX) {
        err_set(err, ERR_PROTOCOL, "the manifest is larger than %d bytes", MANIFEST_MAX);
        return NULL;
    }
    if (!json_validate(body, size, BUS_BODY_DEPTH_MAX, NULL)) {
        err_set(err, ERR_PROTOCOL, "the manifest is no JSON");
        return NULL;
    }
    manifest_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->references = 1;
    self->root = json_loadb(body, size, 0, NULL);
    if (s_read(self, service, err) != ERR_OK)
        manifest_unref(&self);
    return self;
}

manifest_t *manifest_ref(manifest_t *self)
{
    self->references++;
    return self;
}

void manifest_unref(manifest_t **self_p)
{
    manifest_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL || --self->references > 0)
        return;
    json_decref(self->root);
    zhashx_destroy(&self->fields);
    free(self);
}

/* ---- looking ---- */

const service_manifest_t *manifest_view(const manifest_t *self)
{
    return &self->view;
}

const char *manifest_instance(const manifest_t *self)
{
    return self->instance;
}

const char *manifest_incarnation(const manifest_t *self)
{
    return self->incarnation;
}

const char *manifest_events(const manifest_t *self)
{
    return self->events;
}

bool manifest_is_ready(const manifest_t *self)
{
    return self->is_ready;
}

const uint8_t *manifest_hash(const manifest_t *self)
{
    return self->hash;
}

bool manifest_is_same(const manifest_t *a, const manifest_t *b)
{
    return memcmp(a->hash, b->hash, MANIFEST_HASH_SIZE) == 0;
}

bool manifest_has_field(const manifest_t *self, const char *field)
{
    if (self->fields == NULL) {
        manifest_t *cache = (manifest_t *)self; /* only memoizes */
        cache->fields = sdl_fields(self->view.sdl, strlen(self->view.sdl));
    }
    return zhashx_lookup(self->fields, field) != NULL;
}

bool manifest_is_idempotent(const manifest_t *self, const char *field)
{
    size_t index;
    const json_t *item;
    json_array_foreach(self->idempotent, index, item)
    {
        if (strcmp(json_string_value(item), field) == 0)
            return true;
    }
    return false;
}
