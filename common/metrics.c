#include "common/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { SERIES_MAX = 1000, SCRAPE_MAX = 16 };

typedef enum { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY, KIND_SIZE } kind_t;

typedef struct family family_t;

struct metric {
    family_t *family;
    metric_t *next;
    char *labels;  /* NULL: none */
    int64_t value; /* of a histogram: the number of observations */
    int64_t sum;
    int64_t buckets[]; /* only of histograms: not cumulative; what is above the last bound is only
                          in value */
};

struct family {
    family_t *next;
    const char *name;
    const char *help;
    kind_t kind;
    size_t count;
    metric_t *first, *last;
};

/* Upper bounds, inclusive. */
static const int64_t s_latency_us[] = {50,     100,     250,     500,     1000,    2500,
                                       5000,   10000,   25000,   50000,   100000,  250000,
                                       500000, 1000000, 2500000, 5000000, 10000000};
static const int64_t s_sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

static const char s_overflow[] = "overflow=\"true\"";

static struct {
    family_t *first, *last;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } on_scrape[SCRAPE_MAX];
    size_t on_scrape_count;
} s_registry;

static const int64_t *s_bounds(kind_t kind, size_t *count)
{
    if (kind == KIND_LATENCY) {
        *count = sizeof s_latency_us / sizeof s_latency_us[0];
        return s_latency_us;
    }
    *count = kind == KIND_SIZE ? sizeof s_sizes / sizeof s_sizes[0] : 0;
    return s_sizes;
}

static void *s_new(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        abort();
    return memory;
}

static family_t *s_family(kind_t kind, const char *name, const char *help)
{
    for (family_t *family = s_registry.first; family != NULL; family = family->next)
        if (strcmp(family->name, name) == 0)
            return family;
    family_t *family = s_new(sizeof *family);
    family->name = name;
    family->help = help;
    family->kind = kind;
    if (s_registry.last != NULL)
        s_registry.last->next = family;
    else
        s_registry.first = family;
    s_registry.last = family;
    return family;
}

static bool s_labels_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static metric_t *s_series(kind_t kind, const char *name, const char *help, const char *labels)
{
    family_t *family = s_family(kind, name, help);
    if (labels != NULL && *labels == '\0')
        labels = NULL;
    for (metric_t *metric = family->first; metric != NULL; metric = metric->next)
        if (s_labels_equal(metric->labels, labels))
            return metric;
    if (family->count >= SERIES_MAX && !s_labels_equal(labels, s_overflow))
        return s_series(kind, name, help, s_overflow);

    size_t bounds;
    s_bounds(kind, &bounds);
    metric_t *metric = s_new(sizeof *metric + bounds * sizeof metric->buckets[0]);
    metric->family = family;
    if (labels != NULL && (metric->labels = strdup(labels)) == NULL)
        abort();
    if (family->last != NULL)
        family->last->next = metric;
    else
        family->first = metric;
    family->last = metric;
    family->count++;
    return metric;
}

metric_t *metrics_counter(const char *name, const char *help, const char *labels)
{
    return s_series(KIND_COUNTER, name, help, labels);
}

metric_t *metrics_gauge(const char *name, const char *help, const char *labels)
{
    return s_series(KIND_GAUGE, name, help, labels);
}

metric_t *metrics_latency(const char *name, const char *help, const char *labels)
{
    return s_series(KIND_LATENCY, name, help, labels);
}

metric_t *metrics_size(const char *name, const char *help, const char *labels)
{
    return s_series(KIND_SIZE, name, help, labels);
}

void metrics_remove(metric_t **self_p)
{
    metric_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL || s_labels_equal(self->labels, s_overflow))
        return;
    family_t *family = self->family;
    metric_t *before = NULL;
    for (metric_t *at = family->first; at != self; at = at->next)
        before = at;
    if (before != NULL)
        before->next = self->next;
    else
        family->first = self->next;
    if (family->last == self)
        family->last = before;
    family->count--;
    free(self->labels);
    free(self);
}

void metric_add(metric_t *self, int64_t value)
{
    self->value += value;
}

void metric_inc(metric_t *self)
{
    self->value++;
}

void metric_set(metric_t *self, int64_t value)
{
    self->value = value;
}

void metric_observe(metric_t *self, int64_t value)
{
    size_t count;
    const int64_t *bounds = s_bounds(self->family->kind, &count);
    self->value++;
    self->sum += value;
    for (size_t i = 0; i < count; i++) {
        if (value <= bounds[i]) {
            self->buckets[i]++;
            return;
        }
    }
}

int64_t metric_value(const metric_t *self)
{
    return self->value;
}

void metrics_label(buffer_t *out, const char *name, const char *value, size_t size)
{
    if (out->size > 0)
        buffer_put_char(out, ',');
    buffer_printf(out, "%s=\"", name);
    for (size_t i = 0; i < size; i++) {
        if (value[i] == '\n')
            buffer_put_str(out, "\\n");
        else if (value[i] == '"' || value[i] == '\\')
            buffer_put(out, (char[]){'\\', value[i]}, 2);
        else
            buffer_put_char(out, value[i]);
    }
    buffer_put_char(out, '"');
}

void metrics_on_scrape(void (*fn)(void *arg), void *arg)
{
    if (s_registry.on_scrape_count == SCRAPE_MAX)
        abort(); /* a programming error */
    s_registry.on_scrape[s_registry.on_scrape_count].fn = fn;
    s_registry.on_scrape[s_registry.on_scrape_count++].arg = arg;
}

static void s_print_histogram(const metric_t *metric, buffer_t *out)
{
    const family_t *family = metric->family;
    const char *labels = metric->labels != NULL ? metric->labels : "";
    const char *comma = metric->labels != NULL ? "," : "";
    double unit = family->kind == KIND_LATENCY ? 1e-6 : 1;
    size_t count;
    const int64_t *bounds = s_bounds(family->kind, &count);
    int64_t below = 0;
    for (size_t i = 0; i < count; i++) {
        below += metric->buckets[i];
        buffer_printf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", family->name, labels, comma,
                      (double)bounds[i] * unit, (long long)below);
    }
    buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", family->name, labels, comma,
                  (long long)metric->value);
    const char *open = metric->labels != NULL ? "{" : "",
               *close = metric->labels != NULL ? "}" : "";
    buffer_printf(out, "%s_sum%s%s%s %.9g\n", family->name, open, labels, close,
                  (double)metric->sum * unit);
    buffer_printf(out, "%s_count%s%s%s %lld\n", family->name, open, labels, close,
                  (long long)metric->value);
}

static void s_print_family(const family_t *family, buffer_t *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                  types[family->kind]);
    for (const metric_t *metric = family->first; metric != NULL; metric = metric->next) {
        if (family->kind == KIND_LATENCY || family->kind == KIND_SIZE)
            s_print_histogram(metric, out);
        else if (metric->labels != NULL)
            buffer_printf(out, "%s{%s} %lld\n", family->name, metric->labels,
                          (long long)metric->value);
        else
            buffer_printf(out, "%s %lld\n", family->name, (long long)metric->value);
    }
}

static void
s_print_one(buffer_t *out, const char *name, const char *type, const char *help, double value)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
                  value);
}

static long s_resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages;
}

/* Field 22 of /proc/self/stat, in clock ticks since boot (proc(5)). */
static double s_start_time(void)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    unsigned long long ticks = 0;
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL) {
        const char *rest = strrchr(line, ')'); /* the name before may hold anything */
        if (rest == NULL ||
            sscanf(
                rest + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                &ticks) != 1)
            ticks = 0;
    }
    fclose(file);
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double up = (double)boot.tv_sec + (double)boot.tv_nsec * 1e-9;
    return (double)clock_unix_us() * 1e-6 - up + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static int s_open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    int count = -3; /* ".", ".." and the directory itself */
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void s_print_process(buffer_t *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    s_print_one(out, "process_cpu_seconds_total", "counter", "User and system CPU time.", cpu);
    s_print_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                (double)s_resident_pages() * (double)sysconf(_SC_PAGESIZE));
    s_print_one(out, "process_start_time_seconds", "gauge", "Unix time of the process's start.",
                s_start_time());
    s_print_one(out, "process_open_fds", "gauge", "Open descriptors.", s_open_descriptors());
    s_print_one(out, "process_max_fds", "gauge", "Limit of open descriptors.",
                (double)limit.rlim_cur);
    s_print_one(out, "parley_log_dropped_total", "counter",
                "Lines of the log that nobody took in time.", (double)log_dropped());
}

void metrics_print(buffer_t *out)
{
    for (size_t i = 0; i < s_registry.on_scrape_count; i++)
        s_registry.on_scrape[i].fn(s_registry.on_scrape[i].arg);
    for (const family_t *family = s_registry.first; family != NULL; family = family->next)
        s_print_family(family, out);
    s_print_process(out);
}

void metrics_shutdown(void)
{
    while (s_registry.first != NULL) {
        family_t *family = s_registry.first;
        s_registry.first = family->next;
        while (family->first != NULL) {
            metric_t *metric = family->first;
            family->first = metric->next;
            free(metric->labels);
            free(metric);
        }
        free(family);
    }
    s_registry.last = NULL;
    s_registry.on_scrape_count = 0;
}
