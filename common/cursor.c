#include "common/cursor.h"

#include <sodium.h>
#include <string.h>

enum { CURSOR_BYTES = CURSOR_SEQ_OFFSET + 8, CURSOR_VERSION = 1, HASH_OFFSET = 9 };

err_code_t
cursor_base(cursor_base_t *base, const char *epoch, const char *stream, size_t stream_size)
{
    static const unsigned char zero_key[crypto_shorthash_KEYBYTES];
    size_t size = 0;
    base->bytes[0] = CURSOR_VERSION;
    if (strlen(epoch) != EPOCH_SIZE - 1 ||
        sodium_hex2bin(base->bytes + 1, 8, epoch, EPOCH_SIZE - 1, NULL, &size, NULL) != 0 ||
        size != 8)
        return ERR_PROTOCOL;
    crypto_shorthash(base->bytes + HASH_OFFSET, (const unsigned char *)stream, stream_size,
                     zero_key);
    return ERR_OK;
}

void cursor_print(const cursor_base_t *base, uint64_t seq, char out[CURSOR_SIZE])
{
    unsigned char bytes[CURSOR_BYTES];
    memcpy(bytes, base->bytes, sizeof base->bytes);
    for (int i = 0; i < 8; i++)
        bytes[CURSOR_SEQ_OFFSET + i] = (unsigned char)(seq >> (56 - 8 * i));
    sodium_bin2base64(out, CURSOR_SIZE, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

err_code_t
cursor_parse(const cursor_base_t *base, const char *text, size_t size, uint64_t *seq, err_t *err)
{
    unsigned char bytes[CURSOR_BYTES];
    size_t read = 0;
    if (size != CURSOR_SIZE - 1 ||
        sodium_base642bin(bytes, sizeof bytes, text, size, NULL, &read, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        read != sizeof bytes || bytes[0] != CURSOR_VERSION)
        return err_set(err, ERR_BAD_USER_INPUT, "not a cursor");
    if (memcmp(bytes + HASH_OFFSET, base->bytes + HASH_OFFSET, 8) != 0)
        return err_set(err, ERR_BAD_USER_INPUT, "a cursor of another stream");
    if (memcmp(bytes + 1, base->bytes + 1, 8) != 0)
        return err_set(err, ERR_CURSOR_EXPIRED, "the log was restored since this cursor was given");
    *seq = 0;
    for (int i = 0; i < 8; i++)
        *seq = *seq << 8 | bytes[CURSOR_SEQ_OFFSET + i];
    return ERR_OK;
}
