#define ZLIB_CONST
#include "gateway/http/content_coding.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    CHUNK = 16 * 1024,
    GZIP_WINDOW = 15 + 16, /* zlib's way to ask for a gzip wrapper and nothing else */
};

static bool s_is(const char *text, size_t size, const char *name)
{
    return size == strlen(name) && !strncasecmp(text, name, size);
}

content_coding_t content_coding_read(const char *content_encoding)
{
    static const char blanks[] = ", \t";
    content_coding_t coding = CONTENT_IDENTITY;
    size_t size = 0;
    for (const char *at = content_encoding ? content_encoding : ""; *at; at += size) {
        at += strspn(at, blanks);
        size = strcspn(at, blanks);
        if (!size || s_is(at, size, "identity"))
            continue;
        if (coding != CONTENT_IDENTITY || !(s_is(at, size, "gzip") || s_is(at, size, "x-gzip")))
            return CONTENT_CODING_UNKNOWN;
        coding = CONTENT_GZIP;
    }
    return coding;
}

static int s_step(z_stream *stream, buffer_t *out)
{
    unsigned char chunk[CHUNK];
    stream->next_out = chunk;
    stream->avail_out = sizeof chunk;
    int code = inflate(stream, Z_NO_FLUSH);
    buffer_put(out, chunk, sizeof chunk - stream->avail_out);
    return code;
}

/* Member by member, to the end of the bytes. */
static err_code_t s_inflate(z_stream *stream, buffer_t *out, err_t *err)
{
    bool is_first = true;
    while (true) {
        int code = s_step(stream, out);
        if (out->failed)
            return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                           "the request body inflates to more than the limit of %zu bytes",
                           out->limit);
        if (code == Z_STREAM_END && !stream->avail_in)
            return ERR_OK;
        if (code == Z_STREAM_END) {
            is_first = false;
            inflateReset(stream);
        } else if (code == Z_BUF_ERROR) {
            return err_set(err, ERR_BAD_USER_INPUT, "the gzip body is cut off");
        } else if (code != Z_OK) {
            return err_set(err, ERR_BAD_USER_INPUT, "%s",
                           is_first ? "the gzip body is broken"
                                    : "the gzip body is broken, or something else follows it");
        }
    }
}

err_code_t content_gunzip(const void *data, size_t size, buffer_t *out, err_t *err)
{
    z_stream stream = {.next_in = data};
    if (size > UINT_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "the gzip body is too large");
    stream.avail_in = (uInt)size;
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        abort();
    err_code_t code = s_inflate(&stream, out, err);
    inflateEnd(&stream);
    return code;
}
