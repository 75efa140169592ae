// What a gateway lets a request cost, and which status it answers with: every limit is on by default, can be set, and says
// its value and the limit when it is exceeded. A second gateway has low limits and the status codes of the 2026 draft.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { Process, startSystem } from './harness/system.mjs';

const ODD = fileURLToPath(new URL('./services/odd.py', import.meta.url));
const SDL = `
type Query { who: String @public  secret: String  fails: String @public  silent: String @public  list(first: Int, tags: [String]): [Node] @public  node: Node @public }
type Node { name: String nodes(last: Int): [Node] node: Node }
type Mutation { note(text: String!): String @public  pause(ms: Int!): Int @public }
`;
const LIMITS = ['--http-status=2026', '--max-body-bytes', '3000'];

let usual, strict, system;
before(async () => {
  system = await startSystem({ gateways: 0, stores: 0, postgres: false });
  const endpoint = `ipc://${system.dir}/odd.ipc`;
  const odd = new Process('odd', '/usr/bin/python3', [ODD, endpoint], { env: { ODD_SDL: SDL } });
  system.others.push(odd);
  odd.start();
  system.options.services = [`odd=${endpoint}`];
  usual = (await system.addGateway()).start();
  system.options.gatewayArgs = LIMITS;
  strict = (await system.addGateway()).start();
  await system.ready();
});
after(() => system?.stop());

const GRAPHQL = 'application/graphql-response+json';

async function send(gateway, body, { accept = GRAPHQL, headers = {} } = {}) {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const error = JSON.parse(text).errors?.[0];
  return { status: response.status, type: response.headers.get('content-type'), headers: response.headers, text, message: error?.message, code: error?.extensions?.code };
}

describe('compressed bodies', () => {
  const ask = { query: '{ __typename }' };
  const gzip = { headers: { 'content-encoding': 'gzip' } };

  test('gzip is taken', async () => {
    assert.equal((await send(usual, zlib.gzipSync(JSON.stringify(ask)), gzip)).text, '{"data":{"__typename":"Query"}}');
  });

  test('a bomb is refused, and so is a large body, with the limit', async () => {
    for (const bomb of [zlib.gzipSync(Buffer.alloc(900e6 / 16)), zlib.gzipSync(JSON.stringify({ query: `{__typename}#${'x'.repeat(1 << 20)}` }))]) {
      const answer = await send(usual, bomb, gzip);
      assert.equal(answer.status, 413, answer.text);
      assert.equal(answer.code, 'PAYLOAD_TOO_LARGE');
      assert.match(answer.message, /limit of 1048576 bytes/);
    }
    const sent = await send(strict, { ...ask, variables: { x: 'x'.repeat(3000) } });
    assert.equal(sent.status, 413);
    assert.match(sent.message, /30\d\d bytes or more is larger than the limit of 3000 bytes/);
  });

  test('what is broken is 400, another coding is 415', async () => {
    const whole = zlib.gzipSync(JSON.stringify(ask));
    for (const broken of [whole.subarray(0, -3), Buffer.concat([whole, Buffer.alloc(40, 'x')]), Buffer.from(JSON.stringify(ask))]) {
      const answer = await send(usual, broken, gzip);
      assert.equal(answer.status, 400);
      assert.match(answer.message, /gzip body/);
    }
    const brotli = await send(usual, zlib.brotliCompressSync(JSON.stringify(ask)), { headers: { 'content-encoding': 'br' } });
    assert.equal(brotli.status, 415);
    assert.equal(brotli.headers.get('accept-encoding'), 'gzip');
  });
});

describe('status codes of the 2026 draft', () => {
  const cases = {
    'success': [{ query: '{ __typename }' }, 200],
    'partial success': [{ query: '{ __typename fails }' }, 294],
    'no JSON': ['{"query":', 400],
    'no map': ['[1]', 422],
    'no query': [{ qeury: '{ __typename }' }, 422],
    'variables of a wrong shape': [{ query: 'query ($a: Int) { __typename }', variables: [7] }, 422],
    'no GraphQL': [{ query: '{' }, 400],
    'not valid': [{ query: '{ nothing }' }, 422],
    'no such operation': [{ query: 'query A { __typename } query B { __typename }' }, 422],
    'a variable of a wrong type': [{ query: 'query ($n: Int!) { list(first: $n) { name } }', variables: { n: 'x' } }, 422],
    'a limit': [{ query: `{${' a: __typename'.repeat(201)} }` }, 422],
    'a field that needs a credential': [{ query: '{ secret }' }, 401],
    'an unknown hash': [{ extensions: { persistedQuery: { version: 1, sha256Hash: 'ab'.repeat(32) } } }, 404],
  };
  for (const [what, [body, status]] of Object.entries(cases)) {
    test(`${what}: ${status}`, async () => {
      const answer = await send(strict, body);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.type, `${GRAPHQL}; charset=utf-8`);
    });
    test(`${what}, to who takes only application/json: ${status}`, async () => {
      const answer = await send(strict, body, { accept: 'application/json' });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.type, `${status < 300 ? 'application/json' : GRAPHQL}; charset=utf-8`);
    });
  }

  test('and of the usual one', async () => {
    for (const [body, legacy, status] of [
      [{ query: '{ __typename fails }' }, 200, 200],
      [{ query: '{' }, 200, 400],
      [{ query: '{ nothing }' }, 200, 400],
      ['[1]', 400, 400],
    ]) {
      assert.equal((await send(usual, body)).status, status);
      const answer = await send(usual, body, { accept: 'application/json' });
      assert.equal(answer.status, legacy);
      assert.equal(answer.type, 'application/json; charset=utf-8');
    }
  });
});
