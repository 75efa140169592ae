// Some of many subscribers stop reading under steady load, and go on later: they cost the gateway no memory and the others no
// time, and get everything in order all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signUp, create } from '../e2e/harness/client.mjs';
import { metrics, metricSum, PLAIN_MEMORY, startSystem, until } from '../e2e/harness/system.mjs';
import { burst, Farm, IS_FULL, residentMB, sleep, stamped, steadyLoad, unsentMB } from './farm.mjs';

const { subscribers, stallS, calmS, perSecond, size } = IS_FULL
  ? { subscribers: 2000, stallS: 60, calmS: 20, perSecond: 20, size: 500 }
  : { subscribers: 400, stallS: 8, calmS: 4, perSecond: 25, size: 2000 };
const EVERY = 20; // one in as many stalls
const RING_EVENTS = 1024;

test(`${subscribers} subscribers, 5 % stop reading for ${stallS} s`, { timeout: (stallS + calmS + 120) * 1000 }, async (t) => {
  const system = await startSystem({ env: PLAIN_MEMORY, gatewayArgs: ['--log-level', 'warn'], storeArgs: ['--log-level', 'warn'] });
  let farm;
  try {
    const { token } = await signUp(system.url);
    const [gateway] = system.gateways;
    farm = new Farm({ token, prefix: 'slow', rooms: 1 });
    const [room] = farm.rooms;
    await create(system.url, token, stamped(size), { room });
    const dialed = await farm.tell('dial', gateway.port, subscribers);
    assert.equal(dialed.live, subscribers);
    let head = 1;
    // A rehearsal: what the room may keep in memory, for those that follow and for those that catch up, it keeps from now on.
    await farm.tell('stall', EVERY);
    for (let i = 0; i < 2; i++) {
      await burst(system.url, token, room, RING_EVENTS + 100, size);
      head += RING_EVENTS + 100;
    }
    await farm.tell('stall', 0);
    assert.equal((await farm.tell('await', head, 60)).reached, subscribers);

    const load = steadyLoad(system.url, token, room, { perSecond, size });
    await sleep(1000);
    await farm.tell('forget');
    await sleep(calmS * 1000);
    const calm = await farm.tell('figures');
    const before = residentMB(gateway);

    await farm.tell('stall', EVERY);
    await farm.tell('forget');
    let highest = 0, unsent = 0;
    for (const end = Date.now() + stallS * 1000; Date.now() < end; ) {
      await sleep(500);
      highest = Math.max(highest, residentMB(gateway));
    }
    unsent = unsentMB(gateway);
    const stalled = await farm.tell('figures');
    head += await load.stop();
    // Behind all that the gateway keeps in memory.
    await burst(system.url, token, room, RING_EVENTS + 100, size);
    head += RING_EVENTS + 100;
    const others = await farm.tell('await', head, 30);
    const replays = async () => metricSum(await metrics(system.stores[0]), 'parley_store_replays_total');
    const replaysBefore = await replays();

    await farm.tell('stall', 0);
    const all = await farm.tell('await', head, 60);
    const caughtUp = residentMB(gateway); // with the burst and the pages that they shared
    const pages = (await replays()) - replaysBefore;

    t.diagnostic(`p99 ${calm.p99Ms} ms before, ${stalled.p99Ms} ms while ${subscribers / EVERY} stall (p50 ${calm.p50Ms} and ${stalled.p50Ms} ms, longest ${calm.maxMs} and ${stalled.maxMs} ms)`);
    t.diagnostic(`resident ${before.toFixed(1)} MB before, at most ${highest.toFixed(1)} MB meanwhile, ${caughtUp.toFixed(1)} MB when all had caught up; unsent in the kernel ${unsent.toFixed(1)} MB`);
    t.diagnostic(`${head} messages, ${stalled.deliveries} deliveries meanwhile; caught up in ${all.ms} ms with ${pages} replays`);
    assert.equal(others.reached, subscribers - subscribers / EVERY, 'those that read got everything');
    assert.equal(all.reached, subscribers, 'those that stalled got everything');
    for (const name of ['wrong', 'refused']) assert.equal(all[name], 0, name);
    assert.equal(all.open, subscribers, 'nobody was thrown out');
    assert.ok(pages > 0 && pages <= subscribers / EVERY, `${pages} replays: pages are shared`);
    const limit = before * (IS_FULL ? 1.1 : 1.2); // a sanitizer's own memory wavers
    assert.ok(highest <= limit, `resident: ${before} MB, then ${highest} MB`);
    await until('what catching up took to be given back', () => residentMB(gateway) <= limit, { timeoutMs: 30_000 }).catch((error) => {
      throw new Error(`${before} MB before, ${caughtUp} MB when all had caught up, ${residentMB(gateway)} MB half a minute later`, { cause: error });
    });
    // On a machine that tests share, a few late ones prove nothing: there it is the usual ones that count.
    const [share, slackMs] = IS_FULL ? ['p99Ms', 50] : ['p50Ms', 100];
    assert.ok(stalled[share] <= calm[share] * 1.5 + slackMs, `${share}: ${calm[share]}, then ${stalled[share]}`);
  } finally {
    farm?.stop();
    await system.stop();
  }
});
