// One child process of a system under test: start, wait for a condition, kill, look at what it wrote.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const OUTPUT_KEPT = 2_000_000;

export class Process {
  constructor(name, command, args, { env = {}, uid, gid, cwd } = {}) {
    Object.assign(this, { name, command, args, env, uid, gid, cwd });
    this.output = '';
    this.child = null;
  }

  start() {
    const { uid, gid, cwd } = this;
    this.child = spawn(this.command, this.args, {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      uid,
      gid,
      cwd,
    });
    const keep = (chunk) => {
      this.output = (this.output + chunk).slice(-OUTPUT_KEPT);
    };
    this.child.stdout.setEncoding('utf8').on('data', keep);
    this.child.stderr.setEncoding('utf8').on('data', keep);
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.exit = { code, signal };
      return this.exit;
    });
    this.child.on('error', (error) => {
      this.output += `\n${error}`;
    });
    this.exit = null;
    return this;
  }

  get isRunning() {
    return this.child !== null && this.exit === null;
  }

  signal(name) {
    if (this.isRunning) this.child.kill(name);
  }

  // Ends it and gives { code, signal }; a process that does not end within the time is killed, and that is an error.
  async stop(signal = 'SIGTERM', timeoutMs = 15_000) {
    if (this.child === null) return null;
    if (!this.isRunning) return this.exit;
    this.child.kill(signal);
    const late = Symbol('late');
    const result = await Promise.race([this.exited, after(timeoutMs, late)]);
    if (result === late) {
      this.child.kill('SIGKILL');
      await this.exited;
      throw new Error(`${this.name} did not end within ${timeoutMs} ms of ${signal}\n${this.tail()}`);
    }
    return result;
  }

  async restart() {
    await this.stop('SIGKILL');
    this.start();
  }

  tail(bytes = 4000) {
    return `--- ${this.name} wrote:\n${this.output.slice(-bytes)}`;
  }

  // What a sanitizer reported, or null.
  get report() {
    const at = this.output.search(/ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: .*Sanitizer/);
    return at < 0 ? null : this.output.slice(at, at + 4000);
  }
}

function after(ms, value) {
  return new Promise((resolve) => setTimeout(resolve, ms, value).unref());
}

// Calls check() until it gives something true; throws with `what` after the time.
export async function until(what, check, { timeoutMs = 20_000, everyMs = 25 } = {}) {
  const end = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for: ${what} (last: ${last})`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
