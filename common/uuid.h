/* common/uuid.h: UUIDs (RFC 9562). Any thread. */
#ifndef PARLEY_COMMON_UUID_H
#define PARLEY_COMMON_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT_SIZE = 37 };

typedef struct {
    uint8_t bytes[16];
} parley_uuid_t;

/* Version 7: time-ordered, random below the millisecond. */
parley_uuid_t uuid_v7(int64_t unix_ms);
/* 8-4-4-4-12 hex digits of either case, any version; false if it is none. */
bool uuid_parse_text(const char *text, size_t size, parley_uuid_t *uuid);
/* Lower case and a NUL. */
void uuid_print(const parley_uuid_t *uuid, char out[UUID_TEXT_SIZE]);

#endif
