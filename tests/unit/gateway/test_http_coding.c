/* Compressed bodies: what is taken, and where it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gateway/http/content_coding.h"

enum { ROOM = 64 * 1024, ZEROS = 16 * 1024 * 1024, GZIP_WINDOW = 15 + 16 };

static unsigned char s_packed[ROOM];

/* Appends one gzip member to s_packed; the size of all. */
static size_t s_pack(size_t at, const void *data, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
    stream.next_out = s_packed + at;
    stream.avail_out = (uInt)(sizeof s_packed - at);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return sizeof s_packed - stream.avail_out;
}

static void s_gives(const void *data, size_t size, const char *text)
{
    err_t err = ERR_INIT;
    buffer_t out = BUFFER_INIT(ROOM);
    if (content_gunzip(data, size, &out, &err))
        fail_msg("%s", err.text);
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.data ? out.data : "", text, out.size);
    buffer_free(&out);
}

static void s_fails(const void *data, size_t size, size_t limit, err_code_t code, const char *text)
{
    err_t err = ERR_INIT;
    buffer_t out = BUFFER_INIT(limit);
    assert_int_equal(content_gunzip(data, size, &out, &err), code);
    assert_non_null(strstr(err.text, text));
    assert_true(out.capacity <= limit);
    buffer_free(&out);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(content_coding_read(NULL), CONTENT_IDENTITY);
    assert_int_equal(content_coding_read(""), CONTENT_IDENTITY);
    assert_int_equal(content_coding_read("Identity"), CONTENT_IDENTITY);
    assert_int_equal(content_coding_read("GZip"), CONTENT_GZIP);
    assert_int_equal(content_coding_read("x-gzip"), CONTENT_GZIP);
    assert_int_equal(content_coding_read("identity, gzip "), CONTENT_GZIP);
    assert_int_equal(content_coding_read("gzip, gzip"), CONTENT_CODING_UNKNOWN);
    assert_int_equal(content_coding_read("gzip;q=1"), CONTENT_CODING_UNKNOWN);
    assert_int_equal(content_coding_read("deflate"), CONTENT_CODING_UNKNOWN);
    assert_int_equal(content_coding_read("br"), CONTENT_CODING_UNKNOWN);
}

static void test_whole(void **state)
{
    (void)state;
    size_t size = s_pack(0, "hello", 5);
    s_gives(s_packed, size, "hello");
    s_gives(s_packed, s_pack(size, " there", 6), "hello there");
    s_gives(s_packed, s_pack(0, "", 0), "");
}

static void test_broken(void **state)
{
    (void)state;
    size_t size = s_pack(0, "hello hello hello", 17);
    for (size_t cut = 0; cut < size; cut++)
        s_fails(s_packed, cut, ROOM, ERR_BAD_USER_INPUT, "cut off");
    memset(s_packed + size, 'x', 30);
    s_fails(s_packed, size + 1, ROOM, ERR_BAD_USER_INPUT, "cut off");
    s_fails(s_packed, size + 30, ROOM, ERR_BAD_USER_INPUT, "something else follows");
    s_packed[size - 6] ^= 1; /* of the checksum */
    s_fails(s_packed, size, ROOM, ERR_BAD_USER_INPUT, "broken");
    s_fails("hello hello hello", 17, ROOM, ERR_BAD_USER_INPUT, "broken");
    s_fails("\x78\x9c\x03\x00\x00\x00\x00\x01", 8, ROOM, ERR_BAD_USER_INPUT, "broken"); /* zlib's */
}

static void test_limit(void **state)
{
    (void)state;
    char *zeros = calloc(1, ZEROS);
    size_t size = s_pack(0, zeros, 1000);
    s_fails(s_packed, size, 999, ERR_PAYLOAD_TOO_LARGE, "the limit of 999 bytes");
    err_t err = ERR_INIT;
    buffer_t out = BUFFER_INIT(1000);
    assert_int_equal(content_gunzip(s_packed, size, &out, &err), ERR_OK);
    assert_int_equal(out.size, 1000);
    buffer_free(&out);
    size = s_pack(0, zeros, ZEROS); /* a bomb, and one in many members */
    s_fails(s_packed, size, 100000, ERR_PAYLOAD_TOO_LARGE, "the limit of 100000 bytes");
    size = 0;
    for (int i = 0; i < 20; i++)
        size = s_pack(size, zeros, 100000);
    s_fails(s_packed, size, 1000000, ERR_PAYLOAD_TOO_LARGE, "the limit of 1000000 bytes");
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
