#include "gateway/http/websocket_key.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 16, SHA1_BYTES = 20 };

bool websocket_key_is_valid(const char *key)
{
    unsigned char bytes[KEY_BYTES + 2];
    size_t size = 0;
    return key && strlen(key) == 24 &&
           !sodium_base642bin(bytes, sizeof bytes, key, 24, NULL, &size, NULL,
                              sodium_base64_VARIANT_ORIGINAL) &&
           size == KEY_BYTES;
}

void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_SIZE])
{
    char text[100];
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int length = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (!EVP_Digest(text, (size_t)length, hash, &size, EVP_sha1(), NULL) || size != SHA1_BYTES)
        abort();
    sodium_bin2base64(out, WEBSOCKET_ACCEPT_SIZE, hash, SHA1_BYTES, sodium_base64_VARIANT_ORIGINAL);
}
