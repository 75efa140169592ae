/* store/rooms/rooms_sql.h: the statements about private rooms and their members. Binary results. */
#ifndef PARLEY_STORE_ROOMS_ROOMS_SQL_H
#define PARLEY_STORE_ROOMS_ROOMS_SQL_H

#include "store/pg_link.h"

enum { ROOM_MEMBERS_MAX = 1000, ROOM_LIST_MAX = 500 };

/* The function room_change of the migrations, which is where the rules are: $1 mutation, $2 room,
 * $3 call id, $4 handle, $5 folded handle and $6 account of the caller, $7 target and $8 folded
 * target, $9 role, $10 title, $11 ROOM_MEMBERS_MAX. A folded handle is null if no account can have
 * it. */
extern const pg_statement_t rooms_sql_change;
enum {
    CHANGE_REFUSAL,
    CHANGE_IS_NEW,
    CHANGE_SEQ,
    CHANGE_TYPE,
    CHANGE_HANDLE,
    CHANGE_BODY,
    CHANGE_CREATED_AT
};

/* $1 handle and $2 account of the caller: his rooms, those joined last first, at most
 * ROOM_LIST_MAX. */
extern const pg_statement_t rooms_sql_mine;
enum { MINE_ROOM, MINE_TITLE, MINE_ROLE, MINE_CREATED_AT };

/* $1 and $2 as above, $3 room: its members, owners first. No row: the caller is none of them. */
extern const pg_statement_t rooms_sql_members;
enum { MEMBER_HANDLE, MEMBER_ROLE, MEMBER_CHANGED_BY, MEMBER_CHANGED_AT, MEMBER_SEQ };

#endif
