#include "common/uuid.h"

#include <sodium.h>
#include <string.h>

#include "common/hex.h"

enum { UUID_TIME = 6, UUID_RANDOM = 10 }; /* bytes */

/* Random bytes for one id, of many that the kernel gave at once: a call of its own for each would
 * cost more than all else that an id is made for. */
static void s_random(uint8_t out[UUID_RANDOM])
{
    enum { IDS = 64 };
    static _Thread_local uint8_t t_bytes[IDS][UUID_RANDOM];
    static _Thread_local size_t t_left;
    if (t_left == 0) {
        randombytes_buf(t_bytes, sizeof t_bytes);
        t_left = IDS;
    }
    memcpy(out, t_bytes[--t_left], UUID_RANDOM);
}

parley_uuid_t uuid_v7(int64_t unix_ms)
{
    parley_uuid_t uuid;
    s_random(uuid.bytes + UUID_TIME);
    for (int i = 0; i < UUID_TIME; i++)
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
