#include "store/accounts/access_token.h"

#include <jwt.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { LEEWAY_S = 30, COORDINATE_SIZE = 32, SIGNATURE_DER_MAX = 80 };

/* ---- signing ---- */

static bool s_add_claims(jwt_t *jwt, const access_token_spec_t *spec, int64_t iat_s, int64_t exp_s)
{
    char jti[UUID_TEXT_SIZE];
    parley_uuid_t id = uuid_v7(spec->now_us / 1000);
    uuid_print(&id, jti);
    return jwt_add_grant(jwt, "iss", spec->issuer) == 0 &&
           jwt_add_grant(jwt, "sub", spec->sub) == 0 &&
           jwt_add_grant(jwt, "session", spec->session) == 0 &&
           jwt_add_grant(jwt, "origin_jti", spec->session) == 0 && /* Cognito's name for it */
           jwt_add_grant(jwt, "jti", jti) == 0 && jwt_add_grant_int(jwt, "iat", iat_s) == 0 &&
           jwt_add_grant_int(jwt, "exp", exp_s) == 0 &&
           jwt_add_grant_int(jwt, "auth_time", spec->auth_time_us / 1000000) == 0;
}

static bool s_add_json(jwt_t *jwt, const json_t *map)
{
    char *text = json_dumps(map, JSON_COMPACT);
    bool ok = text && jwt_add_grants_json(jwt, text) == 0;
    free(text);
    return ok;
}

static bool s_add_groups(jwt_t *jwt, const json_t *groups)
{
    if (json_array_size(groups) == 0)
        return true;
    json_t *map = json_pack("{s:O}", "cognito:groups", (json_t *)(uintptr_t)groups);
    bool ok = s_add_json(jwt, map);
    json_decref(map);
    return ok;
}

static char *s_sign(jwt_t *jwt, const signing_key_t *key, err_t *err)
{
    char *token = NULL;
    if (jwt_add_header(jwt, "kid", key->kid) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)key->pem, (int)strlen(key->pem)) ==
            0)
        token = jwt_encode_str(jwt);
    if (!token)
        err_set(err, ERR_INTERNAL, "the token could not be signed");
    return token;
}

char *access_token_issue(const signing_key_t *key,
                         const access_token_spec_t *spec,
                         int64_t *expires_at_us,
                         err_t *err)
{
    int64_t iat_s = spec->now_us / 1000000;
    int64_t exp_s = iat_s + ACCESS_TOKEN_LIFETIME_S;
    char *token = NULL;
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) == 0 && s_add_claims(jwt, spec, iat_s, exp_s) &&
        jwt_add_grant(jwt, "username", spec->username) == 0 &&
        jwt_add_grant(jwt, "token_use", "access") == 0 &&
        jwt_add_grant(jwt, "client_id", spec->client_id) == 0 && s_add_groups(jwt, spec->groups))
        token = s_sign(jwt, key, err);
    else
        err_set(err, ERR_INTERNAL, "the access token could not be made");
    jwt_free(jwt);
    *expires_at_us = exp_s * 1000000;
    return token;
}

/* The attributes first: no claim of ours may be overwritten by one of that name. */
static bool s_add_account(jwt_t *jwt, const id_token_spec_t *account)
{
    json_t *map = json_loads(account->attributes ? account->attributes : "{}", 0, NULL);
    if (!json_is_object(map)) {
        json_decref(map);
        return false;
    }
    if (account->email)
        json_object_set_new(map, "email", json_string(account->email));
    if (account->email || account->email_verified)
        json_object_set_new(map, "email_verified", json_boolean(account->email_verified));
    bool ok = json_object_size(map) == 0 || s_add_json(jwt, map);
    json_decref(map);
    return ok;
}

char *id_token_issue(const signing_key_t *key,
                     const access_token_spec_t *spec,
                     const id_token_spec_t *account,
                     err_t *err)
{
    int64_t iat_s = spec->now_us / 1000000;
    char *token = NULL;
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) == 0 && s_add_account(jwt, account) &&
        s_add_claims(jwt, spec, iat_s, iat_s + ACCESS_TOKEN_LIFETIME_S) &&
        jwt_add_grant(jwt, "cognito:username", spec->username) == 0 &&
        jwt_add_grant(jwt, "token_use", "id") == 0 &&
        jwt_add_grant(jwt, "aud", spec->client_id) == 0 && s_add_groups(jwt, spec->groups))
        token = s_sign(jwt, key, err);
    else
        err_set(err, ERR_INTERNAL, "the ID token could not be made");
    jwt_free(jwt);
    return token;
}

/* ---- reading ---- */

/* A token in its three parts, borrowed from its text. */
typedef struct {
    const char *header, *payload, *signature;
    size_t header_size, payload_size, signature_size;
} parts_t;

static bool s_split(const char *token, size_t size, parts_t *parts)
{
    const char *end = token + size;
    const char *first = memchr(token, '.', size);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    *parts = (parts_t){token,
                       first + 1,
                       second + 1,
                       (size_t)(first - token),
                       (size_t)(second - first - 1),
                       (size_t)(end - second - 1)};
    return true;
}

static json_t *s_decode(const char *part, size_t size)
{
    unsigned char bytes[ACCESS_TOKEN_TEXT_MAX];
    size_t decoded = 0;
    if (sodium_base642bin(bytes, sizeof bytes, part, size, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return NULL;
    json_t *map = json_loadb((const char *)bytes, decoded, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(map)) {
        json_decref(map);
        return NULL;
    }
    return map;
}

static bool s_is(const json_t *map, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(map, name));
    return value && strcmp(value, text) == 0;
}

/* r ‖ s (RFC 7518 3.4) in OpenSSL's form; 0 if it is none. */
static size_t s_signature_der(const parts_t *parts, uint8_t der[SIGNATURE_DER_MAX])
{
    uint8_t raw[2 * COORDINATE_SIZE], *at = der;
    size_t decoded = 0;
    if (sodium_base642bin(raw, sizeof raw, parts->signature, parts->signature_size, NULL, &decoded,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        decoded != sizeof raw)
        return 0;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, COORDINATE_SIZE, NULL);
    BIGNUM *s = BN_bin2bn(raw + COORDINATE_SIZE, COORDINATE_SIZE, NULL);
    if (!signature || !r || !s || ECDSA_SIG_set0(signature, r, s) != 1)
        abort();
    int size = i2d_ECDSA_SIG(signature, &at);
    ECDSA_SIG_free(signature);
    return size > 0 ? (size_t)size : 0;
}

static bool s_verify(const signing_key_t *key, const parts_t *parts)
{
    uint8_t der[SIGNATURE_DER_MAX];
    size_t size = s_signature_der(parts, der);
    if (size == 0)
        return false;
    BIO *bio = BIO_new_mem_buf(key->pem, -1);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = pkey && context &&
              EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestVerify(context, der, size, (const unsigned char *)parts->header,
                               parts->header_size + 1 + parts->payload_size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return ok;
}

static bool
s_is_signed(const keyring_t *keys, const parts_t *parts, const json_t *header, int64_t now_us)
{
    const char *kid = json_string_value(json_object_get(header, "kid"));
    const signing_key_t *key = kid ? keyring_find(keys, kid, now_us) : NULL;
    return key && s_is(header, "alg", "ES256") && s_verify(key, parts);
}

static bool s_uuid(const json_t *claims, const char *name, parley_uuid_t *uuid)
{
    const json_t *value = json_object_get(claims, name);
    return json_is_string(value) &&
           uuid_parse_text(json_string_value(value), json_string_length(value), uuid);
}

err_code_t access_token_read(const keyring_t *keys,
                             const char *issuer,
                             const char *client_id,
                             const char *token,
                             size_t size,
                             int64_t now_us,
                             access_claims_t *out,
                             err_t *err)
{
    parts_t parts;
    json_t *header = NULL, *claims = NULL;
    bool ok = size <= ACCESS_TOKEN_TEXT_MAX && s_split(token, size, &parts) &&
              (header = s_decode(parts.header, parts.header_size)) &&
              s_is_signed(keys, &parts, header, now_us) &&
              (claims = s_decode(parts.payload, parts.payload_size)) &&
              s_is(claims, "token_use", "access") && s_is(claims, "iss", issuer) &&
              s_is(claims, "client_id", client_id) && s_uuid(claims, "sub", &out->account) &&
              s_uuid(claims, "session", &out->session);
    if (!ok)
        err_set(err, ERR_UNAUTHENTICATED, "Invalid Access Token");
    else if (now_us / 1000000 >= json_integer_value(json_object_get(claims, "exp")) + LEEWAY_S)
        err_set(err, ERR_UNAUTHENTICATED, "Access Token has expired");
    json_decref(claims);
    json_decref(header);
    return ok && !err->code ? ERR_OK : ERR_UNAUTHENTICATED;
}
