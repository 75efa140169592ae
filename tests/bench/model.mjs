// What ten gateways and a million subscribers need, from what tests/bench/run measured on one machine (see lib/model.mjs):
//   node tests/bench/model.mjs [results.json]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ASSUMED, model, SYSTEM } from './lib/model.mjs';
import { short } from './lib/numbers.mjs';
import { printTable } from './lib/report.mjs';

const file = process.argv[2] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), 'results/results.json');
const report = JSON.parse(fs.readFileSync(file, 'utf8'));
const { gateways, stores, subscribers, rooms } = SYSTEM;
const { cost, spread, needs, limits, gatewayMb, storeMb, idleCores, takeOverS } = model(report);
const count = (value) => value.toLocaleString('en');

console.log(`${gateways} gateways, ${stores} stores, ${count(subscribers)} subscribers of ${count(rooms)} rooms: ${subscribers / rooms} a room, on ${short(spread)} gateways`);
console.log(`Measured (${report.machine.cpu}, ${report.date}): ${Object.entries(cost).map(([name, value]) => `${name} ${short(value)}`).join(', ')}`);
console.log('Assumed:');
for (const [name, [value, what]] of Object.entries(ASSUMED)) console.log(`  ${name} ${count(value)}: ${what}`);

printTable(
  'CPU in cores',
  ['posts/s', 'deliveries/s', 'each gateway', 'each store', 'PostgreSQL', 'bus Mbit/s', 'to clients Mbit/s', 'WAL MB/s'],
  needs.map((need) => [count(need.posts), count(need.deliveries), short(need.eachGateway), short(need.eachStore), short(need.postgres), short(need.busMbit), short(need.outMbit), short(need.walMb)]),
);
console.log(`\nMemory: a gateway ${short(gatewayMb)} MB (${count(subscribers / gateways)} subscribers, ${count(Math.round((rooms * spread) / gateways))} rooms, rings at their limit), a store ${short(storeMb)} MB of topics; idle: ${short(idleCores)} cores for pings and timers, no query for them`);
console.log(`A gateway dies: its ${count(subscribers / gateways)} subscribers are back on the other ${gateways - 1} after ${short(takeOverS)} s of CPU each; their clients' back-off spreads that`);
printTable('Where it ends', ['', 'posts/s', 'what takes over there'], limits.map(({ part, posts, then }) => [part, short(posts), then]));
console.log("\nReads: pages of quiet rooms are PostgreSQL's; read replicas take them, at the price of reading what was acknowledged a moment ago. Pages of active rooms come from the stores.");
