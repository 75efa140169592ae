#include "store/room.h"

#include <string.h>

bool room_is_private(const char *room, size_t size)
{
    static const char beginning[] = ROOM_PRIVATE;
    return size >= sizeof beginning - 1 && memcmp(room, beginning, sizeof beginning - 1) == 0;
}

const char *room_caller_account(const store_call_t *call)
{
    bool has_account = call->sub && call->provider && strcmp(call->provider, "user-pool") == 0;
    return has_account ? call->sub : "";
}

void room_refuse(store_call_t *call)
{
    store_call_fail(call, ERR_FORBIDDEN, NULL, "the room is closed to you");
}
