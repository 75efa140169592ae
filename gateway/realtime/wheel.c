#include "gateway/realtime/wheel.h"

void wheel_init(wheel_t *self, int64_t now_s)
{
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&self->slots[i]);
    self->now_s = now_s;
}

void wheel_node_init(wheel_node_t *node)
{
    list_init(&node->node);
    node->due_s = 0;
}

static list_t *s_slot(wheel_t *self, int64_t second)
{
    return &self->slots[(uint64_t)second % WHEEL_SLOTS];
}

void wheel_set(wheel_t *self, wheel_node_t *node, int64_t due_s)
{
    list_remove(&node->node);
    node->due_s = due_s > self->now_s ? due_s : self->now_s + 1;
    list_append(s_slot(self, node->due_s), &node->node);
}

void wheel_remove(wheel_node_t *node)
{
    list_remove(&node->node);
}

void wheel_turn(wheel_t *self, int64_t now_s, void (*fn)(void *arg, wheel_node_t *node), void *arg)
{
    while (self->now_s < now_s) {
        if (now_s - self->now_s > WHEEL_SLOTS)
            self->now_s = now_s - WHEEL_SLOTS; /* each slot once is enough */
        self->now_s++;
        list_t due;
        list_init(&due);
        list_splice(&due, s_slot(self, self->now_s));
        while (!list_is_empty(&due)) {
            wheel_node_t *node = LIST_ITEM(list_first(&due), wheel_node_t, node);
            list_remove(&node->node);
            if (node->due_s > self->now_s)
                list_append(s_slot(self, node->due_s), &node->node); /* of a later turn */
            else
                fn(arg, node);
        }
    }
}
