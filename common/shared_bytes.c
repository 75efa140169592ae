#include "common/shared_bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct shared_bytes {
    size_t count;
    size_t size;
    char data[];
};

shared_bytes_t *shared_bytes_dup(const void *data, size_t size)
{
    shared_bytes_t *self = malloc(sizeof *self + size);
    if (self == NULL)
        abort();
    self->count = 1;
    self->size = size;
    if (size > 0)
        memcpy(self->data, data, size);
    return self;
}

shared_bytes_t *shared_bytes_ref(shared_bytes_t *self)
{
    self->count++;
    return self;
}

void shared_bytes_unref(shared_bytes_t **self_p)
{
    shared_bytes_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL)
        return;
    assert(self->count > 0);
    if (--self->count == 0)
        free(self);
}

const char *shared_bytes_data(const shared_bytes_t *self)
{
    return self->data;
}

size_t shared_bytes_size(const shared_bytes_t *self)
{
    return self->size;
}
