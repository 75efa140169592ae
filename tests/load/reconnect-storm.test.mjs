// The clients of a gateway that died come back all at once, behind their cursors, to one that has just started and remembers
// nothing: few statements in the database serve them all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, signUp } from '../e2e/harness/client.mjs';
import { metricSum, metrics, startSystem, until } from '../e2e/harness/system.mjs';
import { burst, cpuSeconds, Farm, IS_FULL, residentMB, sleep, stamped } from './farm.mjs';

const CLIENTS = IS_FULL ? 10_000 : 1000;
const ROOMS = 10;
const MISSED = 100;
const STATEMENTS_MAX = 20;
const CAUGHT_UP_MS = IS_FULL ? 5000 : 15_000; // the smaller one runs with sanitizers

// Statements that read the log, by what they were for.
async function statements(stores) {
  const counts = { starts: 0, replays: 0, heads: 0, 'published heads': 0, pages: 0, tails: 0 };
  for (const values of await Promise.all(stores.map(metrics))) {
    counts.starts += metricSum(values, 'parley_store_start_queries_total');
    counts.replays += metricSum(values, 'parley_store_replays_total');
    counts.heads += metricSum(values, 'parley_store_heads_total');
    counts['published heads'] += metricSum(values, 'parley_store_head_queries_total');
    counts.pages += metricSum(values, 'parley_store_pages_total');
    counts.tails += metricSum(values, 'parley_store_tail_proofs_total');
  }
  return counts;
}

const isQuiet = async (stores) => (await Promise.all(stores.map(metrics))).every((values) => metricSum(values, 'parley_store_rooms_active') === 0);

test(`${CLIENTS} clients of ${ROOMS} rooms come back at once, ${MISSED} messages behind`, { timeout: 180_000 }, async (t) => {
  const system = await startSystem({ gateways: 2, gatewayArgs: ['--log-level', 'warn'], storeArgs: ['--log-level', 'warn'] });
  let farm;
  try {
    const { token } = await signUp(system.url);
    const [dying, other] = system.gateways;
    farm = new Farm({ token, prefix: 'storm', rooms: ROOMS });
    for (const room of farm.rooms) await create(system.url, token, stamped(), { room });
    const empty = residentMB(dying);
    assert.equal((await farm.tell('dial', dying.port, CLIENTS)).live, CLIENTS);

    await dying.stop('SIGKILL');
    await until('all to notice', async () => (await farm.tell('figures')).open === 0);
    for (const room of farm.rooms) await burst(other.url, token, room, MISSED);
    dying.start();
    await system.ready();
    await until('heads to be repeated no more', () => isQuiet(system.stores));
    const before = await statements(system.stores);
    const cpu = cpuSeconds(dying);
    await farm.tell('again', dying.port);
    const { reached, ms, wrong, refused } = await farm.tell('await', 1 + MISSED, 60);
    const after = await statements(system.stores);
    const asked = Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
    const sum = Object.values(asked).reduce((total, count) => total + count, 0);
    t.diagnostic(`all caught up after ${ms} ms (${(cpuSeconds(dying) - cpu).toFixed(2)} s of them the gateway's CPU), with ${sum} statements: ${JSON.stringify(asked)}`);
    assert.deepEqual({ reached, wrong, refused }, { reached: CLIENTS, wrong: 0, refused: 0 });
    assert.ok(sum <= STATEMENTS_MAX, `${sum} statements`);

    // And then they are live.
    for (const room of farm.rooms) await create(other.url, token, stamped(), { room });
    assert.equal((await farm.tell('await', 2 + MISSED, 10)).reached, CLIENTS);
    if (!IS_FULL) return assert.ok(ms <= CAUGHT_UP_MS, `${ms} ms`);
    // What the wave took is given back.
    await until('the memory of a handshake to be free again', () => residentMB(dying) < empty + (CLIENTS * 8192) / 1024 / 1024, { timeoutMs: 30_000 });
    t.diagnostic(`a subscription that idles takes ${Math.round(((residentMB(dying) - empty) * 1024 * 1024) / CLIENTS)} bytes, its connection included`);
    // Idle subscriptions cost the database nothing.
    await until('the rooms to be quiet', () => isQuiet(system.stores));
    const idle = await statements(system.stores);
    await sleep(5000);
    assert.deepEqual(await statements(system.stores), idle);
    assert.ok(ms <= CAUGHT_UP_MS, `${ms} ms`);
  } finally {
    farm?.stop();
    await system.stop();
  }
});
