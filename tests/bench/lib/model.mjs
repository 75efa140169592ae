// What ten gateways and a million subscribers need: a model, not a measurement. It multiplies costs per operation that tests/bench/run measured
// on one machine, and says what it assumes. CPU is in cores of the measured machine; all machines are like it; posts are spread evenly over the rooms.
export const SYSTEM = { gateways: 10, stores: 4, subscribers: 1_000_000, rooms: 100_000 };
const POSTS_PER_SECOND = [1_000, 3_000, 10_000, 30_000];

export const ASSUMED = {
  share: [0.7, 'of a core that one process is planned with'],
  eventBytes: [480, 'of an event on the bus: header, topic, 330 bytes of JSON, ZeroMQ and TCP'],
  frameBytes: [400, 'of a delivery, with TCP and IP'],
  copyUs: [1.5, "CPU µs of a store's I/O thread for each gateway that an event goes to"],
  streamBytes: [3_000, 'of a gateway for each room that it follows'],
  ringsBytes: [256 * 2 ** 20, 'of a gateway at most for the recent events of all rooms'],
  topicBytes: [200, 'of a store for each room of each gateway'],
  rowBytes: [420, 'written by PostgreSQL for each message'],
};
const assumed = Object.fromEntries(Object.entries(ASSUMED).map(([name, [value]]) => [name, value]));

function figure(report, workload, key, name) {
  const value = report.workloads[workload]?.cases.find((one) => one.key === key)?.systems.parley?.[name];
  if (!Number.isFinite(value)) throw new Error(`the results have no ${name} of ${workload} (${key}): run tests/bench/run first`);
  return value;
}

function measured(report) {
  const [roomSize, gateways] = [20, 2]; // of W6
  const deliveryUs = figure(report, 'w4', '5000 at 10', 'cpuUs');
  const [postUs, gatewayPostUs] = [figure(report, 'w3', 'rooms', 'cpuUs'), figure(report, 'w3', 'rooms', 'gatewayCpuUs')];
  const wholeUs = figure(report, 'w6', 'same CPU', 'gatewayCpuUs') * roomSize; // the gateways' part of one post with all its deliveries
  return {
    deliveryUs,
    gatewayPostUs,
    storePostUs: postUs - gatewayPostUs,
    // what is left of W6 when posts and deliveries are paid: taking an event in, finding its room, rendering it
    eventUs: Math.max(2, (wholeUs - gatewayPostUs - roomSize * deliveryUs) / gateways),
    postgresUs: figure(report, 'w3', 'rooms', 'postgresUs'),
    writesPerSecond: figure(report, 'w3', 'rooms', 'perSecond'),
    subscriberBytes: figure(report, 'w5', 'idle', 'bytesEach'),
    idleUs: (figure(report, 'w5', 'idle', 'cpuPercent') * 1e4) / 10_000, // a second and subscriber
    connectUs: figure(report, 'w7', 'connect', 'cpuUs'),
  };
}

function need(cost, spread, posts) {
  const { gateways, stores, subscribers, rooms } = SYSTEM;
  const perRoom = subscribers / rooms;
  const idleCores = (subscribers * cost.idleUs) / 1e6;
  const gatewayCores = idleCores + (posts * (cost.gatewayPostUs + perRoom * cost.deliveryUs + spread * cost.eventUs)) / 1e6;
  const storeCores = (posts * (cost.storePostUs + spread * assumed.copyUs)) / 1e6;
  return {
    posts,
    deliveries: posts * perRoom,
    eachGateway: gatewayCores / gateways,
    eachStore: storeCores / stores,
    postgres: (posts * cost.postgresUs) / 1e6,
    busMbit: (posts * spread * assumed.eventBytes * 8) / 1e6,
    outMbit: (posts * perRoom * assumed.frameBytes * 8) / 1e6,
    walMb: (posts * assumed.rowBytes) / 1e6,
  };
}

// The posts a second at which each part is at its planned share, the first to end first.
function limits(cost, spread) {
  const { gateways, stores, subscribers } = SYSTEM;
  const one = need(cost, spread, 1);
  const idle = (subscribers * cost.idleUs) / 1e6 / gateways;
  const parts = [
    { part: 'gateways', posts: (assumed.share - idle) / (one.eachGateway - idle), then: 'more gateways: they share nothing' },
    { part: 'stores', posts: assumed.share / one.eachStore, then: 'more stores; then XPUB/XSUB forwarders between stores and gateways, so that a store sends each event once' },
    { part: 'PostgreSQL, one server for writing', posts: cost.writesPerSecond, then: 'a machine of its own with more cores and faster disks; then rooms split by hash: partitions, or Citus distributed by room' },
    { part: "a store's network, 10 Gbit/s", posts: 10_000 / (one.busMbit / stores), then: 'forwarders, as above' },
  ];
  return parts.sort((a, b) => a.posts - b.posts);
}

export function model(report) {
  const cost = measured(report);
  const { gateways, subscribers, rooms } = SYSTEM;
  // subscribers come to gateways at random: so many of these have at least one of a room
  const spread = gateways * (1 - (1 - 1 / gateways) ** (subscribers / rooms));
  return {
    cost,
    spread,
    needs: POSTS_PER_SECOND.map((posts) => need(cost, spread, posts)),
    limits: limits(cost, spread),
    gatewayMb: ((subscribers / gateways) * cost.subscriberBytes + rooms * (spread / gateways) * assumed.streamBytes + assumed.ringsBytes) / 1e6,
    storeMb: (rooms * spread * assumed.topicBytes) / 1e6,
    idleCores: (subscribers * cost.idleUs) / 1e6,
    takeOverS: ((subscribers / gateways) * cost.connectUs) / 1e6 / (gateways - 1),
  };
}
