// A service with streams of its own, in Python, behind two gateways. Where a subscription begins; and rights that the service takes
// back: from the event that says so on the one whom it names gets nothing more, live, from pages or out of a socket that had
// stalled, on any gateway; everybody else reads on.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { data, handle, signUp, subscribe, wsClient } from './harness/client.mjs';
import { Process, startSystem, until } from './harness/system.mjs';

const script = fileURLToPath(new URL('./services/log.py', import.meta.url));
const FOLLOW = 'subscription ($s: String!, $after: Int, $last: Int, $blind: Boolean! = false) { appended(stream: $s, after: $after, last: $last, blind: $blind) { seq sub } }';
const clients = [];
let system, alice, bob;

const ask = async (query, variables) => Object.values(await data(system.url, { query, variables, token: alice.token }))[0];
const append = (s, count = 1, bytes = 10, silent = false) =>
  ask('mutation ($s: String!, $n: Int!, $b: Int!, $silent: Boolean!) { append(stream: $s, count: $n, bytes: $b, silent: $silent) }', { s, n: count, b: bytes, silent });
const takeBack = (s, whom) => ask('mutation ($s: String!, $handle: String!, $sub: String, $silent: Boolean! = false) { takeBack(stream: $s, handle: $handle, sub: $sub, silent: $silent) }', { s, ...whom });

function connect(gateway, user) {
  const client = wsClient(system.gateways[gateway].wsUrl, user.token);
  clients.push(client);
  return client;
}
const follow = (client, variables) => subscribe(client, { query: FOLLOW, variables, field: 'appended' });
const seqs = (subscriber) => subscriber.messages.map((message) => message.seq);
const upTo = (n, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i);

async function forbidden(subscriber, expected) {
  await until('the end', () => subscriber.done);
  assert.deepEqual(subscriber.errors.flat().map((error) => error.extensions?.code), ['FORBIDDEN']);
  assert.deepEqual(seqs(subscriber), expected);
}

before(async () => {
  system = await startSystem({ gateways: 0 });
  const endpoints = [`ipc://${system.dir}/log.ipc`, `ipc://${system.dir}/log-events.ipc`];
  system.others.push(new Process('log', '/usr/bin/python3', [script, ...endpoints]).start());
  system.options.services = [`log=${endpoints[0]}`];
  for (let i = 0; i < 2; i++) (await system.addGateway()).start();
  await system.ready();
  alice = await signUp(system.url, handle('alice'));
  bob = await signUp(system.url, handle('bob'));
});
after(async () => {
  for (const client of clients) await client.dispose();
  await system?.stop();
});

// The gateway follows the stream already and has not heard of its newest entries.
for (const blind of [false, true]) {
  test(`from now on: nothing that was there before it was asked for; the service says ${blind ? 'not ' : ''}where`, async () => {
    const s = randomUUID();
    const client = connect(1, bob);
    const old = follow(client, { s, after: 0 });
    await append(s);
    await old.wait(1);
    assert.equal(await append(s, 3, 10, true), 4);
    const live = follow(client, { s, blind });
    let last = 4;
    await until('it is live', async () => {
      last = await append(s);
      return live.messages.length > 0;
    });
    await Promise.all([old.wait(last), until('the last one', () => seqs(live).at(-1) === last)]);
    assert.deepEqual(seqs(old), upTo(last));
    assert.ok(seqs(live)[0] > 4, `it began with ${seqs(live)[0]}`);
    assert.deepEqual(seqs(live), upTo(last, seqs(live)[0]));
  });
}

test('live, on each gateway; his other subscriptions and those of others go on', async () => {
  const [s, other] = [randomUUID(), randomUUID()];
  const his = [], others = [];
  for (const gateway of [0, 1]) {
    const client = connect(gateway, bob);
    his.push(follow(client, { s, after: 0 }));
    others.push(follow(client, { s: other, after: 0 }), follow(connect(gateway, alice), { s, after: 0 }));
  }
  await append(s, 3);
  await Promise.all([...his, others[1], others[3]].map((subscriber) => subscriber.wait(3)));
  assert.equal(await takeBack(s, { handle: bob.handle }), 4);
  await append(s, 3);
  await append(other, 2);
  for (const subscriber of his) await forbidden(subscriber, [1, 2, 3]);
  for (const [i, expected] of [[0, [1, 2]], [1, [1, 2, 3, 5, 6, 7]], [2, [1, 2]], [3, [1, 2, 3, 5, 6, 7]]]) {
    await others[i].wait(expected.length);
    assert.deepEqual(seqs(others[i]), expected);
    assert.equal(others[i].done, false);
  }
});

test('by `sub`, whatever the handle says', async () => {
  const s = randomUUID();
  await append(s);
  const [his, hers] = [follow(connect(0, bob), { s, after: 0 }), follow(connect(0, alice), { s, after: 0 })];
  await Promise.all([his.wait(1), hers.wait(1)]);
  await takeBack(s, { handle: bob.handle, sub: hers.messages[0].sub }); // who appends is alice
  await append(s);
  await forbidden(hers, [1]);
  await his.wait(2);
  assert.deepEqual(seqs(his), [1, 3]);
});

test('out of pages; and not again for one to whom the right was given anew', async () => {
  const s = randomUUID();
  await append(s, 300);
  await takeBack(s, { handle: bob.handle });
  await append(s, 300);
  const client = connect(0, bob);
  await forbidden(follow(client, { s, after: 0, blind: true }), upTo(300)); // nobody knows that it was given since
  const again = follow(client, { s, after: 200 });
  await again.wait(400);
  assert.deepEqual(seqs(again), [...upTo(300, 201), ...upTo(601, 302)]);
  const last = follow(client, { s, last: 350 });
  await last.wait(350);
  assert.deepEqual(seqs(last).slice(0, 51), [...upTo(300, 251), 302]);
  await takeBack(s, { handle: bob.handle });
  await forbidden(again, seqs(again));
  await forbidden(last, seqs(last));
  assert.equal(seqs(last).length, 350);
});

test('lost on its way: no event behind it passes it by', async () => {
  const s = randomUUID();
  const [his, hers] = [follow(connect(1, bob), { s, after: 0 }), follow(connect(1, alice), { s, after: 0 })];
  await append(s, 2);
  await Promise.all([his.wait(2), hers.wait(2)]);
  await takeBack(s, { handle: bob.handle, silent: true });
  await append(s, 2);
  await forbidden(his, [1, 2]);
  await hers.wait(4);
  assert.deepEqual(seqs(hers), [1, 2, 4, 5]);
});

test('a reader that had stalled gets what was before, then the end, and nothing behind it', async () => {
  const s = randomUUID();
  const socket = new WebSocket(system.gateways[0].wsUrl, 'graphql-transport-ws');
  const got = [];
  await new Promise((resolve) => socket.once('open', resolve));
  const send = (message) => socket.send(JSON.stringify(message));
  socket.on('message', (text) => got.push(JSON.parse(text)));
  send({ type: 'connection_init', payload: { Authorization: `Bearer ${bob.token}` } });
  send({ id: '1', type: 'subscribe', payload: { query: 'subscription ($s: String!) { appended(stream: $s, after: 0) { seq text } }', variables: { s } } });
  await append(s);
  await until('the first', () => got.some((message) => message.type === 'next'));
  socket.pause();
  for (let i = 0; i < 6; i++) await append(s, 100, 20_000); // 12 MB: more than sockets and the ring hold
  const revoke = await takeBack(s, { handle: bob.handle });
  await append(s, 50, 20_000);
  const fast = follow(connect(0, alice), { s, after: revoke });
  await fast.wait(50);
  socket.resume();
  await until('the end', () => got.at(-1).type === 'error');
  await new Promise((resolve) => setTimeout(resolve, 100)); // anything that comes now is wrong
  assert.deepEqual(got.filter(({ type }) => type === 'next').map(({ payload }) => payload.data.appended.seq), upTo(revoke - 1));
  assert.deepEqual(got.at(-1), { id: '1', type: 'error', payload: got.at(-1).payload });
  assert.equal(got.at(-1).payload[0].extensions.code, 'FORBIDDEN');
  assert.equal(socket.readyState, WebSocket.OPEN);
  socket.terminate();
});

test('an event stream says so and ends', async () => {
  const s = randomUUID();
  await append(s, 2);
  await takeBack(s, { handle: bob.handle });
  const query = new URLSearchParams({ query: FOLLOW, variables: JSON.stringify({ s, after: 0, blind: true }) });
  const response = await fetch(`${system.url}/graphql?${query}`, { headers: { accept: 'text/event-stream', authorization: `Bearer ${bob.token}` } });
  const text = await response.text();
  assert.deepEqual([...text.matchAll(/"seq":(\d+)/g)].map((match) => Number(match[1])), [1, 2]);
  assert.match(text, /FORBIDDEN/);
  assert.match(text, /event: complete\n/);
});
