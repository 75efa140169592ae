// docker-compose.yml for real: images are built, three gateways run behind HAProxy, and what dies under load costs
// nobody a message. Needs a container engine; `tests/run containers` runs it.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ADD, create, data, signUp, wsClient } from '../e2e/harness/client.mjs';
import { ROOT, freePort, until } from '../e2e/harness/system.mjs';

const run = promisify(execFile);
const MINUTES = 60_000;
const COMPOSE = findCompose();

function findCompose() {
  for (const words of [['docker-compose'], ['docker', 'compose']]) {
    try {
      execFileSync(words[0], [...words.slice(1), 'version'], { stdio: 'ignore' });
      return words;
    } catch {
      // the next one
    }
  }
  return null;
}

let port;
let url;

async function compose(...args) {
  const [command, ...rest] = [...COMPOSE, '-p', 'parley-test', ...args];
  const env = { ...process.env, PARLEY_PORT: String(port) };
  return (await run(command, rest, { cwd: ROOT, env, maxBuffer: 64 * 1024 * 1024 })).stdout;
}

async function containers(service) {
  return (await compose('ps', '-q', service)).trim().split('\n').filter(Boolean);
}

async function inspect(id, format) {
  return (await run('docker', ['inspect', '-f', format, id])).stdout.trim();
}

// A crash and not a stop by hand, so that the engine starts it again.
async function crash(service) {
  const [id] = await containers(service);
  process.kill(Number(await inspect(id, '{{.State.Pid}}')), 'SIGKILL');
}

function isUp() {
  return until('the balancer to have a gateway', async () => (await fetch(`${url}/readyz`)).status === 200, { timeoutMs: 60_000 });
}

// A client as people write it: comes back behind its last cursor.
class Follower {
  constructor(token, room) {
    Object.assign(this, { token, room, bodies: [], cursor: null, reconnects: 0, over: false });
    this.open();
  }

  open() {
    this.client = wsClient(url.replace('http', 'ws') + '/graphql', this.token);
    let gone = false;
    const again = () => {
      if (gone || this.over) return;
      gone = true;
      this.reconnects += 1;
      setTimeout(() => this.open(), 100);
    };
    this.client.on('closed', again);
    const from = this.cursor ? { after: this.cursor } : { last: 100 };
    this.client.subscribe(
      { query: ADD, variables: { room: this.room, ...from } },
      {
        next: ({ data: { addMessage } }) => {
          this.bodies.push(addMessage.body);
          this.cursor = addMessage.cursor;
        },
        error: again,
        complete: again,
      },
    );
  }

  async close() {
    this.over = true;
    await this.client.dispose();
  }
}

// Posts count messages; at some of them something happens. A post that fails is repeated under its id.
async function postThrough(token, room, count, events) {
  const bodies = [];
  for (let i = 0; i < count; i++) {
    await events[i]?.();
    const id = crypto.randomUUID();
    await until(`message ${i}`, () => create(url, token, `message ${i}`, { room, id }), { timeoutMs: 60_000, everyMs: 50 });
    bodies.push(`message ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return bodies;
}

describe('docker-compose.yml', { skip: COMPOSE === null && 'no container engine' }, () => {
  before(
    async () => {
      port = await freePort();
      url = `http://127.0.0.1:${port}`;
      await compose('down', '-v', '--remove-orphans');
      await compose('up', '-d', '--build', '--scale', 'gateway=3');
      await isUp();
    },
    { timeout: 20 * MINUTES },
  );
  after(() => compose('down', '-v', '--remove-orphans'), { timeout: 2 * MINUTES });

  it('publishes one port, of the balancer', async () => {
    for (const service of ['gateway', 'store', 'postgres'])
      for (const id of await containers(service))
        assert.doesNotMatch(await inspect(id, '{{json .NetworkSettings.Ports}}'), /HostPort/, service);
  });

  it('runs without root, without rights, on a read-only system, with health checks', async () => {
    for (const service of ['gateway', 'store', 'balancer'])
      for (const id of await containers(service)) {
        const status = await compose('exec', '-T', service, 'cat', '/proc/1/status');
        assert.doesNotMatch(status, /^Uid:\s+0\b/m, service);
        assert.match(status, /^CapEff:\s+0+$/m, service);
        assert.equal(await inspect(id, '{{.HostConfig.ReadonlyRootfs}}'), 'true', service);
        await until(`${service} to be healthy`, async () => (await inspect(id, '{{.State.Health.Status}}')) === 'healthy');
      }
  });

  it('keeps each key where it is needed, and the password out of sight', async () => {
    const files = (service) => compose('exec', '-T', service, 'find', '/keys', '/secret', '-type', 'f');
    assert.deepEqual((await files('gateway')).trim().split('\n').sort(), ['/keys/gateway/gateway.key', '/keys/gateway/services/store.pub']);
    const password = (await compose('exec', '-T', 'store', 'cat', '/secret/database-password')).trim();
    assert.match(password, /^[0-9a-f]{48}$/);
    for (const service of ['gateway', 'store', 'postgres'])
      for (const id of await containers(service)) assert.ok(!(await inspect(id, '{{json .}}')).includes(password), service);
  });

  it('loses no message when a gateway and the store crash under load', async () => {
    const { token } = await signUp(url);
    const room = 'crash';
    const followers = Array.from({ length: 9 }, () => new Follower(token, room));
    const posted = await postThrough(token, room, 300, { 100: () => crash('gateway'), 200: () => crash('store') });
    for (const follower of followers)
      await until('everything to arrive', () => follower.bodies.length >= posted.length).catch(() => {});
    await Promise.all(followers.map((follower) => follower.close()));
    for (const follower of followers) assert.deepEqual(follower.bodies, posted);
    assert.ok(followers.some((follower) => follower.reconnects > 0), 'somebody was on the gateway that crashed');
    const { getMessages } = await data(url, {
      query: 'query ($room: String) { getMessages(room: $room, last: 500) { body } }',
      variables: { room },
      token,
    });
    assert.deepEqual(getMessages.map((message) => message.body), posted);
  });

  it('fails no request while gateways come and go in good order', async () => {
    const { token } = await signUp(url);
    let over = false;
    let count = 0;
    const load = Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (let i = 0; !over; i++, count++) await create(url, token, `${worker} ${i}`, { room: 'scale' });
      }),
    );
    const scaled = (async () => {
      for (const replicas of [4, 2, 4, 1, 2]) await compose('up', '-d', '--no-build', '--scale', `gateway=${replicas}`);
    })().finally(() => {
      over = true;
    });
    await Promise.all([load, scaled]);
    assert.ok(count > 0);
    assert.equal((await containers('gateway')).length, 2);
  });

  it('finds all data when it is taken down and started again', async () => {
    const { handle, token } = await signUp(url);
    await create(url, token, 'kept', { room: 'kept' });
    await compose('down');
    await compose('up', '-d', '--no-build');
    await isUp();
    const { signIn } = await data(url, {
      query: 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token } }',
      variables: { h: handle, p: 'correct horse 1' },
    });
    const { getMessages } = await data(url, { query: '{ getMessages(room: "kept") { body } }', token: signIn.token });
    assert.deepEqual(getMessages, [{ body: 'kept' }]);
  });
});
