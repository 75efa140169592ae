// deploy/run: how long the second start takes, which finds a database. Measures a time: tests/run has it run alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployed, dataFolder, freeSettings, removeData } from './deployed.mjs';

const READY_MS = 3000;
const TRIES = 3; // on a machine that is busy with other things, the best of them

test('the next start is ready in under 3 s', async () => {
  const folder = dataFolder();
  const settings = await freeSettings({ PARLEY_DATA: folder });
  let system = await new Deployed(settings).ready();
  try {
    const times = [];
    while (times.length < TRIES && !times.some((ms) => ms < READY_MS)) {
      assert.equal((await system.interrupt()).code, 0, system.words());
      system = await new Deployed(settings).ready();
      times.push(system.readyMs);
    }
    assert.ok(Math.min(...times) < READY_MS, `${times} ms`);
  } finally {
    await system.cleanUp();
    removeData(folder);
  }
});
