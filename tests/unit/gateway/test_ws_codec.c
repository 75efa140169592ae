/* RFC 6455 as a codec: each case is fed whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gateway/realtime/ws_codec.h"

enum { LIMIT = 1000 };

typedef struct {
    ws_codec_t codec;
    char log[8000]; /* "T:text B:bytes ping pong" */
    buffer_t replies;
    uint16_t code;
    bool over;
    bool stop_at_message;
} fixture_t;

static void s_on_message(void *arg, ws_opcode_t opcode, const char *data, size_t size)
{
    fixture_t *self = arg;
    size_t used = strlen(self->log);
    snprintf(self->log + used, sizeof self->log - used, "%c:%.*s;", opcode == WS_TEXT ? 'T' : 'B',
             (int)size, data);
    if (self->stop_at_message)
        ws_codec_stop(&self->codec);
}

static void s_on_control(void *arg, ws_opcode_t opcode)
{
    fixture_t *self = arg;
    if (opcode != WS_CLOSE)
        strcat(self->log, opcode == WS_PING ? "ping;" : "pong;");
}

static const ws_codec_events_t s_events = {.on_message = s_on_message, .on_control = s_on_control};

/* Appends a client's frame, masked. */
static void s_frame(buffer_t *out, uint8_t first, const void *data, size_t size)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t header[WS_HEADER_MAX];
    size_t header_size = ws_frame_header(header, WS_TEXT, size);
    header[0] = first;
    header[1] |= 0x80;
    buffer_put(out, header, header_size);
    buffer_put(out, mask, sizeof mask);
    for (size_t i = 0; i < size; i++)
        buffer_put_char(out, (char)(((const uint8_t *)data)[i] ^ mask[i % 4]));
}

static void s_feed(fixture_t *self, const buffer_t *input, size_t step)
{
    for (size_t at = 0; at < input->size && !self->over; at += step) {
        size_t size = input->size - at < step ? input->size - at : step;
        self->over = !ws_codec_feed(&self->codec, input->data + at, size, &s_events, self,
                                    &self->replies, &self->code);
    }
}

/* What the input must lead to, in any pieces. replies: opcodes sent, like "A" for a pong, "8" for a
 * close. */
static void s_check(buffer_t *input, const char *log, const char *replies, uint16_t code)
{
    static const size_t steps[] = {1, 2, 3, 7, 1000000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        fixture_t self = {.replies = BUFFER_INIT(100000)};
        ws_codec_init(&self.codec, LIMIT);
        s_feed(&self, input, steps[i]);
        assert_string_equal(self.log, log);
        assert_int_equal(self.over, code != 0);
        assert_int_equal(self.code, code);
        char opcodes[100] = "";
        for (size_t at = 0; at < self.replies.size;) {
            const uint8_t *frame = (const uint8_t *)self.replies.data + at;
            assert_int_equal(frame[1] & 0x80, 0); /* a server does not mask */
            snprintf(opcodes + strlen(opcodes), 8, "%X", frame[0] & 15u);
            at += 2u + frame[1];
        }
        assert_string_equal(opcodes, replies);
        if (!code) /* nothing is kept between messages */
            assert_null(self.codec.context);
        assert_null(self.codec.message.data);
        ws_codec_clear(&self.codec);
        buffer_free(&self.replies);
    }
    buffer_free(input);
}

#define INPUT buffer_t input = BUFFER_INIT(100000)

static void test_messages(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x81, "hello", 5);
    s_frame(&input, 0x82, "bin", 3);
    s_frame(&input, 0x81, "", 0);
    s_check(&input, "T:hello;B:bin;T:;", "", 0);
}

static void test_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {125, 126, 127, 999, LIMIT};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[LIMIT + 1], log[LIMIT + 10];
        memset(text, 'x', sizes[i]);
        INPUT;
        s_frame(&input, 0x81, text, sizes[i]);
        snprintf(log, sizeof log, "T:%.*s;", (int)sizes[i], text);
        s_check(&input, log, "", 0);
    }
}

static void test_fragments_with_control_between(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x01, "he", 2);
    s_frame(&input, 0x89, "a", 1);
    s_frame(&input, 0x00, "ll", 2);
    s_frame(&input, 0x8a, "", 0);
    s_frame(&input, 0x80, "o", 1);
    s_frame(&input, 0x81, "next", 4);
    s_check(&input, "ping;pong;T:hello;T:next;", "A", 0);
}

static void test_pong_returns_what_ping_had(void **state)
{
    (void)state;
    INPUT;
    fixture_t self = {.replies = BUFFER_INIT(1000)};
    ws_codec_init(&self.codec, LIMIT);
    s_frame(&input, 0x89, "abc", 3);
    s_feed(&self, &input, 1);
    assert_int_equal(self.replies.size, 5);
    assert_memory_equal(self.replies.data,
                        "\x8a\x03"
                        "abc",
                        5);
    ws_codec_clear(&self.codec);
    buffer_free(&self.replies);
    buffer_free(&input);
}

static void test_close(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x88,
            "\x03\xe8"
            "bye",
            5);
    s_frame(&input, 0x81, "late", 4);
    s_check(&input, "", "8", 1000);
    s_frame(&input, 0x88, "", 0);
    s_check(&input, "", "8", WS_CLOSE_NO_STATUS);
    s_frame(&input, 0x88, "\x11\x30", 2); /* 4400 */
    s_check(&input, "", "8", 4400);
}

static void test_broken_close(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x88, "\x03", 1);
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x88, "\x03\xed", 2); /* 1005 is never sent */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x88, "\x03\xe8\xff", 3);
    s_check(&input, "", "8", WS_CLOSE_INVALID_DATA);
}

static void test_broken_frames(void **state)
{
    (void)state;
    char long_ping[126] = "";
    INPUT;
    buffer_put(&input, "\x81\x05hello", 7); /* not masked */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0xc1, "x", 1); /* a reserved bit */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x83, "x", 1); /* an unknown opcode */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x80, "x", 1); /* goes on with nothing */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x01, "x", 1); /* begins within a message */
    s_frame(&input, 0x81, "x", 1);
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x09, "x", 1); /* a ping in pieces */
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    s_frame(&input, 0x89, long_ping, sizeof long_ping);
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
    buffer_put(&input, "\x81\xfe\x00\x05", 4); /* a length in too many bytes */
    buffer_put(&input, "\0\0\0\0hello", 9);
    s_check(&input, "", "8", WS_CLOSE_PROTOCOL_ERROR);
}

static void test_utf8(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x01, "\xe2\x82", 2); /* a character over two frames */
    s_frame(&input, 0x80, "\xac", 1);
    s_check(&input, "T:\xe2\x82\xac;", "", 0);
    s_frame(&input, 0x81, "\xff", 1);
    s_check(&input, "", "8", WS_CLOSE_INVALID_DATA);
    s_frame(&input, 0x81, "\xed\xa0\x80", 3); /* a surrogate */
    s_check(&input, "", "8", WS_CLOSE_INVALID_DATA);
    s_frame(&input, 0x81, "a\xe2\x82", 3); /* cut */
    s_check(&input, "", "8", WS_CLOSE_INVALID_DATA);
    s_frame(&input, 0x82, "\xff", 1); /* binary may hold anything */
    s_check(&input, "B:\xff;", "", 0);
}

static void test_utf8_fails_fast(void **state)
{
    (void)state;
    INPUT;
    s_frame(&input, 0x01, "ab\xff", 3); /* the message is not complete */
    s_check(&input, "", "8", WS_CLOSE_INVALID_DATA);
}

static void test_too_big(void **state)
{
    (void)state;
    char text[LIMIT + 1];
    memset(text, 'x', sizeof text);
    INPUT;
    s_frame(&input, 0x81, text, sizeof text);
    s_check(&input, "", "8", WS_CLOSE_TOO_BIG);
    s_frame(&input, 0x01, text, LIMIT / 2); /* each fragment is small enough */
    s_frame(&input, 0x00, text, LIMIT / 2);
    s_frame(&input, 0x80, text, 1);
    s_check(&input, "", "8", WS_CLOSE_TOO_BIG);
}

static void test_stop(void **state)
{
    (void)state;
    INPUT;
    fixture_t self = {.replies = BUFFER_INIT(1000), .stop_at_message = true};
    ws_codec_init(&self.codec, LIMIT);
    s_frame(&input, 0x81, "one", 3);
    s_frame(&input, 0x81, "two", 3);
    s_frame(&input, 0x89, "x", 1);
    s_feed(&self, &input, input.size);
    assert_string_equal(self.log, "T:one;");
    assert_false(self.over);
    assert_int_equal(self.replies.size, 0);
    ws_codec_clear(&self.codec);
    buffer_free(&input);
    buffer_free(&self.replies);
}

static void test_frames_out(void **state)
{
    (void)state;
    uint8_t header[WS_HEADER_MAX];
    assert_int_equal(ws_frame_header(header, WS_TEXT, 125), 2);
    assert_memory_equal(header, "\x81\x7d", 2);
    assert_int_equal(ws_frame_header(header, WS_TEXT, 126), 4);
    assert_memory_equal(header, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(ws_frame_header(header, WS_TEXT, 65535), 4);
    assert_int_equal(ws_frame_header(header, WS_TEXT, 65536), 10);
    assert_memory_equal(header, "\x81\x7f\0\0\0\0\0\x01\0\0", 10);
    buffer_t out = BUFFER_INIT(1000);
    ws_frame_put_close(&out, 4400, "why");
    assert_int_equal(out.size, 7);
    assert_memory_equal(out.data, "\x88\x05\x11\x30why", 7);
    buffer_clear(&out);
    char reason[200];
    memset(reason, 'r', sizeof reason);
    memcpy(reason + WS_REASON_MAX - 1, "\xe2\x82\xac", 4); /* cut in the middle */
    ws_frame_put_close(&out, 1000, reason);
    assert_int_equal(out.size, 2 + 2 + WS_REASON_MAX - 1);
    buffer_free(&out);
    buffer_t tight = BUFFER_INIT(4);
    ws_frame_put(&tight, WS_TEXT, "hello", 5);
    assert_true(tight.failed);
    assert_int_equal(tight.size, 0);
    buffer_free(&tight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_fragments_with_control_between),
        cmocka_unit_test(test_pong_returns_what_ping_had),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_broken_close),
        cmocka_unit_test(test_broken_frames),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_fails_fast),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_frames_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
