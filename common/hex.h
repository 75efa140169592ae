/* common/hex.h: hexadecimal digits. Pure; any thread. */
#ifndef PARLEY_COMMON_HEX_H
#define PARLEY_COMMON_HEX_H

/* The value of a digit of either case, or -1. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The value of four digits at `at`, which has `end - at` bytes, or -1. */
static inline int hex_digits4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

#endif
