#include <stdio.h>
#include <string.h>

#include "gateway/http/exchange.h"

/* The chat page, GraphiQL and what they load. */

typedef struct {
    const unsigned char *data;
    size_t size;
    const char *encoding; /* NULL: identity */
} form_t;

static form_t s_choose_form(const exchange_t *self, const web_asset_t *asset)
{
    const char *accept = exchange_header(self, "Accept-Encoding");
    if (asset->brotli.data && http_list_takes(accept, "br"))
        return (form_t){asset->brotli.data, asset->brotli.size, "br"};
    if (asset->gzip.data && http_list_takes(accept, "gzip"))
        return (form_t){asset->gzip.data, asset->gzip.size, "gzip"};
    return (form_t){asset->identity.data, asset->identity.size, NULL};
}

/* Each form has a tag of its own (RFC 9110 8.8.3.3): "hash" → "hash-br". */
static void s_tag(const web_asset_t *asset, const form_t *form, char *tag, size_t size)
{
    size_t length = strlen(asset->etag);
    if (form->encoding && length > 1)
        snprintf(tag, size, "%.*s-%s\"", (int)length - 1, asset->etag, form->encoding);
    else
        snprintf(tag, size, "%s", asset->etag);
}

static bool s_is_known(const exchange_t *self, const char *tag)
{
    const char *known = exchange_header(self, "If-None-Match");
    if (!known)
        return false;
    char weak[200];
    snprintf(weak, sizeof weak, "W/%s", tag);
    return http_list_has(known, "*", true) || http_list_has(known, tag, true) ||
           http_list_has(known, weak, true);
}

static void s_reply(exchange_t *self, const web_asset_t *asset)
{
    form_t form = s_choose_form(self, asset);
    char tag[160];
    s_tag(asset, &form, tag, sizeof tag);
    bool known = s_is_known(self, tag);
    struct MHD_Response *response = exchange_respond(
        self, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, known ? NULL : asset->content_type,
        known ? NULL : form.data, known ? 0 : form.size, true);
    if (response) {
        MHD_add_response_header(response, "ETag", tag);
        MHD_add_response_header(response, "Vary", "Accept-Encoding, Accept");
        MHD_add_response_header(response, "Cache-Control",
                                asset->immutable ? "public, max-age=31536000, immutable"
                                                 : "no-cache");
        MHD_add_response_header(response, "Content-Security-Policy", asset->csp);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        MHD_add_response_header(response, "X-Frame-Options", "DENY");
        MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
        if (form.encoding && !known)
            MHD_add_response_header(response, "Content-Encoding", form.encoding);
    }
    exchange_send(self);
}

bool endpoint_static(exchange_t *self)
{
    const web_asset_t *asset =
        self->options->find_asset ? self->options->find_asset(self->target.path) : NULL;
    if (!asset)
        return false;
    self->cors = false;
    if (exchange_is(self, "GET") || exchange_is(self, "HEAD"))
        s_reply(self, asset);
    else
        exchange_reply_method(self, "GET, HEAD");
    return true;
}
