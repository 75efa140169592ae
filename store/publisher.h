/* store/publisher.h: the store's XPUB socket: events after their commit, and heads (proto/bus.md
 * 7). Owned by main; loop thread only. */
#ifndef PARLEY_STORE_PUBLISHER_H
#define PARLEY_STORE_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "common/bus_socket.h"
#include "common/loop.h"
#include "store/database.h"

typedef struct publisher publisher_t;

/* Binds. database is borrowed. incarnation is copied. NULL and the error of bus_socket_bind. */
publisher_t *publisher_new(loop_t *loop,
                           const char *endpoint,
                           const bus_security_t *security,
                           database_t *database,
                           const char *incarnation,
                           err_t *err);

/* Publishes an event that was committed as seq of its room: type is the mutation's field name,
 * payload the stored object as JSON. Events of a room are given in seq order. Its heads follow, if
 * anybody is subscribed to it. */
void publisher_event(publisher_t *self,
                     const char *room,
                     size_t room_size,
                     uint64_t seq,
                     const char *type,
                     const char *payload,
                     size_t payload_size);

/* The same for an event of kind revoke; it has no type. */
void publisher_revoke(publisher_t *self,
                      const char *room,
                      size_t room_size,
                      uint64_t seq,
                      const char *payload,
                      size_t payload_size);

/* The room's head is to be read and published, if anybody is subscribed to it: he may have missed
 * what is in the log. Now, and again later. */
void publisher_head(publisher_t *self, const char *room, size_t room_size);

/* The database is usable again: what waited for it is done. */
void publisher_on_database_ready(publisher_t *self);

/* Before the database. */
void publisher_stop(publisher_t *self);
void publisher_destroy(publisher_t **self_p, int linger_ms);

#endif
