/* tests/load/farm.c: thousands of subscribers in one process, told what to do. Reads one command a
 * line, answers each with one line of JSON, and serves its clients all the time. Every frame is
 * checked (client.h). Loopback only.
 *
 *     load_farm TOKEN PREFIX ROOMS
 *
 * dial PORT COUNT   as many new clients, in rooms PREFIX-0 … in turn; answers when each got a
 * message again PORT        all that are closed dial at once, behind their cursors; answers at once
 * stall N           every Nth stops reading; `stall 0`: all read
 * await SEQ S       answers when all that read have got that seq, or after S seconds
 * forget            latencies and counts begin anew
 * figures           what there is
 *
 * The answer is always what there is: open, live and reached (those at the seq of the last await)
 * clients, deliveries, latencies of those that read, `wrong` frames, `refused` clients, and the
 * codes of close frames. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"
#include "common/clock.h"
#include "common/net.h"

enum {
    CLIENTS_MAX = 20000,
    EVENTS = 512,
    FAST = 1000,  /* steps of 10 µs */
    SLOW = 20000, /* of 1 ms */
    DIAL_S = 120,
};

static struct {
    client_world_t world;
    client_t *clients;
    unsigned count, rooms;
    uint32_t fast[FAST], slow[SLOW];
    uint64_t measured;
    int64_t max_us;
    /* The command under way, which ends when all that read are at that seq. */
    bool is_busy;
    bool is_dialing;
    uint64_t seq;
    int64_t began_us, due_us, reached_us;
    char line[256];
    size_t line_size;
} s;

/* ---- figures ---- */

static void s_on_delivery(const client_t *client, int64_t latency_us)
{
    if (client->is_stalled)
        return;
    s.measured++;
    if (latency_us > s.max_us)
        s.max_us = latency_us;
    if (latency_us < FAST * 10)
        s.fast[latency_us / 10]++;
    else
        s.slow[latency_us / 1000 < SLOW ? latency_us / 1000 : SLOW - 1]++;
}

static double s_percentile_ms(double share)
{
    uint64_t rank = (uint64_t)((double)s.measured * share), seen = 0;
    for (int i = 0; i < FAST; i++)
        if ((seen += s.fast[i]) > rank)
            return i * 0.01;
    for (int i = 0; i < SLOW; i++)
        if ((seen += s.slow[i]) > rank)
            return i;
    return s.measured > 0 ? SLOW : 0;
}

static void s_forget(void)
{
    memset(s.fast, 0, sizeof s.fast);
    memset(s.slow, 0, sizeof s.slow);
    s.measured = s.world.deliveries = s.world.closed = 0;
    s.max_us = 0;
}

static bool s_has_reached(const client_t *client)
{
    return client->fd >= 0 && client->phase == CLIENT_LIVE && client->seq >= s.seq;
}

static unsigned s_count(bool (*is)(const client_t *client))
{
    unsigned count = 0;
    for (unsigned i = 0; i < s.count; i++)
        count += is(&s.clients[i]);
    return count;
}

static bool s_is_open(const client_t *client)
{
    return client->fd >= 0;
}

static bool s_is_live(const client_t *client)
{
    return client->phase == CLIENT_LIVE;
}

static void s_print_codes(void)
{
    const char *comma = "";
    for (unsigned code = 1000; code < 5000; code++) {
        unsigned count = 0;
        for (unsigned i = 0; i < s.count; i++)
            count += s.clients[i].code == code;
        if (count > 0) {
            printf("%s\"%u\":%u", comma, code, count);
            comma = ",";
        }
    }
}

static void s_answer(void)
{
    s.is_busy = false;
    printf("{\"clients\":%u,\"open\":%u,\"live\":%u,\"reached\":%u,\"ms\":%.1f,\"deliveries\":%llu,"
           "\"p50Ms\":%.2f,\"p99Ms\":%.2f,\"maxMs\":%.2f,\"wrong\":%llu,\"refused\":%llu,"
           "\"closed\":%llu,\"codes\":{",
           s.count, s_count(s_is_open), s_count(s_is_live), s_count(s_has_reached),
           (double)(clock_mono_us() - s.began_us) * 1e-3, (unsigned long long)s.world.deliveries,
           s_percentile_ms(0.5), s_percentile_ms(0.99), (double)s.max_us * 1e-3,
           (unsigned long long)s.world.wrong, (unsigned long long)s.world.refused,
           (unsigned long long)s.world.closed);
    s_print_codes();
    printf("}}\n");
    fflush(stdout);
}

/* Ends the command under way if what it waits for is there. */
static void s_look(void)
{
    if (!s.is_busy)
        return;
    bool is_there = true;
    for (unsigned i = 0; is_there && i < s.count; i++)
        is_there = s.clients[i].is_stalled || s_has_reached(&s.clients[i]);
    if (is_there || clock_mono_us() >= s.due_us)
        s_answer();
}

/* ---- commands ---- */

static void s_wait(uint64_t seq, int64_t seconds)
{
    s.is_busy = true;
    s.seq = seq;
    s.due_us = s.began_us + seconds * 1000000;
}

static void s_dial(int port, unsigned count)
{
    s.world.port = port;
    for (unsigned i = 0; i < count && s.count < CLIENTS_MAX; i++) {
        client_t *client = &s.clients[s.count];
        *client = (client_t){.fd = -1, .room = s.count % s.rooms};
        client_dial(&s.world, client, s.count++);
    }
    s_wait(1, DIAL_S);
}

static void s_dial_again(int port)
{
    s.world.port = port;
    for (unsigned i = 0; i < s.count; i++)
        if (s.clients[i].fd < 0)
            client_dial(&s.world, &s.clients[i], i);
    s_answer();
}

static void s_stall(unsigned nth)
{
    for (unsigned i = 0; i < s.count; i++) {
        client_t *client = &s.clients[i];
        client->is_stalled = nth > 0 && i % nth == 0;
        struct epoll_event event = {.events = client->is_stalled ? 0 : EPOLLIN, .data.ptr = client};
        if (client->fd >= 0)
            epoll_ctl(s.world.epoll, EPOLL_CTL_MOD, client->fd, &event);
    }
    s_answer();
}

static void s_obey(const char *line)
{
    long long a = 0, b = 0;
    s.began_us = clock_mono_us();
    if (sscanf(line, "dial %lld %lld", &a, &b) == 2)
        s_dial((int)a, (unsigned)b);
    else if (sscanf(line, "again %lld", &a) == 1)
        s_dial_again((int)a);
    else if (sscanf(line, "stall %lld", &a) == 1)
        s_stall((unsigned)a);
    else if (sscanf(line, "await %lld %lld", &a, &b) == 2)
        s_wait((uint64_t)a, b);
    else if (strcmp(line, "forget") == 0)
        s_forget(), s_answer();
    else if (strcmp(line, "figures") == 0)
        s_answer();
    else
        exit(2);
}

static void s_on_stdin(void)
{
    ssize_t n = read(STDIN_FILENO, s.line + s.line_size, sizeof s.line - 1 - s.line_size);
    if (n <= 0)
        exit(n < 0 ? 2 : 0); /* whoever started it has gone */
    s.line_size += (size_t)n;
    s.line[s.line_size] = '\0';
    char *end = strchr(s.line, '\n');
    if (!end)
        return;
    *end = '\0'; /* one command at a time: nothing is behind it */
    s.line_size = 0;
    s_obey(s.line);
}

static void s_serve(const struct epoll_event *event)
{
    client_t *client = event->data.ptr;
    if (!client)
        s_on_stdin();
    else if (client->fd < 0)
        return; /* it was closed in this turn */
    else if (event->events & EPOLLOUT)
        client_connected(&s.world, client);
    else
        client_read(&s.world, client);
}

int main(int argc, char **argv)
{
    if (argc != 4 || (s.rooms = (unsigned)atoi(argv[3])) == 0) {
        fprintf(stderr, "usage: load_farm TOKEN PREFIX ROOMS\n");
        return 2;
    }
    s.world = (client_world_t){.token = argv[1],
                               .prefix = argv[2],
                               .epoll = epoll_create1(EPOLL_CLOEXEC),
                               .on_delivery = s_on_delivery};
    net_raise_descriptor_limit();
    s.clients = calloc(CLIENTS_MAX, sizeof *s.clients);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.ptr = NULL}};
    if (!s.clients || epoll_ctl(s.world.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &events[0]) != 0)
        return 2;
    for (;;) {
        int count = epoll_wait(s.world.epoll, events, EVENTS, 10);
        if (count < 0 && errno != EINTR)
            return 2;
        for (int i = 0; i < count; i++)
            s_serve(&events[i]);
        s_look();
    }
}
