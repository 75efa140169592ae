#include "store/rooms/rooms_sql.h"

static const Oid s_change_types[] = {PG_TEXT_TYPE, PG_TEXT_TYPE, PG_UUID,      PG_TEXT_TYPE,
                                     PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE,
                                     PG_TEXT_TYPE, PG_TEXT_TYPE, PG_INT8};
const pg_statement_t rooms_sql_change = {
    .name = "room_change",
    .sql = "SELECT * FROM room_change($1,$2,$3,$4,coalesce(account_handle_key($5),$4),$6,"
           " $7,coalesce(account_handle_key($8),$7),$9,$10,$11)",
    .param_count = 11,
    .types = s_change_types,
    .binary_results = true,
};

static const Oid s_list_types[] = {PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE};
const pg_statement_t rooms_sql_mine = {
    .name = "room_mine",
    .sql = "SELECT p.room, p.title, b.role, p.created_at"
           " FROM room_members b JOIN private_rooms p ON p.room=b.room"
           " WHERE b.acts_as=$1 AND b.account=$2 ORDER BY b.joined_at DESC, b.room LIMIT 500",
    .param_count = 2,
    .types = s_list_types,
    .binary_results = true,
};

const pg_statement_t rooms_sql_members = {
    .name = "room_members",
    .sql = "SELECT m.handle, m.role, m.changed_by, m.changed_at, m.seq"
           " FROM room_members b JOIN room_members m ON m.room=b.room"
           " WHERE b.acts_as=$1 AND b.account=$2 AND b.room=$3"
           " ORDER BY m.role='OWNER' DESC, m.role='MODERATOR' DESC, m.handle COLLATE \"C\"",
    .param_count = 3,
    .types = s_list_types,
    .binary_results = true,
};
