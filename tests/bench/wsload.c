/* tests/bench/wsload.c: many subscribers of some rooms and some posters, in one epoll loop, over
 * loopback. Checks every event for loss, repetition and order while it measures. Driven by lines on
 * stdin, so that whoever measures the servers can look at them in between; each prints one line of
 * JSON:
 *
 *   connect            opens all subscribers; done when each has sent its subscribe
 *   live               posts into each room until every subscriber has seen something
 *   post RATE SECONDS  posts round the rooms, RATE a second (0: as fast as answered), and waits
 *                      until all is delivered
 *   calm SECONDS       waits until nothing has come for a second, at most so long
 *   fill COUNT         remembers each room's newest message, then posts COUNT more into each;
 *                      connect will subscribe behind what was remembered
 *   caught-up COUNT    waits until every subscriber has COUNT events; the time is since connect
 *
 * Between the lines it answers pings. Ends with its input; status 2 if something did not work. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/bench/load/client.h"

enum {
    SUBSCRIBERS_MAX = 20000,
    POSTERS_MAX = 512,
    ROOMS_MAX = 10000,
    PORTS_MAX = 8,
    SECONDS_MAX = 120,
    COPIES_MAX = 65536, /* of all rooms: 32 MB */
    COPIES_EACH_MAX = 2048,
    EVENTS = 512,
    SETUP_S = 60,
    DRAIN_S = 5,
    QUIET_S = 1,
    CALM_US = 300000, /* after the last subscribe, for the server to work on it */
    PROBE_US = 1000000,
    CONNECTS_A_TURN = 8,
};

typedef struct {
    int of[PORTS_MAX];
    int count;
} ports_t;

static struct {
    load_t load;
    ports_t ports, post_ports;
    const char *room;
    client_t *subscribers, *posters;
    room_t *rooms;
    int subscriber_count, poster_count, room_count;
    uint64_t next_room;
    int64_t connect_us;
} s = {.room = "bench", .subscriber_count = 1, .poster_count = 1, .room_count = 1};

static void s_poll(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(s.load.epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr != NULL)
            client_read(events[i].data.ptr);
}

static double s_since_s(int64_t start_us)
{
    return (double)(clock_mono_us() - start_us) * 1e-6;
}

static double s_own_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Gives up with these words if it takes longer than a set-up may. */
static void s_check_time(int64_t start_us, const char *what, int done, int all)
{
    if (s_since_s(start_us) < SETUP_S)
        return;
    fprintf(stderr, "wsload: %s: only %d of %d in %d s\n", what, done, all, SETUP_S);
    exit(2);
}

/* ---- posting ---- */

static client_t *s_free_poster(void)
{
    for (int i = 0; i < s.poster_count; i++)
        if (!s.posters[i].is_busy)
            return &s.posters[i];
    return NULL;
}

/* Lets posters that are free post, at most `allowed` in all; returns how many did. */
static uint64_t s_post_free(uint64_t allowed)
{
    uint64_t done = 0;
    for (int i = 0; i < s.poster_count && done < allowed; i++) {
        if (s.posters[i].is_busy)
            continue;
        client_post(&s.posters[i], &s.rooms[s.next_room++ % (uint64_t)s.room_count]);
        done++;
    }
    return done;
}

static bool s_posts_are_under_way(void)
{
    for (int i = 0; i < s.poster_count; i++)
        if (s.posters[i].is_busy)
            return true;
    return false;
}

/* Posts one event into each room and waits for the answers. */
static void s_post_round(void)
{
    int64_t start_us = clock_mono_us();
    for (int done = 0; done < s.room_count;) {
        client_t *poster = s_free_poster();
        if (poster != NULL)
            client_post(poster, &s.rooms[done++]);
        s_poll(poster == NULL ? 10 : 0);
        s_check_time(start_us, "posts", done, s.room_count);
    }
    while (s_posts_are_under_way()) {
        s_poll(10);
        s_check_time(start_us, "answers", 0, s.room_count);
    }
}

/* ---- the commands ---- */

static void s_connect(void)
{
    int64_t start_us = clock_mono_us(), calm_us;
    uint64_t all = (uint64_t)s.subscriber_count;
    double cpu_s = s_own_cpu_s();
    s.connect_us = start_us;
    for (int i = 0; i < s.subscriber_count; i++) {
        /* a room's subscribers are spread over the ports */
        client_open(&s.subscribers[i], &s.load, &s.rooms[i % s.room_count], false,
                    s.ports.of[i / s.room_count % s.ports.count]);
        if (i % CONNECTS_A_TURN == 0)
            s_poll(0);
    }
    while (s.load.acknowledged < all) {
        s_poll(100);
        s_check_time(start_us, "acknowledged", (int)s.load.acknowledged, s.subscriber_count);
    }
    double seconds = s_since_s(start_us);
    for (calm_us = clock_mono_us(); clock_mono_us() < calm_us + CALM_US;)
        s_poll(10);
    printf("{\"connected\":%d,\"seconds\":%.3f,\"loadCpuS\":%.3f,\"refused\":%llu}\n",
           s.subscriber_count, seconds, s_own_cpu_s() - cpu_s,
           (unsigned long long)s.load.tally.strange);
}

static int s_count_received(uint64_t at_least)
{
    int count = 0;
    for (int i = 0; i < s.subscriber_count; i++)
        count += s.subscribers[i].received >= at_least;
    return count;
}

static void s_live(void)
{
    int64_t start_us = clock_mono_us();
    int live = 0;
    while (live < s.subscriber_count) {
        s_post_round();
        for (int64_t until_us = clock_mono_us() + PROBE_US;
             live < s.subscriber_count && clock_mono_us() < until_us;) {
            s_poll(10);
            live = s_count_received(1);
        }
        s_check_time(start_us, "live", live, s.subscriber_count);
    }
    /* what of the last probe is still on its way must not be counted later */
    for (int64_t calm_us = clock_mono_us(); clock_mono_us() < calm_us + CALM_US;)
        s_poll(10);
    printf("{\"live\":%d,\"seconds\":%.3f}\n", live, s_since_s(start_us));
}

static void s_post(int rate, int seconds)
{
    tally_t *tally = &s.load.tally;
    int64_t start_us = clock_mono_us(), end_us = start_us + (int64_t)seconds * 1000000;
    double cpu_s = s_own_cpu_s();
    *tally = (tally_t){0};
    s.load.is_measuring = true;
    s.load.window_us = start_us;
    for (int64_t now_us = start_us; now_us < end_us; now_us = clock_mono_us()) {
        uint64_t due =
            rate == 0 ? UINT64_MAX : (uint64_t)((now_us - start_us) * rate / 1000000) + 1;
        if (due > tally->posted)
            s_post_free(due - tally->posted);
        s_poll(1);
    }
    uint64_t a_post = (uint64_t)(s.subscriber_count / s.room_count);
    int64_t drain_us = clock_mono_us() + (int64_t)DRAIN_S * 1000000;
    while ((s_posts_are_under_way() || tally->deliveries < tally->posted * a_post) &&
           clock_mono_us() < drain_us)
        s_poll(10);
    s.load.is_measuring = false;
    if (s.load.last_event_us > end_us)
        end_us = s.load.last_event_us;
    double elapsed_s = (double)(end_us - start_us) * 1e-6;
    printf("{\"subscribers\":%d,\"rate\":%d,\"seconds\":%.3f,\"posted\":%llu,\"answered\":%llu,"
           "\"refused\":%llu,\"deliveries\":%llu,\"perSecond\":%.0f,\"missing\":%lld,"
           "\"disordered\":%llu,\"strange\":%llu,\"loadCpuS\":%.3f",
           s.subscriber_count, rate, elapsed_s, (unsigned long long)tally->posted,
           (unsigned long long)tally->answered, (unsigned long long)tally->refused,
           (unsigned long long)tally->deliveries, (double)tally->deliveries / elapsed_s,
           (long long)(tally->answered * a_post - tally->deliveries),
           (unsigned long long)tally->disordered, (unsigned long long)tally->strange,
           s_own_cpu_s() - cpu_s);
    tally_print(&tally->sent, "sent", stdout);
    tally_print(&tally->created, "created", stdout);
    tally_print(&tally->posting, "posting", stdout);
    printf("}\n");
}

static void s_calm(int seconds)
{
    int64_t start_us = clock_mono_us(), quiet_us = start_us;
    while (s_since_s(quiet_us) < QUIET_S && s_since_s(start_us) < seconds) {
        s_poll(10);
        if (s_posts_are_under_way())
            quiet_us = clock_mono_us();
        else if (s.load.last_event_us > quiet_us)
            quiet_us = s.load.last_event_us;
    }
    printf("{\"isCalm\":%s,\"seconds\":%.3f}\n", s_since_s(quiet_us) < QUIET_S ? "false" : "true",
           s_since_s(start_us));
}

static void s_fill(int count)
{
    s_post_round();
    for (int i = 0; i < s.room_count; i++)
        memcpy(s.rooms[i].cursor, s.rooms[i].newest, sizeof s.rooms[i].cursor);
    for (int i = 0; i < count; i++)
        s_post_round();
    printf("{\"filled\":%d}\n", count);
}

static void s_caught_up(int count)
{
    int64_t start_us = clock_mono_us();
    int done = 0;
    uint64_t too_many = 0;
    while (done < s.subscriber_count) {
        s_poll(10);
        done = s_count_received((uint64_t)count);
        s_check_time(start_us, "caught up", done, s.subscriber_count);
    }
    for (int64_t calm_us = clock_mono_us(); clock_mono_us() < calm_us + CALM_US;)
        s_poll(10);
    for (int i = 0; i < s.subscriber_count; i++)
        too_many += s.subscribers[i].received - (uint64_t)count;
    printf("{\"caughtUp\":%d,\"seconds\":%.3f,\"tooMany\":%llu,\"disordered\":%llu}\n", done,
           (double)(s.load.last_event_us - s.connect_us) * 1e-6, (unsigned long long)too_many,
           (unsigned long long)s.load.tally.disordered);
}

static void s_command(const char *line)
{
    int rate, seconds, count;
    if (strcmp(line, "connect") == 0) {
        s_connect();
    } else if (strcmp(line, "live") == 0) {
        s_live();
    } else if (sscanf(line, "post %d %d", &rate, &seconds) == 2 && rate >= 0 && seconds >= 1 &&
               seconds <= SECONDS_MAX) {
        s_post(rate, seconds);
    } else if (sscanf(line, "calm %d", &seconds) == 1) {
        s_calm(seconds);
    } else if (sscanf(line, "fill %d", &count) == 1) {
        s_fill(count);
    } else if (sscanf(line, "caught-up %d", &count) == 1) {
        s_caught_up(count);
    } else {
        fprintf(stderr, "wsload: no such command: %s\n", line);
        exit(2);
    }
    fflush(stdout);
}

/* Commands come one at a time: whoever writes waits for the answer. */
static void s_run(void)
{
    char line[256];
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(s.load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        load_die("stdin must be a pipe");
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(s.load.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL) {
                client_read(events[i].data.ptr);
                continue;
            }
            ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
            if (n <= 0)
                return;
            line[n] = '\0';
            line[strcspn(line, "\r\n")] = '\0';
            epoll_ctl(s.load.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            s_command(line);
            epoll_ctl(s.load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
            break; /* the events that are left may be read by now */
        }
    }
}

/* ---- options ---- */

static void s_usage(void)
{
    fprintf(stderr,
            "usage: bench_wsload --ports P[,P] [--post-ports P[,P]] [--dialect transport|raw|nats] "
            "[--token T]\n  [--room NAME] [--rooms N] [--subscribers N] [--posters N]\n");
    exit(2);
}

static int s_number(const char *text, int max)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || value < 1 || value > max)
        s_usage();
    return (int)value;
}

static ports_t s_ports(const char *text)
{
    ports_t ports = {0};
    char copy[128], *at = copy, *part;
    snprintf(copy, sizeof copy, "%s", text);
    while ((part = strsep(&at, ",")) != NULL && ports.count < PORTS_MAX)
        ports.of[ports.count++] = s_number(part, 65535);
    return ports;
}

static dialect_t s_dialect(const char *name)
{
    static const char *const names[] = {"transport", "raw", "nats"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (dialect_t)i;
    s_usage();
    return DIALECT_RAW;
}

static void s_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"ports", 1, NULL, 'p'},   {"post-ports", 1, NULL, 'o'},  {"dialect", 1, NULL, 'd'},
        {"token", 1, NULL, 't'},   {"room", 1, NULL, 'r'},        {"rooms", 1, NULL, 'n'},
        {"posters", 1, NULL, 'w'}, {"subscribers", 1, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            s.ports = s_ports(optarg);
            break;
        case 'o':
            s.post_ports = s_ports(optarg);
            break;
        case 'd':
            s.load.dialect = s_dialect(optarg);
            break;
        case 't':
            s.load.token = optarg;
            break;
        case 'r':
            s.room = optarg;
            break;
        case 'n':
            s.room_count = s_number(optarg, ROOMS_MAX);
            break;
        case 'w':
            s.poster_count = s_number(optarg, POSTERS_MAX);
            break;
        case 's':
            s.subscriber_count = s_number(optarg, SUBSCRIBERS_MAX);
            break;
        default:
            s_usage();
        }
    }
    if (s.ports.count == 0)
        s_usage();
    if (s.post_ports.count == 0)
        s.post_ports = s.ports;
}

static void *s_array(int count, size_t size)
{
    void *array = calloc((size_t)count, size);
    if (array == NULL)
        abort();
    return array;
}

/* A power of two; fewer for each of many rooms. */
static size_t s_copies_each(void)
{
    size_t each = COPIES_EACH_MAX;
    while (each > 1 && each * (size_t)s.room_count > COPIES_MAX)
        each /= 2;
    return each;
}

int main(int argc, char **argv)
{
    s.load.token = "";
    s_options(argc, argv);
    s.load.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.subscribers = s_array(s.subscriber_count, sizeof s.subscribers[0]);
    s.posters = s_array(s.poster_count, sizeof s.posters[0]);
    s.rooms = s_array(s.room_count, sizeof s.rooms[0]);
    for (int i = 0; i < s.room_count; i++) {
        snprintf(s.rooms[i].name, sizeof s.rooms[i].name, "%.40s-%d", s.room, i);
        s.rooms[i].copies = copies_new(s_copies_each());
    }
    for (int i = 0; i < s.poster_count; i++) {
        client_open(&s.posters[i], &s.load, &s.rooms[0], true,
                    s.post_ports.of[i % s.post_ports.count]);
    }
    s_run();
    return 0;
}
