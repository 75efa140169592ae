/* A world for the feed's tests in virtual time: it stands in for the loop, the bus and the engine
 * (it defines their functions). A model log of each stream; instances that publish what they
 * commit, whose frames and answers travel only when a test lets them. */
#ifndef PARLEY_TESTS_FEED_WORLD_H
#define PARLEY_TESTS_FEED_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/feed/feed.h"

enum { WORLD_INSTANCES = 3, WORLD_STREAMS = 3, WORLD_TYPES = 3 };

typedef struct {
    char type; /* 'a' …; 'R': revoke of handle `who`; 'S': of the sub `who` */
    char who;
} world_event_t;

typedef struct {
    char name[32];
    world_event_t *events; /* seq 1 is events[0] */
    uint64_t head;
    uint64_t first; /* kept */
    size_t capacity;
    size_t uses; /* of the topic */
} world_stream_t;

typedef struct {
    int stream;
    bool is_head;
    uint64_t seq;
    world_event_t event;
    char epoch[17];
} world_frame_t;

typedef struct {
    bool is_up;
    bool is_mute;                   /* surfaces no subscriptions: sends no heads … */
    bool is_mute_of[WORLD_STREAMS]; /* … or none of this stream */
    world_frame_t frames[4096];
    size_t frame_count;
    bool knows[WORLD_STREAMS];        /* the subscription has surfaced */
    unsigned surfaces[WORLD_STREAMS]; /* subscriptions and pokes on their way */
} world_instance_t;

typedef struct {
    world_stream_t streams[WORLD_STREAMS];
    world_instance_t instances[WORLD_INSTANCES];
    char epoch[17];
    char announced[17]; /* by the manifest; "" for none */
    /* Knobs. */
    unsigned cut;           /* REPLAY gives at most so many events; 0: as many as asked for */
    const char *fails_with; /* answers are this error; NULL: none */
    bool gives_rubbish;
    bool holds_calls; /* the service of fields below the root is away */
    uint32_t holes;   /* calls that one event needs, if its execution does; 1 */
    size_t padding;   /* bytes more of each rendering */
    /* Counts. */
    size_t replays, heads, settled, pokes, reconnects, renders, trims, turns;
    size_t calls, calls_under_way, calls_most;
} world_t;

extern world_t world;

void world_open(void);
void world_close(void);
feed_t *world_feed(const feed_limits_t *limits);

/* One turn of the loop. True if there may be more to do without time passing. */
bool world_turn(void);
/* Turns until nothing is left to do (at most `most` turns). */
void world_settle(int most);
/* Time passes in steps of at most 5 ms, with turns and timers between. */
void world_pass(int ms);
int64_t world_now_ms(void);

/* Commits an event; instance publishes it (-1: none does). */
uint64_t world_commit(int stream, char type, char who, int instance);
/* So many of the first stream, of nobody. */
void world_commit_some(int count, char type, int instance);
void world_set_up(int instance, bool up);
/* The instance sees the topics that have reached it and answers with heads. */
void world_surface(int instance);
/* Delivers the frame at index of the instance's queue (0: the next). */
void world_deliver(int instance, size_t index, bool keep);
void world_publish_head(int instance, int stream, uint64_t seq);
/* The oldest request is answered; false if there is none. */
size_t world_request_count(void);
bool world_answer(size_t index);
/* Surfaces, delivers and answers everything, turns between. */
void world_flow(void);
/* A manifest changed. */
void world_tell_change(void);

/* An execution that takes events whose type is in `types`; if they begin with '@', rendering them
 * needs calls. */
gql_execution_t *world_execution(const char *types);
size_t world_executions(void);

/* ---- for the parts of the world: feed_world*.c ---- */

void world_open_loop(void);
/* Nothing of it is in use. */
bool world_loop_is_empty(void);
/* Calls that nobody answers end 50 ms before their deadline. */
void world_end_calls(void);

#endif
