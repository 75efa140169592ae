/* common/curl_loop.h: libcurl's transfers in the loop (curl_multi with sockets of the loop's). The
 * easy handles are made, set up and freed by their owners; CURLOPT_PRIVATE is ours. One loop
 * thread. */
#ifndef PARLEY_COMMON_CURL_LOOP_H
#define PARLEY_COMMON_CURL_LOOP_H

#include <curl/curl.h>

#include "common/loop.h"

typedef struct curl_loop curl_loop_t;

/* The transfer is over and the handle is its owner's again; called from the loop, never from inside
 * a function of this class. */
typedef void (*curl_done_fn)(void *arg, CURLcode result);

/* Initialises libcurl. Never NULL. */
curl_loop_t *curl_loop_new(loop_t *loop);
/* Every transfer has ended or was cancelled. */
void curl_loop_destroy(curl_loop_t **self_p);

/* Begins a transfer. */
void curl_loop_start(curl_loop_t *self, CURL *easy, curl_done_fn fn, void *arg);
/* Ends one that has begun: fn is not called. */
void curl_loop_cancel(curl_loop_t *self, CURL *easy);

#endif
