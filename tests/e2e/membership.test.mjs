// Two instances of a service: calls go to the one with the fewest in flight; one that hangs, dies or comes back is noticed, and the
// metrics say what the gateway thinks of each.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { data, post } from './harness/client.mjs';
import { metrics, metricSum, Process, startSystem, until } from './harness/system.mjs';

const script = fileURLToPath(new URL('./services/echo.py', import.meta.url));
const instances = [];
let system;

const series = (state, instance) => [`state="${state}"`, `endpoint="${instance.endpoint}"`];

async function stateOf(instance) {
  const values = await metrics(system.gateways[0]);
  const states = ['down', 'joining', 'refused', 'unready', 'suspect', 'up'].filter((state) => metricSum(values, 'parley_bus_instance_state', ...series(state, instance)));
  assert.equal(states.length, 1, `it is ${states}`);
  return states[0];
}

const becomes = (instance, state, timeoutMs) => until(`${instance.name} to be ${state}`, async () => (await stateOf(instance)) === state, { timeoutMs, everyMs: 50 });
const sleep = (ms) => data(system.url, { query: 'query ($ms: Int!) { sleep(ms: $ms) }', variables: { ms } });

before(async () => {
  system = await startSystem({ gateways: 0, stores: 0, postgres: false });
  for (const name of ['echo-a', 'echo-b']) {
    const endpoint = `ipc://${system.dir}/${name}.ipc`;
    const instance = new Process(name, '/usr/bin/python3', [script, endpoint]);
    Object.assign(instance, { endpoint });
    instances.push(instance);
    system.others.push(instance);
    instance.start();
  }
  system.options.services = instances.map(({ endpoint }) => `echo=${endpoint}`);
  await (await system.addGateway()).start();
  await system.ready();
  for (const instance of instances) await becomes(instance, 'up', 5000);
});
after(() => system?.stop());

test('a call goes to the instance with the fewest in flight', async () => {
  const long = sleep(3000); // one of them is busy
  await until('the call to be under way', async () => metricSum(await metrics(system.gateways[0]), 'parley_bus_in_flight', 'echo') === 1);
  const start = Date.now();
  for (let i = 0; i < 10; i++) await sleep(20);
  assert.ok(Date.now() - start < 2700, 'none of them waited behind the long one');
  await long;
});

test('one that hangs is found by heartbeats, its calls go to its sister; when it goes on, it is used again', async () => {
  const [hanging, sister] = instances;
  const both = Promise.all([sleep(300), sleep(300)]); // one each
  hanging.signal('SIGSTOP');
  const start = Date.now();
  await both;
  await becomes(hanging, 'down', 6000);
  assert.ok(Date.now() - start < 6000, `${Date.now() - start} ms`);
  assert.equal(await stateOf(sister), 'up');
  for (let i = 0; i < 5; i++) await sleep(1);
  assert.ok(metricSum(await metrics(system.gateways[0]), 'parley_bus_retries_total', 'echo') >= 1);
  hanging.signal('SIGCONT');
  await becomes(hanging, 'up', 5000);
});

test('one that dies is down at once, both are away, one is back', async () => {
  const before = await metrics(system.gateways[0]);
  await instances[0].stop('SIGKILL');
  await becomes(instances[0], 'down', 3000);
  await sleep(1);
  await instances[1].stop('SIGKILL');
  await becomes(instances[1], 'down', 3000);
  const waiting = post(system.url, { query: '{ echo(text: "back") }' });
  instances[1].start();
  assert.deepEqual((await waiting).data, { echo: 'back' });
  await becomes(instances[1], 'up', 5000);
  instances[0].start();
  await becomes(instances[0], 'up', 5000);
  const now = await metrics(system.gateways[0]);
  const grew = (state) => metricSum(now, 'parley_bus_instance_changes_total', `state="${state}"`) - metricSum(before, 'parley_bus_instance_changes_total', `state="${state}"`);
  assert.equal(grew('down'), 2);
  assert.equal(grew('up'), 2);
});
