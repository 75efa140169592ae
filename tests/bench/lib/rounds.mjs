// The order of measuring: each case has some systems, and they take turns: A B C, A B C, … so that what the machine does meanwhile
// hits all of them. What is not done when the workload's time is over is left out, and said.
import { median } from './numbers.mjs';

export class Clock {
  constructor(limitS) {
    this.startMs = performance.now();
    this.limitS = limitS;
  }

  get elapsedS() {
    return (performance.now() - this.startMs) / 1000;
  }

  get leftS() {
    return this.limitS - this.elapsedS;
  }
}

// A peer that fails is lost: said, and left out from then on. Parley must not fail.
export async function attempt(system, what, work) {
  try {
    return await work();
  } catch (error) {
    if (system.isParley) throw error;
    console.log(`  ${system.name} is left out, ${what}: ${String(error.message).slice(0, 600)}`);
    system.isLost = true;
    return null;
  }
}

// measure(system, round) gives one result. Gives { name, results: Map(system name → results) }.
export async function interleave(name, systems, rounds, clock, measure) {
  const results = new Map(systems.map((system) => [system.name, []]));
  const slowest = { s: 0 };
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && clock.leftS < slowest.s * 1.2) {
      console.log(`  ${name}: ${round} of ${rounds} rounds, the time is over`);
      break;
    }
    const before = clock.elapsedS;
    for (const system of systems) {
      if (system.isLost) continue;
      const result = await attempt(system, name, () => measure(system, round));
      if (result) results.get(system.name).push(result);
    }
    slowest.s = Math.max(slowest.s, clock.elapsedS - before);
  }
  return { name, results };
}

// One number of all rounds: the median.
export const typical = (results, key) => median(results.map((result) => result[key]).filter((value) => Number.isFinite(value)));

// a's figure over b's, round by round: { median, min, max }; inverse: b's over a's, for what should be small.
export function ratio(a, b, key, { inverse = false } = {}) {
  const values = [];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const value = inverse ? b[i][key] / a[i][key] : a[i][key] / b[i][key];
    if (Number.isFinite(value)) values.push(value);
  }
  return values.length === 0 ? null : { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}
