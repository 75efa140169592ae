#include "store/accounts/srp_secrets.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BLOCK_VERSION = 1,
    BLOCK_FIXED = 1 + 16 + 8 + SRP_SECRET_SIZE + SRP_NUMBER_SIZE, /* in front of the user */
    BLOCK_MAX = NONCE + TAG + BLOCK_FIXED + SRP_USER_MAX,
};

_Static_assert((int)SRP_SEALED_SIZE == NONCE + TAG + SRP_NUMBER_SIZE, "size of a sealed verifier");
_Static_assert((int)SRP_BLOCK_TEXT_MAX > BLOCK_MAX / 3 * 4 + 8, "a block's text");

void srp_keys_derive(const master_key_t *master, srp_keys_t *keys)
{
    master_key_derive(master, SUBKEY_SRP_SALT, keys->salt);
    master_key_derive(master, SUBKEY_SRP_VERIFIER, keys->seal);
    master_key_derive(master, SUBKEY_SRP_CHALLENGE, keys->block);
}

void srp_salt(const srp_keys_t *keys, const char *user, uint8_t salt[SRP_SALT_SIZE])
{
    crypto_generichash(salt, SRP_SALT_SIZE, (const uint8_t *)user, strlen(user), keys->salt,
                       sizeof keys->salt);
}

void srp_invent_verifier(const srp_keys_t *keys,
                         const char *user,
                         uint8_t verifier[SRP_NUMBER_SIZE])
{
    uint8_t seed[randombytes_SEEDBYTES];
    crypto_generichash(seed, sizeof seed, (const uint8_t *)user, strlen(user), keys->seal,
                       sizeof keys->seal);
    randombytes_buf_deterministic(verifier, SRP_NUMBER_SIZE, seed);
    verifier[0] &= 0x7f; /* below the prime, which begins with 64 bits that are set */
}

/* ---- sealing ---- */

/* nonce ‖ ciphertext and tag; out has NONCE + TAG + size bytes. */
static void s_seal(const uint8_t key[SUBKEY_SIZE],
                   const void *bound,
                   size_t bound_size,
                   const uint8_t *plain,
                   size_t size,
                   uint8_t *out)
{
    randombytes_buf(out, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, plain, size, bound, bound_size,
                                               NULL, out, key);
}

/* plain has size - NONCE - TAG bytes. */
static bool s_open(const uint8_t key[SUBKEY_SIZE],
                   const void *bound,
                   size_t bound_size,
                   const uint8_t *sealed,
                   size_t size,
                   uint8_t *plain)
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE,
                                                      size - NONCE, bound, bound_size, sealed,
                                                      key) == 0;
}

void srp_seal_verifier(const srp_keys_t *keys,
                       const parley_uuid_t *account,
                       const uint8_t verifier[SRP_NUMBER_SIZE],
                       uint8_t sealed[SRP_SEALED_SIZE])
{
    s_seal(keys->seal, account->bytes, sizeof account->bytes, verifier, SRP_NUMBER_SIZE, sealed);
}

bool srp_open_verifier(const srp_keys_t *keys,
                       const parley_uuid_t *account,
                       const void *sealed,
                       size_t size,
                       uint8_t verifier[SRP_NUMBER_SIZE])
{
    return size == SRP_SEALED_SIZE &&
           s_open(keys->seal, account->bytes, sizeof account->bytes, sealed, size, verifier);
}

/* ---- challenges ---- */

char *srp_challenge_seal(const srp_keys_t *keys, const srp_challenge_t *challenge)
{
    uint8_t plain[BLOCK_FIXED + SRP_USER_MAX], sealed[BLOCK_MAX], *at = plain;
    size_t user_size = strlen(challenge->user);
    *at++ = BLOCK_VERSION;
    memcpy(at, challenge->session.bytes, 16);
    at += 16;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint64_t)challenge->made_ms >> shift);
    memcpy(at, challenge->secret, SRP_SECRET_SIZE);
    at += SRP_SECRET_SIZE;
    memcpy(at, challenge->client_public, SRP_NUMBER_SIZE);
    memcpy(at + SRP_NUMBER_SIZE, challenge->user, user_size);
    size_t size = BLOCK_FIXED + user_size;
    s_seal(keys->block, NULL, 0, plain, size, sealed);
    sodium_memzero(plain, sizeof plain);
    size_t text_size =
        sodium_base64_ENCODED_LEN(NONCE + TAG + size, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(text_size);
    if (!text)
        abort();
    return sodium_bin2base64(text, text_size, sealed, NONCE + TAG + size,
                             sodium_base64_VARIANT_ORIGINAL);
}

static void s_read_plain(const uint8_t *plain, size_t size, srp_challenge_t *challenge)
{
    const uint8_t *at = plain + 1;
    uint64_t made_ms = 0;
    memcpy(challenge->session.bytes, at, 16);
    at += 16;
    for (int i = 0; i < 8; i++)
        made_ms = made_ms << 8 | *at++;
    challenge->made_ms = (int64_t)made_ms;
    memcpy(challenge->secret, at, SRP_SECRET_SIZE);
    at += SRP_SECRET_SIZE;
    memcpy(challenge->client_public, at, SRP_NUMBER_SIZE);
    memcpy(challenge->user, at + SRP_NUMBER_SIZE, size - BLOCK_FIXED);
    challenge->user[size - BLOCK_FIXED] = '\0';
}

bool srp_challenge_open(const srp_keys_t *keys,
                        const char *text,
                        size_t size,
                        srp_challenge_t *challenge,
                        uint8_t **block,
                        size_t *block_size)
{
    uint8_t plain[BLOCK_FIXED + SRP_USER_MAX];
    *block = NULL;
    if (size > SRP_BLOCK_TEXT_MAX)
        return false;
    uint8_t *bytes = malloc(BLOCK_MAX);
    if (!bytes)
        abort();
    bool ok = sodium_base642bin(bytes, BLOCK_MAX, text, size, NULL, block_size, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0 &&
              *block_size >= NONCE + TAG + BLOCK_FIXED &&
              s_open(keys->block, NULL, 0, bytes, *block_size, plain) && plain[0] == BLOCK_VERSION;
    if (ok) {
        s_read_plain(plain, *block_size - NONCE - TAG, challenge);
        *block = bytes;
    } else {
        free(bytes);
    }
    sodium_memzero(plain, sizeof plain);
    return ok;
}
