/* gateway/realtime/wheel.h: one timer for many connections: a wheel of one-second slots. Its users
 * embed a node. Loop thread only; seconds are those of the monotonic clock. */
#ifndef PARLEY_GATEWAY_REALTIME_WHEEL_H
#define PARLEY_GATEWAY_REALTIME_WHEEL_H

#include <stdint.h>

#include "common/list.h"

enum { WHEEL_SLOTS = 64 };

typedef struct {
    list_node_t node;
    int64_t due_s;
} wheel_node_t;

typedef struct {
    list_t slots[WHEEL_SLOTS];
    int64_t now_s;
} wheel_t;

void wheel_init(wheel_t *self, int64_t now_s);
void wheel_node_init(wheel_node_t *node);

/* Due at that second, or at the next one if it is not in the future; replaces what was set before.
 */
void wheel_set(wheel_t *self, wheel_node_t *node, int64_t due_s);
void wheel_remove(wheel_node_t *node);

/* Moves on to now_s and calls fn for each node that became due; fn may set or remove any node. */
void wheel_turn(wheel_t *self, int64_t now_s, void (*fn)(void *arg, wheel_node_t *node), void *arg);

#endif
