// W1 to W3: requests over HTTP, by wrk.
import { pgbench, wrk, wrkScript } from '../lib/loads.mjs';
import { attempt, interleave } from '../lib/rounds.mjs';
import { PAGE_STEP, roomName } from '../lib/database.mjs';
import { cpu, machine } from '../lib/proc.mjs';
import { summarize } from '../lib/report.mjs';
import { Anonymous, apollo, Hello, LoggingGateway, mercurius, mercuriusCluster, Parley, PostGraphile, yoga } from '../lib/systems.mjs';

const ACTIVE_ROOMS = 10;
const WRITE_ROOMS = 100;

let scripts = 0;
const scriptFor = (context, system, requests) => wrkScript(context.dir, `script-${scripts++}`, requests, system.headers);

// Posts the requests for some seconds and says what it cost.
async function measure(context, system, script, { connections, seconds }) {
  const [before, gatewayBefore, postgresBefore, machineBefore] = [system.cpu(), cpu(system.gatewayPids), context.database.cpuUs(), machine()];
  const result = await wrk(system.url, script, { connections, seconds });
  const used = system.cpu().since(before);
  return {
    ...result,
    cpuUs: used.us / result.requests,
    gatewayCpuUs: cpu(system.gatewayPids).since(gatewayBefore).us / result.requests,
    postgresUs: (context.database.cpuUs() - postgresBefore) / result.requests,
    busiestThread: used.busiestThread,
    busyPercent: machine().since(machineBefore).busy * 100,
    rssMb: system.rssKb() / 1024,
  };
}

async function check(system, request) {
  const response = await fetch(system.url, { method: 'POST', headers: { 'content-type': 'application/json', ...system.headers }, body: JSON.stringify(request) });
  const text = await response.text();
  if (!response.ok || text.includes('"errors"')) throw new Error(`${system.name} answered ${response.status} ${text.slice(0, 500)}`);
  return text;
}

async function withSystems(context, systems, work) {
  const started = [];
  try {
    for (const system of systems) {
      started.push(system);
      await attempt(system, 'it does not start', () => system.start(context));
    }
    return await work();
  } finally {
    for (const system of started) await system.stop();
  }
}

// One case for all systems: first the answer is looked at and the system warmed up, then the rounds.
async function compare(context, clock, name, systems, requests, options, after = () => {}) {
  const prepared = new Map();
  for (const system of systems) {
    if (system.isLost) continue;
    await attempt(system, name, async () => {
      const list = requests(system);
      await check(system, list[0]);
      const script = scriptFor(context, system, list);
      await wrk(system.url, script, { connections: options.connections, seconds: context.warmSeconds });
      prepared.set(system, script);
    });
  }
  return interleave(name, systems, context.rounds, clock, async (system) => {
    const result = await measure(context, system, prepared.get(system), { seconds: context.seconds, ...options });
    await after(system, result);
    return result;
  });
}

// All send the same bytes, a token in the head too: Parley verifies it, the peers' resolver of __typename does not look at it.
export async function w1(context, clock, cases) {
  const parley = new Parley();
  const systems = [parley, new Hello(), mercurius()];
  if (!context.quick) systems.push(new Anonymous(parley), new LoggingGateway(parley), mercuriusCluster(), apollo(), yoga(), new PostGraphile());
  await withSystems(context, systems, async () => {
    const outcome = await compare(context, clock, 'W1  {__typename}, 64 connections, a token in each request', systems, (system) => [system.typename()], { connections: 64 });
    cases.push(summarize(outcome, { key: 'typename', unit: 'request' }));
  });
}

export async function w2(context, clock, cases) {
  const parley = new Parley();
  const systems = [parley, mercurius()];
  if (!context.quick) systems.push(mercuriusCluster(), apollo(), yoga(), new PostGraphile());
  const rooms = Array.from({ length: ACTIVE_ROOMS }, (_, i) => roomName(i));
  const seqs = Array.from({ length: Math.floor(context.database.perRoom / PAGE_STEP) - 1 }, (_, i) => (i + 1) * PAGE_STEP);
  await withSystems(context, systems, async () => {
    for (const room of rooms) await parley.learnCursors(room, seqs);
    const text = await check(parley, parley.newest(rooms[0]));
    console.log(`  one answer has ${text.length} bytes at ${parley.name}`);
    const options = { connections: 64 };
    const newest = await compare(context, clock, `W2  getMessages(last: 50) of ${ACTIVE_ROOMS} active rooms out of ${context.messages.toLocaleString('en')} messages, 64 connections`, systems, (system) => rooms.map((room) => system.newest(room)), options);
    cases.push(summarize(newest, { key: 'newest', unit: 'request' }));
    const older = await compare(context, clock, 'W2  older pages of 50, 64 connections', systems, (system) => seqs.flatMap((seq) => rooms.map((room) => system.older(room, seq))), options);
    cases.push(summarize(older, { key: 'older', unit: 'request' }));
  });
}

// pgbench, as one more system: one row a transaction, counter and message in one statement.
const INSERT = (rooms) => `\\set room random(1, ${rooms})
WITH counter AS (
  INSERT INTO rooms AS r (room, last_seq) VALUES ('pgbench${rooms}-' || :room, 1)
  ON CONFLICT (room) DO UPDATE SET last_seq = r.last_seq + 1 RETURNING room, last_seq)
INSERT INTO messages (room, seq, id, handle, body, created_at)
SELECT room, last_seq, gen_random_uuid(), 'bench', 'a message of about fifty bytes, as people write', clock_timestamp() FROM counter;
`;

async function measurePgbench(context, rooms, clients) {
  const [before, machineBefore] = [context.database.cpuUs(), machine()];
  const result = await pgbench(context.database.postgres, context.dir, INSERT(rooms), { clients, seconds: Math.max(2, context.seconds) });
  return { ...result, busiestThread: 0, postgresUs: (context.database.cpuUs() - before) / result.requests, busyPercent: machine().since(machineBefore).busy * 100 };
}

// Acknowledged means stored: the rows must be there.
async function countRooms(context, prefix) {
  return Number(context.database.sql(`SELECT coalesce(sum(last_seq), 0) FROM rooms WHERE room LIKE '${prefix}-%'`)[0][0]);
}

async function writes(context, clock, systems, { key, title, rooms, connections }) {
  const prefix = (system) => `w3-${rooms}-${connections}-${system.name.replace(/[^a-z0-9]/g, '')}`;
  const prepared = new Map();
  for (const system of systems) {
    if (system.isLost) continue;
    await attempt(system, title, async () => {
      const requests = Array.from({ length: rooms }, (_, i) => system.create(`${prefix(system)}-${i}`));
      await check(system, requests[0]);
      prepared.set(system, scriptFor(context, system, requests));
      await wrk(system.url, prepared.get(system), { connections, seconds: context.warmSeconds });
    });
  }
  const clients = connections === 1 ? [1] : [16, 64];
  const bench = clients.map((count) => ({ name: `pgbench, ${count} client${count > 1 ? 's' : ''}`, pgbench: count }));
  const outcome = await interleave(title, [...systems, ...bench], context.rounds, clock, async (system) => {
    if (system.pgbench) return measurePgbench(context, rooms, system.pgbench);
    const rowsBefore = await countRooms(context, prefix(system));
    const result = await measure(context, system, prepared.get(system), { connections, seconds: context.seconds });
    const rows = (await countRooms(context, prefix(system))) - rowsBefore;
    if (rows < result.requests) throw new Error(`${system.name} acknowledged ${result.requests} and stored ${rows}`);
    return result;
  });
  return summarize(outcome, { key, unit: 'message' });
}

export async function w3(context, clock, cases) {
  const parley = new Parley();
  const peers = [mercurius(), ...(context.quick ? [] : [mercuriusCluster()])];
  const others = context.quick ? [] : [apollo(), yoga(), new PostGraphile()];
  const all = [parley, ...peers, ...others];
  const kinds = [
    { key: 'rooms', title: `W3  createMessage, ${WRITE_ROOMS} rooms, 256 connections, each acknowledged after commit`, systems: all, rooms: WRITE_ROOMS, connections: 256 },
    { key: 'hot', title: 'W3  createMessage, one hot room, 256 connections', systems: [parley, ...peers], rooms: 1, connections: 256 },
    { key: 'one', title: 'W3  createMessage, one connection', systems: [parley, ...peers.slice(0, 1)], rooms: WRITE_ROOMS, connections: 1 },
  ];
  await withSystems(context, all, async () => {
    for (const kind of context.quick ? kinds.slice(0, 1) : kinds) cases.push(await writes(context, clock, kind.systems, kind));
  });
}

export { scriptFor, withSystems };
