/* Services and feed that do what a test tells them to, for tests of the fronts: they stand in for
 * gateway/bus and gateway/feed when linked before them. */
#ifndef PARLEY_TESTS_FAKE_BUS_H
#define PARLEY_TESTS_FAKE_BUS_H

#include "gateway/auth/auth.h"
#include "gateway/bus/services.h"
#include "gateway/feed/feed.h"

enum { FAKE_CALLS_MAX = 1100, FAKE_SUBSCRIBERS_MAX = 512 };

typedef struct {
    bool open; /* not answered, not cancelled */
    char field[64];
    char args[256];
    char identity[256];
    char resume[64];
    int64_t deadline_ms;
    service_answer_fn fn;
    void *arg;
} fake_call_t;

/* All calls since fake_bus_reset, oldest first; cancelled ones stay. */
extern fake_call_t fake_calls[FAKE_CALLS_MAX];
extern size_t fake_call_count;
extern size_t fake_cancelled;

void fake_bus_reset(void);
/* Answers the oldest open call of that field. */
void fake_answer(const char *field, const char *json);
void fake_reject(const char *field, const char *code, const char *message);
/* extensions: a JSON map. */
void fake_reject_with(const char *field,
                      const char *code,
                      const char *message,
                      const char *extensions);

/* The only service's; NULL: none has announced itself. */
extern const service_manifest_t *fake_manifest;

extern subscriber_t *fake_subscribers[FAKE_SUBSCRIBERS_MAX]; /* NULL when they left */
extern size_t fake_subscriber_count;
size_t fake_subscribers_left(void);

void fake_activate(subscriber_t *subscriber);
/* count events more: {"data":{"n":1}} and so on. */
void fake_publish(subscriber_t *subscriber, unsigned count);
/* The last call to this subscriber. */
void fake_end(subscriber_t *subscriber, err_code_t code, const char *message);
/* Events that were taken. */
unsigned fake_taken(const subscriber_t *subscriber);
/* How often a subscriber took what another had taken. */
extern unsigned fake_repeats;

/* As if a key had been withdrawn (fake_auth.c). */
void fake_auth_withdraw(auth_t *self);

#endif
