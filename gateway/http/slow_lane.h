/* gateway/http/slow_lane.h: work that takes longer than an ordinary request (a document that nobody
 * has asked for before, introspection), or that one client brings more of than is his in a turn of
 * the loop: done a little in each turn, one client after the other, so that whoever brings much
 * waits for himself and nobody else does. Loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_SLOW_LANE_H
#define PARLEY_GATEWAY_HTTP_SLOW_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/loop.h"

typedef struct slow_lane slow_lane_t;

/* Part of whoever wants something done; his until it runs or is removed. */
typedef struct {
    list_node_t node;
    void (*fn)(void *arg);
    void *arg;
    size_t bytes;
    size_t queue;
    int64_t since_us; /* of clock_mono_us: when it was added */
} slow_job_t;

enum {
    SLOW_LANE_SLICE_US = 2000,           /* of each turn; the job that passes it is the last */
    SLOW_LANE_MAX = 20000,               /* jobs that wait */
    SLOW_LANE_BYTES = 256 * 1024 * 1024, /* what they hold */
    SLOW_LANE_CLIENT_BYTES = 32 * 1024 * 1024, /* the same of one client */
    SLOW_LANE_SHARE = 512,                     /* requests of one client in one turn that pass by */
};

/* Never NULL. patience_us: what has waited so long runs before all else, to say so. */
slow_lane_t *slow_lane_new(loop_t *loop, int64_t patience_us);
/* No job waits any more. */
void slow_lane_destroy(slow_lane_t **self_p);

/* A client has a request: did he have his share of this turn already, so that it is to wait? */
bool slow_lane_claims(slow_lane_t *self, uint64_t client);

/* fn is called once, from the loop, never from inside. client: a key of common/address_key.h;
 * bytes: of memory that is held because it waits. False if too many wait, or hold too much: then
 * nothing happens (counted). */
bool slow_lane_add(slow_lane_t *self,
                   slow_job_t *job,
                   uint64_t client,
                   size_t bytes,
                   void (*fn)(void *arg),
                   void *arg);
/* It waits and is not to run. */
void slow_lane_remove(slow_lane_t *self, slow_job_t *job);

#endif
