// What proc(5) says about processes: CPU time and resident memory of whole process trees.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

const TICK_NS = 1e9 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

function statFields(pid) {
  const stat = read(`/proc/${pid}/stat`);
  return stat ? stat.slice(stat.lastIndexOf(')') + 2).split(' ') : [];
}

// A process and its children, theirs too.
export function tree(pid) {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => tree(Number(child)))];
}

function threads(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

// Nanoseconds on a CPU so far, by thread ("pid/tid").
function threadCpuNs(pid) {
  return new Map(threads(pid).map((tid) => [`${pid}/${tid}`, Number(read(`/proc/${pid}/task/${tid}/schedstat`).split(' ')[0] || 0)]));
}

// CPU of the trees of these processes; difference(before) of two looks is what was used between them.
export function cpu(pids) {
  const byThread = new Map(pids.flatMap((pid) => tree(pid)).flatMap((pid) => [...threadCpuNs(pid)]));
  return {
    atMs: performance.now(),
    byThread,
    since(before) {
      let sumNs = 0;
      let busiestNs = 0;
      for (const [thread, ns] of byThread) {
        const used = ns - (before.byThread.get(thread) ?? 0);
        sumNs += used;
        busiestNs = Math.max(busiestNs, used);
      }
      const elapsedNs = (this.atMs - before.atMs) * 1e6;
      return { us: sumNs / 1000, cores: sumNs / elapsedNs, busiestThread: busiestNs / elapsedNs };
    },
  };
}

// CPU in µs of a parent that reaps its children (PostgreSQL): those that have ended are in its own account.
export function cpuWithEndedUs(pid) {
  const [parent, ...rest] = tree(pid).map(statFields).filter((fields) => fields.length > 0);
  const sum = (fields, indexes) => indexes.reduce((total, i) => total + Number(fields[i]), 0);
  return ((sum(parent, [11, 12, 13, 14]) + rest.reduce((total, fields) => total + sum(fields, [11, 12]), 0)) * TICK_NS) / 1000;
}

// The whole machine, from boot on. since(before): the share of all cores that was busy, and the share that other guests of the same host took.
export function machine() {
  const ticks = read('/proc/stat').split('\n', 1)[0].split(/\s+/).slice(1, 9).map(Number);
  const [all, idle, stolen] = [ticks.reduce((sum, value) => sum + value, 0), ticks[3] + ticks[4], ticks[7]];
  return {
    all,
    idle,
    stolen,
    since(before) {
      const elapsed = Math.max(1, all - before.all);
      return { busy: 1 - (idle - before.idle) / elapsed, stolen: (stolen - before.stolen) / elapsed };
    },
  };
}

// Resident memory, pages that processes share counted once between them.
export function pssKb(pids) {
  return pids
    .flatMap((pid) => tree(pid))
    .reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0), 0);
}

export function rssKb(pids) {
  return pids
    .flatMap((pid) => tree(pid))
    .reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0), 0);
}
