#include "gateway/http/negotiate.h"

#include <string.h>
#include <strings.h>

/* One item of a comma list: its value, its parameters. Both borrowed from the header. */
typedef struct {
    const char *value;
    size_t size;
    const char *params; /* behind the first ";" */
    size_t params_size;
} item_t;

static bool s_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void s_trim(const char **text, size_t *size)
{
    while (*size && s_is_blank(**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size && s_is_blank((*text)[*size - 1]))
        (*size)--;
}

/* The length up to `stop` outside of a quoted string. */
static size_t s_span(const char *text, size_t size, char stop)
{
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\' && i + 1 < size)
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && text[i] == stop)
            return i;
    }
    return size;
}

static bool s_next_item(const char **at, item_t *item)
{
    while (**at) {
        size_t size = s_span(*at, strlen(*at), ',');
        const char *text = *at;
        *at += size + ((*at)[size] == ',');
        item->value = text;
        item->size = s_span(text, size, ';');
        item->params = text + item->size;
        item->params_size = size - item->size;
        s_trim(&item->value, &item->size);
        if (item->size)
            return true;
    }
    return false;
}

/* The value of a parameter, without quotes around it; false if it is not there. */
static bool s_param(const item_t *item, const char *name, const char **value, size_t *value_size)
{
    const char *at = item->params;
    size_t left = item->params_size;
    while (left) {
        at++, left--; /* the ";" */
        size_t size = s_span(at, left, ';');
        size_t name_size = s_span(at, size, '=');
        const char *key = at;
        size_t key_size = name_size;
        s_trim(&key, &key_size);
        if (key_size == strlen(name) && !strncasecmp(key, name, key_size)) {
            *value = at + name_size + (name_size < size);
            *value_size = size - name_size - (name_size < size);
            s_trim(value, value_size);
            if (*value_size >= 2 && (*value)[0] == '"') {
                (*value)++;
                *value_size -= 2;
            }
            return true;
        }
        at += size;
        left -= size;
    }
    return false;
}

/* The weight of an item in thousandths; 1000 if it names none or a broken one. */
static int s_weight(const item_t *item)
{
    const char *text;
    size_t size;
    if (!s_param(item, "q", &text, &size) || !size || (text[0] != '0' && text[0] != '1'))
        return 1000;
    int weight = (text[0] - '0') * 1000;
    int scale = 100;
    for (size_t i = 2; i < size && text[1] == '.' && scale; i++, scale /= 10) {
        if (text[i] < '0' || text[i] > '9')
            break;
        weight += (text[i] - '0') * scale;
    }
    return weight > 1000 ? 1000 : weight;
}

static bool s_is(const item_t *item, const char *name)
{
    return item->size == strlen(name) && !strncasecmp(item->value, name, item->size);
}

/* Where a media type stands in the header. */
typedef struct {
    int weight;   /* -1: not there */
    int position; /* smaller comes first */
} rank_t;

static bool s_beats(rank_t a, rank_t b)
{
    if (a.weight <= 0)
        return false;
    return a.weight > b.weight || (a.weight == b.weight && a.position < b.position);
}

http_accept_t http_negotiate(const char *accept)
{
    enum { JSON, GRAPHQL, HTML, EVENTS, APPLICATION, ANY, TYPES };
    static const char *const names[TYPES] = {
        [JSON] = "application/json",
        [GRAPHQL] = "application/graphql-response+json",
        [HTML] = "text/html",
        [EVENTS] = "text/event-stream",
        [APPLICATION] = "application/*",
        [ANY] = "*/*",
    };
    rank_t ranks[TYPES];
    for (int i = 0; i < TYPES; i++)
        ranks[i] = (rank_t){.weight = -1, .position = 0};
    item_t item;
    int count = 0;
    for (const char *at = accept ? accept : ""; s_next_item(&at, &item); count++)
        for (int i = 0; i < TYPES; i++)
            if (s_is(&item, names[i]) && ranks[i].weight < 0)
                ranks[i] = (rank_t){.weight = s_weight(&item), .position = count};
    http_accept_t result = {.media = HTTP_MEDIA_NONE, .event_stream = ranks[EVENTS].weight > 0};
    if (!count) {
        result.media = HTTP_MEDIA_JSON;
        return result;
    }
    rank_t none = {.weight = 0, .position = count};
    rank_t named = none;
    if (s_beats(ranks[JSON], named)) {
        named = ranks[JSON];
        result.media = HTTP_MEDIA_JSON;
    }
    if (s_beats(ranks[GRAPHQL], named)) {
        named = ranks[GRAPHQL];
        result.media = HTTP_MEDIA_GRAPHQL_RESPONSE;
    }
    if (s_beats(ranks[HTML], named))
        result.media = HTTP_MEDIA_HTML;
    if (result.media != HTTP_MEDIA_NONE)
        return result;
    rank_t wild = ranks[APPLICATION].weight >= 0 ? ranks[APPLICATION] : ranks[ANY];
    bool json_refused = ranks[JSON].weight == 0;
    if (result.event_stream)
        result.media = HTTP_MEDIA_EVENT_STREAM;
    else if (wild.weight > 0)
        result.media = json_refused ? HTTP_MEDIA_GRAPHQL_RESPONSE : HTTP_MEDIA_JSON;
    return result;
}

const char *http_media_name(http_media_t media)
{
    switch (media) {
    case HTTP_MEDIA_GRAPHQL_RESPONSE:
        return "application/graphql-response+json; charset=utf-8";
    case HTTP_MEDIA_EVENT_STREAM:
        return "text/event-stream; charset=utf-8";
    case HTTP_MEDIA_HTML:
        return "text/html; charset=utf-8";
    case HTTP_MEDIA_NONE:
    case HTTP_MEDIA_JSON:
        break;
    }
    return "application/json; charset=utf-8";
}

http_content_t http_content_is_json(const char *content_type)
{
    item_t item;
    const char *at = content_type ? content_type : "";
    if (!strcmp(at, "application/json")) /* as most say it */
        return HTTP_CONTENT_OK;
    if (!s_next_item(&at, &item))
        return HTTP_CONTENT_MISSING;
    if (!s_is(&item, "application/json"))
        return HTTP_CONTENT_TYPE_UNKNOWN;
    const char *charset;
    size_t size;
    if (s_param(&item, "charset", &charset, &size) &&
        !(size == 5 && !strncasecmp(charset, "utf-8", 5)) &&
        !(size == 4 && !strncasecmp(charset, "utf8", 4)))
        return HTTP_CONTENT_CHARSET_UNKNOWN;
    return HTTP_CONTENT_OK;
}

bool http_list_takes(const char *list, const char *token)
{
    item_t item;
    for (const char *at = list ? list : ""; s_next_item(&at, &item);)
        if (s_is(&item, token))
            return s_weight(&item) > 0;
    return false;
}

bool http_list_has(const char *list, const char *token, bool case_counts)
{
    size_t size = strlen(token);
    item_t item;
    if (list && !strcmp(list, token))
        return true; /* nearly always it is all there is */
    for (const char *at = list ? list : ""; s_next_item(&at, &item);)
        if (item.size == size && (case_counts ? !strncmp(item.value, token, size)
                                              : !strncasecmp(item.value, token, size)))
            return true;
    return false;
}
