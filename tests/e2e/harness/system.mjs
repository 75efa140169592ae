// A whole Parley for tests: private PostgreSQL, stores, gateways, all as processes of this test, with handles to kill them.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.mjs';
import { Postgres } from './postgres.mjs';
import { Process, until } from './process.mjs';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const BIN = process.env.PARLEY_BIN ?? path.join(ROOT, 'build/asan/bin');

const SANITIZER_ENV = {
  ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:disable_coredump=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

// For startSystem's env, where memory is measured: a sanitizer keeps what was freed for a while.
export const PLAIN_MEMORY = { ASAN_OPTIONS: `${SANITIZER_ENV.ASAN_OPTIONS}:quarantine_size_mb=1:malloc_context_size=0` };

async function isReady(admin) {
  const response = await fetch(`http://${admin}/readyz`, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  return response.status === 200;
}

export async function metrics(daemon) {
  const response = await fetch(`http://${daemon.admin}/metrics`);
  const values = new Map();
  for (const line of (await response.text()).split('\n')) {
    const match = /^([^#][^ ]*(?:\{.*\})?) ([-+.eE0-9]+|NaN)$/.exec(line);
    if (match) values.set(match[1], Number(match[2]));
  }
  return values;
}

// The sum over all series of a family whose labels contain every given piece of text.
export function metricSum(values, name, ...labels) {
  let sum = 0;
  for (const [key, value] of values)
    if ((key === name || key.startsWith(`${name}{`)) && labels.every((label) => key.includes(label))) sum += value;
  return sum;
}

class System {
  constructor(options) {
    this.options = { gateways: 1, stores: 1, tcp: false, sharePort: false, postgres: true, postgresConf: undefined, env: {}, storeEnv: {}, storeArgs: [], gatewayArgs: [], services: [], ...options };
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-e2e-'));
    fs.chmodSync(this.dir, 0o755);
    this.keys = path.join(this.dir, 'keys');
    this.stores = [];
    this.gateways = [];
    this.others = [];
  }

  get url() {
    return this.gateways[0].url;
  }

  get wsUrl() {
    return this.gateways[0].wsUrl;
  }

  async addStore(isTcp = this.options.tcp) {
    const index = this.stores.length + 1;
    const port = isTcp ? await freePort() : 0;
    const eventsPort = isTcp ? await freePort() : 0;
    const bus = isTcp ? `tcp://127.0.0.1:${port}` : `ipc://${this.dir}/store-${index}.ipc`;
    const events = isTcp ? `tcp://127.0.0.1:${eventsPort}` : `ipc://${this.dir}/store-${index}-events.ipc`;
    const admin = `127.0.0.1:${await freePort()}`;
    const store = new Process(
      `store-${index}`,
      path.join(BIN, 'parley-store'),
      ['--bus', bus, '--events', events, '--admin', admin, '--keys', path.join(this.keys, 'store'), '--node', `store-${index}`, '--log-format', 'json', ...this.options.storeArgs],
      { env: { ...SANITIZER_ENV, PARLEY_DATABASE_URL: this.databaseUrl, ...this.options.env, ...this.options.storeEnv } },
    );
    Object.assign(store, { bus, events, admin });
    this.stores.push(store);
    return store;
  }

  // Every other one sends without io_uring, so that what holds for one holds for both.
  async addGateway() {
    const index = this.gateways.length + 1;
    const port = this.options.sharePort && index > 1 ? this.gateways[0].port : await freePort();
    const admin = `127.0.0.1:${await freePort()}`;
    const services = [...this.stores.map((store) => `store=${store.bus}`), ...this.options.services];
    const gateway = new Process(
      `gateway-${index}`,
      path.join(BIN, 'parley-gateway'),
      ['--listen', `127.0.0.1:${port}`, '--admin', admin, '--services', services.join(','), '--keys', path.join(this.keys, 'gateway'), '--node', `gateway-${index}`, '--log-format', 'json', ...(this.options.sharePort ? ['--share-port'] : []), ...(index % 2 === 0 ? ['--io-uring', 'off'] : []), ...this.options.gatewayArgs],
      { env: { ...SANITIZER_ENV, ...this.options.env } },
    );
    Object.assign(gateway, { port, admin, url: `http://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${port}/graphql` });
    this.gateways.push(gateway);
    return gateway;
  }

  async start() {
    const { options } = this;
    execFileSync(path.join(BIN, 'parley-store'), ['keygen', this.keys], { env: { ...process.env, ...SANITIZER_ENV } });
    if (options.postgres) {
      this.postgres = new Postgres(path.join(this.dir, 'pg'), options.postgresConf).init();
      this.databaseUrl = this.postgres.url;
      await this.postgres.start();
    }
    for (let i = 0; i < options.stores; i++) (await this.addStore()).start();
    for (let i = 0; i < options.gateways; i++) (await this.addGateway()).start();
    await this.ready();
    return this;
  }

  async ready(timeoutMs = 20_000) {
    for (const daemon of [...this.stores, ...this.gateways])
      await until(`${daemon.name} to be ready`, () => isReady(daemon.admin), { timeoutMs }).catch((error) => {
        throw new Error(`${error.message}\n${daemon.tail()}`);
      });
  }

  isReady(daemon) {
    return isReady(daemon.admin).catch(() => false);
  }

  // Ends everything in order. A daemon that exits with an error, or wrote a sanitizer's report, fails the test.
  async stop() {
    const failures = [];
    const daemons = [...this.gateways, ...this.stores];
    for (const daemon of [...this.gateways, ...this.others, ...this.stores]) {
      try {
        const wasRunning = daemon.isRunning;
        const exit = await daemon.stop();
        if (daemons.includes(daemon) && wasRunning && exit.code !== 0)
          failures.push(`${daemon.name} ended with ${JSON.stringify(exit)}\n${daemon.tail()}`);
      } catch (error) {
        failures.push(error.message);
      }
      if (daemon.report) failures.push(`${daemon.name}: ${daemon.report}`);
    }
    await this.postgres?.stop().catch((error) => failures.push(error.message));
    fs.rmSync(this.dir, { recursive: true, force: true });
    if (failures.length > 0) throw new Error(failures.join('\n\n'));
  }
}

export function startSystem(options) {
  const system = new System(options);
  return system.start().catch(async (error) => {
    await system.stop().catch(() => {});
    throw error;
  });
}

export { freePort, until, Process };
