// The farm of subscribers (farm.c), and what a process holds.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { create } from '../e2e/harness/client.mjs';
import { BIN } from '../e2e/harness/system.mjs';

export class Farm {
  // Its rooms are `${prefix}-0` … .
  constructor({ token, prefix, rooms }) {
    this.rooms = Array.from({ length: rooms }, (_, i) => `${prefix}-${i}`);
    this.child = spawn(path.join(BIN, 'load_farm'), [token, prefix, String(rooms)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  // One command after the other; gives what there is then.
  async tell(...words) {
    this.child.stdin.write(`${words.join(' ')}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`the farm ended at ${words.join(' ')}`);
    return JSON.parse(value);
  }

  stop() {
    this.child.stdin.end();
  }
}

// A body that says when it was written (farm.c reads it), of that size.
export function stamped(size = 40) {
  return `${process.hrtime.bigint() / 1000n} `.padEnd(size, 'x');
}

// Posts as many messages a second into the room, one after the other, until told to stop; what is late is not made up for.
export function steadyLoad(url, token, room, { perSecond, size }) {
  const self = { posted: 0, isOver: false };
  const done = (async () => {
    for (let due = performance.now(); !self.isOver; due = Math.max(due + 1000 / perSecond, performance.now())) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await create(url, token, stamped(size), { room });
      self.posted += 1;
    }
  })();
  done.catch(() => {});
  self.stop = async () => {
    self.isOver = true;
    await done;
    return self.posted;
  };
  return self;
}

// As many messages as fast as they are answered.
export async function burst(url, token, room, count, size) {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await create(url, token, stamped(size), { room });
  };
  await Promise.all(Array.from({ length: Math.min(32, count) }, lane));
}

export function residentMB(daemon) {
  const status = fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
}

export function cpuSeconds(daemon) {
  const stat = fs.readFileSync(`/proc/${daemon.child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

// What the kernel keeps in the send queues of the daemon's clients (ss of iproute2).
export function unsentMB(daemon) {
  const list = execFileSync('ss', ['-Htmn', 'state', 'connected', `( sport = :${daemon.port} )`], { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
  let bytes = 0;
  for (const [, queued] of list.matchAll(/skmem:\(r\d+,rb\d+,t\d+,tb\d+,f\d+,w(\d+)/g)) bytes += Number(queued);
  return bytes / 1024 / 1024;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Full size by tests/load/run only; the tests of each change are smaller.
export const IS_FULL = process.env.PARLEY_LOAD === 'full';
