/* store/reader_sql.h: the statements that read the log. All results are binary. */
#ifndef PARLEY_STORE_READER_SQL_H
#define PARLEY_STORE_READER_SQL_H

#include <stdbool.h>

#include "store/pg_link.h"

/* Pages: $1 room, $2 after, $3 before (exclusive, int8), $4 limit (int8), with a filter $5 pattern.
 * Rows: MESSAGE_COLUMNS, forward oldest first, else newest first. */
const pg_statement_t *reader_sql_page(bool forward, bool filtered);

/* Pages of a private room: $1 room, $2 handle and $3 account of the caller, $4 after, $5 before, $6
 * limit, with a filter $7 pattern. No row: the caller is no member. Else MESSAGE_COLUMNS, head and
 * first; one row with a null seq if the page is empty. One snapshot. */
const pg_statement_t *reader_sql_private_page(bool forward, bool filtered);
enum { PRIVATE_PAGE_HEAD = 5, PRIVATE_PAGE_FIRST = 6 };

/* What the log has beyond the ends of tails: $1 rooms, $2 their seqs. Rows: room, type,
 * MESSAGE_COLUMNS; by room and seq; at most TAILS_ROWS_MAX a room. */
extern const pg_statement_t reader_sql_tails;
enum { TAILS_ROOM, TAILS_TYPE, TAILS_MESSAGE, TAILS_ROWS_MAX = 200 };

/* $1 room: no row, or last_seq and first_seq. */
extern const pg_statement_t reader_sql_head;

/* Events of several rooms: $1 rooms, $2 the seq of each after which they are wanted, $3 how many at
 * most, $4 ceiling of their bodies' bytes in each room (the first one counts not). Rows, at least
 * one a room, in the order of the rooms: head, first, type (null if there are no events: one row
 * then), MESSAGE_COLUMNS, the room's place (from 1 on). One snapshot. */
extern const pg_statement_t reader_sql_replays;
/* Those of one room, and no place: $1 room, $2 how many of the newest, $3 how many at most, $4 as
 * above. */
extern const pg_statement_t reader_sql_replay_last;

/* $1 rooms: head and first of each, in the order given. */
extern const pg_statement_t reader_sql_heads;

/* $1 rooms, $2 handles and $3 accounts of callers: head and first of each in the order given, and
 * whether it is private and that caller no member. One snapshot. */
extern const pg_statement_t reader_sql_starts;

/* For heads that wait for writers: begin; $1 rooms in byte order: locks them as a writer does and
 * returns head and first of each; and rollback, so that nothing is written. */
extern const pg_statement_t reader_sql_begin, reader_sql_settle, reader_sql_rollback;

#endif
