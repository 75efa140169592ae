#include "store/room_event.h"

#include <string.h>

#include "common/clock.h"

static bool s_is(const char *type, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(type, name, size) == 0;
}

bool room_event_is_revoke(const char *type, size_t size)
{
    return s_is(type, size, ROOM_REVOKE);
}

/* A change of members: what all have in common, then what the body says. is_room: it is the room's
 * beginning, too. */
static void
s_print_change(buffer_t *out, const message_t *row, const cursor_base_t *base, bool is_room)
{
    char changed_at[CLOCK_ISO_SIZE], cursor[CURSOR_SIZE];
    clock_iso(row->created_us, changed_at);
    cursor_print(base, row->seq, cursor);
    buffer_put_str(out, "{\"room\":");
    buffer_put_json_string(out, row->room, row->room_size);
    buffer_put_str(out, ",\"changedBy\":");
    buffer_put_json_string(out, row->handle, row->handle_size);
    buffer_put_str(out, ",\"changedAt\":\"");
    buffer_put(out, changed_at, CLOCK_ISO_SIZE - 1);
    buffer_put_str(out, "\",\"cursor\":\"");
    buffer_put(out, cursor, CURSOR_SIZE - 1);
    if (is_room) {
        buffer_put_str(out, "\",\"createdAt\":\"");
        buffer_put(out, changed_at, CLOCK_ISO_SIZE - 1);
    }
    buffer_put_str(out, "\",");
    buffer_put(out, row->body + 1, row->body_size - 1);
}

/* Is it a change of a private room's members? */
static bool s_is_change(const char *type, size_t size)
{
    static const char *const changes[] = {"createRoom", "inviteToRoom", "setRoomRole",
                                          "removeFromRoom", "leaveRoom"};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (s_is(type, size, changes[i]))
            return true;
    return false;
}

void room_event_print(buffer_t *out,
                      const char *type,
                      size_t type_size,
                      const message_t *row,
                      const cursor_base_t *base)
{
    if (room_event_is_revoke(type, type_size))
        buffer_put(out, row->body, row->body_size);
    else if (s_is_change(type, type_size))
        s_print_change(out, row, base, s_is(type, type_size, "createRoom"));
    else
        message_print(out, row, base);
}
