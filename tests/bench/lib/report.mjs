// Tables for people: one a case, a line a system.
import { short } from './numbers.mjs';
import { ratio, typical } from './rounds.mjs';

const COLUMNS = {
  perSecond: 'ops/s',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  p999Ms: 'p99.9 ms',
  cpuUs: 'CPU µs/op',
  postgresUs: 'PostgreSQL µs/op',
  rssMb: 'RSS MB',
};

// Values above one say how much better Parley is.
const spread = (value) => (value === null ? '–' : `${short(value.median)} (${short(value.min)}–${short(value.max)})`);

export function printTable(title, columns, lines) {
  const rows = [columns, ...lines];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => [...String(row[i] ?? '')].length)));
  const pad = (text, i) => (i === 0 ? String(text ?? '').padEnd(widths[i]) : String(text ?? '').padStart(widths[i]));
  console.log(`\n${title}`);
  console.log(columns.map(pad).join('  '));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const line of lines) console.log(line.map(pad).join('  '));
}

// What the load generator did while no server was at its limit: the figure is the generator's then.
export const isLoadBound = (result) => result.loadCores >= 0.9 && (result.busiestThread ?? 1) < 0.9;

// The summary of one case for the JSON file, and its table.
export function summarize({ name, results }, { base = 'parley', unit = 'op' } = {}) {
  const own = results.get(base) ?? [];
  const systems = {};
  for (const [system, rounds] of results) {
    if (rounds.length === 0) continue;
    const summary = Object.fromEntries(Object.keys(COLUMNS).map((key) => [key, typical(rounds, key)]));
    for (const key of Object.keys(rounds[0])) if (typeof rounds[0][key] === 'number' && !(key in summary)) summary[key] = typical(rounds, key);
    summary.rounds = rounds.length;
    summary.loadBound = rounds.filter(isLoadBound).length;
    if (system !== base && own.length > 0) {
      summary.timesFaster = ratio(own, rounds, 'perSecond');
      summary.timesCheaper = ratio(own, rounds, 'cpuUs', { inverse: true });
    }
    systems[system] = summary;
  }
  printCase(name, systems, unit);
  return { name, unit, systems };
}

const plural = (unit) => (unit.endsWith('y') ? `${unit.slice(0, -1)}ies` : `${unit}s`);

function printCase(name, systems, unit) {
  const keys = Object.keys(COLUMNS).filter((key) => Object.values(systems).some((summary) => Number.isFinite(summary[key])));
  const heads = keys.map((key) => COLUMNS[key].replace('ops', plural(unit)).replace('op', unit));
  const lines = Object.entries(systems).map(([system, summary]) => [
    `${system}${summary.loadBound ? ' [load generator at its limit]' : ''}`,
    ...keys.map((key) => short(summary[key])),
    summary.timesFaster ? spread(summary.timesFaster) : '',
    summary.timesCheaper ? spread(summary.timesCheaper) : '',
  ]);
  printTable(name, ['', ...heads, 'Parley × faster', 'Parley × cheaper'], lines);
}
