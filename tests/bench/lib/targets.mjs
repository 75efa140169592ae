// What each workload is to reach, and whether it did. A value is a number or a ratio of rounds ({ median, min, max }); the median decides.
import { short, spread } from './numbers.mjs';

const MERCURIUS = ['mercurius', 'mercurius, cluster of 2'];
const PGBENCH = ['pgbench, 1 client', 'pgbench, 16 clients', 'pgbench, 64 clients'];

const systemsOf = (cases, key) => cases.find((one) => one.key === key)?.systems ?? {};

// How many times better Parley is than the best of these.
function over(cases, key, names, figure) {
  const systems = systemsOf(cases, key);
  const ratios = names.map((name) => systems[name]?.[figure]).filter(Boolean);
  return ratios.sort((a, b) => a.median - b.median)[0];
}

const inverse = (value) => value && { median: 1 / value.median, min: 1 / value.max, max: 1 / value.min };
const own = (cases, key, figure) => systemsOf(cases, key).parley?.[figure];

const faster = (key, ...names) => (cases) => over(cases, key, names, 'timesFaster');
const cheaper = (key, ...names) => (cases) => over(cases, key, names, 'timesCheaper');
const share = (key, ...names) => (cases) => inverse(cheaper(key, ...names)(cases));
const figure = (key, name) => (cases) => own(cases, key, name);

const worst = (...values) => (cases) => {
  const found = values.map((value) => value(cases));
  return found.includes(undefined) ? undefined : Math.max(...found);
};

// All faults of all cases: undefined if there is none that counts them.
function faults(cases) {
  const counts = cases.map(({ systems }) => systems.parley?.faults).filter((count) => count !== undefined);
  return counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined;
}

const atMost = (limit, text, value) => ({ text: `${text} at most ${short(limit)}`, value, holds: (found) => found <= limit });
const atLeast = (limit, text, value) => ({ text: `${text} at least ${short(limit)}`, value, holds: (found) => found >= limit });

export const TARGETS = {
  w1: [
    atMost(1.2, 'CPU of a request, × bare libmicrohttpd:', share('typename', 'bare libmicrohttpd')),
    atLeast(4, 'requests/s, × mercurius:', faster('typename', 'mercurius')),
  ],
  w2: [
    atLeast(5, 'newest 50, requests/s, × the better mercurius:', faster('newest', ...MERCURIUS)),
    atLeast(2, 'older pages, requests/s, × mercurius:', faster('older', ...MERCURIUS)),
  ],
  w3: [
    atLeast(5, "100 rooms, messages/s, × mercurius's best:", faster('rooms', ...MERCURIUS)),
    atLeast(2, "100 rooms, messages/s, × pgbench's best:", faster('rooms', ...PGBENCH)),
    atLeast(8, "one hot room, messages/s, × pgbench's best:", faster('hot', ...PGBENCH)),
    atMost(1, "one connection, p50, × mercurius's:", (cases) => inverse(over(cases, 'one', ['mercurius'], 'timesSooner'))),
  ],
  w4: [
    ...[1000, 5000, 10_000].map((count) => atMost(1.15, `${count.toLocaleString('en')} subscribers, 10 events/s: CPU of a delivery, × the bare server:`, share(`${count} at 10`, 'bare send server'))),
    ...[1000, 5000, 10_000].map((count) => atMost(1, `${count.toLocaleString('en')} subscribers, 200 events/s: CPU µs of a delivery`, figure(`${count} at 200`, 'cpuUs'))),
    atLeast(10, 'most deliveries/s with p99 < 500 ms, × nchan:', faster('most', 'nchan')),
    atLeast(50, 'most deliveries/s with p99 < 500 ms, × mercurius:', faster('most', 'mercurius')),
    atMost(0, 'events lost, repeated or reordered:', faults),
  ],
  w5: [
    atMost(1024, 'resident bytes of an idle subscriber', figure('idle', 'bytesEach')),
    atMost(0, 'queries/s for idle subscribers', figure('idle', 'queriesPerSecond')),
    atMost(1, 'CPU % of a core for them', figure('idle', 'cpuPercent')),
  ],
  w6: [
    atMost(50, '2,000 posts/s: commit to socket, p99 ms', figure('same CPU', 'createdP99Ms')),
    atLeast(5, 'deliveries for the same CPU, × graphql-ws:', cheaper('same CPU', 'graphql-ws')),
    atLeast(5, 'deliveries for the same CPU, × two of mercurius with redis:', cheaper('same CPU', 'mercurius ×2, redis')),
    atMost(0, 'events lost, repeated or reordered:', faults),
  ],
  w7: [atMost(80, 'CPU µs of a connection with its subscription', figure('connect', 'cpuUs'))],
  w8: [
    atMost(5, 'all caught up, s', figure('back', 'slowestS')),
    atMost(20, 'queries', figure('back', 'mostQueries')),
    atMost(0, 'events lost, repeated or reordered:', faults),
  ],
  startup: [atMost(150, 'ms until ready, store and gateway', worst((cases) => systemsOf(cases, 'startup').store?.readyMs, (cases) => systemsOf(cases, 'startup').gateway?.readyMs))],
};

// { text, value, verdict } of each target of a workload: reached, not reached, not measured.
export function judge(workload, cases) {
  return (TARGETS[workload] ?? []).map(({ text, value, holds }) => {
    const found = value(cases);
    const number = found?.median ?? found;
    if (!Number.isFinite(number)) return { text, verdict: 'not measured' };
    return { text, value: found, verdict: holds(number) ? 'reached' : 'NOT reached' };
  });
}

export const sayValue = (value) => (typeof value === 'number' ? short(value) : spread(value));

export function printVerdicts(verdicts) {
  for (const { text, value, verdict } of verdicts) console.log(`  ${verdict}: ${text}${value === undefined ? '' : ` · ${sayValue(value)}`}`);
}
