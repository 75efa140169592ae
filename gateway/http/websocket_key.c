#include "gateway/http/websocket_key.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 24, SHA1_BYTES = 20 };

bool websocket_key_is_valid(const char *key)
{
    enum { DIGITS = 22 }; /* of 6 bits; the last 4 bits are of no byte */
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!key || strlen(key) != KEY_SIZE || strspn(key, digits) != DIGITS)
        return false;
    return strchr("AQgw", key[DIGITS - 1]) && !strcmp(key + DIGITS, "==");
}

/* What it needs is fetched once: OpenSSL would look the algorithm up by name, under locks, at each
 * handshake. */
static void s_sha1(const char *text, size_t size, unsigned char hash[SHA1_BYTES])
{
    static EVP_MD *sha1;
    static EVP_MD_CTX *context;
    if (!sha1) {
        sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
        context = EVP_MD_CTX_new();
    }
    if (!sha1 || !context || !EVP_DigestInit_ex2(context, sha1, NULL) ||
        !EVP_DigestUpdate(context, text, size) || !EVP_DigestFinal_ex(context, hash, NULL))
        abort();
}

void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_SIZE])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_SIZE + sizeof suffix];
    unsigned char hash[SHA1_BYTES];
    memcpy(text, key, KEY_SIZE);
    memcpy(text + KEY_SIZE, suffix, sizeof suffix);
    s_sha1(text, sizeof text - 1, hash);
    sodium_bin2base64(out, WEBSOCKET_ACCEPT_SIZE, hash, SHA1_BYTES, sodium_base64_VARIANT_ORIGINAL);
}
