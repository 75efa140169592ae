/* common/log_sink.h: lines for a descriptor whose reader may sleep. Nobody who writes a line ever
 * waits for that reader: a thread of the sink does. (O_NONBLOCK is no way out: it belongs to the
 * open file, which other processes share, and a write that poll promised may lose a race with
 * theirs.) Only a regular file, which has no reader, is written at once.
 *
 * What does not fit into the sink's memory is dropped and counted, and so is what cannot be written
 * (a full disk); a line at the place of the gap says so. Any thread. */
#ifndef PARLEY_COMMON_LOG_SINK_H
#define PARLEY_COMMON_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

typedef struct log_sink log_sink_t;

/* Appends one line that says how many are missing there. Called by any thread. */
typedef void (*log_sink_gap_fn)(buffer_t *out, uint64_t lines);

/* fd is borrowed; limit_bytes is what may wait for the reader (as much again is on its way to him).
 * Never NULL. */
log_sink_t *log_sink_new(int fd, size_t limit_bytes, log_sink_gap_fn gap);
/* Gives up what still waits. */
void log_sink_destroy(log_sink_t **self_p);

/* One or more whole lines. Who shares a pipe with others gets them whole up to 4 KB. */
void log_sink_write(log_sink_t *self, const char *lines, size_t size);
/* Waits until everything is written, at most so long; false: it is not. */
bool log_sink_flush(log_sink_t *self, unsigned wait_ms);
/* Lines, since the beginning. */
uint64_t log_sink_dropped(log_sink_t *self);

#endif
