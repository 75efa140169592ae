// What dies comes back, clients get clear errors meanwhile, and every acknowledged message is there once.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { CREATE, create, data, handle, post, signUp, subscribe, subscribeLive, wsClient } from './harness/client.mjs';
import { metricSum, metrics, startSystem, until } from './harness/system.mjs';

const CLEAR = new Set(['UNAVAILABLE', 'TIMEOUT']);

// Posts numbered messages with one id each until told to stop; a send without a clear outcome is repeated under the same id.
function poster(url, token, room, name) {
  const self = { acknowledged: [], errors: [], stopped: false };
  self.stop = async () => {
    self.stopped = true;
    await self.finished;
  };
  self.finished = (async () => {
    for (let i = 0; !self.stopped; i++) {
      const body = `${name}-${i}`;
      const id = randomUUID();
      for (let answered = false; !answered; ) {
        try {
          const answer = await post(url(), { query: CREATE, variables: { body, room, id }, token, signal: AbortSignal.timeout(15_000) });
          if (answer.data?.createMessage) {
            self.acknowledged.push(answer.data.createMessage);
            answered = true;
          } else {
            const { code, outcome } = answer.errors[0].extensions;
            self.errors.push({ code, outcome, message: answer.errors[0].message });
            assert.ok(CLEAR.has(code), `an unclear error: ${JSON.stringify(answer.errors)}`);
          }
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          self.errors.push({ code: 'CONNECTION', message: String(error) });
          await new Promise((resolve) => setTimeout(resolve, 50)); // the client's own back-off: the gateway is away
        }
      }
    }
  })();
  self.finished.catch(() => {});
  return self;
}

async function wholeRoom(url, token, room) {
  const all = [];
  for (let cursor; ; ) {
    const { getMessages: page } = await data(url, {
      query: 'query ($room: String, $after: String) { getMessages(room: $room, first: 500, after: $after) { messageId body cursor } }',
      variables: { room, after: cursor },
      token,
    });
    all.push(...page);
    if (page.length < 500) return all;
    cursor = page.at(-1).cursor;
  }
}

function assertOnce(all, posters) {
  const bodies = all.map((message) => message.body);
  assert.equal(new Set(bodies).size, bodies.length, 'a body twice');
  assert.equal(new Set(all.map((message) => message.messageId)).size, all.length, 'an id twice');
  for (const { acknowledged } of posters) {
    const wanted = acknowledged.map((message) => message.body);
    const prefix = wanted[0]?.split('-')[0];
    assert.deepEqual(bodies.filter((body) => body.startsWith(`${prefix}-`)).slice(0, wanted.length), wanted, 'missing or out of order');
  }
}

describe('PostgreSQL', () => {
  test('down at start: not ready, clear errors, then ready by itself', async () => {
    const system = await startSystem({ gateways: 0, stores: 0 });
    try {
      await system.postgres.stop();
      (await system.addStore()).start();
      system.options.gatewayArgs = ['--call-timeout-ms', '1000'];
      (await system.addGateway()).start();
      await until('the schema', async () => (await post(system.url, { query: '{ __type(name: "Message") { name } }' })).data?.__type);
      assert.equal(await system.isReady(system.gateways[0]), false);
      assert.equal(await system.isReady(system.stores[0]), false);
      const answer = await post(system.url, { query: 'mutation { signIn(handle: "a", password: "b") { token } }' });
      assert.equal(answer.errors[0].extensions.code, 'UNAVAILABLE');
      assert.equal(answer.errors[0].extensions.outcome, 'none');
      await system.postgres.start();
      await system.ready();
      await signUp(system.url);
    } finally {
      await system.stop();
    }
  });
});

describe('killed in mid-flight', () => {
  let system, alice;
  before(async () => {
    system = await startSystem({ gateways: 2, stores: 1, gatewayArgs: ['--call-timeout-ms', '5000'] });
    alice = await signUp(system.url, handle('alice'));
  });
  after(() => system?.stop());

  async function underLoad(doHarm) {
    const room = randomUUID();
    const client = wsClient(system.gateways[1].wsUrl, alice.token, { retryAttempts: 100, retryWait: () => new Promise((r) => setTimeout(r, 100)), shouldRetry: () => true });
    const live = await subscribeLive(system.gateways[1].url, client, alice.token, room);
    const posters = ['a', 'b', 'c', 'd'].map((name) => poster(() => system.gateways[0].url, alice.token, room, name));
    const acknowledged = () => posters.reduce((sum, p) => sum + p.acknowledged.length, 0);
    await until('some messages', () => acknowledged() > 50);
    await doHarm(acknowledged);
    const before = acknowledged();
    await until('more messages after it', () => acknowledged() > before + 50, { timeoutMs: 30_000 });
    for (const p of posters) await p.stop();
    const all = await wholeRoom(system.gateways[0].url, alice.token, room);
    assertOnce(all, posters);
    return { all, live, client, posters };
  }

  // What a subscriber that stayed connected got is the log's end from where it began: no hole, no repeat, in order.
  async function assertFollowed(live, all) {
    const from = all.findIndex((message) => message.cursor === live.messages[0].cursor);
    assert.ok(from >= 0);
    const wanted = all.slice(from).map((message) => message.cursor);
    await until('all events', () => live.messages.length >= wanted.length, { timeoutMs: 15_000 }).catch(() => {});
    assert.deepEqual(live.messages.map((message) => message.cursor), wanted);
  }

  test('PostgreSQL killed and restarted', async () => {
    const { all, live, client } = await underLoad(async () => {
      await system.postgres.kill();
      await until('not ready', async () => !(await system.isReady(system.stores[0])));
      await system.postgres.start();
      await system.ready();
    });
    await assertFollowed(live, all);
    await client.dispose();
  });

  test('store killed and restarted', async () => {
    const { all, live, client } = await underLoad(async () => {
      await system.stores[0].restart();
      await system.ready();
    });
    await assertFollowed(live, all);
    await client.dispose();
  });

  test('store stopped in good order and restarted', async () => {
    const { all, live, client } = await underLoad(async () => {
      const exit = await system.stores[0].stop('SIGTERM');
      assert.deepEqual(exit, { code: 0, signal: null });
      system.stores[0].start();
      await system.ready();
    });
    await assertFollowed(live, all);
    await client.dispose();
  });

  test('gateway killed and restarted', async () => {
    const { client } = await underLoad(async () => {
      await system.gateways[0].restart();
      await system.ready();
    });
    await client.dispose();
  });

  test('the subscriber’s gateway killed: it resumes behind its last cursor', async () => {
    const room = randomUUID();
    const got = [];
    // What the page does: reconnect and go on with `after`.
    const follow = () => {
      const client = wsClient(system.gateways[1].wsUrl, alice.token);
      const subscriber = subscribe(client, { variables: { room, after: got.at(-1)?.cursor, last: got.length === 0 ? 500 : undefined } });
      return { client, subscriber };
    };
    const sent = [];
    const first = follow();
    for (let i = 0; i < 20; i++) sent.push(await create(system.gateways[0].url, alice.token, `x${i}`, { room }));
    await first.subscriber.wait(20);
    got.push(...first.subscriber.messages);
    await system.gateways[1].stop('SIGKILL');
    for (let i = 20; i < 40; i++) sent.push(await create(system.gateways[0].url, alice.token, `x${i}`, { room }));
    system.gateways[1].start();
    await system.ready();
    const second = follow();
    for (let i = 40; i < 60; i++) sent.push(await create(system.gateways[0].url, alice.token, `x${i}`, { room }));
    await second.subscriber.wait(40);
    got.push(...second.subscriber.messages);
    assert.deepEqual(got.map((m) => m.body), sent.map((m) => m.body));
    await second.client.dispose();
  });

  test('SIGTERM: WebSockets close with 1001, what runs is finished, exit 0 within 10 s', async () => {
    const [gateway] = system.gateways;
    let code;
    const client = wsClient(gateway.wsUrl, alice.token, { on: { closed: (event) => (code = event.code) } });
    const live = subscribe(client, { variables: { room: randomUUID(), last: 1 } });
    await until('connected', async () => metricSum(await metrics(gateway), 'parley_connections') >= 0 && !live.done);
    const pending = Array.from({ length: 50 }, (_, i) => post(gateway.url, { query: CREATE, variables: { body: `t${i}`, room: 'term' }, token: alice.token }).catch((error) => ({ error })));
    const start = Date.now();
    const stopped = gateway.stop('SIGTERM', 12_000);
    const answers = await Promise.all(pending);
    const exit = await stopped;
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.ok(Date.now() - start < 10_000);
    await until('closed', () => code !== undefined);
    assert.equal(code, 1001);
    for (const answer of answers) assert.ok(answer.data || answer.error || answer.errors, 'half an answer');
    gateway.start();
    await system.ready();
  });
});

describe('going away', () => {
  test('SIGTERM: no request on a kept-alive connection is lost', async () => {
    const system = await startSystem({ stores: 0, gateways: 0, postgres: false });
    try {
      system.options.services = [`nobody=ipc://${system.dir}/nobody.ipc`]; // {__typename} needs no service
      const gateway = (await system.addGateway()).start();
      await until('alive', async () => (await fetch(`${gateway.url}/livez`)).ok);
      const agents = Array.from({ length: 20 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
      const outcomes = { answered: 0, refused: 0, lost: [] };
      const ask = (by) =>
        new Promise((resolve) => {
          const request = http.get(`${gateway.url}/livez`, { agent: by }, (response) => response.resume().on('end', () => resolve('answered')));
          request.on('error', (error) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : error));
        });
      // Each goes on on its connection until a new one is refused: then the gateway has gone.
      const clients = agents.map(async (by) => {
        for (;;) {
          const outcome = await ask(by);
          if (outcome === 'answered') outcomes.answered += 1;
          else if (outcome === 'refused') return (outcomes.refused += 1);
          else return outcomes.lost.push(String(outcome));
        }
      });
      await until('some answers', () => outcomes.answered > 500);
      const exit = await gateway.stop('SIGTERM');
      await Promise.all(clients);
      for (const by of agents) by.destroy();
      assert.deepEqual(exit, { code: 0, signal: null });
      assert.deepEqual({ ...outcomes, answered: 0 }, { answered: 0, refused: 20, lost: [] });
    } finally {
      await system.stop();
    }
  });
});

describe('two gateways, two stores', () => {
  let system, alice;
  before(async () => {
    system = await startSystem({ gateways: 2, stores: 2, sharePort: true });
    alice = await signUp(system.url, handle('alice'));
  });
  after(() => system?.stop());

  test('the shared port: subscribers on each gateway see what is posted anywhere', async () => {
    const room = randomUUID();
    const clients = Array.from({ length: 12 }, () => wsClient(system.wsUrl, alice.token));
    const subscribers = [];
    for (const client of clients) subscribers.push(await subscribeLive(system.url, client, alice.token, room));
    await Promise.all(Array.from({ length: 300 }, (_, i) => create(system.url, alice.token, `p${i}`, { room })));
    const all = await wholeRoom(system.url, alice.token, room);
    for (const subscriber of subscribers) {
      const from = all.findIndex((message) => message.cursor === subscriber.messages[0].cursor);
      await subscriber.wait(all.length - from);
      assert.deepEqual(subscriber.messages.map((m) => m.cursor), all.slice(from).map((m) => m.cursor));
    }
    const open = await Promise.all(system.gateways.map(async (gateway) => metricSum(await metrics(gateway), 'parley_connections', 'graphql-transport-ws')));
    assert.equal(open[0] + open[1], 12, `connections by gateway: ${open}`);
    for (const client of clients) await client.dispose();
  });

  test('one store killed under load: nothing is lost, nobody sees more than latency', async () => {
    const room = randomUUID();
    const client = wsClient(system.wsUrl, alice.token);
    const live = await subscribeLive(system.url, client, alice.token, room);
    const posters = ['a', 'b', 'c', 'd'].map((name) => poster(() => system.url, alice.token, room, name));
    const count = () => posters.reduce((sum, p) => sum + p.acknowledged.length, 0);
    await until('some', () => count() > 50);
    await system.stores[0].stop('SIGKILL');
    const before = count();
    await until('more', () => count() > before + 100);
    system.stores[0].start();
    await system.ready();
    for (const p of posters) await p.stop();
    const all = await wholeRoom(system.url, alice.token, room);
    assertOnce(all, posters);
    assert.deepEqual(posters.flatMap((p) => p.errors), [], 'calls were retried on the sister');
    const from = all.findIndex((message) => message.cursor === live.messages[0].cursor);
    await live.wait(all.length - from);
    assert.deepEqual(live.messages.map((m) => m.cursor), all.slice(from).map((m) => m.cursor));
    await client.dispose();
  });
});

describe('tcp with CURVE', () => {
  test('the whole way over an encrypted bus', async () => {
    const system = await startSystem({ tcp: true, stores: 2 });
    try {
      const alice = await signUp(system.url);
      const client = wsClient(system.wsUrl, alice.token);
      const room = randomUUID();
      const live = await subscribeLive(system.url, client, alice.token, room);
      await create(system.url, alice.token, 'sealed', { room });
      await until('it', () => live.messages.at(-1).body === 'sealed');
      await client.dispose();
    } finally {
      await system.stop();
    }
  });
});
