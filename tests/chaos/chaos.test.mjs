// What clients see while everything is killed, paused and cut off keeps every promise.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runChaos, writeHistory } from './chaos.mjs';

const SEED = Number(process.env.PARLEY_CHAOS_SEED ?? 20);
const SECONDS = Number(process.env.PARLEY_CHAOS_SECONDS ?? 120);

function keep(history) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'parley-chaos-')), 'history.jsonl');
  writeHistory(file, history);
  return file;
}

test(`${SECONDS} s of chaos, seed ${SEED}: no violation`, { timeout: (SECONDS + 150) * 1000 }, async (t) => {
  const result = await runChaos({ seconds: SECONDS, seed: SEED, bus: 'mixed' }).catch((error) => {
    if (error.history) error.message += `\nhistory: ${keep(error.history)}`;
    throw error;
  });
  const { sends, acknowledged, deliveries, faults, violations, history } = result;
  t.diagnostic(`${sends} sends, ${acknowledged} acknowledged, ${deliveries} deliveries, ${faults} faults, ${violations.length} violations`);
  if (violations.length > 0) assert.fail(`${JSON.stringify(violations.slice(0, 10), null, 1)}\nhistory: ${keep(history)}`);
  // It was chaos, and clients got something done in it.
  assert.ok(faults >= SECONDS / 4, `${faults} faults`);
  assert.ok(acknowledged > SECONDS * 5, `${acknowledged} acknowledged`);
  assert.ok(deliveries > acknowledged, `${deliveries} deliveries`);
});
