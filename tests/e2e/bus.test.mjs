// The gateway's side of the bus: keys that rotate while clients work, and a service that sends rubbish between its answers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { create, data, handle, post, signUp, subscribe, wsClient } from './harness/client.mjs';
import { BIN, metrics, metricSum, Process, startSystem, until } from './harness/system.mjs';

describe('keys of the bus', () => {
  let system, ada;
  before(async () => {
    system = await startSystem({ tcp: true, stores: 2 });
    ada = await signUp(system.url);
  });
  after(() => system?.stop());

  // Keys that nobody knows yet.
  function makeKeys(name) {
    const dir = path.join(system.dir, name);
    execFileSync(path.join(BIN, 'parley-store'), ['keygen', dir]);
    return dir;
  }

  // Restarts the stores one by one while messages are sent; every message must be taken.
  async function restartUnderLoad() {
    let stopped = false;
    let sent = 0;
    const load = (async () => {
      const room = handle('room');
      for (; !stopped; sent++) await create(system.url, ada.token, `m${sent}`, { room });
    })();
    for (const store of system.stores) {
      assert.equal((await store.stop()).code, 0);
      store.start();
      await system.ready();
      // The gateway must have it back before the next one goes.
      await until('both stores to be up', async () => metricSum(await metrics(system.gateways[0]), 'parley_bus_instances_up') === 2);
      const before = sent;
      await until('messages to go on', () => sent > before + 5);
    }
    stopped = true;
    await load;
  }

  test('the store gets another key, and no message fails', async () => {
    const fresh = makeKeys('fresh-store');
    fs.copyFileSync(path.join(fresh, 'gateway/services/store.pub'), path.join(system.keys, 'gateway/services/store.next.pub'));
    fs.copyFileSync(path.join(fresh, 'store/store.key'), path.join(system.keys, 'store/store.key'));
    await restartUnderLoad();
    fs.renameSync(path.join(system.keys, 'gateway/services/store.next.pub'), path.join(system.keys, 'gateway/services/store.pub'));
    await restartUnderLoad();
    assert.ok(metricSum(await metrics(system.gateways[0]), 'parley_bus_handshakes_refused_total') > 0);
  });

  test('the gateway gets another key, and no message fails', async () => {
    const fresh = makeKeys('fresh-gateway');
    fs.copyFileSync(path.join(fresh, 'store/gateways/gateway.pub'), path.join(system.keys, 'store/gateways/gateway-2.pub'));
    fs.copyFileSync(path.join(fresh, 'gateway/gateway.key'), path.join(system.keys, 'gateway/gateway.key'));
    fs.rmSync(path.join(system.keys, 'store/gateways/gateway.pub'));
    await restartUnderLoad();
    assert.ok(metricSum(await metrics(system.stores[1]), 'parley_bus_refused_total', 'reason="key"') > 0);
  });
});

describe('a service that sends rubbish', () => {
  let system;
  before(async () => {
    system = await startSystem({ gateways: 0, stores: 0, postgres: false });
    const [calls, events] = ['calls', 'events'].map((name) => `ipc://${system.dir}/${name}.ipc`);
    const script = fileURLToPath(new URL('./services/hostile.py', import.meta.url));
    const hostile = new Process('hostile', '/usr/bin/python3', [script, calls, events]);
    system.others.push(hostile);
    hostile.start();
    system.options.services = [`hostile=${calls}`];
    (await system.addGateway()).start();
    await system.ready();
  });
  after(() => system?.stop());

  test('each call gets its own answer, once', async () => {
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => data(system.url, { query: `{ twice(n: ${n}) }` })));
      assert.deepEqual(answers.map(({ twice }) => twice), Array.from({ length: 40 }, (_, n) => 2 * n));
    }
    const values = await metrics(system.gateways[0]);
    assert.ok(metricSum(values, 'parley_bus_malformed_total') > 50);
    assert.ok(metricSum(values, 'parley_bus_unknown_answers_total') > 500);
  });

  test('a subscription gets each event once and in order', async () => {
    const client = wsClient(system.wsUrl);
    const ticks = subscribe(client, { query: 'subscription { ticks { n } }', field: 'ticks' });
    let probe = 0;
    await until('the subscription to be live', async () => {
      await post(system.url, { query: `mutation { tick(n: ${--probe}) { n } }` });
      return ticks.messages.length > 0;
    });
    for (let n = 1; n <= 100; n++) await data(system.url, { query: `mutation { tick(n: ${n}) { n } }` });
    await until('the last tick', () => ticks.messages.at(-1).n === 100);
    assert.deepEqual(ticks.messages.map(({ n }) => n).filter((n) => n > 0), Array.from({ length: 100 }, (_, i) => i + 1));
    assert.deepEqual(ticks.errors, []);
    await client.dispose();
  });
});
