/* An HTTP server in a ws_world, and clients that write their requests out. */
#ifndef PARLEY_TESTS_HTTP_WORLD_H
#define PARLEY_TESTS_HTTP_WORLD_H

#include <stddef.h>

#include "gateway/http/server.h"
#include "ws_world.h"

extern ws_world_t http_world;
extern http_server_t *http_world_server;
extern size_t http_world_max_body; /* set before http_world_begin */

/* proxies: those that are trusted. */
void http_world_begin(const char *proxies);
/* A tear-down; what was set before the begin is as it was at first. */
int http_world_end(void **state);

int http_connect(void);
void http_send(int fd, const char *text);
void http_send_bytes(int fd, const void *data, size_t size);
/* What comes until it is `count` whole responses or the end (then "<EOF>" follows). */
const char *http_receive(int fd, int count);
/* One request on a connection of its own, and its answer. */
const char *http_ask(const char *request);
/* The answer begins so, and has that in it. */
void http_gives(const char *request, const char *begins, const char *contains);

#define JSON "Content-Type: application/json\r\n"
#define POST(headers, size, body)                                                                  \
    "POST /graphql HTTP/1.1\r\nHost: x\r\n" headers "Content-Length: " #size "\r\n\r\n" body

#endif
