#include "common/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void buffer_free(buffer_t *self)
{
    free(self->data);
    self->data = NULL;
    self->size = self->capacity = 0;
    self->failed = false;
}

void buffer_clear(buffer_t *self)
{
    self->size = 0;
    self->failed = false;
}

char *buffer_reserve(buffer_t *self, size_t extra)
{
    if (self->failed)
        return NULL; /* a later, shorter piece must not follow a hole */
    if (self->capacity - self->size >= extra && self->data != NULL)
        return self->data + self->size;
    if (extra > self->limit || self->size > self->limit - extra) {
        self->failed = true;
        return NULL;
    }
    size_t capacity = self->capacity > 0 ? self->capacity : FIRST_CAPACITY;
    while (capacity < self->size + extra)
        capacity = capacity > self->limit / 2 ? self->limit : capacity * 2;
    char *data = realloc(self->data, capacity);
    if (data == NULL) {
        self->failed = true;
        return NULL;
    }
    self->data = data;
    self->capacity = capacity;
    return data + self->size;
}

void buffer_put(buffer_t *self, const void *data, size_t size)
{
    char *at = buffer_reserve(self, size);
    if (at == NULL || size == 0)
        return;
    memcpy(at, data, size);
    self->size += size;
}

void buffer_put_char(buffer_t *self, char c)
{
    char *at = buffer_reserve(self, 1);
    if (at == NULL)
        return;
    *at = c;
    self->size++;
}

void buffer_put_str(buffer_t *self, const char *string)
{
    buffer_put(self, string, strlen(string));
}

void buffer_put_uint(buffer_t *self, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buffer_put(self, digits + at, sizeof digits - at);
}

void buffer_put_int(buffer_t *self, int64_t value)
{
    if (value < 0)
        buffer_put_char(self, '-');
    buffer_put_uint(self, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buffer_printf(buffer_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = size < 0 ? NULL : buffer_reserve(self, (size_t)size + 1); /* vsnprintf adds a NUL */
    if (at == NULL)
        return;
    va_start(args, format);
    vsnprintf(at, (size_t)size + 1, format, args);
    va_end(args);
    self->size += (size_t)size;
}

/* 0: goes out as it is; 1: needs more than the table; else the letter behind the backslash. */
static const char s_escape[256] = {
    [0x00] = 1, 1, 1, 1, 1, 1, 1, 1, 'b', 't', 'n', 1, 'f', 'r', 1, 1,           [0x10] = 1,
    1,          1, 1, 1, 1, 1, 1, 1, 1,   1,   1,   1, 1,   1,   1, ['"'] = '"', ['\\'] = '\\',
    [0xE2] = 1,
};

/* Appends what byte at[0] (whose table entry is not 0) becomes; returns how many bytes of input
 * that took. */
static size_t s_put_escaped(buffer_t *self, const unsigned char *at, size_t left)
{
    static const char hex[] = "0123456789abcdef";
    char letter = s_escape[at[0]];
    if (letter != 1) {
        buffer_put(self, (char[]){'\\', letter}, 2);
        return 1;
    }
    if (at[0] < 0x20) {
        buffer_put(self, (char[]){'\\', 'u', '0', '0', hex[at[0] >> 4], hex[at[0] & 15]}, 6);
        return 1;
    }
    /* U+2028 and U+2029 are E2 80 A8 and E2 80 A9: legal in JSON, but line ends in older
     * JavaScript. */
    if (left >= 3 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9)) {
        buffer_put_str(self, at[2] == 0xA8 ? "\\u2028" : "\\u2029");
        return 3;
    }
    buffer_put(self, at, 1);
    return 1;
}

void buffer_put_json_string(buffer_t *self, const char *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    buffer_put_char(self, '"');
    while (at < end) {
        const unsigned char *run = at;
        while (at < end && s_escape[*at] == 0)
            at++;
        buffer_put(self, run, (size_t)(at - run));
        if (at < end)
            at += s_put_escaped(self, at, (size_t)(end - at));
    }
    buffer_put_char(self, '"');
}

void buffer_consume(buffer_t *self, size_t size)
{
    if (size >= self->size) {
        self->size = 0;
        return;
    }
    memmove(self->data, self->data + size, self->size - size);
    self->size -= size;
}

char *buffer_take(buffer_t *self, size_t *size)
{
    char *data = self->data;
    *size = self->size;
    self->data = NULL;
    self->size = self->capacity = 0;
    return data;
}
