#include "store/accounts/case_folding.h"

#include "store/accounts/case_folding_table.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* The index of the last range that begins at or before the code point, or count if none does. */
#define FIND(table, code_point, index)                                                             \
    do {                                                                                           \
        size_t low_ = 0, high_ = COUNT(table);                                                     \
        while (low_ < high_) {                                                                     \
            size_t middle_ = (low_ + high_) / 2;                                                   \
            if ((table)[middle_].first <= (code_point))                                            \
                low_ = middle_ + 1;                                                                \
            else                                                                                   \
                high_ = middle_;                                                                   \
        }                                                                                          \
        (index) = low_ ? low_ - 1 : COUNT(table);                                                  \
    } while (0)

uint32_t case_fold(uint32_t code_point)
{
    if (code_point < 0x80)
        return code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point;
    size_t i;
    FIND(s_folding, code_point, i);
    if (i == COUNT(s_folding) || code_point > s_folding[i].last ||
        (code_point - s_folding[i].first) % s_folding[i].step != 0)
        return code_point;
    return (uint32_t)((int32_t)code_point + s_folding[i].delta);
}

bool code_point_is_hidden(uint32_t code_point)
{
    size_t i;
    FIND(s_hidden, code_point, i);
    return i < COUNT(s_hidden) && code_point <= s_hidden[i].last;
}

bool code_point_is_mark(uint32_t code_point)
{
    size_t i;
    FIND(s_marks, code_point, i);
    return i < COUNT(s_marks) && code_point <= s_marks[i].last;
}

uint32_t utf8_next(const char **at, const char *end)
{
    const uint8_t *p = (const uint8_t *)*at;
    size_t left = (size_t)(end - *at);
    unsigned extra = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t code_point = extra == 0 ? p[0] : p[0] & (0x3Fu >> extra);
    size_t i = 1;
    for (; i <= extra && i < left; i++)
        code_point = code_point << 6 | (p[i] & 0x3Fu);
    *at += i;
    return code_point;
}

static char *s_put(char *out, uint32_t code_point)
{
    if (code_point < 0x80) {
        *out++ = (char)code_point;
    } else if (code_point < 0x800) {
        *out++ = (char)(0xC0 | code_point >> 6);
        *out++ = (char)(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        *out++ = (char)(0xE0 | code_point >> 12);
        *out++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code_point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code_point >> 18);
        *out++ = (char)(0x80 | (code_point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code_point & 0x3F));
    }
    return out;
}

size_t case_fold_bound(size_t size)
{
    return size * 3 / 2 + 2; /* the worst: two bytes become three (U+023A → U+2C65) */
}

size_t case_fold_utf8(const char *text, size_t size, char *out)
{
    const char *at = text, *end = text + size;
    char *to = out;
    while (at < end)
        to = s_put(to, case_fold(utf8_next(&at, end)));
    *to = '\0';
    return (size_t)(to - out);
}
