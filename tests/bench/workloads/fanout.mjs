// W4 to W6: one event to many subscribers.
import { Audience, faults } from '../lib/deliveries.mjs';
import { short } from '../lib/numbers.mjs';
import { printTable, summarize } from '../lib/report.mjs';
import { attempt, interleave, typical } from '../lib/rounds.mjs';
import { graphqlWs, mercurius, mercuriusRedis, Nats, Nchan, Parley, SendServer } from '../lib/systems.mjs';
import { withSystems } from './http.mjs';

let rooms = 0;
// Servers without an order of their own get their posts one after the other.
const audience = (context, system, subscribers, options = {}) =>
  new Audience(context, system, { room: `fan-${rooms++}`, subscribers, posters: system.dialect === 'transport' ? 16 : 1, ...options });

function sayFaults(name, system, result) {
  const text = faults(result);
  if (text) console.log(`  ${name}: ${system.name}: ${text}`);
  if (text && system.isParley) throw new Error(`${name}: Parley lost, repeated or reordered: ${text}`);
}

// All systems with their subscribers connected, the same rates in turn.
async function cost(context, clock, systems, subscribers, rates) {
  const audiences = new Map();
  const cases = [];
  try {
    for (const system of systems) {
      if (system.isLost) continue;
      audiences.set(system, audience(context, system, subscribers));
      await attempt(system, `${subscribers} subscribers`, () => audiences.get(system).open());
    }
    for (const { rate, only } of rates) {
      const name = `W4  one room, ${subscribers.toLocaleString('en')} subscribers, ${rate} events/s`;
      const taking = systems.filter((system) => !only || only(system));
      const outcome = await interleave(name, taking, context.rounds, clock, async (system) => {
        const result = await audiences.get(system).run(rate, context.fanSeconds);
        sayFaults(name, system, result);
        return result;
      });
      cases.push(summarize(outcome, { unit: 'delivery' }));
    }
  } finally {
    for (const open of audiences.values()) await open.close();
  }
  return cases;
}

// The highest of the rates at which everything arrives with p99 below 500 ms.
async function most(context, clock, system, subscribers, rates) {
  const crowd = audience(context, system, subscribers);
  let best = null;
  try {
    await crowd.open();
    const attemptRate = async (rate) => {
      const result = await crowd.run(rate, context.fanSeconds);
      if (system.isParley) sayFaults('W4  most', system, result);
      return result.sustained ? result : null;
    };
    for (const rate of rates) {
      const result = await attemptRate(rate);
      if (!result) break;
      best = result;
      if (clock.leftS < 10) break;
    }
    // a machine that cannot do the first
    for (let rate = Math.floor(rates[0] / 2); !best && rate >= 1 && clock.leftS >= 10; rate = Math.floor(rate / 2)) best = await attemptRate(rate);
  } finally {
    await crowd.close();
  }
  return best;
}

const LADDERS = {
  parley: [50, 100, 200, 300, 400, 500, 600, 800],
  nchan: [5, 10, 15, 20, 25, 30],
  'nats-server': [5, 10, 15, 20, 25, 30],
  mercurius: [1, 2, 3, 4, 5],
  'graphql-ws': [1, 2, 3, 4, 5],
};

async function mostOfAll(context, clock, systems, subscribers) {
  const results = new Map();
  for (const system of systems) {
    if (clock.leftS < 20) break;
    if (system.isLost) continue;
    const best = await attempt(system, 'most deliveries', () => most(context, clock, system, subscribers, LADDERS[system.name]));
    if (best) results.set(system.name, [best]);
  }
  return summarize({ name: `W4  most deliveries/s with p99 < 500 ms, one room, ${subscribers.toLocaleString('en')} subscribers`, results }, { unit: 'delivery' });
}

export async function w4(context, clock) {
  const parley = new Parley();
  const bare = new SendServer();
  const isParley = (system) => system.isParley;
  if (context.quick) {
    const peer = mercurius();
    return withSystems(context, [parley, bare, peer], () => cost(context, clock, [parley, bare, peer], 500, [{ rate: 10 }]));
  }
  const pushers = [new Nchan(), new Nats()];
  const graphql = [mercurius(), graphqlWs()];
  return withSystems(context, [parley, bare, ...pushers, ...graphql], async () => [
    ...(await cost(context, clock, [parley, bare, ...pushers, ...graphql], 1000, [{ rate: 10 }, { rate: 200, only: isParley }])),
    ...(await cost(context, clock, [parley, bare, ...pushers], 5000, [{ rate: 10 }, { rate: 200, only: isParley }])),
    ...(await cost(context, clock, [parley, bare], 10_000, [{ rate: 10 }])),
    await mostOfAll(context, clock, [parley, ...pushers, ...graphql], 5000),
  ]);
}

async function queriesPerSecond(context, seconds) {
  context.database.forgetQueries();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return context.database.queries() / seconds;
}

// W5: what subscribers cost that hear nothing.
async function idle(context, system, subscribers) {
  // what a process touches once, whoever comes, is no subscriber's
  const first = audience(context, system, 500);
  await first.open();
  await first.close();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = system.rssKb();
  const ownQueriesPerSecond = await queriesPerSecond(context, 3);
  const crowd = audience(context, system, subscribers);
  try {
    await crowd.open();
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // what the rush left is given back
    const bytes = ((system.rssKb() - before) * 1024) / subscribers;
    const cpuBefore = system.cpu();
    const queries = await queriesPerSecond(context, context.idleSeconds);
    const used = system.cpu().since(cpuBefore);
    return { bytesEach: bytes, cpuPercent: used.cores * 100, queriesPerSecond: queries, ownQueriesPerSecond, queries: context.database.topQueries() };
  } finally {
    await crowd.close();
  }
}

export async function w5(context, clock) {
  const subscribers = 10_000;
  const systems = [new Parley(), new Nchan(), new Nats(), graphqlWs(), mercurius()];
  const results = {};
  for (const system of systems) {
    if (clock.leftS < 30) break;
    const result = await withSystems(context, [system], () => !system.isLost && attempt(system, 'idle', () => idle(context, system, subscribers)));
    if (result) results[system.name] = result;
  }
  const name = `W5  ${subscribers.toLocaleString('en')} idle subscribers, ${context.idleSeconds} s`;
  const base = results.parley;
  printTable(
    name,
    ['', 'bytes each (RSS)', 'queries/s', '(without them)', 'CPU % of a core', 'Parley × smaller'],
    Object.entries(results).map(([system, result]) => [system, short(result.bytesEach), short(result.queriesPerSecond), short(result.ownQueriesPerSecond), short(result.cpuPercent), system === 'parley' ? '' : short(result.bytesEach / base.bytesEach)]),
  );
  return [{ name, systems: results }];
}

// W6: many rooms over two gateways.
export async function w6(context, clock) {
  const [roomCount, each] = [500, 20];
  const systems = [new Parley({ gateways: 2 }), mercuriusRedis(), graphqlWs()];
  systems[0].name = 'parley';
  return withSystems(context, systems, async () => {
    const audiences = new Map();
    const cases = [];
    try {
      for (const system of systems) {
        if (system.isLost) continue;
        audiences.set(system, audience(context, system, roomCount * each, { rooms: roomCount, posters: 64 }));
        await attempt(system, 'its subscribers', () => audiences.get(system).open());
      }
      for (const [rate, taking] of [[200, systems], [2000, systems.slice(0, 1)]]) {
        const name = `W6  ${roomCount} rooms of ${each} subscribers, two gateways, ${rate} posts/s`;
        const outcome = await interleave(name, taking, context.rounds, clock, async (system) => {
          const result = await audiences.get(system).run(rate, context.fanSeconds);
          sayFaults(name, system, result);
          return result;
        });
        cases.push(summarize(outcome, { unit: 'delivery' }));
        const own = outcome.results.get('parley');
        console.log(`  createdAt → socket at Parley: p50 ${short(typical(own, 'createdP50Ms'))}, p99 ${short(typical(own, 'createdP99Ms'))}, p99.9 ${short(typical(own, 'createdP999Ms'))} ms`);
      }
    } finally {
      for (const open of audiences.values()) await open.close();
    }
    return cases;
  });
}
