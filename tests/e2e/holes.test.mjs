// PUB/SUB may drop, the log does not: each way to lose an event on the bus, and that its subscribers have it within a second.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startLinked, stopLinked } from '../chaos/chaos.mjs';
import { CREATE, create, data, post, signUp, subscribe, wsClient } from './harness/client.mjs';
import { metricSum, metrics, until } from './harness/system.mjs';

const SOON_MS = 1000;
const RECONNECT_MS = 1000; // ZeroMQ dials again after so long at most

let system, links, alice, near, far;
before(async () => {
  ({ system, links } = await startLinked({ gateways: 2, stores: 2, bus: 'ipc' }));
  [near, far] = system.gateways; // subscribers are at the first, posts go through the second
  alice = await signUp(far.url);
});
after(() => stopLinked(system, links));

// Runs the test with these faults in the stores; '' for none, null for a store that is away.
async function withFaults([first, second], work) {
  const apply = async (faults) => {
    for (const [i, fault] of faults.entries()) {
      const store = system.stores[i];
      if (store.isRunning && store.env.PARLEY_FAULT === fault) continue;
      await store.stop();
      store.env.PARLEY_FAULT = fault ?? '';
      if (fault !== null) store.start();
    }
    const stores = system.stores.filter((store) => store.isRunning);
    for (const daemon of [...stores, near, far]) await until(`${daemon.name} to be ready`, () => system.isReady(daemon));
    // ready is who has one store; wait until each gateway has the very ones
    for (const gateway of [near, far])
      await until('the stores to be known', async () => metricSum(await metrics(gateway), 'parley_bus_instances_up') === stores.length);
  };
  await apply([first, second]);
  try {
    await work();
  } finally {
    await apply(['', '']);
  }
}

async function follow() {
  const room = randomUUID();
  const client = wsClient(near.wsUrl, alice.token);
  await create(far.url, alice.token, 'the first', { room });
  const subscriber = subscribe(client, { variables: { room, last: 1 } });
  await subscriber.wait(1);
  const wholeRoom = async () => (await data(far.url, { query: 'query ($room: String) { getMessages(room: $room, first: 500) { cursor } }', variables: { room }, token: alice.token })).getMessages.map(({ cursor }) => cursor);
  const cursors = () => subscriber.messages.map(({ cursor }) => cursor);
  return { room, subscriber, wholeRoom, cursors, dispose: () => client.dispose() };
}

// {found, filled} holes at the subscribers' gateway, from the call on.
async function holes() {
  const read = async () => {
    const values = await metrics(near);
    return { found: metricSum(values, 'parley_feed_gaps_found_total'), filled: metricSum(values, 'parley_feed_gaps_filled_total') };
  };
  const old = await read();
  return async () => {
    const now = await read();
    return { found: now.found - old.found, filled: now.filled - old.filled };
  };
}

async function timed(what) {
  const from = performance.now();
  await what();
  return performance.now() - from;
}

test('a lost last event', () =>
  withFaults(['skip_publish:3', null], async () => {
    const { room, subscriber, wholeRoom, cursors, dispose } = await follow(); // the first event
    const count = await holes();
    await create(far.url, alice.token, 'published', { room });
    await subscriber.wait(2);
    await create(far.url, alice.token, 'lost', { room });
    const ms = await timed(() => subscriber.wait(3, 5000));
    assert.ok(ms < SOON_MS, `after ${ms} ms`);
    assert.deepEqual(cursors(), await wholeRoom());
    assert.deepEqual(await count(), { found: 1, filled: 1 });
    await dispose();
  }));

test('an event lost in the middle of others', () =>
  withFaults(['skip_publish:5', null], async () => {
    const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
    const count = await holes();
    for (let i = 0; i < 10; i++) await create(far.url, alice.token, `m${i}`, { room });
    const ms = await timed(() => subscriber.wait(11, 5000));
    assert.ok(ms < SOON_MS, `after ${ms} ms`);
    assert.deepEqual(cursors(), await wholeRoom());
    assert.deepEqual(await count(), { found: 1, filled: 1 });
    await dispose();
  }));

test('a store killed between commit and publish: its sister answers, once', () =>
  withFaults(['exit_after_commit:2', 'exit_after_commit:1000'], async () => {
    const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
    const [dying] = system.stores;
    const sent = ['the first'];
    let acknowledged;
    while (dying.isRunning) {
      sent.push(`m${sent.length}`);
      assert.ok(sent.length < 50, 'the store does not die');
      await create(far.url, alice.token, sent.at(-1), { room });
      acknowledged = performance.now();
    }
    await subscriber.wait(sent.length, 5000);
    const ms = performance.now() - acknowledged;
    assert.ok(ms < SOON_MS, `after ${ms} ms`);
    assert.deepEqual(subscriber.messages.map(({ body }) => body), sent);
    assert.deepEqual(cursors(), await wholeRoom());
    assert.deepEqual(dying.exit, { code: null, signal: 'SIGKILL' });
    await dispose();
  }));

test('the only store killed between commit and publish: when it is back, the event is there', () =>
  withFaults(['exit_after_commit:3', null], async () => {
    const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
    const [store] = system.stores;
    await create(far.url, alice.token, 'published', { room });
    const answer = post(far.url, { query: CREATE, variables: { body: 'committed', room }, token: alice.token });
    await until('the store to die', () => !store.isRunning);
    store.env.PARLEY_FAULT = '';
    store.start();
    await until('the store to be back', () => system.isReady(near));
    const ms = await timed(() => subscriber.wait(3, 5000));
    assert.ok(ms < SOON_MS, `after ${ms} ms`);
    const { data: made, errors } = await answer;
    assert.ok(made?.createMessage || errors[0].extensions.outcome === 'unknown', JSON.stringify(errors));
    assert.deepEqual(subscriber.messages.map(({ body }) => body), ['the first', 'published', 'committed']);
    assert.deepEqual(cursors(), await wholeRoom());
    await dispose();
  }));

test('the high-water mark: what a gateway that stalls was not sent', () =>
  withFaults(['small_hwm', 'small_hwm'], async () => {
    const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
    const count = await holes();
    const body = 'x'.repeat(40_000);
    near.signal('SIGSTOP');
    const begun = performance.now();
    await Promise.all(Array.from({ length: 80 }, (_, i) => create(far.url, alice.token, `${i} ${body}`, { room })));
    const posted = performance.now();
    near.signal('SIGCONT');
    const ms = await timed(() => subscriber.wait(81, 10_000));
    const stoppedMs = posted - begun; // beyond 3 s the stores hang up
    assert.ok(ms < SOON_MS + (stoppedMs > 2500 ? RECONNECT_MS : 0), `after ${ms} ms, stopped for ${stoppedMs} ms`);
    assert.deepEqual(cursors(), await wholeRoom());
    const { found, filled } = await count();
    assert.ok(found > 0 && filled === found, `${found} found, ${filled} filled`);
    await dispose();
  }));

test('two stores publish for one room', async () => {
  const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
  const count = await holes();
  await Promise.all(Array.from({ length: 300 }, (_, i) => create(system.gateways[i % 2].url, alice.token, `m${i}`, { room })));
  const ms = await timed(() => subscriber.wait(301, 5000));
  assert.ok(ms < SOON_MS, `after ${ms} ms`);
  assert.deepEqual(cursors(), await wholeRoom());
  const { found, filled } = await count();
  assert.equal(found, filled);
  const published = await Promise.all(system.stores.map(async (store) => metricSum(await metrics(store), 'parley_store_events_published_total')));
  for (const events of published) assert.ok(events > 50, `published by each: ${published}`);
  await dispose();
});

test('the bus cut for 10 s', async () => {
  const { room, subscriber, wholeRoom, cursors, dispose } = await follow();
  const cut = links.filter(({ name }) => name.startsWith(near.name));
  assert.equal(cut.length, 4);
  for (const link of cut) link.cut();
  for (let i = 0; i < 20; i++) {
    await create(far.url, alice.token, `m${i}`, { room });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.equal(subscriber.messages.length, 1);
  for (const link of cut) link.heal();
  const ms = await timed(() => subscriber.wait(21, 10_000));
  assert.ok(ms < RECONNECT_MS + SOON_MS, `after ${ms} ms`);
  assert.deepEqual(cursors(), await wholeRoom());
  await dispose();
});
