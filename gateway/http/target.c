#include "gateway/http/target.h"

#include <string.h>
#include <strings.h>

#include "common/hex.h"
#include "common/json.h"

/* Decodes size bytes; false at a broken escape or a NUL. out has room for size + 1 bytes. */
static bool s_decode(const char *in, size_t size, bool plus_is_blank, char *out, size_t *out_size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        char c = in[i];
        if (c == '%') {
            if (size - i < 3 || hex_digit(in[i + 1]) < 0 || hex_digit(in[i + 2]) < 0)
                return false;
            c = (char)(hex_digit(in[i + 1]) << 4 | hex_digit(in[i + 2]));
            if (!c)
                return false;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    *out_size = n;
    return true;
}

/* Skips "http://host" of the absolute form (RFC 9112 3.2.2). */
static const char *s_skip_authority(const char *raw)
{
    size_t scheme = 0;
    if (!strncasecmp(raw, "http://", 7))
        scheme = 7;
    else if (!strncasecmp(raw, "https://", 8))
        scheme = 8;
    if (!scheme)
        return raw;
    raw += scheme + strcspn(raw + scheme, "/?");
    return raw;
}

/* A path of letters, digits and the like, without a query: there is nothing to decode. */
static bool s_is_plain(const char *raw)
{
    const char *at = raw;
    while ((*at >= 'a' && *at <= 'z') || (*at >= '-' && *at <= '9') || (*at >= 'A' && *at <= 'Z') ||
           *at == '_')
        at++;
    return raw[0] == '/' && !*at;
}

err_code_t http_target_parse(arena_t *arena, const char *raw, http_target_t *target, err_t *err)
{
    raw = s_skip_authority(raw);
    if (s_is_plain(raw)) {
        *target = (http_target_t){.path = raw, .query = ""};
        return ERR_OK;
    }
    size_t path_size = strcspn(raw, "?");
    const char *query = raw[path_size] ? raw + path_size + 1 : "";
    size_t query_size = strlen(query);
    char *path = arena_alloc(arena, path_size + 2);
    char *scratch = arena_alloc(arena, query_size + 1);
    if (!path || !scratch)
        return err_set(err, ERR_LIMIT_EXCEEDED, "the request target is too long");
    size_t n;
    if (!s_decode(raw, path_size, false, path, &n) ||
        !s_decode(query, query_size, false, scratch, &query_size))
        return err_set(err, ERR_BAD_USER_INPUT, "the request target has a malformed escape");
    if (!utf8_is_valid(path, n) || !utf8_is_valid(scratch, query_size) ||
        !utf8_is_valid(query, strlen(query)))
        return err_set(err, ERR_BAD_USER_INPUT, "the request target is not valid UTF-8");
    if (!n)
        strcpy(path, "/");
    if (path[0] != '/' && strcmp(path, "*") != 0)
        return err_set(err, ERR_BAD_USER_INPUT, "the request target has no path");
    strcpy(scratch, query);
    *target = (http_target_t){.path = path, .query = scratch};
    return ERR_OK;
}

const char *
http_target_param(arena_t *arena, const http_target_t *target, const char *name, http_plus_t plus)
{
    bool plus_is_blank = plus == HTTP_PLUS_IS_BLANK;
    for (const char *at = target->query; *at;) {
        size_t size = strcspn(at, "&");
        const char *equals = memchr(at, '=', size);
        size_t name_size = equals ? (size_t)(equals - at) : size;
        char *text = arena_alloc(arena, size + 1);
        if (!text)
            return NULL;
        size_t n;
        if (s_decode(at, name_size, true, text, &n) && !strcmp(text, name)) {
            const char *value = equals ? equals + 1 : at + size;
            s_decode(value, (size_t)(at + size - value), plus_is_blank, text, &n);
            return text;
        }
        at += size + (at[size] == '&');
    }
    return NULL;
}
