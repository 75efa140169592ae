#include "common/address_key.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum { PREFIX_BYTES = 8 }; /* of an address of IPv6 */

uint64_t key_of(const void *data, size_t size)
{
    static unsigned char secret[crypto_shorthash_KEYBYTES];
    static bool made;
    if (!made) {
        randombytes_buf(secret, sizeof secret);
        made = true;
    }
    uint64_t key;
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, data, size, secret);
    memcpy(&key, hash, sizeof key);
    return key;
}

uint64_t address_key(const char *address)
{
    struct in6_addr v6;
    if (!address)
        address = "";
    if (strchr(address, ':') && inet_pton(AF_INET6, address, &v6) == 1)
        return key_of(&v6, PREFIX_BYTES);
    return key_of(address, strlen(address));
}
