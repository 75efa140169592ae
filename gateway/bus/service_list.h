/* gateway/bus/service_list.h: the setting that names services and where they are:
 * "store=ipc:///run/store.ipc,echo=tcp://host:5555". Pure; any thread. */
#ifndef PARLEY_GATEWAY_BUS_SERVICE_LIST_H
#define PARLEY_GATEWAY_BUS_SERVICE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum { SERVICE_NAME_SIZE = 65, SERVICE_ENDPOINT_SIZE = 320, SERVICE_HOST_SIZE = 256 };

typedef struct {
    char name[SERVICE_NAME_SIZE];
    char endpoint[SERVICE_ENDPOINT_SIZE];
    char host[SERVICE_HOST_SIZE]; /* of a tcp endpoint, without brackets; else "" */
    char port[6];
    bool is_host_name; /* host is a name to look up, no address */
} service_entry_t;

/* Reads the list; *entries is the caller's (free with free()). An empty list has no entries.
 * ERR_CONFIG with the item that is wrong named. */
err_code_t
service_list_read(const char *list, service_entry_t **entries, size_t *count, err_t *err);

/* Is it [A-Za-z][A-Za-z0-9_-]{0,63}? */
bool service_name_is_valid(const char *name);

/* Splits "tcp://host:port" or "tcp://[::1]:port"; false if it is none. host may be "*". */
bool service_endpoint_split(const char *endpoint, char host[SERVICE_HOST_SIZE], char port[6]);

/* "tcp://host:port", with brackets around an IPv6 address. */
void service_endpoint_join(char out[SERVICE_ENDPOINT_SIZE], const char *host, const char *port);

#endif
