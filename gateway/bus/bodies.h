/* gateway/bus/bodies.h: the bodies that the gateway writes and reads on the bus (proto/bus.md 3 to
 * 7 and 9). Codec only: no socket, no clock. */
#ifndef PARLEY_GATEWAY_BUS_BODIES_H
#define PARLEY_GATEWAY_BUS_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/err.h"
#include "gateway/bus/services.h"

/* Counts on the bus stay below what a double holds exactly (proto/bus.md 2). */
#define BODY_SEQ_MAX ((uint64_t)1 << 53)

/* Each appends one body. Strings are UTF-8. */
void body_hello(buffer_t *out, const char *gateway_id);
void body_call(buffer_t *out, const service_request_t *request);
void body_replay(buffer_t *out, const char *stream, uint64_t after, uint32_t last, uint32_t limit);
void body_heads(buffer_t *out, const char *const *streams, size_t count, bool settled);

/* Reads the body of an error into answer (ok = false); strings live in arena or in the body. What
 * is no error body reads as INTERNAL. */
void body_read_error(arena_t *arena, const char *body, size_t size, service_answer_t *answer);

/* Reads the body of an EVENT whose first frame was topic (proto/bus.md 7); all but service and
 * instance of *event is filled in, from arena, topic and body. *incarnation is "" if it has none.
 * ERR_PROTOCOL with a sentence if it is none, or of another stream than its topic. */
err_code_t body_read_event(arena_t *arena,
                           const char *topic,
                           size_t topic_size,
                           const char *body,
                           size_t size,
                           service_event_t *event,
                           const char **incarnation,
                           err_t *err);

#endif
