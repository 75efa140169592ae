// Tables for people: one a case, a line a system. And what the JSON file keeps of a case.
import { short, spread } from './numbers.mjs';
import { ratio, typical } from './rounds.mjs';

const COLUMNS = {
  perSecond: 'ops/s',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  p999Ms: 'p99.9 ms',
  cpuUs: 'CPU µs/op',
  postgresUs: 'PostgreSQL µs/op',
  rssMb: 'RSS MB',
  busyPercent: 'machine busy %',
};

export function printTable(title, columns, lines) {
  const rows = [columns, ...lines];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => [...String(row[i] ?? '')].length)));
  const pad = (text, i) => (i === 0 ? String(text ?? '').padEnd(widths[i]) : String(text ?? '').padStart(widths[i]));
  console.log(`\n${title}`);
  console.log(columns.map(pad).join('  '));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const line of lines) console.log(line.map(pad).join('  '));
}

// The load generator was at its limit while no server was: the figure is the generator's then.
export const isLoadBound = (result) => result.loadCores >= 0.9 && (result.busiestThread ?? 1) < 0.9;

function summaryOf(rounds) {
  const summary = {};
  for (const key of new Set(rounds.flatMap((round) => Object.keys(round)))) {
    const value = typical(rounds, key);
    if (Number.isFinite(value)) summary[key] = Number(value.toPrecision(6));
  }
  return { ...summary, rounds: rounds.length, loadBound: rounds.filter(isLoadBound).length };
}

// The summary of one case for the JSON file, and its table.
export function summarize({ name, results }, { key, base = 'parley', unit = 'op' }) {
  const own = results.get(base) ?? [];
  const systems = {};
  for (const [system, rounds] of results) {
    if (rounds.length === 0) continue;
    systems[system] = summaryOf(rounds);
    if (system === base || own.length === 0) continue;
    // above one: Parley is better
    systems[system].timesFaster = ratio(own, rounds, 'perSecond');
    systems[system].timesCheaper = ratio(own, rounds, 'cpuUs', { inverse: true });
    systems[system].timesSooner = ratio(own, rounds, 'p50Ms', { inverse: true });
  }
  printCase(name, systems, unit);
  return { key, name, unit, systems };
}

const plural = (unit) => (unit.endsWith('y') ? `${unit.slice(0, -1)}ies` : `${unit}s`);

function printCase(name, systems, unit) {
  const keys = Object.keys(COLUMNS).filter((key) => Object.values(systems).some((summary) => Number.isFinite(summary[key])));
  const heads = keys.map((key) => COLUMNS[key].replace('ops', plural(unit)).replace('op', unit));
  const lines = Object.entries(systems).map(([system, summary]) => [
    `${system}${summary.loadBound ? ` [load generator at its limit in ${summary.loadBound} of ${summary.rounds}]` : ''}`,
    ...keys.map((key) => short(summary[key])),
    summary.timesFaster ? spread(summary.timesFaster) : '',
    summary.timesCheaper ? spread(summary.timesCheaper) : '',
  ]);
  printTable(name, ['', ...heads, 'Parley × faster', 'Parley × cheaper'], lines);
}
