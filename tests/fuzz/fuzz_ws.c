/* The WebSocket codec: the same bytes whole and in pieces give the same messages, the same answers
 * and the same end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/realtime/ws_codec.h"

enum { LIMIT = 4096, SEEN_MAX = 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void s_on_message(void *arg, ws_opcode_t opcode, const char *data, size_t size)
{
    buffer_t *seen = arg;
    buffer_put_char(seen, opcode == WS_TEXT ? 'T' : 'B');
    buffer_put(seen, data, size);
}

static void s_on_control(void *arg, ws_opcode_t opcode)
{
    buffer_put_char(arg, opcode == WS_PING ? 'P' : 'O');
}

/* Feeds everything in pieces of step bytes; the code of the end, 0 if it is not over. */
static uint16_t
s_feed(const uint8_t *data, size_t size, size_t step, buffer_t *seen, buffer_t *replies)
{
    static const ws_codec_events_t events = {.on_message = s_on_message,
                                             .on_control = s_on_control};
    ws_codec_t codec;
    uint16_t code = 0;
    ws_codec_init(&codec, LIMIT);
    for (size_t at = 0; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        if (!ws_codec_feed(&codec, data + at, n, &events, seen, replies, &code))
            break;
    }
    ws_codec_clear(&codec);
    return code;
}

static bool s_equal(const buffer_t *a, const buffer_t *b)
{
    return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = 1 + data[0] % 9;
    buffer_t seen[2] = {BUFFER_INIT(SEEN_MAX), BUFFER_INIT(SEEN_MAX)};
    buffer_t replies[2] = {BUFFER_INIT(SEEN_MAX), BUFFER_INIT(SEEN_MAX)};
    uint16_t whole = s_feed(data + 1, size - 1, size, &seen[0], &replies[0]);
    uint16_t pieces = s_feed(data + 1, size - 1, step, &seen[1], &replies[1]);
    if (!s_equal(&seen[0], &seen[1]))
        abort();
    if (!whole && !pieces && !s_equal(&replies[0], &replies[1]))
        abort();
    for (int i = 0; i < 2; i++) {
        buffer_free(&seen[i]);
        buffer_free(&replies[i]);
    }
    return 0;
}
