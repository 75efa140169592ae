/* tests/load/client.h: one graphql-transport-ws subscriber of the load tests, in a few bytes: ten
 * thousand live in one process. Checks that what comes is the log of its room: seq after seq, none
 * missing, none twice. Loop of farm.c only. */
#ifndef PARLEY_LOAD_CLIENT_H
#define PARLEY_LOAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT_CURSOR_SIZE = 34, CLIENT_READ_SIZE = 256 * 1024 };

typedef enum {
    CLIENT_CLOSED,
    CLIENT_UPGRADING,
    CLIENT_ACKNOWLEDGING,
    CLIENT_SUBSCRIBING,
    CLIENT_LIVE /* it got something, or goes on behind its cursor */
} client_phase_t;

typedef struct {
    int fd; /* -1 while closed */
    client_phase_t phase;
    uint32_t room;
    uint64_t seq; /* of what came last; 0: nothing yet */
    char cursor[CLIENT_CURSOR_SIZE + 1];
    bool is_stalled; /* does not read */
    uint16_t code;   /* of the last close frame */
    char *rest;      /* bytes of an incomplete frame */
    size_t rest_size;
} client_t;

/* What all have in common, and what they count. */
typedef struct {
    const char *token, *prefix; /* a room is called prefix-N */
    int port, epoll;
    uint64_t deliveries, wrong, refused, closed;
    /* For each delivery: the client, and the microseconds since its body, a time of clock_mono_us,
     * was written. */
    void (*on_delivery)(const client_t *client, int64_t latency_us);
} client_world_t;

/* Dials, without waiting. number: which of the world's clients it is (it gets one of some source
 * addresses). Behind its cursor if it has one, else with the newest message. Exits if there are no
 * descriptors or ports. */
void client_dial(client_world_t *world, client_t *self, unsigned number);
/* Its socket is writable for the first time: it is connected, or could not be. */
void client_connected(client_world_t *world, client_t *self);
/* Its socket is readable. */
void client_read(client_world_t *world, client_t *self);
void client_close(client_world_t *world, client_t *self);

#endif
