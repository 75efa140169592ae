/* common/utf8.h: where a text in UTF-8 may be cut. */
#ifndef PARLEY_COMMON_UTF8_H
#define PARLEY_COMMON_UTF8_H

#include <stddef.h>

/* The most bytes, at most size, that do not end within a character. text[size] is looked at. */
static inline size_t utf8_cut(const char *text, size_t size)
{
    while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

#endif
