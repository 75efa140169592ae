#include "common/log.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/json.h"

enum {
    LINE_MAX_BYTES = 16 * 1024,
    HELD_MAX = 4096, /* PIPE_BUF: one write of so much does not mix with other processes' lines */
};

static const char *const s_level_names[] = {"debug", "info", "warn", "error"};

static struct {
    const char *program;
    const char *node;
    log_level_t level;
    bool json;
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

/* A value may come from outside in any bytes: what is no UTF-8 goes out byte by byte, so a line
 * stays JSON. */
static void s_put_safe(buffer_t *out, const char *text)
{
    size_t size = strlen(text);
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

static void s_put_head(buffer_t *out, log_level_t level, const char *message)
{
    char time[CLOCK_ISO_SIZE];
    clock_iso(clock_unix_us(), time);
    if (!s_log.json) {
        buffer_printf(out, "%s %-5s %s", time, s_level_names[level], message);
        return;
    }
    buffer_printf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", time,
                  s_level_names[level]);
    s_put_safe(out, s_log.program);
    if (s_log.node != NULL) {
        buffer_put_str(out, ",\"node\":");
        s_put_safe(out, s_log.node);
    }
    buffer_put_str(out, ",\"message\":");
    s_put_safe(out, message);
}

static void s_write(const buffer_t *text)
{
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
    buffer_t line = BUFFER_INIT(LINE_MAX_BYTES);
    s_put_head(&line, level, message);
    va_list args;
    va_start(args, message);
    for (log_field_t field = va_arg(args, log_field_t); field.name != NULL;
         field = va_arg(args, log_field_t)) {
        size_t before = line.size;
        buffer_printf(&line, s_log.json ? ",\"%s\":" : " %s=", field.name);
        s_put_value(&line, &field);
        if (line.failed ||
            line.size > LINE_MAX_BYTES - 64) { /* a field too long for a line is left out */
            line.size = before;
            line.failed = false;
        }
    }
    va_end(args);
    buffer_put_str(&line, s_log.json ? "}\n" : "\n");
    s_emit(level, &line);
    buffer_free(&line);
}

void log_hold(bool hold)
{
    log_flush();
    t_holds = hold;
    if (!hold)
        buffer_free(&t_held);
}
