#include "gateway/graphql/type/scalars.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

enum { JSON_DEPTH = 100, NUMBER_BYTES = 64 };

/* A cursor over text: each s_… step consumes what it names, or fails. */
typedef struct {
    const char *at;
    const char *end;
} text_t;

static bool s_char(text_t *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

/* `digits` decimal digits, as a number from low to high. */
static bool s_number(text_t *text, int digits, int low, int high, int *number)
{
    int value = 0;
    if (text->end - text->at < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        char c = text->at[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    text->at += digits;
    *number = value;
    return value >= low && value <= high;
}

/* YYYY-MM-DD, a day that exists */
static bool s_date(text_t *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year;
    int month;
    int day;
    if (!s_number(text, 4, 0, 9999, &year) || !s_char(text, '-') ||
        !s_number(text, 2, 1, 12, &month) || !s_char(text, '-') || !s_number(text, 2, 1, 31, &day))
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && is_leap);
}

/* hh:mm[:ss[.fraction]]; seconds are needed in a date-time only */
static bool s_time(text_t *text)
{
    int part;
    if (!s_number(text, 2, 0, 23, &part) || !s_char(text, ':') || !s_number(text, 2, 0, 59, &part))
        return false;
    if (!s_char(text, ':'))
        return true;
    if (!s_number(text, 2, 0, 59, &part))
        return false;
    if (!s_char(text, '.'))
        return true;
    int digits = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        text->at++;
        digits++;
    }
    return digits >= 1 && digits <= 9;
}

/* Z or ±hh:mm[:ss]; nothing is fine too where `optional` */
static bool s_offset(text_t *text, bool optional)
{
    int part;
    if (text->at == text->end)
        return optional;
    if (s_char(text, 'Z'))
        return true;
    if (!s_char(text, '+') && !s_char(text, '-'))
        return false;
    if (!s_number(text, 2, 0, 18, &part) || !s_char(text, ':') || !s_number(text, 2, 0, 59, &part))
        return false;
    return !s_char(text, ':') || s_number(text, 2, 0, 59, &part);
}

static bool s_is_email(const char *data, size_t size)
{
    const char *at = memchr(data, '@', size);
    if (!at || at == data || size > 254)
        return false;
    const char *end = data + size;
    bool dot = false;
    for (const char *p = data; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7F || (*p == '@' && p != at))
            return false;
        if (p > at && *p == '.') {
            if (p == at + 1 || p[-1] == '.')
                return false;
            dot = true;
        }
    }
    return dot && end[-1] != '.';
}

/* RFC 3986 3: scheme ":" and something behind it, no spaces or controls */
static bool s_is_url(const char *data, size_t size)
{
    size_t scheme = 0;
    while (scheme < size) {
        char c = data[scheme];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && !(scheme > 0 && later))
            break;
        scheme++;
    }
    if (scheme == 0 || scheme + 1 >= size || data[scheme] != ':')
        return false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)data[i] <= ' ' || strchr("<>\"{}|\\^`\x7F", data[i]))
            return false;
    }
    size_t left = size - scheme - 1;
    if (left >= 2 && memcmp(data + scheme + 1, "//", 2) == 0)
        return left > 2 && data[scheme + 3] != '/';
    return true;
}

/* Digits with spaces, hyphens, dots and brackets between them, a plus before; 3 to 15 digits
 * (E.164) */
static bool s_is_phone(const char *data, size_t size)
{
    int digits = 0;
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if (!(c == '+' && i == 0) && !(i > 0 && strchr(" -.)", c) && c) && c != '(')
            return false;
    }
    return digits >= 3 && digits <= 15;
}

/* IPv4 or IPv6, with /prefix or without */
static bool s_is_ip_address(const char *data, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    const char *slash = memchr(data, '/', size);
    size_t length = slash ? (size_t)(slash - data) : size;
    if (length >= sizeof text || memchr(data, '\0', length))
        return false;
    memcpy(text, data, length);
    text[length] = '\0';
    unsigned char address[16];
    int bits = inet_pton(AF_INET, text, address) == 1    ? 32
               : inet_pton(AF_INET6, text, address) == 1 ? 128
                                                         : 0;
    if (!bits || !slash)
        return bits != 0;
    text_t prefix = {slash + 1, data + size};
    ptrdiff_t digits = prefix.end - prefix.at;
    int number;
    return digits >= 1 && digits <= 3 && s_number(&prefix, (int)digits, 0, bits, &number);
}

bool scalar_accepts_text(scalar_kind_t kind, const char *data, size_t size)
{
    text_t text = {data, data + size};
    switch (kind) {
    case SCALAR_CUSTOM:
    case SCALAR_STRING:
    case SCALAR_ID:
        return true;
    case SCALAR_INT:
    case SCALAR_FLOAT:
    case SCALAR_BOOLEAN:
    case SCALAR_AWS_TIMESTAMP:
        return false;
    case SCALAR_AWS_DATE:
        return s_date(&text) && s_offset(&text, true) && text.at == text.end;
    case SCALAR_AWS_TIME:
        return s_time(&text) && s_offset(&text, true) && text.at == text.end;
    case SCALAR_AWS_DATE_TIME:
        return s_date(&text) && s_char(&text, 'T') && s_time(&text) && s_offset(&text, false) &&
               text.at == text.end;
    case SCALAR_AWS_EMAIL:
        return s_is_email(data, size);
    case SCALAR_AWS_JSON:
        return json_validate(data, size, JSON_DEPTH, NULL);
    case SCALAR_AWS_URL:
        return s_is_url(data, size);
    case SCALAR_AWS_PHONE:
        return s_is_phone(data, size);
    case SCALAR_AWS_IP_ADDRESS:
        return s_is_ip_address(data, size);
    }
    return false;
}

bool scalar_number_to_int(
    scalar_kind_t kind, const char *data, size_t size, bool json, int64_t *number)
{
    static const double limit_53 = 9007199254740991.0;
    double low = kind == SCALAR_INT ? -2147483648.0 : -limit_53;
    double high = kind == SCALAR_INT ? 2147483647.0 : limit_53;
    char text[NUMBER_BYTES];
    if (size == 0 || size >= sizeof text)
        return false; /* longer than any number that fits, as people write them */
    memcpy(text, data, size);
    text[size] = '\0';
    if (!json && strpbrk(text, ".eE"))
        return false;
    char *end;
    double value = strtod(text, &end);
    if (end != text + size || !(value >= low && value <= high) || trunc(value) != value)
        return false;
    *number = (int64_t)value;
    return true;
}

bool scalar_accepts_literal(scalar_kind_t kind, const ast_value_t *value)
{
    int64_t number;
    switch (kind) {
    case SCALAR_CUSTOM:
        return true;
    case SCALAR_INT:
    case SCALAR_AWS_TIMESTAMP:
        return value->kind == AST_INT &&
               scalar_number_to_int(kind, value->text.data, value->text.size, false, &number);
    case SCALAR_FLOAT:
        return (value->kind == AST_INT || value->kind == AST_FLOAT) &&
               isfinite(strtod(value->text.data, NULL));
    case SCALAR_BOOLEAN:
        return value->kind == AST_BOOLEAN;
    case SCALAR_ID:
        return value->kind == AST_STRING || value->kind == AST_INT;
    default:
        return value->kind == AST_STRING &&
               scalar_accepts_text(kind, value->text.data, value->text.size);
    }
}

const char *scalar_expectation(scalar_kind_t kind)
{
    switch (kind) {
    case SCALAR_AWS_DATE:
        return "a date such as 2026-01-31 or 2026-01-31Z";
    case SCALAR_AWS_TIME:
        return "a time such as 12:30:24.500Z";
    case SCALAR_AWS_DATE_TIME:
        return "a date and time with offset such as 2026-01-31T12:30:24.500Z";
    case SCALAR_AWS_TIMESTAMP:
        return "an integer number of seconds since 1970-01-01T00:00Z";
    case SCALAR_AWS_EMAIL:
        return "an email address such as name@example.com";
    case SCALAR_AWS_JSON:
        return "a string that holds JSON";
    case SCALAR_AWS_URL:
        return "a URL such as https://example.com/";
    case SCALAR_AWS_PHONE:
        return "a phone number such as +44 20 7946 0000";
    case SCALAR_AWS_IP_ADDRESS:
        return "an IPv4 or IPv6 address, with /prefix or without";
    default:
        return NULL;
    }
}
