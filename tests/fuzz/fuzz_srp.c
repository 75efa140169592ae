/* What a client of SRP sends. The first byte says which:
 *   'B'  the rest is a secret block: none that these keys did not seal may open
 *   else all of it is the client's public number, in hex */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/accounts/srp_secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void s_block(const char *text, size_t size)
{
    static srp_challenge_t challenge;
    static const srp_keys_t keys = {{1}, {2}, {3}};
    uint8_t *block;
    size_t block_size;
    if (srp_challenge_open(&keys, text, size, &challenge, &block, &block_size) || block)
        abort();
}

static void s_public(const char *hex, size_t size)
{
    uint8_t number[SRP_NUMBER_SIZE], again[SRP_NUMBER_SIZE];
    char text[SRP_HEX_SIZE];
    if (!srp_parse_public(hex, size, number))
        return;
    srp_print(number, text);
    if (*text == '0' || !srp_parse_public(text, strlen(text), again) ||
        memcmp(number, again, sizeof number) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0)
        abort();
    const char *text = (const char *)data;
    if (size > 0 && data[0] == 'B')
        s_block(text + 1, size - 1);
    else
        s_public(text, size);
    return 0;
}
