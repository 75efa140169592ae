/* The feed against a model: whatever the bus does (loses, repeats, swaps and delays frames, loses
 * instances, fails or cuts answers), each subscriber sees exactly the log from its start on, in
 * order, and what ends ends for a reason. Seeded; PARLEY_SEED and PARLEY_ROUNDS choose others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "feed_world.h"

enum { READERS = 60, STEPS = 2500, ROUNDS = 12 };

typedef struct {
    subscriber_t *subscriber; /* NULL: free */
    int stream;
    char types[5];
    char handle;
    char sub; /* ' ': none */
    bool has_head;
    uint64_t granted; /* if has_head; else 0 */
    int start;
    uint64_t value;
    uint64_t head_at_subscribe, head_at_active;
    int64_t since_ms;
    bool is_active;
    bool is_stalled;
    uint64_t position; /* all up to here that it takes were seen */
    bool has_position; /* a live one has none before its first event */
    size_t count;
    unsigned generation; /* of the logs, when it subscribed */
} reader_t;

static uint64_t s_random_state;
static feed_t *s_feed;
static reader_t s_readers[READERS];
static unsigned s_generation; /* grows when the logs go back or their epoch changes */
static size_t s_seen, s_expired, s_revoked, s_unavailable, s_active, s_lacking;

static uint32_t s_random(uint32_t below)
{
    s_random_state ^= s_random_state << 13;
    s_random_state ^= s_random_state >> 7;
    s_random_state ^= s_random_state << 17;
    return (uint32_t)((s_random_state >> 16) % below);
}

static bool s_chance(uint32_t percent)
{
    return s_random(100) < percent;
}

static bool s_takes(const reader_t *self, world_event_t event)
{
    return event.type != 'R' && event.type != 'S' && strchr(self->types, event.type) != NULL;
}

static world_event_t s_event(const reader_t *self, uint64_t seq)
{
    return world.streams[self->stream].events[seq - 1];
}

/* Does it end his rights? */
static bool s_is_his_end(const reader_t *self, uint64_t seq)
{
    world_event_t event = s_event(self, seq);
    return seq > self->granted && ((event.type == 'R' && event.who == self->handle) ||
                                   (event.type == 'S' && event.who == self->sub));
}

/* The number of events in (after, to] that it takes. */
static uint64_t s_count_taken(const reader_t *self, uint64_t after, uint64_t to)
{
    uint64_t count = 0;
    for (uint64_t seq = after + 1; seq <= to; seq++)
        count += s_takes(self, s_event(self, seq));
    return count;
}

/* A live or last one's first event: is its start where it must be? */
static void s_check_start(const reader_t *self, uint64_t first_seen)
{
    if (self->start == FEED_START_LIVE) {
        /* Nothing that was committed after the acknowledgement is missing, and nothing comes that
         * was committed before it was asked for. */
        uint64_t start = self->has_head ? self->granted : self->head_at_active;
        if (first_seen > start)
            assert_int_equal(s_count_taken(self, start, first_seen - 1), 0);
        assert_true(first_seen > (self->has_head ? self->granted : self->head_at_subscribe));
        return;
    }
    uint64_t last = self->value;
    uint64_t all = s_count_taken(self, 0, self->head_at_active);
    uint64_t upto = first_seen - 1;
    /* It may be some more: what was committed and is still on its way counts as not there yet. */
    assert_true(s_count_taken(self, upto, self->head_at_active) >= (all < last ? all : last) ||
                world.streams[self->stream].first > 1);
}

/* What services gave for him, or why they did not. */
static void s_check_calls(const reader_t *self, const char *got)
{
    bool needs_calls = self->types[0] == '@';
    char own[3] = {' ', self->handle, '\0'};
    if (strcmp(got, needs_calls ? own : "") == 0)
        return;
    assert_true(needs_calls);
    assert_true(strcmp(got, " !UNAVAILABLE") == 0 || strcmp(got, " !TIMEOUT") == 0);
    s_lacking++;
}

/* Nothing beyond the end of his rights. */
static void s_check_rights(const reader_t *self, uint64_t seq)
{
    uint64_t from = self->has_position ? self->position : self->granted;
    if (self->generation != s_generation || (!self->has_position && !self->has_head))
        return;
    for (uint64_t i = from < self->granted ? self->granted + 1 : from + 1; i < seq; i++)
        if (s_is_his_end(self, i))
            fail_msg("%" PRIu64 " came although his rights ended at %" PRIu64, seq, i);
}

static void s_check_item(reader_t *self, const feed_item_t *item)
{
    assert_true(self->generation == s_generation || item->seq <= world.streams[self->stream].head);
    assert_true(item->seq >= 1);
    if (self->generation == s_generation) {
        assert_true(item->seq <= world.streams[self->stream].head);
        assert_true(s_takes(self, s_event(self, item->seq)));
        if (!self->has_position)
            s_check_start(self, item->seq);
        else if (s_count_taken(self, self->position, item->seq - 1) != 0)
            fail_msg("after %" PRIu64 " came %" PRIu64, self->position, item->seq);
    }
    assert_true(!self->has_position || item->seq > self->position);
    s_check_rights(self, item->seq);
    char expected[96], got[128];
    size_t size =
        (size_t)snprintf(expected, sizeof expected, "%s {\"stream\":%d,\"seq\":%" PRIu64 "} %s",
                         self->types, self->stream, item->seq, item->cursor);
    snprintf(got, sizeof got, "%.*s", (int)shared_bytes_size(item->bytes),
             shared_bytes_data(item->bytes));
    assert_memory_equal(expected, got, size);
    s_check_calls(self, got + size);
    self->position = item->seq;
    self->has_position = true;
    self->count++;
    s_seen++;
}

static void s_take(reader_t *self)
{
    feed_item_t item;
    uint32_t most = self->is_stalled ? s_random(3) : 1000000;
    for (uint32_t i = 0; i < most; i++) {
        if (!subscriber_next(self->subscriber, &item))
            return;
        s_check_item(self, &item);
    }
}

static void s_on_active(void *arg)
{
    reader_t *self = arg;
    assert_false(self->is_active);
    self->is_active = true;
    self->head_at_active = world.streams[self->stream].head;
    s_active++;
    if (s_chance(2))
        feed_unsubscribe(&self->subscriber);
    else if (s_chance(5))
        s_take(self);
}

static void s_on_ready(void *arg)
{
    reader_t *self = arg;
    assert_true(self->is_active);
    s_take(self);
    if (s_chance(1))
        feed_unsubscribe(&self->subscriber);
    else if (s_chance(2))
        subscriber_again(self->subscriber);
}

/* Has a revoke of his handle been reached? */
static void s_check_revoked(const reader_t *self)
{
    if (self->generation != s_generation)
        return;
    uint64_t seq = self->has_position ? self->position : 0;
    for (; seq < world.streams[self->stream].head; seq++) {
        if (s_is_his_end(self, seq + 1))
            return;
        if (self->has_position && s_takes(self, s_event(self, seq + 1)))
            fail_msg("revoked before %" PRIu64 " was taken", seq + 1);
    }
    fail_msg("revoked without a cause");
}

static void s_on_end(void *arg, err_code_t code, const char *message)
{
    reader_t *self = arg;
    (void)message;
    self->subscriber = NULL;
    switch (code) {
    case ERR_CURSOR_EXPIRED: {
        bool is_future = self->start == FEED_START_AFTER && self->value > self->head_at_subscribe;
        uint64_t first = world.streams[self->stream].first;
        bool is_pruned = first > 1 && (!self->has_position || self->position + 1 < first);
        if (self->generation == s_generation && !is_future && !is_pruned)
            fail_msg("expired without a cause at %" PRIu64 " of %" PRIu64 " … %" PRIu64
                     " start %d value %" PRIu64 " active %d pos %d",
                     self->position, first, world.streams[self->stream].head, self->start,
                     self->value, self->is_active, self->has_position);
        s_expired++;
        break;
    }
    case ERR_FORBIDDEN:
        s_check_revoked(self);
        s_revoked++;
        break;
    case ERR_UNAVAILABLE:
        assert_false(self->is_active);
        assert_true(world_now_ms() - self->since_ms >= 9000);
        s_unavailable++;
        break;
    default:
        fail_msg("ended with %s", err_code_name(code));
    }
}

static const subscriber_vtable_t s_vtable = {
    .on_active = s_on_active, .on_ready = s_on_ready, .on_end = s_on_end};

/* Some services say at which head they looked at his rights: now, or a little before. */
static void s_grant(reader_t *self, feed_subscription_t *subscription)
{
    const world_stream_t *stream = &world.streams[self->stream];
    uint64_t least = subscription->start == FEED_START_AFTER ? self->value : stream->first - 1;
    if (s_chance(50) || least > stream->head)
        return;
    self->has_head = true;
    self->granted = stream->head;
    for (uint32_t i = s_random(4); i > 0 && self->granted > least; i--)
        self->granted--;
    subscription->has_head = true;
    subscription->head = self->granted;
}

static void s_subscribe(reader_t *self)
{
    static const char *const types[] = {"a", "b", "ab", "c", "abc", "@ab", "@abc"};
    memset(self, 0, sizeof *self);
    self->stream = (int)s_random(WORLD_STREAMS);
    snprintf(self->types, sizeof self->types, "%s", types[s_random(7)]);
    self->handle = (char)('h' + s_random(4));
    self->sub = s_chance(50) ? ' ' : (char)('0' + s_random(4));
    const world_stream_t *stream = &world.streams[self->stream];
    self->head_at_subscribe = stream->head;
    self->since_ms = world_now_ms();
    self->generation = s_generation;
    feed_subscription_t subscription = {
        .service = "store", .stream = stream->name, .epoch = world.epoch, .rights = ""};
    char handle[2] = {self->handle, '\0'}, sub[2] = {self->sub, '\0'};
    subscription.handle = handle;
    subscription.identity = (json_slice_t){handle, 1};
    subscription.sub = self->sub != ' ' ? sub : NULL;
    switch (s_random(4)) {
    case 0:
    case 1:
        subscription.start = FEED_START_AFTER;
        self->value = stream->first - 1 + s_random((uint32_t)(stream->head - stream->first + 2));
        if (s_chance(5))
            self->value = stream->head + s_random(3);
        self->position = self->value;
        self->has_position = true;
        break;
    case 2:
        subscription.start = FEED_START_LAST;
        self->value = s_random(2) == 0 ? s_random(20) : s_random(1500);
        break;
    default:
        subscription.start = FEED_START_LIVE;
        break;
    }
    s_grant(self, &subscription);
    self->start = (int)subscription.start;
    if (subscription.start == FEED_START_LAST && self->value == 0)
        self->start = FEED_START_LIVE;
    subscription.start_value = self->value;
    gql_execution_t *execution = world_execution(self->types);
    self->subscriber = feed_subscribe(s_feed, &subscription, &execution, &s_vtable, self);
}

static int s_some_instance(void)
{
    return (int)s_random(WORLD_INSTANCES);
}

static void s_commit_revoke(int stream, int instance)
{
    if (s_chance(50))
        world_commit(stream, 'R', (char)('h' + s_random(4)), instance);
    else
        world_commit(stream, 'S', (char)('0' + s_random(4)), instance);
}

static void s_commit_some(void)
{
    int stream = (int)s_random(WORLD_STREAMS);
    int instance = s_chance(8) ? -1 : s_some_instance(); /* killed before it published */
    for (uint32_t i = s_random(s_chance(5) ? 200 : 6); i > 0; i--) {
        if (s_chance(1) && s_chance(30))
            s_commit_revoke(stream, instance);
        else
            world_commit(stream, (char)('a' + s_random(100) / 45), ' ', instance);
    }
    if (s_chance(70)) /* heads follow activity */
        world_publish_head(s_some_instance(), stream, world.streams[stream].head);
}

static void s_deliver_some(int instance)
{
    world_instance_t *self = &world.instances[instance];
    for (uint32_t i = s_random(30); i > 0 && self->frame_count > 0; i--) {
        if (s_chance(3)) { /* lost */
            memmove(&self->frames[0], &self->frames[1],
                    --self->frame_count * sizeof self->frames[0]);
            continue;
        }
        size_t index = s_chance(5) ? s_random((uint32_t)self->frame_count) : 0;
        world_deliver(instance, index, s_chance(5));
    }
}

static void s_step(bool has_faults)
{
    switch (s_random(12)) {
    case 0:
    case 1:
        s_commit_some();
        break;
    case 2:
    case 3:
        s_deliver_some(s_some_instance());
        break;
    case 4:
        world_surface(s_some_instance());
        break;
    case 5:
        world_answer(s_random(3));
        break;
    case 6:
        if (has_faults && s_chance(20))
            world_set_up(s_some_instance(), s_chance(70));
        if (has_faults && s_chance(10))
            world.instances[s_some_instance()].is_mute = s_chance(40);
        break;
    case 7:
        world_pass((int)s_random(s_chance(10) ? 1500 : 30));
        break;
    case 8: {
        reader_t *reader = &s_readers[s_random(READERS)];
        if (reader->subscriber == NULL)
            s_subscribe(reader);
        else if (s_chance(5))
            feed_unsubscribe(&reader->subscriber);
        break;
    }
    case 9: {
        reader_t *reader = &s_readers[s_random(READERS)];
        if (s_chance(30))
            reader->is_stalled = s_chance(50);
        if (reader->subscriber != NULL && reader->is_active)
            s_take(reader); /* writable */
        break;
    }
    case 10:
        if (has_faults) {
            world.holds_calls = s_chance(20);
            world.fails_with = s_chance(20) ? (s_chance(50) ? "UNAVAILABLE" : "TIMEOUT") : NULL;
            world.gives_rubbish = s_chance(5);
            world.cut = s_chance(30) ? 1 + s_random(50) : 0;
        }
        break;
    default:
        world_turn();
        break;
    }
}

static void s_prune(void)
{
    world_stream_t *stream = &world.streams[s_random(WORLD_STREAMS)];
    if (stream->head > stream->first + 20)
        stream->first += s_random(20);
}

static void s_go_back_or_renew(void)
{
    s_generation++;
    if (s_chance(50)) {
        snprintf(world.epoch, sizeof world.epoch, "%016x", s_generation);
        snprintf(world.announced, sizeof world.announced, "%s", world.epoch);
    } else {
        for (int i = 0; i < WORLD_STREAMS; i++) {
            uint64_t head = world.streams[i].head;
            uint64_t back = head / 2 + 1;
            if (head > back && back >= world.streams[i].first)
                world.streams[i].head = back;
        }
    }
    for (int i = 0; i < WORLD_INSTANCES; i++)
        world.instances[i].frame_count = 0;
    /* The model lets go of all: whoever is left must end or be consistent with the new logs, which
     * only those of the new generation can be checked for. */
    for (int i = 0; i < READERS; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    world_tell_change();
    for (int i = 0; i < 2; i++) { /* nobody asks for them any more, and they are forgotten */
        world_flow();
        world_pass(40000);
    }
    world_flow();
}

/* Faults end; everybody reads: all must have everything. */
static void s_heal(void)
{
    world.fails_with = NULL;
    world.holds_calls = false;
    world.gives_rubbish = false;
    world.cut = 0;
    for (int i = 0; i < WORLD_INSTANCES; i++) {
        world.instances[i].is_mute = false;
        world_set_up(i, true);
    }
    for (int i = 0; i < READERS; i++) {
        s_readers[i].is_stalled = false;
        if (s_readers[i].subscriber != NULL && s_readers[i].is_active)
            s_take(&s_readers[i]);
    }
    for (int round = 0; round < 60; round++) {
        if (round == 5)
            for (int i = 0; i < WORLD_STREAMS; i++)
                world_publish_head(0, i, world.streams[i].head);
        world_flow();
        world_pass(100);
        for (int i = 0; i < READERS; i++)
            if (s_readers[i].subscriber != NULL && s_readers[i].is_active)
                s_take(&s_readers[i]);
    }
    for (int i = 0; i < READERS; i++) {
        const reader_t *reader = &s_readers[i];
        if (reader->subscriber == NULL)
            continue;
        uint64_t head = world.streams[reader->stream].head;
        assert_true(reader->is_active);
        uint64_t from = reader->has_position ? reader->position : reader->head_at_active;
        if (s_count_taken(reader, from, head) != 0)
            fail_msg("reader %d of %s stands at %" PRIu64 " of %" PRIu64, i, reader->types, from,
                     head);
        if (!reader->has_position && reader->start == FEED_START_LAST)
            assert_true(s_count_taken(reader, 0, head) == 0 || reader->value == 0 ||
                        world.streams[reader->stream].first > 1);
    }
}

static void s_round(uint64_t seed)
{
    s_random_state = seed * 0x9E3779B97F4A7C15u + 1;
    s_generation = 0;
    memset(s_readers, 0, sizeof s_readers);
    world_open();
    feed_limits_t limits = FEED_LIMITS_DEFAULT;
    limits.ring_events = s_chance(50) ? 1024 : 8 + s_random(64);
    limits.ring_bytes = s_chance(70) ? limits.ring_bytes : 2000;
    limits.slice = 1 + s_random(64);
    limits.rest_each_us = s_chance(50) ? 0 : 4000;
    s_feed = world_feed(&limits);
    for (int i = 0; i < WORLD_INSTANCES; i++)
        world_set_up(i, s_chance(80));
    for (int step = 0; step < STEPS; step++) {
        s_step(true);
        if (s_chance(1) && s_chance(20))
            s_prune();
        if (s_chance(1) && s_chance(5))
            s_go_back_or_renew();
        if (s_chance(1) && s_chance(40))
            s_heal();
    }
    s_heal();
    for (int i = 0; i < READERS; i++)
        feed_unsubscribe(&s_readers[i].subscriber);
    feed_destroy(&s_feed);
    world_close();
}

static uint64_t s_setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static void s_test_model(void **state)
{
    (void)state;
    uint64_t seed = s_setting("PARLEY_SEED", 1), rounds = s_setting("PARLEY_ROUNDS", ROUNDS);
    for (uint64_t i = 0; i < rounds; i++) {
        fprintf(stderr, "seed %" PRIu64 "\n", seed + i);
        s_round(seed + i);
    }
    fprintf(stderr,
            "%zu active, %zu events seen (%zu without what a service gives), ended: %zu expired, "
            "%zu revoked, %zu unavailable\n",
            s_active, s_seen, s_lacking, s_expired, s_revoked, s_unavailable);
    assert_true(s_seen > 1000 && s_active > 100 && s_revoked > 0 && s_expired > 0 && s_lacking > 0);
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {cmocka_unit_test(s_test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
