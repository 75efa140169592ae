#include "store/accounts/codes.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* What a keyed hash is for goes in front of what is hashed. */
enum { TAG_CODE, TAG_NOBODY, TAG_NOBODY_ID, TAG_DESTINATION };

err_code_t codes_init(codes_t *self, const master_key_t *master, const char *fixed, err_t *err)
{
    memset(self, 0, sizeof *self);
    master_key_derive(master, SUBKEY_CODES, self->key);
    if (!fixed)
        return ERR_OK;
    size_t size = 0;
    while (fixed[size] > ' ' && fixed[size] <= '~')
        size++;
    if (fixed[size] != '\0' || size > CODE_BYTES_MAX)
        return err_set(err, ERR_CONFIG,
                       "PARLEY_FIXED_CODE must have at most %d visible ASCII characters",
                       CODE_BYTES_MAX);
    memcpy(self->fixed, fixed, size);
    return ERR_OK;
}

const char *code_purpose_name(code_purpose_t purpose)
{
    static const char *const names[] = {"sign-up", "password", "email"};
    return names[purpose];
}

int code_lifetime_s(code_purpose_t purpose)
{
    return purpose == CODE_PASSWORD ? 3600 : 24 * 3600;
}

void code_make(const codes_t *self, char out[CODE_BYTES_MAX + 1])
{
    if (self->fixed[0])
        snprintf(out, CODE_BYTES_MAX + 1, "%s", self->fixed);
    else
        snprintf(out, CODE_BYTES_MAX + 1, "%06u", (unsigned)randombytes_uniform(1000000));
}

static void
s_hash(const codes_t *self, uint8_t tag, const void *data, size_t size, uint8_t out[CODE_HASH_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, self->key, sizeof self->key, CODE_HASH_SIZE);
    crypto_generichash_update(&state, &tag, 1);
    crypto_generichash_update(&state, data, size);
    crypto_generichash_final(&state, out, CODE_HASH_SIZE);
}

void code_hash(const codes_t *self,
               const parley_uuid_t *account,
               code_purpose_t purpose,
               const char *code,
               size_t size,
               uint8_t out[CODE_HASH_SIZE])
{
    const uint8_t head[] = {TAG_CODE, (uint8_t)purpose};
    crypto_generichash_state state;
    crypto_generichash_init(&state, self->key, sizeof self->key, CODE_HASH_SIZE);
    crypto_generichash_update(&state, head, sizeof head);
    crypto_generichash_update(&state, account->bytes, sizeof account->bytes);
    crypto_generichash_update(&state, (const uint8_t *)code, size);
    crypto_generichash_final(&state, out, CODE_HASH_SIZE);
}

parley_uuid_t code_nobody(const codes_t *self, const char *user)
{
    uint8_t hash[CODE_HASH_SIZE];
    parley_uuid_t id;
    s_hash(self, TAG_NOBODY, user, strlen(user), hash);
    s_hash(self, TAG_NOBODY_ID, hash, 1, hash);
    memcpy(id.bytes, hash, sizeof id.bytes);
    return id;
}

void code_destination(const codes_t *self,
                      const char *user,
                      const char *email,
                      char out[CODE_DESTINATION_SIZE])
{
    uint8_t hash[CODE_HASH_SIZE];
    const char *at = email ? strchr(email, '@') : NULL;
    s_hash(self, TAG_DESTINATION, user, strlen(user), hash);
    char local = (char)('a' + hash[0] % 26), domain = (char)('a' + hash[1] % 26);
    bool is_plain = at && (unsigned char)email[0] < 0x80 && (unsigned char)at[1] < 0x80;
    if (is_plain) { /* else the first byte is not the first letter */
        local = email[0];
        domain = at[1];
    }
    snprintf(out, CODE_DESTINATION_SIZE, "%c***@%c***", local, domain);
}
