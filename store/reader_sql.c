#include "store/reader_sql.h"

#include "store/message.h"
#include "store/room.h"

#define PAGE_SQL(condition, order)                                                                 \
    "SELECT " MESSAGE_COLUMNS " FROM messages WHERE room=$1 AND type='createMessage' AND seq>$2"   \
    " AND seq<$3" condition " ORDER BY seq " order " LIMIT $4"

static const Oid s_page_types[] = {PG_TEXT_TYPE, PG_INT8, PG_INT8, PG_INT8, PG_TEXT_TYPE};
static const pg_statement_t s_pages[2][2] = {
    {{"page_back", PAGE_SQL("", "DESC"), 4, s_page_types, true},
     {"page_back_filter", PAGE_SQL(" AND body_matches(body, $5)", "DESC"), 5, s_page_types, true}},
    {{"page_forward", PAGE_SQL("", "ASC"), 4, s_page_types, true},
     {"page_forward_filter", PAGE_SQL(" AND body_matches(body, $5)", "ASC"), 5, s_page_types,
      true}},
};

const pg_statement_t *reader_sql_page(bool forward, bool filtered)
{
    return &s_pages[forward][filtered];
}

/* It begins with the member: an outsider's question ends at the same index entry that is not there,
 * whether the room is or not. */
#define MEMBER_OF_ROOM " FROM room_members b JOIN rooms r ON r.room=b.room"
#define IS_CALLER " WHERE b.acts_as=$2 AND b.account=$3 AND b.room=$1"
#define PRIVATE_PAGE_SQL(condition, order)                                                         \
    "SELECT m.seq, m.id, m.handle, m.body, m.created_at, r.last_seq, r.first_seq" MEMBER_OF_ROOM   \
    " LEFT JOIN LATERAL (SELECT * FROM messages e WHERE e.room=b.room AND e.type='createMessage'"  \
    " AND e.seq>$4 AND e.seq<$5" condition " ORDER BY e.seq " order                                \
    " LIMIT $6) m ON true" IS_CALLER " ORDER BY m.seq " order

static const Oid s_private_types[] = {PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE, PG_INT8,
                                      PG_INT8,      PG_INT8,      PG_TEXT_TYPE};
static const pg_statement_t s_private_pages[2][2] = {
    {{"private_back", PRIVATE_PAGE_SQL("", "DESC"), 6, s_private_types, true},
     {"private_back_filter", PRIVATE_PAGE_SQL(" AND body_matches(e.body, $7)", "DESC"), 7,
      s_private_types, true}},
    {{"private_forward", PRIVATE_PAGE_SQL("", "ASC"), 6, s_private_types, true},
     {"private_forward_filter", PRIVATE_PAGE_SQL(" AND body_matches(e.body, $7)", "ASC"), 7,
      s_private_types, true}},
};

const pg_statement_t *reader_sql_private_page(bool forward, bool filtered)
{
    return &s_private_pages[forward][filtered];
}

static const Oid s_tails_types[] = {PG_TEXT_ARRAY, PG_INT8_ARRAY};
const pg_statement_t reader_sql_tails = {
    "tails",
    "SELECT t.room, m.type, m.seq, m.id, m.handle, m.body, m.created_at"
    " FROM unnest($1::text[],$2::bigint[]) WITH ORDINALITY t(room,seq,o)"
    " CROSS JOIN LATERAL (SELECT * FROM messages m WHERE m.room=t.room AND m.seq>t.seq"
    " ORDER BY m.seq LIMIT 200) m ORDER BY t.o, m.seq",
    2, s_tails_types, true};

static const Oid s_text[] = {PG_TEXT_TYPE};
const pg_statement_t reader_sql_head = {
    "room_head", "SELECT last_seq, first_seq FROM rooms WHERE room=$1", 1, s_text, true};

/* clang-format off: SQL reads best as it is written. */
/* The running total is cut before the bodies are read: octet_length needs only their headers. */
#define REPLAY_SQL(rows)                                                                           \
    "SELECT coalesce(r.last_seq,0)::bigint, coalesce(r.first_seq,1)::bigint,"                      \
    " e.type, e.seq, e.id, e.handle, e.body, e.created_at"                                         \
    " FROM (SELECT $1::text COLLATE \"C\" AS room) q"                                              \
    " LEFT JOIN rooms r ON r.room=q.room"                                                          \
    " LEFT JOIN LATERAL ("                                                                         \
    "  SELECT * FROM ("                                                                            \
    "   SELECT w.*, sum(octet_length(w.body)) OVER (ORDER BY w.seq) - octet_length(w.body) AS "    \
    "before"                                                                                       \
    "   FROM (" rows ") w) c"                                                                      \
    "  WHERE c.before<$4) e ON true"                                                               \
    " ORDER BY e.seq"

static const Oid s_replay_types[] = {PG_TEXT_TYPE, PG_INT8, PG_INT8, PG_INT8};
const pg_statement_t reader_sql_replay_last = {
    "replay_last",
    REPLAY_SQL("SELECT * FROM ("
               " SELECT * FROM messages m WHERE m.room=q.room ORDER BY m.seq DESC LIMIT $2) n"
               " ORDER BY n.seq LIMIT $3"),
    4, s_replay_types, true};

static const Oid s_replays_types[] = {PG_TEXT_ARRAY, PG_INT8_ARRAY, PG_INT8_ARRAY, PG_INT8};
const pg_statement_t reader_sql_replays = {
    "replays",
    "SELECT coalesce(r.last_seq,0)::bigint, coalesce(r.first_seq,1)::bigint,"
    " e.type, e.seq, e.id, e.handle, e.body, e.created_at, q.o"
    " FROM unnest($1::text[],$2::bigint[],$3::bigint[]) WITH ORDINALITY q(room,after,most,o)"
    " LEFT JOIN rooms r ON r.room=q.room COLLATE \"C\""
    " LEFT JOIN LATERAL ("
    "  SELECT * FROM ("
    "   SELECT w.*, sum(octet_length(w.body)) OVER (ORDER BY w.seq) - octet_length(w.body) AS before"
    "   FROM (SELECT * FROM messages m WHERE m.room=q.room AND m.seq>q.after ORDER BY m.seq"
    "    LIMIT q.most) w) c"
    "  WHERE c.before<$4) e ON true"
    " ORDER BY q.o, e.seq",
    4, s_replays_types, true};

static const Oid s_texts[] = {PG_TEXT_ARRAY};
const pg_statement_t reader_sql_heads = {
    "heads",
    "SELECT coalesce(r.last_seq,0)::bigint, coalesce(r.first_seq,1)::bigint"
    " FROM unnest($1::text[]) WITH ORDINALITY u(room,o)"
    " LEFT JOIN rooms r ON r.room=u.room COLLATE \"C\""
    " ORDER BY u.o",
    1, s_texts, true};

/* To whom a room is closed, nothing of it is looked up: that would take longer where it exists. */
#define IS_CLOSED                                                                                  \
    "starts_with(i.room,'" ROOM_PRIVATE                                                            \
    "') AND " ROOM_MEMBER_SQL("i.room", "i.handle", "i.account") " IS NULL"
static const Oid s_starts_types[] = {PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY};
const pg_statement_t reader_sql_starts = {
    "starts",
    "SELECT coalesce(r.last_seq,0)::bigint, coalesce(r.first_seq,1)::bigint, u.is_closed"
    " FROM (SELECT i.room, i.o, " IS_CLOSED " AS is_closed"
    "  FROM unnest($1::text[],$2::text[],$3::text[]) WITH ORDINALITY i(room,handle,account,o)"
    "  OFFSET 0) u"
    " LEFT JOIN rooms r ON r.room=CASE WHEN NOT u.is_closed THEN u.room COLLATE \"C\" END"
    " ORDER BY u.o",
    3, s_starts_types, true};

const pg_statement_t reader_sql_begin = {"settle_begin", "BEGIN", 0, NULL, true};
const pg_statement_t reader_sql_settle = {
    "settle",
    "INSERT INTO rooms AS r (room, guarded)"
    " SELECT u.x, starts_with(u.x, '" ROOM_PRIVATE
    "') FROM unnest($1::text[]) WITH ORDINALITY u(x,o) ORDER BY o"
    " ON CONFLICT (room) DO UPDATE SET last_seq=r.last_seq"
    " RETURNING r.room, r.last_seq, r.first_seq",
    1, s_texts, true};
const pg_statement_t reader_sql_rollback = {"settle_rollback", "ROLLBACK", 0, NULL, true};
/* clang-format on */
