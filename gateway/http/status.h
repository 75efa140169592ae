/* gateway/http/status.h: which HTTP status a GraphQL response goes out with (GraphQL over HTTP,
 * Status Codes). Pure. */
#ifndef PARLEY_GATEWAY_HTTP_STATUS_H
#define PARLEY_GATEWAY_HTTP_STATUS_H

#include <stdbool.h>

#include "common/err.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/operation.h"

/* Two generations of the draft. */
typedef enum {
    HTTP_STATUS_2025, /* what most clients and the audits of graphql-http expect */
    HTTP_STATUS_2026, /* 294 for partial success; 400, 422 … by the kind of the error */
} http_status_draft_t;

/* False if there is no draft of that name. */
bool http_status_parse(const char *name, http_status_draft_t *draft);

/* The status of a whole response. media: what the client wants; code: of the first error, ERR_OK if
 * there is none. */
unsigned http_status_of(http_status_draft_t draft,
                        http_media_t media,
                        operation_verdict_t verdict,
                        err_code_t code);

/* The status for a request out of which no GraphQL request could be read. */
unsigned http_status_of_malformed(http_status_draft_t draft, bool is_json);

/* The media type of a response with that status: the draft of 2026 has one for errors, whatever
 * JSON the client wants. */
http_media_t http_status_media(http_status_draft_t draft, http_media_t wanted, unsigned status);

#endif
