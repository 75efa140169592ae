#include "gateway/auth/claims.h"

#include <stdbool.h>
#include <string.h>

#include "gateway/auth/auth.h"

enum { NAME_MAX_BYTES = 1024 };

/* 10000-01-01: what is later is no time, and microseconds of it might not fit. */
#define TIME_END_S 253402300800.0

/* Said by the identity itself, or of no use to the service that issued the token. */
static const char *const s_known[] = {
    "iss", "aud", "sub", "client_id", "username", "token_use", "cognito:username", "cognito:groups",
    NULL};

/* A NumericDate (RFC 7519 2). False if it is none; *is_there tells if the claim is there. */
static bool s_time(const json_t *claims, const char *name, double *seconds, bool *is_there)
{
    const json_t *claim = json_object_get(claims, name);
    *is_there = claim != NULL;
    *seconds = json_number_value(claim);
    return json_is_number(claim) && *seconds >= 0 && *seconds < TIME_END_S;
}

static err_code_t s_check_times(const json_t *claims, double now, err_t *err)
{
    double exp, nbf, iat;
    bool has_exp, has_nbf, has_iat;
    bool exp_is_time = s_time(claims, "exp", &exp, &has_exp);
    bool nbf_is_time = s_time(claims, "nbf", &nbf, &has_nbf);
    bool iat_is_time = s_time(claims, "iat", &iat, &has_iat);
    if (!exp_is_time)
        return err_set(err, ERR_UNAUTHENTICATED, "the token has no time at which it expires");
    if ((has_nbf && !nbf_is_time) || (has_iat && !iat_is_time))
        return err_set(err, ERR_UNAUTHENTICATED, "the token's times are malformed");
    if (now >= exp + AUTH_LEEWAY_S)
        return err_set(err, ERR_UNAUTHENTICATED, "the token has expired");
    if ((has_nbf && nbf > now + AUTH_LEEWAY_S) || (has_iat && iat > now + AUTH_LEEWAY_S))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is not valid yet");
    return ERR_OK;
}

static bool s_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* A string that is the text, or a list that has it. */
static bool s_names(const json_t *claim, const char *text)
{
    for (size_t i = 0; i < json_array_size(claim); i++)
        if (s_is(json_array_get(claim, i), text))
            return true;
    return s_is(claim, text);
}

static bool s_is_for(const json_t *claims, const char *client_id)
{
    const json_t *claim = json_object_get(claims, "client_id");
    if (claim)
        return s_is(claim, client_id);
    return s_names(json_object_get(claims, "aud"), client_id);
}

err_code_t claims_check(const json_t *claims, const char *client_id, int64_t now_us, err_t *err)
{
    if (s_check_times(claims, (double)now_us / 1e6, err) != ERR_OK)
        return err->code;
    if (!s_is_for(claims, client_id))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is for another client");
    const json_t *use = json_object_get(claims, "token_use");
    if (use && !s_is(use, "access"))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is no access token");
    return ERR_OK;
}

err_code_t claims_check_oidc(const json_t *claims, const char *audience, int64_t now_us, err_t *err)
{
    if (s_check_times(claims, (double)now_us / 1e6, err) != ERR_OK)
        return err->code;
    if (audience && !s_names(json_object_get(claims, "aud"), audience) &&
        !s_names(json_object_get(claims, "azp"), audience) &&
        !s_names(json_object_get(claims, "client_id"), audience))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is for another audience");
    return ERR_OK;
}

/* A string of sensible length, or NULL. */
static const char *s_name(const json_t *claims, const char *name)
{
    const json_t *claim = json_object_get(claims, name);
    size_t size = json_string_length(claim);
    return size > 0 && size <= NAME_MAX_BYTES ? json_string_value(claim) : NULL;
}

/* The first of the claims that is there; a handle claim that was chosen stands alone. */
static const char *s_handle(const json_t *claims, const claims_source_t *source)
{
    static const char *const pool[] = {"username", "cognito:username", NULL};
    static const char *const oidc[] = {"preferred_username", "email", "sub", NULL};
    const char *handle = NULL;
    if (source->handle_claim)
        return s_name(claims, source->handle_claim);
    for (const char *const *name = source->provider == IDENTITY_OIDC ? oidc : pool;
         *name && !handle; name++)
        handle = s_name(claims, *name);
    return handle;
}

identity_t *claims_identity(const json_t *claims, const claims_source_t *source, err_t *err)
{
    const char *sub = s_name(claims, "sub");
    const char *handle = s_handle(claims, source);
    if (!sub || !handle) {
        err_set(err, ERR_UNAUTHENTICATED, "the token names no user");
        return NULL;
    }
    json_t *others = json_copy((json_t *)(uintptr_t)claims);
    for (const char *const *name = s_known; *name; name++)
        json_object_del(others, *name);
    identity_spec_t spec = {
        .provider = source->provider,
        .handle = handle,
        .sub = sub,
        .issuer_service = source->service,
        .iss = json_string_value(json_object_get(claims, "iss")),
        .key = source->key,
        .groups = json_object_get(claims, "cognito:groups"),
        .claims = others,
        .expires_at_us = (int64_t)(json_number_value(json_object_get(claims, "exp")) * 1e6),
    };
    identity_t *identity = identity_new(&spec);
    json_decref(others);
    return identity;
}
