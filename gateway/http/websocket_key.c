#include "gateway/http/websocket_key.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 24, SHA1_BYTES = 20 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool websocket_key_is_valid(const char *key)
{
    enum { DIGITS = 22 }; /* of 6 bits; the last 4 bits are of no byte */
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

/* Of a hash that is no secret: without the care that sodium_bin2base64 takes for time. */
static void s_print_base64(const unsigned char hash[SHA1_BYTES], char out[WEBSOCKET_ACCEPT_SIZE])
{
    for (size_t i = 0; i < SHA1_BYTES; i += 3, out += 4) {
        unsigned last = i + 2 < SHA1_BYTES ? hash[i + 2] : 0; /* 20 bytes leave one over */
        unsigned bits = (unsigned)hash[i] << 16 | (unsigned)hash[i + 1] << 8 | last;
        for (int digit = 0; digit < 4; digit++)
            out[digit] = digits[bits >> (18 - 6 * digit) & 63];
    }
    out[-1] = '=';
    out[0] = '\0';
}

void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_SIZE])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_SIZE + sizeof suffix];
    unsigned char hash[SHA1_BYTES];
    memcpy(text, key, KEY_SIZE);
    memcpy(text + KEY_SIZE, suffix, sizeof suffix);
    s_sha1(text, sizeof text - 1, hash);
    s_print_base64(hash, out);
}
