// A subscription is a point in the log: from the moment on that it is acknowledged, or behind the cursor that it began with,
// nothing is missing and nothing comes twice, whichever gateway and store a message goes through.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../chaos/connections.mjs';
import { ADD, create, data, signUp, subscribe, wsClient } from './harness/client.mjs';
import { BIN, metrics, startSystem, until } from './harness/system.mjs';

const TIMES = 2000;
const LANES = 24;
const ARRIVES_MS = 10_000;

let system, alice;
before(async () => {
  system = await startSystem({ gateways: 2, stores: 2 });
  alice = await signUp(system.url);
});
after(() => system?.stop());

// One subscription on a connection of its own: {next(): the next message, acked, end()}.
function follow(dialect, variables, resume, gateway = system.gateways[0]) {
  const waiting = [];
  const got = [];
  let ack, fail;
  const failed = new Promise((_, reject) => (fail = (what) => reject(new Error(`${dialect}: ${what}`))));
  const acked = Promise.race([new Promise((resolve) => (ack = resolve)), failed]);
  acked.catch(() => {});
  const on = {
    ack,
    next: ({ data: { addMessage } }) => (waiting.length > 0 ? waiting.shift()(addMessage) : got.push(addMessage)),
    refused: (errors) => fail(JSON.stringify(errors)),
    end: (code) => fail(`the connection was closed (${code})`),
  };
  const end = DIALECTS[dialect]({ gateway, token: alice.token, query: ADD, variables, resume }, on);
  const late = setTimeout(() => fail(`nothing came for ${ARRIVES_MS} ms`), ARRIVES_MS);
  return {
    acked,
    next: () => Promise.race([got.length > 0 ? got.shift() : new Promise((resolve) => waiting.push(resolve)), failed]),
    end: () => {
      clearTimeout(late);
      end();
    },
  };
}

const post = (room, body) => create(system.gateways[1].url, alice.token, body, { room });

async function inLanes(times, work) {
  let next = 0;
  const lane = async () => {
    while (next < times) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

// What the moment is depends on the dialect: AppSync's start_ack; the head of an event stream; of graphql-transport-ws and
// graphql-ws, which acknowledge no subscription, the first message that `last` or `after` brings.
const MOMENTS = [
  ['AppSync', { isAcknowledged: true }],
  ['SSE', { isAcknowledged: true }],
  ['AppSync', { isAcknowledged: true }],
  ['graphql-transport-ws', { last: 1 }],
  ['SSE', { isAcknowledged: true }],
  ['graphql-ws', { last: 1 }],
];

describe('from the acknowledgement on', () => {
  test(`${TIMES} times: what is posted at that moment through another gateway arrives`, async () => {
    const rooms = Array.from({ length: 40 }, () => randomUUID());
    for (const room of rooms) await post(room, 'first');
    await inLanes(TIMES, async (i) => {
      const [dialect, { isAcknowledged, last }] = MOMENTS[i % MOMENTS.length];
      // Every other one in a room of its own, of which the gateway has never heard.
      const room = isAcknowledged && i % 4 < 2 ? randomUUID() : rooms[i % rooms.length];
      const subscription = follow(dialect, { room, last });
      try {
        await (isAcknowledged ? subscription.acked : subscription.next());
        const { cursor } = await post(room, `at once ${i}`);
        let message;
        do message = await subscription.next();
        while (message.cursor !== cursor && rooms.includes(room)); // others post there too
        assert.equal(message.cursor, cursor, `${dialect} in ${room}`);
      } finally {
        subscription.end();
      }
    });
  });
});

describe('behind a cursor', () => {
  // Posts until stopped; gives what was posted, in the order of the log.
  function load(room) {
    let isOver = false;
    const workers = Array.from({ length: 4 }, async (_, worker) => {
      const sent = [];
      for (let i = 0; !isOver; i++) sent.push(await post(room, `${worker} ${i}`));
      return sent;
    });
    return async () => {
      isOver = true;
      return (await Promise.all(workers)).flat().sort((a, b) => Buffer.compare(Buffer.from(a.cursor, 'base64url'), Buffer.from(b.cursor, 'base64url')));
    };
  }

  test('getMessages, then addMessage(after: its last cursor), under load: no hole and no overlap', async () => {
    const room = randomUUID();
    await post(room, 'the first');
    const stop = load(room);
    const dialects = Object.keys(DIALECTS);
    const seams = [];
    for (let i = 0; i < 60; i++) {
      const query = 'query ($room: String) { getMessages(room: $room, last: 20) { body cursor } }';
      const { getMessages: page } = await data(system.gateways[i % 2].url, { query, variables: { room }, token: alice.token });
      const subscription = follow(dialects[i % dialects.length], { room }, page.at(-1).cursor);
      const got = [...page];
      for (let n = 0; n < 10; n++) got.push(await subscription.next());
      subscription.end();
      seams.push(got.map(({ cursor }) => cursor));
    }
    const log = ['', ...(await stop()).map(({ cursor }) => cursor)];
    for (const cursors of seams) {
      const from = log.indexOf(cursors.find((cursor) => log.includes(cursor)));
      const known = cursors.slice(cursors.findIndex((cursor) => log.includes(cursor)));
      assert.deepEqual(known, log.slice(from, from + known.length));
      assert.ok(cursors.length - known.length <= 1, 'only what was there before the load is not of the load');
    }
  });

  test('many that come back at different places while others write: each goes on exactly there', async () => {
    const room = randomUUID();
    for (let i = 0; i < 300; i++) await post(room, `before ${i}`);
    const query = 'query ($room: String) { getMessages(room: $room, first: 500) { cursor } }';
    const { getMessages: old } = await data(system.url, { query, variables: { room }, token: alice.token });
    const stop = load(room);
    const ways = Array.from({ length: 40 }, async (_, i) => {
      const place = i * 7;
      const subscription = follow(Object.keys(DIALECTS)[i % 4], { room }, old[place].cursor, system.gateways[(i >> 2) % 2]);
      const got = [];
      while (got.length < 320 - place) got.push((await subscription.next()).cursor);
      subscription.end();
      return { place, got };
    });
    const results = await Promise.all(ways);
    const log = [...old, ...(await stop())].map(({ cursor }) => cursor);
    for (const { place, got } of results) assert.deepEqual(got, log.slice(place + 1, place + 1 + got.length));
  });
});

describe('cursors that cannot be served', () => {
  // What the subscription is told, in any dialect.
  const refusal = (dialect, variables, resume) =>
    new Promise((resolve, reject) => {
      const on = { ack() {}, next: (result) => reject(new Error(`${dialect} got ${JSON.stringify(result)}`)), refused: resolve, end: () => reject(new Error(`${dialect}: closed without a word`)) };
      DIALECTS[dialect]({ gateway: system.gateways[0], token: alice.token, query: ADD, variables, resume }, on);
      setTimeout(() => reject(new Error(`${dialect}: silence`)), ARRIVES_MS).unref();
    });

  test('each has its code, in every dialect, and nothing else is said', async () => {
    const room = randomUUID();
    const { cursor } = await post(room, 'one');
    const { cursor: foreign } = await post(randomUUID(), 'elsewhere');
    const changed = (at, bytes) => {
      const raw = Buffer.from(cursor, 'base64url');
      Buffer.from(bytes).copy(raw, at);
      return raw.toString('base64url');
    };
    const cases = [
      ['malformed', 'rubbish', 'BAD_USER_INPUT'],
      ['of another room', foreign, 'BAD_USER_INPUT'],
      ['of the future', changed(24, [2]), 'CURSOR_EXPIRED'],
      ['of another epoch', changed(1, [0, 0, 0, 0, 0, 0, 0, 1]), 'CURSOR_EXPIRED'],
    ];
    for (const dialect of Object.keys(DIALECTS))
      for (const [what, bad, code] of cases) {
        const errors = await refusal(dialect, { room }, bad);
        assert.equal(errors[0].extensions.code, code, `${dialect}, ${what}: ${JSON.stringify(errors)}`);
      }
  });

  test('a log that was restored: whoever is connected is told, and so is whoever comes back', async () => {
    const room = randomUUID();
    const { cursor } = await post(room, 'one');
    const client = wsClient(system.wsUrl, alice.token);
    const subscriber = subscribe(client, { variables: { room, last: 1 } });
    await subscriber.wait(1);
    execFileSync(path.join(BIN, 'parley-store'), ['epoch', 'new'], { env: { ...process.env, PARLEY_DATABASE_URL: system.databaseUrl } });
    for (const store of system.stores) await store.restart();
    await system.ready();
    await until('the end', () => subscriber.done, { timeoutMs: 30_000 });
    assert.equal(subscriber.errors[0][0].extensions.code, 'CURSOR_EXPIRED');
    const errors = await refusal('graphql-transport-ws', { room }, cursor);
    assert.equal(errors[0].extensions.code, 'CURSOR_EXPIRED');
    // It begins anew, and what is in the log is there.
    const anew = subscribe(client, { variables: { room, last: 1 } });
    await anew.wait(1);
    assert.equal(anew.messages[0].body, 'one');
    await client.dispose();
  });
});

describe('sending', () => {
  test('with io_uring, where there is one, and without: the same arrives', async () => {
    assert.equal((await metrics(system.gateways[1])).get('parley_io_uring'), 0);
    const room = randomUUID();
    const all = Array.from({ length: 24 }, (_, i) => follow(Object.keys(DIALECTS)[i % 4], { room, last: 1 }, undefined, system.gateways[(i >> 2) % 2]));
    const { cursor } = await post(room, 'first');
    for (const subscription of all) assert.equal((await subscription.next()).cursor, cursor);
    const posted = await Promise.all(Array.from({ length: 100 }, (_, i) => post(room, `${i} ${'x'.repeat(i * 20)}`)));
    const log = posted.map(({ cursor }) => cursor).sort((a, b) => Buffer.compare(Buffer.from(a, 'base64url'), Buffer.from(b, 'base64url')));
    for (const subscription of all) {
      for (const expected of log) assert.equal((await subscription.next()).cursor, expected);
      subscription.end();
    }
  });
});

describe('streams', () => {
  test('the longest name that a room may have', async () => {
    const room = '😀'.repeat(128);
    const client = wsClient(system.wsUrl, alice.token);
    const subscriber = subscribe(client, { variables: { room, last: 5 } });
    await post(room, 'one');
    await subscriber.wait(1, 5000);
    await post(room, 'two');
    await subscriber.wait(2, 5000);
    assert.deepEqual(subscriber.messages.map(({ body }) => body), ['one', 'two']);
    assert.equal(subscriber.messages[0].room, room);
    await client.dispose();
  });
});
