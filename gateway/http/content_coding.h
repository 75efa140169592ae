/* gateway/http/content_coding.h: bodies that come compressed (RFC 9110 8.4). No state; any thread.
 */
#ifndef PARLEY_GATEWAY_HTTP_CONTENT_CODING_H
#define PARLEY_GATEWAY_HTTP_CONTENT_CODING_H

#include <stddef.h>

#include "common/buffer.h"
#include "common/err.h"

typedef enum {
    CONTENT_IDENTITY,
    CONTENT_GZIP,
    CONTENT_CODING_UNKNOWN, /* another one, or several */
} content_coding_t;

/* What Content-Encoding names; NULL (the header is absent) is identity. */
content_coding_t content_coding_read(const char *content_encoding);

/* Appends what size bytes of gzip (RFC 1952, one member or several) inflate to; out->limit bounds
 * it, and no more than that is ever inflated. ERR_PAYLOAD_TOO_LARGE if it would be more;
 * ERR_BAD_USER_INPUT if the bytes are broken, cut off, or followed by others. */
err_code_t content_gunzip(const void *data, size_t size, buffer_t *out, err_t *err);

#endif
