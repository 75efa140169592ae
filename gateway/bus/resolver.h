/* gateway/bus/resolver.h: the addresses of one host name, looked up again every 3 s in libuv's
 * thread pool. Loop thread. */
#ifndef PARLEY_GATEWAY_BUS_RESOLVER_H
#define PARLEY_GATEWAY_BUS_RESOLVER_H

#include <stddef.h>

#include "common/loop.h"

typedef struct resolver resolver_t;

/* All addresses as text ("10.0.0.7", "fd00::7"), each once, at every look-up that succeeded;
 * borrowed for the call. A look-up that failed is told by count 0 and a phrase: keep what there is.
 */
typedef void (*resolver_fn)(void *arg,
                            const char *const *addresses,
                            size_t count,
                            const char *failure);

/* Looks up at once. host is copied. */
resolver_t *resolver_new(loop_t *loop, const char *host, resolver_fn fn, void *arg);
/* A look-up under way is waited for by the loop, fn is not called any more. */
void resolver_destroy(resolver_t **self_p);

#endif
