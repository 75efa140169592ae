/* The log never waits for its reader, and tells what it lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log_sink.h"

enum { LIMIT = 256 * 1024, PATIENCE_MS = 10000, WRITERS = 4, LINES_EACH = 2000 };

static void s_put_gap(buffer_t *out, uint64_t lines)
{
    buffer_printf(out, "gap %llu\n", (unsigned long long)lines);
}

/* What a reader made of all lines: "line N" in order, and "gap N" where some are missing. */
typedef struct {
    unsigned long long next; /* of the next line */
    unsigned lines, gaps, wrong;
} heard_t;

static void s_hear_line(heard_t *self, const char *line)
{
    unsigned long long n;
    char end;
    if (sscanf(line, "line %llu%c", &n, &end) == 1) {
        self->wrong += n != self->next;
        self->next = n + 1;
        self->lines++;
    } else if (sscanf(line, "gap %llu%c", &n, &end) == 1) {
        self->next += n;
        self->gaps++;
    } else {
        self->wrong++;
    }
}

/* Reads until the line of that number has come. */
static void s_hear_until(heard_t *self, int fd, unsigned long long last)
{
    static char text[65536];
    static size_t size;
    while (self->next <= last) {
        ssize_t n = read(fd, text + size, sizeof text - size - 1);
        assert_true(n > 0);
        size += (size_t)n;
        text[size] = '\0';
        char *at = text;
        for (char *end; (end = strchr(at, '\n')); at = end + 1) {
            *end = '\0';
            s_hear_line(self, at);
        }
        size = strlen(at);
        memmove(text, at, size);
    }
    assert_int_equal(size, 0);
}

static void s_write_line(log_sink_t *sink, unsigned long long n)
{
    char line[64];
    int size = snprintf(line, sizeof line, "line %llu\n", n);
    log_sink_write(sink, line, (size_t)size);
}

static void test_nobody_reads(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_sink_t *sink = log_sink_new(ends[1], LIMIT, s_put_gap);
    unsigned long long n = 0;
    while (log_sink_dropped(sink) < 1000) /* a write that waits would never come back */
        s_write_line(sink, n++);
    assert_false(log_sink_flush(sink, 10));
    uint64_t dropped = log_sink_dropped(sink);
    heard_t heard = {.next = 0};
    s_hear_until(&heard, ends[0], n - 1);
    assert_int_equal(heard.wrong, 0);
    assert_true(heard.gaps > 0);
    assert_int_equal(heard.lines + dropped, n);
    /* and it goes on as before */
    s_write_line(sink, n);
    s_hear_until(&heard, ends[0], n);
    assert_int_equal(heard.wrong, 0);
    assert_true(log_sink_flush(sink, PATIENCE_MS));
    log_sink_destroy(&sink);
    assert_null(sink);
    close(ends[0]);
    close(ends[1]);
}

static void test_ends_although_nobody_reads(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_sink_t *sink = log_sink_new(ends[1], LIMIT, s_put_gap);
    for (unsigned n = 0; n < LIMIT / 8; n++)
        s_write_line(sink, n);
    assert_false(log_sink_flush(sink, 10));
    log_sink_destroy(&sink);
    close(ends[0]);
    close(ends[1]);
}

/* The reader has gone for good: what cannot be written is counted, and SIGPIPE harms nobody. */
static void test_the_reader_is_gone(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_sink_t *sink = log_sink_new(ends[1], LIMIT, s_put_gap);
    close(ends[0]);
    for (unsigned n = 0; n < 10; n++)
        s_write_line(sink, n);
    assert_true(log_sink_flush(sink, PATIENCE_MS));
    assert_int_equal(log_sink_dropped(sink), 10);
    log_sink_destroy(&sink);
    close(ends[1]);
}

/* Somebody who shares the open file made it non-blocking. */
static void test_a_shared_descriptor(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    log_sink_t *sink = log_sink_new(ends[1], LIMIT, s_put_gap);
    unsigned long long n = 0;
    while (n < LIMIT / 16) /* more than a pipe holds, less than the sink does */
        s_write_line(sink, n++);
    heard_t heard = {.next = 0};
    s_hear_until(&heard, ends[0], n - 1);
    assert_int_equal(heard.wrong + heard.gaps, 0);
    assert_int_equal(log_sink_dropped(sink), 0);
    log_sink_destroy(&sink);
    close(ends[0]);
    close(ends[1]);
}

static void *s_write_many(void *arg)
{
    static const char line[] = "a line of one of several threads, whole\n";
    for (int i = 0; i < LINES_EACH; i++)
        log_sink_write(arg, line, sizeof line - 1);
    return NULL;
}

static void test_lines_of_threads_stay_whole(void **state)
{
    (void)state;
    int ends[2];
    pthread_t threads[WRITERS];
    char line[128];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_sink_t *sink = log_sink_new(ends[1], 4 * LIMIT, s_put_gap);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, s_write_many, sink), 0);
    FILE *reader = fdopen(ends[0], "r");
    for (int i = 0; i < WRITERS * LINES_EACH; i++) {
        assert_non_null(fgets(line, sizeof line, reader));
        assert_string_equal(line, "a line of one of several threads, whole\n");
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_sink_destroy(&sink);
    fclose(reader);
    close(ends[1]);
}

static void s_read_file(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

/* A file has no reader: what was written is there at once. What a full disk did not take is told
 * when there is room again, and a line that was torn spoils no other. */
static void test_a_file_and_a_full_disk(void **state)
{
    (void)state;
    char path[] = "/tmp/parley-log-XXXXXX", text[256];
    int fd = mkostemp(path, O_APPEND | O_CLOEXEC);
    struct rlimit before, full = {.rlim_cur = 20};
    assert_true(fd >= 0);
    unlink(path);
    log_sink_t *sink = log_sink_new(fd, LIMIT, s_put_gap);
    s_write_line(sink, 0);
    s_read_file(fd, text, sizeof text);
    assert_string_equal(text, "line 0\n");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &full);
    for (unsigned n = 1; n < 5; n++)
        s_write_line(sink, n);
    setrlimit(RLIMIT_FSIZE, &before);
    s_write_line(sink, 5);
    s_read_file(fd, text, sizeof text);
    assert_string_equal(text, "line 0\nline 1\nline 2\ngap 3\nline 5\n");
    assert_int_equal(log_sink_dropped(sink), 3);
    log_sink_destroy(&sink);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_ends_although_nobody_reads),
        cmocka_unit_test(test_the_reader_is_gone),
        cmocka_unit_test(test_a_shared_descriptor),
        cmocka_unit_test(test_lines_of_threads_stay_whole),
        cmocka_unit_test(test_a_file_and_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
