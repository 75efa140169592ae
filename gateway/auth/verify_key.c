#include "gateway/auth/verify_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    P256_BYTES = 32,
    ED25519_BYTES = 32,
    ED25519_SIGNATURE_BYTES = 64,
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    NUMBER_BYTES_MAX = RSA_BITS_MAX / 8,
};

typedef struct {
    const char *kty, *crv, *algorithm;
    EVP_PKEY *(*make)(const json_t *jwk);
    bool (*check)(EVP_PKEY *key, const void *, size_t, const uint8_t *, size_t);
} kind_t;

struct verify_key {
    const kind_t *kind;
    EVP_PKEY *key;
    char *kid;
    uint64_t print;
};

/* ---- making keys ---- */

/* The base64url member; its size in bytes, or 0. */
static size_t s_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t size)
{
    const json_t *member = json_object_get(jwk, name);
    size_t decoded = 0;
    if (!json_is_string(member) ||
        sodium_base642bin(out, size, json_string_value(member), json_string_length(member), NULL,
                          &decoded, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return 0;
    return decoded;
}

/* A public key of that type with these parameters, checked for being one; takes params. */
static EVP_PKEY *s_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
    bool ok = params && make && EVP_PKEY_fromdata_init(make) == 1 &&
              EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
              (check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL)) &&
              EVP_PKEY_public_check(check) == 1;
    if (!ok) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(make);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *s_make_p256(const json_t *jwk)
{
    uint8_t point[1 + 2 * P256_BYTES] = {0x04}; /* SEC 1: uncompressed */
    if (s_bytes(jwk, "x", point + 1, P256_BYTES) != P256_BYTES ||
        s_bytes(jwk, "y", point + 1 + P256_BYTES, P256_BYTES) != P256_BYTES)
        return NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1)
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = s_from_params("EC", params);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *s_make_rsa(const json_t *jwk)
{
    uint8_t n_bytes[NUMBER_BYTES_MAX], e_bytes[8];
    size_t n_size = s_bytes(jwk, "n", n_bytes, sizeof n_bytes);
    size_t e_size = s_bytes(jwk, "e", e_bytes, sizeof e_bytes);
    if (n_size == 0 || e_size == 0)
        return NULL;
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_size, NULL);
    BIGNUM *e = BN_bin2bn(e_bytes, (int)e_size, NULL);
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (n && e && builder && BN_num_bits(n) >= RSA_BITS_MIN && BN_is_odd(e) && !BN_is_one(e) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = s_from_params("RSA", params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *s_make_ed25519(const json_t *jwk)
{
    uint8_t x[ED25519_BYTES];
    if (s_bytes(jwk, "x", x, sizeof x) != sizeof x)
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, sizeof x);
}

/* ---- checking signatures ---- */

static bool s_check_der(EVP_PKEY *key,
                        const EVP_MD *digest,
                        const void *data,
                        size_t data_size,
                        const uint8_t *signature,
                        size_t signature_size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
              EVP_DigestVerify(context, signature, signature_size, data, data_size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

/* RFC 7518 3.4: r and s, 32 bytes each; OpenSSL wants them as DER. */
static bool s_check_es256(
    EVP_PKEY *key, const void *data, size_t data_size, const uint8_t *signature, size_t size)
{
    if (size != 2 * P256_BYTES)
        return false;
    uint8_t *der = NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(signature + P256_BYTES, P256_BYTES, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1)
        abort(); /* out of memory */
    int der_size = i2d_ECDSA_SIG(pair, &der);
    bool ok =
        der_size > 0 && s_check_der(key, EVP_sha256(), data, data_size, der, (size_t)der_size);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return ok;
}

static bool s_check_rs256(
    EVP_PKEY *key, const void *data, size_t data_size, const uint8_t *signature, size_t size)
{
    return size == (size_t)EVP_PKEY_get_size(key) &&
           s_check_der(key, EVP_sha256(), data, data_size, signature, size);
}

/* RFC 7518 3.5: MGF1 with the same hash, a salt as long as the hash. */
static bool s_check_ps256(
    EVP_PKEY *key, const void *data, size_t data_size, const uint8_t *signature, size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool ok = context && size == (size_t)EVP_PKEY_get_size(key) &&
              EVP_DigestVerifyInit(context, &parameters, EVP_sha256(), NULL, key) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1 &&
              EVP_DigestVerify(context, signature, size, data, data_size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

static bool s_check_eddsa(
    EVP_PKEY *key, const void *data, size_t data_size, const uint8_t *signature, size_t size)
{
    return size == ED25519_SIGNATURE_BYTES &&
           s_check_der(key, NULL, data, data_size, signature, size);
}

/* ---- the class ---- */

static const kind_t s_kinds[] = {
    {"EC", "P-256", "ES256", s_make_p256, s_check_es256},
    {"RSA", NULL, "RS256", s_make_rsa, s_check_rs256},
    {"RSA", NULL, "PS256", s_make_rsa, s_check_ps256},
    {"OKP", "Ed25519", "EdDSA", s_make_ed25519, s_check_eddsa},
};

/* Is the member absent, or this text? */
static bool s_may_be(const json_t *jwk, const char *name, const char *text)
{
    const json_t *member = json_object_get(jwk, name);
    return !member || (json_is_string(member) && strcmp(json_string_value(member), text) == 0);
}

static const kind_t *s_kind(const json_t *jwk)
{
    for (size_t i = 0; i < sizeof s_kinds / sizeof s_kinds[0]; i++) {
        const kind_t *kind = &s_kinds[i];
        const char *kty = json_string_value(json_object_get(jwk, "kty"));
        const char *crv = json_string_value(json_object_get(jwk, "crv"));
        if (kty && strcmp(kty, kind->kty) == 0 &&
            (!kind->crv || (crv && strcmp(crv, kind->crv) == 0)) &&
            s_may_be(jwk, "alg", kind->algorithm) && s_may_be(jwk, "use", "sig"))
            return kind;
    }
    return NULL;
}

/* Of everything that the JWK says. */
static uint64_t s_print(const json_t *jwk)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    uint64_t print;
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        abort();
    crypto_generichash(hash, sizeof hash, (const uint8_t *)text, strlen(text), NULL, 0);
    memcpy(&print, hash, sizeof print);
    free(text);
    return print | 1;
}

err_code_t verify_key_from_jwk(const json_t *jwk, verify_key_t **key_p, err_t *err)
{
    *key_p = NULL;
    if (!json_is_object(jwk))
        return err_set(err, ERR_CONFIG, "a key is no JSON object");
    if (json_object_get(jwk, "d") || json_object_get(jwk, "k"))
        return err_set(err, ERR_CONFIG, "a key holds its secret part");
    const kind_t *kind = s_kind(jwk);
    if (!kind)
        return ERR_OK;
    const json_t *kid = json_object_get(jwk, "kid");
    if (!json_is_string(kid) || json_string_length(kid) == 0 ||
        json_string_length(kid) > VERIFY_KEY_KID_MAX)
        return err_set(err, ERR_CONFIG, "a key has no kid of 1 to %d bytes",
                       (int)VERIFY_KEY_KID_MAX);
    EVP_PKEY *key = kind->make(jwk);
    if (!key) {
        ERR_clear_error();
        return err_set(err, ERR_CONFIG, "key %.64s is no valid public key for %s",
                       json_string_value(kid), kind->algorithm);
    }
    verify_key_t *self = calloc(1, sizeof *self);
    if (!self || !(self->kid = strdup(json_string_value(kid))))
        abort();
    self->kind = kind;
    self->key = key;
    self->print = s_print(jwk);
    *key_p = self;
    return ERR_OK;
}

void verify_key_destroy(verify_key_t **self_p)
{
    verify_key_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    EVP_PKEY_free(self->key);
    free(self->kid);
    free(self);
}

const char *verify_key_kid(const verify_key_t *self)
{
    return self->kid;
}

const char *verify_key_algorithm(const verify_key_t *self)
{
    return self->kind->algorithm;
}

uint64_t verify_key_print(const verify_key_t *self)
{
    return self->print;
}

bool verify_key_check(const verify_key_t *self,
                      const void *data,
                      size_t data_size,
                      const uint8_t *signature,
                      size_t signature_size)
{
    return self->kind->check(self->key, data, data_size, signature, signature_size);
}
