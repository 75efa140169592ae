// Where a guard is removed (builds with PARLEY_FAULTS), clients see it, and the checker says so.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runChaos } from './chaos.mjs';

const SEED = 20;

describe('without a guard the checker finds what is broken:', () => {
  const controls = [
    ['holes are passed over', 'gap', { storeFault: 'skip_publish:5', gatewayFault: 'ignore_holes' }],
    ['repetitions are not recognised', 'once', { storeFault: 'forget_ids' }],
    ['answered, but not committed', 'lost', { storeFault: 'lose_commit:5' }],
    ['a room unlocked before the commit', 'dense', { storeFault: 'early_unlock' }],
  ];
  for (const [name, rule, faults] of controls)
    test(name, { timeout: 120_000 }, async () => {
      const { violations } = await runChaos({ seconds: 8, seed: SEED, healMs: 10_000, ...faults });
      const rules = new Set(violations.map((violation) => violation.rule));
      assert.ok(rules.has(rule), `${rule} is not among ${[...rules]}`);
    });
});
