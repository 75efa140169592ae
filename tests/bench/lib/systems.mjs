// The systems: each can be started and stopped, says its processes, and how its clients ask for the same things.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { signUp, post } from '../../e2e/harness/client.mjs';
import { Process, until } from '../../e2e/harness/process.mjs';
import { BIN, freePort, startSystem } from '../../e2e/harness/system.mjs';
import { cpu, rssKb } from './proc.mjs';

const HERE = fileURLToPath(new URL('..', import.meta.url));
const BODY = 'a message of about fifty bytes, as people write';

const NEWEST = `query Room($room: String, $last: Int) { newest: getMessages(room: $room, last: $last) { ...line id: messageId } }
fragment line on Message { text: body sentAt: createdAt by: handle cursor }`;
const OLDER = `query Older($room: String, $last: Int, $before: String) { page: getMessages(room: $room, last: $last, before: $before) { ...line id: messageId } }
fragment line on Message { text: body sentAt: createdAt by: handle cursor }`;
const CREATE = 'mutation ($b: String!, $r: String) { createMessage(body: $b, room: $r) { messageId createdAt cursor } }';

// What all have in common. subscribe is the dialect of bench_wsload.
class Subject {
  constructor(name, options = {}) {
    Object.assign(this, { name, dialect: 'transport', token: '', processes: [], options, isLost: false });
  }

  get isParley() {
    return false;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  get pids() {
    return this.processes.map(({ child }) => child.pid);
  }

  get headers() {
    return { Authorization: `Bearer ${this.token}` };
  }

  // For bench_wsload.
  get loadOptions() {
    return { dialect: this.dialect, ports: this.port, token: this.token };
  }

  cpu() {
    return cpu(this.pids);
  }

  // Those of this.pids that face the clients, where a system has others behind them.
  get gatewayPids() {
    return [];
  }

  rssKb() {
    return rssKb(this.pids);
  }

  typename() {
    return { query: '{__typename}' };
  }

  newest(room) {
    return { query: NEWEST, variables: { room, last: 50 } };
  }

  older(room, seq) {
    return { query: OLDER, variables: { room, last: 50, before: this.cursor(room, seq) } };
  }

  create(room) {
    return { query: CREATE, variables: { b: BODY, r: room } };
  }

  // The cursor of the message with this number.
  cursor(_room, seq) {
    return String(seq);
  }

  // Starts one more process and waits for its port.
  async spawn(command, args, options, isUp) {
    const child = new Process(this.name, command, args, options).start();
    this.processes.push(child);
    await until(`${this.name} to be up`, () => {
      if (!child.isRunning) throw new Error(child.tail());
      return isUp();
    });
    return child;
  }

  async stop() {
    for (const child of this.processes) await child.stop('SIGTERM', 5000).catch(() => {});
    this.processes = [];
  }
}

// The defaults keep one caller from taking a machine for himself, which is what a load generator is to do. The buckets stay at work.
const WIDE_RATES = ['--rate-connection', '1000000', '--rate-handle', '1000000', '--rate-address', '1000000'];

export class Parley extends Subject {
  constructor({ gateways = 1, stores = 1 } = {}) {
    super('parley', { gateways, stores });
    this.cursors = new Map();
  }

  get isParley() {
    return true;
  }

  async start(context) {
    const { gateways, stores } = this.options;
    this.system = await startSystem({
      gateways,
      stores,
      sharePort: false,
      postgres: false,
      gatewayArgs: ['--log-level', 'warn', '--keys', path.join(context.database.keys, 'gateway'), ...WIDE_RATES],
      storeArgs: ['--log-level', 'warn', '--keys', path.join(context.database.keys, 'store')],
      storeEnv: { PARLEY_DATABASE_URL: context.database.url },
    });
    this.processes = [...this.system.gateways, ...this.system.stores];
    this.ports = this.system.gateways.map(({ port }) => port);
    this.port = this.ports[0];
    this.token = (await signUp(this.system.url, `bench-${process.pid}-${Math.random().toString(36).slice(2)}`)).token;
    context.credentials.token = this.token;
  }

  get loadOptions() {
    return { dialect: this.dialect, ports: this.ports.join(','), token: this.token };
  }

  get gatewayPids() {
    return this.system.gateways.map(({ child }) => child.pid);
  }

  // Cursors are opaque: a walk through the room collects them.
  async learnCursors(room, seqs) {
    const wanted = new Set(seqs);
    const query = 'query ($room: String, $after: String) { getMessages(room: $room, first: 500, after: $after) { cursor } }';
    for (let seq = 0, after = null; ; ) {
      const { data } = await post(this.system.url, { query, variables: { room, after }, token: this.token });
      for (const message of data.getMessages) if (wanted.has(++seq)) this.cursors.set(`${room} ${seq}`, message.cursor);
      if (data.getMessages.length < 500) return;
      after = data.getMessages.at(-1).cursor;
    }
  }

  cursor(room, seq) {
    return this.cursors.get(`${room} ${seq}`);
  }

  async stop() {
    this.processes = [];
    await this.system?.stop();
    this.system = null;
  }
}

// A running Parley, asked without a token.
export class Anonymous extends Subject {
  constructor(parley) {
    super('parley, no token', { parley });
  }

  async start() {
    this.port = this.options.parley.port;
  }

  get pids() {
    return this.options.parley.pids;
  }

  get headers() {
    return {};
  }
}

// One more gateway of a running Parley, which writes a line about each request, as it does by default, into a file.
export class LoggingGateway extends Subject {
  constructor(parley) {
    super('parley, a log line a request', { parley });
  }

  async start(context) {
    const [port, admin] = [await freePort(), await freePort()];
    const { stores } = this.options.parley.system;
    const args = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`, '--services', stores.map(({ bus }) => `store=${bus}`).join(','), '--keys', path.join(context.database.keys, 'gateway'), '--node', 'logging', '--log-format', 'json', ...WIDE_RATES];
    Object.assign(this, { port, token: this.options.parley.token });
    await this.spawn('sh', ['-c', 'exec "$0" "$@" 2>"$BENCH_LOG"', path.join(BIN, 'parley-gateway'), ...args], { env: { BENCH_LOG: path.join(context.dir, 'gateway.log') } }, async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
  }

  get pids() {
    return [...super.pids, ...this.options.parley.system.stores.map(({ child }) => child.pid)];
  }
}

// A server in node from peers/.
export class NodePeer extends Subject {
  constructor(name, file, { env = {}, redis = false, ports = 1, pool } = {}) {
    super(name, { file, env, redis, ports, pool });
  }

  async start(context) {
    this.token = context.credentials.token; // the same bytes as Parley's clients send
    const env = { NODE_ENV: 'production', BENCH_DATABASE_URL: context.database.url, BENCH_TOKEN: this.token, ...this.options.env };
    if (this.options.redis) env.BENCH_REDIS = await this.startRedis();
    this.ports = [];
    for (let i = 0; i < this.options.ports; i++) {
      const port = await freePort();
      this.ports.push(port);
      this.port = port;
      await this.spawn(process.execPath, [path.join(HERE, 'peers', this.options.file)], { env: { ...env, BENCH_PORT: String(port) } }, () => this.answers());
    }
    this.port = this.ports[0];
  }

  async answers() {
    const response = await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{__typename}"}' });
    await response.arrayBuffer();
    return response.ok;
  }

  get loadOptions() {
    return { dialect: this.dialect, ports: this.ports.join(','), token: this.token };
  }

  async startRedis() {
    const port = await freePort();
    await this.spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {}, () => this.processes.at(-1).output.includes('Ready to accept'));
    return `redis://127.0.0.1:${port}`;
  }
}

export class PostGraphile extends NodePeer {
  constructor() {
    super('postgraphile', 'postgraphile/server.mjs');
  }

  newest(room) {
    return {
      query: `query Room($room: String!, $last: Int!) { newest: page(room: $room, size: $last, before: "9223372036854775807") { nodes { ...line id: rowId } } }
fragment line on Message { text: body sentAt: createdAt by: handle cursor: seq }`,
      variables: { room, last: 50 },
    };
  }

  older(room, seq) {
    return {
      query: `query Older($room: String!, $last: Int!, $before: BigInt!) { page: page(room: $room, size: $last, before: $before) { nodes { ...line id: rowId } } }
fragment line on Message { text: body sentAt: createdAt by: handle cursor: seq }`,
      variables: { room, last: 50, before: String(seq) },
    };
  }

  create(room) {
    return {
      query: 'mutation ($b: String!, $r: String!) { createMessage(input: { body: $b, room: $r }) { message: result { messageId: rowId createdAt cursor: seq } } }',
      variables: { b: BODY, r: room },
    };
  }
}

// The smallest server on libmicrohttpd.
export class Hello extends Subject {
  constructor() {
    super('bare libmicrohttpd');
  }

  async start(context) {
    this.token = context.credentials.token;
    this.port = await freePort();
    await this.spawn(path.join(BIN, 'bench_hello'), [`127.0.0.1:${this.port}`], {}, async () => (await fetch(this.url)).ok);
  }
}

// The smallest server that pushes over WebSockets.
export class SendServer extends Subject {
  constructor() {
    super('bare send server');
    this.dialect = 'raw';
  }

  async start() {
    this.port = await freePort();
    await this.spawn(path.join(BIN, 'bench_sendserver'), [String(this.port)], {}, async () => (await fetch(this.url, { method: 'POST' })).ok);
  }
}

// nginx with nchan, one worker; messages in memory.
export class Nchan extends Subject {
  constructor() {
    super('nchan');
    this.dialect = 'raw';
  }

  async start(context) {
    this.port = await freePort();
    const dir = fs.mkdtempSync(path.join(context.dir, 'nchan-'));
    const conf = fs.readFileSync(path.join(HERE, 'peers/nchan.conf'), 'utf8').replaceAll('@PORT@', this.port).replaceAll('@DIR@', dir);
    fs.writeFileSync(path.join(dir, 'nginx.conf'), conf);
    await this.spawn('nginx', ['-p', dir, '-e', path.join(dir, 'error.log'), '-c', path.join(dir, 'nginx.conf')], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }, async () => {
      const response = await fetch(`http://127.0.0.1:${this.port}/pub/probe`, { method: 'POST', body: 'x' });
      return response.ok;
    });
  }
}

export class Nats extends Subject {
  constructor() {
    super('nats-server');
    this.dialect = 'nats';
  }

  async start(context) {
    this.port = await freePort();
    this.postPort = await freePort();
    const file = path.join(context.dir, `nats-${this.port}.conf`);
    fs.writeFileSync(file, `listen: "127.0.0.1:${this.postPort}"\nwrite_deadline: "10s"\nwebsocket { listen: "127.0.0.1:${this.port}", no_tls: true, compression: false }\n`);
    await this.spawn('nats-server', ['-c', file], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }, () => this.processes.at(-1).output.includes('Server is ready'));
  }

  get loadOptions() {
    return { dialect: this.dialect, ports: this.port, 'post-ports': this.postPort };
  }
}

export const mercurius = () => new NodePeer('mercurius', 'mercurius.mjs');
export const mercuriusCluster = () => new NodePeer('mercurius, cluster of 2', 'mercurius.mjs', { env: { BENCH_WORKERS: '2', BENCH_POOL: '8' } });
export const mercuriusRedis = () => new NodePeer('mercurius ×2, redis', 'mercurius.mjs', { redis: true, ports: 2, env: { BENCH_POOL: '8' } });
export const apollo = () => new NodePeer('@apollo/server', 'apollo.mjs');
export const yoga = () => new NodePeer('graphql-yoga', 'yoga.mjs');
export const graphqlWs = () => new NodePeer('graphql-ws', 'graphql-ws.mjs');
