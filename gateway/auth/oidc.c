#include "gateway/auth/oidc.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"

enum { URL_MAX = 1024, NAME_MAX_BYTES = 256, CONNECT_TIMEOUT_MS = 5000, HTTP_OK = 200 };

typedef struct provider provider_t;
struct provider {
    provider_t *next;
    oidc_t *owner;
    char *iss, *audience, *handle_claim; /* the last two may be NULL */
    char *jwks_uri;                      /* NULL: it must be discovered first */
    CURL *transfer;                      /* NULL: none is under way */
    buffer_t body;
    loop_timer_t *timer;
    int64_t fetched_us; /* when keys were asked for last */
    unsigned wait_ms;   /* after the next failure */
    bool has_failed;    /* and it was logged */
};

struct oidc {
    loop_t *loop;
    auth_t *auth;
    curl_loop_t *curl;
    provider_t *providers;
};

/* ---- addresses ---- */

static bool s_is_loopback(const char *host)
{
    struct in_addr four;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

bool oidc_url_is_safe(const char *text)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *url = curl_url();
    bool is_safe =
        url && strlen(text) <= URL_MAX && curl_url_set(url, CURLUPART_URL, text, 0) == 0 &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == 0 &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == 0 &&
        curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
        (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && s_is_loopback(host)));
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(url);
    return is_safe;
}

/* ---- fetching ---- */

static void s_fetch(void *arg);

static size_t s_on_body(char *data, size_t size, size_t count, void *arg)
{
    provider_t *self = arg;
    buffer_put(&self->body, data, size * count);
    return self->body.failed ? 0 : size * count;
}

static void s_try_again(provider_t *self, const char *reason)
{
    if (!self->has_failed)
        log_warn("the keys of an OpenID Connect issuer cannot be had", log_str("issuer", self->iss),
                 log_str("reason", reason), LOG_END);
    self->has_failed = true;
    free(self->jwks_uri); /* it may have moved */
    self->jwks_uri = NULL;
    loop_timer_start(self->timer, self->wait_ms, 0);
    self->wait_ms = self->wait_ms * 2 > OIDC_RETRY_MAX_MS ? OIDC_RETRY_MAX_MS : self->wait_ms * 2;
}

/* Discovery 4.3: it must speak of the issuer that was asked. */
static void s_take_configuration(provider_t *self, const json_t *document)
{
    const char *iss = json_string_value(json_object_get(document, "issuer"));
    const char *uri = json_string_value(json_object_get(document, "jwks_uri"));
    if (!iss || strcmp(iss, self->iss) != 0) {
        s_try_again(self, "its configuration is another issuer's");
    } else if (!uri || !oidc_url_is_safe(uri)) {
        s_try_again(self, "its jwks_uri is neither https nor on this machine");
    } else {
        self->jwks_uri = strdup(uri);
        if (!self->jwks_uri)
            abort();
        s_fetch(self);
    }
}

static void s_take_keys(provider_t *self, const json_t *jwks)
{
    err_t err = ERR_INIT;
    if (auth_set_oidc_keys(self->owner->auth, self->iss, jwks, &err)) {
        s_try_again(self, err.text);
        return;
    }
    if (self->has_failed)
        log_info("the keys of an OpenID Connect issuer are known", log_str("issuer", self->iss),
                 LOG_END);
    self->has_failed = false;
    self->wait_ms = OIDC_RETRY_MS;
    loop_timer_start(self->timer, (uint64_t)OIDC_REFRESH_S * 1000, 0);
}

static void s_on_done(void *arg, CURLcode result)
{
    provider_t *self = arg;
    long status = 0;
    curl_easy_getinfo(self->transfer, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(self->transfer);
    self->transfer = NULL;
    json_t *document = NULL;
    if (result == CURLE_OK && status == HTTP_OK && self->body.size > 0)
        document = json_loadb(self->body.data, self->body.size, JSON_REJECT_DUPLICATES, NULL);
    buffer_clear(&self->body);
    if (result != CURLE_OK)
        s_try_again(self, curl_easy_strerror(result));
    else if (status != HTTP_OK)
        s_try_again(self, "it did not answer with 200");
    else if (!json_is_object(document))
        s_try_again(self, "its answer is no JSON object");
    else if (self->jwks_uri)
        s_take_keys(self, document);
    else
        s_take_configuration(self, document);
    json_decref(document);
}

static CURL *s_transfer(provider_t *self, const char *url)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        abort();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)OIDC_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)OIDC_DOCUMENT_MAX);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "parley-gateway");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, s_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    return easy;
}

/* The configuration, or the keys if it is known where they are. */
static void s_fetch(void *arg)
{
    provider_t *self = arg;
    char url[URL_MAX + 64];
    size_t size = strlen(self->iss);
    if (self->transfer)
        return;
    if (size > 0 && self->iss[size - 1] == '/')
        size--;
    snprintf(url, sizeof url, "%.*s/.well-known/openid-configuration", (int)size, self->iss);
    self->fetched_us = clock_mono_us();
    loop_timer_stop(self->timer);
    self->transfer = s_transfer(self, self->jwks_uri ? self->jwks_uri : url);
    curl_loop_start(self->owner->curl, self->transfer, s_on_done, self);
}

/* A token came whose key is unknown: perhaps there is a new one. */
static bool s_on_unknown_key(void *arg, const char *iss)
{
    oidc_t *self = arg;
    provider_t *provider = self->providers;
    while (provider && strcmp(provider->iss, iss) != 0)
        provider = provider->next;
    if (!provider)
        return false;
    int64_t age_us = clock_mono_us() - provider->fetched_us;
    if (!provider->transfer && age_us >= (int64_t)OIDC_REFETCH_MIN_S * 1000000)
        s_fetch(provider);
    return provider->transfer != NULL;
}

/* ---- the list ---- */

static char *s_copy(const char *text, size_t size)
{
    char *copy = size > 0 ? strndup(text, size) : NULL;
    if (size > 0 && !copy)
        abort();
    return copy;
}

/* One entry; the parts are copied. */
static err_code_t s_add(oidc_t *self, const char *text, size_t size, err_t *err)
{
    const char *parts[3] = {"", "", ""};
    size_t sizes[3] = {0}, count = 0;
    for (const char *at = text, *end = text + size; at <= end; count++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (count == 3)
            return err_set(err, ERR_CONFIG, "--oidc-issuer: URL[,audience[,handle claim]]: %.100s",
                           text);
        parts[count] = at;
        sizes[count] = (size_t)(stop - at);
        at = stop + 1;
    }
    provider_t *provider = calloc(1, sizeof *provider);
    if (!provider)
        abort();
    provider->owner = self;
    provider->next = self->providers;
    self->providers = provider;
    provider->iss = s_copy(parts[0], sizes[0]);
    provider->audience = s_copy(parts[1], sizes[1]);
    provider->handle_claim = s_copy(parts[2], sizes[2]);
    provider->body = (buffer_t)BUFFER_INIT(OIDC_DOCUMENT_MAX);
    provider->wait_ms = OIDC_RETRY_MS;
    provider->timer = loop_timer_new(self->loop, s_fetch, provider);
    if (!provider->iss || !oidc_url_is_safe(provider->iss))
        return err_set(err, ERR_CONFIG,
                       "--oidc-issuer wants an https URL (http only to this machine)");
    return auth_add_oidc(self->auth, provider->iss, provider->audience, provider->handle_claim,
                         err);
}

static err_code_t s_read(oidc_t *self, const char *list, err_t *err)
{
    static const char separators[] = "; \t\n";
    for (const char *at = list + strspn(list, separators); *at;) {
        size_t size = strcspn(at, separators);
        if (s_add(self, at, size, err))
            return err->code;
        at += size;
        at += strspn(at, separators);
    }
    return ERR_OK;
}

oidc_t *oidc_new(loop_t *loop, auth_t *auth, const char *list, err_t *err)
{
    oidc_t *self = calloc(1, sizeof *self);
    err_t local = ERR_INIT;
    if (!self)
        abort();
    self->loop = loop;
    self->auth = auth;
    self->curl = curl_loop_new(loop);
    if (s_read(self, list, &local)) {
        err_set(err, local.code, "%s", local.text);
        oidc_destroy(&self);
        return NULL;
    }
    auth_on_unknown_key(auth, s_on_unknown_key, self);
    for (provider_t *provider = self->providers; provider; provider = provider->next)
        s_fetch(provider);
    return self;
}

static void s_free(provider_t *self)
{
    if (self->transfer) {
        curl_loop_cancel(self->owner->curl, self->transfer);
        curl_easy_cleanup(self->transfer);
    }
    loop_timer_destroy(&self->timer);
    buffer_free(&self->body);
    free(self->iss);
    free(self->audience);
    free(self->handle_claim);
    free(self->jwks_uri);
    free(self);
}

void oidc_destroy(oidc_t **self_p)
{
    oidc_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    auth_on_unknown_key(self->auth, NULL, NULL);
    while (self->providers) {
        provider_t *provider = self->providers;
        self->providers = provider->next;
        s_free(provider);
    }
    curl_loop_destroy(&self->curl);
    free(self);
}
