#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "gateway/http/credential.h"
#include "gateway/realtime/realtime_private.h"
#include "gateway/realtime/session.h"

/* ---- who he is ---- */

/* What a map says under the names of credentials, in any case; of several the first. */
typedef struct {
    const char *authorization, *api_key; /* decoded; NULL if absent */
    json_slice_t headers;
} credentials_t;

static bool s_is_named(json_slice_t key, const char *name, size_t size)
{
    return key.size == size && !strncasecmp(key.data, name, size);
}

static credentials_t s_read_credentials(const session_t *self, json_slice_t map)
{
    arena_t *arena = self->realtime->arena;
    credentials_t found = {.headers = {.data = ""}};
    json_slice_t key, value;
    if (json_kind(map) != JSON_MAP)
        return found;
    for (json_walk_t walk = json_walk(map); json_walk_member(&walk, &key, &value);) {
        if (json_key_is(key, "headers", 7))
            found.headers = value;
        else if (json_kind(value) != JSON_STRING_VALUE)
            continue;
        else if (!found.authorization && s_is_named(key, "authorization", 13))
            found.authorization = json_string_decode(arena, value, NULL);
        else if (!found.api_key && s_is_named(key, "x-api-key", 9))
            found.api_key = json_string_decode(arena, value, NULL);
    }
    return found;
}

static err_code_t s_check_credential(session_t *self,
                                     const char *authorization,
                                     const char *api_key,
                                     identity_t **identity,
                                     err_t *err)
{
    const realtime_options_t *options = &self->realtime->options;
    *identity = NULL;
    if ((authorization || api_key) && rate_limits_look(options->rates, self->client_key))
        return err_set(err, ERR_RATE_LIMITED, "too many operations, try again later");
    err_code_t code = credential_check(options->auth, NULL, authorization, api_key, identity, err);
    if (code)
        rate_limits_charge_credential(options->rates, self->client_key, code);
    return code;
}

err_code_t session_identify(session_t *self, json_slice_t map, identity_t **identity, err_t *err)
{
    credentials_t shown = s_read_credentials(self, map);
    if (!shown.authorization && !shown.api_key)
        shown = s_read_credentials(self, shown.headers);
    return s_check_credential(self, shown.authorization, shown.api_key, identity, err);
}

err_code_t session_authenticate(session_t *self, json_slice_t payload, err_t *err)
{
    identity_t *identity;
    err_code_t code = session_identify(self, payload, &identity, err);
    if (!code && !identity)
        code = s_check_credential(self, self->authorization, self->api_key, &identity, err);
    if (code)
        return code;
    identity_unref(&self->identity);
    self->identity = identity;
    self->generation = auth_generation(self->realtime->options.auth);
    free(self->authorization);
    free(self->api_key);
    self->authorization = self->api_key = NULL;
    return ERR_OK;
}

static bool s_is_same(const session_t *self, const identity_t *identity)
{
    return !self->identity || !strcmp(identity_handle(self->identity), identity_handle(identity));
}

static void s_replace(session_t *self, identity_t *identity)
{
    identity_t *old = self->identity;
    self->has_other_rights |= old && self->count > 0 &&
                              strcmp(identity_rights_key(old), identity_rights_key(identity)) != 0;
    self->identity = identity_ref(identity);
    self->generation = auth_generation(self->realtime->options.auth);
    identity_unref(&old);
}

err_code_t session_renew(session_t *self, json_slice_t payload, err_t *err)
{
    identity_t *identity;
    err_code_t code = session_identify(self, payload, &identity, err);
    if (code)
        return code;
    if (!identity)
        return err_set(err, ERR_UNAUTHENTICATED, "there is no credential");
    if (s_is_same(self, identity))
        s_replace(self, identity);
    else
        code = err_set(err, ERR_FORBIDDEN, "the credential is somebody else's");
    identity_unref(&identity);
    return code;
}

void session_adopt(session_t *self, identity_t *identity)
{
    int64_t until_us = identity_expires_at_us(identity);
    int64_t own_us = self->identity ? identity_expires_at_us(self->identity) : 0;
    if (self->identity && s_is_same(self, identity) && own_us && (!until_us || until_us > own_us))
        s_replace(self, identity);
}

bool session_has_expired(const identity_t *identity)
{
    int64_t until_us = identity_expires_at_us(identity);
    return until_us && clock_unix_us() > until_us + (int64_t)SESSION_GRACE_S * 1000000;
}

const char *session_is_over(session_t *self)
{
    uint64_t generation = auth_generation(self->realtime->options.auth);
    if (!self->identity)
        return NULL;
    if (session_has_expired(self->identity))
        return "the token has expired";
    if (self->has_other_rights)
        return "the rights have changed";
    if (generation == self->generation)
        return NULL;
    const char *objection = auth_objection(self->realtime->options.auth, self->identity);
    if (!objection)
        self->generation = generation;
    return objection;
}
