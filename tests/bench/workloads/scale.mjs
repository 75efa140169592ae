// What a second gateway and a second store add on this machine, and how long a start takes.
import fs from 'node:fs';
import path from 'node:path';
import { Process, until } from '../../e2e/harness/process.mjs';
import { BIN, freePort } from '../../e2e/harness/system.mjs';
import { Audience } from '../lib/deliveries.mjs';
import { roomName } from '../lib/database.mjs';
import { wrk } from '../lib/loads.mjs';
import { median, short } from '../lib/numbers.mjs';
import { cpu, rssKb } from '../lib/proc.mjs';
import { printTable } from '../lib/report.mjs';
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
    return await crowd.run(1000, context.fanSeconds);
  } finally {
    await crowd.close();
  }
}

export async function scale(context, clock) {
  const lines = [];
  const systems = {};
  for (const [gateways, stores] of [[1, 1], [2, 1], [1, 2], [2, 2]]) {
    if (clock.leftS < 30) break;
    const system = new Parley({ gateways, stores });
    const name = `${gateways} gateway${gateways > 1 ? 's' : ''}, ${stores} store${stores > 1 ? 's' : ''}`;
    await withSystems(context, [system], async () => {
      const read = await http(context, system, Array.from({ length: 10 }, (_, i) => system.newest(roomName(i))));
      const write = await http(context, system, Array.from({ length: 100 }, (_, i) => system.create(`scale-${gateways}${stores}-${i}`)));
      const fan = await fanOut(context, system, `${gateways}${stores}`);
      systems[name] = { read, write, fan };
      lines.push([name, short(read.perSecond), short(read.cpuUs), short(write.perSecond), short(write.p99Ms), short(write.cpuUs), short(fan.perSecond), short(fan.p99Ms), short(fan.cpuUs)]);
    });
  }
  const name = 'Scale  pages of 50 and createMessage at 256 connections; 1,000 posts/s into 100 rooms of 40 subscribers';
  printTable(name, ['', 'reads/s', 'CPU µs', 'writes/s', 'p99 ms', 'CPU µs', 'deliveries/s', 'p99 ms', 'CPU µs'], lines);
  return [{ name, systems }];
}

const nothing = { atMs: 0, byThread: new Map() };

async function timeToReady(process, admin) {
  const start = performance.now();
  process.start();
  await until(`${process.name} to be ready`, async () => (await fetch(`http://${admin}/readyz`)).status === 200, { everyMs: 2 });
  return { ms: performance.now() - start, cpuMs: cpu([process.child.pid]).since(nothing).us / 1000 };
}

export async function startup(context) {
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
      memory = { store: rssKb([store.child.pid]) / 1024, gateway: rssKb([gateway.child.pid]) / 1024 };
    } finally {
      await gateway.stop();
      await store.stop();
    }
  }
  const size = (name) => fs.statSync(path.join(BIN, name)).size / 1e6;
  const systems = Object.fromEntries(['store', 'gateway'].map((name) => [name, { readyMs: median(times[name].map(({ ms }) => ms)), slowestMs: Math.max(...times[name].map(({ ms }) => ms)), cpuMs: median(times[name].map(({ cpuMs }) => cpuMs)), binaryMb: size(`parley-${name}`), rssMb: memory[name] }]));
  const name = 'Start-up on an existing database, to ready';
  printTable(name, ['', 'ms (median of 5)', 'slowest ms', 'CPU ms', 'binary MB (with symbols)', 'RSS MB'], Object.entries(systems).map(([key, value]) => [key, short(value.readyMs), short(value.slowestMs), short(value.cpuMs), short(value.binaryMb), short(value.rssMb)]));
  return [{ name, systems }];
}
