/* common/cursor.h: a place in a stream as an opaque string (proto/bus.md 8). Pure; any thread. */
#ifndef PARLEY_COMMON_CURSOR_H
#define PARLEY_COMMON_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { CURSOR_SIZE = 35, EPOCH_SIZE = 17, CURSOR_SEQ_OFFSET = 17 };

/* What is the same in all cursors of one stream. */
typedef struct {
    uint8_t bytes[CURSOR_SEQ_OFFSET]; /* version, epoch, hash of the stream */
} cursor_base_t;

/* epoch: 16 hex digits. stream: size bytes. ERR_PROTOCOL if epoch is none. */
err_code_t
cursor_base(cursor_base_t *base, const char *epoch, const char *stream, size_t stream_size);

/* 34 characters and a NUL. */
void cursor_print(const cursor_base_t *base, uint64_t seq, char out[CURSOR_SIZE]);

/* Reads text (size bytes) as a cursor of this stream and epoch. ERR_OK; ERR_BAD_USER_INPUT if it is
 * no cursor or one of another stream; ERR_CURSOR_EXPIRED if it is of another epoch. Whether seq is
 * still (or yet) there the caller finds out. */
err_code_t
cursor_parse(const cursor_base_t *base, const char *text, size_t size, uint64_t *seq, err_t *err);

#endif
