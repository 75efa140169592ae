#include "common/log_sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ATOMIC_BYTES = 4096, /* PIPE_BUF: one write of so much does not mix with other processes' */
    GAP_BYTES = 1024,    /* the line about a gap */
    KEPT_BYTES = 64 * 1024,
};

struct log_sink {
    int fd;
    log_sink_gap_fn gap;
    bool has_thread;
    bool is_torn; /* the last line was not written to its end; the writer's */
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    buffer_t waiting;  /* lines, in order */
    size_t limit;      /* of waiting */
    buffer_t taken;    /* the thread's, while it is busy */
    uint64_t missing;  /* lines dropped behind all that waits */
    uint64_t unspoken; /* lines that could not be written, before all that waits */
    uint64_t dropped;  /* all */
    bool is_busy;      /* the thread has lines in its hands */
    bool is_ending;
};

static uint64_t s_count_lines(const char *text, size_t size)
{
    uint64_t lines = 0;
    const char *end = text + size;
    for (const char *at = text; at < end; at++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            break;
        lines++;
    }
    return lines;
}

/* ---- writing: by the thread, or under the mutex if there is none ---- */

/* As many whole lines as go out in one piece; a line that is longer goes alone. */
static size_t s_piece(const char *text, size_t size)
{
    if (size <= ATOMIC_BYTES)
        return size;
    const char *end = memrchr(text, '\n', ATOMIC_BYTES);
    if (!end)
        end = memchr(text + ATOMIC_BYTES, '\n', size - ATOMIC_BYTES);
    return end ? (size_t)(end + 1 - text) : size;
}

/* Another process may have made the descriptor non-blocking. */
static bool s_is_passing(const log_sink_t *self)
{
    if (errno != EAGAIN)
        return errno == EINTR;
    struct pollfd wait = {.fd = self->fd, .events = POLLOUT};
    return poll(&wait, 1, -1) > 0 || errno == EINTR;
}

/* The one place that may wait for the reader, and where the thread may be ended. Gives how many
 * bytes were written. */
static size_t s_put_piece(const log_sink_t *self, const char *text, size_t size)
{
    size_t done = 0;
    while (done < size) {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        ssize_t n = write(self->fd, text + done, size - done);
        bool is_over = n < 0 && !s_is_passing(self);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        if (is_over)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    return done;
}

/* Gives how many lines are lost. */
static uint64_t s_put(log_sink_t *self, const char *text, size_t size)
{
    if (self->is_torn && s_put_piece(self, "\n", 1))
        self->is_torn = false;
    while (size > 0 && !self->is_torn) {
        size_t piece = s_piece(text, size), done = s_put_piece(self, text, piece);
        text += done;
        size -= done;
        if (done < piece) {
            self->is_torn = done > 0 && text[-1] != '\n';
            break;
        }
    }
    return s_count_lines(text, size);
}

/* Lines before which some are missing. */
static uint64_t s_put_behind_gap(log_sink_t *self, const buffer_t *lines, uint64_t *unspoken)
{
    if (*unspoken) {
        char memory[GAP_BYTES];
        buffer_t gap = {.data = memory, .capacity = sizeof memory, .limit = sizeof memory};
        self->gap(&gap, *unspoken);
        if (s_put(self, gap.data, gap.size) > 0)
            return s_count_lines(lines->data, lines->size);
        *unspoken = 0;
    }
    return s_put(self, lines->data, lines->size);
}

/* ---- the thread ---- */

/* Takes all that waits; what is missing behind it is said in its end. */
static void s_take(log_sink_t *self)
{
    buffer_t empty = self->taken;
    buffer_clear(&empty);
    if (empty.capacity > KEPT_BYTES)
        buffer_free(&empty);
    self->taken = self->waiting;
    self->waiting = empty;
    if (self->missing)
        self->gap(&self->taken, self->missing);
    self->missing = 0;
}

static void *s_run(void *arg)
{
    log_sink_t *self = arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&self->mutex);
    while (!self->is_ending) {
        if (!self->waiting.size) {
            pthread_cond_wait(&self->changed, &self->mutex);
            continue;
        }
        s_take(self);
        self->is_busy = true;
        uint64_t unspoken = self->unspoken;
        pthread_mutex_unlock(&self->mutex);
        uint64_t lost = s_put_behind_gap(self, &self->taken, &unspoken);
        pthread_mutex_lock(&self->mutex);
        self->unspoken = unspoken + lost;
        self->dropped += lost;
        self->is_busy = false;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* Signals are for the other threads; SIGPIPE, too, is not to end the process. */
static bool s_start_thread(log_sink_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&self->thread, NULL, s_run, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* ---- its users ---- */

static bool s_has_reader(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

log_sink_t *log_sink_new(int fd, size_t limit_bytes, log_sink_gap_fn gap)
{
    log_sink_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->fd = fd;
    self->gap = gap;
    self->limit = limit_bytes;
    self->waiting = self->taken = (buffer_t)BUFFER_INIT(limit_bytes + GAP_BYTES);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    self->has_thread = s_has_reader(fd) && s_start_thread(self);
    return self;
}

void log_sink_destroy(log_sink_t **self_p)
{
    log_sink_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->has_thread) {
        pthread_mutex_lock(&self->mutex);
        self->is_ending = true;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->mutex);
        pthread_cancel(self->thread); /* it may be waiting for a reader that never comes */
        pthread_join(self->thread, NULL);
    }
    buffer_free(&self->waiting);
    buffer_free(&self->taken);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static void s_add(log_sink_t *self, const char *lines, size_t size)
{
    if (!self->missing && self->waiting.size + size <= self->limit)
        buffer_put(&self->waiting, lines, size);
    else
        self->missing += s_count_lines(lines, size);
    if (self->waiting.failed)
        abort(); /* no memory */
    pthread_cond_broadcast(&self->changed);
}

void log_sink_write(log_sink_t *self, const char *lines, size_t size)
{
    pthread_mutex_lock(&self->mutex);
    uint64_t missing = self->missing;
    if (self->has_thread) {
        s_add(self, lines, size);
        self->dropped += self->missing - missing;
    } else {
        buffer_t all = {.data = (char *)(uintptr_t)lines, .size = size}; /* only read */
        uint64_t lost = s_put_behind_gap(self, &all, &self->unspoken);
        self->unspoken += lost;
        self->dropped += lost;
    }
    pthread_mutex_unlock(&self->mutex);
}

bool log_sink_flush(log_sink_t *self, unsigned wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int late = 0;
    pthread_mutex_lock(&self->mutex);
    while ((self->waiting.size || self->is_busy) && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&self->changed, &self->mutex, &until);
    bool is_empty = !self->waiting.size && !self->is_busy;
    pthread_mutex_unlock(&self->mutex);
    return is_empty;
}

uint64_t log_sink_dropped(log_sink_t *self)
{
    pthread_mutex_lock(&self->mutex);
    uint64_t dropped = self->dropped;
    pthread_mutex_unlock(&self->mutex);
    return dropped;
}
