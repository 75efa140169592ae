/* gateway/auth/follower.h: asks services, again and again, which sessions have ended and which API
 * keys there are (proto/bus.md 4.5), and tells auth. The service holds the call until there is
 * something to say. Loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_FOLLOWER_H
#define PARLEY_GATEWAY_AUTH_FOLLOWER_H

#include "common/loop.h"
#include "gateway/auth/auth.h"
#include "gateway/bus/services.h"

typedef struct follower follower_t;

/* on_ended: credentials that were good before may be no more (auth_objection says which). What is
 * given outlives self. Never NULL. */
follower_t *follower_new(
    loop_t *loop, services_t *services, auth_t *auth, void (*on_ended)(void *arg), void *arg);

/* Call it when the manifests have changed: follows each service that announces AUTH. */
void follower_update(follower_t *self);

/* Before the services. */
void follower_destroy(follower_t **self_p);

#endif
