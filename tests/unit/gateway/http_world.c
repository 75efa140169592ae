#include "http_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { RESPONSE_MAX = 256 * 1024, PATIENCE_MS = 3000 };

ws_world_t http_world;
http_server_t *http_world_server;
static origins_t *s_origins;
static trusted_proxies_t *s_proxies;
static char s_response[RESPONSE_MAX];
size_t http_world_max_body = 10000;

static bool s_is_ready(void *arg, char *reason, size_t size)
{
    (void)arg;
    snprintf(reason, size, "testing");
    return false;
}

static const web_asset_t *s_find_asset(const char *path)
{
    static const unsigned char page[] = "<p>page</p>", packed[] = "br";
    static const web_asset_t asset = {
        .path = "/",
        .content_type = "text/html; charset=utf-8",
        .etag = "\"abc\"",
        .identity = {page, sizeof page - 1},
        .brotli = {packed, sizeof packed - 1},
        .csp = "default-src 'self'",
    };
    return !strcmp(path, "/") || !strcmp(path, "/graphiql") ? &asset : NULL;
}

void http_world_begin(const char *proxies)
{
    ws_world_begin(&http_world);
    s_origins = origins_new("https://good.example", NULL);
    s_proxies = trusted_proxies_new(proxies, NULL);
    http_options_t options = {
        .loop = http_world.loop,
        .runner = http_world.runner,
        .auth = http_world.auth,
        .origins = s_origins,
        .trusted_proxies = s_proxies,
        .rates = http_world.rates,
        .connections = http_world.connections,
        .listen = "127.0.0.1:0",
        .max_connections = 10,
        .max_body_bytes = http_world_max_body,
        .request_timeout_ms = 5000,
        .idle_timeout_s = 60,
        .call_timeout_ms = 10000,
        .ready = s_is_ready,
        .find_asset = s_find_asset,
        .hooks = &REALTIME_HOOKS,
        .hooks_arg = http_world.realtime,
    };
    err_t err = ERR_INIT;
    http_world_server = http_server_new(&options, &err);
    if (!http_world_server)
        fail_msg("%s", err.text);
}

int http_world_end(void **state)
{
    http_world.limits = (rate_options_t){0};
    http_world.most_connections = 0;
    http_world_max_body = 10000;
    (void)state;
    http_server_destroy(&http_world_server);
    ws_world_end(&http_world);
    origins_destroy(&s_origins);
    trusted_proxies_destroy(&s_proxies);
    return 0;
}

int http_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(http_world_server)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
    return fd;
}

void http_send_bytes(int fd, const void *data, size_t size)
{
    const char *text = data;
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
        ws_world_pump(&http_world);
        if (n < 0)
            usleep(1000);
    }
}

void http_send(int fd, const char *text)
{
    http_send_bytes(fd, text, strlen(text));
}

/* Is `count` times a whole response there (Content-Length is taken as given)? */
static bool s_is_whole(const char *text, int count)
{
    for (; count > 0; count--) {
        const char *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (!body || !length || length > body)
            return body &&
                   (!strncmp(text, "HTTP/1.1 204", 12) || !strncmp(text, "HTTP/1.1 101", 12) ||
                    !strncmp(text, "HTTP/1.1 304", 12));
        size_t size = strtoul(length + 16, NULL, 10);
        if (strlen(body + 4) < size)
            return false;
        text = body + 4 + size;
    }
    return true;
}

const char *http_receive(int fd, int count)
{
    size_t size = 0;
    s_response[0] = '\0';
    for (int i = 0; i < PATIENCE_MS; i++) {
        ws_world_pump(&http_world);
        ssize_t n = recv(fd, s_response + size, sizeof s_response - size - 10, MSG_DONTWAIT);
        if (n == 0) {
            strcpy(s_response + size, "<EOF>");
            return s_response;
        }
        if (n > 0) {
            size += (size_t)n;
            s_response[size] = '\0';
        }
        if (count && s_is_whole(s_response, count))
            return s_response;
        if (n < 0)
            usleep(1000);
    }
    return s_response;
}

const char *http_ask(const char *request)
{
    int fd = http_connect();
    http_send(fd, request);
    const char *response = http_receive(fd, 1);
    close(fd);
    ws_world_pump(&http_world);
    return response;
}

void http_gives(const char *request, const char *begins, const char *contains)
{
    const char *response = http_ask(request);
    if (strncmp(response, begins, strlen(begins)) != 0 || !strstr(response, contains))
        fail_msg("%.60s…\ngives\n%.600s\nand not %s … %s", request, response, begins, contains);
}
