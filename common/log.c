#include "common/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log_sink.h"

enum {
    LINE_MAX_BYTES = 16 * 1024,
    HELD_MAX = 4096, /* PIPE_BUF: one write of so much does not mix with other processes' lines */
    SINK_BYTES = 1024 * 1024,
    LAST_WORDS_MS = 1000,
};

static const char *const s_level_names[] = {"debug", "info", "warn", "error"};

static struct {
    const char *program;
    const char *node;
    log_level_t level;
    bool json;
    log_sink_t *sink; /* NULL: lines are written where they come up; lives as long as the process */
} s_log = {.program = "parley", .level = LOG_LEVEL_INFO, .json = true};

/* Lines that this thread holds back until log_flush. */
static _Thread_local bool t_holds;
static _Thread_local buffer_t t_held = BUFFER_INIT(HELD_MAX);

void log_init(const char *program, const char *node, log_level_t level, log_format_t format)
{
    s_log.program = program;
    s_log.node = node;
    s_log.level = level;
    s_log.json = format == LOG_FORMAT_AUTO ? !isatty(STDERR_FILENO) : format == LOG_FORMAT_JSON;
}

bool log_is_on(log_level_t level)
{
    return level >= s_log.level;
}

bool log_level_parse(const char *name, log_level_t *level)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (strcmp(name, s_level_names[i]) == 0) {
            *level = (log_level_t)i;
            return true;
        }
    }
    return false;
}

bool log_format_parse(const char *name, log_format_t *format)
{
    static const char *const names[] = {"auto", "json", "text"};
    for (int i = LOG_FORMAT_AUTO; i <= LOG_FORMAT_TEXT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *format = (log_format_t)i;
            return true;
        }
    }
    return false;
}

/* Nothing in it that JSON would escape, and nothing that may be no UTF-8. */
static bool s_is_plain(const char *text, size_t size)
{
    const uint64_t each = 0x0101010101010101u, high = each << 7;
    uint64_t bad = 0;
    for (; size > 0; text += size < 8 ? size : 8, size -= size < 8 ? size : 8) {
        uint64_t bytes = each * ' ';
        memcpy(&bytes, text, size < 8 ? size : 8);
        uint64_t quote = bytes ^ each * '"', backslash = bytes ^ each * '\\';
        /* A byte below n: its high bit is set after taking n away, and was not set before. */
        bad |= bytes | (bytes - each * ' ') | (quote - each) | (backslash - each) | (bytes + each);
    }
    return !(bad & high);
}

static void s_put_quoted(buffer_t *out, const char *text, size_t size)
{
    char *at = buffer_reserve(out, size + 2);
    if (!at)
        return;
    at[0] = '"';
    memcpy(at + 1, text, size);
    at[size + 1] = '"';
    out->size += size + 2;
}

/* A value may come from outside in any bytes: what is no UTF-8 goes out byte by byte, so a line
 * stays JSON. */
static void s_put_safe(buffer_t *out, const char *text)
{
    size_t size = strlen(text);
    if (s_is_plain(text, size)) {
        s_put_quoted(out, text, size);
        return;
    }
    if (utf8_is_valid(text, size)) {
        buffer_put_json_string(out, text, size);
        return;
    }
    buffer_put_char(out, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte >= 0x7F || byte == '"' || byte == '\\')
            buffer_printf(out, "\\u%04x", byte);
        else
            buffer_put_char(out, (char)byte);
    }
    buffer_put_char(out, '"');
}

static void s_put_value(buffer_t *out, const log_field_t *field)
{
    switch (field->type) {
    case LOG_FIELD_STR:
        if (field->string == NULL)
            buffer_put_str(out, "null");
        else
            s_put_safe(out, field->string);
        break;
    case LOG_FIELD_INT:
        buffer_put_int(out, field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        if (isfinite(field->number))
            buffer_printf(out, "%.6g", field->number);
        else
            buffer_put_str(out, "null");
        break;
    case LOG_FIELD_BOOL:
        buffer_put_str(out, field->integer ? "true" : "false");
        break;
    }
}

/* The time as text, borrowed until the next call. Many lines fall into one millisecond. */
static const char *s_time(void)
{
    static _Thread_local int64_t t_ms = INT64_MIN;
    static _Thread_local char t_text[CLOCK_ISO_SIZE];
    int64_t now_us = clock_unix_us();
    if (now_us / 1000 != t_ms)
        clock_iso(now_us, t_text);
    t_ms = now_us / 1000;
    return t_text;
}

static void s_put_head(buffer_t *out, log_level_t level, const char *message)
{
    if (!s_log.json) {
        buffer_printf(out, "%s %-5s %s", s_time(), s_level_names[level], message);
        return;
    }
    buffer_put_str(out, "{\"time\":\"");
    buffer_put(out, s_time(), CLOCK_ISO_SIZE - 1);
    buffer_put_str(out, "\",\"level\":\"");
    buffer_put_str(out, s_level_names[level]);
    buffer_put_str(out, "\",\"program\":");
    s_put_safe(out, s_log.program);
    if (s_log.node != NULL) {
        buffer_put_str(out, ",\"node\":");
        s_put_safe(out, s_log.node);
    }
    buffer_put_str(out, ",\"message\":");
    s_put_safe(out, message);
}

/* Without printf, which would be a quarter of what the gateway itself does for a small request. */
static void s_put_field(buffer_t *out, const log_field_t *field)
{
    size_t size = strlen(field->name);
    char *at = buffer_reserve(out, size + 4);
    if (!at)
        return;
    if (s_log.json)
        *at++ = ',';
    *at++ = s_log.json ? '"' : ' ';
    memcpy(at, field->name, size);
    at += size;
    if (s_log.json)
        *at++ = '"';
    *at = s_log.json ? ':' : '=';
    out->size += size + (s_log.json ? 4 : 2);
    s_put_value(out, field);
}

static void s_write(const buffer_t *text)
{
    if (s_log.sink) {
        log_sink_write(s_log.sink, text->data, text->size);
        return;
    }
    ssize_t written = write(STDERR_FILENO, text->data, text->size);
    (void)written; /* nowhere to complain to */
}

void log_flush(void)
{
    if (t_held.size > 0)
        s_write(&t_held);
    buffer_clear(&t_held);
}

/* A warning goes out at once, with all that came before it. */
static void s_emit(log_level_t level, const buffer_t *line)
{
    if (!t_holds) {
        s_write(line);
        return;
    }
    if (t_held.size + line->size > HELD_MAX)
        log_flush();
    if (line->size > HELD_MAX)
        s_write(line);
    else
        buffer_put(&t_held, line->data, line->size);
    if (level >= LOG_LEVEL_WARN)
        log_flush();
}

void log_write(log_level_t level, const char *message, ...)
{
    if (!log_is_on(level))
        return;
    char memory[LINE_MAX_BYTES];
    buffer_t line = {.data = memory, .capacity = sizeof memory, .limit = sizeof memory};
    s_put_head(&line, level, message);
    va_list args;
    va_start(args, message);
    for (log_field_t field = va_arg(args, log_field_t); field.name != NULL;
         field = va_arg(args, log_field_t)) {
        size_t before = line.size;
        s_put_field(&line, &field);
        if (line.failed ||
            line.size > LINE_MAX_BYTES - 64) { /* a field too long for a line is left out */
            line.size = before;
            line.failed = false;
        }
    }
    va_end(args);
    buffer_put_str(&line, s_log.json ? "}\n" : "\n");
    s_emit(level, &line);
}

void log_hold(bool hold)
{
    log_flush();
    t_holds = hold;
    if (!hold)
        buffer_free(&t_held);
}

/* ---- the sink ---- */

static void s_put_gap(buffer_t *out, uint64_t lines)
{
    s_put_head(out, LOG_LEVEL_WARN, "log lines were dropped: nobody took them");
    log_field_t count = log_int("lines", (int64_t)lines);
    s_put_field(out, &count);
    buffer_put_str(out, s_log.json ? "}\n" : "\n");
}

static void s_on_exit(void)
{
    log_flush();
    log_sink_flush(s_log.sink, LAST_WORDS_MS);
}

void log_never_wait(void)
{
    if (s_log.sink)
        return;
    s_log.sink = log_sink_new(STDERR_FILENO, SINK_BYTES, s_put_gap);
    atexit(s_on_exit);
}

uint64_t log_dropped(void)
{
    return s_log.sink ? log_sink_dropped(s_log.sink) : 0;
}
