/* gateway/realtime/realtime_private.h: what connections and sessions share. Private to
 * gateway/realtime. */
#ifndef PARLEY_GATEWAY_REALTIME_REALTIME_PRIVATE_H
#define PARLEY_GATEWAY_REALTIME_REALTIME_PRIVATE_H

#include "common/list.h"
#include "common/metrics.h"
#include "common/watch.h"
#include "gateway/realtime/conn.h"
#include "gateway/realtime/realtime.h"
#include "gateway/realtime/sender.h"

enum { REALTIME_READ_CHUNK = 64 * 1024, REALTIME_DIALECTS = 5 };

struct realtime {
    realtime_options_t options;
    list_t all;    /* conn_t, open or closing */
    list_t marked; /* conn_t with something to do at the end of this turn */
    list_t ended;  /* conn_t to be freed then */
    bool deferred; /* the end of this turn is asked for */
    size_t count;
    wheel_t wheel;
    loop_timer_t *timer;
    loop_timer_t *drain_timer;
    size_t drain_step;
    watch_t *watch; /* their sockets */
    sender_t *sender;
    session_take_t take; /* behind the piece that was put last */
    buffer_t replies;    /* of the codec */
    char *input;         /* for one recv */
    arena_t *arena;      /* for one message, see message.h */
    struct {
        const dialect_t *dialect;
        metric_t *open;              /* connections that speak it */
    } spoken[REALTIME_DIALECTS + 1]; /* in the order of their first use, then NULL */
    metric_t *subscriptions;
    metric_t *deliveries;
    metric_t *received;
    metric_t *sent_bytes;
};

/* Lets conn_work be called at the end of this turn. */
void realtime_mark(realtime_t *self, conn_t *conn);
/* The connection has ended: counts it, and frees it at the end of this turn. */
void realtime_forget(realtime_t *self, conn_t *conn, const char *reason);
/* Has the credential ended, and the grace after it? */
bool session_has_expired(const identity_t *identity);

#endif
