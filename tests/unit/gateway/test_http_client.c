/* Who is at the other end: origins, addresses behind proxies, WebSocket keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "gateway/http/client_address.h"
#include "gateway/http/origins.h"
#include "gateway/http/websocket_key.h"

static void test_origins(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    origins_t *origins = origins_new("https://a.example, http://localhost:3000/", &err);
    assert_non_null(origins);
    assert_true(origins_allow(origins, NULL));
    assert_true(origins_allow(origins, "https://a.example"));
    assert_true(origins_allow(origins, "HTTPS://A.example"));
    assert_true(origins_allow(origins, "http://localhost:3000"));
    assert_false(origins_allow(origins, "https://a.example.evil"));
    assert_false(origins_allow(origins, "null"));
    assert_false(origins_allow_all(origins));
    origins_destroy(&origins);
    origins = origins_new("*", NULL);
    assert_true(origins_allow(origins, "https://evil"));
    assert_true(origins_allow_all(origins));
    origins_destroy(&origins);
    assert_null(origins_new("a.example", &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(origins_new("https://a/path", NULL));
}

static void s_headers(const char *requested, const char *expected)
{
    buffer_t out = BUFFER_INIT(1000);
    origins_allowed_headers(requested, &out);
    assert_int_equal(out.size, strlen(expected));
    if (out.size)
        assert_memory_equal(out.data, expected, out.size);
    buffer_free(&out);
}

static void test_preflight_headers(void **state)
{
    (void)state;
    s_headers(NULL, "");
    s_headers("content-type,Authorization , x-evil", "content-type, Authorization");
    s_headers("amz-sdk-invocation-id, amz-sdk-request, cache-control, content-type, x-amz-target, "
              "x-amz-user-agent",
              "amz-sdk-invocation-id, amz-sdk-request, cache-control, content-type, x-amz-target, "
              "x-amz-user-agent");
    s_headers("x-amz-, x-amz-a\r\nb", "");
}

static void
s_client(const trusted_proxies_t *trusted, const char *peer, const char *forwarded, const char *is)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&storage;
    if (inet_pton(AF_INET, peer, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, peer, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    char out[CLIENT_ADDRESS_SIZE];
    client_address(trusted, (struct sockaddr *)(void *)&storage, forwarded, out);
    assert_string_equal(out, is);
}

static void test_addresses(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    trusted_proxies_t *none = trusted_proxies_new("none", &err);
    s_client(none, "10.1.2.3", "1.1.1.1", "10.1.2.3");
    s_client(none, "::1", NULL, "::1");
    s_client(none, "::ffff:10.1.2.3", NULL, "10.1.2.3");
    trusted_proxies_destroy(&none);
    trusted_proxies_t *some = trusted_proxies_new("10.0.0.0/8,fd00::/16,192.168.0.1", &err);
    assert_non_null(some);
    s_client(some, "10.1.2.3", NULL, "10.1.2.3");
    s_client(some, "10.1.2.3", "1.1.1.1", "1.1.1.1");
    s_client(some, "10.1.2.3", "6.6.6.6, 1.1.1.1:99 , 10.9.9.9", "1.1.1.1");
    s_client(some, "11.1.2.3", "1.1.1.1", "11.1.2.3");
    s_client(some, "192.168.0.1", "[2001:db8::1]:443", "2001:db8::1");
    s_client(some, "192.168.0.2", "1.1.1.1", "192.168.0.2");
    s_client(some, "fd00::5", "2001:db8::2", "2001:db8::2");
    s_client(some, "10.1.2.3", "nonsense", "10.1.2.3");
    s_client(some, "10.1.2.3", "1.1.1.1, ", "10.1.2.3");
    trusted_proxies_destroy(&some);
    assert_null(trusted_proxies_new("10.0.0.0/33", &err));
    assert_null(trusted_proxies_new("host", NULL));
}

static void test_websocket_key(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_SIZE];
    websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(websocket_key_is_valid("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_false(websocket_key_is_valid("dGhlIHNhbXBsZSBub25j"));
    assert_false(websocket_key_is_valid("!GhlIHNhbXBsZSBub25jZQ=="));
    assert_false(websocket_key_is_valid(""));
    assert_false(websocket_key_is_valid(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_preflight_headers),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_websocket_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
