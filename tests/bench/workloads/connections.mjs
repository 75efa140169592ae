// W7 and W8: connecting, and coming back.
import { BIN } from '../../e2e/harness/system.mjs';
import { WsLoad } from '../lib/loads.mjs';
import { short } from '../lib/numbers.mjs';
import { machine } from '../lib/proc.mjs';
import { printTable, summarize } from '../lib/report.mjs';
import { attempt, interleave, typical } from '../lib/rounds.mjs';
import { graphqlWs, mercurius, Parley } from '../lib/systems.mjs';
import { withSystems } from './http.mjs';

let rooms = 0;

async function connectOnce(context, system, subscribers) {
  const load = new WsLoad(BIN, { ...system.loadOptions, room: `connect-${rooms++}`, subscribers });
  try {
    const [before, postgresBefore, machineBefore] = [system.cpu(), context.database.cpuUs(), machine()];
    const result = await load.say('connect');
    const used = system.cpu().since(before);
    const postgresUs = (context.database.cpuUs() - postgresBefore) / subscribers;
    await load.say('live'); // each one did get its subscription
    return { perSecond: subscribers / result.seconds, cpuUs: used.us / subscribers, postgresUs, busiestThread: used.us / 1e6 / result.seconds, loadCores: result.loadCpuS / result.seconds, busyPercent: machine().since(machineBefore).busy * 100, rssMb: system.rssKb() / 1024 };
  } finally {
    await load.end();
    await new Promise((resolve) => setTimeout(resolve, 1000)); // the server notices that they left
  }
}

export async function w7(context, clock, cases) {
  const systems = [new Parley(), mercurius(), graphqlWs()];
  const subscribers = 3000;
  await withSystems(context, systems, async () => {
    for (const system of systems) if (!system.isLost) await attempt(system, 'warm-up', () => connectOnce(context, system, 200));
    const name = `W7  ${subscribers.toLocaleString('en')} connections, each with one subscription; the token is already verified`;
    cases.push(summarize(await interleave(name, systems, context.rounds, clock, (system) => connectOnce(context, system, subscribers)), { key: 'connect', unit: 'connection' }));
  });
}

async function comeBack(context, parley, subscribers, roomCount, behind) {
  const load = new WsLoad(BIN, { ...parley.loadOptions, room: `back-${rooms++}`, rooms: roomCount, subscribers, posters: 10 });
  try {
    await load.say(`fill ${behind}`);
    context.database.forgetQueries();
    const before = parley.cpu();
    await load.say('connect');
    const result = await load.say(`caught-up ${behind}`);
    const used = parley.cpu().since(before);
    if (result.tooMany > 0 || result.disordered > 0) throw new Error(`W8: ${JSON.stringify(result)}`);
    return { faults: 0, seconds: result.seconds, queries: context.database.queries(), topQueries: context.database.topQueries(), cpuUs: used.us / subscribers };
  } finally {
    await load.end();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

export async function w8(context, clock, cases) {
  const parley = new Parley();
  const [subscribers, roomCount, behind] = [10_000, 10, 100];
  await withSystems(context, [parley], async () => {
    const name = `W8  ${subscribers.toLocaleString('en')} subscribers of ${roomCount} rooms come back with cursors ${behind} messages old`;
    const { results } = await interleave(name, [parley], context.rounds, clock, () => comeBack(context, parley, subscribers, roomCount, behind));
    const rounds = results.get('parley');
    printTable(name, ['round', 'all caught up s', 'queries', 'CPU µs/subscriber'], rounds.map((round, i) => [i + 1, short(round.seconds), round.queries, short(round.cpuUs)]));
    const slowestS = Math.max(...rounds.map(({ seconds }) => seconds));
    const mostQueries = Math.max(...rounds.map(({ queries }) => queries));
    cases.push({ key: 'back', name, systems: { parley: { slowestS, mostQueries, cpuUs: typical(rounds, 'cpuUs'), faults: 0, rounds } } });
  });
}
