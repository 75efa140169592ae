#include "store/accounts/srp.h"

#include <openssl/bn.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { GENERATOR = 2, PADDED_SIZE = SRP_NUMBER_SIZE + 1, HASH_SIZE = crypto_hash_sha256_BYTES };

_Static_assert((int)SRP_SIGNATURE_SIZE == (int)crypto_auth_hmacsha256_BYTES, "an HMAC-SHA-256");

/* A number in the bytes that are hashed. */
typedef struct {
    uint8_t bytes[PADDED_SIZE];
    size_t size;
} padded_t;

/* What one computation needs. OpenSSL fails only without memory. */
typedef struct {
    BN_CTX *scratch;
    BN_MONT_CTX *mont;
    BIGNUM *prime, *multiplier;
} group_t;

static void s_must(int ok)
{
    if (!ok)
        abort();
}

static BIGNUM *s_number(const void *bytes, size_t size)
{
    BIGNUM *number = BN_bin2bn(bytes, (int)size, NULL);
    s_must(number != NULL);
    return number;
}

/* A number that timing must not tell. */
static BIGNUM *s_secret(const void *bytes, size_t size)
{
    BIGNUM *number = s_number(bytes, size);
    BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

static BIGNUM *s_new(void)
{
    BIGNUM *number = BN_new();
    s_must(number != NULL);
    return number;
}

static void s_store(const BIGNUM *number, uint8_t out[SRP_NUMBER_SIZE])
{
    s_must(BN_bn2binpad(number, out, SRP_NUMBER_SIZE) == SRP_NUMBER_SIZE);
}

/* Java's BigInteger.toByteArray of a number that is not negative. */
static void s_pad(const BIGNUM *number, padded_t *out)
{
    int size = BN_num_bytes(number);
    int lead = BN_num_bits(number) % 8 == 0; /* the highest bit is set, or the number is 0 */
    out->bytes[0] = 0;
    out->size = (size_t)(size + lead);
    BN_bn2bin(number, out->bytes + lead);
}

static void s_group_open(group_t *self)
{
    uint8_t hash[HASH_SIZE], generator = GENERATOR;
    padded_t prime;
    self->scratch = BN_CTX_new();
    self->mont = BN_MONT_CTX_new();
    self->prime = BN_get_rfc3526_prime_3072(NULL);
    s_must(self->scratch && self->mont && self->prime &&
           BN_MONT_CTX_set(self->mont, self->prime, self->scratch));
    s_pad(self->prime, &prime);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, prime.bytes, prime.size);
    crypto_hash_sha256_update(&state, &generator, 1);
    crypto_hash_sha256_final(&state, hash);
    self->multiplier = s_number(hash, sizeof hash);
}

static void s_group_close(group_t *self)
{
    BN_free(self->multiplier);
    BN_free(self->prime);
    BN_MONT_CTX_free(self->mont);
    BN_CTX_free(self->scratch);
}

/* base^exponent; in constant time if the exponent is a secret. */
static BIGNUM *s_power(group_t *group, const BIGNUM *base, const BIGNUM *exponent)
{
    BIGNUM *result = s_new();
    s_must(BN_mod_exp_mont(result, base, exponent, group->prime, group->scratch, group->mont));
    return result;
}

static BIGNUM *s_generator_power(group_t *group, const BIGNUM *exponent)
{
    BIGNUM *generator = s_new();
    s_must(BN_set_word(generator, GENERATOR));
    BIGNUM *result = s_power(group, generator, exponent);
    BN_free(generator);
    return result;
}

/* SHA-256(salt ‖ SHA-256(pool ‖ user ‖ ":" ‖ password)). */
static BIGNUM *s_private_key(const srp_name_t *name,
                             const char *password,
                             size_t size,
                             const uint8_t salt[SRP_SALT_SIZE])
{
    uint8_t hash[HASH_SIZE];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)name->pool, strlen(name->pool));
    crypto_hash_sha256_update(&state, (const uint8_t *)name->user, strlen(name->user));
    crypto_hash_sha256_update(&state, (const uint8_t *)":", 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)password, size);
    crypto_hash_sha256_final(&state, hash);
    BIGNUM *number = s_number(salt, SRP_SALT_SIZE);
    padded_t padded;
    s_pad(number, &padded);
    BN_free(number);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, padded.bytes, padded.size);
    crypto_hash_sha256_update(&state, hash, sizeof hash);
    crypto_hash_sha256_final(&state, hash);
    BIGNUM *x = s_secret(hash, sizeof hash);
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(&state, sizeof state);
    return x;
}

void srp_verifier(const srp_name_t *name,
                  const char *password,
                  size_t size,
                  const uint8_t salt[SRP_SALT_SIZE],
                  uint8_t verifier[SRP_NUMBER_SIZE])
{
    group_t group;
    s_group_open(&group);
    BIGNUM *x = s_private_key(name, password, size, salt);
    BIGNUM *v = s_generator_power(&group, x);
    s_store(v, verifier);
    BN_clear_free(v);
    BN_clear_free(x);
    s_group_close(&group);
}

/* B of a verifier and a secret as numbers. */
static BIGNUM *s_server_public(group_t *group, const BIGNUM *verifier, const BIGNUM *secret)
{
    BIGNUM *power = s_generator_power(group, secret);
    BIGNUM *masked = s_new();
    s_must(BN_mod_mul(masked, group->multiplier, verifier, group->prime, group->scratch) &&
           BN_mod_add(masked, masked, power, group->prime, group->scratch));
    BN_clear_free(power);
    return masked;
}

void srp_server_public(const uint8_t verifier[SRP_NUMBER_SIZE],
                       const uint8_t secret[SRP_SECRET_SIZE],
                       uint8_t server_public[SRP_NUMBER_SIZE])
{
    group_t group;
    s_group_open(&group);
    BIGNUM *v = s_secret(verifier, SRP_NUMBER_SIZE);
    BIGNUM *b = s_secret(secret, SRP_SECRET_SIZE);
    BIGNUM *result = s_server_public(&group, v, b);
    s_store(result, server_public);
    BN_free(result);
    BN_clear_free(b);
    BN_clear_free(v);
    s_group_close(&group);
}

bool srp_parse_public(const char *hex, size_t size, uint8_t client_public[SRP_NUMBER_SIZE])
{
    while (size > 0 && *hex == '0') {
        hex++;
        size--;
    }
    if (size == 0 || size >= SRP_HEX_SIZE)
        return false;
    char digits[SRP_HEX_SIZE];
    memset(digits, '0', sizeof digits - 1);
    memcpy(digits + sizeof digits - 1 - size, hex, size);
    digits[sizeof digits - 1] = '\0';
    size_t decoded = 0;
    if (sodium_hex2bin(client_public, SRP_NUMBER_SIZE, digits, sizeof digits - 1, NULL, &decoded,
                       NULL) != 0 ||
        decoded != SRP_NUMBER_SIZE)
        return false;
    BIGNUM *prime = BN_get_rfc3526_prime_3072(NULL);
    s_must(prime != NULL);
    BIGNUM *number = s_number(client_public, SRP_NUMBER_SIZE);
    bool is_below = BN_cmp(number, prime) < 0;
    BN_free(number);
    BN_free(prime);
    return is_below;
}

/* u = SHA-256(A ‖ B). */
static BIGNUM *s_scrambler(const BIGNUM *client_public, const BIGNUM *server_public)
{
    uint8_t hash[HASH_SIZE];
    padded_t padded;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    s_pad(client_public, &padded);
    crypto_hash_sha256_update(&state, padded.bytes, padded.size);
    s_pad(server_public, &padded);
    crypto_hash_sha256_update(&state, padded.bytes, padded.size);
    crypto_hash_sha256_final(&state, hash);
    return s_number(hash, sizeof hash);
}

static void s_hmac(const void *key, size_t key_size, const void *data, size_t size, uint8_t *out)
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, data, size);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

/* RFC 5869, one block of output. */
static void s_derive_key(const BIGNUM *premaster, const BIGNUM *scrambler, uint8_t *key)
{
    static const char info[] = "Caldera Derived Key\x01";
    uint8_t extracted[HASH_SIZE], expanded[HASH_SIZE];
    padded_t material, salt;
    s_pad(premaster, &material);
    s_pad(scrambler, &salt);
    s_hmac(salt.bytes, salt.size, material.bytes, material.size, extracted);
    s_hmac(extracted, sizeof extracted, info, sizeof info - 1, expanded);
    memcpy(key, expanded, SRP_KEY_SIZE);
    sodium_memzero(&material, sizeof material);
    sodium_memzero(extracted, sizeof extracted);
    sodium_memzero(expanded, sizeof expanded);
}

bool srp_server_key(const uint8_t verifier[SRP_NUMBER_SIZE],
                    const uint8_t secret[SRP_SECRET_SIZE],
                    const uint8_t client_public[SRP_NUMBER_SIZE],
                    uint8_t key[SRP_KEY_SIZE])
{
    group_t group;
    s_group_open(&group);
    BIGNUM *v = s_secret(verifier, SRP_NUMBER_SIZE);
    BIGNUM *b = s_secret(secret, SRP_SECRET_SIZE);
    BIGNUM *a_public = s_number(client_public, SRP_NUMBER_SIZE);
    BIGNUM *b_public = s_server_public(&group, v, b);
    BIGNUM *u = s_scrambler(a_public, b_public);
    bool is_usable = !BN_is_zero(u);
    BIGNUM *base = s_power(&group, v, u);
    s_must(BN_mod_mul(base, base, a_public, group.prime, group.scratch));
    BIGNUM *premaster = s_power(&group, base, b);
    if (is_usable)
        s_derive_key(premaster, u, key);
    BN_clear_free(premaster);
    BN_clear_free(base);
    BN_free(u);
    BN_free(b_public);
    BN_free(a_public);
    BN_clear_free(b);
    BN_clear_free(v);
    s_group_close(&group);
    return is_usable;
}

void srp_signature(const uint8_t key[SRP_KEY_SIZE],
                   const srp_name_t *name,
                   const uint8_t *block,
                   size_t block_size,
                   const char *timestamp,
                   size_t timestamp_size,
                   uint8_t signature[SRP_SIGNATURE_SIZE])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, SRP_KEY_SIZE);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)name->pool, strlen(name->pool));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)name->user, strlen(name->user));
    crypto_auth_hmacsha256_update(&state, block, block_size);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)timestamp, timestamp_size);
    crypto_auth_hmacsha256_final(&state, signature);
    sodium_memzero(&state, sizeof state);
}

void srp_print(const uint8_t number[SRP_NUMBER_SIZE], char out[SRP_HEX_SIZE])
{
    sodium_bin2hex(out, SRP_HEX_SIZE, number, SRP_NUMBER_SIZE);
    size_t zeros = strspn(out, "0");
    if (zeros == SRP_HEX_SIZE - 1)
        zeros--;
    memmove(out, out + zeros, SRP_HEX_SIZE - zeros);
}
