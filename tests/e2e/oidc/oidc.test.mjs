// OpenID Connect issuers: the real oidc-provider, one that is away at first, one with a handle claim, keys that change, and
// issuers that are not to be trusted.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { create, data, post, signUp } from '../harness/client.mjs';
import { freePort, Process, startSystem, until } from '../harness/system.mjs';
import { ALGORITHMS, Issuer } from './issuer.mjs';

const script = fileURLToPath(new URL('../services/guarded.py', import.meta.url));
const AUDIENCE = 'parley';

let system, issuer, second, liars;

// Issuers of which nothing may be learned.
async function startLiars(good) {
  const servers = [];
  const serve = async (answer) => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = http.createServer((request, response) => answer(request, response, url)).listen(port, '127.0.0.1');
    servers.push(server);
    await new Promise((resolve) => server.once('listening', resolve));
    return url;
  };
  const json = (response, value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  const urls = {
    redirects: await serve((request, response) => response.writeHead(302, { location: `${good}${request.url}` }).end()),
    another: await serve((_, response) => json(response, { issuer: good, jwks_uri: `${good}/jwks` })),
    outside: await serve((_, response, url) => json(response, { issuer: url, jwks_uri: 'http://keys.example.com/jwks' })),
    endless: await serve((_, response) => response.end('x'.repeat(300 * 1024))),
  };
  return { urls, stop: () => servers.forEach((server) => server.close().closeAllConnections()) };
}

before(async () => {
  issuer = new Issuer(await freePort()); // not started yet
  second = await new Issuer(await freePort()).start();
  liars = await startLiars(second.url);
  const issuers = [`${issuer.url},${AUDIENCE}`, `${issuer.url.replace('127.0.0.1', 'localhost')}`, `${second.url},chat,nickname`, ...Object.values(liars.urls)];
  system = await startSystem({ gateways: 0 });
  const endpoint = `ipc://${system.dir}/guarded.ipc`;
  const guarded = new Process('guarded', '/usr/bin/python3', [script, endpoint]);
  system.others.push(guarded);
  guarded.start();
  system.options.services = [`guarded=${endpoint}`];
  system.options.gatewayArgs = issuers.flatMap((text) => ['--oidc-issuer', text]);
  (await system.addGateway()).start();
  await system.ready();
});
after(async () => {
  await system?.stop();
  await issuer?.stop();
  await second?.stop();
  liars?.stop();
});

// The token with another iss: its signature is wrong then, which is looked at last.
function of(iss, token) {
  const [header, payload, signature] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), iss };
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
}

const ask = (token, query = '{ who partner member }') => post(system.url, { query, token });
const code = (answer) => answer.errors?.[0].extensions.code;
const accepted = (what, token) => until(`${what} to be accepted`, async () => (await ask(token())).status === 200, { timeoutMs: 40_000, everyMs: 250 });

describe('an issuer that is away', () => {
  test('does not keep the gateway from starting, nor others from signing in', async () => {
    const { token } = await signUp(system.url);
    assert.equal((await ask(token)).status, 200);
    assert.match(system.gateways[0].tail(100_000), /the keys of an OpenID Connect issuer cannot be had/);
  });

  test('is found when it comes', async () => {
    assert.equal(code(await ask(of(issuer.url, await second.idToken('ada')))), 'UNAVAILABLE');
    await issuer.start();
    const token = await issuer.clientToken(AUDIENCE);
    await accepted('the token', () => token);
  });
});

describe('tokens', () => {
  test('of each algorithm', async () => {
    for (const alg of ALGORITHMS) {
      const token = await issuer.clientToken(AUDIENCE, alg);
      assert.equal(JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).alg, alg);
      const answer = await ask(token);
      assert.equal(answer.status, 200, `${alg}: ${JSON.stringify(answer.errors)}`);
      assert.equal(answer.data.partner, 'partner');
    }
  });

  test('let users of an issuer in where @aws_oidc says so, and not where the pool is wanted', async () => {
    const answer = await ask(await second.idToken('grace'));
    assert.deepEqual(answer.errors.map(({ path, extensions }) => [path[0], extensions.code]), [['member', 'UNAUTHORIZED']]);
    const identity = JSON.parse(answer.data.who);
    assert.deepEqual([identity.provider, identity.handle, identity.sub, identity.claims], ['oidc', 'gracey', 'grace', undefined]);
  });

  test('name who posts', async () => {
    const token = await second.idToken('edsger');
    assert.equal((await create(system.url, token, 'considered harmful')).handle, 'edsgery');
    const { getMessages } = await data(system.url, { query: '{ getMessages(last: 1) { handle } }', token });
    assert.deepEqual(getMessages, [{ handle: 'edsgery' }]);
  });

  test('for another audience, or changed, are refused', async () => {
    const other = await issuer.clientToken('somebody-else'), good = await issuer.clientToken(AUDIENCE);
    assert.match((await ask(other)).errors[0].message, /another audience/);
    const [header, payload, signature] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    assert.equal((await ask(`${header}.${forged}.${signature}`)).status, 401);
    // a key of one issuer is none of another's; it may be new there, so that is looked up once
    assert.ok(['UNAUTHENTICATED', 'UNAVAILABLE'].includes(code(await ask(of(second.url, good)))));
  });
});

describe('issuers', () => {
  test('that redirect, speak for others, point outside or do not end have no keys', async () => {
    const token = await second.idToken('ada');
    for (const iss of Object.values(liars.urls)) assert.equal(code(await ask(of(iss, token))), 'UNAVAILABLE', iss);
    assert.equal((await ask(token)).status, 200);
  });

  test('change their keys, and nothing has to be restarted', async () => {
    const old = await second.idToken('ada');
    assert.equal((await ask(old)).status, 200);
    await second.stop();
    await second.start();
    const fresh = await second.idToken('ada');
    await accepted('the token of the new key', () => fresh);
    assert.equal((await ask(old)).status, 401);
  });
});
