#include "store/accounts/hasher.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/metrics.h"

/* OWASP's parameters for Argon2id with one lane. */
enum { OPS_LIMIT = 2, MEMORY_LIMIT_BYTES = 19 * 1024 * 1024 };
enum { TYPICAL_US = 30000, SALT_SIZE = 16, HASH_SIZE = 32, BASE64_MAX = 48 };

_Static_assert((int)PASSWORD_HASH_SIZE == (int)crypto_pwhash_STRBYTES, "text of a hash");

typedef struct job {
    uv_work_t work;
    hasher_t *owner;
    struct job *next;  /* in the queue, or among those that run */
    hasher_done_fn fn; /* NULL: nobody waits any more */
    void *arg;
    int64_t deadline_ms;
    int64_t started_us;
    bool (*work_fn)(void *work); /* of hasher_run, else NULL */
    void *work_arg;
    void (*free_work)(void *work);
    bool ok; /* set by the worker thread, read after it */
    char hash[PASSWORD_HASH_SIZE];
    size_t size;
    char password[]; /* size bytes */
} job_t;

struct hasher {
    uv_loop_t *loop;
    char nobody[PASSWORD_HASH_SIZE]; /* the hash of a password nobody knows */
    job_t *head, **tail;             /* waiting */
    size_t waiting;
    job_t *running;
    size_t busy;
    int64_t typical_us; /* moving average of a job's time */
    bool is_stopped;
    bool is_orphan; /* destroyed: the last running job frees self */
    metric_t *latency, *waiting_gauge, *refused;
};

/* The hash of a password that nobody knows, not even we: any bytes will do. */
static void s_invent(char hash[PASSWORD_HASH_SIZE])
{
    uint8_t bytes[SALT_SIZE + HASH_SIZE];
    char salt[BASE64_MAX], sum[BASE64_MAX];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(salt, sizeof salt, bytes, SALT_SIZE,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(sum, sizeof sum, bytes + SALT_SIZE, HASH_SIZE,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(hash, PASSWORD_HASH_SIZE, "$argon2id$v=19$m=%d,t=%d,p=1$%s$%s",
             MEMORY_LIMIT_BYTES / 1024, OPS_LIMIT, salt, sum);
}

hasher_t *hasher_new(loop_t *loop)
{
    hasher_t *self = calloc(1, sizeof *self);
    if (!self || sodium_init() < 0)
        abort();
    self->loop = loop_uv(loop);
    self->tail = &self->head;
    s_invent(self->nobody);
    self->typical_us = TYPICAL_US;
    self->latency =
        metrics_latency("parley_password_hash_seconds", "Time to compute one password hash", NULL);
    self->waiting_gauge =
        metrics_gauge("parley_password_hashes_waiting", "Password hashes not begun yet", NULL);
    self->refused = metrics_counter("parley_password_hashes_refused_total",
                                    "Requests refused because too many waited", NULL);
    return self;
}

static void s_job_free(job_t *job)
{
    if (job->free_work)
        job->free_work(job->work_arg);
    sodium_memzero(job->password, job->size);
    sodium_memzero(job->hash, sizeof job->hash);
    free(job);
}

/* Tells who waits, once. */
static void s_tell(job_t *job, hasher_outcome_t outcome)
{
    hasher_done_fn fn = job->fn;
    job->fn = NULL;
    if (fn)
        fn(job->arg, outcome);
}

bool hasher_compute(const char *password, size_t size, char hash[PASSWORD_HASH_SIZE])
{
    return crypto_pwhash_str(hash, password, size, OPS_LIMIT, (size_t)MEMORY_LIMIT_BYTES) == 0;
}

/* In a thread of uv's pool: touches the job only. */
static void s_on_thread(uv_work_t *work)
{
    job_t *job = (job_t *)work->data;
    if (job->work_fn)
        job->ok = job->work_fn(job->work_arg);
    else
        job->ok = crypto_pwhash_str_verify(job->hash, job->password, job->size) == 0;
}

static void s_start_next(hasher_t *self);

static void s_on_done(uv_work_t *work, int status)
{
    job_t *job = (job_t *)work->data;
    hasher_t *self = job->owner;
    (void)status; /* never cancelled */
    job_t **at = &self->running;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    self->busy--;
    int64_t took_us = clock_mono_us() - job->started_us;
    self->typical_us += (took_us - self->typical_us) / 8;
    if (!self->is_orphan) {
        metric_observe(self->latency, took_us);
        s_tell(job, job->ok ? HASHER_OK : HASHER_MISMATCH);
    }
    s_job_free(job);
    if (!self->is_orphan)
        s_start_next(self);
    else if (self->busy == 0)
        free(self);
}

static job_t *s_dequeue(hasher_t *self)
{
    job_t *job = self->head;
    if (!job)
        return NULL;
    self->head = job->next;
    if (!self->head)
        self->tail = &self->head;
    self->waiting--;
    metric_set(self->waiting_gauge, (int64_t)self->waiting);
    return job;
}

static void s_start_next(hasher_t *self)
{
    while (self->busy < HASHER_WORKERS) {
        job_t *job = s_dequeue(self);
        if (!job)
            return;
        if (clock_unix_ms() >= job->deadline_ms) {
            s_tell(job, HASHER_LATE);
            s_job_free(job);
            continue;
        }
        job->next = self->running;
        self->running = job;
        self->busy++;
        job->started_us = clock_mono_us();
        job->work.data = job;
        if (uv_queue_work(self->loop, &job->work, s_on_thread, s_on_done) != 0)
            abort(); /* only with bad arguments */
    }
}

/* A job of size bytes, or NULL if no more may wait. */
static job_t *
s_new_job(hasher_t *self, size_t size, int64_t deadline_ms, hasher_done_fn fn, void *arg)
{
    if (self->is_stopped || self->waiting >= HASHER_QUEUE_MAX) {
        metric_inc(self->refused);
        return NULL;
    }
    job_t *job = calloc(1, sizeof *job + size);
    if (!job)
        abort();
    job->owner = self;
    job->fn = fn;
    job->arg = arg;
    job->deadline_ms = deadline_ms;
    job->size = size;
    return job;
}

static void s_enqueue(hasher_t *self, job_t *job)
{
    *self->tail = job;
    self->tail = &job->next;
    self->waiting++;
    metric_set(self->waiting_gauge, (int64_t)self->waiting);
    if (self->busy < HASHER_WORKERS && self->waiting == 1)
        s_start_next(self);
}

bool hasher_verify(hasher_t *self,
                   const char *hash,
                   const char *password,
                   size_t size,
                   int64_t deadline_ms,
                   hasher_done_fn fn,
                   void *arg)
{
    job_t *job = s_new_job(self, size, deadline_ms, fn, arg);
    if (!job)
        return false;
    snprintf(job->hash, sizeof job->hash, "%s", hash ? hash : self->nobody);
    memcpy(job->password, password, size);
    s_enqueue(self, job);
    return true;
}

bool hasher_run(hasher_t *self,
                bool (*fn)(void *work),
                void *work,
                void (*free_work)(void *work),
                int64_t deadline_ms,
                hasher_done_fn done,
                void *arg)
{
    job_t *job = s_new_job(self, 0, deadline_ms, done, arg);
    if (!job) {
        free_work(work);
        return false;
    }
    job->work_fn = fn;
    job->work_arg = work;
    job->free_work = free_work;
    s_enqueue(self, job);
    return true;
}

int64_t hasher_wait_ms(const hasher_t *self)
{
    int64_t ms = self->typical_us * (int64_t)(self->waiting + self->busy) / HASHER_WORKERS / 1000;
    return ms < 100 ? 100 : ms;
}

void hasher_stop(hasher_t *self)
{
    self->is_stopped = true;
    for (job_t *job = s_dequeue(self); job; job = s_dequeue(self)) {
        s_tell(job, HASHER_STOPPED);
        s_job_free(job);
    }
    for (job_t *job = self->running; job; job = job->next)
        s_tell(job, HASHER_STOPPED);
}

void hasher_destroy(hasher_t **self_p)
{
    hasher_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    hasher_stop(self);
    self->is_orphan = true;
    if (self->busy == 0)
        free(self);
}
