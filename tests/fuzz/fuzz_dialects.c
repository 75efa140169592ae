/* The messages of each WebSocket dialect, with real sessions behind them: nothing that a client
 * says ends the process, and whatever is answered is JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../unit/gateway/ws_world.h"
#include "common/json.h"
#include "gateway/realtime/ws_codec.h"

enum { MESSAGES_MAX = 20, INPUT_MAX = 4096, DEPTH = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *path, *protocols;
} dialects[] = {
    {"/graphql", "graphql-transport-ws"},
    {"/graphql", "graphql-ws"},
    {"/graphql/realtime", "graphql-ws"},
    {"/graphql", NULL},
};

/* All lines of text must be JSON; ends and pings are told in words. */
static void s_check(const char *heard)
{
    while (*heard) {
        size_t size = strcspn(heard, "\n");
        if (*heard == '{' && !json_validate(heard, size, DEPTH, NULL))
            abort();
        heard += size + (heard[size] == '\n');
    }
}

/* Its end is a reset: a thousand connections a second that wait for late segments take all
 * ports. */
static void s_reset_at_close(const ws_client_t *client)
{
    struct linger linger = {.l_onoff = 1};
    if (setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
        abort();
}

/* data: a byte that chooses the dialect, another whether the client introduces himself first; then
 * messages, one a line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char init[] = "{\"type\":\"connection_init\",\"payload\":{\"x-api-key\":\"key\"}}";
    static ws_world_t world;
    static ws_client_t client;
    if (size < 2 || size > INPUT_MAX)
        return 0;
    size_t dialect = data[0] % (sizeof dialects / sizeof *dialects);
    if (!world.loop)
        ws_world_begin(&world); /* for all inputs: nothing of one is left for the next */
    ws_client_open(&client, &world, dialects[dialect].path, dialects[dialect].protocols, NULL);
    s_reset_at_close(&client);
    if (data[1] & 1)
        ws_client_say(&client, &world, init);
    const char *at = (const char *)data + 2, *end = (const char *)data + size;
    for (int i = 0; i < MESSAGES_MAX && at < end; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        ws_client_frame(&client, 0x80 | WS_TEXT, at, length);
        ws_world_pump(&world);
        at += length + 1;
    }
    s_check(ws_client_hear(&client, &world));
    ws_client_close(&client);
    ws_world_pump(&world);
    if (realtime_count(world.realtime) || runner_running(world.runner))
        abort();
    if (fake_call_count)
        fake_bus_reset();
    return 0;
}
