// What a second gateway and a second store add on this machine, and how long a start takes.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Process, until } from '../../e2e/harness/process.mjs';
import { BIN, freePort } from '../../e2e/harness/system.mjs';
import { Audience } from '../lib/deliveries.mjs';
import { roomName } from '../lib/database.mjs';
import { wrk } from '../lib/loads.mjs';
import { median, short } from '../lib/numbers.mjs';
import { cpu, pssKb, rssKb } from '../lib/proc.mjs';
import { printTable } from '../lib/report.mjs';
import { interleave, typical } from '../lib/rounds.mjs';
import { Parley } from '../lib/systems.mjs';
import { scriptFor, withSystems } from './http.mjs';

// One wrk a gateway, so that each has its share.
async function http(context, system, requests) {
  const script = scriptFor(context, system, requests);
  const before = system.cpu();
  const results = await Promise.all(
    system.ports.map((port) => wrk(`http://127.0.0.1:${port}/graphql`, script, { connections: Math.floor(256 / system.ports.length), seconds: context.seconds })),
  );
  const requestsDone = results.reduce((sum, result) => sum + result.requests, 0);
  return { perSecond: results.reduce((sum, result) => sum + result.perSecond, 0), p99Ms: Math.max(...results.map((result) => result.p99Ms)), cpuUs: system.cpu().since(before).us / requestsDone };
}

async function fanOut(context, system, name) {
  const crowd = new Audience(context, system, { room: `scale-${name}`, rooms: 100, subscribers: 4000, posters: 32 });
  try {
    await crowd.open();
    return await crowd.run(1000, context.seconds);
  } finally {
    await crowd.close();
  }
}

async function scaled(context, system, round) {
  const [read, write] = [Array.from({ length: 10 }, (_, i) => system.newest(roomName(i))), Array.from({ length: 100 }, (_, i) => system.create(`${system.room}-${i}`))];
  const [reads, writes, fan] = [await http(context, system, read), await http(context, system, write), await fanOut(context, system, `${system.room}-${round}`)];
  if (fan.faults > 0) throw new Error(`scale: Parley lost, repeated or reordered ${fan.faults} events`);
  const named = (prefix, { perSecond, p99Ms, cpuUs }) => ({ [`${prefix}PerSecond`]: perSecond, [`${prefix}P99Ms`]: p99Ms, [`${prefix}CpuUs`]: cpuUs });
  return { ...named('read', reads), ...named('write', writes), ...named('fan', fan) };
}

export async function scale(context, clock, cases) {
  const sizes = [[1, 1], [2, 1], [1, 2], [2, 2]];
  const systems = sizes.map(([gateways, stores]) => {
    const name = `${gateways} gateway${gateways > 1 ? 's' : ''}, ${stores} store${stores > 1 ? 's' : ''}`;
    return Object.assign(new Parley({ gateways, stores }), { name, room: `scale-${gateways}${stores}` });
  });
  const name = 'Scale  pages of 50 and createMessage at 256 connections; 1,000 posts/s into 100 rooms of 40 subscribers';
  await withSystems(context, systems, async () => {
    const { results } = await interleave(name, systems, Math.min(2, context.rounds), clock, (system, round) => scaled(context, system, round));
    const keys = ['readPerSecond', 'readCpuUs', 'writePerSecond', 'writeP99Ms', 'writeCpuUs', 'fanPerSecond', 'fanP99Ms', 'fanCpuUs'];
    const summaries = Object.fromEntries([...results].map(([system, rounds]) => [system, Object.fromEntries(keys.map((key) => [key, typical(rounds, key)]))]));
    const lines = Object.entries(summaries).map(([system, summary]) => [system, ...keys.map((key) => short(summary[key]))]);
    printTable(name, ['', 'reads/s', 'CPU µs', 'writes/s', 'p99 ms', 'CPU µs', 'deliveries/s', 'p99 ms', 'CPU µs'], lines);
    cases.push({ key: 'scale', name, systems: summaries });
  });
}

const nothing = { atMs: 0, byThread: new Map() };

async function timeToReady(process, admin) {
  const start = performance.now();
  process.start();
  await until(`${process.name} to be ready`, async () => (await fetch(`http://${admin}/readyz`)).status === 200, { everyMs: 2 });
  return { ms: performance.now() - start, cpuMs: cpu([process.child.pid]).since(nothing).us / 1000 };
}

// What a package ships: without symbols.
function strippedMb(context, name) {
  const out = path.join(context.dir, `${name}.stripped`);
  execFileSync('strip', ['-o', out, path.join(BIN, name)]);
  return fs.statSync(out).size / 1e6;
}

export async function startup(context, _clock, cases) {
  const times = { store: [], gateway: [] };
  let memory;
  for (let round = 0; round < 5; round++) {
    const dir = fs.mkdtempSync(path.join(context.dir, 'start-'));
    const admins = { store: `127.0.0.1:${await freePort()}`, gateway: `127.0.0.1:${await freePort()}` };
    const bus = `ipc://${dir}/store.ipc`;
    const store = new Process('store', path.join(BIN, 'parley-store'), ['--bus', bus, '--events', `ipc://${dir}/events.ipc`, '--admin', admins.store, '--keys', path.join(context.database.keys, 'store')], { env: { PARLEY_DATABASE_URL: context.database.url } });
    const gateway = new Process('gateway', path.join(BIN, 'parley-gateway'), ['--listen', `127.0.0.1:${await freePort()}`, '--admin', admins.gateway, '--services', `store=${bus}`, '--keys', path.join(context.database.keys, 'gateway')]);
    try {
      times.store.push(await timeToReady(store, admins.store));
      times.gateway.push(await timeToReady(gateway, admins.gateway));
      memory = Object.fromEntries(Object.entries({ store, gateway }).map(([name, { child }]) => [name, { rssMb: rssKb([child.pid]) / 1024, pssMb: pssKb([child.pid]) / 1024 }]));
    } finally {
      await gateway.stop();
      await store.stop();
    }
  }
  const systems = Object.fromEntries(
    ['store', 'gateway'].map((name) => [
      name,
      {
        readyMs: median(times[name].map(({ ms }) => ms)),
        slowestMs: Math.max(...times[name].map(({ ms }) => ms)),
        cpuMs: median(times[name].map(({ cpuMs }) => cpuMs)),
        binaryMb: strippedMb(context, `parley-${name}`),
        ...memory[name],
      },
    ]),
  );
  const name = 'Start-up on an existing database, to ready; footprint at rest';
  printTable(
    name,
    ['', 'ms (median of 5)', 'slowest ms', 'CPU ms', 'binary MB (stripped)', 'RSS MB', 'PSS MB'],
    Object.entries(systems).map(([key, value]) => [key, short(value.readyMs), short(value.slowestMs), short(value.cpuMs), short(value.binaryMb), short(value.rssMb), short(value.pssMb)]),
  );
  cases.push({ key: 'startup', name, systems });
}
