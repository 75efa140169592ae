// deploy/run as a process under test, with built programs, free ports and a data folder of its own.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from '../harness/ports.mjs';
import { BIN, ROOT, until } from '../harness/system.mjs';

export const RUN = path.join(ROOT, 'deploy/run');
const READY = /^Parley is ready: (http:\/\/localhost:\d+\/)/m;

// mkdtemp's folder is 0700: as root, PostgreSQL's own user cannot walk into it, and that must not matter.
export function dataFolder() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'parley-ops-'));
}

export async function freeSettings(more = {}) {
  const ports = await freePorts(7); // the port, and three in a row for each kind of admin address
  return {
    PARLEY_BIN: BIN,
    PARLEY_PORT: String(ports[0]),
    PARLEY_ADMIN_GATEWAY: String(ports[1]),
    PARLEY_ADMIN_STORE: String(ports[4]),
    ...more,
  };
}

export class Deployed {
  // prefix: a command that deploy/run is run by, as in ['setpriv', '--reuid', 'nobody'].
  constructor(settings, { prefix = [], args = [] } = {}) {
    this.settings = settings;
    this.data = settings.PARLEY_DATA;
    this.url = `http://127.0.0.1:${settings.PARLEY_PORT}`;
    this.output = '';
    this.errors = '';
    this.startedAt = Date.now();
    // ends with this test, should that be killed
    const [command, ...rest] = [...prefix, 'setpriv', '--pdeathsig', 'TERM', '--', RUN, ...args];
    // a group of its own, as a shell gives to a command in the foreground
    this.child = spawn(command, rest, {
      env: { ...process.env, ...settings },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.output += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.errors += text;
    });
    this.exit = null;
    // 'exit' and not 'close': that nothing keeps our pipes open is a test of its own
    this.ended = new Promise((resolve) => {
      this.child.on('exit', (code, signal) => {
        this.exit = { code, signal, afterMs: Date.now() - this.startedAt };
        resolve(this.exit);
      });
    });
    this.closed = new Promise((resolve) => {
      this.child.on('close', resolve);
    });
  }

  async ready(timeoutMs = 60_000) {
    await until('deploy/run to be ready', () => READY.test(this.output) || this.exit !== null, { timeoutMs }).catch((error) => {
      throw new Error(`${error.message}\n${this.words()}`);
    });
    if (this.exit) throw new Error(`deploy/run ended: ${JSON.stringify(this.exit)}\n${this.words()}`);
    this.readyMs = Date.now() - this.startedAt;
    return this;
  }

  // Of a start that is expected to fail: its exit, with the one line it said.
  async failure(timeoutMs = 30_000) {
    await until('deploy/run to end', () => this.exit !== null, { timeoutMs });
    await this.closed;
    return { ...this.exit, lines: this.errors.split('\n').filter(Boolean) };
  }

  words() {
    const logs = path.join(this.data, 'log');
    const tails = fs.existsSync(logs)
      ? fs.readdirSync(logs).map((name) => `--- ${name}\n${fs.readFileSync(path.join(logs, name), 'utf8').slice(-1500)}`)
      : [];
    return `--- stdout\n${this.output}--- stderr\n${this.errors}${tails.join('\n')}`;
  }

  pid(name) {
    return Number(fs.readFileSync(path.join(this.data, 'run', `${name}.pid`), 'utf8'));
  }

  // Every process of this system, found by its mark; PostgreSQL's by the cluster's name in their titles.
  processes() {
    const folder = fs.realpathSync(this.data);
    const cluster = fs.statSync(path.join(folder, 'postgres'), { throwIfNoEntry: false });
    const mark = `PARLEY_RUN=${path.join(folder, 'run')}`;
    return fs.readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
      try {
        if (cluster && new RegExp(`\\bparley-${cluster.ino}\\b`).test(commandLine(pid))) return true;
        return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
      } catch {
        return false;
      }
    });
  }

  // What a terminal does for Ctrl-C: SIGINT to the whole foreground group.
  async interrupt() {
    const at = Date.now();
    process.kill(-this.child.pid, 'SIGINT');
    await this.ended;
    return { ...this.exit, tookMs: Date.now() - at };
  }

  async terminate() {
    if (this.exit === null) this.child.kill('SIGTERM');
    return this.ended;
  }

  // Kills a process and waits until another one has its place and the system is ready again.
  async replaced(name) {
    const before = this.pid(name);
    process.kill(before, 'SIGKILL');
    const after = await until(`another ${name}`, () => {
      const now = this.pid(name);
      return now !== before && now;
    });
    await this.isServing();
    return { before, after };
  }

  async isServing(timeoutMs = 20_000) {
    await until('the gateway to be ready', async () => (await fetch(`${this.url}/readyz`)).status === 200, { timeoutMs });
  }

  // The end of a test, whatever became of it: nothing may be left, and the folder goes.
  async cleanUp() {
    await this.terminate();
    const left = this.processes();
    for (const pid of left) process.kill(Number(pid), 'SIGKILL');
    if (left.length > 0) throw new Error(`left running: ${left.join(' ')}\n${this.words()}`);
  }
}

export function removeData(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
}

export function commandLine(pid) {
  return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ');
}

export function psql(data, statement) {
  return execFileSync('psql', ['-h', path.join(data, 'postgres'), '-U', 'postgres', '-d', 'parley', '-XAtqc', statement], {
    encoding: 'utf8',
    cwd: '/',
  }).trim();
}
