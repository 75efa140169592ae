/* common/log.h: one line an event, to stderr: JSON, or text on a terminal. Any thread.
 * Never give it a token, a password or a message body. */
#ifndef PARLEY_COMMON_LOG_H
#define PARLEY_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

typedef enum { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR } log_level_t;
typedef enum { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT } log_format_t;

typedef struct {
    const char *name; /* NULL ends the list */
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } type;
    const char *string; /* borrowed for the call; NULL prints null */
    int64_t integer;
    double number;
} log_field_t;

/* program ("gateway") and node (a name of this process among its like; may be NULL) go into every
 * line. */
void log_init(const char *program, const char *node, log_level_t level, log_format_t format);
/* For a daemon, once after log_init: from now on nobody waits for who reads stderr. A MiB of lines
 * waits for him; what is more is dropped, counted and told of. When the process ends, they have a
 * second (common/log_sink.h). */
void log_never_wait(void);
/* Lines that were dropped since then. */
uint64_t log_dropped(void);
bool log_is_on(log_level_t level);
bool log_level_parse(const char *name, log_level_t *level);
bool log_format_parse(const char *name, log_format_t *format);

/* message is a constant phrase ("service connected"); then fields (log_str, log_int …), ended by
 * LOG_END. */
void log_write(log_level_t level, const char *message, ...);

/* From now on this thread's lines below warning wait for log_flush (or until there are 4 KB of
 * them): one write for a turn of the loop, not for each request. The loop does both
 * (common/loop.h). false ends it and flushes. */
void log_hold(bool hold);
void log_flush(void);

static inline log_field_t log_str(const char *name, const char *value)
{
    return (log_field_t){.name = name, .type = LOG_FIELD_STR, .string = value};
}

static inline log_field_t log_int(const char *name, int64_t value)
{
    return (log_field_t){.name = name, .type = LOG_FIELD_INT, .integer = value};
}

static inline log_field_t log_num(const char *name, double value)
{
    return (log_field_t){.name = name, .type = LOG_FIELD_DOUBLE, .number = value};
}

static inline log_field_t log_bool(const char *name, bool value)
{
    return (log_field_t){.name = name, .type = LOG_FIELD_BOOL, .integer = value};
}

#define LOG_END ((log_field_t){.name = NULL})
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
