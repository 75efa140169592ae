/* common/admin.h: the small HTTP server of each process for probes and metrics: /livez, /readyz,
 * /metrics. */
#ifndef PARLEY_COMMON_ADMIN_H
#define PARLEY_COMMON_ADMIN_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/loop.h"

/* Is the process ready? If not, a short phrase into reason ("database is away"). */
typedef bool (*admin_ready_fn)(void *arg, char *reason, size_t size);

typedef struct admin admin_t;
/* Listens on address ("127.0.0.1:9101"). NULL and ERR_SYSTEM or ERR_CONFIG with the address named.
 */
admin_t *admin_new(loop_t *loop, const char *address, admin_ready_fn ready, void *arg, err_t *err);
void admin_destroy(admin_t **self_p);

/* What /livez, /readyz or /metrics answer, for a server that shows them on another address too.
 * False if path is none of them. status, content_type and body (appended) are the answer. */
bool admin_answer(const char *path,
                  admin_ready_fn ready,
                  void *arg,
                  unsigned *status,
                  const char **content_type,
                  buffer_t *body);

#endif
