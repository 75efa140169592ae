// The README's figures are those of tests/bench/results/results.json:
//   node tests/bench/readme.mjs            writes them between the README's markers, and draws the plots
//   node tests/bench/readme.mjs --check    says what is different, and fails then
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { model, SYSTEM } from './lib/model.mjs';
import { short } from './lib/numbers.mjs';
import { drawPlots } from './lib/plots.mjs';
import { sayValue } from './lib/targets.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const RESULTS = path.join(HERE, 'results');
const README = path.join(HERE, '../../README.md');

const count = (value) => value.toLocaleString('en');
const table = (rows) => [rows[0], rows[0].map(() => '---'), ...rows.slice(1)].map((row) => `| ${row.join(' | ')} |`).join('\n');

class Figures {
  constructor(report) {
    this.report = report;
  }

  systems(workload, key) {
    return this.report.workloads[workload]?.cases.find((one) => one.key === key)?.systems ?? {};
  }

  // The figure of the first of these that has it, in the order of `better`.
  best(workload, key, names, figure, better = (a, b) => b - a) {
    const found = names.map((name) => this.systems(workload, key)[name]).filter((system) => Number.isFinite(system?.[figure]));
    return found.sort((a, b) => better(a[figure], b[figure]))[0];
  }
}

// The figure is the load generator's then, and the system might do more.
const mark = ({ loadBound, rounds }) => (loadBound > rounds / 2 ? ' †' : '');
const DAGGER = '† The load generator was at its limit: the server might do more.';

const MERCURIUS = ['mercurius', 'mercurius, cluster of 2'];
const REQUEST_COLUMNS = [['Parley', 'parley'], ['mercurius', ...MERCURIUS], ['Apollo Server', '@apollo/server'], ['graphql-yoga', 'graphql-yoga'], ['PostGraphile', 'postgraphile'], ['yardstick', 'bare libmicrohttpd', 'pgbench, 16 clients', 'pgbench, 64 clients']];
const REQUEST_ROWS = [
  ['`{ __typename }`, 64 connections', 'w1', 'typename'],
  ['newest 50 messages of an active room', 'w2', 'newest'],
  ['an older page of 50', 'w2', 'older'],
  ['durable `createMessage`, 100 rooms, 256 connections', 'w3', 'rooms'],
  ['durable `createMessage`, one hot room', 'w3', 'hot'],
];

function requestTable(figures) {
  const cell = (system) => (system ? `${short(system.perSecond)}${mark(system)}${Number.isFinite(system.cpuUs) ? ` · ${short(system.cpuUs)} µs` : ''}` : '');
  const rows = REQUEST_ROWS.map(([text, workload, key]) => [text, ...REQUEST_COLUMNS.map(([, ...names]) => cell(figures.best(workload, key, names, 'perSecond')))]);
  return table([['requests/s · CPU µs each', ...REQUEST_COLUMNS.map(([head]) => head)], ...rows]);
}

const PUSH_COLUMNS = [['Parley', 'parley'], ['nchan', 'nchan'], ['nats-server', 'nats-server'], ['mercurius', 'mercurius', 'mercurius ×2, redis'], ['graphql-ws', 'graphql-ws'], ['bare `send` loop', 'bare send server']];
const PUSH_ROWS = [
  ...[1000, 5000, 10_000].map((subscribers) => [`CPU µs a delivery, ${count(subscribers)} subscribers, 10 events/s`, 'w4', `${subscribers} at 10`, 'cpuUs']),
  ['the same, 5,000 subscribers, 200 events/s', 'w4', '5000 at 200', 'cpuUs'],
  ['most deliveries/s with p99 below 500 ms, 5,000 subscribers', 'w4', 'most', 'perSecond'],
  ['CPU µs a delivery and its part of the post, 500 rooms of 20, 200 posts/s', 'w6', 'same rate', 'cpuUs'],
  ['the same, each with about one core of CPU', 'w6', 'same CPU', 'cpuUs'],
  ['resident bytes of an idle subscriber', 'w5', 'idle', 'bytesEach'],
  ['CPU µs to connect and subscribe', 'w7', 'connect', 'cpuUs'],
];

function pushTable(figures) {
  const rows = PUSH_ROWS.map(([text, workload, key, figure]) => [text, ...PUSH_COLUMNS.map(([, ...names]) => figures.best(workload, key, names, figure)).map((system) => (system ? `${short(system[figure])}${figure === 'perSecond' ? mark(system) : ''}` : ''))]);
  return table([['', ...PUSH_COLUMNS.map(([head]) => head)], ...rows]);
}

function otherTable(figures) {
  const lines = [];
  const add = (text, ...values) => values.every(Number.isFinite) && lines.push([text, values.map(short).join(' · ')]);
  const rush = figures.systems('w6', 'same CPU').parley;
  const back = figures.systems('w8', 'back').parley;
  const { store, gateway } = figures.systems('startup', 'startup');
  const single = figures.systems('w3', 'one').parley;
  const typename = figures.systems('w1', 'typename');
  add('`{ __typename }` without a token, requests/s · CPU µs', typename['parley, no token']?.perSecond, typename['parley, no token']?.cpuUs);
  add('`{ __typename }` with a token and a log line a request, as it is by default, requests/s · CPU µs', typename['parley, a log line a request']?.perSecond, typename['parley, a log line a request']?.cpuUs);
  add('`createMessage` on one connection, p50 · p99 ms', single?.p50Ms, single?.p99Ms);
  add('2,000 posts/s into 500 rooms of 20 over two gateways, commit to socket, p50 · p99 ms', rush?.createdP50Ms, rush?.createdP99Ms);
  add('10,000 subscribers of 10 rooms come back, 100 messages behind: s until all have caught up · queries', back?.slowestS, back?.mostQueries);
  add('10,000 idle subscribers: queries/s · CPU % of a core', figures.systems('w5', 'idle').parley?.queriesPerSecond, figures.systems('w5', 'idle').parley?.cpuPercent);
  add('ms from start to ready on an existing database, store · gateway', store?.readyMs, gateway?.readyMs);
  add('binary MB without symbols, store · gateway', store?.binaryMb, gateway?.binaryMb);
  add('resident MB at rest, store · gateway', store?.rssMb, gateway?.rssMb);
  return table([['Parley alone', ''], ...lines]);
}

function scaleTable(figures) {
  const rows = Object.entries(figures.systems('scale', 'scale')).map(([name, { readPerSecond, readCpuUs, writePerSecond, writeCpuUs, fanPerSecond, fanCpuUs }]) => [name, `${short(readPerSecond)} · ${short(readCpuUs)}`, `${short(writePerSecond)} · ${short(writeCpuUs)}`, `${short(fanPerSecond)} · ${short(fanCpuUs)}`]);
  return rows.length === 0 ? '' : table([['per second · CPU µs each', 'pages of 50', '`createMessage`', 'deliveries'], ...rows]);
}

function pictures(plots) {
  const one = ({ file, title }) => `<picture><source media="(prefers-color-scheme: dark)" srcset="tests/bench/results/${file}-dark.svg"><img src="tests/bench/results/${file}.svg" alt="${title}" width="49%"></picture>`;
  return plots.map(one).join('\n');
}

function missed(report) {
  const all = Object.entries(report.workloads).sort(([a], [b]) => a.localeCompare(b)).flatMap(([workload, { verdicts }]) => verdicts.map((verdict) => ({ workload, ...verdict })));
  const targets = all.filter(({ verdict }) => verdict !== 'reached');
  if (targets.length === 0) return 'All that it was to reach, it reached.';
  const lines = targets.map(({ workload, text, value }) => `- ${workload.toUpperCase()}: ${text}; ${value === undefined ? 'not measured' : `it is ${sayValue(value)}`}`);
  return `<details><summary>What it was to reach and did not in this run: ${targets.length} of ${all.length}</summary>\n\n${lines.join('\n')}\n\n</details>`;
}

function speed(report, plots) {
  const figures = new Figures(report);
  const { machine, versions, date, rounds, roundSeconds, payload } = report;
  const peers = ['PostgreSQL', 'node', 'mercurius', '@apollo/server', 'graphql-yoga', 'postgraphile', 'graphql-ws', 'nchan', 'nats-server'].filter((name) => versions[name]).map((name) => `${name} ${versions[name]}`);
  const [requests, pushes] = [requestTable(figures), pushTable(figures)];
  const stolen = Math.max(...Object.values(report.workloads).map(({ stolenPercent }) => stolenPercent));
  const others = stolen >= 2 ? ` Other guests of the host took up to ${Math.round(stolen)}% of the CPU meanwhile.` : '';
  return `Measured on ${date} by \`tests/bench/run\` (${versions.parley}) on ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, Linux ${machine.kernel}, with the load generators and PostgreSQL
on the same cores: ${payload}; medians of ${rounds} rounds of ${roundSeconds} s, the systems in turn. CPU is that of all server processes of a system,
without PostgreSQL. The same database settings (\`synchronous_commit=on\`), schema and data for all; ${peers.join(', ')}.${others}

${requests}

mercurius: one process or a cluster of two, whichever did better. Yardstick: the smallest server on the same HTTP library; pgbench with one row a transaction.

${pushes}

nchan, nats-server and the \`send\` loop keep messages in memory; the others store each in PostgreSQL first.${`${requests}${pushes}`.includes('†') ? ` ${DAGGER}` : ''}

${pictures(plots)}

${otherTable(figures)}

${missed(report)}`;
}

function modelText(report) {
  const { gateways, stores, subscribers, rooms } = SYSTEM;
  const { spread, needs, limits, gatewayMb, storeMb, idleCores, takeOverS } = model(report);
  const rows = needs.map((need) => [count(need.posts), count(need.deliveries), short(need.eachGateway), short(need.eachStore), short(need.postgres), short(need.busMbit), short(need.outMbit), short(need.walMb)]);
  return `And a model (\`node tests/bench/model.mjs\` prints its assumptions): ${gateways} gateways and ${stores} stores, each a core of the measured kind, for ${count(subscribers)} subscribers
of ${count(rooms)} rooms, from the measured costs. A room's ${subscribers / rooms} subscribers are on ${short(spread)} gateways. A gateway needs ${short(gatewayMb)} MB, a store ${short(storeMb)} MB for
subscriptions; idle subscribers cost ${short(idleCores)} cores in all and no query. When a gateway dies, each of the others pays ${short(takeOverS)} s of CPU to take over its subscribers.

${table([['posts/s', 'deliveries/s', 'cores: each gateway', 'each store', 'PostgreSQL', 'bus Mbit/s', 'to clients Mbit/s', 'WAL MB/s'], ...rows])}

${table([['the first to end', 'at posts/s', 'what takes over there'], ...limits.map(({ part, posts, then }) => [part, short(posts), then])])}

Pages of active rooms come from the stores' memory; for those of quiet rooms PostgreSQL's read replicas take over, at the price of reading what was true a moment ago.`;
}

function reach(report) {
  const text = `What one and two of each do on the measured machine, whose ${report.machine.cores} cores the load generators share:\n\n${scaleTable(new Figures(report))}\n\n`;
  try {
    return `${text}${modelText(report)}`;
  } catch (error) {
    return `${text}No model: ${error.message}.`;
  }
}

const begin = (name) => `<!-- figures: ${name} (tests/bench/readme.mjs writes what follows) -->`;
const END = '<!-- end of figures -->';

export function filled(text, sections) {
  for (const [name, content] of Object.entries(sections)) {
    const from = text.indexOf(begin(name));
    const to = text.indexOf(END, from);
    if (from < 0 || to < 0) throw new Error(`README.md has no place for ${name}`);
    text = `${text.slice(0, from)}${begin(name)}\n${content}\n${text.slice(to)}`;
  }
  return text;
}

const NOTHING = 'This tree has no results of a run yet.';

const textOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');

function main(isCheck) {
  const report = JSON.parse(textOf(path.join(RESULTS, 'results.json')) || 'null');
  const plots = report ? drawPlots(report, isCheck ? null : RESULTS) : [];
  const now = fs.readFileSync(README, 'utf8');
  const wanted = filled(now, report ? { speed: speed(report, plots), scale: reach(report) } : { speed: NOTHING, scale: NOTHING });
  const stale = plots.filter(({ files }) => Object.entries(files).some(([file, svg]) => textOf(path.join(RESULTS, file)) !== svg));
  if (!isCheck) fs.writeFileSync(README, wanted);
  if (!isCheck || (now === wanted && stale.length === 0)) return;
  console.error(`README.md or the plots (${stale.map(({ file }) => file).join(', ') || 'none'}) are not what tests/bench/results/results.json says: node tests/bench/readme.mjs`);
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'));
