// deploy/run: a life from the first start over crashes to Ctrl-C, and the next start finds all data.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { create, data, signUp, subscribe, wsClient } from '../harness/client.mjs';
import { Postgres } from '../harness/postgres.mjs';
import { until } from '../harness/system.mjs';
import { Deployed, commandLine, dataFolder, freeSettings, psql, removeData } from './deployed.mjs';

async function bodies(system, token) {
  const { getMessages } = await data(system.url, { query: '{ getMessages(last: 100) { body } }', token });
  return getMessages.map((message) => message.body);
}

// A write that is repeated while a part of the system is away; the id makes it one message.
async function createSoon(system, token, body, id) {
  return until(`"${body}" to be written`, () => create(system.url, token, body, { id }), { timeoutMs: 20_000, everyMs: 100 });
}

// The supervisor alone, with a process that writes without end.
it('a log does not grow for ever while its process lives', async () => {
  const folder = dataFolder();
  const script = `set -euo pipefail; cd "$1"; source "$2/say.sh"; source "$2/processes.sh"; run=$1 log=$1 turn_every_ms=50
    command_chatty() { become bash -c 'for ((i = 0; ; i++)); do echo "line $i"; done'; }
    trap 'stop_kind chatty' EXIT; trap 'stop_asked=yes' TERM; launch chatty-1; supervise`;
  const child = spawn('bash', ['-c', script, 'supervisor', folder, new URL('../../../deploy/lib', import.meta.url).pathname], { env: { ...process.env, PARLEY_LOG_BYTES: '20000' }, stdio: 'inherit' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const file = path.join(folder, 'chatty-1.log');
  try {
    const pid = await until('the process to be there', () => fs.existsSync(path.join(folder, 'chatty-1.pid')) && fs.readFileSync(path.join(folder, 'chatty-1.pid'), 'utf8'));
    const last = () => Number(/line (\d+)\n(?!.*\n)/.exec(fs.readFileSync(`${file}.1`, 'utf8'))?.[1] ?? 0);
    const first = await until('the log to be turned', () => fs.existsSync(`${file}.1`) && last());
    await until('it to be turned again', () => last() > first);
    const now = fs.readFileSync(file, 'latin1');
    assert.ok(!now.includes('\0'), 'the process appends');
    assert.equal(fs.readFileSync(path.join(folder, 'chatty-1.pid'), 'utf8'), pid, 'the same process writes on');
  } finally {
    child.kill('SIGTERM');
    await exited;
    fs.rmSync(folder, { recursive: true });
  }
});

describe('deploy/run, one of each', () => {
  const folder = dataFolder();
  let settings;
  let system;
  let session;
  const written = [];

  async function write(body) {
    await createSoon(system, session.token, body, `00000000-0000-4000-8000-${String(written.length).padStart(12, '0')}`);
    written.push(body);
  }

  before(async () => {
    settings = await freeSettings({ PARLEY_DATA: folder });
    system = await new Deployed(settings).ready();
    session = await signUp(system.url);
  });
  after(async () => {
    await system.cleanUp();
    removeData(folder);
  });

  it('says one address line last, and serves', async () => {
    assert.match(system.output, new RegExp(`^Parley is ready: http://localhost:${settings.PARLEY_PORT}/\\n$`, 'm'));
    assert.equal(system.errors, '');
    await write('first');
    assert.deepEqual(await bodies(system, session.token), ['first']);
  });

  it('has a pid file for each process, and keeps its folders to itself', () => {
    assert.match(commandLine(system.pid('store-1')), /parley-store /);
    assert.match(commandLine(system.pid('gateway-1')), /parley-gateway /);
    assert.match(commandLine(system.pid('postgres')), /postgres /);
    for (const name of ['run', 'log', 'postgres']) assert.equal(fs.statSync(path.join(folder, name)).mode & 0o777, 0o700, name);
    for (const pid of system.processes()) assert.doesNotMatch(commandLine(pid), /postgresql:\/\//, 'the database URL is no argument');
  });

  it('refuses a second start on the same data with one line', async () => {
    const second = await new Deployed({ ...settings, ...(await freeSettings()) }).failure();
    assert.equal(second.code, 1);
    assert.equal(second.lines.length, 1, second.lines.join('\n'));
    assert.match(second.lines[0], /already running on .* \(pid \d+\)$/);
    assert.ok(second.afterMs < 3000);
  });

  it('says in one line that the port is taken, and by whom', async () => {
    const other = dataFolder();
    const second = await new Deployed({ ...(await freeSettings()), PARLEY_DATA: other, PARLEY_PORT: settings.PARLEY_PORT }).failure();
    removeData(other);
    assert.equal(second.code, 1);
    assert.deepEqual(second.lines, [
      `parley: port ${settings.PARLEY_PORT} is taken by parley-gateway (pid ${system.pid('gateway-1')}): choose another with PARLEY_PORT`,
    ]);
    assert.ok(second.afterMs < 3000);
  });

  for (const name of ['store-1', 'gateway-1', 'postgres']) {
    it(`starts ${name} again after kill -9, and all data is there`, async () => {
      await system.replaced(name);
      await write(`after the death of ${name}`);
      assert.deepEqual(await bodies(system, session.token), written);
      assert.match(system.output, new RegExp(`${name} was killed by signal 9; starting it again`));
    });
  }

  it('starts a process again for ever, at most 2 s apart', async () => {
    for (let death = 0; death < 7; death++) {
      const killed = Date.now();
      const { after: pid } = await system.replaced('gateway-1');
      assert.ok(pid);
      assert.ok(Date.now() - killed < 6000, `death ${death}`);
    }
    await write('after many deaths');
  });

  it('starts PostgreSQL again although a backend outlives the postmaster', async () => {
    // a query that looks neither at its client nor at the postmaster
    const busy = spawn(
      'psql',
      ['-h', path.join(folder, 'postgres'), '-U', 'postgres', '-d', 'parley', '-Xc', 'select count(*) from generate_series(1, 100000000000)'],
      { stdio: 'ignore', cwd: '/' },
    );
    const ended = new Promise((resolve) => {
      busy.on('exit', resolve);
    });
    try {
      const active = `select pid from pg_stat_activity where state = 'active' and query like '%generate_series%' and pid <> pg_backend_pid()`;
      const backend = await until('the query to run', () => psql(folder, active));
      await system.replaced('postgres');
      await ended;
      assert.ok(!system.processes().includes(backend));
    } finally {
      busy.kill();
    }
    await write('after an orphaned backend');
  });

  it('leaves nothing running when it is killed itself', async () => {
    process.kill(system.child.pid, 'SIGKILL');
    await system.ended;
    await until('all processes to end', () => system.processes().length === 0, { timeoutMs: 12_000 });
    system = await new Deployed(settings).ready();
    assert.deepEqual(await bodies(system, session.token), written);
  });

  it('stops all of it within 10 s on Ctrl-C, in order', async () => {
    const running = system.processes();
    assert.ok(running.length >= 3);
    const exit = await system.interrupt();
    assert.equal(exit.code, 0, system.words());
    assert.ok(exit.tookMs < 10_000);
    assert.deepEqual(system.processes(), []);
    assert.match(system.output, /Stopping\nParley has stopped\n$/);
    assert.equal(system.errors, '');
    assert.deepEqual(fs.readdirSync(path.join(folder, 'run')), ['lock']);
    // an orderly end: PostgreSQL shut down, it was not killed
    assert.match(fs.readFileSync(path.join(folder, 'log/postgres.log'), 'utf8').slice(-300), /database system is shut down/);
  });

  it('is ready the next time, with all data', async () => {
    system = await new Deployed(settings).ready();
    assert.deepEqual(await bodies(system, session.token), written);
  });

  it('stops on SIGTERM too', async () => {
    assert.equal((await system.terminate()).code, 0);
    assert.deepEqual(system.processes(), []);
  });

  it('says in one line that its database is damaged', async () => {
    fs.renameSync(path.join(folder, 'postgres/global/pg_control'), path.join(folder, 'pg_control'));
    const broken = await new Deployed(settings).failure();
    fs.renameSync(path.join(folder, 'pg_control'), path.join(folder, 'postgres/global/pg_control'));
    assert.equal(broken.code, 1);
    assert.equal(broken.lines.length, 1, broken.lines.join('\n'));
    assert.match(broken.lines[0], /^parley: postgres .*pg_control/);
    assert.ok(broken.afterMs < 5000);
  });
});

describe('deploy/run, several', () => {
  const folder = dataFolder();
  // a path beyond what a Unix socket's address can hold
  const long = path.join(folder, 'a-folder-with-a-name-that-is-longer-than-anybody-would-like-it-to-be/and another one below it, with spaces');
  let system;

  before(async () => {
    const settings = await freeSettings({ PARLEY_DATA: long, PARLEY_STORES: '2', PARLEY_GATEWAYS: '2' });
    // as a script starts it with &: SIGINT is ignored, and must work all the same
    system = await new Deployed(settings, { prefix: ['env', '--ignore-signal=INT', '--'] }).ready();
  });
  after(async () => {
    await system.cleanUp();
    removeData(folder);
  });

  it('runs two stores and two gateways on one port', async () => {
    const pids = ['store-1', 'store-2', 'gateway-1', 'gateway-2', 'postgres'].map((name) => system.pid(name));
    assert.equal(new Set(pids).size, 5);
    const { token } = await signUp(system.url);
    await Promise.all(Array.from({ length: 20 }, (_, i) => create(system.url, token, `message ${i}`)));
    assert.equal((await bodies(system, token)).length, 20);
  });

  it('goes on when one of each is killed', async () => {
    const { token } = await signUp(system.url);
    await system.replaced('store-2');
    await system.replaced('gateway-1');
    await createSoon(system, token, 'after', '00000000-0000-4000-8000-00000000abcd');
    assert.equal((await bodies(system, token)).at(-1), 'after');
  });

  it('leaves nothing, not even the short link to its sockets', async () => {
    const link = fs.readlinkSync(path.join(long, 'run/short'));
    assert.ok(fs.existsSync(link));
    await system.interrupt();
    assert.deepEqual(system.processes(), []);
    assert.ok(!fs.existsSync(link));
  });
});

describe('deploy/run with PARLEY_TLS_PORT', () => {
  const folder = dataFolder();
  let settings;
  let system;

  function get(url, ca) {
    return new Promise((resolve, reject) => {
      const request = https.get(url, { ca, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, body }));
      });
      request.on('error', reject);
    });
  }

  before(async () => {
    settings = await freeSettings({ PARLEY_DATA: folder });
    settings.PARLEY_TLS_PORT = (await freeSettings()).PARLEY_PORT;
    system = await new Deployed(settings).ready();
  });
  after(async () => {
    await system.cleanUp();
    removeData(folder);
  });

  it('serves https with a certificate for localhost', async () => {
    const ca = fs.readFileSync(path.join(folder, 'tls/self-signed.pem'));
    assert.match(system.output, new RegExp(`https://localhost:${settings.PARLEY_TLS_PORT}/`));
    const answer = await get(`https://localhost:${settings.PARLEY_TLS_PORT}/graphql?query={__typename}`, ca);
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { data: { __typename: 'Query' } }]);
  });

  it('carries WebSockets', async () => {
    const ca = fs.readFileSync(path.join(folder, 'tls/self-signed.pem'));
    class TrustingWebSocket extends WebSocket {
      constructor(url, protocols) {
        super(url, protocols, { ca });
      }
    }
    const { token } = await signUp(system.url);
    const client = wsClient(`wss://localhost:${settings.PARLEY_TLS_PORT}/graphql`, token, { webSocketImpl: TrustingWebSocket });
    await create(system.url, token, 'over TLS');
    const subscriber = subscribe(client, { variables: { last: 1 } });
    await subscriber.wait(1);
    assert.equal(subscriber.messages[0].body, 'over TLS');
    await client.dispose();
  });

  it('starts HAProxy again, and stops it', async () => {
    await system.replaced('haproxy');
    const ca = fs.readFileSync(path.join(folder, 'tls/self-signed.pem'));
    await until('https again', () => get(`https://localhost:${settings.PARLEY_TLS_PORT}/livez`, ca));
    const exit = await system.interrupt();
    assert.equal(exit.code, 0);
    assert.deepEqual(system.processes(), []);
  });
});

describe('deploy/run with PARLEY_DATABASE_URL', () => {
  const folder = dataFolder();
  fs.chmodSync(folder, 0o755);
  let postgres;
  let settings;
  let system;

  before(async () => {
    postgres = new Postgres(path.join(folder, 'elsewhere')).init();
    await postgres.start();
    postgres.sql("create role chat login password 'right-and-secret'");
    postgres.sql('create database chat owner chat');
    fs.writeFileSync(path.join(postgres.data, 'pg_hba.conf'), 'local all parley trust\nlocal all all scram-sha-256\n');
    postgres.sql('select pg_reload_conf()');
    settings = await freeSettings({ PARLEY_DATA: path.join(folder, 'data') });
  });
  after(async () => {
    await system?.cleanUp();
    await postgres.stop();
    removeData(folder);
  });

  const url = (password) => `postgresql://chat:${password}@/chat?host=${encodeURIComponent(postgres.dir)}`;

  it('says in one line that the password is wrong, and not what it was', async () => {
    const failed = await new Deployed({ ...settings, PARLEY_DATABASE_URL: url('wrong-and-secret') }).failure();
    assert.equal(failed.code, 1);
    assert.equal(failed.lines.length, 1, failed.lines.join('\n'));
    assert.match(failed.lines[0], /^parley: the database does not work: .*password authentication failed/);
    assert.doesNotMatch(failed.lines[0], /wrong-and-secret/);
    assert.ok(failed.afterMs < 10_000);
  });

  it('uses it, starts no PostgreSQL, and shows its password to nobody', async () => {
    system = await new Deployed({ ...settings, PARLEY_DATABASE_URL: url('right-and-secret') }).ready();
    const { token } = await signUp(system.url);
    await create(system.url, token, 'elsewhere');
    assert.deepEqual(await bodies(system, token), ['elsewhere']);
    assert.ok(!fs.existsSync(path.join(system.data, 'postgres')));
    for (const pid of system.processes()) assert.doesNotMatch(commandLine(pid), /secret/);
    assert.doesNotMatch(fs.readFileSync(`/proc/${system.pid('gateway-1')}/environ`, 'utf8'), /secret/);
    for (const name of fs.readdirSync(path.join(system.data, 'log')))
      assert.doesNotMatch(fs.readFileSync(path.join(system.data, 'log', name), 'utf8'), /secret/, name);
    assert.equal((await system.interrupt()).code, 0);
    assert.deepEqual(system.processes(), []);
  });
});
