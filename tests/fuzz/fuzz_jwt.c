/* Tokens and key sets. The first byte says which:
 *   'i'  the rest is an issuer as a manifest announces it
 *   'p'  the rest is a header, a new line and a payload, put into the form of a token: then the
 *        parts behind the signature check get something to read
 *   else all of it is a credential
 * Nobody has the private key, so no credential may ever be accepted. */
#include <jansson.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char s_issuer[] =
    "{\"iss\":\"i\",\"clientId\":\"c\",\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k\"}]}}"; /* RFC 7515 A.3 */

static auth_t *s_auth(void)
{
    auth_options_t options = {.api_key = "key"};
    auth_t *auth = auth_new(&options);
    err_t err = ERR_INIT;
    json_t *issuer = json_loads(s_issuer, 0, NULL);
    if (auth_set_issuer(auth, "store", issuer, &err) != ERR_OK)
        abort();
    json_decref(issuer);
    return auth;
}

static void s_credential(auth_t *auth, const char *text, size_t size)
{
    err_t err = ERR_INIT;
    identity_t *identity = NULL;
    if (auth_verify(auth, text, size, &identity, &err) == ERR_OK || identity || !err.code ||
        !*err.text)
        abort();
    err = (err_t)ERR_INIT;
    if (auth_verify_api_key(auth, text, size, &identity, &err) == ERR_OK &&
        (size != 3 || memcmp(text, "key", 3) != 0))
        abort();
    identity_unref(&identity);
}

static void s_identify(const json_t *claims, const claims_source_t *source)
{
    err_t err = ERR_INIT;
    identity_t *identity = claims_identity(claims, source, &err);
    if (identity) {
        json_slice_t json = identity_json(identity, "store");
        if (!json_validate(json.data, json.size, 4096, NULL))
            abort();
    } else if (!err.code) {
        abort();
    }
    identity_unref(&identity);
}

static void s_read_claims(const char *text, size_t size)
{
    static const claims_source_t pool = {.provider = IDENTITY_USER_POOL, .service = "store"};
    static const claims_source_t oidc = {.provider = IDENTITY_OIDC};
    static const claims_source_t named = {.provider = IDENTITY_OIDC, .handle_claim = "nickname"};
    jws_t jws;
    err_t err = ERR_INIT;
    if (jws_parse(&jws, text, size, &err) != ERR_OK)
        return;
    if (claims_check(jws.claims, "c", clock_unix_us(), &err) == ERR_OK)
        s_identify(jws.claims, &pool);
    err = (err_t)ERR_INIT;
    if (claims_check_oidc(jws.claims, "c", clock_unix_us(), &err) == ERR_OK) {
        s_identify(jws.claims, &oidc);
        s_identify(jws.claims, &named);
    }
    jws_free(&jws);
}

static void s_parts(auth_t *auth, const char *text, size_t size)
{
    static char token[4 * JWS_MAX];
    char part[2 * JWS_MAX];
    const char *line = memchr(text, '\n', size);
    if (!line || size > JWS_MAX / 2)
        return;
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t head = (size_t)(line - text);
    sodium_bin2base64(part, sizeof part, (const uint8_t *)text, head, variant);
    size_t at = (size_t)snprintf(token, sizeof token, "%s.", part);
    sodium_bin2base64(part, sizeof part, (const uint8_t *)line + 1, size - head - 1, variant);
    at += (size_t)snprintf(token + at, sizeof token - at, "%s.", part);
    memset(token + at, 'A', 86);
    s_credential(auth, token, at + 86);
    s_read_claims(token, at + 86);
}

static void s_key_set(auth_t *auth, const char *text, size_t size)
{
    err_t err = ERR_INIT;
    json_t *issuer = json_loadb(text, size, 0, NULL);
    if (auth_set_issuer(auth, "other", issuer, &err) == ERR_OK && err.code)
        abort();
    json_decref(issuer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static auth_t *auth;
    if (!auth) {
        clock_test_set(INT64_C(1800000000000000), 0);
        auth = s_auth();
    }
    const char *text = (const char *)data;
    if (size > 0 && data[0] == 'i')
        s_key_set(auth, text + 1, size - 1);
    else if (size > 0 && data[0] == 'p')
        s_parts(auth, text + 1, size - 1);
    else
        s_credential(auth, text, size);
    return 0;
}
