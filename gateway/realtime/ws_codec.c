#include "gateway/realtime/ws_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "common/json.h"
#include "common/utf8.h"

/* One call of ws_codec_feed. */
typedef struct {
    const uint8_t *data;
    size_t size;
    const ws_codec_events_t *events;
    void *arg;
    buffer_t *replies;
    uint16_t refusal; /* of a close frame that wslay would take; 0: none came */
} feeding_t;

void ws_codec_init(ws_codec_t *self, size_t limit_bytes)
{
    *self = (ws_codec_t){.message = BUFFER_INIT(limit_bytes)};
}

static void s_rest(ws_codec_t *self)
{
    if (self->context)
        wslay_event_context_free(self->context);
    self->context = NULL;
    self->fed = self->framed = 0;
    buffer_free(&self->message);
}

void ws_codec_clear(ws_codec_t *self)
{
    s_rest(self);
}

void ws_codec_stop(ws_codec_t *self)
{
    self->stopped = true;
    if (self->context)
        wslay_event_shutdown_read(self->context);
}

/* ---- wslay's callbacks ---- */

static ssize_t
s_on_recv(wslay_event_context_ptr context, uint8_t *data, size_t size, int flags, void *user_data)
{
    ws_codec_t *self = user_data;
    feeding_t *feeding = self->feeding;
    (void)flags;
    if (!feeding->size) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = feeding->size < size ? feeding->size : size;
    memcpy(data, feeding->data, n);
    feeding->data += n;
    feeding->size -= n;
    return (ssize_t)n;
}

static ssize_t s_on_send(
    wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *user_data)
{
    ws_codec_t *self = user_data;
    feeding_t *feeding = self->feeding;
    (void)flags;
    buffer_put(feeding->replies, data, size);
    if (feeding->replies->failed) {
        wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)size;
}

static void s_on_frame(wslay_event_context_ptr context,
                       const struct wslay_event_on_frame_recv_start_arg *frame,
                       void *user_data)
{
    ws_codec_t *self = user_data;
    (void)context;
    uint64_t header = 2 + 4; /* with the mask; lengths come in their shortest form only */
    if (frame->payload_length > 0xffff)
        header += 8;
    else if (frame->payload_length > 125)
        header += 2;
    self->framed += header + frame->payload_length;
    self->opcode = frame->opcode;
    if (!wslay_is_ctrl_frame(frame->opcode))
        self->fragmented = !frame->fin;
}

static void s_on_chunk(wslay_event_context_ptr context,
                       const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                       void *user_data)
{
    ws_codec_t *self = user_data;
    if (wslay_is_ctrl_frame(self->opcode) || self->stopped)
        return;
    buffer_put(&self->message, chunk->data, chunk->data_length);
    if (!self->message.failed)
        return;
    char reason[100];
    int size = snprintf(reason, sizeof reason, "the message is larger than the limit of %zu bytes",
                        self->message.limit);
    wslay_event_queue_close(context, WS_CLOSE_TOO_BIG, (const uint8_t *)reason, (size_t)size);
    wslay_event_shutdown_read(context);
    self->stopped = true;
}

/* RFC 6455 5.5.1: a code, if there is anything, and a reason in UTF-8. wslay looks at the code
 * only. */
static uint16_t s_check_close(const struct wslay_event_on_msg_recv_arg *message)
{
    if (message->msg_length == 1)
        return WS_CLOSE_PROTOCOL_ERROR;
    if (message->msg_length > 2 &&
        !utf8_is_valid((const char *)message->msg + 2, message->msg_length - 2))
        return WS_CLOSE_INVALID_DATA;
    return 0;
}

static void s_on_message(wslay_event_context_ptr context,
                         const struct wslay_event_on_msg_recv_arg *message,
                         void *user_data)
{
    ws_codec_t *self = user_data;
    feeding_t *feeding = self->feeding;
    (void)context;
    if (message->opcode == WSLAY_CONNECTION_CLOSE)
        feeding->refusal = s_check_close(message);
    if (self->stopped || message->opcode == WSLAY_CONNECTION_CLOSE)
        return;
    if (wslay_is_ctrl_frame(message->opcode)) {
        feeding->events->on_control(feeding->arg, (ws_opcode_t)message->opcode);
        return;
    }
    feeding->events->on_message(feeding->arg, (ws_opcode_t)message->opcode,
                                self->message.data ? self->message.data : "", self->message.size);
    buffer_clear(&self->message);
}

static void s_begin(ws_codec_t *self)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = s_on_recv,
        .send_callback = s_on_send,
        .on_frame_recv_start_callback = s_on_frame,
        .on_frame_recv_chunk_callback = s_on_chunk,
        .on_msg_recv_callback = s_on_message,
    };
    wslay_event_context_ptr context;
    if (wslay_event_context_server_init(&context, &callbacks, self) != 0)
        abort(); /* small and fixed: see common/buffer.h on allocations that a peer sized */
    wslay_event_config_set_no_buffering(context, 1);
    wslay_event_config_set_max_recv_msg_length(context, self->message.limit);
    self->context = context;
}

/* ---- the usual frame ---- */

/* A whole message in one unfragmented frame that is all there: what nearly all are. */
typedef struct {
    size_t header; /* bytes, with the mask */
    size_t size;   /* of the payload */
    const uint8_t *mask;
} frame_t;

/* False if the bytes begin with anything else, broken frames among it: wslay judges those. */
static bool s_read_frame(const uint8_t *data, size_t size, frame_t *frame)
{
    enum { FIN_TEXT = 0x81, MASKED = 0x80, SHORT_MAX = 125, SIZE_IN_16_BITS = 126 };
    if (size < 6 || data[0] != FIN_TEXT || !(data[1] & MASKED))
        return false;
    frame->header = 6;
    frame->size = data[1] & 0x7f;
    if (frame->size == SIZE_IN_16_BITS) {
        frame->header = 8;
        frame->size = (size_t)data[2] << 8 | data[3];
        if (frame->size <= SHORT_MAX)
            return false;
    } else if (frame->size > SHORT_MAX) {
        return false;
    }
    frame->mask = data + frame->header - 4;
    return size >= frame->header && size - frame->header >= frame->size;
}

/* RFC 6455 5.3 */
static void s_unmask(char *to, const uint8_t *from, size_t size, const uint8_t mask[4])
{
    uint64_t bytes, wide;
    memcpy(&wide, mask, 4);
    memcpy((char *)&wide + 4, mask, 4);
    size_t i = 0;
    for (; size - i >= sizeof bytes; i += sizeof bytes) {
        memcpy(&bytes, from + i, sizeof bytes);
        bytes ^= wide;
        memcpy(to + i, &bytes, sizeof bytes);
    }
    for (; i < size; i++)
        to[i] = (char)(from[i] ^ mask[i % 4]);
}

/* Takes usual frames off the front of what came, as long as there are any. */
static void s_take_usual(ws_codec_t *self, feeding_t *feeding)
{
    frame_t frame;
    while (!self->stopped && s_read_frame(feeding->data, feeding->size, &frame)) {
        char *text = buffer_reserve(&self->message, frame.size);
        if (!text)
            break;
        s_unmask(text, feeding->data + frame.header, frame.size, frame.mask);
        if (!utf8_is_valid(text, frame.size))
            break;
        feeding->data += frame.header + frame.size;
        feeding->size -= frame.header + frame.size;
        feeding->events->on_message(feeding->arg, WS_TEXT, text, frame.size);
    }
    buffer_free(&self->message);
}

bool ws_codec_feed(ws_codec_t *self,
                   const void *data,
                   size_t size,
                   const ws_codec_events_t *events,
                   void *arg,
                   buffer_t *replies,
                   uint16_t *code)
{
    *code = 0;
    if (self->stopped)
        return true;
    feeding_t feeding = {
        .data = data, .size = size, .events = events, .arg = arg, .replies = replies};
    if (!self->context) {
        s_take_usual(self, &feeding);
        if (!feeding.size || self->stopped)
            return true;
        s_begin(self);
    }
    self->feeding = &feeding;
    self->fed += feeding.size;
    int result = wslay_event_recv(self->context);
    if (result == 0 && !feeding.refusal && wslay_event_want_write(self->context))
        result = wslay_event_send(self->context);
    self->feeding = NULL;
    if (feeding.refusal)
        *code = feeding.refusal;
    else if (wslay_event_get_close_sent(self->context))
        *code = wslay_event_get_status_code_sent(self->context); /* the peer's, if it was valid */
    else if (result != 0) /* frames that wslay cannot even read end without its saying so */
        *code = result == WSLAY_ERR_NOMEM ? WS_CLOSE_INTERNAL : WS_CLOSE_PROTOCOL_ERROR;
    if (*code && !wslay_event_get_close_sent(self->context))
        ws_frame_put_close(replies, *code, "");
    if (*code)
        self->stopped = true;
    if (self->stopped || (self->fed == self->framed && !self->fragmented))
        s_rest(self);
    return *code == 0;
}

/* ---- out ---- */

size_t ws_frame_header(uint8_t out[WS_HEADER_MAX], ws_opcode_t opcode, size_t size)
{
    out[0] = (uint8_t)(0x80u | (unsigned)opcode);
    if (size < 126) {
        out[1] = (uint8_t)size;
        return 2;
    }
    if (size <= 0xffff) {
        out[1] = 126;
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)size;
        return 4;
    }
    out[1] = 127;
    for (unsigned i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    return 10;
}

void ws_frame_put(buffer_t *out, ws_opcode_t opcode, const void *data, size_t size)
{
    uint8_t header[WS_HEADER_MAX];
    size_t header_size = ws_frame_header(header, opcode, size);
    if (!buffer_reserve(out, header_size + size))
        return; /* a whole frame or none */
    buffer_put(out, header, header_size);
    buffer_put(out, data, size);
}

void ws_frame_put_close(buffer_t *out, uint16_t code, const char *reason)
{
    uint8_t payload[2 + WS_REASON_MAX];
    size_t size = strlen(reason);
    if (size > WS_REASON_MAX)
        size = utf8_cut(reason, WS_REASON_MAX);
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    memcpy(payload + 2, reason, size);
    ws_frame_put(out, WS_CLOSE, payload, 2 + size);
}
