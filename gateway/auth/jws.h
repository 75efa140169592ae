/* gateway/auth/jws.h: the codec of tokens: JWS in compact form (RFC 7515 3.1, 7.1) whose payload is
 * a JSON object (RFC 7519). Bytes in, parts out; it trusts nothing and verifies nothing. Any
 * thread. */
#ifndef PARLEY_GATEWAY_AUTH_JWS_H
#define PARLEY_GATEWAY_AUTH_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "gateway/auth/verify_key.h"

enum { JWS_MAX = 8192 };

typedef struct {
    json_t *header;          /* an object */
    json_t *claims;          /* an object; what it says is only claimed */
    const char *algorithm;   /* of the header; lives as long as header */
    const char *kid;         /* of the header, as above */
    const char *signed_text; /* borrowed from the text: header, dot, payload */
    size_t signed_size;
    uint8_t signature[VERIFY_SIGNATURE_MAX];
    size_t signature_size;
} jws_t;

/* Takes size bytes of anything apart. ERR_OK: give the parts back with jws_free. Else
 * ERR_UNAUTHENTICATED with a reason that echoes nothing, and there is nothing to free: no three
 * parts of strict base64url, no JSON objects (duplicate members are refused), no alg or kid, a
 * critical extension (crit, RFC 7515 4.1.11: none is understood), or another typ than JWT or
 * at+jwt. */
err_code_t jws_parse(jws_t *self, const char *text, size_t size, err_t *err);
void jws_free(jws_t *self);

#endif
