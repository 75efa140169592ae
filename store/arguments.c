#include "store/arguments.h"

#include <string.h>

#include "common/json.h"
#include "store/message.h"
#include "store/room.h"

/* The member, or NULL if it is absent or null. */
static const json_t *s_get(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    return json_is_null(value) ? NULL : value;
}

#define REFUSE(refusal_, argument_, ...)                                                           \
    ((refusal_)->argument = (argument_), (refusal_)->err.code = ERR_OK,                            \
     err_set(&(refusal_)->err, ERR_BAD_USER_INPUT, __VA_ARGS__), false)

/* A string argument; false if it is there and no string of valid UTF-8. */
static bool s_text(const json_t *args, const char *name, text_t *text, refusal_t *refusal)
{
    const json_t *value = s_get(args, name);
    *text = (text_t){NULL, 0};
    if (!value)
        return true;
    if (!json_is_string(value))
        return REFUSE(refusal, name, "%s must be a string", name);
    text->data = json_string_value(value);
    text->size = json_string_length(value);
    return true; /* jansson has checked the UTF-8 */
}

static bool s_has_control(text_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < text.size && (unsigned char)text.data[i + 1] < 0xa0)
            return true; /* U+0080 … U+009F */
    }
    return false;
}

bool arguments_room(const json_t *args, text_t *room, refusal_t *refusal)
{
    if (!s_text(args, "room", room, refusal))
        return false;
    if (!room->data) {
        *room = (text_t){ROOM_DEFAULT, sizeof ROOM_DEFAULT - 1};
        return true;
    }
    if (room->size == 0 || room->size > ROOM_BYTES_MAX ||
        utf8_length(room->data, room->size) > ROOM_CHARS_MAX)
        return REFUSE(refusal, "room", "room must have 1 to %d characters", ROOM_CHARS_MAX);
    if (s_has_control(*room))
        return REFUSE(refusal, "room", "room must not contain control characters");
    return true;
}

bool arguments_private_room(const json_t *args, text_t *room, refusal_t *refusal)
{
    if (!arguments_room(args, room, refusal))
        return false;
    if (!room_is_private(room->data, room->size))
        return REFUSE(refusal, "room",
                      "only rooms whose name begins with " ROOM_PRIVATE " have members");
    return true;
}

/* A string that must be given, with at most so many bytes and characters. */
static bool s_name(const json_t *args,
                   const char *name,
                   size_t bytes_max,
                   size_t chars_max,
                   text_t *text,
                   refusal_t *refusal)
{
    if (!s_text(args, name, text, refusal))
        return false;
    if (!text->data)
        return REFUSE(refusal, name, "%s must be given", name);
    if (text->size == 0 || text->size > bytes_max ||
        utf8_length(text->data, text->size) > chars_max)
        return REFUSE(refusal, name, "%s must have 1 to %zu characters", name, chars_max);
    if (s_has_control(*text))
        return REFUSE(refusal, name, "%s must not contain control characters", name);
    return true;
}

bool arguments_handle(const json_t *args, text_t *handle, refusal_t *refusal)
{
    return s_name(args, "handle", HANDLE_BYTES_MAX, HANDLE_BYTES_MAX, handle, refusal);
}

bool arguments_title(const json_t *args, text_t *title, refusal_t *refusal)
{
    return s_name(args, "title", ROOM_BYTES_MAX, ROOM_CHARS_MAX, title, refusal);
}

bool arguments_role(const json_t *args, text_t *role, refusal_t *refusal)
{
    static const char *const roles[] = {"OWNER", "MODERATOR", "MEMBER"};
    if (!s_text(args, "role", role, refusal))
        return false;
    if (!role->data)
        *role = (text_t){"MEMBER", 6};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role->data, roles[i]) == 0)
            return true;
    return REFUSE(refusal, "role", "role must be OWNER, MODERATOR or MEMBER");
}

bool arguments_body(const json_t *args, text_t *body, refusal_t *refusal)
{
    if (!s_text(args, "body", body, refusal))
        return false;
    if (!body->data)
        return REFUSE(refusal, "body", "body must be given");
    if (body->size == 0)
        return REFUSE(refusal, "body", "body must not be empty");
    if (body->size > BODY_BYTES_MAX)
        return REFUSE(refusal, "body", "body must have at most %d bytes of UTF-8, it has %zu",
                      BODY_BYTES_MAX, body->size);
    if (memchr(body->data, '\0', body->size))
        return REFUSE(refusal, "body", "body must not contain the character U+0000");
    return true;
}

bool arguments_message_id(const json_t *args,
                          const parley_uuid_t *fallback,
                          parley_uuid_t *id,
                          refusal_t *refusal)
{
    text_t text;
    if (!s_text(args, "messageId", &text, refusal))
        return false;
    if (!text.data)
        *id = *fallback;
    else if (!uuid_parse_text(text.data, text.size, id))
        return REFUSE(refusal, "messageId",
                      "messageId must be a UUID (8-4-4-4-12 hexadecimal digits)");
    return true;
}

/* A whole number 1 … PAGE_MAX; 0 if it is absent. */
static bool s_limit(const json_t *args, const char *name, int *limit, refusal_t *refusal)
{
    const json_t *value = s_get(args, name);
    *limit = 0;
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > PAGE_MAX)
        return REFUSE(refusal, name, "%s must be a whole number from 1 to %d", name, PAGE_MAX);
    *limit = (int)json_integer_value(value);
    return true;
}

static bool s_filter(const json_t *args, text_t *filter, refusal_t *refusal)
{
    if (!s_text(args, "filter", filter, refusal))
        return false;
    if (filter->size > FILTER_BYTES_MAX)
        return REFUSE(refusal, "filter", "filter must have at most %d bytes of UTF-8",
                      FILTER_BYTES_MAX);
    if (filter->data && memchr(filter->data, '\0', filter->size))
        return REFUSE(refusal, "filter", "filter must not contain the character U+0000");
    if (filter->size == 0)
        filter->data = NULL;
    return true;
}

bool arguments_page(const json_t *args, page_arguments_t *page, refusal_t *refusal)
{
    int first, last;
    if (!s_limit(args, "first", &first, refusal) || !s_limit(args, "last", &last, refusal) ||
        !s_text(args, "after", &page->after, refusal) ||
        !s_text(args, "before", &page->before, refusal) || !s_filter(args, &page->filter, refusal))
        return false;
    if (first && last)
        return REFUSE(refusal, "last", "first and last exclude each other");
    /* Without a number the page lies at the cursor that is given, else at the room's end. */
    page->forward = first || (!last && page->after.data);
    page->limit = first ? first : last ? last : PAGE_DEFAULT;
    return true;
}

bool arguments_start(const json_t *args,
                     const char *resume,
                     start_arguments_t *start,
                     refusal_t *refusal)
{
    *start = (start_arguments_t){.after_argument = "after"};
    if (!s_limit(args, "last", &start->last, refusal) ||
        !s_text(args, "after", &start->after, refusal))
        return false;
    if (resume) {
        start->after = (text_t){resume, strlen(resume)};
        start->after_argument = "resume";
        start->last = 0;
        return true;
    }
    if (start->after.data && start->last)
        return REFUSE(refusal, "last", "after and last exclude each other");
    return true;
}
