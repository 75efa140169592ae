// The measurements behind tests/bench/run: every figure in one run on this machine, the systems interleaved round by round.
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { create, handle, signUp } from '../e2e/harness/client.mjs';
import { Process, until } from '../e2e/harness/process.mjs';
import { BIN, freePort, startSystem } from '../e2e/harness/system.mjs';

const run = promisify(execFile);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 5);
const CONNECTIONS = 64;
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

// User and system time of a process so far, in µs (proc(5)).
function cpuUs(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function wrk(url, script, { connections = CONNECTIONS } = {}) {
  const { stdout } = await run('wrk', ['-t', '1', '-c', String(connections), '-d', `${SECONDS}s`, '--latency', ...(script ? ['-s', script] : []), url]);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout);
  if (bad) throw new Error(`${bad[0]}\n${stdout}`);
  const latency = (name) => {
    const match = new RegExp(`${name}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout);
    return Number(match[1]) * { us: 0.001, ms: 1, s: 1000 }[match[2]];
  };
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]), requests: Number(/(\d+) requests in/.exec(stdout)[1]), p50: latency(50), p99: latency(99) };
}

// A wrk script that posts one of several GraphQL requests in turn.
function script(dir, name, bodies, token) {
  const file = path.join(dir, `${name}.lua`);
  const quote = (text) => `[==[${text}]==]`;
  fs.writeFileSync(
    file,
    `wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
${token ? `wrk.headers["authorization"] = "Bearer ${token}"` : ''}
local bodies = { ${bodies.map((body) => quote(JSON.stringify(body))).join(', ')} }
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[i])
end
response = function(status, headers, body)
  if not checked then
    checked = true
    if body:find('"errors"', 1, true) then print("ERROR", body) os.exit(1) end
  end
end
`,
  );
  return file;
}

async function measured(daemons, work) {
  const before = daemons.map(({ child }) => cpuUs(child.pid));
  const result = await work();
  const cpu = daemons.map(({ child, name }, i) => [name, (cpuUs(child.pid) - before[i]) / result.requests]);
  return { ...result, cpuUs: cpu.reduce((sum, [, value]) => sum + value, 0), by: Object.fromEntries(cpu) };
}

const rows = [];
function report(name, results, extra = {}) {
  const row = {
    name,
    perSecond: Math.round(median(results.map((r) => r.perSecond))),
    p50Ms: median(results.map((r) => r.p50)),
    p99Ms: median(results.map((r) => r.p99)),
    cpuUs: Number(median(results.map((r) => r.cpuUs ?? NaN)).toFixed(1)),
    ...extra,
  };
  rows.push(row);
  return row;
}

async function pgbench(system, scriptText, clients) {
  const file = path.join(system.dir, 'pgbench.sql');
  fs.writeFileSync(file, scriptText);
  const { stdout } = await run('pgbench', ['-n', '-M', 'prepared', '-c', String(clients), '-j', '1', '-T', String(SECONDS), '-f', file, '-h', system.postgres.dir, '-U', 'parley', 'postgres'], { cwd: '/' });
  return { perSecond: Number(/tps = ([\d.]+)/.exec(stdout)[1]), p50: Number(/latency average = ([\d.]+)/.exec(stdout)[1]), p99: NaN };
}

const system = await startSystem({ postgresConf: 'shared_buffers = 256MB\nsynchronous_commit = on\nmax_wal_size = 2GB\n', gatewayArgs: ['--log-level', 'warn'], storeArgs: ['--log-level', 'warn'] });
const helloPort = await freePort();
const hello = new Process('hello', path.join(BIN, 'bench_hello'), [`127.0.0.1:${helloPort}`]).start();
try {
  const alice = await signUp(system.url, handle('bench'));
  const daemons = [...system.gateways, ...system.stores];
  for (let i = 0; i < 60; i++) await create(system.url, alice.token, `message ${i} of the room that everybody reads`, { room: 'bench' });
  await until('hello', async () => (await fetch(`http://127.0.0.1:${helloPort}/`)).ok);

  const typename = script(system.dir, 'typename', [{ query: '{__typename}' }]);
  const read = script(system.dir, 'read', [{ query: '{ getMessages(room: "bench", last: 50) { messageId body createdAt handle room cursor } }' }], alice.token);
  const write = (rooms) => script(system.dir, `write-${rooms}`, Array.from({ length: rooms }, (_, i) => ({ query: 'mutation ($b: String!, $r: String) { createMessage(body: $b, room: $r) { messageId createdAt cursor } }', variables: { b: 'a message of about fifty bytes, as people write', r: `w${rooms}-${i}` } })), alice.token);
  const write100 = write(100), write1 = write(1);
  system.postgres.sql('CREATE TABLE bench_rooms(room int PRIMARY KEY, last_seq bigint NOT NULL) WITH (fillfactor=50)');
  system.postgres.sql('INSERT INTO bench_rooms SELECT g, 0 FROM generate_series(1,100) g');
  system.postgres.sql('CREATE TABLE bench_messages(room int NOT NULL, seq bigint NOT NULL, id uuid NOT NULL, handle text NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY(room,seq), UNIQUE(room,id))');
  const insert = (rooms) => `\\set room random(1, ${rooms})
WITH c AS (UPDATE bench_rooms SET last_seq = last_seq + 1 WHERE room = :room RETURNING last_seq)
INSERT INTO bench_messages SELECT :room, last_seq, gen_random_uuid(), 'bench', 'a message of about fifty bytes, as people write', clock_timestamp() FROM c;
`;

  const results = { hello: [], typename: [], read: [], write: [], write1: [], pgbench: [], pgbench1: [] };
  for (let round = 0; round < ROUNDS; round++) {
    results.hello.push(await measured([hello], () => wrk(`http://127.0.0.1:${helloPort}/graphql`, typename)));
    results.typename.push(await measured(system.gateways, () => wrk(`${system.url}/graphql`, typename)));
    results.read.push(await measured(daemons, () => wrk(`${system.url}/graphql`, read)));
    results.write.push(await measured(daemons, () => wrk(`${system.url}/graphql`, write100)));
    results.pgbench.push(await pgbench(system, insert(100), 64));
    results.write1.push(await measured(daemons, () => wrk(`${system.url}/graphql`, write1)));
    results.pgbench1.push(await pgbench(system, insert(1), 64));
  }
  const base = report('bare libmicrohttpd hello', results.hello);
  const ratio = (row, other) => ({ ratio: `${(row.perSecond / other.perSecond).toFixed(2)} × ${other.name}` });
  for (const [name, key] of [['{__typename}', 'typename'], ['getMessages(last: 50)', 'read']]) {
    const row = report(name, results[key]);
    Object.assign(row, ratio(row, base));
  }
  for (const [rooms, key, peer] of [[100, 'write', 'pgbench'], [1, 'write1', 'pgbench1']]) {
    const other = report(`pgbench, one row a transaction, 64 clients, ${rooms} room(s)`, results[peer]);
    const row = report(`createMessage, ${rooms} room(s)`, results[key]);
    Object.assign(row, ratio(row, other));
  }
  console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s, medians; CPU µs per operation of gateway + store`);
  console.table(rows, ['name', 'perSecond', 'p50Ms', 'p99Ms', 'cpuUs', 'ratio']);

  const fan = [];
  for (const [subscribers, posters, rate] of [[1000, 1, 10], [1000, 4, 200], [1000, 16, 0]]) {
    const args = [String(system.gateways[0].port), alice.token, `fan-${rate}`, String(subscribers), String(posters), String(rate), String(SECONDS)];
    const before = cpuUs(system.gateways[0].child.pid);
    const result = await run(path.join(BIN, 'bench_wsload'), args).then(({ stdout }) => JSON.parse(stdout), (error) => ({ failed: error.stderr || error.stdout }));
    result.rate = rate;
    result.cpuUsPerDelivery = Number(((cpuUs(system.gateways[0].child.pid) - before) / result.deliveries).toFixed(2));
    fan.push(result);
  }
  console.log('Fan-out of one room, posted by createMessage over HTTP (rate 0: as fast as answered)');
  console.table(fan, ['rate', 'subscribers', 'posted', 'deliveriesPerSecond', 'p50Ms', 'p99Ms', 'maxMs', 'cpuUsPerDelivery', 'missing', 'wrong', 'refused', 'failed']);
  fs.writeFileSync(process.env.RESULT ?? path.join(os.tmpdir(), 'parley-bench.json'), JSON.stringify({ rows, fan }, null, 1));
} finally {
  await hello.stop();
  await system.stop();
}
