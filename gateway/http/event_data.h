/* gateway/http/event_data.h: JSON as the data of a server-sent event (HTML Standard 9.2.5). Pure.
 */
#ifndef PARLEY_GATEWAY_HTTP_EVENT_DATA_H
#define PARLEY_GATEWAY_HTTP_EVENT_DATA_H

#include <stddef.h>

#include "common/buffer.h"

/* Appends size bytes of JSON. Line ends, which would end the field, become blanks: JSON has them as
 * white space only. */
void event_data_put(buffer_t *out, const char *json, size_t size);

#endif
