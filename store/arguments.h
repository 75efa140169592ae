/* store/arguments.h: reads and checks the arguments of the log's fields. Each rule is stated here
 * once; a broken one names the argument. Pure. */
#ifndef PARLEY_STORE_ARGUMENTS_H
#define PARLEY_STORE_ARGUMENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/uuid.h"

enum {
    BODY_BYTES_MAX = 64 * 1024,
    FILTER_BYTES_MAX = 4096,
    PAGE_MAX = 500,
    PAGE_DEFAULT = 100,
    HANDLE_BYTES_MAX = 256
};

#define ROOM_DEFAULT "lobby"

/* What was wrong with which argument. */
typedef struct {
    const char *argument; /* constant string */
    err_t err;            /* text: the rule */
} refusal_t;

/* Text borrowed from args. data NULL: absent. */
typedef struct {
    const char *data;
    size_t size;
} text_t;

/* All functions: true, or false with *refusal filled in (ERR_BAD_USER_INPUT). Absent and null are
 * the same. */

/* room: 1 … 128 characters, no control characters; absent: ROOM_DEFAULT. */
bool arguments_room(const json_t *args, text_t *room, refusal_t *refusal);

/* room: one whose name begins with ROOM_PRIVATE; it must be given. */
bool arguments_private_room(const json_t *args, text_t *room, refusal_t *refusal);

/* handle: 1 … HANDLE_BYTES_MAX bytes, no control characters: of an account or of whom another
 * issuer vouches for. */
bool arguments_handle(const json_t *args, text_t *handle, refusal_t *refusal);

/* role: OWNER, MODERATOR or MEMBER; absent: MEMBER. */
bool arguments_role(const json_t *args, text_t *role, refusal_t *refusal);

/* title: 1 … ROOM_CHARS_MAX characters, no control characters. */
bool arguments_title(const json_t *args, text_t *title, refusal_t *refusal);

/* body: 1 byte … 64 KiB, no NUL. */
bool arguments_body(const json_t *args, text_t *body, refusal_t *refusal);

/* messageId: a UUID; absent: fallback. */
bool arguments_message_id(const json_t *args,
                          const parley_uuid_t *fallback,
                          parley_uuid_t *id,
                          refusal_t *refusal);

/* Which page of a room is wanted. */
typedef struct {
    text_t after, before; /* cursors, not read yet */
    text_t filter;        /* data NULL: none; an empty one is none */
    int limit;            /* 1 … PAGE_MAX */
    bool forward;         /* the oldest of what lies between after and before, else the newest */
} page_arguments_t;

/* first, after, last, before, filter of getMessages. */
bool arguments_page(const json_t *args, page_arguments_t *page, refusal_t *refusal);

/* Where a subscription begins. */
typedef struct {
    text_t after;               /* a cursor, not read yet; data NULL: none */
    const char *after_argument; /* "after" or "resume": who is named if it is wrong */
    int last;                   /* 0: from now on */
} start_arguments_t;

/* after and last of addMessage; resume (may be NULL) overrides both. */
bool arguments_start(const json_t *args,
                     const char *resume,
                     start_arguments_t *start,
                     refusal_t *refusal);

#endif
