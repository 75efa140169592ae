/* gateway/graphql/execution/complete_parts.h: what the two halves of completion, values and
 * objects, know of each other. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLETE_PARTS_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLETE_PARTS_H

#include <string.h>

#include "gateway/graphql/execution/complete.h"

typedef enum {
    COMPLETE_DONE,   /* written; `at` is behind the value */
    COMPLETE_NULLED, /* the error is added; null goes on to the position above */
    COMPLETE_STOP,   /* no JSON, too large or out of memory: the whole answer is of no use */
} complete_status_t;

/* A list or object that is being completed; on the stack. */
typedef struct position position_t;
struct position {
    position_t *above;
    size_t start; /* in the text */
    bool non_null;
    frame_t *made;
};

static inline void complete_put(completion_t *self, const char *data, size_t size)
{
    buffer_t *out = &self->text->bytes;
    if (out->capacity - out->size < size || out->failed) {
        buffer_put(out, data, size);
        return;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* Completes the value at `at`. */
complete_status_t complete_value(completion_t *self,
                                 plan_field_t *field,
                                 const schema_ref_t *type,
                                 const path_t *path);

/* Completes the object at `at`. */
complete_status_t complete_object(completion_t *self, plan_set_t *set, const path_t *path);

/* A leaf that is a whole value and was read already; not null. */
complete_status_t complete_leaf(completion_t *self,
                                const plan_field_t *field,
                                const path_t *path,
                                json_slice_t value);

/* A field that the one who asks may not have: the error, and null. */
complete_status_t
complete_refused(completion_t *self, const plan_field_t *field, const path_t *path);

/* Adds the error that a position is null which may not be. */
complete_status_t
complete_null_error(completion_t *self, const plan_field_t *field, const path_t *path);

#endif
