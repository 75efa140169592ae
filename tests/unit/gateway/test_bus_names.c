/* A service behind a host name: all its addresses are used, new ones are found, and one that
 * vanished is used until its connection is lost. The test answers the look-ups itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "fake_service.h"
#include "gateway/bus/services.h"

/* Bit 0: 127.0.0.1, bit 1: 127.0.0.2; 0: the look-up fails. Read in libuv's threads. */
static atomic_int s_addresses;
static atomic_int s_lookups;

int getaddrinfo(const char *name,
                const char *port,
                const struct addrinfo *hints,
                struct addrinfo **list);
void freeaddrinfo(struct addrinfo *list);

static void s_add(struct addrinfo **list, struct in_addr address)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *entry = calloc(1, sizeof *entry);
    entry->address.sin_family = AF_INET;
    entry->address.sin_addr = address;
    entry->info.ai_family = AF_INET;
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    entry->info.ai_addrlen = sizeof entry->address;
    entry->info.ai_next = *list;
    *list = &entry->info;
}

/* ZeroMQ asks too, for addresses. */
int getaddrinfo(const char *name,
                const char *port,
                const struct addrinfo *hints,
                struct addrinfo **list)
{
    struct in_addr address;
    (void)port;
    (void)hints;
    *list = NULL;
    if (inet_pton(AF_INET, name, &address) == 1) {
        s_add(list, address);
        return 0;
    }
    s_lookups++;
    for (uint32_t i = 0; i < 2; i++)
        if (s_addresses & (1 << i))
            s_add(list, (struct in_addr){htonl(INADDR_LOOPBACK + i)});
    return *list != NULL ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static services_t *s_services;

static bool s_is_count(void *arg)
{
    uint32_t ids[4];
    return services_instances(s_services, "store", ids, 4) == *(size_t *)arg;
}

static bool s_is_looked_up(void *arg)
{
    return s_lookups > *(int *)arg;
}

static void s_expect(loop_t *loop, size_t count, int timeout_ms)
{
    if (!turn_until(loop, s_is_count, &count, timeout_ms))
        fail_msg("there are not %zu instances", count);
}

/* Are there metrics of that endpoint? */
static bool s_has_series(const char *endpoint)
{
    buffer_t out = BUFFER_INIT(1024 * 1024);
    metrics_print(&out);
    buffer_put_char(&out, '\0');
    assert_false(out.failed);
    bool has = strstr(out.data, endpoint) != NULL;
    buffer_free(&out);
    return has;
}

static void s_test_names(void **state)
{
    (void)state;
    loop_t *loop = loop_new();
    err_t err = ERR_INIT;
    fake_service_t a = {
        .name = "store", .sdl = "type Query { a: Int }", .incarnation = "a", .is_ready = true};
    fake_service_t b = a;
    b.incarnation = "b";
    char first[64], second[64], list[64];
    int port = fake_service_port();
    snprintf(first, sizeof first, "tcp://127.0.0.1:%d", port);
    snprintf(second, sizeof second, "tcp://127.0.0.2:%d", port);
    snprintf(list, sizeof list, "store=tcp://store.test:%d", port);
    fake_service_open(&a, loop, first, NULL, NULL);
    fake_service_open(&b, loop, second, NULL, NULL);
    services_options_t options = {
        .loop = loop, .list = list, .gateway_id = "gw", .security = {.plain_tcp = true}};
    s_services = services_new(&options, &err);
    assert_non_null(s_services);
    int lookups = 0;
    assert_true(turn_until(loop, s_is_looked_up, &lookups, 2000)); /* failed: asked again */
    s_addresses = 1;
    s_expect(loop, 1, 5000);
    s_addresses = 3;
    s_expect(loop, 2, 5000);
    assert_true(s_has_series(first));
    lookups = s_lookups;
    s_addresses = 2; /* a is no longer announced, but it answers */
    turn_for(loop, 3500);
    assert_true(turn_until(loop, s_is_looked_up, &lookups, 3000));
    s_expect(loop, 2, 0);
    fake_service_close(&a);
    s_expect(loop, 1, 1000);
    a.hellos = 0;
    fake_service_open(&a, loop, first, NULL, NULL);
    turn_for(loop, 1500);
    assert_int_equal(a.hellos, 0); /* nobody calls there any more */
    assert_false(s_has_series(first));
    assert_true(s_has_series(second));
    s_addresses = 0; /* a look-up that fails changes nothing */
    turn_for(loop, 3500);
    s_expect(loop, 1, 0);
    services_destroy(&s_services); /* maybe with a look-up under way */
    fake_service_close(&a);
    fake_service_close(&b);
    loop_destroy(&loop);
}

int main(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {cmocka_unit_test(s_test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
