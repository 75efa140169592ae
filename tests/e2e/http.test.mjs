// The HTTP surface: GraphQL over HTTP, tokens, static files, probes, and what a gateway refuses.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { data, handle, post, signUp } from './harness/client.mjs';
import { startSystem, until } from './harness/system.mjs';

let system, alice, port;
before(async () => {
  system = await startSystem();
  alice = await signUp(system.url, handle('alice'));
  port = system.gateways[0].port;
});
after(() => system?.stop());

// Sends bytes as they are and gives the whole answer as text; the connection is ended by the server or after the time.
function raw(text, { endMs = 1500 } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let got = '';
    socket.setEncoding('latin1').on('data', (chunk) => (got += chunk));
    socket.on('close', () => resolve(got));
    socket.on('error', () => {}); // a reset, say; then it closes
    setTimeout(() => socket.destroy(), endMs);
  });
}

describe('GraphQL over HTTP', () => {
  for (const audit of serverAudits({ url: () => `${system.url}/graphql`, fetchFn: (...args) => fetch(...args) }))
    test(`audit ${audit.id}: ${audit.name}`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', JSON.stringify(result.reason));
    });

  test('GET asks, POST does', async () => {
    const get = await fetch(`${system.url}/graphql?query=${encodeURIComponent('{ __typename }')}`);
    assert.deepEqual(await get.json(), { data: { __typename: 'Query' } });
    const mutation = await fetch(`${system.url}/graphql?query=${encodeURIComponent('mutation { signOut }')}`, { headers: { authorization: alice.token } });
    assert.equal(mutation.status, 405);
    assert.match(mutation.headers.get('allow'), /POST/);
    assert.ok((await mutation.json()).errors[0].extensions.code);
    const put = await fetch(`${system.url}/graphql`, { method: 'PUT', body: '{}' });
    assert.equal(put.status, 405);
    assert.ok((await put.json()).errors[0].message);
  });

  test('every 4xx of /graphql is GraphQL JSON', async () => {
    const cases = [
      [{ method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"query":"{__typename}"}' }, 415],
      [{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }, 400],
      [{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '[]' }, 400],
      [{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":1}' }, 400],
      [{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }, 400],
      [{ method: 'POST', headers: { 'content-type': 'application/json', accept: 'image/png' }, body: '{"query":"{__typename}"}' }, 406],
      [{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: `#${'x'.repeat(1 << 20)}\n{__typename}` }) }, 413],
    ];
    for (const [options, status] of cases) {
      const response = await fetch(`${system.url}/graphql`, options);
      const text = await response.text();
      assert.equal(response.status, status, text);
      const body = JSON.parse(text);
      assert.ok(body.errors[0].message && body.errors[0].extensions.code, text);
      assert.ok(!('data' in body));
    }
  });

  test('urql’s Accept gets JSON, a browser’s gets GraphiQL', async () => {
    const ask = (accept) => fetch(`${system.url}/graphql?query=${encodeURIComponent('{__typename}')}`, { headers: { accept } });
    const urql = await ask('application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed');
    assert.match(urql.headers.get('content-type'), /^application\/graphql-response\+json/);
    await urql.arrayBuffer();
    const browser = await fetch(`${system.url}/graphql`, { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    assert.match(browser.headers.get('content-type'), /^text\/html/);
    assert.match(await browser.text(), /graphiql/i);
  });

  test('no content type that a form can send executes anything', async () => {
    const room = handle('csrf');
    const query = `mutation { createMessage(body: "x", room: "${room}") { body } }`;
    const json = JSON.stringify({ query });
    const form = new FormData();
    form.set('query', query);
    for (const [type, body] of [['text/plain', json], ['text/plain; charset=application/json', json], ['application/x-www-form-urlencoded', new URLSearchParams({ query })], [undefined, Buffer.from(json)], [undefined, form]]) {
      const answer = await fetch(`${system.url}/graphql`, { method: 'POST', headers: { authorization: alice.token, ...(type && { 'content-type': type }) }, body });
      assert.equal(answer.status, 415, await answer.text());
    }
    const get = await fetch(`${system.url}/graphql?${new URLSearchParams({ query })}`, { headers: { authorization: alice.token } });
    assert.equal(get.status, 405, await get.text());
    assert.deepEqual((await data(system.url, { query: `{ getMessages(room: "${room}") { body } }`, token: alice.token })).getMessages, []);
  });

  test('405 names what is allowed', async () => {
    for (const [method, path, allow] of [['DELETE', '/graphql', ['GET', 'POST', 'OPTIONS']], ['PATCH', '/', ['GET', 'HEAD']], ['POST', '/graphiql', ['GET', 'HEAD']]]) {
      const answer = await fetch(`${system.url}${path}`, { method });
      assert.equal(answer.status, 405, await answer.text());
      for (const one of allow) assert.ok(answer.headers.get('allow').split(', ').includes(one), `${one} in ${answer.headers.get('allow')}`);
    }
  });

  test('CORS: preflight and on errors', async () => {
    const preflight = await fetch(`${system.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-amz-user-agent' },
    });
    assert.ok(preflight.ok);
    assert.ok(preflight.headers.get('access-control-allow-origin'));
    for (const name of ['authorization', 'content-type', 'x-amz-user-agent']) assert.ok(preflight.headers.get('access-control-allow-headers').toLowerCase().includes(name), name);
    const error = await fetch(`${system.url}/graphql`, { method: 'POST', headers: { origin: 'https://app.example', 'content-type': 'text/plain' }, body: 'x' });
    assert.ok(error.headers.get('access-control-allow-origin'));
  });
});

describe('the request target', () => {
  test('%00 is 400, unknown paths are 404, + stays', async () => {
    assert.match(await raw('GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await raw('GET /graphql?query=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await raw('GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 404 /);
    assert.match(await raw('GET /../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 40[04] /);
    assert.match(await raw('GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 /);
  });

  test('a client that leaves, or sends rubbish, harms nobody', async () => {
    const body = JSON.stringify({ query: '{ me { handle } }' });
    const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: ${alice.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await Promise.all(Array.from({ length: 200 }, () => new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(request, () => { socket.destroy(); resolve(); }));
      socket.on('error', resolve);
    })));
    await raw('\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', { endMs: 200 });
    await raw(`${'A'.repeat(70000)}`, { endMs: 200 });
    assert.equal((await data(system.url, { query: '{ me { handle } }', token: alice.token })).me.handle, alice.handle);
  });

  test('chunked bodies over the limit get 413', async () => {
    const chunk = 'x'.repeat(65536);
    const chunks = Array.from({ length: 20 }, () => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    const answer = await raw(`POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 413 /);
    assert.match(answer, /PAYLOAD_TOO_LARGE/);
  });

  test('pipelined requests are answered in order', async () => {
    const one = (name) => {
      const body = JSON.stringify({ query: `query ${name} { ${name}: __typename }` });
      return `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    const answer = await raw(['a', 'b', 'c'].map(one).join(''));
    assert.deepEqual([...answer.matchAll(/"([abc])":"Query"/g)].map((m) => m[1]), ['a', 'b', 'c']);
  });
});

describe('tokens', () => {
  const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const claims = () => JSON.parse(Buffer.from(alice.token.split('.')[1], 'base64url'));

  async function refusedToken(token, why) {
    const answer = await post(system.url, { query: '{ me { handle } }', token });
    assert.equal(answer.status, 401, why);
    assert.equal(answer.errors[0].extensions.code, 'UNAUTHENTICATED', why);
  }

  test('claims are the documented ones', () => {
    const header = JSON.parse(Buffer.from(alice.token.split('.')[0], 'base64url'));
    assert.equal(header.alg, 'ES256');
    assert.ok(header.kid);
    const { iss, sub, username, token_use, client_id, iat, exp, auth_time } = claims();
    assert.ok(iss && sub && client_id && iat && auth_time);
    assert.equal(username, alice.handle);
    assert.equal(token_use, 'access');
    assert.equal(exp - iat, 3600);
  });

  test('algorithm confusion is impossible', async () => {
    const jwks = await (await fetch(`${system.url}/.well-known/jwks.json`)).json();
    const key = crypto.createPublicKey({ key: jwks.keys[0], format: 'jwk' });
    const header = JSON.parse(Buffer.from(alice.token.split('.')[0], 'base64url'));
    const payload = b64(claims());
    const secrets = [
      key.export({ type: 'spki', format: 'pem' }),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwks.keys[0]),
      Buffer.concat([Buffer.from([4]), Buffer.from(jwks.keys[0].x, 'base64url'), Buffer.from(jwks.keys[0].y, 'base64url')]),
    ];
    for (const secret of secrets) {
      const signed = `${b64({ ...header, alg: 'HS256' })}.${payload}`;
      await refusedToken(`${signed}.${crypto.createHmac('sha256', secret).update(signed).digest('base64url')}`, 'HS256 with the public key');
    }
    for (const alg of ['none', 'None', 'NONE', ''])
      for (const signature of ['', alice.token.split('.')[2]]) await refusedToken(`${b64({ ...header, alg })}.${payload}.${signature}`, `alg ${alg}`);
    await refusedToken(`${b64({ alg: 'none' })}.${payload}.`, 'none without kid');
    const own = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signed = `${b64({ ...header, jwk: own.publicKey.export({ format: 'jwk' }) })}.${payload}`;
    await refusedToken(`${signed}.${crypto.sign('sha256', Buffer.from(signed), { key: own.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`, 'a key of his own');
    const [h, , s] = alice.token.split('.');
    await refusedToken(`${h}.${b64({ ...claims(), username: 'root' })}.${s}`, 'changed claims');
    assert.equal((await data(system.url, { query: '{ me { handle } }', token: alice.token })).me.handle, alice.handle);
  });

  test('the handle of a message is the token’s, never an argument', async () => {
    const answer = await post(system.url, { token: alice.token, query: 'mutation { createMessage(body: "x", handle: "bob") { handle } }' });
    assert.equal(answer.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });
});

describe('static files', () => {
  test('the page: ETag, compression, strict policy', async () => {
    const page = await fetch(`${system.url}/`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'|default-src 'self'/);
    assert.ok(!/unsafe-(inline|eval)/.test(page.headers.get('content-security-policy')));
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    const etag = page.headers.get('etag');
    const again = await fetch(`${system.url}/`, { headers: { 'if-none-match': etag } });
    assert.equal(again.status, 304);
    const html = await page.text();
    const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1]);
    assert.ok(assets.length > 0);
    assert.ok(!/(?:src|href)="(?:https?:)?\/\//.test(html), 'nothing from another origin');
    for (const asset of assets) {
      const response = await fetch(`${system.url}${asset}`, { headers: { 'accept-encoding': 'br' } });
      assert.equal(response.status, 200, asset);
      assert.match(response.headers.get('cache-control'), /immutable/);
      assert.match(response.headers.get('vary') ?? '', /accept-encoding/i);
      await response.arrayBuffer();
      const head = await fetch(`${system.url}${asset}`, { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.ok(Number(head.headers.get('content-length')) > 0);
    }
  });
});

describe('probes', () => {
  test('/livez, /readyz and /metrics on both addresses', async () => {
    for (const base of [system.url, `http://${system.gateways[0].admin}`, `http://${system.stores[0].admin}`]) {
      for (const path of ['/livez', '/readyz', '/metrics']) {
        const response = await fetch(`${base}${path}`);
        assert.equal(response.status, 200, `${base}${path}`);
        await response.arrayBuffer();
      }
    }
  });

  test('ready only with the store, and again', async () => {
    const [store] = system.stores;
    const [gateway] = system.gateways;
    await store.stop();
    await until('not ready', async () => !(await system.isReady(gateway)));
    assert.equal((await fetch(`${system.url}/livez`)).status, 200);
    store.start();
    await system.ready();
  });
});
