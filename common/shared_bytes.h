/* common/shared_bytes.h: immutable bytes that many connections send. Counted; loop thread only. */
#ifndef PARLEY_COMMON_SHARED_BYTES_H
#define PARLEY_COMMON_SHARED_BYTES_H

#include <stddef.h>

typedef struct shared_bytes shared_bytes_t;

/* Copies size bytes; the caller holds the one reference. Aborts if out of memory (sizes were
 * bounded before). */
shared_bytes_t *shared_bytes_dup(const void *data, size_t size);

/* One more reference; returns self. */
shared_bytes_t *shared_bytes_ref(shared_bytes_t *self);

/* Gives one reference back and leaves NULL; the last one frees. Accepts NULL in *self_p. */
void shared_bytes_unref(shared_bytes_t **self_p);

const char *shared_bytes_data(const shared_bytes_t *self);
size_t shared_bytes_size(const shared_bytes_t *self);

#endif
