// The one private cluster of a run, with the rooms that W2 reads: loaded by COPY, once, and kept.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Postgres } from '../../e2e/harness/postgres.mjs';
import { BIN } from '../../e2e/harness/system.mjs';
import { cpuWithEndedUs } from './proc.mjs';

export const POSTGRES_CONF = `
synchronous_commit = on
fsync = on
shared_buffers = 512MB
max_wal_size = 4GB
max_connections = 200
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_utility = off
`;

export const ROOMS = 100;
export const PAGE_STEP = 500; // older pages begin at multiples of it

export const roomName = (i) => `room-${i}`;

// PostGraphile makes its schema from a database schema: this one has what the others' has.
const POSTGRAPHILE = `
CREATE SCHEMA bench;
CREATE VIEW bench.messages AS SELECT room, seq, id, handle, body, created_at FROM public.messages;
COMMENT ON VIEW bench.messages IS '@primaryKey room,seq
@behavior -insert -update -delete';
CREATE FUNCTION bench.page(room text, size int, before bigint) RETURNS SETOF bench.messages LANGUAGE sql STABLE AS $$
  SELECT * FROM (
    SELECT m.room, m.seq, m.id, m.handle, m.body, m.created_at FROM public.messages m
    WHERE m.room = $1 AND m.seq < $3 AND m.type = 'createMessage' ORDER BY m.seq DESC LIMIT $2) newest ORDER BY seq $$;
CREATE FUNCTION bench.create_message(room text, body text) RETURNS bench.messages LANGUAGE sql VOLATILE AS $$
  WITH counter AS (
    INSERT INTO public.rooms AS r (room, last_seq) VALUES ($1, 1)
    ON CONFLICT (room) DO UPDATE SET last_seq = r.last_seq + 1 RETURNING last_seq)
  INSERT INTO public.messages (room, seq, id, handle, body, created_at)
  SELECT $1, last_seq, gen_random_uuid(), 'bench', $2, clock_timestamp() FROM counter
  RETURNING room, seq, id, handle, body, created_at $$;
`;

export class Database {
  constructor(dir) {
    this.dir = dir;
    this.postgres = new Postgres(path.join(dir, 'pg'), POSTGRES_CONF);
  }

  async start(messages) {
    this.postgres.init();
    await this.postgres.start();
    this.keys = path.join(this.dir, 'keys');
    execFileSync(path.join(BIN, 'parley-store'), ['keygen', this.keys]);
    execFileSync(path.join(BIN, 'parley-store'), ['migrate'], { env: { ...process.env, PARLEY_DATABASE_URL: this.url }, stdio: 'ignore' });
    this.sql('CREATE EXTENSION pg_stat_statements');
    this.load(messages);
    this.sql(POSTGRAPHILE);
    return this;
  }

  load(messages) {
    const perRoom = messages / ROOMS;
    const psql = `psql -h '${this.postgres.dir}' -U parley -d postgres -Xq -v ON_ERROR_STOP=1`;
    const rows = `SELECT 'room-' || (g % ${ROOMS}), g / ${ROOMS} + 1, gen_random_uuid(), 'user-' || (g % 997),
      'message ' || g || ', of some length, as people write', '2026-01-01'::timestamptz + g * interval '1 second'
      FROM generate_series(0, ${messages - 1}) g`.replaceAll('\n', ' ');
    execFileSync('bash', ['-c', `set -o pipefail; ${psql} -c "COPY (${rows}) TO STDOUT" | ${psql} -c "COPY messages (room, seq, id, handle, body, created_at) FROM STDIN"`], { cwd: '/' });
    this.sql(`INSERT INTO rooms (room, last_seq) SELECT 'room-' || g, ${perRoom} FROM generate_series(0, ${ROOMS - 1}) g`);
    this.sql('VACUUM ANALYZE messages');
    this.sql('CHECKPOINT');
    this.perRoom = perRoom;
  }

  get url() {
    return this.postgres.url;
  }

  sql(statement) {
    return this.postgres.sql(statement);
  }

  cpuUs() {
    return cpuWithEndedUs(this.postgres.process.child.pid);
  }

  // Statements executed so far, without those that ask for it.
  queries() {
    return Number(this.sql("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'")[0][0]);
  }

  topQueries(limit = 8) {
    return this.sql(`SELECT calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 100) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' ORDER BY calls DESC LIMIT ${limit}`);
  }

  forgetQueries() {
    this.sql('SELECT pg_stat_statements_reset()');
  }

  async stop() {
    await this.postgres.stop();
  }
}
