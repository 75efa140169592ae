/* common/buffer.h: growing bytes with a ceiling. The owner embeds the struct; one thread.
 * A write that would pass the ceiling (or finds no memory) writes nothing and sets `failed`, which
 * stays set: write a whole message, then look once. */
#ifndef PARLEY_COMMON_BUFFER_H
#define PARLEY_COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *data; /* NULL while empty; not NUL-terminated */
    size_t size;
    size_t capacity;
    size_t limit; /* bytes, the ceiling */
    bool failed;
} buffer_t;

#define BUFFER_INIT(limit_bytes)                                                                   \
    {                                                                                              \
        .data = NULL, .size = 0, .capacity = 0, .limit = (limit_bytes), .failed = false            \
    }

/* Frees the bytes; the buffer may be used again. */
void buffer_free(buffer_t *self);

/* Forgets the content and the failure, keeps the memory. */
void buffer_clear(buffer_t *self);

/* Room for `extra` more bytes at data + size, or NULL (then failed is set). The caller writes and
 * adds to size. */
char *buffer_reserve(buffer_t *self, size_t extra);

void buffer_put(buffer_t *self, const void *data, size_t size);
void buffer_put_char(buffer_t *self, char c);
/* A NUL-terminated string without its NUL. */
void buffer_put_str(buffer_t *self, const char *string);
void buffer_put_int(buffer_t *self, int64_t value);
void buffer_put_uint(buffer_t *self, uint64_t value);
void buffer_printf(buffer_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* size bytes of UTF-8 as a JSON string with its quotes (RFC 8259 7): control characters, quote and
 * backslash are escaped, all else goes out as it is; U+2028 and U+2029 too. The caller vouches for
 * valid UTF-8. */
void buffer_put_json_string(buffer_t *self, const char *data, size_t size);

/* Removes the first size bytes. */
void buffer_consume(buffer_t *self, size_t size);

/* Gives the bytes to the caller (free with free()) and leaves the buffer empty. NULL when empty. */
char *buffer_take(buffer_t *self, size_t *size);

#endif
