/* gateway/http/negotiate.h: what the client sent and what it takes (RFC 9110 8.3, 12.5; GraphQL
 * over HTTP). Pure; header values are NUL-terminated, NULL if absent. */
#ifndef PARLEY_GATEWAY_HTTP_NEGOTIATE_H
#define PARLEY_GATEWAY_HTTP_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    HTTP_MEDIA_NONE,             /* nothing that we could send: 406 */
    HTTP_MEDIA_JSON,             /* application/json */
    HTTP_MEDIA_GRAPHQL_RESPONSE, /* application/graphql-response+json */
    HTTP_MEDIA_EVENT_STREAM,     /* text/event-stream and nothing else of ours */
    HTTP_MEDIA_HTML,             /* text/html is named and no JSON before it */
} http_media_t;

typedef struct {
    http_media_t media;
    bool event_stream; /* text/event-stream is named, maybe beside JSON */
} http_accept_t;

/* Reads an Accept header. Wildcards stand for application/json only; text/html and
 * text/event-stream count where they are named. */
http_accept_t http_negotiate(const char *accept);

/* Its name for Content-Type, with the charset. */
const char *http_media_name(http_media_t media);

typedef enum {
    HTTP_CONTENT_OK,
    HTTP_CONTENT_MISSING,
    HTTP_CONTENT_TYPE_UNKNOWN,
    HTTP_CONTENT_CHARSET_UNKNOWN,
} http_content_t;

/* Is this Content-Type application/json in UTF-8? */
http_content_t http_content_is_json(const char *content_type);

/* Does the list (like Accept-Encoding: "gzip;q=0.5, br") take token, by name, with q > 0? */
bool http_list_takes(const char *list, const char *token);

/* Does the list of tokens or entity tags (Connection, If-None-Match …) hold token? Case counts only
 * if case_counts. */
bool http_list_has(const char *list, const char *token, bool case_counts);

#endif
