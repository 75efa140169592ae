#include "store/writer_sql.h"

#include <assert.h>
#include <string.h>

#include "store/arguments.h"
#include "store/fault.h"
#include "store/pg_array.h"
#include "store/room.h"

/* Ceiling of one parameter: bodies of the largest batch. */
enum { ARRAY_MAX = BATCH_MAX * (BODY_BYTES_MAX + 64) };

/* $1 rooms $2 ids $3 handles $4 bodies $7 back per message; $5 distinct rooms in byte order, $6
 * their counts. */
static const Oid s_fast_types[] = {PG_TEXT_ARRAY, PG_UUID_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY,
                                   PG_TEXT_ARRAY, PG_INT8_ARRAY, PG_INT8_ARRAY};
static const pg_statement_t s_fast = {
    .name = "write_fast",
    .sql = "WITH cnt AS ("
           " INSERT INTO rooms AS r (room,last_seq)"
           " SELECT u.room,u.k FROM unnest($5::text[],$6::bigint[]) WITH ORDINALITY u(room,k,o)"
           " ORDER BY u.o"
           " ON CONFLICT (room) DO UPDATE SET last_seq=r.last_seq+excluded.last_seq"
           "  WHERE NOT r.guarded"
           " RETURNING r.room,r.last_seq,clock_timestamp() AS at),"
           " new AS (INSERT INTO messages(room,seq,id,handle,body,created_at)"
           " SELECT i.room,c.last_seq-i.back,i.id,i.handle,i.body,c.at"
           " FROM unnest($1::text[],$2::uuid[],$3::text[],$4::text[],$7::bigint[])"
           "  i(room,id,handle,body,back)"
           " JOIN cnt c USING(room))"
           " SELECT room,last_seq,at FROM cnt",
    .param_count = 7,
    .types = s_fast_types,
    .binary_results = true,
};

/* FAST for one message: $1 room $2 id $3 handle $4 body. It takes the room's row in the same way
 * and gives the same row; without arrays and join it costs PostgreSQL a third less. */
static const Oid s_one_types[] = {PG_TEXT_TYPE, PG_UUID, PG_TEXT_TYPE, PG_TEXT_TYPE};
static const pg_statement_t s_one = {
    .name = "write_one",
    .sql = "WITH cnt AS ("
           " INSERT INTO rooms AS r (room,last_seq) VALUES ($1,1)"
           " ON CONFLICT (room) DO UPDATE SET last_seq=r.last_seq+1"
           "  WHERE NOT r.guarded"
           " RETURNING r.room,r.last_seq,clock_timestamp() AS at),"
           " new AS (INSERT INTO messages(room,seq,id,handle,body,created_at)"
           " SELECT room,last_seq,$2,$3,$4,at FROM cnt)"
           " SELECT room,last_seq,at FROM cnt",
    .param_count = 4,
    .types = s_one_types,
    .binary_results = true,
};

/* All three: $1 rooms $2 ids $3 handles $4 accounts, the second also $5 bodies, per message. Rooms
 * are locked in byte order. */
static const Oid s_careful_types[] = {PG_TEXT_ARRAY, PG_UUID_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY,
                                      PG_TEXT_ARRAY};
#define IS_PRIVATE(room) "starts_with(" room ",'" ROOM_PRIVATE "')"
#define IS_MEMBER ROOM_MEMBER_SQL("i.room", "i.handle", "i.account")
#define IS_LET_IN "(NOT " IS_PRIVATE("i.room") " OR " IS_MEMBER ")"
#define STORED_SEQ "(SELECT m.seq FROM messages m WHERE m.room=i.room AND m.id=i.id)"

static const pg_statement_t s_lock = {
    .name = "write_lock",
    .sql = "INSERT INTO rooms AS r (room,guarded) SELECT w.room," IS_PRIVATE(
        "w.room") " FROM ("
                  " SELECT DISTINCT i.room COLLATE \"C\" AS room"
                  "  FROM unnest($1::text[],$2::uuid[],$3::text[],$4::text[]) "
                  "i(room,id,handle,account)"
                  "  WHERE NOT " IS_PRIVATE("i.room") " OR " IS_MEMBER " OR " STORED_SEQ
                                                      " IS NOT NULL) w"
                                                      " ORDER BY w.room ON CONFLICT (room) DO "
                                                      "UPDATE SET last_seq=r.last_seq",
    .param_count = 4,
    .types = s_careful_types,
    .binary_results = true,
};

/* `fresh`: after the duplicates are out, the rights; both under the lock. For an outsider nothing
 * of a private room is looked up: that would take longer where it exists. A row that the statement
 * before locked is of this transaction (xmin), and no other one counts: a room that came into being
 * between the two is not there. */
static const pg_statement_t s_careful = {
    .name = "write_careful",
    .sql = "WITH fresh AS MATERIALIZED ("
           " SELECT i.*, row_number() OVER w AS n, count(*) OVER (PARTITION BY room) AS k"
           " FROM unnest($1::text[],$2::uuid[],$3::text[],$4::text[],$5::text[])"
           "  WITH ORDINALITY i(room,id,handle,account,body,ord)"
           " WHERE " STORED_SEQ " IS NULL"
           "  AND CASE WHEN " IS_LET_IN " THEN"
           "   (SELECT NOT r.guarded OR " IS_MEMBER " FROM rooms r WHERE r.room=i.room"
           "    AND r.xmin=pg_current_xact_id()::xid) END"
           " WINDOW w AS (PARTITION BY room ORDER BY ord)),"
           " cnt AS (UPDATE rooms r SET last_seq=r.last_seq+f.k FROM fresh f WHERE r.room=f.room"
           "  AND f.n=1 RETURNING r.room,r.last_seq-f.k AS base,clock_timestamp() AS at)"
           " INSERT INTO messages(room,seq,id,handle,body,created_at)"
           " SELECT f.room,c.base+f.n,f.id,f.handle,f.body,c.at FROM fresh f JOIN cnt c USING(room)"
           " RETURNING room,id,seq,created_at",
    .param_count = 5,
    .types = s_careful_types,
    .binary_results = true,
};

static const pg_statement_t s_stored = {
    .name = "write_stored",
    .sql = "SELECT m.room,m.id,m.seq,m.created_at,"
           " CASE m.type WHEN 'createMessage' THEN m.handle ELSE '' END,m.body,"
           " NOT " IS_PRIVATE("i.room") " OR " IS_MEMBER " IS TRUE"
                                        " FROM unnest($1::text[],$2::uuid[],$3::text[],$4::text[]) "
                                        "i(room,id,handle,account)"
                                        " JOIN messages m ON m.room=i.room AND m.id=i.id",
    .param_count = 4,
    .types = s_careful_types,
    .binary_results = true,
};

#ifdef PARLEY_FAULTS
static const pg_statement_t s_rollback = {.name = "write_rollback", .sql = "ROLLBACK"};

/* FAST in two transactions. What the first one took goes to the second in a setting. */
static const pg_statement_t s_take = {
    .name = "write_take",
    .sql = "WITH cnt AS ("
           " INSERT INTO rooms AS r (room,last_seq)"
           " SELECT u.room,u.k FROM unnest($5::text[],$6::bigint[]) WITH ORDINALITY u(room,k,o)"
           " ORDER BY u.o"
           " ON CONFLICT (room) DO UPDATE SET last_seq=r.last_seq+excluded.last_seq"
           " RETURNING r.room,r.last_seq)"
           " SELECT set_config('parley.taken',json_object_agg(room,last_seq)::text,false),"
           " $1,$2,$3,$4,$7 FROM cnt",
    .param_count = 7,
    .types = s_fast_types,
};
static const pg_statement_t s_commit = {.name = "write_commit", .sql = "COMMIT"};
static const pg_statement_t s_insert = {
    .name = "write_insert",
    .sql = "WITH new AS (INSERT INTO messages(room,seq,id,handle,body,created_at)"
           " SELECT i.room,(current_setting('parley.taken')::json->>i.room)::bigint-i.back,i.id,"
           "  i.handle,i.body,clock_timestamp()"
           " FROM unnest($1::text[],$2::uuid[],$3::text[],$4::text[],$7::bigint[])"
           "  i(room,id,handle,body,back) WHERE $5 IS NOT NULL AND $6 IS NOT NULL)"
           " SELECT t.key,t.value::bigint,clock_timestamp()"
           " FROM json_each_text(current_setting('parley.taken')::json) t",
    .param_count = 7,
    .types = s_fast_types,
    .binary_results = true,
};

#define IS_FAULTY (FAULT_IS("lose_commit") || FAULT_IS("early_unlock"))

/* Runs the batch as the fault says; false: there is none. */
static bool
s_run_faulty(pg_link_t *link, pg_param_t *params, int64_t deadline_ms, pg_done_fn fn, void *arg)
{
    pg_step_t lost[] = {{.statement = &s_fast, .params = params}, {.statement = &s_rollback}};
    pg_step_t unlocked[] = {{.statement = &s_take, .params = params},
                            {.statement = &s_commit},
                            {.statement = &s_insert, .params = params}};
    if (FAULT_AT("lose_commit"))
        pg_link_run(link, lost, 2, deadline_ms, fn, arg);
    else if (FAULT_IS("early_unlock"))
        pg_link_run(link, unlocked, 3, deadline_ms, fn, arg);
    else
        return false;
    return true;
}
#else
#define IS_FAULTY false
#define s_run_faulty(link, params, deadline_ms, fn, arg) false
#endif

/* The parameters of a batch: repetitions are left out. */
typedef struct {
    pg_array_t rooms, ids, handles, accounts, bodies, backs, distinct, counts;
} arrays_t;

static void s_fill(arrays_t *self, const batch_t *batch)
{
    pg_array_init(&self->rooms, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&self->ids, PG_UUID, ARRAY_MAX);
    pg_array_init(&self->handles, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&self->accounts, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&self->bodies, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&self->backs, PG_INT8, ARRAY_MAX);
    pg_array_init(&self->distinct, PG_TEXT_TYPE, ARRAY_MAX);
    pg_array_init(&self->counts, PG_INT8, ARRAY_MAX);
    for (int i = 0; i < batch->count; i++) {
        if (!batch_is_leader(batch, i))
            continue;
        const message_t *item = batch->items[i];
        pg_array_add(&self->rooms, item->room, item->room_size);
        pg_array_add(&self->ids, item->id.bytes, sizeof item->id.bytes);
        pg_array_add(&self->handles, item->handle, item->handle_size);
        pg_array_add(&self->accounts, batch->accounts[i], strlen(batch->accounts[i]));
        pg_array_add(&self->bodies, item->body, item->body_size);
        pg_array_add_int64(&self->backs, batch->back[i]);
    }
    for (int i = 0; i < batch->room_count; i++) {
        const message_t *item = batch->items[batch->rooms[i]];
        pg_array_add(&self->distinct, item->room, item->room_size);
        pg_array_add_int64(&self->counts, batch->room_counts[i]);
    }
    assert(!self->bodies.bytes.failed && !self->handles.bytes.failed && !self->rooms.bytes.failed);
}

static void s_free(arrays_t *self)
{
    pg_array_free(&self->rooms);
    pg_array_free(&self->ids);
    pg_array_free(&self->handles);
    pg_array_free(&self->accounts);
    pg_array_free(&self->bodies);
    pg_array_free(&self->backs);
    pg_array_free(&self->distinct);
    pg_array_free(&self->counts);
}

static void
s_run_one(pg_link_t *link, const message_t *message, int64_t deadline_ms, pg_done_fn fn, void *arg)
{
    const pg_param_t params[] = {
        PG_BINARY(message->room, message->room_size),
        PG_BINARY(message->id.bytes, sizeof message->id.bytes),
        PG_BINARY(message->handle, message->handle_size),
        PG_BINARY(message->body, message->body_size),
    };
    const pg_step_t step = {.statement = &s_one, .params = params};
    pg_link_run(link, &step, 1, deadline_ms, fn, arg);
}

void writer_sql_fast(
    pg_link_t *link, const batch_t *batch, int64_t deadline_ms, pg_done_fn fn, void *arg)
{
    if (batch->count == 1 && !IS_FAULTY) {
        s_run_one(link, batch->items[0], deadline_ms, fn, arg);
        return;
    }
    arrays_t arrays;
    s_fill(&arrays, batch);
    pg_param_t params[] = {
        pg_array_param(&arrays.rooms),    pg_array_param(&arrays.ids),
        pg_array_param(&arrays.handles),  pg_array_param(&arrays.bodies),
        pg_array_param(&arrays.distinct), pg_array_param(&arrays.counts),
        pg_array_param(&arrays.backs),
    };
    pg_step_t step = {.statement = &s_fast, .params = params};
    if (!s_run_faulty(link, params, deadline_ms, fn, arg))
        pg_link_run(link, &step, 1, deadline_ms, fn, arg);
    s_free(&arrays);
}

void writer_sql_careful(
    pg_link_t *link, const batch_t *batch, int64_t deadline_ms, pg_done_fn fn, void *arg)
{
    arrays_t arrays;
    s_fill(&arrays, batch);
    pg_param_t params[] = {pg_array_param(&arrays.rooms), pg_array_param(&arrays.ids),
                           pg_array_param(&arrays.handles), pg_array_param(&arrays.accounts),
                           pg_array_param(&arrays.bodies)};
    pg_step_t steps[] = {
        {.statement = &s_lock, .params = params},
        {.statement = &s_careful, .params = params},
        {.statement = &s_stored, .params = params},
    };
    pg_link_run(link, steps, 3, deadline_ms, fn, arg);
    s_free(&arrays);
}
