#include "gateway/http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

/* An address as 16 bytes; IPv4 is mapped into IPv6. */
typedef struct {
    uint8_t bytes[16];
} address_t;

typedef struct {
    address_t address;
    unsigned prefix; /* bits, 0 … 128 */
} network_t;

struct trusted_proxies {
    network_t *networks;
    size_t count;
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool s_parse(const char *text, address_t *address, bool *is_v4)
{
    *is_v4 = inet_pton(AF_INET, text, address->bytes + 12) == 1;
    if (*is_v4)
        memcpy(address->bytes, mapped, sizeof mapped);
    return *is_v4 || inet_pton(AF_INET6, text, address->bytes) == 1;
}

/* inet_ntop prints with sprintf: as much work as reading the head of a request. */
static void s_print_v4(const uint8_t bytes[4], char out[CLIENT_ADDRESS_SIZE])
{
    buffer_t text = {.data = out, .capacity = CLIENT_ADDRESS_SIZE, .limit = CLIENT_ADDRESS_SIZE};
    for (int i = 0; i < 4; i++) {
        if (i)
            buffer_put_char(&text, '.');
        buffer_put_uint(&text, bytes[i]);
    }
    buffer_put_char(&text, '\0');
}

static void s_print(const address_t *address, char out[CLIENT_ADDRESS_SIZE])
{
    if (!memcmp(address->bytes, mapped, sizeof mapped))
        s_print_v4(address->bytes + sizeof mapped, out);
    else
        inet_ntop(AF_INET6, address->bytes, out, CLIENT_ADDRESS_SIZE);
}

static bool s_parse_network(char *text, network_t *network)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    bool is_v4;
    if (!s_parse(text, &network->address, &is_v4))
        return false;
    unsigned long most = is_v4 ? 32 : 128;
    unsigned long prefix = most;
    if (slash) {
        char *end;
        prefix = strtoul(slash, &end, 10);
        if (!*slash || *end || prefix > most)
            return false;
    }
    network->prefix = (unsigned)(is_v4 ? prefix + 96 : prefix);
    return true;
}

trusted_proxies_t *trusted_proxies_new(const char *list, err_t *err)
{
    trusted_proxies_t *self = calloc(1, sizeof *self);
    char *text = strdup(list && strcmp(list, "none") != 0 ? list : "");
    if (!self || !text)
        abort();
    self->networks = calloc(strlen(text) / 2 + 1, sizeof *self->networks);
    if (!self->networks)
        abort();
    char *save = NULL;
    for (char *item = strtok_r(text, ", ", &save); item; item = strtok_r(NULL, ", ", &save)) {
        if (s_parse_network(item, &self->networks[self->count])) {
            self->count++;
            continue;
        }
        err_set(err, ERR_CONFIG, "--trusted-proxies: '%.100s' is no address or network", item);
        trusted_proxies_destroy(&self);
        break;
    }
    free(text);
    return self;
}

void trusted_proxies_destroy(trusted_proxies_t **self_p)
{
    trusted_proxies_t *self = *self_p;
    if (!self)
        return;
    free(self->networks);
    free(self);
    *self_p = NULL;
}

static bool s_is_in(const address_t *address, const network_t *network)
{
    unsigned bytes = network->prefix / 8;
    if (memcmp(address->bytes, network->address.bytes, bytes) != 0)
        return false;
    unsigned bits = network->prefix % 8;
    if (!bits)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - bits));
    return ((address->bytes[bytes] ^ network->address.bytes[bytes]) & mask) == 0;
}

static bool s_is_trusted(const trusted_proxies_t *self, const address_t *address)
{
    for (size_t i = 0; i < self->count; i++)
        if (s_is_in(address, &self->networks[i]))
            return true;
    return false;
}

static bool s_from_socket(const struct sockaddr *peer, address_t *address)
{
    if (peer && peer->sa_family == AF_INET) {
        memcpy(address->bytes, mapped, sizeof mapped);
        memcpy(address->bytes + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
        return true;
    }
    if (peer && peer->sa_family == AF_INET6) {
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
        return true;
    }
    return false;
}

/* Reads one item of X-Forwarded-For, without port and brackets. */
static bool s_parse_forwarded(const char *item, size_t size, address_t *address)
{
    char text[CLIENT_ADDRESS_SIZE];
    while (size && (*item == ' ' || *item == '[')) {
        item++;
        size--;
    }
    while (size && item[size - 1] == ' ')
        size--;
    const char *end = memchr(item, ']', size);
    if (end)
        size = (size_t)(end - item);
    if (!size || size >= sizeof text)
        return false;
    memcpy(text, item, size);
    text[size] = '\0';
    char *colon = strchr(text, ':');
    if (colon && strchr(text, '.') && !strchr(colon + 1, ':'))
        *colon = '\0'; /* IPv4 with a port */
    bool is_v4;
    return s_parse(text, address, &is_v4);
}

bool client_is_proxy(const trusted_proxies_t *self, const struct sockaddr *peer)
{
    address_t address;
    return s_from_socket(peer, &address) && s_is_trusted(self, &address);
}

bool client_address(const trusted_proxies_t *self,
                    const struct sockaddr *peer,
                    const char *forwarded_for,
                    char out[CLIENT_ADDRESS_SIZE])
{
    address_t address;
    bool is_forwarded = false;
    *out = '\0';
    if (!s_from_socket(peer, &address))
        return false;
    size_t left = forwarded_for ? strlen(forwarded_for) : 0;
    while (left && s_is_trusted(self, &address)) {
        size_t start = left;
        while (start && forwarded_for[start - 1] != ',')
            start--;
        address_t before;
        if (!s_parse_forwarded(forwarded_for + start, left - start, &before))
            break;
        address = before;
        is_forwarded = true;
        left = start ? start - 1 : 0;
    }
    s_print(&address, out);
    return is_forwarded;
}
