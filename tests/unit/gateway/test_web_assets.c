/* The table of the web pages as it is compiled in: found by path, complete, with the headers that
 * they need. */
#include "gateway/web/assets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_unknown_paths_have_no_asset(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "/index.html", "/assets/", "/assets", "/graphiq", "/~"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(web_asset_find(paths[i]));
}

static void test_pages_are_whole(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/graphiql"};
    if (!web_asset_find("/"))
        skip(); /* built with PARLEY_WEB=OFF */
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const web_asset_t *page = web_asset_find(paths[i]);
        assert_non_null(page);
        assert_string_equal(page->path, paths[i]);
        assert_string_equal(page->content_type, "text/html; charset=utf-8");
        assert_false(page->immutable);
        assert_true(page->identity.size > 100);
        assert_memory_equal(page->identity.data, "<!doctype html>", 15);
        assert_memory_equal(page->identity.data + page->identity.size - 8, "</html>\n", 8);
        assert_non_null(strstr(page->csp, "default-src 'none'"));
        assert_null(strstr(page->csp, "unsafe"));
    }
}

/* Follows src="…" and href="…" of a page, as a browser would. */
static void test_what_pages_load_is_there(void **state)
{
    (void)state;
    const web_asset_t *page = web_asset_find("/");
    if (!page)
        skip();
    char *html = malloc(page->identity.size + 1);
    assert_non_null(html);
    memcpy(html, page->identity.data, page->identity.size);
    html[page->identity.size] = '\0';
    size_t count = 0;
    for (char *at = strstr(html, "\"/assets/"); at; at = strstr(at, "\"/assets/")) {
        char *end = strchr(++at, '"');
        assert_non_null(end);
        *end = '\0';
        const web_asset_t *asset = web_asset_find(at);
        assert_non_null(asset);
        assert_true(asset->immutable);
        assert_int_equal(asset->etag[0], '"');
        assert_int_equal(asset->etag[strlen(asset->etag) - 1], '"');
        assert_true(asset->identity.size > 0);
        if (asset->gzip.data) {
            assert_memory_equal(asset->gzip.data, "\x1f\x8b", 2);
            assert_true(asset->gzip.size < asset->identity.size);
        }
        at = end + 1;
        count++;
    }
    free(html);
    assert_true(count >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_paths_have_no_asset),
        cmocka_unit_test(test_pages_are_whole),
        cmocka_unit_test(test_what_pages_load_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
