/* gateway/feed/replay_answer.h: the answer to a REPLAY (proto/bus.md 5) as the feed reads it. Codec
 * only. */
#ifndef PARLEY_GATEWAY_FEED_REPLAY_ANSWER_H
#define PARLEY_GATEWAY_FEED_REPLAY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/json.h"

typedef struct {
    uint64_t seq;
    bool is_revoke;
    json_slice_t type, payload; /* of the body */
} replay_event_t;

/* Events are in order and without a hole, none beyond head. */
typedef struct {
    const char *epoch; /* 16 hex digits */
    uint64_t head, first;
    const replay_event_t *events; /* in the arena */
    size_t count;
} replay_answer_t;

/* False if the body is no such answer, or one of another stream. */
bool replay_answer_read(replay_answer_t *self,
                        arena_t *arena,
                        const char *stream,
                        json_slice_t body);

#endif
