#include "feed_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

feed_t *reader_feed;
const char *reader_rights = "";
int reader_stream;
static reader_t *s_readers[2048]; /* of this test, to clean up after a failure */
static size_t s_reader_count;

void reader_take(reader_t *self)
{
    feed_item_t item;
    for (size_t i = 0; self->most == 0 || i < self->most; i++) {
        if (!subscriber_next(self->subscriber, &item))
            return;
        assert_true(self->count < sizeof self->seqs / sizeof self->seqs[0]);
        self->seqs[self->count++] = item.seq;
        snprintf(self->last, sizeof self->last, "%.*s", (int)shared_bytes_size(item.bytes),
                 shared_bytes_data(item.bytes));
        assert_int_equal(strlen(item.cursor), 34);
        assert_non_null(strstr(self->last, item.cursor));
    }
}

static void s_on_active(void *arg)
{
    reader_t *self = arg;
    assert_false(self->is_active || self->is_ended);
    assert_true(subscriber_is_active(self->subscriber));
    self->is_active = true;
}

static void s_on_ready(void *arg)
{
    reader_t *self = arg;
    assert_true(self->is_active);
    self->readies++;
    if (!self->takes_nothing)
        reader_take(self);
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    reader_t *self = arg;
    assert_false(self->is_ended);
    assert_true(strlen(message) > 0);
    self->is_ended = true;
    self->end = code;
    self->subscriber = NULL;
}

static const subscriber_vtable_t s_vtable = {
    .on_active = s_on_active, .on_ready = s_on_ready, .on_end = s_on_end};

/* granted: the head that the service named; -1: it named none. */
void reader_subscribe_at(
    reader_t *self, const char *types, int start, uint64_t value, int granted, const char *sub)
{
    bool is_known = false;
    for (size_t i = 0; i < s_reader_count; i++)
        is_known = is_known || s_readers[i] == self;
    if (!is_known)
        s_readers[s_reader_count++] = self;
    memset(self, 0, sizeof *self);
    gql_execution_t *execution = world_execution(types);
    feed_subscription_t subscription = {.service = "store",
                                        .stream = world.streams[reader_stream].name,
                                        .epoch = world.epoch,
                                        .start_value = value,
                                        .rights = reader_rights,
                                        .has_head = granted >= 0,
                                        .head = granted >= 0 ? (uint64_t)granted : 0,
                                        .handle = "h",
                                        .sub = sub};
    subscription.start = start == FEED_START_AFTER  ? FEED_START_AFTER
                         : start == FEED_START_LAST ? FEED_START_LAST
                                                    : FEED_START_LIVE;
    self->subscriber = feed_subscribe(reader_feed, &subscription, &execution, &s_vtable, self);
    assert_null(execution);
    assert_non_null(self->subscriber);
}

void reader_subscribe(reader_t *self, const char *types, int start, uint64_t value)
{
    reader_subscribe_at(self, types, start, value, -1, NULL);
}

void reader_expect(const reader_t *self, uint64_t from, uint64_t to)
{
    assert_int_equal(self->count, to - from + 1);
    for (size_t i = 0; i < self->count; i++)
        assert_int_equal(self->seqs[i], from + i);
}

int reader_setup(void **state)
{
    (void)state;
    world_open();
    reader_stream = 0;
    reader_feed = world_feed(NULL);
    return 0;
}

int reader_teardown(void **state)
{
    (void)state;
    for (; s_reader_count > 0; s_reader_count--)
        feed_unsubscribe(&s_readers[s_reader_count - 1]->subscriber);
    feed_destroy(&reader_feed);
    world_close();
    return 0;
}
