/* gateway/http/acceptor.h: takes connections from the listening socket and hands them to
 * libmicrohttpd. By itself that takes ten a run, between which it works on all that is ready: in a
 * flood of connections the queue of the listening socket overflows, and who is not in it tries
 * again after a second. Loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_ACCEPTOR_H
#define PARLEY_GATEWAY_HTTP_ACCEPTOR_H

#include "common/loop.h"
#include "common/mhd_loop.h"

typedef struct acceptor acceptor_t;

/* Takes fd, which listens and does not block. daemon was started with MHD_USE_NO_LISTEN_SOCKET and
 * is driven by mhd; both outlive this. */
acceptor_t *acceptor_new(loop_t *loop, int fd, struct MHD_Daemon *daemon, mhd_loop_t *mhd);
/* The port that it listens on. */
unsigned acceptor_port(const acceptor_t *self);
/* Takes who is in the queue already and listens no more. */
void acceptor_close(acceptor_t *self);
/* The same without taking anybody. Accepts NULL in *self_p. */
void acceptor_destroy(acceptor_t **self_p);

#endif
