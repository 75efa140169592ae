/* gateway/http/operation_metrics.h: requests by type, root fields and outcome, with latencies. The
 * runner's; loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_OPERATION_METRICS_H
#define PARLEY_GATEWAY_HTTP_OPERATION_METRICS_H

#include <stdint.h>

typedef struct operation_metrics operation_metrics_t;

operation_metrics_t *operation_metrics_new(void);
void operation_metrics_destroy(operation_metrics_t **self_p);

/* type: "query" …, or "invalid"; fields: names of the root fields; outcome: "ok" or an error code.
 * All strings but fields are constants; fields is copied. */
void operation_metrics_count(operation_metrics_t *self,
                             const char *type,
                             const char *fields,
                             const char *outcome,
                             int64_t duration_us);

#endif
