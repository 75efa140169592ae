/* gateway/bus/call.h: calls under way: their ids, their deadlines and their memory. It knows no
 * socket: services.c sends them and answers them. Loop thread. */
#ifndef PARLEY_GATEWAY_BUS_CALL_H
#define PARLEY_GATEWAY_BUS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/bus_record.h"
#include "common/list.h"
#include "common/table.h"
#include "gateway/bus/services.h"

struct service;
struct instance;
struct call_series;

typedef enum {
    CALL_FAILED,   /* is answered at the end of the turn: it could not be queued */
    CALL_WAITING,  /* no instance is there for it */
    CALL_BUFFERED, /* given to an instance, not yet to ZeroMQ: certainly not executed */
    CALL_SENT,
} call_state_t;

struct service_call {
    list_node_t node; /* in the list that its state says */
    UT_hash_handle hh;
    bus_id_t id;
    call_state_t state;
    bool may_repeat; /* it does no harm to execute it twice under its id */
    bool was_sent;   /* an instance that was lost may have executed it */
    bool is_idle;    /* a long poll: counts for no instance's load */
    bus_verb_t verb;
    uint32_t heap_index;
    int64_t due_ms; /* when the heap gives it out: 50 ms before deadline_ms, or then */
    int64_t deadline_ms;
    int64_t started_us;
    struct calls *calls;
    struct service *service;
    struct instance *instance; /* of BUFFERED and SENT */
    struct call_series *series;
    service_answer_fn fn;
    void *arg;
    buffer_t record;         /* the whole record, kept for a repetition */
    char field[128];         /* to find an instance that serves it; "" for REPLAY and HEADS */
    err_code_t failure_code; /* of FAILED */
    const char *failure;
};

/* All calls of the process: by id, by time, and the unused ones. */
typedef struct calls calls_t;

calls_t *calls_new(void);
/* Calls that are left are freed unanswered. */
void calls_destroy(calls_t **self_p);

/* A call with a new time-ordered id, in no list and without a record; its service_answer_fn and the
 * rest are the caller's to fill in. due_ms places it in the heap. */
service_call_t *calls_add(calls_t *self, int64_t due_ms);
/* Forgets and frees it (its node is unlinked). */
void calls_remove(calls_t *self, service_call_t *call);
/* NULL if the id is unknown (late, repeated, forged). */
service_call_t *calls_find(calls_t *self, const bus_id_t *id);
size_t calls_count(const calls_t *self);

/* The call that is due first, or NULL. */
service_call_t *calls_next_due(const calls_t *self);
void calls_set_due(calls_t *self, service_call_t *call, int64_t due_ms);

#endif
