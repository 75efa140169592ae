#include "store/reader_sql.h"

#include "store/message.h"

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
const pg_statement_t reader_sql_replay_after = {
    "replay_after",
    REPLAY_SQL("SELECT * FROM messages m WHERE m.room=q.room AND m.seq>$2 ORDER BY m.seq LIMIT $3"),
    4, s_replay_types, true};
const pg_statement_t reader_sql_replay_last = {
    "replay_last",
    REPLAY_SQL("SELECT * FROM ("
               " SELECT * FROM messages m WHERE m.room=q.room ORDER BY m.seq DESC LIMIT $2) n"
               " ORDER BY n.seq LIMIT $3"),
    4, s_replay_types, true};

static const Oid s_texts[] = {PG_TEXT_ARRAY};
const pg_statement_t reader_sql_heads = {
    "heads",
    "SELECT coalesce(r.last_seq,0)::bigint, coalesce(r.first_seq,1)::bigint"
    " FROM unnest($1::text[]) WITH ORDINALITY u(room,o)"
    " LEFT JOIN rooms r ON r.room=u.room COLLATE \"C\""
    " ORDER BY u.o",
    1, s_texts, true};

const pg_statement_t reader_sql_begin = {"settle_begin", "BEGIN", 0, NULL, true};
const pg_statement_t reader_sql_settle = {
    "settle",
    "INSERT INTO rooms AS r (room)"
    " SELECT u.x FROM unnest($1::text[]) WITH ORDINALITY u(x,o) ORDER BY o"
    " ON CONFLICT (room) DO UPDATE SET last_seq=r.last_seq"
    " RETURNING r.room, r.last_seq, r.first_seq",
    1, s_texts, true};
const pg_statement_t reader_sql_rollback = {"settle_rollback", "ROLLBACK", 0, NULL, true};
/* clang-format on */
