/* common/list.h: doubly linked lists whose links lie inside the items. A list is a ring through its
 * head; an unlinked node points at itself, so that list_remove is always safe, and whoever removes
 * an item need not know which list it is in. No allocation; any thread that owns the items. */
#ifndef PARLEY_COMMON_LIST_H
#define PARLEY_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list_node list_t;
typedef struct list_node list_node_t;
struct list_node {
    list_node_t *next;
    list_node_t *prev;
};

/* The item of that type around a node that is its member. */
#define LIST_ITEM(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(list_node_t *self)
{
    self->next = self;
    self->prev = self;
}

static inline bool list_is_empty(const list_t *self)
{
    return self->next == self;
}

/* NULL if the list is empty. */
static inline list_node_t *list_first(const list_t *self)
{
    return self->next == self ? NULL : self->next;
}

/* Unlinks the node; a node that is in no list stays so. */
static inline void list_remove(list_node_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The node must be in no list. */
static inline void list_append(list_t *self, list_node_t *node)
{
    node->prev = self->prev;
    node->next = self;
    self->prev->next = node;
    self->prev = node;
}

static inline void list_prepend(list_t *self, list_node_t *node)
{
    list_append(self->next, node);
}

/* Moves all of other behind the last of self, in O(1); other is empty then. */
static inline void list_splice(list_t *self, list_t *other)
{
    if (list_is_empty(other))
        return;
    other->next->prev = self->prev;
    other->prev->next = self;
    self->prev->next = other->next;
    self->prev = other->prev;
    list_init(other);
}

/* The same before the first of self. */
static inline void list_splice_front(list_t *self, list_t *other)
{
    list_splice(self->next, other);
}

#endif
