// The main job: accounts, messages, pages, subscriptions, over the clients that people use.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { ApolloClient, InMemoryCache, gql, split, HttpLink } from '@apollo/client/core/index.js';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js';
import { getMainDefinition } from '@apollo/client/utilities/index.js';
import { GraphQLClient } from 'graphql-request';
import { buildClientSchema, getIntrospectionQuery, printSchema, parse, buildSchema } from 'graphql';
import { ADD, CREATE, create, data, handle, post, signUp, subscribe, subscribeLive, wsClient } from './harness/client.mjs';
import { metrics, startSystem, until } from './harness/system.mjs';

let system, alice;
before(async () => {
  system = await startSystem();
  alice = await signUp(system.url, handle('alice'));
});
after(() => system?.stop());

const GET = `query ($room: String, $filter: String, $first: Int, $after: String, $last: Int, $before: String) {
  getMessages(room: $room, filter: $filter, first: $first, after: $after, last: $last, before: $before) { messageId body cursor handle createdAt room }
}`;

async function get(variables) {
  return (await data(system.url, { query: GET, variables, token: alice.token })).getMessages;
}

async function refused(options, code) {
  const answer = await post(system.url, options);
  assert.equal(answer.errors?.[0]?.extensions?.code, code, JSON.stringify(answer.errors));
  return answer;
}

describe('accounts', () => {
  test('sign up, me, sign in, refresh, sign out', async () => {
    const name = handle('Bob');
    const session = await signUp(system.url, name);
    assert.equal(session.handle, name);
    const expires = Date.parse(session.expiresAt) - Date.now();
    assert.ok(expires > 55 * 60_000 && expires <= 61 * 60_000, session.expiresAt);
    const { me } = await data(system.url, { query: '{ me { handle email createdAt } }', token: session.token });
    assert.equal(me.handle, name);

    const signIn = 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token refreshToken handle } }';
    const again = await data(system.url, { query: signIn, variables: { h: name.toUpperCase(), p: 'correct horse 1' } });
    assert.equal(again.signIn.handle, name, 'handles are the same whatever the case');
    await refused({ query: signIn, variables: { h: name, p: 'wrong horse 1' } }, 'UNAUTHENTICATED');
    await refused({ query: signIn, variables: { h: handle('nobody'), p: 'correct horse 1' } }, 'UNAUTHENTICATED');

    const refresh = (token) => ({ query: 'mutation ($t: String!) { refreshSession(refreshToken: $t) { token refreshToken } }', variables: { t: token } });
    const first = (await data(system.url, refresh(again.signIn.refreshToken))).refreshSession;
    assert.notEqual(first.refreshToken, again.signIn.refreshToken);
    const lost = (await data(system.url, refresh(again.signIn.refreshToken))).refreshSession;
    assert.ok(lost.token, 'the previous one works for 60 s more');
    assert.equal((await data(system.url, { query: '{ me { handle } }', token: first.token })).me.handle, name);

    const out = await data(system.url, { query: 'mutation { signOut }', token: session.token });
    assert.equal(out.signOut, true);
    await refused(refresh(session.refreshToken), 'UNAUTHENTICATED');
    await refused(refresh('x'.repeat(60)), 'UNAUTHENTICATED');
  });

  test('a handle is unique whatever the case; rules are named', async () => {
    const name = handle('Carol');
    await signUp(system.url, name);
    const query = 'mutation ($h: String!, $p: String!, $e: String) { signUp(handle: $h, password: $p, email: $e) { handle } }';
    await refused({ query, variables: { h: name.toLowerCase(), p: 'correct horse 1' } }, 'CONFLICT');
    for (const [variables, argument] of [
      [{ h: '', p: 'correct horse 1' }, 'handle'],
      [{ h: 'x'.repeat(65), p: 'correct horse 1' }, 'handle'],
      [{ h: 'a\u0007b', p: 'correct horse 1' }, 'handle'],
      [{ h: handle(), p: 'short1' }, 'password'],
      [{ h: handle(), p: 'NO LOWER 1' }, 'password'],
      [{ h: handle(), p: 'no digit here' }, 'password'],
      [{ h: handle(), p: 'correct horse 1', e: 'no-address' }, 'email'],
    ]) {
      const answer = await refused({ query, variables }, 'BAD_USER_INPUT');
      assert.equal(answer.errors[0].extensions.argument, argument);
      assert.deepEqual(answer.errors[0].path, ['signUp']);
      assert.equal(answer.data, null);
    }
  });

  test('no token, a bad token: 401 and no data; public fields need none', async () => {
    for (const token of [undefined, 'rubbish', `${alice.token}x`]) {
      const answer = await refused({ query: '{ getMessages { body } }', token }, 'UNAUTHENTICATED');
      assert.equal(answer.status, 401);
      assert.ok(!('data' in answer));
    }
    assert.equal((await data(system.url, { query: '{ __typename }' })).__typename, 'Query');
    const bare = await post(system.url, { query: '{ me { handle } }', headers: { authorization: alice.token } });
    assert.equal(bare.data.me.handle, alice.handle, 'the bare token, as Amplify sends it');
  });
});

describe('messages', () => {
  test('the seed’s operations verbatim', async () => {
    const sent = await data(system.url, { query: 'mutation { createMessage(body: "hello") { messageId body createdAt handle } }', token: alice.token });
    assert.equal(sent.createMessage.body, 'hello');
    assert.equal(sent.createMessage.handle, alice.handle);
    assert.match(sent.createMessage.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(sent.createMessage.messageId, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const read = await data(system.url, { query: '{ getMessages(filter: "") { messageId body createdAt handle } }', token: alice.token });
    assert.deepEqual(read.getMessages.at(-1), sent.createMessage);
  });

  test('a message keeps its text exactly', async () => {
    const room = randomUUID();
    for (const body of ['<script>alert(1)</script>', 'é😀\u2028\u2029"\\\n\t\u0001', ' spaces ', 'x'.repeat(65536), '%_\\'])
      assert.equal((await create(system.url, alice.token, body, { room })).body, body);
    const bodies = (await get({ room })).map((message) => message.body);
    assert.deepEqual(bodies.slice(0, 3), ['<script>alert(1)</script>', 'é😀\u2028\u2029"\\\n\t\u0001', ' spaces ']);
  });

  test('pages with cursors, without hole or overlap', async () => {
    const room = randomUUID();
    for (let i = 0; i < 25; i++) await create(system.url, alice.token, `m${i}`, { room });
    const all = await get({ room });
    assert.deepEqual(all.map((m) => m.body), Array.from({ length: 25 }, (_, i) => `m${i}`));
    const forward = [];
    for (let cursor; ; ) {
      const page = await get({ room, first: 10, after: cursor });
      forward.push(...page);
      if (page.length < 10) break;
      cursor = page.at(-1).cursor;
    }
    assert.deepEqual(forward, all);
    const backward = [];
    for (let cursor; ; ) {
      const page = await get({ room, last: 7, before: cursor });
      backward.unshift(...page);
      if (page.length < 7) break;
      cursor = page[0].cursor;
    }
    assert.deepEqual(backward, all);
    assert.deepEqual((await get({ room, first: 2, after: all[3].cursor, before: all[20].cursor })).map((m) => m.body), ['m4', 'm5']);
    assert.deepEqual(await get({ room: randomUUID() }), []);
  });

  test('without paging arguments: the newest 100, oldest first', async () => {
    const room = randomUUID();
    await Promise.all(Array.from({ length: 120 }, (_, i) => create(system.url, alice.token, `n${i}`, { room })));
    const page = await get({ room });
    assert.equal(page.length, 100);
    assert.deepEqual(await get({ room, last: 100 }), page);
    assert.equal((await get({ room, first: 500 })).length, 120);
  });

  test('filter is a case-insensitive piece of the body; % and _ are plain', async () => {
    const room = randomUUID();
    for (const body of ['Hello World', 'hello_world', '100% sure', 'back\\slash', 'ÉCOLE']) await create(system.url, alice.token, body, { room });
    const found = async (filter) => (await get({ room, filter })).map((m) => m.body);
    assert.deepEqual(await found('HELLO'), ['Hello World', 'hello_world']);
    assert.deepEqual(await found('_'), ['hello_world']);
    assert.deepEqual(await found('%'), ['100% sure']);
    assert.deepEqual(await found('\\'), ['back\\slash']);
    assert.deepEqual(await found('école'), ['ÉCOLE']);
    assert.deepEqual(await found('nothing'), []);
  });

  test('messageId makes a repetition harmless', async () => {
    const room = randomUUID(), id = randomUUID();
    const first = await create(system.url, alice.token, 'once', { room, id: id.toUpperCase() });
    assert.equal(first.messageId, id);
    assert.deepEqual(await create(system.url, alice.token, 'once', { room, id }), first);
    const both = await Promise.all(Array.from({ length: 8 }, () => create(system.url, alice.token, 'burst', { room, id: '00000000-0000-4000-8000-000000000001' })));
    for (const message of both) assert.deepEqual(message, both[0]);
    const bob = await signUp(system.url);
    await refused({ query: CREATE, variables: { body: 'mine', room, id }, token: bob.token }, 'CONFLICT');
    assert.deepEqual((await get({ room })).map((m) => m.body), ['once', 'burst']);
    assert.equal((await create(system.url, bob.token, 'other room', { room: randomUUID(), id })).messageId, id, 'unique per room');
  });

  test('every refused input names argument and rule', async () => {
    const room = randomUUID();
    const [one] = [await create(system.url, alice.token, 'x', { room })];
    const cases = [
      [{ query: CREATE, variables: { body: '' } }, 'body'],
      [{ query: CREATE, variables: { body: 'x'.repeat(65537) } }, 'body'],
      [{ query: CREATE, variables: { body: 'a\u0000b' } }, 'body'],
      [{ query: CREATE, variables: { body: 'x', room: '' } }, 'room'],
      [{ query: CREATE, variables: { body: 'x', room: 'r'.repeat(129) } }, 'room'],
      [{ query: CREATE, variables: { body: 'x', id: 'no-uuid' } }, 'messageId'],
      [{ query: GET, variables: { room, first: 501 } }, 'first'],
      [{ query: GET, variables: { room, first: -1 } }, 'first'],
      [{ query: GET, variables: { room, last: 501 } }, 'last'],
      [{ query: GET, variables: { room, after: 'rubbish' } }, 'after'],
      [{ query: GET, variables: { room: randomUUID(), after: one.cursor } }, 'after'],
    ];
    for (const [options, argument] of cases) {
      const answer = await refused({ ...options, token: alice.token }, 'BAD_USER_INPUT');
      assert.equal(answer.errors[0].extensions.argument, argument, JSON.stringify(answer.errors));
      assert.ok(answer.errors[0].message.includes(argument), answer.errors[0].message);
    }
    assert.equal((await create(system.url, alice.token, 'ok', { room: 'r'.repeat(128) })).room.length, 128);
    assert.equal((await create(system.url, alice.token, 'ok', { room: 'ü'.repeat(128) })).room.length, 128);
  });
});

describe('the language', () => {
  test('variables, aliases, fragments, directives, null propagation, errors', async () => {
    const room = randomUUID();
    await create(system.url, alice.token, 'x', { room });
    const answer = await post(system.url, {
      token: alice.token,
      operationName: 'Q',
      query: `query Q($room: String = "nowhere", $no: Boolean!) {
        a: getMessages(room: $room) { ...M }
        b: getMessages(room: $room) { cursor @skip(if: true) body @include(if: $no) room __typename }
        ... on Query { me { handle } }
      }
      fragment M on Message { text: body ...N }
      fragment N on Message { who: handle }`,
      variables: { room, no: false },
    });
    assert.deepEqual(answer.data, { a: [{ text: 'x', who: alice.handle }], b: [{ room, __typename: 'Message' }], me: { handle: alice.handle } });
    const partial = await post(system.url, {
      token: alice.token,
      query: '{ me { handle } bad: getMessages(first: 900) { body } }',
    });
    assert.equal(partial.data, null, 'getMessages is non-null, so its error takes the data');
    assert.deepEqual(partial.errors[0].path, ['bad']);
    assert.ok(partial.errors[0].locations[0].line === 1);
    for (const [query, variables, code] of [
      ['{ getMessages(', undefined, 'GRAPHQL_PARSE_FAILED'],
      ['{ nope }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['query ($n: Int!) { getMessages(first: $n) { body } }', { n: 'x' }, 'BAD_USER_INPUT'],
    ]) {
      const bad = await post(system.url, { token: alice.token, query, variables, headers: { accept: 'application/graphql-response+json' } });
      assert.equal(bad.errors[0].extensions.code, code, JSON.stringify(bad));
      assert.ok(bad.errors[0].locations.length > 0);
      assert.ok(!('data' in bad));
      assert.equal(bad.status, 400);
    }
  });

  test('mutations run one after the other', async () => {
    const room = randomUUID();
    const fields = Array.from({ length: 20 }, (_, i) => `m${i}: createMessage(body: "${i}", room: "${room}") { body }`);
    await data(system.url, { query: `mutation { ${fields.join(' ')} }`, token: alice.token });
    assert.deepEqual((await get({ room })).map((m) => m.body), Array.from({ length: 20 }, (_, i) => String(i)));
  });

  test('introspection serves buildClientSchema', async () => {
    const result = await data(system.url, { query: getIntrospectionQuery({ specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true }) });
    const printed = printSchema(buildClientSchema(result));
    assert.match(printed, /createMessage\(/);
    assert.match(printed, /scalar AWSDateTime/);
    parse(printed);
    buildSchema(printed);
  });
});

describe('delivery', () => {
  test('graphql-ws: each message once, in order, the sender’s own too', async () => {
    const room = randomUUID();
    const client = wsClient(system.wsUrl, alice.token);
    const a = await subscribeLive(system.url, client, alice.token, room);
    const b = await subscribeLive(system.url, client, alice.token, room);
    const sent = await Promise.all(Array.from({ length: 200 }, (_, i) => create(system.url, alice.token, `s${i}`, { room })));
    const wanted = await get({ room, first: 500 });
    const tail = (subscriber) => subscriber.messages.map((m) => m.cursor);
    for (const subscriber of [a, b]) {
      const from = wanted.findIndex((m) => m.cursor === subscriber.messages[0].cursor);
      assert.ok(from >= 0);
      await subscriber.wait(wanted.length - from);
      assert.deepEqual(tail(subscriber), wanted.slice(from).map((m) => m.cursor));
    }
    assert.equal(sent.length, 200);
    for (const result of a.results) assert.equal(result.extensions.cursor, result.data.addMessage.cursor);
    a.end();
    await create(system.url, alice.token, 'after the end', { room });
    await b.wait(b.messages.length);
    await until('the other still gets it', () => b.messages.at(-1).body === 'after the end');
    assert.notEqual(a.messages.at(-1).body, 'after the end');
    await client.dispose();
  });

  test('last: the newest n, then live; after: everything behind a cursor', async () => {
    const room = randomUUID();
    const sent = [];
    for (let i = 0; i < 10; i++) sent.push(await create(system.url, alice.token, `h${i}`, { room }));
    const client = wsClient(system.wsUrl, alice.token);
    const last = subscribe(client, { variables: { room, last: 3 } });
    const behind = subscribe(client, { variables: { room, after: sent[1].cursor } });
    await last.wait(3);
    await behind.wait(8);
    await create(system.url, alice.token, 'h10', { room });
    await last.wait(4);
    await behind.wait(9);
    assert.deepEqual(last.messages.map((m) => m.body), ['h7', 'h8', 'h9', 'h10']);
    assert.deepEqual(behind.messages.map((m) => m.body), ['h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h8', 'h9', 'h10']);
    await client.dispose();
  });

  test('queries and mutations over the socket; a refused operation fails alone', async () => {
    const room = randomUUID();
    const client = wsClient(system.wsUrl, alice.token);
    const live = await subscribeLive(system.url, client, alice.token, room);
    const bad = subscribe(client, { query: 'subscription { addMessage(room: "") { body } }' });
    const worse = subscribe(client, { query: 'subscription { nothing }' });
    await until('both refused', () => bad.errors.length > 0 && worse.errors.length > 0);
    const mutation = subscribe(client, { query: CREATE, variables: { body: 'over the socket', room }, field: 'createMessage' });
    await until('the mutation', () => mutation.done);
    assert.equal(mutation.messages[0].body, 'over the socket');
    await until('its event', () => live.messages.at(-1).body === 'over the socket');
    await client.dispose();
  });

  test('a socket without a token may only what is public', async () => {
    const client = wsClient(system.wsUrl, undefined);
    const refusedOne = subscribe(client, { query: ADD });
    await until('refused', () => refusedOne.errors.length > 0);
    const typename = subscribe(client, { query: '{ __typename }', field: '__typename' });
    await until('answered', () => typename.done);
    assert.deepEqual(typename.messages, ['Query']);
    await client.dispose();
  });
});

describe('clients', () => {
  test('@apollo/client over HTTP and WebSocket', async () => {
    const room = randomUUID();
    const socket = wsClient(system.wsUrl, alice.token);
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: split(
        ({ query }) => getMainDefinition(query).operation === 'subscription',
        new GraphQLWsLink(socket),
        new HttpLink({ uri: `${system.url}/graphql`, headers: { authorization: `Bearer ${alice.token}` } }),
      ),
    });
    const got = [];
    const subscription = client.subscribe({ query: gql(ADD), variables: { room, last: 50 } }).subscribe({ next: (result) => got.push(result.data.addMessage.body) });
    for (const body of ['one', 'two'])
      await client.mutate({ mutation: gql(CREATE), variables: { body, room } });
    await until('both messages', () => got.length >= 2);
    assert.deepEqual(got, ['one', 'two']);
    const read = await client.query({ query: gql(GET), variables: { room } });
    assert.deepEqual(read.data.getMessages.map((m) => m.body), ['one', 'two']);
    subscription.unsubscribe();
    client.stop();
    await socket.dispose();
  });

  test('graphql-request', async () => {
    const client = new GraphQLClient(`${system.url}/graphql`, { headers: { authorization: `Bearer ${alice.token}` } });
    const room = randomUUID();
    await client.request(CREATE, { body: 'hi', room });
    const { getMessages } = await client.request(GET, { room });
    assert.equal(getMessages[0].body, 'hi');
    await assert.rejects(client.request('{ nope }'), (error) => error.response.errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');
  });
});

describe('seeing', () => {
  test('metrics on gateway and store; no secret in any log', async () => {
    const gateway = await metrics(system.gateways[0]);
    const store = await metrics(system.stores[0]);
    for (const name of ['process_resident_memory_bytes', 'process_open_fds']) assert.ok(gateway.get(name) > 0 && store.get(name) > 0);
    assert.ok([...gateway.keys()].some((key) => key.includes('createMessage')), 'requests by field');
    assert.ok([...store.keys()].some((key) => key.includes('createMessage')), 'calls by field');
    for (const daemon of [...system.gateways, ...system.stores]) {
      assert.ok(!daemon.output.includes(alice.token), 'a token in the log');
      assert.ok(!daemon.output.includes(alice.refreshToken), 'a refresh token in the log');
      assert.ok(!daemon.output.includes('correct horse'), 'a password in the log');
      assert.ok(!daemon.output.includes('over the socket'), 'a message in the log');
      for (const line of daemon.output.split('\n').filter(Boolean)) JSON.parse(line);
    }
  });

  test('one request, one log line with what one wants to know', async () => {
    await post(system.url, { query: 'query Named { __typename }', headers: { 'x-request-id': 'e2e-request-77' } });
    const line = await until('the line', () => system.gateways[0].output.split('\n').find((l) => l.includes('e2e-request-77')));
    const entry = JSON.parse(line);
    assert.equal(entry.level, 'info');
    assert.ok(line.includes('Named'));
  });
});
