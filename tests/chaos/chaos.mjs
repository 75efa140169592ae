// A run: starts a whole Parley, lets clients use it while the nemesis is at work, waits until everything has healed, reads the
// log, and has the history checked.
import fs from 'node:fs';
import path from 'node:path';
import { data, signUp } from '../e2e/harness/client.mjs';
import { freePort, startSystem, until } from '../e2e/harness/system.mjs';
import { check } from './check.mjs';
import { seqOf } from './cursor.mjs';
import { DIALECTS } from './connections.mjs';
import { Link } from './link.mjs';
import { Nemesis } from './nemesis.mjs';
import { Random } from './random.mjs';
import { Sender } from './sender.mjs';
import { Subscriber } from './subscriber.mjs';

const DEFAULTS = { seconds: 45, seed: 1, bus: 'ipc', gateways: 2, stores: 2, senders: 12, subscribers: 24, rooms: 4, pauseMs: 60, healMs: 60_000, gatewayFault: '', storeFault: '', say: () => {} };
const CALL_TIMEOUT_MS = 4000;
const KINDS = ['stays', 'resumes', 'visits', 'resumes'];

// Between each gateway and each store lie two links that can be cut, one for calls and one for events. `bus` is ipc, tcp (with
// CURVE), or mixed: every other store by tcp.
export async function startLinked({ gateways, stores, bus, gatewayFault = '', storeFault = '' }) {
  const system = await startSystem({ gateways: 0, stores: 0, gatewayArgs: ['--call-timeout-ms', String(CALL_TIMEOUT_MS)] });
  const links = [];
  try {
    for (let i = 1; i <= stores; i++) {
      const isTcp = bus === 'tcp' || (bus === 'mixed' && i % 2 === 0);
      const store = await system.addStore(isTcp);
      store.env.PARLEY_FAULT = storeFault;
      await (isTcp ? announceLinks(store) : useOwnFolder(system, store));
      store.start();
    }
    for (let i = 1; i <= gateways; i++) {
      const gateway = await system.addGateway();
      gateway.env.PARLEY_FAULT = gatewayFault;
      gateway.command = path.resolve(gateway.command);
      gateway.cwd = folder(system, gateway);
      const dialed = [];
      for (const [j, store] of system.stores.entries()) {
        const made = store.linkPorts ? tcpLinks(gateway, i, store, j + 1) : ipcLinks(gateway, store);
        dialed.push(`store=${made.endpoint}`);
        for (const link of made.links) await link.open();
        links.push(...made.links);
      }
      gateway.args[gateway.args.indexOf('--services') + 1] = dialed.join(',');
      gateway.start();
    }
    await system.ready(60_000);
  } catch (error) {
    await stopLinked(system, links).catch(() => {});
    throw error;
  }
  return { system, links };
}

function folder(system, { name }) {
  const dir = path.join(system.dir, name);
  fs.mkdirSync(dir);
  return dir;
}

// Over ipc the stores bind relative paths in a folder of theirs, and the gateways find links at the same paths in folders of
// their own.
function useOwnFolder(system, store) {
  const relative = [`ipc://${store.name}.ipc`, `ipc://${store.name}-events.ipc`];
  store.args = store.args.map((arg) => (arg === store.bus ? relative[0] : arg === store.events ? relative[1] : arg));
  store.command = path.resolve(store.command);
  [store.bus, store.events] = relative;
  store.cwd = folder(system, store);
}

function ipcLinks(gateway, store) {
  const links = [store.bus, store.events].map((endpoint) => {
    const file = endpoint.slice('ipc://'.length);
    return new Link(`${gateway.name}/${file}`, path.join(gateway.cwd, file), path.join(store.cwd, file));
  });
  return { endpoint: store.bus, links };
}

// Over tcp each pair has an address of its own: the store announces its events there where the gateway reached it.
async function announceLinks(store) {
  store.linkPorts = [await freePort(), await freePort()];
  store.args.push('--announce-events', `tcp://*:${store.linkPorts[1]}`);
}

function tcpLinks(gateway, gatewayNumber, store, storeNumber) {
  const host = `127.1.${gatewayNumber}.${storeNumber}`;
  const links = [store.bus, store.events].map((endpoint, i) => {
    const target = new URL(endpoint);
    return new Link(`${gateway.name}/${store.name}-${['calls', 'events'][i]}`, { host, port: store.linkPorts[i] }, { host: target.hostname, port: Number(target.port) });
  });
  return { endpoint: `tcp://${host}:${store.linkPorts[0]}`, links };
}

export async function stopLinked(system, links) {
  try {
    await system.stop();
  } finally {
    for (const link of links) link.close();
  }
}

async function readRoom(url, token, room) {
  const all = [];
  for (let after; ; ) {
    const { getMessages: page } = await data(url, {
      query: 'query ($room: String, $after: String) { getMessages(room: $room, first: 500, after: $after) { messageId body cursor } }',
      variables: { room, after },
      token,
    });
    for (const { messageId, body, cursor } of page) all.push({ seq: seqOf(cursor), messageId, body });
    if (page.length < 500) return all;
    after = page.at(-1).cursor;
  }
}

// The log when nothing moves any more and all that follow it have come to its end, or the time is over.
async function readSettledLog({ system, token, rooms, subscribers, healMs }) {
  const end = Date.now() + healMs;
  for (;;) {
    const log = {};
    for (const room of rooms) log[room] = await readRoom(system.url, token, room);
    const isReached = subscribers.every((subscriber) => subscriber.hasReached(log[subscriber.room].at(-1)?.seq ?? 0));
    if (isReached || Date.now() > end) return log;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

// Gives {history, violations, faults, sends, acknowledged, deliveries, seconds}.
export async function runChaos(options) {
  const settings = { ...DEFAULTS, ...options };
  const { seconds, seed, say } = settings;
  const random = new Random(seed);
  const history = { seed, sends: [], subscriptions: [], reads: [], log: {}, complaints: [], faults: [] };
  const { system, links } = await startLinked(settings);
  const { gateways } = system;
  let failure = null;
  let nemesis;
  try {
    const { token } = await signUp(system.url, 'chaos');
    const rooms = Array.from({ length: settings.rooms }, (_, i) => `room-${i + 1}`);
    const common = { token, gateways, history };
    const senders = Array.from({ length: settings.senders }, (_, i) => new Sender({ ...common, name: `sender-${i + 1}`, rooms, random: random.fork(), pauseMs: settings.pauseMs }));
    for (const room of rooms) await senders[0].send(room, { patient: true });
    const dialects = Object.keys(DIALECTS);
    const subscribers = Array.from(
      { length: settings.subscribers },
      (_, i) => new Subscriber({ ...common, name: `subscriber-${i + 1}`, kind: KINDS[i % KINDS.length], dialect: dialects[Math.floor(i / KINDS.length) % dialects.length], room: random.pick(rooms), random: random.fork() }),
    );
    const follow = subscribers.map((subscriber) => subscriber.run());
    const post = senders.map((sender) => sender.run());
    nemesis = new Nemesis({
      seconds,
      system,
      links,
      random: random.fork(),
      say: (name, target) => {
        history.faults.push({ at: performance.now(), name, target });
        say(`${name} ${target}`);
      },
    });
    await nemesis.run(Date.now() + seconds * 1000);
    say('healing');
    for (const subscriber of subscribers) subscriber.settle();
    await system.ready(settings.healMs);
    for (const sender of senders) sender.isStopped = true;
    await Promise.all(post);
    // Something new for everybody, when all are there.
    await until('all subscribers to be back', () => subscribers.every((subscriber) => subscriber.isLive), { timeoutMs: settings.healMs }).catch(() => {});
    for (const room of rooms) for (const sender of senders.slice(0, 2)) await sender.send(room, { patient: true });
    history.log = await readSettledLog({ ...settings, system, token, rooms, subscribers });
    for (const subscriber of subscribers) subscriber.stop();
    await Promise.all(follow);
  } catch (error) {
    failure = error;
  }
  history.outputs = Object.fromEntries([...gateways, ...system.stores].map((daemon) => [daemon.name, daemon.output]));
  await stopLinked(system, links).catch((error) => (failure ??= error));
  if (failure) throw Object.assign(failure, { history });
  return {
    history,
    violations: check(history),
    sends: history.sends.length,
    acknowledged: history.sends.filter((send) => send.outcome === 'ok').length,
    refused: history.sends.filter((send) => send.outcome === 'none').length,
    unanswered: history.sends.filter((send) => send.outcome === 'unknown').length,
    subscriptions: history.subscriptions.length,
    reads: history.reads.length,
    deliveries: history.subscriptions.reduce((sum, subscription) => sum + subscription.deliveries.length, 0),
    faults: nemesis.total,
    counts: nemesis.counts,
  };
}

// One JSON text a line: what it is, and the record itself.
export function writeHistory(file, history) {
  const out = fs.openSync(file, 'w');
  const put = (kind, record) => fs.writeSync(out, `${JSON.stringify({ kind, ...record })}\n`);
  for (const send of history.sends) put('send', send);
  for (const subscription of history.subscriptions) put('subscription', subscription);
  for (const read of history.reads) put('read', read);
  for (const [room, messages] of Object.entries(history.log)) put('room', { room, messages });
  for (const text of history.complaints) put('complaint', { text });
  for (const fault of history.faults) put('fault', fault);
  for (const [name, text] of Object.entries(history.outputs ?? {})) put('output', { name, text });
  fs.closeSync(out);
}
