/* gateway/http/aws_json.h: errors in AWS's JSON 1.1 protocol, for clients that speak it: they read
 * an error's name from `__type` and know no GraphQL. Pure. */
#ifndef PARLEY_GATEWAY_HTTP_AWS_JSON_H
#define PARLEY_GATEWAY_HTTP_AWS_JSON_H

#include "common/buffer.h"
#include "common/err.h"

#define AWS_JSON_MEDIA "application/x-amz-json-1.1"

/* Appends {"__type", "message"} of an error that the gateway itself makes. */
void aws_json_error_write(buffer_t *out, err_code_t code, const char *message);

#endif
