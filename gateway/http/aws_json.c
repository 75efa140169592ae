#include "gateway/http/aws_json.h"

#include <string.h>

static const char *s_name(err_code_t code)
{
    switch (code) {
    case ERR_BAD_USER_INPUT:
        return "SerializationException";
    case ERR_PAYLOAD_TOO_LARGE:
        return "RequestEntityTooLargeException";
    case ERR_RATE_LIMITED:
        return "TooManyRequestsException";
    case ERR_UNAVAILABLE:
    case ERR_LIMIT_EXCEEDED:
        return "ServiceUnavailableException";
    default:
        return "InternalErrorException";
    }
}

void aws_json_error_write(buffer_t *out, err_code_t code, const char *message)
{
    buffer_printf(out, "{\"__type\":\"%s\",\"message\":", s_name(code));
    buffer_put_json_string(out, message, strlen(message));
    buffer_put_char(out, '}');
}
