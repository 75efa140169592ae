/* HTTP status codes of GraphQL responses, of both generations of the draft. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/http/status.h"

static void test_names(void **state)
{
    (void)state;
    http_status_draft_t draft;
    assert_true(http_status_parse("2025", &draft) && draft == HTTP_STATUS_2025);
    assert_true(http_status_parse("2026", &draft) && draft == HTTP_STATUS_2026);
    assert_false(http_status_parse("2027", &draft));
    assert_false(http_status_parse("", &draft));
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        operation_verdict_t verdict;
        err_code_t code;
        unsigned of_2025_json, of_2025, of_2026;
    } cases[] = {
        {OPERATION_DONE, ERR_OK, 200, 200, 200},
        {OPERATION_DONE, ERR_TIMEOUT, 200, 200, 294},
        {OPERATION_REFUSED, ERR_GRAPHQL_PARSE_FAILED, 200, 400, 400},
        {OPERATION_REFUSED, ERR_GRAPHQL_VALIDATION_FAILED, 200, 400, 422},
        {OPERATION_REFUSED, ERR_BAD_USER_INPUT, 200, 400, 422},
        {OPERATION_REFUSED, ERR_LIMIT_EXCEEDED, 200, 400, 422},
        {OPERATION_REFUSED, ERR_FORBIDDEN, 200, 400, 403},
        {OPERATION_REFUSED, ERR_RATE_LIMITED, 200, 400, 429},
        {OPERATION_REFUSED, ERR_INTERNAL, 200, 400, 500},
        {OPERATION_NOT_PERSISTED, ERR_PERSISTED_QUERY_NOT_FOUND, 200, 200, 404},
        {OPERATION_NOT_PERSISTED, ERR_PERSISTED_QUERY_NOT_SUPPORTED, 200, 200, 422},
        {OPERATION_UNAUTHENTICATED, ERR_UNAUTHENTICATED, 401, 401, 401},
        {OPERATION_UNAVAILABLE, ERR_UNAVAILABLE, 503, 503, 503},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        operation_verdict_t verdict = cases[i].verdict;
        err_code_t code = cases[i].code;
        assert_int_equal(http_status_of(HTTP_STATUS_2025, HTTP_MEDIA_JSON, verdict, code),
                         cases[i].of_2025_json);
        assert_int_equal(
            http_status_of(HTTP_STATUS_2025, HTTP_MEDIA_GRAPHQL_RESPONSE, verdict, code),
            cases[i].of_2025);
        assert_int_equal(http_status_of(HTTP_STATUS_2026, HTTP_MEDIA_JSON, verdict, code),
                         cases[i].of_2026);
        assert_int_equal(
            http_status_of(HTTP_STATUS_2026, HTTP_MEDIA_GRAPHQL_RESPONSE, verdict, code),
            cases[i].of_2026);
    }
    assert_int_equal(http_status_of_malformed(HTTP_STATUS_2025, true), 400);
    assert_int_equal(http_status_of_malformed(HTTP_STATUS_2026, true), 422);
    assert_int_equal(http_status_of_malformed(HTTP_STATUS_2026, false), 400);
}

static void test_media(void **state)
{
    (void)state;
    http_media_t json = HTTP_MEDIA_JSON, graphql = HTTP_MEDIA_GRAPHQL_RESPONSE;
    assert_int_equal(http_status_media(HTTP_STATUS_2025, json, 400), json);
    assert_int_equal(http_status_media(HTTP_STATUS_2025, graphql, 400), graphql);
    assert_int_equal(http_status_media(HTTP_STATUS_2025, HTTP_MEDIA_EVENT_STREAM, 400), json);
    assert_int_equal(http_status_media(HTTP_STATUS_2026, json, 200), json);
    assert_int_equal(http_status_media(HTTP_STATUS_2026, json, 294), json);
    assert_int_equal(http_status_media(HTTP_STATUS_2026, json, 422), graphql);
    assert_int_equal(http_status_media(HTTP_STATUS_2026, graphql, 294), graphql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_media),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
