#include "store/like.h"

void like_pattern(buffer_t *out, const char *text, size_t size)
{
    buffer_put_char(out, '%');
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '%' || text[i] == '_' || text[i] == '\\')
            buffer_put_char(out, '\\');
        buffer_put_char(out, text[i]);
    }
    buffer_put_str(out, "%");
    buffer_put_char(out, '\0');
}
