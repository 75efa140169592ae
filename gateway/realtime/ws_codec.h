/* gateway/realtime/ws_codec.h: RFC 6455 as a codec: bytes in, messages out, and the frames that the
 * protocol itself wants as an answer. No socket, no clock. One owner; loop thread. At rest, between
 * whole messages, it holds no memory beyond the struct. */
#ifndef PARLEY_GATEWAY_REALTIME_WS_CODEC_H
#define PARLEY_GATEWAY_REALTIME_WS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

/* RFC 6455 7.4.1 */
enum {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_UNSUPPORTED_DATA = 1003,
    WS_CLOSE_NO_STATUS = 1005,
    WS_CLOSE_INVALID_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_AGAIN_LATER = 1013,
};

typedef enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 } ws_opcode_t;

enum { WS_HEADER_MAX = 10, WS_REASON_MAX = 123 };

/* What came. Called from inside ws_codec_feed, with the data borrowed for the call; may call
 * ws_codec_stop. */
typedef struct {
    void (*on_message)(void *arg, ws_opcode_t opcode, const char *data, size_t size);
    /* A ping, which the codec answers, or a pong. */
    void (*on_control)(void *arg, ws_opcode_t opcode);
} ws_codec_events_t;

typedef struct {
    void *context; /* wslay's, while a frame or message is incomplete; NULL at rest */
    void *feeding; /* while ws_codec_feed runs */
    buffer_t message;
    uint64_t fed;    /* bytes */
    uint64_t framed; /* bytes of the frames that have begun */
    uint8_t opcode;  /* of the frame that comes */
    bool fragmented; /* a message has begun whose last frame has not */
    bool stopped;
} ws_codec_t;

/* limit_bytes: of one message, over all its fragments; beyond it is closed with 1009. */
void ws_codec_init(ws_codec_t *self, size_t limit_bytes);
void ws_codec_clear(ws_codec_t *self);

/* Reads all of data. Frames that must be sent (pongs, a close) are appended to replies. False when
 * the connection is over: the peer closed it (*code is what he said, WS_CLOSE_NO_STATUS if nothing)
 * or broke the protocol (*code is what replies tell him); send the replies and end it. *code is 0
 * otherwise. */
bool ws_codec_feed(ws_codec_t *self,
                   const void *data,
                   size_t size,
                   const ws_codec_events_t *events,
                   void *arg,
                   buffer_t *replies,
                   uint16_t *code);

/* Nothing more is wanted: on_message is not called again, the rest of the input is dropped. */
void ws_codec_stop(ws_codec_t *self);

/* ---- out: frames of a server, never masked, never fragmented ---- */

/* The header of a frame with size bytes of payload; its length returned. */
size_t ws_frame_header(uint8_t out[WS_HEADER_MAX], ws_opcode_t opcode, size_t size);
void ws_frame_put(buffer_t *out, ws_opcode_t opcode, const void *data, size_t size);
/* reason: UTF-8, NUL-terminated; cut to WS_REASON_MAX bytes. */
void ws_frame_put_close(buffer_t *out, uint16_t code, const char *reason);

#endif
