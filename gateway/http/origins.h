/* gateway/http/origins.h: which web origins may call (the Fetch standard's CORS protocol; the
 * Origin of WebSockets, RFC 6454). Made once from --origins; loop thread. Tokens are never cookies,
 * so credentials mode is never allowed. */
#ifndef PARLEY_GATEWAY_HTTP_ORIGINS_H
#define PARLEY_GATEWAY_HTTP_ORIGINS_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/err.h"

typedef struct origins origins_t;

/* list: "*" or origins separated by commas, "https://chat.example,http://localhost:3000". NULL and
 * ERR_CONFIG if an item is no origin. */
origins_t *origins_new(const char *list, err_t *err);
void origins_destroy(origins_t **self_p);

/* May a page of this origin call? A request without Origin (NULL) comes from no page and may. */
bool origins_allow(const origins_t *self, const char *origin);
/* Does the list name "*"? */
bool origins_allow_all(const origins_t *self);

/* Of the header names that a preflight asks for (NULL: none), those that are allowed, as a comma
 * list, appended to out. */
void origins_allowed_headers(const char *requested, buffer_t *out);

#endif
