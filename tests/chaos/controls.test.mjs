// Where a guard is removed (builds with PARLEY_FAULTS), clients see it, and the checker says so.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runChaos } from './chaos.mjs';

const SEED = 20;
const RUNS = 3; // what is broken shows only if somebody is there to see it: on a busy machine not always in the first

describe('without a guard the checker finds what is broken:', () => {
  const controls = [
    ['holes are passed over', 'gap', { storeFault: 'skip_publish:5', gatewayFault: 'ignore_holes' }],
    ['repetitions are not recognised', 'once', { storeFault: 'forget_ids' }],
    ['answered, but not committed', 'lost', { storeFault: 'lose_commit:5' }],
    ['a room unlocked before the commit', 'dense', { storeFault: 'early_unlock' }],
  ];
  for (const [name, rule, faults] of controls)
    test(name, { timeout: 180_000 }, async () => {
      const rules = new Set();
      for (let run = 0; run < RUNS && !rules.has(rule); run++) {
        const { violations } = await runChaos({ seconds: 8 * (run + 1), seed: SEED + run, healMs: 10_000, ...faults });
        for (const violation of violations) rules.add(violation.rule);
      }
      assert.ok(rules.has(rule), `${rule} is not among ${[...rules]}`);
    });
});
