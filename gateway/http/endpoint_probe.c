#include "gateway/http/exchange.h"

/* /livez, /readyz and /metrics on the public address. */

enum { PROBE_MAX = 16 * 1024 * 1024 };

bool endpoint_probe(exchange_t *self)
{
    unsigned status;
    const char *content_type;
    buffer_t body = BUFFER_INIT(PROBE_MAX);
    if (!admin_answer(self->target.path, self->options->ready, self->options->ready_arg, &status,
                      &content_type, &body))
        return false;
    self->cors = false;
    if (exchange_is(self, "GET") || exchange_is(self, "HEAD"))
        exchange_reply(self, status, content_type,
                       (json_slice_t){.data = body.data, .size = body.size});
    else
        exchange_reply_method(self, "GET, HEAD");
    buffer_free(&body);
    return true;
}
