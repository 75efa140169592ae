// Every dialect with the library that people use for it; AppSync's as Amplify puts it on the wire.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createClient as createSseClient } from 'graphql-sse';
import { parse } from 'graphql';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import { ADD, create, signUp } from './harness/client.mjs';
import { startSystem, until } from './harness/system.mjs';

let system, alice;
before(async () => {
  system = await startSystem({ gateways: 2 });
  alice = await signUp(system.url);
});
after(() => system?.stop());

const bodies = (messages) => messages.map((message) => message.body);
const post = (room, names) => names.reduce((done, body) => done.then(() => create(system.gateways[1].url, alice.token, body, { room })), Promise.resolve());

test('graphql-sse: distinct connections; what was before the cursor does not come again', async () => {
  const room = randomUUID();
  await post(room, ['one', 'two']);
  const client = createSseClient({ url: `${system.url}/graphql`, headers: { authorization: `Bearer ${alice.token}` }, retryAttempts: 0 });
  const got = [];
  const errors = [];
  const end = client.subscribe({ query: ADD, variables: { room, last: 1 } }, { next: ({ data }) => got.push(data.addMessage), error: (error) => errors.push(error), complete() {} });
  await until('the newest', () => got.length === 1);
  await post(room, ['three', 'four']);
  await until('all', () => got.length === 3);
  assert.deepEqual(bodies(got), ['two', 'three', 'four']);
  end();
  const refused = [];
  client.subscribe({ query: 'subscription { addMessage(room: "") { body } }' }, { next: (result) => refused.push(result), error: (error) => refused.push(error), complete: () => refused.push('end') });
  await until('refused', () => refused.length > 0);
  assert.deepEqual(errors, []);
  client.dispose();
});

test('server-sent events: id is the cursor, Last-Event-ID resumes and wins over after', async () => {
  const room = randomUUID();
  await post(room, ['a', 'b', 'c', 'd']);
  const open = (headers, variables) =>
    fetch(`${system.url}/graphql?${new URLSearchParams({ query: ADD, variables: JSON.stringify({ room, ...variables }) })}`, { headers: { accept: 'text/event-stream', authorization: `Bearer ${alice.token}`, ...headers } });
  const read = async (response, count) => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.split('event: next').length > count && text.endsWith('\n\n')) break;
    }
    return [...text.matchAll(/id: (\S+)\n[^]*?data: (\{.*\})/g)].map(([, id, json]) => ({ id, ...JSON.parse(json).data.addMessage }));
  };
  const first = await open({}, { last: 4 });
  assert.match(first.headers.get('content-type'), /^text\/event-stream/);
  const events = await read(first, 4);
  assert.deepEqual(bodies(events), ['a', 'b', 'c', 'd']);
  for (const event of events) assert.equal(event.id, event.cursor);
  const resumed = await read(await open({ 'last-event-id': events[1].id }, { after: events[2].cursor }), 2);
  assert.deepEqual(bodies(resumed), ['c', 'd']);
});

test('subscriptions-transport-ws', async () => {
  const room = randomUUID();
  const client = new SubscriptionClient(system.wsUrl, { connectionParams: { Authorization: `Bearer ${alice.token}` }, reconnect: false }, WebSocket);
  const got = [];
  const errors = [];
  const subscribe = (query, variables) => client.request({ query: parse(query), variables }).subscribe({ next: (result) => (result.errors ? errors.push(...result.errors) : got.push(result.data.addMessage)), error: (error) => errors.push(error) });
  subscribe(ADD, { room, last: 5 });
  subscribe('subscription { addMessage(room: "") { body } }');
  await until('refused alone', () => errors.length > 0);
  await post(room, ['x', 'y', 'z']);
  await until('all', () => got.length === 3);
  assert.deepEqual(bodies(got), ['x', 'y', 'z']);
  client.close();
});

test('AppSync’s real-time protocol as Amplify speaks it', async () => {
  const room = randomUUID();
  const header = Buffer.from(JSON.stringify({ Authorization: alice.token, host: '127.0.0.1' })).toString('base64url');
  const socket = new WebSocket(`${system.wsUrl}/realtime`, ['graphql-ws', `header-${header}`]);
  const got = [];
  socket.on('message', (text) => got.push(JSON.parse(text)));
  const wait = (what, matches) => until(what, () => got.find(matches));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  assert.equal(socket.protocol, 'graphql-ws');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  const ack = await wait('ack', ({ type }) => type === 'connection_ack');
  assert.equal(ack.payload.connectionTimeoutMs, 300000);
  const start = (id, query, variables, token = alice.token) =>
    socket.send(JSON.stringify({ id, type: 'start', payload: { data: JSON.stringify({ query, variables }), extensions: { authorization: { Authorization: token, host: '127.0.0.1' } } } }));
  start('1', ADD, { room });
  await wait('start_ack', ({ type, id }) => type === 'start_ack' && id === '1');
  await post(room, ['p', 'q']); // acknowledged: nothing is missed from here on
  await until('both', () => got.filter(({ type }) => type === 'data').length === 2);
  assert.deepEqual(got.filter(({ type }) => type === 'data').map(({ id, payload }) => [id, payload.data.addMessage.body]), [['1', 'p'], ['1', 'q']]);
  start('2', '{ __typename }');
  const query = await wait('queries are refused', ({ type, id }) => type === 'error' && id === '2');
  assert.ok(query.payload.errors[0].message);
  start('3', ADD, { room }, 'rubbish');
  const bad = await wait('bad tokens are refused', ({ type, id }) => type === 'error' && id === '3');
  assert.equal(bad.payload.errors[0].errorType, 'UnauthorizedException');
  socket.send(JSON.stringify({ id: '1', type: 'stop' }));
  await wait('complete', ({ type, id }) => type === 'complete' && id === '1');
  socket.close();
});

test('a message may have 1 MiB, and not one byte more', async () => {
  const LIMIT = 1024 * 1024;
  const connect = async () => {
    const socket = new WebSocket(system.wsUrl, 'graphql-transport-ws');
    const got = [];
    socket.on('message', (text) => got.push(JSON.parse(text)));
    socket.on('close', (code) => got.push({ type: 'close', code }));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${alice.token}` } }));
    await until('ack', () => got.length === 1);
    return { socket, got };
  };
  // JSON may end in blanks.
  const message = JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ __typename }' } });
  const { socket, got } = await connect();
  socket.send(message.padEnd(LIMIT));
  await until('the answer', () => got.length === 3);
  assert.deepEqual(got.slice(1), [{ id: '1', type: 'next', payload: { data: { __typename: 'Query' } } }, { id: '1', type: 'complete' }]);
  // In fragments, each of which is small enough.
  for (let sent = 0; sent < LIMIT; sent += LIMIT / 8) socket.send((sent === 0 ? message : '').padEnd(LIMIT / 8), { fin: sent + LIMIT / 8 === LIMIT });
  await until('the answer', () => got.length === 5);
  socket.close();
  const large = await connect();
  large.socket.send(message.padEnd(LIMIT + 1));
  await until('the close', () => large.got.length === 2);
  assert.deepEqual(large.got[1], { type: 'close', code: 1009 });
});
