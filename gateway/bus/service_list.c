#include "gateway/bus/service_list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool service_name_is_valid(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size >= SERVICE_NAME_SIZE || !isalpha((unsigned char)name[0]))
        return false;
    for (size_t i = 1; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return true;
}

static bool s_port_is_valid(const char *port)
{
    size_t size = strlen(port);
    if (size == 0 || size > 5 || strspn(port, "0123456789") != size)
        return false;
    long number = strtol(port, NULL, 10);
    return number >= 1 && number <= 65535;
}

bool service_endpoint_split(const char *endpoint, char host[SERVICE_HOST_SIZE], char port[6])
{
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return false;
    const char *start = endpoint + 6;
    const char *colon = strrchr(start, ':');
    if (colon == NULL || !s_port_is_valid(colon + 1))
        return false;
    size_t size = (size_t)(colon - start);
    if (size >= 2 && start[0] == '[' && start[size - 1] == ']') {
        start++;
        size -= 2;
    } else if (memchr(start, ':', size) != NULL) {
        return false; /* an IPv6 address wants brackets */
    }
    if (size == 0 || size >= SERVICE_HOST_SIZE || memchr(start, '/', size) != NULL)
        return false;
    memcpy(host, start, size);
    host[size] = '\0';
    snprintf(port, 6, "%s", colon + 1);
    return true;
}

void service_endpoint_join(char out[SERVICE_ENDPOINT_SIZE], const char *host, const char *port)
{
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(out, SERVICE_ENDPOINT_SIZE, "tcp://%s%s%s:%s", is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
}

static bool s_is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* item is "name=endpoint" without blanks around it. */
static err_code_t s_read_item(char *item, service_entry_t *entry, err_t *err)
{
    memset(entry, 0, sizeof *entry);
    char *equals = strchr(item, '=');
    if (equals == NULL)
        return err_set(err, ERR_CONFIG, "services: '%s' is no name=endpoint", item);
    *equals = '\0';
    const char *endpoint = equals + 1;
    if (!service_name_is_valid(item))
        return err_set(err, ERR_CONFIG, "services: '%s' is no name for a service", item);
    if (strlen(endpoint) >= SERVICE_ENDPOINT_SIZE)
        return err_set(err, ERR_CONFIG, "services: the endpoint of %s is too long", item);
    bool is_ipc = strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '\0';
    if (!is_ipc && (!service_endpoint_split(endpoint, entry->host, entry->port) ||
                    strcmp(entry->host, "*") == 0))
        return err_set(err, ERR_CONFIG,
                       "services: '%s' of %s is neither ipc:///PATH nor tcp://HOST:PORT", endpoint,
                       item);
    snprintf(entry->name, sizeof entry->name, "%s", item);
    snprintf(entry->endpoint, sizeof entry->endpoint, "%s", endpoint);
    entry->is_host_name = !is_ipc && !s_is_address(entry->host);
    return ERR_OK;
}

static char *s_trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

err_code_t service_list_read(const char *list, service_entry_t **entries, size_t *count, err_t *err)
{
    *entries = NULL;
    *count = 0;
    size_t most = 1;
    for (const char *at = list; *at != '\0'; at++)
        most += *at == ',';
    char *copy = strdup(list);
    service_entry_t *found = calloc(most, sizeof *found);
    if (copy == NULL || found == NULL)
        abort();
    size_t used = 0;
    err_code_t code = ERR_OK;
    char *rest = copy;
    for (char *item; code == ERR_OK && (item = strsep(&rest, ",")) != NULL;) {
        item = s_trim(item);
        if (*item == '\0')
            continue;
        code = s_read_item(item, &found[used], err);
        for (size_t i = 0; code == ERR_OK && i < used; i++)
            if (strcmp(found[i].endpoint, found[used].endpoint) == 0)
                code = err_set(err, ERR_CONFIG, "services: %s is there twice", found[i].endpoint);
        used++;
    }
    free(copy);
    if (code != ERR_OK || used == 0) {
        free(found);
        return code;
    }
    *entries = found;
    *count = used;
    return ERR_OK;
}
