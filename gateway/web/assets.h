/* gateway/web/assets.h: the chat page, GraphiQL and what they load, compiled into the gateway.
 * Everything here is constant and lives as long as the program; any thread may read it. */
#ifndef PARLEY_GATEWAY_WEB_ASSETS_H
#define PARLEY_GATEWAY_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    /* "/" (the chat page), "/graphiql" (what /graphql shows to browsers), "/favicon.ico",
     * "/assets/<name>-<hash>.<extension>". */
    const char *path;
    const char *content_type;
    /* Strong entity tag of the identity form, with its quotes. RFC 9110 8.8.3.3 wants another tag
     * for each encoding: whoever sends a compressed form makes one from this. */
    const char *etag;
    /* The content of this path never changes: "Cache-Control: public, max-age=31536000, immutable".
     * All others are to be revalidated on each use ("no-cache"). */
    bool immutable;
    /* The bytes, and their compressed forms; {NULL, 0} where compression does not pay. */
    struct {
        const unsigned char *data;
        size_t size;
    } identity, gzip, brotli;
    /* The value of Content-Security-Policy to send along; never NULL. */
    const char *csp;
} web_asset_t;

/* The asset of this path (NUL-terminated, exact match, no query string); NULL if there is none, as
 * for every path in a build without web pages (PARLEY_WEB=OFF). */
const web_asset_t *web_asset_find(const char *path);

#endif
