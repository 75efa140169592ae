// W4 to W6: one event to many subscribers.
import { Audience, faults, isSustained } from '../lib/deliveries.mjs';
import { short } from '../lib/numbers.mjs';
import { printTable, summarize } from '../lib/report.mjs';
import { attempt, Clock, interleave, typical } from '../lib/rounds.mjs';
import { highest } from '../lib/search.mjs';
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

// Connects each system's subscribers; gives the audiences by system.
async function openAll(systems, make) {
  const audiences = new Map();
  try {
    for (const system of systems) {
      if (system.isLost) continue;
      audiences.set(system, make(system));
      await attempt(system, 'its subscribers', () => audiences.get(system).open());
    }
    return audiences;
  } catch (error) {
    await closeAll(audiences);
    throw error;
  }
}

async function closeAll(audiences) {
  for (const open of audiences.values()) await open.close();
}

// All systems with their subscribers connected, the same rates in turn.
async function cost(context, clock, cases, systems, subscribers, rates) {
  const audiences = await openAll(systems, (system) => audience(context, system, subscribers));
  try {
    for (const { rate, only } of rates) {
      const name = `W4  one room, ${subscribers.toLocaleString('en')} subscribers, ${rate} events/s`;
      const taking = systems.filter((system) => !only || only(system));
      const outcome = await interleave(name, taking, context.rounds, clock, async (system) => {
        const result = await audiences.get(system).run(rate, context.fanSeconds);
        sayFaults(name, system, result);
        return result;
      });
      cases.push(summarize(outcome, { key: `${subscribers} at ${rate}`, unit: 'delivery' }));
    }
  } finally {
    await closeAll(audiences);
  }
}

// The highest rate at which everything arrives with p99 below 500 ms: { result of the best step, failed } or null.
async function most(context, clock, system, subscribers, first) {
  const { seconds } = context;
  const crowd = audience(context, system, subscribers);
  const steps = new Map();
  const step = async (rate) => {
    const result = await crowd.run(rate, seconds);
    if (system.isParley) sayFaults('W4  most', system, result);
    steps.set(rate, result);
    if (isSustained(result, rate, seconds)) return true;
    if (!(await crowd.calm(15)).isCalm) throw new Error(`it still delivers 15 s after ${rate} events/s`);
    return false;
  };
  // what fails by little may do so because of something else on the machine, and is tried again
  const isClose = (rate) => steps.get(rate).missing === 0 && steps.get(rate).sentP99Ms < 1000;
  const holds = async (rate) => (await step(rate)) || (isClose(rate) && (await step(rate)));
  try {
    await crowd.open();
    const { best, failed } = await highest({ holds, first, most: 2000, fineness: 1.15, mayGoOn: () => clock.leftS > 0 });
    return best > 0 ? { ...steps.get(best), rate: best, failedRate: failed } : null;
  } finally {
    await crowd.close();
  }
}

// Where the search begins, near what each is known to do, to save steps: it goes up and down from there.
const FIRST = { parley: 250, nchan: 12, 'nats-server': 12, mercurius: 2, 'graphql-ws': 2 };
const SEARCH_S = 28; // of one system

async function mostOfAll(context, clock, cases, systems, subscribers) {
  const name = `W4  most deliveries/s with p99 < 500 ms, one room, ${subscribers.toLocaleString('en')} subscribers`;
  const results = new Map();
  for (const system of systems) {
    if (system.isLost) continue;
    const own = new Clock(Math.min(SEARCH_S, clock.leftS));
    const best = await attempt(system, 'most deliveries', () => most(context, own, system, subscribers, FIRST[system.name]));
    if (best) results.set(system.name, [best]);
    console.log(`  ${system.name}: ${best ? `${short(best.rate)} events/s hold, ${short(best.failedRate)} do not` : 'no rate holds'} (${short(own.elapsedS)} s)`);
  }
  const one = summarize({ name, results }, { key: 'most', unit: 'delivery' });
  widen(one.systems, results);
  cases.push(one);
}

// One search gives no spread of rounds, but bounds: between the rate that held and the one that did not lies the truth, for both.
function widen(systems, results) {
  const own = results.get('parley')?.[0];
  for (const [name, [best]] of results) {
    if (name === 'parley' || !own) continue;
    const { median } = systems[name].timesFaster;
    const upwards = ({ rate, failedRate }) => (Number.isFinite(failedRate) ? failedRate / rate : 1);
    systems[name].timesFaster = { median, min: median / upwards(best), max: median * upwards(own) };
  }
}

export async function w4(context, clock, cases) {
  const parley = new Parley();
  const bare = new SendServer();
  const isParley = (system) => system.isParley;
  if (context.quick) {
    const peer = mercurius();
    await withSystems(context, [parley, bare, peer], () => cost(context, clock, cases, [parley, bare, peer], 500, [{ rate: 10 }]));
    return;
  }
  const pushers = [new Nchan(), new Nats()];
  const graphql = [mercurius(), graphqlWs()];
  const often = (...rates) => [{ rate: 10 }, ...rates.map((rate) => ({ rate, only: isParley }))];
  await withSystems(context, [parley, bare, ...pushers, ...graphql], async () => {
    await cost(context, clock, cases, [parley, bare, ...pushers], 5000, often(200, 400));
    await mostOfAll(context, clock, cases, [parley, ...pushers, ...graphql], 5000);
    await cost(context, clock, cases, [parley, bare, ...pushers, ...graphql], 1000, often(200, 400));
    await cost(context, clock, cases, [parley, bare], 10_000, often(200));
  });
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
    return { bytesEach: bytes, cpuPercent: used.cores * 100, queriesPerSecond: queries, ownQueriesPerSecond, rssMb: system.rssKb() / 1024, queries: queries > 0 ? context.database.topQueries() : [] };
  } finally {
    await crowd.close();
  }
}

export async function w5(context, clock, cases) {
  const subscribers = 10_000;
  const systems = [new Parley(), new Nchan(), new Nats(), graphqlWs(), mercurius()];
  const results = {};
  for (const system of systems) {
    if (clock.leftS < 30) {
      console.log(`  W5: ${system.name} is left out, the time is over`);
      continue;
    }
    const result = await withSystems(context, [system], () => !system.isLost && attempt(system, 'idle', () => idle(context, system, subscribers)));
    if (result) results[system.name] = result;
  }
  const name = `W5  ${subscribers.toLocaleString('en')} idle subscribers, ${context.idleSeconds} s`;
  const base = results.parley;
  printTable(
    name,
    ['', 'bytes each (RSS)', 'RSS MB', 'queries/s', '(without them)', 'CPU % of a core', 'Parley × smaller'],
    Object.entries(results).map(([system, result]) => [system, short(result.bytesEach), short(result.rssMb), short(result.queriesPerSecond), short(result.ownQueriesPerSecond), short(result.cpuPercent), system === 'parley' || !base ? '' : short(result.bytesEach / base.bytesEach)]),
  );
  cases.push({ key: 'idle', name, systems: results });
}

// W6: many rooms over two gateways. First the same posts for all; then so many for each that all use about the same CPU, one core or a little less,
// which tells how much more one of them delivers for it.
const OWN_RATE = 2000;
const PEERS_RATE = 250;

export async function w6(context, clock, cases) {
  const [roomCount, each] = [500, 20];
  const systems = [new Parley({ gateways: 2 }), mercuriusRedis(), graphqlWs()];
  const where = `W6  ${roomCount} rooms of ${each} subscribers, two gateways`;
  const rates = [
    { key: 'same rate', name: `${where}, 200 posts/s`, rate: () => 200 },
    { key: 'same CPU', name: `${where}, ${OWN_RATE.toLocaleString('en')} posts/s (the others: ${PEERS_RATE})`, rate: ({ isParley }) => (isParley ? OWN_RATE : PEERS_RATE) },
  ];
  await withSystems(context, systems, async () => {
    const audiences = await openAll(systems, (system) => audience(context, system, roomCount * each, { rooms: roomCount, posters: 64 }));
    try {
      for (const { key, name, rate } of rates) {
        const outcome = await interleave(name, systems, context.rounds, clock, async (system) => {
          const result = await audiences.get(system).run(rate(system), context.seconds);
          sayFaults(name, system, result);
          return { ...result, cores: (result.cpuUs * result.perSecond) / 1e6 };
        });
        cases.push(summarize(outcome, { key, unit: 'delivery' }));
        const own = outcome.results.get('parley');
        console.log(`  createdAt → socket at Parley: p50 ${short(typical(own, 'createdP50Ms'))}, p99 ${short(typical(own, 'createdP99Ms'))}, p99.9 ${short(typical(own, 'createdP999Ms'))} ms`);
        console.log(`  cores used: ${[...outcome.results].map(([system, results]) => `${system} ${short(typical(results, 'cores'))}`).join(', ')}`);
      }
    } finally {
      await closeAll(audiences);
    }
  });
}
