// Fields of one service's type that another service resolves: one call for all parents, in queries, mutations and the payloads of
// subscriptions, live, resumed and replayed, with the other service slow, wrong, away and back.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { create, data, handle, post, signUp, subscribe, wsClient } from './harness/client.mjs';
import { Process, startSystem, until } from './harness/system.mjs';

const script = fileURLToPath(new URL('./services/profiles.py', import.meta.url));
const TIMEOUT_MS = 2500;
const AUTHOR = 'author { handle viewer shout }';
const FOLLOW = `subscription ($room: String, $after: String) { addMessage(room: $room, after: $after) { body cursor ${AUTHOR} } }`;
const PLAIN = 'subscription ($room: String, $after: String) { addMessage(room: $room, after: $after) { body cursor } }';

let system, alice, bob, profiles, endpoint;
const clients = [];

function startProfiles() {
  profiles = new Process('profiles', '/usr/bin/python3', [script, endpoint]);
  system.others.push(profiles);
  return profiles.start();
}

const areThere = () => post(system.url, { query: '{ profileCalls }' }).then((answer) => Array.isArray(answer.data?.profileCalls));
const calls = async () => (await data(system.url, { query: '{ profileCalls }' })).profileCalls;
const mode = (name, ms = 0) => data(system.url, { query: 'mutation ($m: String!, $ms: Int!) { profileMode(mode: $m, ms: $ms) }', variables: { m: name, ms } });

// A room with one message, behind which subscriptions begin: whatever is posted from then on comes.
async function newRoom() {
  const room = randomUUID();
  const first = await create(system.url, alice.token, 'first', { room });
  return { room, after: first.cursor };
}

function follow(user, place, query = FOLLOW) {
  const client = wsClient(system.wsUrl, user.token);
  clients.push(client);
  return subscribe(client, { query, variables: place });
}

const author = (message, viewer = 'alice') => ({ handle: message.handle, viewer: { alice, bob }[viewer].handle, shout: `${message.handle.toUpperCase()}!` });

async function postSome(room, count, name = 'm') {
  const sent = [];
  for (let i = 0; i < count; i++) sent.push(await create(system.url, i % 2 ? bob.token : alice.token, `${name}${i}`, { room }));
  return sent;
}

before(async () => {
  system = await startSystem({ gateways: 0 });
  endpoint = `ipc://${system.dir}/profiles.ipc`;
  system.options.services = [`profiles=${endpoint}`];
  system.options.gatewayArgs = ['--call-timeout-ms', String(TIMEOUT_MS)];
  startProfiles();
  (await system.addGateway()).start();
  await system.ready();
  alice = await signUp(system.url, handle('alice'));
  bob = await signUp(system.url, handle('bob'));
});
beforeEach(async () => {
  await mode('ok');
  await calls();
});
after(async () => {
  for (const client of clients) await client.dispose();
  await system?.stop();
});

describe('queries and mutations', () => {
  test('one call for all parents of a list, one for each level', async () => {
    const { room } = await newRoom();
    await postSome(room, 19);
    const { getMessages } = await data(system.url, { query: `query ($room: String) { getMessages(room: $room) { body handle ${AUTHOR} } }`, variables: { room }, token: alice.token });
    assert.equal(getMessages.length, 20);
    for (const message of getMessages) assert.deepEqual(message.author, author(message));
    assert.deepEqual(await calls(), [20]);
  });

  test('the payload of a mutation', async () => {
    const { createMessage } = await data(system.url, { query: `mutation { createMessage(body: "x", room: "${randomUUID()}") { handle ${AUTHOR} } }`, token: bob.token });
    assert.deepEqual(createMessage.author, author(createMessage, 'bob'));
    assert.deepEqual(await calls(), [1]);
  });
});

describe('subscriptions', () => {
  test('once for all who ask alike, and for each identity its own', async () => {
    const place = await newRoom();
    const alike = [follow(alice, place), follow(alice, place), follow(alice, place)];
    const other = follow(bob, place);
    const sent = await postSome(place.room, 10);
    for (const subscriber of [...alike, other]) {
      await subscriber.wait(10);
      assert.deepEqual(subscriber.messages.map((m) => m.body), sent.map((m) => m.body));
      assert.deepEqual(subscriber.results.map((r) => r.extensions.cursor), sent.map((m) => m.cursor));
      assert.deepEqual(subscriber.errors, []);
    }
    for (const { messages } of alike) assert.deepEqual(messages.map((m) => m.author), sent.map((m) => author(m)));
    assert.deepEqual(other.messages.map((m) => m.author), sent.map((m) => author(m, 'bob')));
    assert.deepEqual(await calls(), Array(20).fill(1)); // 10 events, 2 identities
  });

  test('resumed behind a cursor, from pages, then live', async () => {
    const place = await newRoom();
    const sent = [];
    for (let i = 0; i < 6; i++) sent.push(...(await Promise.all(Array.from({ length: 50 }, (_, n) => create(system.url, bob.token, `${i}-${n}`, { room: place.room })))));
    const first = follow(alice, place);
    await first.wait(300);
    const middle = first.messages[149].cursor;
    const live = await postSome(place.room, 3, 'live');
    await first.wait(303);
    const resumed = follow(alice, { room: place.room, after: middle });
    await resumed.wait(153);
    assert.equal(new Set(first.messages.map((m) => m.body)).size, 303);
    assert.deepEqual(resumed.messages, first.messages.slice(150));
    assert.deepEqual(first.messages.slice(300).map((m) => m.body), live.map((m) => m.body));
    for (const m of first.messages) assert.ok(m.author.shout.endsWith('!'));
    assert.deepEqual([...first.errors, ...resumed.errors], []);
  });

  test('an error of the service is an error of the field, of the call or of one parent', async () => {
    const place = await newRoom();
    const subscriber = follow(alice, place);
    await mode('error');
    const [one] = await postSome(place.room, 1);
    await subscriber.wait(1);
    await mode('items');
    await postSome(place.room, 1);
    await subscriber.wait(2);
    await mode('ok');
    const [three] = await postSome(place.room, 1);
    await subscriber.wait(3);
    const [first, second, third] = subscriber.results;
    assert.deepEqual(first.data.addMessage, { body: one.body, cursor: one.cursor, author: null });
    assert.deepEqual(first.errors[0].path, ['addMessage', 'author']);
    assert.deepEqual(first.errors[0].extensions, { code: 'RATE_LIMITED', retryAfterMs: 10 });
    assert.equal(first.extensions.cursor, one.cursor);
    assert.equal(second.errors[0].extensions.code, 'NOT_FOUND');
    assert.match(second.errors[0].message, /nobody knows/);
    assert.equal(third.errors, undefined);
    assert.deepEqual(third.data.addMessage.author, author(three));
  });

  test('a slow service: its subscriptions come later, in order; no other waits', async () => {
    const place = await newRoom();
    const [slow, plain] = [follow(alice, place), follow(alice, place, PLAIN)];
    await mode('ok', 100);
    const start = Date.now();
    await Promise.all(Array.from({ length: 30 }, (_, i) => create(system.url, bob.token, `s${i}`, { room: place.room })));
    await plain.wait(30);
    const took = Date.now() - start;
    const behind = slow.messages.length;
    assert.ok(took < 30 * 100, `the others had to wait: ${took} ms`);
    assert.ok(behind <= took / 100 + 1, `${behind} in ${took} ms`);
    await slow.wait(30);
    assert.deepEqual(slow.messages.map((m) => m.body), plain.messages.map((m) => m.body));
    assert.deepEqual(slow.errors, []);
  });

  test('a service that is away: an error after the deadline; nothing is lost, and no order', async () => {
    const place = await newRoom();
    const [asking, plain] = [follow(alice, place), follow(bob, place, PLAIN)];
    const [first] = await postSome(place.room, 1);
    await Promise.all([asking.wait(1), plain.wait(1)]);
    await profiles.stop('SIGKILL');
    const start = Date.now();
    const lacking = await postSome(place.room, 3, 'lacking');
    await plain.wait(4);
    assert.ok(Date.now() - start < TIMEOUT_MS - 200, 'no other waits');
    assert.equal(asking.messages.length, 1);
    await asking.wait(4);
    assert.ok(Date.now() - start > TIMEOUT_MS - 200 && Date.now() - start < TIMEOUT_MS + 4000, `${Date.now() - start} ms`);
    for (const result of asking.results.slice(1)) {
      assert.equal(result.data.addMessage.author, null);
      assert.equal(result.errors[0].extensions.code, 'UNAVAILABLE');
      assert.deepEqual(result.errors[0].path, ['addMessage', 'author']);
    }
    startProfiles();
    await until('the service to be used again', areThere);
    const [last] = await postSome(place.room, 1, 'back');
    await asking.wait(5);
    assert.deepEqual(asking.messages.map((m) => m.body), [first, ...lacking, last].map((m) => m.body));
    assert.deepEqual(asking.messages[4].author, author(last));
    const late = follow(alice, place); // who comes now does not get the errors of then
    await late.wait(5);
    assert.deepEqual(late.errors, []);
  });

  test('one that is back before the deadline leaves no trace', async () => {
    const place = await newRoom();
    const asking = follow(alice, place);
    const [first] = await postSome(place.room, 1);
    await asking.wait(1);
    await profiles.stop('SIGKILL');
    const [second] = await postSome(place.room, 1, 'meanwhile');
    startProfiles();
    await asking.wait(2);
    assert.deepEqual(asking.messages.map((m) => m.author), [author(first), author(second)]);
    assert.deepEqual(asking.errors, []);
  });
});
