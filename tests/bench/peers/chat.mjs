// What all peers in Node share: Parley's schema, the same tables, the same rule (an acknowledged message is committed and has the next seq of
// its room), as their documentation would have one write it with pg: a pool, prepared statements, one statement a mutation.
import { randomUUID } from 'node:crypto';
import pg from 'pg';

export const typeDefs = `
  type Query { getMessages(room: String, last: Int, before: String): [Message!]! }
  type Mutation { createMessage(body: String!, room: String): Message! }
  type Subscription { addMessage(room: String): Message }
  type Message { messageId: String! body: String! createdAt: String! handle: String! room: String! cursor: String! }
`;

const INSERT = `WITH counter AS (
  INSERT INTO rooms AS r (room, last_seq) VALUES ($1, 1)
  ON CONFLICT (room) DO UPDATE SET last_seq = r.last_seq + 1 RETURNING last_seq)
INSERT INTO messages (room, seq, id, handle, body, created_at)
SELECT $1, last_seq, $2, $3, $4, clock_timestamp() FROM counter
RETURNING id, room, seq, handle, body, created_at`;

const PAGE = `SELECT id, room, seq, handle, body, created_at FROM messages
WHERE room = $1 AND seq < $2 AND type = 'createMessage' ORDER BY seq DESC LIMIT $3`;

const LAST_SEQ = '9223372036854775807';

export function openPool() {
  return new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: Number(process.env.BENCH_POOL ?? 16) });
}

const toMessage = (row) => ({
  messageId: row.id,
  body: row.body,
  createdAt: row.created_at.toISOString(),
  handle: row.handle,
  room: row.room,
  cursor: row.seq,
});

export async function getMessages(pool, { room = 'lobby', last = 100, before = LAST_SEQ }) {
  const { rows } = await pool.query({ name: 'page', text: PAGE, values: [room, before, last] });
  return rows.reverse().map(toMessage);
}

export async function createMessage(pool, handle, { room = 'lobby', body }) {
  const { rows } = await pool.query({ name: 'insert', text: INSERT, values: [room, randomUUID(), handle, body] });
  return toMessage(rows[0]);
}

// One token, compared: cheaper than any verification.
export function handleOf(authorization) {
  if (authorization !== `Bearer ${process.env.BENCH_TOKEN}`) throw new Error('UNAUTHENTICATED');
  return 'bench';
}

export const topic = (room = 'lobby') => `room/${room}`;
export const port = Number(process.env.BENCH_PORT);
