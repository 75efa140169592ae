/* common/bus_record.h: the codec of bus records (proto/bus.md 2). Bytes in, records out; no socket,
 * no clock. Any thread. */
#ifndef PARLEY_COMMON_BUS_RECORD_H
#define PARLEY_COMMON_BUS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"

enum {
    BUS_VERSION = 1,
    BUS_HEADER_SIZE = 40,
    BUS_ID_SIZE = 16,
    BUS_BODY_MAX = 16 * 1024 * 1024,
    BUS_MESSAGE_MAX = 64 * 1024 * 1024,
    BUS_BODY_DEPTH_MAX = 128,
    BUS_HEADS_MAX = 1000,
    BUS_REPLAY_MAX = 1000,
    BUS_STREAM_MAX = 600, /* bytes of a stream's name */
};

typedef enum {
    BUS_HELLO = 1,
    BUS_CALL = 2,
    BUS_REPLAY = 3,
    BUS_HEADS = 4,
    BUS_EVENT = 5,
} bus_verb_t;

enum { BUS_FLAG_ANSWER = 1, BUS_FLAG_ERROR = 2 };

typedef struct {
    uint8_t bytes[BUS_ID_SIZE];
} bus_id_t;

typedef struct {
    uint8_t version;
    bus_verb_t verb;
    uint8_t flags;
    bus_id_t id;
    int64_t deadline_ms; /* Unix time; 0 = none */
    const char *body;    /* borrowed from the message */
    size_t body_size;
} bus_record_t;

/* Appends one record (header and body) to out; the version written is BUS_VERSION. */
void bus_record_write(buffer_t *out, const bus_record_t *record);

/* For bodies that are printed in place: begin writes the header with size 0 and returns its offset,
 * end fills in the size of what was appended since. */
size_t bus_record_begin(
    buffer_t *out, bus_verb_t verb, uint8_t flags, const bus_id_t *id, int64_t deadline_ms);
void bus_record_end(buffer_t *out, size_t offset);

/* Reads the record at *offset of a message and moves *offset behind it. ERR_OK; or ERR_PROTOCOL
 * with a sentence (proto/bus.md 2.2: drop the rest of the message). A record of another version is
 * returned as it is (version tells; verb may then be unknown). At the end of the message *offset ==
 * size: do not call. */
err_code_t
bus_record_read(const void *message, size_t size, size_t *offset, bus_record_t *record, err_t *err);

/* Appends an answer that is an error (proto/bus.md 9). extensions: members as JSON text without
 * braces, like
 * "\"argument\":\"body\"", or NULL. */
void bus_record_write_error(buffer_t *out,
                            bus_verb_t verb,
                            const bus_id_t *id,
                            err_code_t code,
                            const char *message,
                            const char *extensions);

/* A new random id (libsodium). */
bus_id_t bus_id_random(void);
bool bus_id_equal(const bus_id_t *a, const bus_id_t *b);
/* 32 hex digits and a NUL. */
void bus_id_print(const bus_id_t *id, char out[33]);

#endif
