// Does harm, and undoes it: each fault has one target that nobody else harms meanwhile, and ends by itself within seconds.
// The seed decides what happens to whom and for how long; when exactly is up to the machine.
import { execFile } from 'node:child_process';
import fs from 'node:fs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const AWAY_MS = [50, 2000];
const PAUSE_MS = [200, 5000];
const LONG_MS = [10_000, 12_000];
const LONG_RUN_S = 100; // shorter ones have no time for it
const BETWEEN_MS = [150, 1200];
const CALM_EVERY = 6;
const CALM_MS = 1500;

export class Nemesis {
  constructor({ seconds, system, links, random, say = () => {} }) {
    Object.assign(this, { seconds, system, links, random, say });
    this.counts = new Map();
    this.busy = new Set();
    this.running = new Set();
    this.failures = [];
  }

  get total() {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async run(untilMs) {
    for (let i = 1; Date.now() < untilMs; i++) {
      this.#begin(this.#choose());
      if (i % CALM_EVERY === 0) {
        await Promise.all(this.running);
        await sleep(CALM_MS);
      } else {
        await sleep(this.random.between(...BETWEEN_MS));
      }
    }
    await Promise.all(this.running);
    if (this.failures.length > 0) throw this.failures[0];
  }

  #choose() {
    const { random, system, links } = this;
    const faults = [];
    const add = (weight, name, targets, harm) => {
      if (!targets.some((target) => this.busy.has(target))) for (let i = 0; i < weight; i++) faults.push({ name, targets, harm });
    };
    for (const daemon of [...system.gateways, ...system.stores]) {
      const kind = daemon.name.split('-')[0];
      add(2, `${kind} killed`, [daemon], () => this.#restart([daemon], 'SIGKILL'));
      add(1, `${kind} restarted`, [daemon], () => this.#restart([daemon], 'SIGTERM'));
      add(2, `${kind} paused`, [daemon], () => this.#pause(daemon, [daemon.child.pid]));
    }
    add(1, 'all stores killed', system.stores, () => this.#restart(system.stores, 'SIGKILL'));
    add(3, 'PostgreSQL killed', [system.postgres], () => this.#restartPostgres());
    add(2, 'PostgreSQL paused', [system.postgres], () => this.#pause(system.postgres.process, this.#backends()));
    add(4, 'database connections cut', ['connections'], () => this.#cutConnections());
    const link = random.pick(links);
    add(3, 'bus cut', [link], () => this.#harmLink(link, 'cut', AWAY_MS));
    add(3, 'bus stalled', [link], () => this.#harmLink(link, 'stall', PAUSE_MS));
    if (this.seconds >= LONG_RUN_S) add(1, 'bus cut for long', [link], () => this.#harmLink(link, 'cut', LONG_MS));
    add(2, 'whole bus cut', links, () => Promise.all(links.map((link) => this.#harmLink(link, 'cut', AWAY_MS))));
    return faults.length > 0 ? random.pick(faults) : null;
  }

  #begin(fault) {
    if (!fault) return;
    const { name, targets, harm } = fault;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    for (const target of targets) this.busy.add(target);
    this.say(name, targets.map((target) => target.name ?? '').join(' '));
    const running = harm()
      .catch((error) => this.failures.push(error))
      .finally(() => {
        for (const target of targets) this.busy.delete(target);
        this.running.delete(running);
      });
    this.running.add(running);
  }

  async #restart(daemons, signal) {
    const awayMs = this.random.between(...AWAY_MS);
    for (const daemon of daemons) if (!daemon.isRunning) this.failures.push(new Error(`${daemon.name} had ended by itself\n${daemon.tail()}`));
    await Promise.all(daemons.map((daemon) => daemon.stop(signal)));
    await sleep(awayMs);
    for (const daemon of daemons) daemon.start();
  }

  async #restartPostgres() {
    const awayMs = this.random.between(...AWAY_MS);
    await this.system.postgres.kill();
    await sleep(awayMs);
    await this.system.postgres.start();
  }

  async #pause(daemon, pids) {
    const { child } = daemon;
    const pausedMs = this.random.between(...PAUSE_MS);
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await sleep(pausedMs);
    for (const pid of pids) signal(pid, 'SIGCONT');
    if (daemon.child !== child) throw new Error(`${daemon.name} was started again while it was paused`);
  }

  #backends() {
    const { pid } = this.system.postgres.process.child;
    return [pid, ...fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)];
  }

  // PostgreSQL may be away itself.
  #cutConnections() {
    const some = this.random.pick(['true', 'random() < 0.5']);
    const statement = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ${some}`;
    return new Promise((resolve) => {
      execFile('psql', ['-h', this.system.postgres.dir, '-U', 'parley', '-d', 'postgres', '-Xqc', statement], { cwd: '/', timeout: 10_000 }, () => resolve());
    });
  }

  async #harmLink(link, how, [low, high]) {
    const ms = this.random.between(low, high);
    link[how]();
    await sleep(ms);
    link.heal();
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // a backend that ended
  }
}
