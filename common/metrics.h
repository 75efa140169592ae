/* common/metrics.h: numbers about this process in Prometheus text format (0.0.4). One registry a
 * process; loop thread only. A series is looked up once and kept by its user: counting is an
 * addition. */
#ifndef PARLEY_COMMON_METRICS_H
#define PARLEY_COMMON_METRICS_H

#include <stdint.h>

#include "common/buffer.h"

typedef struct metric metric_t;

/* The series of that name and labels, made at the first call. name and help: constant strings;
 * labels: the text between the braces, like `type="query",outcome="ok"` (copied; values escaped by
 * metrics_label if they come from outside), or NULL. A family has at most 1,000 series; beyond that
 * all share the series with labels `overflow="true"`. Never NULL. */
metric_t *metrics_counter(const char *name, const char *help, const char *labels);
metric_t *metrics_gauge(const char *name, const char *help, const char *labels);
/* Buckets of seconds from 50 µs to 10 s; observe in microseconds. */
metric_t *metrics_latency(const char *name, const char *help, const char *labels);
/* Buckets of powers of two from 1 to 4,096. */
metric_t *metrics_size(const char *name, const char *help, const char *labels);

/* Forgets one series, which nobody else may hold, and leaves NULL: what it counts is gone (an
 * address, say). Accepts NULL in *self_p; the series that the overflow shares stays. */
void metrics_remove(metric_t **self_p);

void metric_add(metric_t *self, int64_t value);
void metric_inc(metric_t *self);
void metric_set(metric_t *self, int64_t value);
void metric_observe(metric_t *self, int64_t value);
int64_t metric_value(const metric_t *self); /* of a counter or gauge; the count of a histogram */

/* Appends name="value" with the value escaped; a comma first if out is not empty. */
void metrics_label(buffer_t *out, const char *name, const char *value, size_t size);

/* A function that sets metrics right before they are printed. */
void metrics_on_scrape(void (*fn)(void *arg), void *arg);

/* Appends everything, with process_* (CPU, resident memory, descriptors, start time) too. */
void metrics_print(buffer_t *out);

/* Frees everything; series are invalid afterwards. */
void metrics_shutdown(void);

#endif
