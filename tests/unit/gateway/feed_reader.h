/* Subscribers of the feed's tests that note what they get, and the feed that they read from. */
#ifndef PARLEY_TESTS_FEED_READER_H
#define PARLEY_TESTS_FEED_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed_world.h"

typedef struct {
    subscriber_t *subscriber; /* NULL before and behind its life */
    bool is_active, is_ended;
    bool takes_nothing; /* a knob: it is told and does not listen */
    size_t readies;
    err_code_t end;
    uint64_t seqs[4096];
    size_t count;
    size_t most; /* a knob: items it takes at a time; 0: all */
    char last[128];
} reader_t;

/* With limits of its own a test ends this one and makes another; reader_teardown ends that. */
extern feed_t *reader_feed;
/* Of the next ones that subscribe: equal ones make a group. */
extern const char *reader_rights;
/* The world's stream that the next ones subscribe to; reader_setup: the first. */
extern int reader_stream;

/* granted: the head that the service named; -1: it named none. */
void reader_subscribe_at(
    reader_t *self, const char *types, int start, uint64_t value, int granted, const char *sub);
void reader_subscribe(reader_t *self, const char *types, int start, uint64_t value);
/* All that there is, or `most`. */
void reader_take(reader_t *self);
/* It has had just these. */
void reader_expect(const reader_t *self, uint64_t from, uint64_t to);

/* A world and a feed for each test. Subscriptions that a failed test leaves end with it. */
int reader_setup(void **state);
int reader_teardown(void **state);
#define READER_TEST(fn) cmocka_unit_test_setup_teardown(fn, reader_setup, reader_teardown)

#endif
