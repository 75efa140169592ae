/* What services write: manifests, events, errors, replays. Anything is read or refused, and what is
 * read keeps its promises. The first byte chooses which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bus/bodies.h"
#include "gateway/bus/manifest.h"
#include "gateway/bus/sdl_fields.h"
#include "gateway/feed/replay_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void s_manifest(const char *text, size_t size)
{
    err_t err = ERR_INIT;
    manifest_t *manifest = manifest_read(text, size, "store", &err);
    if ((manifest == NULL) != (err.code == ERR_PROTOCOL))
        abort();
    if (manifest != NULL && strcmp(manifest_view(manifest)->name, "store") != 0)
        abort();
    if (manifest != NULL)
        manifest_has_field(manifest, "Query.a");
    manifest_unref(&manifest);
}

static void s_event(arena_t *arena, const char *text, size_t size)
{
    service_event_t event = {0};
    const char *incarnation = NULL;
    if (body_read_event(arena, "s", 2, text, size, &event, &incarnation, NULL) != ERR_OK)
        return;
    if (strcmp(event.stream, "s") != 0 || strlen(event.epoch) != 16 || incarnation == NULL)
        abort();
    if (event.kind != SERVICE_EVENT_HEAD && (event.seq == 0 || event.payload.size == 0))
        abort();
}

static void s_error(arena_t *arena, const char *text, size_t size)
{
    service_answer_t answer;
    body_read_error(arena, text, size, &answer);
    if (answer.ok || answer.code == NULL || answer.message == NULL)
        abort();
}

static void s_replay(arena_t *arena, const char *text, size_t size)
{
    replay_answer_t answer;
    if (!replay_answer_read(&answer, arena, "s", (json_slice_t){text, size}))
        return;
    for (size_t i = 0; i < answer.count; i++)
        if (answer.events[i].seq != answer.events[0].seq + i || answer.events[i].seq > answer.head)
            abort();
}

static void s_sdl(const char *text, size_t size)
{
    zhashx_t *fields = sdl_fields(text, size);
    zhashx_destroy(&fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* An exact copy, so that a read beyond the end is found. */
    size_t rest = size - 1;
    char *text = malloc(rest > 0 ? rest : 1);
    if (text == NULL)
        abort();
    memcpy(text, data + 1, rest);
    arena_t *arena = arena_new(1 << 20);
    switch (data[0] % 5) {
    case 0:
        s_manifest(text, rest);
        break;
    case 1:
        s_event(arena, text, rest);
        break;
    case 2:
        s_error(arena, text, rest);
        break;
    case 3:
        s_replay(arena, text, rest);
        break;
    default:
        s_sdl(text, rest);
        break;
    }
    arena_destroy(&arena);
    free(text);
    return 0;
}
