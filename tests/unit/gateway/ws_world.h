/* A realtime_t in a loop with fake services and feed, and clients at the other end of real sockets.
 */
#ifndef PARLEY_TESTS_WS_WORLD_H
#define PARLEY_TESTS_WS_WORLD_H

#include "common/loop.h"
#include "fake_bus.h"
#include "gateway/auth/identity.h"
#include "gateway/realtime/realtime.h"

typedef struct {
    loop_t *loop;
    auth_t *auth;
    runner_t *runner;
    realtime_t *realtime;
    rate_options_t limits;     /* set before ws_world_begin; all 0: none */
    sender_mode_t sender_mode; /* the same */
    rate_limits_t *rates;
    size_t most_connections; /* of one address; set before ws_world_begin; 0: any number */
    connection_limits_t *connections;
    identity_t *listener; /* whose the event streams are; borrowed, NULL: nobody's */
} ws_world_t;

/* The schema: Query.hello (@public), Query.secret, Mutation.say (@public), Subscription.heard
 * (@public). The API key is "key". */
void ws_world_begin(ws_world_t *self);
void ws_world_end(ws_world_t *self);

/* Lets everything that is ready happen. */
void ws_world_pump(ws_world_t *self);
/* Both clocks go on by that, and timers have fired. */
void ws_world_sleep(ws_world_t *self, unsigned seconds);

/* A client's end: frames that came are kept as text, "C4400:reason" for a close, "P" for a ping,
 * "EOF" at the end. */
typedef struct {
    int fd;
    char *in; /* not parsed yet */
    size_t in_size;
    char log[64 * 1024];
} ws_client_t;

/* protocols and path as in a handshake; header: query parameter, or NULL. */
void ws_client_open(ws_client_t *self,
                    ws_world_t *world,
                    const char *path,
                    const char *protocols,
                    const char *header);
/* The same for an event stream: raw bytes, no frames. */
void ws_client_open_events(ws_client_t *self,
                           ws_world_t *world,
                           const char *query,
                           const char *last_event_id);
/* One text message, and everything happens that it leads to. */
void ws_client_say(ws_client_t *self, ws_world_t *world, const char *text);
/* One frame of any kind; first byte and payload. */
void ws_client_frame(ws_client_t *self, unsigned first, const void *data, size_t size);
/* What came since the last call, one message a line; borrowed until the next call. Of very much
 * only a part: call again. */
const char *ws_client_hear(ws_client_t *self, ws_world_t *world);
void ws_client_close(ws_client_t *self);

#endif
