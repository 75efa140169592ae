/* store/like.h: a substring as a pattern of LIKE. Pure. */
#ifndef PARLEY_STORE_LIKE_H
#define PARLEY_STORE_LIKE_H

#include "common/buffer.h"

/* Appends %text% with %, _ and backslash of the text escaped, and a NUL. */
void like_pattern(buffer_t *out, const char *text, size_t size);

#endif
