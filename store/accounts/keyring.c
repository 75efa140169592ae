#include "store/accounts/keyring.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COORDINATE_SIZE = 32, COORDINATE_TEXT_SIZE = 44 };

/* An EC P-256 public key in the spelling of RFC 7518 6.2.1. */
typedef struct {
    char x[COORDINATE_TEXT_SIZE];
    char y[COORDINATE_TEXT_SIZE];
} public_point_t;

typedef struct {
    signing_key_t key;
    public_point_t point;
    char *pem;
} entry_t;

struct keyring {
    uint8_t seal[SUBKEY_SIZE];
    entry_t entries[KEYRING_MAX]; /* by falling generation */
    size_t count;
};

static void s_clear(entry_t *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].pem)
            sodium_memzero(entries[i].pem, strlen(entries[i].pem));
        free(entries[i].pem);
        entries[i].pem = NULL;
    }
}

keyring_t *keyring_new(const master_key_t *master)
{
    keyring_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    master_key_derive(master, SUBKEY_SIGNING_KEYS, self->seal);
    return self;
}

void keyring_destroy(keyring_t **self_p)
{
    keyring_t *self = *self_p;
    if (!self)
        return;
    s_clear(self->entries, self->count);
    sodium_memzero(self, sizeof *self);
    free(self);
    *self_p = NULL;
}

/* ---- keys and their names ---- */

static bool s_coordinate(EVP_PKEY *key, const char *name, char out[COORDINATE_TEXT_SIZE])
{
    BIGNUM *number = NULL;
    uint8_t bytes[COORDINATE_SIZE];
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
              BN_bn2binpad(number, bytes, sizeof bytes) == sizeof bytes;
    if (ok)
        sodium_bin2base64(out, COORDINATE_TEXT_SIZE, bytes, sizeof bytes,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    BN_free(number);
    return ok;
}

static bool s_public_point(EVP_PKEY *key, public_point_t *point)
{
    char group[32];
    size_t size = 0;
    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          &size) == 1 &&
           strcmp(group, "prime256v1") == 0 &&
           s_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, point->x) &&
           s_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, point->y);
}

/* RFC 7638 3: SHA-256 of the required members in the order of their names. */
static void s_thumbprint(const public_point_t *point, char kid[KID_SIZE])
{
    char text[160];
    uint8_t hash[crypto_hash_sha256_BYTES];
    int size =
        snprintf(text, sizeof text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                 point->x, point->y);
    crypto_hash_sha256(hash, (const uint8_t *)text, (unsigned long long)size);
    sodium_bin2base64(kid, KID_SIZE, hash, sizeof hash, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* The private key as PEM with a NUL; *size without it. NULL if OpenSSL cannot. */
static char *s_to_pem(EVP_PKEY *key, size_t *size)
{
    char *pem = NULL, *data = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long length = BIO_get_mem_data(bio, &data);
        pem = malloc((size_t)length + 1);
        if (!pem)
            abort();
        memcpy(pem, data, (size_t)length);
        pem[length] = '\0';
        *size = (size_t)length;
    }
    BIO_free(bio);
    return pem;
}

err_code_t keyring_generate(const keyring_t *self, new_signing_key_t *out, err_t *err)
{
    enum { HEAD = crypto_secretbox_NONCEBYTES, MAC = crypto_secretbox_MACBYTES };
    char *pem = NULL;
    size_t size = 0;
    public_point_t point;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key || !s_public_point(key, &point) || !(pem = s_to_pem(key, &size)) ||
        HEAD + MAC + size > sizeof out->sealed) {
        err_set(err, ERR_SYSTEM, "OpenSSL made no P-256 key");
    } else {
        s_thumbprint(&point, out->kid);
        out->alg = "ES256";
        out->sealed_size = HEAD + MAC + size;
        randombytes_buf(out->sealed, HEAD);
        crypto_secretbox_easy(out->sealed + HEAD, (const uint8_t *)pem, size, out->sealed,
                              self->seal);
    }
    if (pem)
        sodium_memzero(pem, size);
    free(pem);
    EVP_PKEY_free(key);
    return err->code;
}

/* ---- rows to keys ---- */

static char *s_unseal(const keyring_t *self, const keyring_row_t *row, err_t *err)
{
    enum { HEAD = crypto_secretbox_NONCEBYTES, MAC = crypto_secretbox_MACBYTES };
    if (row->sealed_size <= HEAD + MAC || row->sealed_size > SEALED_KEY_MAX) {
        err_set(err, ERR_SYSTEM, "signing key %.43s in the database is broken", row->kid);
        return NULL;
    }
    const uint8_t *sealed = row->sealed;
    size_t size = row->sealed_size - HEAD - MAC;
    char *pem = malloc(size + 1);
    if (!pem)
        abort();
    if (crypto_secretbox_open_easy((uint8_t *)pem, sealed + HEAD, row->sealed_size - HEAD, sealed,
                                   self->seal) != 0) {
        free(pem);
        err_set(err, ERR_CONFIG,
                "master.key does not open signing key %.43s of the database: it is the key of "
                "another system, or the database is",
                row->kid);
        return NULL;
    }
    pem[size] = '\0';
    return pem;
}

/* Fills in what follows from the private key, and checks that it is the one the row names. */
static bool s_adopt(entry_t *entry, const keyring_row_t *row)
{
    BIO *bio = BIO_new_mem_buf(entry->pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    bool ok = key && s_public_point(key, &entry->point);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (!ok)
        return false;
    s_thumbprint(&entry->point, entry->key.kid);
    entry->key.generation = row->generation;
    entry->key.pem = entry->pem;
    entry->key.signs_from_us = row->signs_from_us;
    entry->key.verifies_until_us = row->verifies_until_us;
    return strcmp(entry->key.kid, row->kid) == 0;
}

static int s_by_falling_generation(const void *a, const void *b)
{
    int32_t left = ((const entry_t *)a)->key.generation;
    int32_t right = ((const entry_t *)b)->key.generation;
    return (left < right) - (left > right);
}

err_code_t keyring_load(keyring_t *self, const keyring_row_t *rows, size_t count, err_t *err)
{
    entry_t entries[KEYRING_MAX] = {0};
    size_t taken = 0;
    if (count > KEYRING_MAX)
        return err_set(err, ERR_SYSTEM, "the database holds more than %d signing keys",
                       KEYRING_MAX);
    for (; taken < count && !err->code; taken++) {
        const keyring_row_t *row = &rows[taken];
        if (strcmp(row->alg, "ES256") != 0)
            err_set(err, ERR_SYSTEM, "signing key %.43s is for %.16s", row->kid, row->alg);
        else if ((entries[taken].pem = s_unseal(self, row, err)) && !s_adopt(&entries[taken], row))
            err_set(err, ERR_SYSTEM, "signing key %.43s in the database is another", row->kid);
    }
    if (err->code) {
        s_clear(entries, taken);
        return err->code;
    }
    qsort(entries, count, sizeof entries[0], s_by_falling_generation);
    s_clear(self->entries, self->count);
    memcpy(self->entries, entries, sizeof entries);
    self->count = count;
    return ERR_OK;
}

/* ---- use ---- */

static bool s_verifies(const signing_key_t *key, int64_t now_us)
{
    return key->verifies_until_us == 0 || key->verifies_until_us > now_us;
}

const signing_key_t *keyring_signer(const keyring_t *self, int64_t now_us)
{
    for (size_t i = 0; i < self->count; i++) {
        const signing_key_t *key = &self->entries[i].key;
        if (key->signs_from_us <= now_us && s_verifies(key, now_us))
            return key;
    }
    /* None is due only if the database's clock is ahead of ours: the oldest will be first. */
    const signing_key_t *oldest = self->count ? &self->entries[self->count - 1].key : NULL;
    return oldest && s_verifies(oldest, now_us) ? oldest : NULL;
}

const signing_key_t *keyring_find(const keyring_t *self, const char *kid, int64_t now_us)
{
    for (size_t i = 0; i < self->count; i++) {
        const signing_key_t *key = &self->entries[i].key;
        if (strcmp(key->kid, kid) == 0)
            return s_verifies(key, now_us) ? key : NULL;
    }
    return NULL;
}

json_t *keyring_jwks(const keyring_t *self, int64_t now_us)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < self->count; i++) {
        const entry_t *entry = &self->entries[i];
        if (s_verifies(&entry->key, now_us))
            json_array_append_new(keys, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty",
                                                  "EC", "crv", "P-256", "x", entry->point.x, "y",
                                                  entry->point.y, "kid", entry->key.kid, "use",
                                                  "sig", "alg", "ES256"));
    }
    return json_pack("{s:o}", "keys", keys);
}
