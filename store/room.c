#include "store/room.h"

#include <string.h>

bool room_is_private(const char *room, size_t size)
{
    static const char beginning[] = ROOM_PRIVATE;
    return size >= sizeof beginning - 1 && memcmp(room, beginning, sizeof beginning - 1) == 0;
}

const char *room_caller_account(const store_call_t *call)
{
    const char *provider = json_string_value(json_object_get(call->identity, "provider"));
    const char *sub = json_string_value(json_object_get(call->identity, "sub"));
    return provider && sub && strcmp(provider, "user-pool") == 0 ? sub : "";
}

void room_refuse(store_call_t *call)
{
    store_call_fail(call, ERR_FORBIDDEN, NULL, "the room is closed to you");
}
