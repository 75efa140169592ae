#include "store/accounts/access_token.h"

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/uuid.h"

enum {
    ACCESS_TOKEN_MAX = 8192,
    DER_MAX = 80, /* of an ECDSA signature on P-256 */
    COORDINATE_SIZE = 32,
};

static void s_put_base64(buffer_t *out, const void *data, size_t size)
{
    size_t text_size =
        sodium_base64_encoded_len(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING); /* with NUL */
    char *text = buffer_reserve(out, text_size);
    if (!text)
        return;
    sodium_bin2base64(text, text_size, data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->size += text_size - 1;
}

/* Takes the value. */
static void s_put_json(buffer_t *out, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (!text)
        abort();
    s_put_base64(out, text, strlen(text));
    free(text);
    json_decref(value);
}

static json_t *s_claims(const access_token_spec_t *spec, int64_t iat_s, int64_t exp_s)
{
    char jti[UUID_TEXT_SIZE];
    parley_uuid_t id = uuid_v7(spec->now_us / 1000);
    uuid_print(&id, jti);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", spec->issuer,
                     "sub", spec->sub, "username", spec->username, "token_use", "access",
                     "client_id", spec->client_id, "session", spec->session, "jti", jti, "iat",
                     (json_int_t)iat_s, "exp", (json_int_t)exp_s, "auth_time",
                     (json_int_t)(spec->auth_time_us / 1000000));
}

/* r and s, 32 bytes each (RFC 7518 3.4). */
static bool s_raw(const uint8_t *der, size_t der_size, uint8_t raw[2 * COORDINATE_SIZE])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
    bool ok = pair &&
              BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, COORDINATE_SIZE) == COORDINATE_SIZE &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + COORDINATE_SIZE, COORDINATE_SIZE) ==
                  COORDINATE_SIZE;
    ECDSA_SIG_free(pair);
    return ok;
}

/* Appends the signature of all that is there. */
static bool s_sign(const signing_key_t *key, buffer_t *token)
{
    uint8_t der[DER_MAX], raw[2 * COORDINATE_SIZE];
    size_t der_size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context &&
              EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->private_key) == 1 &&
              EVP_DigestSign(context, der, &der_size, (uint8_t *)token->data, token->size) == 1 &&
              s_raw(der, der_size, raw);
    EVP_MD_CTX_free(context);
    if (!ok) {
        ERR_clear_error();
        return false;
    }
    buffer_put_char(token, '.');
    s_put_base64(token, raw, sizeof raw);
    return true;
}

char *access_token_issue(const signing_key_t *key,
                         const access_token_spec_t *spec,
                         int64_t *expires_at_us,
                         err_t *err)
{
    int64_t iat_s = spec->now_us / 1000000;
    int64_t exp_s = iat_s + ACCESS_TOKEN_LIFETIME_S;
    *expires_at_us = exp_s * 1000000;
    buffer_t token = BUFFER_INIT(ACCESS_TOKEN_MAX);
    s_put_json(&token, json_pack("{s:s, s:s, s:s}", "alg", "ES256", "typ", "JWT", "kid", key->kid));
    buffer_put_char(&token, '.');
    s_put_json(&token, s_claims(spec, iat_s, exp_s));
    bool ok = !token.failed && s_sign(key, &token);
    buffer_put_char(&token, '\0');
    if (ok && !token.failed)
        return buffer_take(&token, &(size_t){0});
    buffer_free(&token);
    err_set(err, ERR_INTERNAL, "the access token could not be signed");
    return NULL;
}
