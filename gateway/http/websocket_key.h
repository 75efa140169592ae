/* gateway/http/websocket_key.h: the key of a WebSocket handshake and its answer (RFC 6455 4.2).
 * Pure. */
#ifndef PARLEY_GATEWAY_HTTP_WEBSOCKET_KEY_H
#define PARLEY_GATEWAY_HTTP_WEBSOCKET_KEY_H

#include <stdbool.h>

enum { WEBSOCKET_ACCEPT_SIZE = 29 };

/* Is it base64 of 16 bytes? NULL is not. */
bool websocket_key_is_valid(const char *key);

/* Sec-WebSocket-Accept for a valid key; 28 characters and a NUL. */
void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_SIZE]);

#endif
