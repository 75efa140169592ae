#include "gateway/http/slow_lane.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/metrics.h"

enum {
    QUEUES = 256, /* clients share one by chance; the keys are secret */
    SHARES = 4096,
    LOOK_US = 50000, /* how often is looked for those that have waited too long */
};

/* What a client had in his last turn. */
typedef struct {
    uint64_t turn;
    uint64_t count;
} share_t;

struct slow_lane {
    loop_t *loop;
    list_t queues[QUEUES]; /* slow_job_t, oldest first */
    size_t queue_bytes[QUEUES], bytes;
    int64_t patience_us, look_us; /* of clock_mono_us: when is looked for late ones again */
    size_t turn;                  /* the queue that is next */
    size_t count;
    bool is_due; /* in the next turn */
    share_t shares[SHARES];
    metric_t *waiting, *refused;
};

static void s_put(slow_lane_t *self, slow_job_t *job)
{
    list_append(&self->queues[job->queue], &job->node);
    self->queue_bytes[job->queue] += job->bytes;
    self->bytes += job->bytes;
    self->count++;
    metric_add(self->waiting, 1);
}

void slow_lane_remove(slow_lane_t *self, slow_job_t *job)
{
    list_remove(&job->node);
    self->queue_bytes[job->queue] -= job->bytes;
    self->bytes -= job->bytes;
    self->count--;
    metric_add(self->waiting, -1);
}

/* The next client's first job; there is one. */
static slow_job_t *s_take(slow_lane_t *self)
{
    while (list_is_empty(&self->queues[self->turn]))
        self->turn = (self->turn + 1) % QUEUES;
    slow_job_t *job = LIST_ITEM(list_first(&self->queues[self->turn]), slow_job_t, node);
    self->turn = (self->turn + 1) % QUEUES;
    slow_lane_remove(self, job);
    return job;
}

/* Those that have waited too long: the first ones of their queues. Ends with the slice. */
static void s_run_late(slow_lane_t *self, int64_t until_us)
{
    int64_t now_us = clock_mono_us();
    if (now_us < self->look_us)
        return;
    for (size_t i = 0; i < QUEUES; i++)
        while (!list_is_empty(&self->queues[i])) {
            slow_job_t *job = LIST_ITEM(list_first(&self->queues[i]), slow_job_t, node);
            if (job->since_us + self->patience_us > now_us)
                break;
            if (clock_mono_us() >= until_us)
                return; /* and looks again in the next turn */
            slow_lane_remove(self, job);
            job->fn(job->arg);
        }
    self->look_us = now_us + LOOK_US;
}

static void s_run(void *arg)
{
    slow_lane_t *self = arg;
    int64_t until_us = clock_mono_us() + SLOW_LANE_SLICE_US;
    s_run_late(self, until_us);
    while (self->count > 0 && clock_mono_us() < until_us) {
        slow_job_t *job = s_take(self);
        job->fn(job->arg);
    }
    self->is_due = self->count > 0;
    if (self->is_due)
        loop_next_turn(self->loop, s_run, self);
}

slow_lane_t *slow_lane_new(loop_t *loop, int64_t patience_us)
{
    slow_lane_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->patience_us = patience_us;
    for (size_t i = 0; i < QUEUES; i++)
        list_init(&self->queues[i]);
    self->waiting = metrics_gauge("parley_slow_lane_waiting",
                                  "Requests that wait for their turn in the slow lane.", NULL);
    self->refused = metrics_counter("parley_slow_lane_refused_total",
                                    "Requests refused because too many waited there.", NULL);
    return self;
}

void slow_lane_destroy(slow_lane_t **self_p)
{
    slow_lane_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_defer_cancel(self->loop, s_run, self);
    free(self);
}

bool slow_lane_claims(slow_lane_t *self, uint64_t client)
{
    share_t *share = &self->shares[client / QUEUES % SHARES];
    uint64_t turn = loop_turn(self->loop);
    if (share->turn != turn)
        *share = (share_t){.turn = turn};
    return ++share->count > SLOW_LANE_SHARE;
}

/* One of any size finds room where nothing else waits. */
static bool s_has_room(size_t used, size_t bytes, size_t limit)
{
    return used == 0 || used + bytes <= limit;
}

bool slow_lane_add(slow_lane_t *self,
                   slow_job_t *job,
                   uint64_t client,
                   size_t bytes,
                   void (*fn)(void *arg),
                   void *arg)
{
    *job = (slow_job_t){.fn = fn,
                        .arg = arg,
                        .bytes = bytes,
                        .queue = client % QUEUES,
                        .since_us = clock_mono_us()};
    list_init(&job->node);
    if (self->count >= SLOW_LANE_MAX || !s_has_room(self->bytes, bytes, SLOW_LANE_BYTES) ||
        !s_has_room(self->queue_bytes[job->queue], bytes, SLOW_LANE_CLIENT_BYTES)) {
        metric_inc(self->refused);
        return false;
    }
    s_put(self, job);
    if (!self->is_due)
        loop_next_turn(self->loop, s_run, self);
    self->is_due = true;
    return true;
}
