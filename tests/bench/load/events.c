#include "tests/bench/load/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CURSOR_SIZE = 34, ISO_SIZE = 24 };

/* What follows the mark in text, or NULL. */
static const char *s_behind(const char *text, size_t size, const char *mark)
{
    const char *at = memmem(text, size, mark, strlen(mark));
    return at == NULL ? NULL : at + strlen(mark);
}

static int s_base64url(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : 63;
}

/* Parley's cursor: the number is in the bits 136 to 199; it is far below 2^60. */
static uint64_t s_number(const char *cursor, size_t size)
{
    uint64_t bits = 0;
    if (size != CURSOR_SIZE)
        return strtoull(cursor, NULL, 10);
    for (int i = 23; i < CURSOR_SIZE; i++)
        bits = bits << 6 | (uint64_t)s_base64url(cursor[i]);
    return bits >> 4;
}

/* An event comes to many subscribers: the last time read is remembered. */
static int64_t s_unix_us(const char *iso)
{
    static char last[ISO_SIZE];
    static int64_t last_us;
    struct tm tm = {0};
    int ms;
    if (memcmp(iso, last, ISO_SIZE) == 0)
        return last_us;
    if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    memcpy(last, iso, ISO_SIZE);
    last_us = ((int64_t)timegm(&tm) * 1000 + ms) * 1000;
    return last_us;
}

size_t event_find(const char *text, size_t size, event_t *event)
{
    const char *end = text + size;
    const char *body = s_behind(text, size, "\"body\":\"");
    if (body == NULL)
        return 0;
    const char *cursor = s_behind(body, (size_t)(end - body), "\"cursor\":\"");
    const char *close = cursor == NULL ? NULL : memchr(cursor, '"', (size_t)(end - cursor));
    if (close == NULL)
        return 0;
    const char *created = s_behind(body, (size_t)(cursor - body), "\"createdAt\":\"");
    event->posted_us = strtoll(body, NULL, 10);
    event->number = s_number(cursor, (size_t)(close - cursor));
    event->created_unix_us = created != NULL && created + ISO_SIZE < close ? s_unix_us(created) : 0;
    return (size_t)(close + 1 - text);
}

void event_cursor(const char *text, size_t size, char *out, size_t out_size)
{
    const char *cursor = s_behind(text, size, "\"cursor\":\"");
    const char *close = cursor == NULL ? NULL : memchr(cursor, '"', (size_t)(text + size - cursor));
    if (close == NULL || (size_t)(close - cursor) >= out_size)
        return;
    memcpy(out, cursor, (size_t)(close - cursor));
    out[close - cursor] = '\0';
}
