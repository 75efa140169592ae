#include "common/uuid.h"

#include <sodium.h>

#include "common/hex.h"

parley_uuid_t uuid_v7(int64_t unix_ms)
{
    parley_uuid_t uuid;
    randombytes_buf(uuid.bytes, sizeof uuid.bytes);
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0F));
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3F));
    return uuid;
}

static bool s_is_dash(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool uuid_parse_text(const char *text, size_t size, parley_uuid_t *uuid)
{
    if (size != UUID_TEXT_SIZE - 1)
        return false;
    size_t byte = 0;
    for (size_t i = 0; i < size; i++) {
        if (s_is_dash(i)) {
            if (text[i] != '-')
                return false;
            continue;
        }
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid->bytes[byte++] = (uint8_t)(high << 4 | low);
        i++;
    }
    return true;
}

void uuid_print(const parley_uuid_t *uuid, char out[UUID_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof uuid->bytes; i++) {
        if (s_is_dash(at))
            out[at++] = '-';
        out[at++] = hex[uuid->bytes[i] >> 4];
        out[at++] = hex[uuid->bytes[i] & 15];
    }
    out[at] = '\0';
}
