// Who may do what: rules of a service's schema, groups, API keys, sessions that end, keys that rotate; on two gateways.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import * as cognito from './harness/cognito.mjs';
import { create, CREATE, data, handle, post, signUp, subscribe, subscribeLive, wsClient } from './harness/client.mjs';
import { BIN, Process, startSystem, until } from './harness/system.mjs';

const script = fileURLToPath(new URL('./services/guarded.py', import.meta.url));
const PASSWORD = 'correct horse 1';
const PROMPT_MS = 2000; // what every gateway must know by then

let system;

before(async () => {
  system = await startSystem({ gateways: 0, env: { PARLEY_API_KEY: 'the operator' } });
  const endpoint = `ipc://${system.dir}/guarded.ipc`;
  const guarded = new Process('guarded', '/usr/bin/python3', [script, endpoint]);
  system.others.push(guarded);
  guarded.start();
  system.options.services = [`guarded=${endpoint}`];
  for (let i = 0; i < 2; i++) (await system.addGateway()).start();
  await system.ready();
});
after(() => system?.stop());

function admin(...args) {
  return execFileSync(path.join(BIN, 'parley-store'), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PARLEY_DATABASE_URL: system.databaseUrl },
  }).trim();
}

function refused(...args) {
  try {
    admin(...args);
  } catch (error) {
    return { status: error.status, text: error.stderr };
  }
  return assert.fail(`${args.join(' ')} was not refused`);
}

const signIn = (name, url = system.url) =>
  data(url, { query: 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token refreshToken } }', variables: { h: name, p: PASSWORD } }).then((answer) => answer.signIn);

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const newKey = (name, ...more) => JSON.parse(admin('apikey', 'create', '--name', name, '--json', ...more));
const withKey = (key) => ({ headers: { 'x-api-key': key } });

// The paths of the fields that were refused, and that nothing else went wrong.
function refusedPaths(answer) {
  for (const error of answer.errors ?? []) assert.equal(error.extensions.code, 'UNAUTHORIZED', JSON.stringify(error));
  return (answer.errors ?? []).map((error) => error.path.join('.'));
}

// Every gateway answers so within the time that it has for that.
async function everywhere(what, check) {
  const until_ms = Date.now() + PROMPT_MS;
  await Promise.all(
    system.gateways.map((gateway) => until(`${what} on ${gateway.name}`, () => check(gateway.url), { timeoutMs: until_ms - Date.now(), everyMs: 20 })),
  );
}

const status = (url, options) => post(url, { query: '{ me { handle } }', ...options }).then((answer) => answer.status);

// A subscriber of each gateway, and how their connections end.
async function watchers(credential, room) {
  const ended = [];
  for (const gateway of system.gateways) {
    const client = wsClient(gateway.wsUrl, undefined, { connectionParams: credential, on: { closed: (event) => ended.push({ code: event.code, reason: event.reason }) } });
    const { token } = await signUp(gateway.url);
    await subscribeLive(gateway.url, client, token, room);
  }
  return ended;
}

async function endedPromptly(ended) {
  await until('both connections to end', () => ended.length === system.gateways.length, { timeoutMs: PROMPT_MS, everyMs: 10 });
  return ended;
}

describe('rules of the schema', () => {
  const ALL = '{ staff member machine either partner cloud vault { code label } }';
  let staff, guest, key;

  before(async () => {
    const name = handle('staff');
    await signUp(system.url, name);
    admin('user', 'group', 'add', name, 'staff');
    staff = (await signIn(name)).token;
    guest = (await signUp(system.url)).token;
    key = newKey(handle('rules'), '--rights', 'write').key;
    await everywhere('the key to be known', async (url) => (await post(url, { query: '{ machine }', ...withKey(key) })).status === 200);
  });

  test('groups are in the token', () => assert.deepEqual(claims(staff)['cognito:groups'], ['staff']));

  test('by group, provider and type', async () => {
    const asStaff = await post(system.url, { query: ALL, token: staff });
    assert.deepEqual(refusedPaths(asStaff), ['machine', 'partner', 'cloud']);
    assert.deepEqual(asStaff.data, { staff: 'staff', member: 'member', machine: null, either: 'either', partner: null, cloud: null, vault: { code: 7, label: 'gold' } });
    const asGuest = await post(system.url, { query: ALL, token: guest });
    assert.deepEqual(refusedPaths(asGuest), ['staff', 'machine', 'either', 'partner', 'cloud', 'vault.code']);
    assert.deepEqual(asGuest.data.vault, { code: null, label: 'gold' });
    const asKey = await post(system.url, { query: ALL, ...withKey(key) });
    assert.deepEqual(refusedPaths(asKey), ['staff', 'member', 'partner', 'cloud', 'vault.code']);
  });

  test('a mutation that is refused is not called', async () => {
    const touch = 'mutation { touch }';
    assert.deepEqual(refusedPaths(await post(system.url, { query: touch, token: guest })), ['touch']);
    assert.deepEqual((await post(system.url, { query: touch, token: staff })).data, { touch: 1 });
  });

  test('services are told who asks', async () => {
    const { who } = await data(system.url, { query: '{ who }', token: staff });
    const identity = JSON.parse(who);
    assert.equal(identity.provider, 'user-pool');
    assert.deepEqual(identity.groups, ['staff']);
    assert.equal(identity.claims, undefined); // of a token that another service issued
  });

  test('what is delivered is null where its reader may not', async () => {
    const room = handle('room');
    const query = 'subscription ($room: String) { addMessage(room: $room) { body note } }';
    const clients = [guest, staff].map((token) => wsClient(system.gateways[0].wsUrl, token));
    const [his, hers] = clients.map((client) => subscribe(client, { query, variables: { room } }));
    await until('messages for both', async () => {
      await create(system.url, guest, 'hello', { room });
      return his.results.length > 0 && hers.results.length > 0;
    }, { everyMs: 20 });
    assert.deepEqual(his.results[0].data.addMessage, { body: 'hello', note: null });
    assert.deepEqual(refusedPaths(his.results[0]), ['addMessage.note']);
    assert.deepEqual(hers.results[0].data.addMessage, { body: 'hello', note: `by ${claims(staff).username}` });
    assert.equal(hers.results[0].errors, undefined);
    for (const client of clients) client.dispose();
  });
});

describe('API keys', () => {
  test('what is done with one is done under its name', async () => {
    const { key, name, rights } = newKey(handle('robot'), '--rights', 'write', '--expires', '1h');
    assert.equal(rights, 'write');
    assert.ok(Buffer.from(key.replace(/^pk_/, ''), 'base64url').length >= 16);
    await everywhere('the key to work', async (url) => (await post(url, { query: CREATE, variables: { body: 'beep' }, ...withKey(key) })).data?.createMessage.handle === name);
    assert.equal(system.postgres.sql(`SELECT count(*) FROM api_keys WHERE encode(hash, 'escape') LIKE '%${key}%'`)[0][0], '0');
  });

  test('one for reading changes nothing', async () => {
    const { key } = newKey(handle('reader'), '--rights', 'read');
    await everywhere('the key to read', async (url) => (await post(url, { query: '{ getMessages(last: 1) { body } }', ...withKey(key) })).status === 200);
    const answer = await post(system.url, { query: CREATE, variables: { body: 'no' }, ...withKey(key) });
    assert.deepEqual(refusedPaths(answer), ['createMessage']);
    assert.equal(answer.data, null);
  });

  test('an unknown, an expired and a revoked one are refused, the last one on open connections too', async () => {
    const name = handle('gone');
    const revoked = newKey(name, '--rights', 'write'), expired = newKey(name, '--expires', '1s');
    await everywhere('the key to work', async (url) => (await status(url, withKey(revoked.key))) === 200);
    const room = handle('room');
    const ended = await watchers({ 'x-api-key': revoked.key }, room);
    assert.match(admin('apikey', 'list'), new RegExp(revoked.id));
    admin('apikey', 'revoke', revoked.id);
    for (const end of await endedPromptly(ended)) assert.deepEqual(end, { code: 4403, reason: 'the API key was revoked' });
    await everywhere('the key to be refused', async (url) => (await status(url, withKey(revoked.key))) === 401);
    await everywhere('the other to expire', async (url) => (await status(url, withKey(expired.key))) === 401);
    assert.equal(await status(system.url, withKey(`${revoked.key}x`)), 401);
    assert.doesNotMatch(admin('apikey', 'list'), new RegExp(revoked.id));
    assert.equal(await status(system.url, withKey('the operator')), 200);
  });

  test('on the real-time protocol of AppSync', async () => {
    const { key } = newKey(handle('device'));
    await everywhere('the key to work', async (url) => (await status(url, withKey(key))) === 200);
    const header = Buffer.from(JSON.stringify({ host: 'localhost', 'x-api-key': key })).toString('base64url');
    const socket = new WebSocket(`${system.gateways[1].wsUrl}/realtime`, ['graphql-ws', `header-${header}`]);
    const types = [];
    socket.on('message', (text) => types.push(JSON.parse(text).type));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send(JSON.stringify({ type: 'connection_init' }));
    await until('the acknowledgement', () => types.includes('connection_ack'));
    socket.send(JSON.stringify({ id: '1', type: 'start', payload: { data: JSON.stringify({ query: 'subscription { addMessage { body } }' }), extensions: { authorization: { 'x-api-key': key } } } }));
    await until('the subscription', () => types.includes('start_ack'));
    socket.close();
  });

  test('names of keys and handles do not meet', async () => {
    const { handle: taken } = await signUp(system.url);
    assert.equal(refused('apikey', 'create', '--name', taken.toUpperCase()).status, 1);
    const name = handle('machine');
    newKey(name);
    const answer = await post(system.url, { query: 'mutation ($h: String!, $p: String!) { signUp(handle: $h, password: $p) { token } }', variables: { h: name, p: PASSWORD } });
    assert.equal(answer.errors[0].extensions.code, 'CONFLICT');
    assert.equal(refused('apikey', 'create').status, 2);
    assert.equal(refused('apikey', 'create', '--name', 'x', '--expires', '2001-01-01').status, 1);
    assert.equal(refused('apikey', 'revoke', 'nobody').status, 1);
  });
});

describe('sessions that end', () => {
  test('signOut refuses the token everywhere, and ends what is open; another session lives on', async () => {
    const { handle: name, token } = await signUp(system.url);
    const other = (await signIn(name)).token;
    const ended = await watchers({ Authorization: token }, handle('room'));
    await data(system.url, { query: 'mutation { signOut }', token });
    for (const end of await endedPromptly(ended)) assert.deepEqual(end, { code: 4403, reason: 'the session has ended' });
    await everywhere('the token to be refused', async (url) => (await status(url, { token })) === 401);
    for (const gateway of system.gateways) assert.equal(await status(gateway.url, { token: other }), 200);
  });

  test("Cognito's GlobalSignOut and RevokeToken do so, too; its tokens carry groups", async () => {
    const { handle: name } = await signUp(system.url);
    admin('user', 'group', 'add', name, 'staff');
    for (const end of ['GlobalSignOut', 'RevokeToken']) {
      const { AccessToken, IdToken, RefreshToken } = await cognito.signInByPassword(system.url, name);
      for (const token of [AccessToken, IdToken]) assert.deepEqual(claims(token)['cognito:groups'], ['staff']);
      const ended = await watchers({ Authorization: AccessToken }, handle('room'));
      await cognito.call(system.url, end, end === 'RevokeToken' ? { ClientId: cognito.CLIENT, Token: RefreshToken } : { AccessToken });
      await endedPromptly(ended);
      await everywhere('the token to be refused', async (url) => (await status(url, { token: AccessToken })) === 401);
    }
  });

  test('a user who is disabled is out everywhere and does not come in again, until enabled', async () => {
    const { handle: name, token, refreshToken } = await signUp(system.url);
    const ended = await watchers({ Authorization: token }, handle('room'));
    assert.match(admin('user', 'disable', name.toUpperCase()), /disabled/);
    await endedPromptly(ended);
    await everywhere('the token to be refused', async (url) => (await status(url, { token })) === 401);
    await assert.rejects(signIn(name), /wrong handle or password/);
    await assert.rejects(data(system.url, { query: 'mutation ($t: String!) { refreshSession(refreshToken: $t) { token } }', variables: { t: refreshToken } }), /UNAUTHENTICATED/);
    admin('user', 'enable', name);
    const fresh = (await signIn(name)).token;
    for (const gateway of system.gateways) {
      assert.equal(await status(gateway.url, { token: fresh }), 200);
      assert.equal(await status(gateway.url, { token }), 401);
    }
  });

  test('a subscription with a credential of its own ends alone', async () => {
    const { token } = await signUp(system.url);
    const header = Buffer.from(JSON.stringify({ host: 'localhost', 'x-api-key': 'the operator' })).toString('base64url');
    const socket = new WebSocket(`${system.gateways[0].wsUrl}/realtime`, ['graphql-ws', `header-${header}`]);
    const messages = [];
    socket.on('message', (text) => messages.push(JSON.parse(text)));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send(JSON.stringify({ type: 'connection_init' }));
    const start = (id, authorization) => socket.send(JSON.stringify({ id, type: 'start', payload: { data: JSON.stringify({ query: 'subscription { addMessage { body } }' }), extensions: { authorization } } }));
    start('his', { Authorization: token });
    start('ours', { 'x-api-key': 'the operator' });
    await until('both', () => messages.filter(({ type }) => type === 'start_ack').length === 2);
    await data(system.url, { query: 'mutation { signOut }', token });
    await until('his to end', () => messages.some(({ id, type }) => id === 'his' && type === 'error'), { timeoutMs: PROMPT_MS });
    assert.equal(socket.readyState, WebSocket.OPEN);
    assert.ok(!messages.some(({ id, type }) => id === 'ours' && type === 'error'));
    socket.close();
  });

  test('a gateway that starts again still knows', async () => {
    const { handle: name, token } = await signUp(system.url);
    const key = newKey(handle('kept'));
    admin('user', 'sign-out', name);
    await everywhere('the token to be refused', async (url) => (await status(url, { token })) === 401);
    const [gateway] = system.gateways;
    await gateway.kill?.();
    if (gateway.isRunning) await gateway.stop('SIGKILL');
    gateway.start();
    await system.ready();
    assert.equal(await status(gateway.url, { token }), 401);
    assert.equal(await status(gateway.url, withKey(key.key)), 200);
  });

  test('a token that was stolen and replayed costs its session', async () => {
    const { token, refreshToken } = await signUp(system.url);
    const refresh = () => post(system.url, { query: 'mutation ($t: String!) { refreshSession(refreshToken: $t) { token } }', variables: { t: refreshToken } });
    await refresh();
    system.postgres.sql("UPDATE sessions SET previous_until = now() - interval '1 s' WHERE previous_until IS NOT NULL");
    assert.equal((await refresh()).errors[0].extensions.code, 'UNAUTHENTICATED');
    await everywhere('the token to be refused', async (url) => (await status(url, { token })) === 401);
  });
});

describe('the administrator', () => {
  test('lists users, gives and takes groups', async () => {
    const { handle: name } = await signUp(system.url);
    admin('user', 'group', 'add', name, 'a');
    admin('user', 'group', 'add', name, 'b');
    admin('user', 'group', 'add', name, 'a');
    admin('user', 'group', 'remove', name, 'b');
    const user = JSON.parse(admin('user', 'list', '--json')).find((row) => row.handle === name);
    assert.deepEqual(user.groups, ['a']);
    assert.equal(user.state, 'enabled');
    assert.match(admin('user', 'list'), new RegExp(`^${name} `, 'm'));
    assert.deepEqual(claims((await signIn(name)).token)['cognito:groups'], ['a']);
    assert.equal(refused('user', 'disable', handle('nobody')).status, 1);
    assert.equal(refused('user', 'dance').status, 2);
    assert.equal(refused('user', 'group', 'add', name, 'two words').status, 2);
  });

  test('resets a password', async () => {
    const { handle: name, token } = await signUp(system.url);
    const [, password] = /the password is now (\S+)/.exec(admin('user', 'reset', name));
    await everywhere('the token to be refused', async (url) => (await status(url, { token })) === 401);
    await assert.rejects(signIn(name), /wrong handle or password/);
    const { signIn: session } = await data(system.url, { query: 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token } }', variables: { h: name, p: password } });
    assert.equal(await status(system.url, { token: session.token }), 200);
    // with the master key, for SRP too
    const [, next] = /the password is now (\S+)/.exec(admin('user', 'reset', name, '--keys', path.join(system.keys, 'store')));
    assert.equal(await status(system.url, { token: (await cognito.signInBySrp(system.url, name, next)).AccessToken }), 200);
  });

  test('rotates the signing key, and nobody notices', async () => {
    const { handle: name, token } = await signUp(system.url);
    const socket = wsClient(system.gateways[0].wsUrl, token);
    const subscriber = await subscribeLive(system.url, socket, token, handle('room'));
    const kid = (text) => JSON.parse(Buffer.from(text.split('.')[0], 'base64url')).kid;
    const [, next] = /^key (\S+) /.exec(admin('rotate-key', '--keys', path.join(system.keys, 'store')));
    // stores and gateways learn the key within seconds; the half minute that it waits for them is spared here
    await until('the new key to be published', async () => {
      const sets = await Promise.all(system.gateways.map(async (gateway) => (await fetch(`${gateway.url}/.well-known/jwks.json`)).json()));
      return sets.every((set) => set.keys.some((key) => key.kid === next) && set.keys.length === 2);
    }, { timeoutMs: 15_000 });
    assert.equal(kid((await signIn(name)).token), kid(token));
    system.postgres.sql(`UPDATE signing_keys SET signs_from = now() WHERE kid = '${next}'`);
    let fresh;
    await until('the new key to sign', async () => kid((fresh = (await signIn(name)).token)) === next, { timeoutMs: 15_000 });
    for (const gateway of system.gateways) {
      await until('the gateway to know the new key', async () => (await status(gateway.url, { token: fresh })) === 200, { timeoutMs: 5000 });
      assert.equal(await status(gateway.url, { token }), 200);
    }
    assert.deepEqual(subscriber.errors, []);
    assert.equal(subscriber.done, false);
    socket.dispose();
    assert.equal(refused('rotate-key').status, 2);
  });
});
