// tests/bench/run's measurements: main.mjs [--quick] [workload…]. See run.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Database, POSTGRES_CONF } from './lib/database.mjs';
import { drawPlots } from './lib/plots.mjs';
import { checkRatios } from './lib/ratios.mjs';
import { Clock } from './lib/rounds.mjs';
import { w4, w5, w6 } from './workloads/fanout.mjs';
import { w7, w8 } from './workloads/connections.mjs';
import { w1, w2, w3 } from './workloads/http.mjs';
import { scale, startup } from './workloads/scale.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WORKLOADS = { w1, w2, w3, w4, w5, w6, w7, w8, scale, startup };
const QUICK = ['w1', 'w2', 'w3', 'w4'];
const LIMIT_S = { quick: 100, all: 24 * 60, one: 290 };

const { quick, names } = readArguments(process.argv.slice(2));
const context = {
  quick,
  rounds: Number(process.env.ROUNDS ?? (quick ? 2 : 3)),
  seconds: Number(process.env.SECONDS ?? (quick ? 2 : 4)),
  fanSeconds: Number(process.env.SECONDS ?? (quick ? 2 : 3)),
  warmSeconds: quick ? 1 : 2,
  idleSeconds: 10,
  messages: Number(process.env.MESSAGES ?? (quick ? 100_000 : 1_000_000)),
  dir: fs.mkdtempSync(path.join(os.tmpdir(), 'parley-bench-')),
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

function describe() {
  const packages = ['mercurius', 'fastify', 'pg', 'graphql', '@apollo/server', 'graphql-yoga', 'graphql-ws', 'ws', 'mqemitter-redis'];
  const versions = {
    parley: output('git', ['-C', HERE, 'rev-parse', '--short', 'HEAD']),
    node: process.version.slice(1),
    PostgreSQL: /[\d.]+/.exec(output('psql', ['--version']) ?? '')?.[0],
    ...Object.fromEntries(packages.map((name) => [name, packageVersion(name)])),
    postgraphile: packageVersion('postgraphile', 'peers/postgraphile'),
    ...(quick ? {} : { nginx: /[\d.]+/.exec(output('sh', ['-c', 'nginx -v 2>&1']) ?? '')?.[0], nchan: /^\S*?([\d.]+)/.exec(output('dpkg-query', ['-W', '-f', '${Version}', 'libnginx-mod-nchan'])?.replace(/^\d+:/, '') ?? '')?.[1], 'nats-server': /[\d.]+/.exec(output('nats-server', ['--version']) ?? '')?.[0], redis: /v=([\d.]+)/.exec(output('redis-server', ['--version']) ?? '')?.[1] }),
  };
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(), load: os.loadavg()[0] },
    versions,
    postgres: POSTGRES_CONF.trim().split('\n'),
    rounds: context.rounds,
    seconds: context.seconds,
    messages: context.messages,
  };
}

function sayDescription({ machine, versions, postgres }) {
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Linux ${machine.kernel}; load average before the run ${machine.load.toFixed(2)}`);
  console.log(Object.entries(versions).filter(([, version]) => version).map(([name, version]) => `${name} ${version}`).join(', '));
  console.log(`PostgreSQL for all: ${postgres.join(', ')}`);
  console.log(`${context.rounds} rounds of ${context.seconds} s (fan-out: ${context.fanSeconds} s), systems in turn within each; medians, ratios with (lowest–highest) of the rounds`);
  console.log('Messages of about 50 bytes, events of about 330; loopback, load generators on the same cores. CPU: all processes of a system, PostgreSQL apart');
}

async function runAll(database) {
  const report = { ...describe(), workloads: {} };
  const clock = new Clock(quick ? LIMIT_S.quick : LIMIT_S.all);
  sayDescription(report);
  for (const name of names) {
    if (clock.leftS < 15) {
      console.log(`\n${name}: left out, the time is over`);
      continue;
    }
    const own = new Clock(Math.min(clock.leftS, LIMIT_S.one));
    try {
      report.workloads[name] = await WORKLOADS[name]({ ...context, database }, own);
    } catch (error) {
      report.workloads[name] = [];
      (report.failures ??= []).push(`${name}: ${error.message}`);
      console.log(`\n${name} FAILED: ${error.stack}`);
    }
    console.log(`  (${name}: ${Math.round(own.elapsedS)} s)`);
  }
  report.seconds = Math.round(clock.elapsedS);
  return report;
}

const database = new Database(context.dir);
try {
  fs.chmodSync(context.dir, 0o755);
  await database.start(context.messages);
  const report = await runAll(database);
  const folder = process.env.RESULT_DIR ?? path.join(HERE, '../../build/bench/results');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, quick ? 'quick.json' : 'results.json'), `${JSON.stringify(report, null, 1)}\n`);
  if (!quick) drawPlots(report, folder);
  console.log(`\nWritten to ${path.relative(process.cwd(), folder) || '.'}; ${report.seconds} s`);
  const broken = [...(report.failures ?? []), ...(quick ? checkRatios(report) : [])];
  for (const text of broken) console.log(`FAILED: ${text}`);
  process.exitCode = broken.length > 0 ? 1 : 0;
} finally {
  await database.stop();
  fs.rmSync(context.dir, { recursive: true, force: true });
}
