// The short form of tests/abuse/abuse.mjs: each attack for a moment; a well-behaved client must not notice much, memory stays
// bounded, and what is slow or wrong is answered or closed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { signUp } from '../e2e/harness/client.mjs';
import { PLAIN_MEMORY, startSystem, until } from '../e2e/harness/system.mjs';
import { attack, GATEWAY_ARGS, holdIdle, measure, strike } from './abuse.mjs';
import { ATTACKS } from './attacks.mjs';

const SECONDS = 0.6;
const COUNT = 300;
const GROWTH_KB = 120_000;
const SLOWER = 20; // times, on a machine that does other things too
const SLOW_MS = 1000;
const IDLE = 2000;
const IDLE_KB = 30; // of memory, each, with a sanitizer; 2 to 3 without

describe('a client beside attackers', () => {
  let system, token, calm;
  before(async () => {
    system = await startSystem({ env: PLAIN_MEMORY, gatewayArgs: GATEWAY_ARGS });
    ({ token } = await signUp(system.url));
    const stop = measure(system.url, token);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    calm = await stop();
  });
  after(() => system?.stop());

  for (const name of Object.keys(ATTACKS))
    test(name, async () => {
      const result = await attack(system, token, name, { count: COUNT, seconds: SECONDS });
      const told = JSON.stringify({ calm, result });
      assert.equal(result.failed, 0, told);
      assert.ok(result.p99 < Math.max(SLOWER * calm.p99, SLOW_MS), told);
      assert.ok(result.grownKb < GROWTH_KB, told);
      assert.ok(result.tally.opened > 2, told);
    });

  test('idle connections cost little', async () => {
    const result = await holdIdle(system, token, { count: IDLE, seconds: 1.5 });
    const told = JSON.stringify({ calm, result });
    assert.deepEqual([result.tally.left, result.failed], [IDLE, 0], told);
    assert.ok(result.p99 < Math.max(SLOWER * calm.p99, SLOW_MS), told);
    assert.ok(result.eachKb < IDLE_KB, told);
  });

  test('what is slow or silent is closed', async () => {
    const names = ['slowHeads', 'slowBodies', 'silentConnections', 'slowHandshakes', 'silentWebSockets'];
    const stop = measure(system.url, token);
    const tallies = await Promise.all(names.map((name) => strike(system, name, { count: 50, seconds: 4 })));
    const client = await stop();
    for (const [i, tally] of tallies.entries()) assert.equal(tally.left, 0, `${names[i]}: ${JSON.stringify(tally)}`);
    assert.equal(client.failed, 0, JSON.stringify(client));
  });

  test('nothing is left of it all', async () => {
    await until('the attackers\' connections to be gone', async () => {
      const text = await (await fetch(`http://${system.gateways[0].admin}/metrics`)).text();
      const open = [...text.matchAll(/^parley_connections\{.*\} (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
      return open <= 2;
    });
    const { failed } = await (async () => {
      const stop = measure(system.url, token);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return stop();
    })();
    assert.equal(failed, 0);
  });
});
