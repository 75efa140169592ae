// What ten gateways and a million subscribers need, from what tests/bench/run measured on one machine:
//   node tests/bench/model.mjs [results.json]
// A model, not a measurement: it multiplies costs per operation and says its assumptions. Costs are of one core of the measured machine.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { short } from './lib/numbers.mjs';
import { printTable } from './lib/report.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const file = process.argv[2] ?? path.join(HERE, 'results/results.json');

const SYSTEM = { gateways: 10, stores: 4, subscribers: 1_000_000, rooms: 100_000 };
const POSTS_PER_SECOND = [1_000, 3_300, 10_000, 30_000];

const ASSUMED = {
  eventBytes: 480, // of a message on the bus: header, topic, 330 bytes of JSON, ZeroMQ's and TCP's own
  frameBytes: 400, // of a delivery, with TCP and IP
  copyUs: 1.5, // of a store's I/O thread, for each gateway that an event goes to
  streamBytes: 3_000, // of a gateway, for each room that it knows
  ringsBytes: 256 * 2 ** 20, // of a gateway at most, for the recent events of all rooms
  topicBytes: 200, // of a store, for each room of each gateway
  rowBytes: 420, // written to the log of PostgreSQL (WAL) and its tables, for each message
  share: 0.7, // of a core that is planned with
};

const report = JSON.parse(fs.readFileSync(file, 'utf8'));

function figure(workload, pick, key) {
  const one = report.workloads[workload]?.find(({ name }) => pick.test(name));
  const value = one?.systems.parley?.[key];
  if (!Number.isFinite(value)) throw new Error(`${file} has no ${key} of ${workload}: run tests/bench/run first`);
  return value;
}

function measured() {
  const [roomSize, gateways] = [20, 2]; // of W6
  const deliveryUs = figure('w4', /5,000 subscribers, 10 events/, 'cpuUs');
  const postUs = figure('w3', /100 rooms/, 'cpuUs');
  const wholeUs = figure('w6', /2000 posts/, 'cpuUs') * roomSize; // of one post with all its deliveries
  return {
    deliveryUs,
    postUs,
    // what is left of W6 when posts and deliveries are paid: taking an event in, finding its room, rendering it
    eventUs: Math.max(2, (wholeUs - postUs - roomSize * deliveryUs) / gateways),
    postgresUs: figure('w3', /100 rooms/, 'postgresUs'),
    writesPerSecond: figure('w3', /100 rooms/, 'perSecond'),
    subscriberBytes: figure('w5', /idle/, 'bytesEach'),
    idleUs: figure('w5', /idle/, 'cpuPercent') * 1e4 / 10_000, // a second and subscriber
    connectUs: figure('w7', /connections/, 'cpuUs'),
  };
}

const cost = measured();
const { gateways, stores, subscribers, rooms } = SYSTEM;
const perRoom = subscribers / rooms;
// subscribers come to gateways at random: so many of the gateways have at least one of a room
const spread = gateways * (1 - (1 - 1 / gateways) ** perRoom);
const STORE_SHARE = 0.4; // of postUs: measured together, the gateway's part is the larger one

function need(posts) {
  const gatewayCores = (posts * ((1 - STORE_SHARE) * cost.postUs + perRoom * cost.deliveryUs + spread * cost.eventUs) + subscribers * cost.idleUs) / 1e6;
  const storeCores = (posts * (STORE_SHARE * cost.postUs + spread * ASSUMED.copyUs)) / 1e6;
  return {
    gatewayCores,
    storeCores,
    postgresCores: (posts * cost.postgresUs) / 1e6,
    busMbit: (posts * spread * ASSUMED.eventBytes * 8) / 1e6,
    outMbit: (posts * perRoom * ASSUMED.frameBytes * 8) / 1e6,
    walMb: (posts * ASSUMED.rowBytes) / 1e6,
  };
}

// The posts a second at which each part is at its planned share.
function limits() {
  const one = need(1);
  const idle = (subscribers * cost.idleUs) / 1e6;
  return [
    ['gateways', (gateways * ASSUMED.share - idle) / (one.gatewayCores - idle), 'more gateways: they share nothing'],
    ['stores', (stores * ASSUMED.share) / one.storeCores, 'more stores; then XPUB/XSUB forwarders between stores and gateways, so that a store sends each event once'],
    ['PostgreSQL, one writer', cost.writesPerSecond, 'faster disks and cores; then rooms split by hash over several databases: partitions, or Citus distributed by room'],
    ['bus, 10 Gbit/s at a store', 10_000 / (one.busMbit / stores), 'forwarders, as above'],
  ].sort((a, b) => a[1] - b[1]);
}

console.log(`${gateways} gateways, ${stores} stores, ${subscribers.toLocaleString('en')} subscribers of ${rooms.toLocaleString('en')} rooms: ${perRoom} a room, on ${short(spread)} gateways`);
console.log(`Measured (${report.machine.cpu}, ${report.date}): ${Object.entries(cost).map(([name, value]) => `${name} ${short(value)}`).join(', ')}`);
console.log(`Assumed: ${Object.entries(ASSUMED).map(([name, value]) => `${name} ${value}`).join(', ')}; ${STORE_SHARE * 100}% of a post's CPU is the store's; posts are spread evenly over the rooms; all machines are like the measured one`);

printTable(
  'CPU in cores',
  ['posts/s', 'deliveries/s', 'gateways', 'each', 'stores', 'PostgreSQL', 'bus Mbit/s', 'to clients Mbit/s', 'WAL MB/s'],
  POSTS_PER_SECOND.map((posts) => {
    const { gatewayCores, storeCores, postgresCores, busMbit, outMbit, walMb } = need(posts);
    return [posts.toLocaleString('en'), (posts * perRoom).toLocaleString('en'), short(gatewayCores), short(gatewayCores / gateways), short(storeCores), short(postgresCores), short(busMbit), short(outMbit), short(walMb)];
  }),
);

const streams = rooms * (spread / gateways);
const gatewayMb = (subscribers / gateways) * cost.subscriberBytes + streams * ASSUMED.streamBytes + ASSUMED.ringsBytes;
console.log(`\nMemory: a gateway ${short(gatewayMb / 1e6)} MB (${(subscribers / gateways).toLocaleString('en')} subscribers, ${Math.round(streams).toLocaleString('en')} rooms, rings at their limit), a store ${short((rooms * spread * ASSUMED.topicBytes) / 1e6)} MB of topics; idle: ${short((subscribers * cost.idleUs) / 1e6)} cores for pings and timers, no query for them`);
console.log(`A gateway dies: its ${(subscribers / gateways).toLocaleString('en')} subscribers are back on the other ${gateways - 1} after ${short(((subscribers / gateways) * cost.connectUs) / 1e6 / (gateways - 1))} s of CPU each; their clients' back-off spreads that`);
printTable('Where it ends', ['', 'posts/s', 'what takes over there'], limits().map(([name, posts, then]) => [name, short(posts), then]));
console.log('\nReads: pages of quiet rooms are PostgreSQL\'s; read replicas take them, at the price of reading what was acknowledged a moment ago. Pages of active rooms come from the stores.');
