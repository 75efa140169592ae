// What --quick holds Parley to: gross regressions only, since the machines of continuous integration are shared and slow.
import { short } from './numbers.mjs';

// workload, its case, peer, figure of the peer, at least so much
const FLOORS = [
  ['w1', 'typename', 'mercurius', 'timesCheaper', 2],
  ['w1', 'typename', 'bare libmicrohttpd', 'timesCheaper', 0.5],
  ['w2', 'newest', 'mercurius', 'timesFaster', 2],
  ['w2', 'newest', 'mercurius', 'timesCheaper', 3],
  ['w2', 'older', 'mercurius', 'timesCheaper', 1.2],
  ['w3', 'rooms', 'mercurius', 'timesFaster', 2],
  ['w3', 'rooms', 'pgbench, 64 clients', 'timesFaster', 0.8],
  ['w4', '500 at 10', 'mercurius', 'timesCheaper', 2],
  ['w4', '500 at 10', 'bare send server', 'timesCheaper', 0.5],
];

// Sentences about what is below its floor; prints all of them.
export function checkRatios({ workloads }) {
  const broken = [];
  for (const [workload, key, peer, figure, floor] of FLOORS) {
    if (!(workload in workloads)) continue;
    const one = workloads[workload].cases.find((candidate) => candidate.key === key);
    const value = one?.systems[peer]?.[figure]?.median;
    const text = `${workload}, ${one?.name.slice(4) ?? key}: ${short(value)} × ${figure === 'timesFaster' ? 'faster' : 'cheaper'} than ${peer}, at least ${floor}`;
    console.log(value >= floor ? `holds: ${text}` : `below: ${text}`);
    if (!(value >= floor)) broken.push(text);
  }
  return broken;
}
