/* Accept, Content-Type and lists in headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/http/negotiate.h"

static void s_gives(const char *accept, http_media_t media, bool event_stream)
{
    http_accept_t result = http_negotiate(accept);
    if (result.media != media || result.event_stream != event_stream)
        fail_msg("Accept: %s gives %d %d", accept, (int)result.media, result.event_stream);
}

static void test_accept(void **state)
{
    (void)state;
    s_gives(NULL, HTTP_MEDIA_JSON, false);
    s_gives("", HTTP_MEDIA_JSON, false);
    s_gives("*/*", HTTP_MEDIA_JSON, false);
    s_gives("application/*", HTTP_MEDIA_JSON, false);
    s_gives("application/json", HTTP_MEDIA_JSON, false);
    s_gives("Application/JSON; charset=utf-8", HTTP_MEDIA_JSON, false);
    s_gives("application/graphql-response+json", HTTP_MEDIA_GRAPHQL_RESPONSE, false);
    s_gives("application/graphql-response+json, application/json;q=0.9",
            HTTP_MEDIA_GRAPHQL_RESPONSE, false);
    s_gives("application/graphql-response+json;q=0.5, application/json;q=0.9", HTTP_MEDIA_JSON,
            false);
    s_gives("application/json, application/graphql-response+json", HTTP_MEDIA_JSON, false);
    s_gives("image/png", HTTP_MEDIA_NONE, false);
    s_gives("application/json;q=0", HTTP_MEDIA_NONE, false);
    s_gives("application/json;q=0, */*", HTTP_MEDIA_GRAPHQL_RESPONSE, false);
    s_gives("*/*;q=0", HTTP_MEDIA_NONE, false);
    s_gives("text/plain;x=\"a,application/json\"", HTTP_MEDIA_NONE, false);
}

static void test_accept_of_clients(void **state)
{
    (void)state;
    /* A browser that opens the address. */
    s_gives("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            HTTP_MEDIA_HTML, false);
    s_gives("application/json, text/html;q=0.5", HTTP_MEDIA_JSON, false);
    s_gives("application/json;q=0.5, text/html", HTTP_MEDIA_HTML, false);
    /* urql: event streams are named, but JSON wins. */
    s_gives("application/graphql-response+json, application/graphql+json, application/json, "
            "text/event-stream, multipart/mixed",
            HTTP_MEDIA_GRAPHQL_RESPONSE, true);
    s_gives("text/event-stream, multipart/mixed", HTTP_MEDIA_EVENT_STREAM, true);
    s_gives("text/event-stream", HTTP_MEDIA_EVENT_STREAM, true);
    s_gives("text/event-stream, */*", HTTP_MEDIA_EVENT_STREAM, true);
}

static void test_content_type(void **state)
{
    (void)state;
    assert_int_equal(http_content_is_json("application/json"), HTTP_CONTENT_OK);
    assert_int_equal(http_content_is_json("Application/Json ; Charset=\"UTF-8\""), HTTP_CONTENT_OK);
    assert_int_equal(http_content_is_json("application/json; charset=UTF-8"), HTTP_CONTENT_OK);
    assert_int_equal(http_content_is_json("application/json; charset=iso-8859-1"),
                     HTTP_CONTENT_CHARSET_UNKNOWN);
    assert_int_equal(http_content_is_json("application/jsonx"), HTTP_CONTENT_TYPE_UNKNOWN);
    assert_int_equal(http_content_is_json("text/plain"), HTTP_CONTENT_TYPE_UNKNOWN);
    assert_int_equal(http_content_is_json(""), HTTP_CONTENT_MISSING);
    assert_int_equal(http_content_is_json(NULL), HTTP_CONTENT_MISSING);
}

static void test_lists(void **state)
{
    (void)state;
    assert_true(http_list_takes("gzip, deflate, br", "br"));
    assert_true(http_list_takes("gzip;q=1.0, br;q=0.001", "br"));
    assert_false(http_list_takes("gzip, br;q=0", "br"));
    assert_false(http_list_takes("gzip, br;q=0.000", "br"));
    assert_false(http_list_takes("brx", "br"));
    assert_false(http_list_takes(NULL, "br"));
    assert_true(http_list_has("keep-alive, Upgrade", "upgrade", false));
    assert_false(http_list_has("Graphql-WS", "graphql-ws", true));
    assert_true(http_list_has(" \"a\" , \"b\"", "\"b\"", true));
    assert_false(http_list_has("\"a,b\"", "b", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_accept_of_clients),
        cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
