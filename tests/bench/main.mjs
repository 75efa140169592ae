// tests/bench/run's measurements: main.mjs [--quick] [workload…]. See run.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Database, POSTGRES_CONF } from './lib/database.mjs';
import { drawPlots } from './lib/plots.mjs';
import { machine, tree } from './lib/proc.mjs';
import { checkRatios } from './lib/ratios.mjs';
import { Clock } from './lib/rounds.mjs';
import { judge, printVerdicts } from './lib/targets.mjs';
import { w4, w5, w6 } from './workloads/fanout.mjs';
import { w7, w8 } from './workloads/connections.mjs';
import { w1, w2, w3 } from './workloads/http.mjs';
import { scale, startup } from './workloads/scale.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WORKLOADS = { w1, w2, w3, w4, w5, w6, w7, w8, scale, startup };
const QUICK = ['w1', 'w2', 'w3', 'w4'];
// Seconds: of the whole, and of each workload, which then makes fewer rounds and says so.
const LIMIT_S = { quick: 100, all: 23 * 60 };
const GRACE_S = 45;
const SHARE_S = { w1: 140, w2: 150, w3: 200, w4: 270, w5: 230, w6: 110, w7: 80, w8: 60, scale: 120, startup: 30 };

const { quick, names } = readArguments(process.argv.slice(2));
const MESSAGES_LEAST = 100_000; // each of the rooms then has more than one page
const messages = Number(process.env.MESSAGES ?? (quick ? MESSAGES_LEAST : 1_000_000));
if (!(messages >= MESSAGES_LEAST)) {
  console.error(`tests/bench/run: MESSAGES is at least ${MESSAGES_LEAST}`);
  process.exit(2);
}
const context = {
  quick,
  rounds: Number(process.env.ROUNDS ?? (quick ? 2 : 3)),
  seconds: Number(process.env.ROUND_SECONDS ?? (quick ? 2 : 3)),
  fanSeconds: Number(process.env.ROUND_SECONDS ?? 2), // of W4's costs: thousands of deliveries each
  warmSeconds: quick ? 1 : 2,
  idleSeconds: 10,
  messages,
  dir: fs.mkdtempSync(path.join(os.tmpdir(), 'parley-bench-')),
  credentials: { token: 'bench-token' }, // Parley's own, once one is started: all systems get the same bytes
};

function readArguments(words) {
  const quick = words.includes('--quick');
  const names = words.filter((word) => word !== '--quick').map((word) => word.toLowerCase());
  const unknown = names.find((name) => !(name in WORKLOADS));
  if (unknown) {
    console.error(`tests/bench/run: there is no workload ${unknown} (there are: ${Object.keys(WORKLOADS).join(' ')})`);
    process.exit(2);
  }
  return { quick, names: names.length > 0 ? names : quick ? QUICK : Object.keys(WORKLOADS) };
}

function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } }).trim();
  } catch (error) {
    return String(error.stderr ?? '').trim() || undefined;
  }
}

function packageVersion(name, folder = '') {
  const file = path.join(HERE, folder, 'node_modules', name, 'package.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined;
}

const versionIn = (text, pattern) => pattern.exec(text ?? '')?.[1];

function peerVersions() {
  return {
    nginx: versionIn(output('sh', ['-c', 'nginx -v 2>&1']), /([\d.]+)/),
    nchan: versionIn(output('dpkg-query', ['-W', '-f', '${Version}', 'libnginx-mod-nchan'])?.replace(/^\d+:/, ''), /^\S*?([\d.]+)/),
    'nats-server': versionIn(output('nats-server', ['--version']), /([\d.]+)/),
    redis: versionIn(output('redis-server', ['--version']), /v=([\d.]+)/),
  };
}

function describe() {
  const packages = ['mercurius', 'fastify', 'pg', 'graphql', '@apollo/server', 'graphql-yoga', 'graphql-ws', 'ws', 'mqemitter-redis'];
  const versions = {
    parley: output('git', ['-C', HERE, 'rev-parse', '--short', 'HEAD']),
    node: process.version.slice(1),
    PostgreSQL: versionIn(output('psql', ['--version']), /([\d.]+)/),
    ...Object.fromEntries(packages.map((name) => [name, packageVersion(name)])),
    postgraphile: packageVersion('postgraphile', 'peers/postgraphile'),
    ...(quick ? {} : peerVersions()),
  };
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30), kernel: os.release().split('-')[0], load: os.loadavg()[0] },
    versions,
    postgres: POSTGRES_CONF.trim().split('\n'),
    payload: 'messages of about 50 bytes, events of about 330',
    rounds: context.rounds,
    roundSeconds: context.seconds,
    messages: context.messages,
  };
}

function sayDescription({ machine: { cpu, cores, memoryGb, kernel, load }, versions, postgres, payload }) {
  console.log(`${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}; load average before the run ${load.toFixed(2)}`);
  console.log(Object.entries(versions).filter(([, version]) => version).map(([name, version]) => `${name} ${version}`).join(', '));
  console.log(`PostgreSQL for all: ${postgres.join(', ')}`);
  console.log(`${context.rounds} rounds of ${context.seconds} s, systems in turn within each; medians, ratios with (lowest–highest) of the rounds`);
  console.log(`Payload: ${payload}; over loopback, the load generators on the same cores. CPU: all processes of a system, PostgreSQL apart`);
}

// A workload ends itself when its time is over; one that hangs is ended here, with all its processes.
function within(limitS, database, work) {
  let timer;
  const end = (reject) => {
    const kept = new Set(tree(database.postgres.process.child.pid));
    for (const pid of tree(process.pid).slice(1)) if (!kept.has(pid)) process.kill(pid, 'SIGKILL');
    reject(new Error(`it hung: ended after ${Math.round(limitS)} s`));
  };
  const late = new Promise((_, reject) => (timer = setTimeout(end, limitS * 1000, reject)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

// What is done of a workload when something fails is kept.
async function runOne(name, database, clock) {
  const cases = [];
  const before = machine();
  let failure;
  try {
    await within(clock.limitS + GRACE_S, database, WORKLOADS[name]({ ...context, database }, clock, cases));
  } catch (error) {
    failure = error.message;
    console.log(`\n${name} FAILED: ${error.stack}`);
  }
  const verdicts = quick ? [] : judge(name, cases); // the short form has ratios of its own
  printVerdicts(verdicts);
  const stolenPercent = machine().since(before).stolen * 100;
  const note = stolenPercent >= 1 ? `; other guests of the host took ${stolenPercent.toFixed(1)}% of the CPU meanwhile` : '';
  console.log(`  (${name}: ${Math.round(clock.elapsedS)} s${note})`);
  return { cases, verdicts: verdicts.map(({ text, value, verdict }) => ({ text, value, verdict })), failure, seconds: Math.round(clock.elapsedS), stolenPercent };
}

const folder = process.env.RESULT_DIR ?? path.join(HERE, '../../build/bench/results');
const file = path.join(folder, quick ? 'quick.json' : 'results.json');

// Workloads that this run was not asked for stay as an earlier one of the same program had them.
function resultsToGoOnWith({ versions }) {
  if (quick || names.length === Object.keys(WORKLOADS).length || !fs.existsSync(file)) return {};
  const earlier = JSON.parse(fs.readFileSync(file, 'utf8'));
  return earlier.versions?.parley === versions.parley ? earlier.workloads : {};
}

// Five digits are more than any of it is good for.
const rounded = (_key, value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);

function save(report) {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(report, rounded, 1)}\n`);
}

async function runAll(database) {
  const described = describe();
  const report = { ...described, workloads: resultsToGoOnWith(described) };
  const clock = new Clock(quick ? LIMIT_S.quick : LIMIT_S.all);
  const broken = [];
  sayDescription(report);
  for (const name of names) {
    if (clock.leftS < 15) {
      broken.push(`${name}: left out, the time is over`);
      continue;
    }
    const result = await runOne(name, database, new Clock(Math.min(clock.leftS, SHARE_S[name])));
    if (result.failure) broken.push(`${name}: ${result.failure}`);
    report.workloads[name] = result;
    report.totalSeconds = Math.round(clock.elapsedS);
    save(report); // after each: what comes later cannot lose it
  }
  if (!quick) drawPlots(report, folder);
  return { report, broken };
}

const database = new Database(context.dir);
try {
  fs.chmodSync(context.dir, 0o755);
  await database.start(context.messages);
  const { report, broken } = await runAll(database);
  console.log(`\nWritten to ${path.relative(process.cwd(), folder) || '.'}; ${report.totalSeconds} s`);
  if (quick) broken.push(...checkRatios(report));
  for (const text of broken) console.log(`FAILED: ${text}`);
  process.exitCode = broken.length > 0 ? 1 : 0;
} finally {
  await database.stop();
  fs.rmSync(context.dir, { recursive: true, force: true });
}
