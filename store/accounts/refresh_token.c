#include "store/accounts/refresh_token.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    SESSION_AT = 1,
    SECRET_AT = SESSION_AT + 16,
    TAG_AT = SECRET_AT + REFRESH_SECRET_SIZE,
    TOKEN_SIZE = TAG_AT + REFRESH_TAG_SIZE,
};

_Static_assert(REFRESH_TEXT_SIZE ==
                   sodium_base64_ENCODED_LEN(TOKEN_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
               "text of a token");
_Static_assert(REFRESH_SEALED_SIZE ==
                   crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + REFRESH_SECRET_SIZE,
               "a sealed successor");

void refresh_keys_derive(const master_key_t *master, refresh_keys_t *keys)
{
    master_key_derive(master, SUBKEY_REFRESH_TAG, keys->tag);
    master_key_derive(master, SUBKEY_REFRESH_SEAL, keys->seal);
}

void refresh_token_make(const parley_uuid_t *session, refresh_token_t *token)
{
    token->session = *session;
    randombytes_buf(token->secret, sizeof token->secret);
}

/* Everything but the tag, and the tag that belongs to it. */
static void s_tag(const refresh_keys_t *keys, const uint8_t *raw, uint8_t tag[REFRESH_TAG_SIZE])
{
    crypto_generichash(tag, REFRESH_TAG_SIZE, raw, TAG_AT, keys->tag, sizeof keys->tag);
}

void refresh_token_print(const refresh_keys_t *keys,
                         const refresh_token_t *token,
                         char out[REFRESH_TEXT_SIZE])
{
    uint8_t raw[TOKEN_SIZE];
    raw[0] = VERSION;
    memcpy(raw + SESSION_AT, token->session.bytes, 16);
    memcpy(raw + SECRET_AT, token->secret, REFRESH_SECRET_SIZE);
    s_tag(keys, raw, raw + TAG_AT);
    sodium_bin2base64(out, REFRESH_TEXT_SIZE, raw, sizeof raw,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof raw);
}

bool refresh_token_parse(const refresh_keys_t *keys,
                         const char *text,
                         size_t size,
                         refresh_token_t *token)
{
    uint8_t raw[TOKEN_SIZE], tag[REFRESH_TAG_SIZE];
    size_t decoded = 0;
    if (size != REFRESH_TEXT_SIZE - 1 ||
        sodium_base642bin(raw, sizeof raw, text, size, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        decoded != sizeof raw || raw[0] != VERSION)
        return false;
    s_tag(keys, raw, tag);
    bool is_ours = sodium_memcmp(tag, raw + TAG_AT, sizeof tag) == 0;
    memcpy(token->session.bytes, raw + SESSION_AT, 16);
    memcpy(token->secret, raw + SECRET_AT, REFRESH_SECRET_SIZE);
    sodium_memzero(raw, sizeof raw);
    return is_ours;
}

void refresh_token_hash(const refresh_token_t *token, uint8_t out[REFRESH_HASH_SIZE])
{
    uint8_t raw[16 + REFRESH_SECRET_SIZE];
    memcpy(raw, token->session.bytes, 16);
    memcpy(raw + 16, token->secret, REFRESH_SECRET_SIZE);
    crypto_generichash(out, REFRESH_HASH_SIZE, raw, sizeof raw, NULL, 0);
    sodium_memzero(raw, sizeof raw);
}

/* The key that only master.key and the token together give. */
static void s_seal_key(const refresh_keys_t *keys,
                       const refresh_token_t *token,
                       uint8_t key[crypto_secretbox_KEYBYTES])
{
    uint8_t raw[16 + REFRESH_SECRET_SIZE];
    memcpy(raw, token->session.bytes, 16);
    memcpy(raw + 16, token->secret, REFRESH_SECRET_SIZE);
    crypto_generichash(key, crypto_secretbox_KEYBYTES, raw, sizeof raw, keys->seal,
                       sizeof keys->seal);
    sodium_memzero(raw, sizeof raw);
}

void refresh_token_seal(const refresh_keys_t *keys,
                        const refresh_token_t *token,
                        const refresh_token_t *successor,
                        uint8_t out[REFRESH_SEALED_SIZE])
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    s_seal_key(keys, token, key);
    randombytes_buf(out, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, successor->secret, REFRESH_SECRET_SIZE,
                          out, key);
    sodium_memzero(key, sizeof key);
}

bool refresh_token_unseal(const refresh_keys_t *keys,
                          const refresh_token_t *token,
                          const void *sealed,
                          size_t size,
                          refresh_token_t *successor)
{
    if (size != REFRESH_SEALED_SIZE)
        return false;
    const uint8_t *bytes = sealed;
    uint8_t key[crypto_secretbox_KEYBYTES];
    s_seal_key(keys, token, key);
    successor->session = token->session;
    int failed = crypto_secretbox_open_easy(successor->secret, bytes + crypto_secretbox_NONCEBYTES,
                                            size - crypto_secretbox_NONCEBYTES, bytes, key);
    sodium_memzero(key, sizeof key);
    return failed == 0;
}
