// What must not be seen: secrets in logs, metrics, errors and command lines; and what browsers are told and refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { create, handle, post, subscribeLive, wsClient } from './harness/client.mjs';
import { BIN, metrics, startSystem, until } from './harness/system.mjs';

const ORIGIN = 'https://chat.example';
const API_KEY = 'KEYMARKapikey0123456789';

let system, url;
before(async () => {
  system = await startSystem({
    gatewayArgs: ['--log-level', 'debug', '--origins', ORIGIN],
    storeArgs: ['--log-level', 'debug'],
    env: { PARLEY_API_KEY: API_KEY },
  });
  url = system.url;
});
after(() => system?.stop());

// Everything that a process shows to whoever may look at it.
async function shown() {
  const texts = [];
  for (const daemon of [...system.stores, ...system.gateways]) {
    texts.push([`${daemon.name}'s log`, daemon.output]);
    texts.push([`${daemon.name}'s metrics`, await (await fetch(`http://${daemon.admin}/metrics`)).text()]);
    texts.push([`${daemon.name}'s command line`, fs.readFileSync(`/proc/${daemon.child.pid}/cmdline`, 'utf8')]);
  }
  return texts;
}

async function assertHidden(secrets) {
  for (const [where, text] of await shown())
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret.length >= 8, `${name} is too short to be looked for`);
      assert.ok(!text.includes(secret), `${name} is in ${where}: ${text.slice(Math.max(0, text.indexOf(secret) - 200), text.indexOf(secret) + 50)}`);
    }
}

describe('secrets', () => {
  test('a whole session leaves none in logs, metrics and command lines', async () => {
    const name = handle('seen');
    const secrets = { password: 'PWMARK correct horse 1', 'wrong password': 'PWMARK wrong horse 2', 'e-mail': `mailmark-${name}@example.org`, body: 'BODYMARK hello world', 'refused body': 'BODYMARK refused', filter: 'FILTERMARK needle', 'API key': API_KEY };
    const run = (query, variables, token, headers) => post(url, { query, variables, token, headers });
    const up = await run('mutation ($h: String!, $p: String!, $e: String) { signUp(handle: $h, password: $p, email: $e) { token refreshToken } }', { h: name, p: secrets.password, e: secrets['e-mail'] });
    const session = up.data.signUp;
    Object.assign(secrets, { token: session.token.split('.')[2], claims: session.token.split('.')[1], 'refresh token': session.refreshToken });
    const SIGN_IN = 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token } }';
    assert.ok((await run(SIGN_IN, { h: name, p: secrets.password })).data.signIn.token);
    assert.ok((await run(SIGN_IN, { h: name, p: secrets['wrong password'] })).errors);
    assert.ok((await run(`mutation { signIn(handle: "${name}", password: "${secrets['wrong password']}") { token } }`)).errors);
    const client = wsClient(system.wsUrl, session.token);
    const room = handle('room');
    const subscriber = await subscribeLive(url, client, session.token, room);
    await create(url, session.token, secrets.body, { room });
    await until('the body', () => subscriber.messages.some(({ body }) => body === secrets.body));
    await run('query ($f: String) { getMessages(filter: $f) { body } }', { f: secrets.filter }, session.token);
    await run(`{ getMessages(filter: "${secrets.filter}", room: "") { body } }`, undefined, session.token);
    await run('mutation ($b: String!, $r: String) { createMessage(body: $b, room: $r) { body } }', { b: secrets['refused body'], r: 'x'.repeat(1000) }, session.token);
    await run(`mutation { createMessage(body: "${secrets['refused body']}" nope: 1) { body } `, undefined, session.token);
    await run('{ me { handle } }', undefined, undefined, { 'x-api-key': API_KEY });
    assert.equal((await run('{ me { handle } }', undefined, undefined, { 'x-api-key': `${API_KEY}no` })).status, 401);
    assert.equal((await run('{ me { handle } }', undefined, `${session.token}x`)).status, 401);
    await fetch(`${url}/graphql?query=${encodeURIComponent('{me{handle}}')}`, { headers: { authorization: session.token } });
    const wrong = wsClient(system.wsUrl, `${session.token}x`);
    await until('the wrong token to be refused', async () => (await fetch(`http://${system.gateways[0].admin}/metrics`)).ok);
    const refreshed = await run('mutation ($t: String!) { refreshSession(refreshToken: $t) { refreshToken token } }', { t: session.refreshToken });
    secrets['next refresh token'] = refreshed.data.refreshSession.refreshToken;
    await run('mutation ($t: String!) { refreshSession(refreshToken: $t) { token } }', { t: `${session.refreshToken}x` });
    await run('mutation { signOut }', undefined, session.token);
    await client.dispose();
    await wrong.dispose();
    await assertHidden(secrets);
    assert.ok((await shown()).some(([where, text]) => where.includes('log') && text.includes('signIn')), 'the log says what was done');
  });

  test("errors do not tell what is inside: the database's address, SQL, paths", async () => {
    const { data: up } = await post(url, { query: 'mutation ($h: String!) { signUp(handle: $h, password: "correct horse 1") { token } }', variables: { h: handle() } });
    await system.postgres.stop();
    try {
      const answers = await Promise.all([
        post(url, { query: '{ getMessages { body } }', token: up.signUp.token }),
        post(url, { query: 'mutation { createMessage(body: "x") { body } }', token: up.signUp.token }),
        post(url, { query: 'mutation { signIn(handle: "a", password: "correct horse 1") { token } }' }),
      ]);
      for (const { errors } of answers) {
        assert.ok(['UNAVAILABLE', 'TIMEOUT'].includes(errors[0].extensions.code), JSON.stringify(errors));
        assert.doesNotMatch(JSON.stringify(errors), /\/tmp|SELECT|INSERT|PGSQL|socket|connection to server|127\.0\.0\.1|parley-e2e/);
      }
    } finally {
      await system.postgres.start();
      await system.ready();
    }
  });

  test('a password on the command line is not there for long', async () => {
    const child = spawn(path.join(BIN, 'parley-store'), ['--database-url', 'postgresql://parley:ARGVMARKfirst@127.0.0.1:1/x', '--database-url=postgresql://parley:ARGVMARKsecond@127.0.0.1:1/x', '--database-url', 'postgresql://parley:ARGVMARKpassword@127.0.0.1:1/x', '--keys', path.join(system.keys, 'store'), '--bus', `ipc://${system.dir}/argv.ipc`, '--events', `ipc://${system.dir}/argv-events.ipc`, '--admin', '127.0.0.1:0']);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => (log += chunk));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await until('the store to be there', () => log.includes('database away'));
    assert.ok(!fs.readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').includes('ARGVMARK'));
    assert.ok(!log.includes('ARGVMARK'), log);
    child.kill('SIGTERM');
    await exited;
  });
});

describe('browsers', () => {
  test('every answer forbids guessing its type; pages forbid frames, scripts of others and referrers', async () => {
    const json = { 'content-type': 'application/json' };
    const asked = [
      ['/', {}], ['/graphiql', {}], ['/graphql', { headers: { accept: 'text/html' } }], ['/nothing', {}], ['/livez', {}], ['/metrics', {}], ['/.well-known/jwks.json', {}],
      ['/graphql', { method: 'POST', headers: json, body: '{"query":"{__typename}"}' }],
      ['/graphql', { method: 'POST', headers: json, body: '{' }], ['/graphql', { method: 'DELETE' }], ['/', { method: 'POST' }],
      ['/graphql', { method: 'POST', headers: json, body: `"${'x'.repeat(1_100_000)}"` }], ['/graphql', { method: 'OPTIONS' }],
    ];
    let pages = 0;
    for (const [where, options] of asked) {
      const response = await fetch(`${url}${where}`, options);
      const body = await response.text();
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff', where);
      if (!/text\/html/.test(response.headers.get('content-type') ?? '')) continue;
      pages += 1;
      const policy = Object.fromEntries(response.headers.get('content-security-policy').split(';').map((rule) => rule.trim().split(/ (.*)/)));
      assert.equal(policy['frame-ancestors'], "'none'", where);
      assert.match(policy['default-src'], /^'(none|self)'$/);
      assert.doesNotMatch(policy['script-src'] ?? policy['default-src'], /unsafe|\*|http|data:/, where);
      assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
      assert.equal(response.headers.get('x-frame-options'), 'DENY');
      assert.doesNotMatch(body, /<script(?![^>]*src=)[^>]*>[^<]/, 'no script stands in the page');
    }
    assert.equal(pages, 3);
  });

  test('a raw answer in the middle of a body says so too', async () => {
    const socket = net.connect(system.gateways[0].port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk)).on('error', () => {});
    socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(65536)}\r\n`);
    for (let i = 0; i < 200 && !socket.destroyed && !answer; i++) await new Promise((resolve) => socket.write(chunk, () => setImmediate(resolve)));
    await until('the answer', () => answer.includes('\r\n\r\n'));
    assert.match(answer, /^HTTP\/1\.1 413 .*X-Content-Type-Options: nosniff\r\n/s);
    socket.destroy();
  });

  test('WebSockets of foreign pages are refused, on both paths', async () => {
    for (const [where, protocol] of [['/graphql', 'graphql-transport-ws'], ['/graphql/realtime', 'graphql-ws']])
      for (const [origin, opens] of [[ORIGIN, true], [undefined, true], ['https://evil.example', false], [`${ORIGIN}.evil.example`, false], ['null', false]]) {
        const result = await new Promise((resolve) => {
          const socket = new WebSocket(`${url.replace('http', 'ws')}${where}`, protocol, origin ? { origin } : {});
          socket.once('open', () => (socket.terminate(), resolve(true)));
          socket.once('unexpected-response', (_, response) => (response.resume(), resolve(response.statusCode)));
          socket.once('error', (error) => resolve(error.message));
        });
        assert.equal(result, opens || 403, `${where} from ${origin}`);
      }
  });
});

// Sends that many requests at once on one connection, and waits for their answers.
function pipeline(count) {
  const body = JSON.stringify({ query: `query ${'LongName'.repeat(12)} { __typename }` });
  const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${'r'.repeat(64)}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  return new Promise((resolve, reject) => {
    const socket = net.connect(new URL(url).port, '127.0.0.1', () => socket.write(request.repeat(count)));
    let answered = 0;
    socket.setEncoding('latin1').on('error', reject).on('data', (chunk) => {
      answered += chunk.split('"__typename":"Query"').length - 1;
      if (answered >= count * 0.99) socket.destroy(); // one may lie across two chunks
    });
    socket.on('close', resolve);
  });
}

test('a log that nobody reads stops nobody, and says what it lost', async () => {
  const [gateway] = system.gateways;
  const dropped = async () => (await metrics(gateway)).get('parley_log_dropped_total');
  assert.equal(await dropped(), 0);
  gateway.child.stderr.pause();
  await until('lines to be dropped', async () => {
    await pipeline(1000);
    return (await dropped()) > 0;
  });
  assert.equal((await post(url, { query: '{ __typename }' })).data.__typename, 'Query');
  gateway.child.stderr.resume();
  await until('the log to tell', () => /"level":"warn"[^\n]*"message":"log lines were dropped[^\n]*"lines":[1-9]/.test(gateway.output));
  await post(url, { query: 'query GoesOn { __typename }' });
  await until('the log to go on', () => gateway.output.includes('"operation":"GoesOn"'));
});
