// What a gateway lets a request cost, and which status it answers with: every limit is on by default, can be set, and says
// its value and the limit when it is exceeded. A second gateway has low limits and the status codes of the 2026 draft.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Process, startSystem } from './harness/system.mjs';

const ODD = fileURLToPath(new URL('./services/odd.py', import.meta.url));
const SDL = `
type Query { who: String @public  secret: String  fails: String @public  silent: String @public  list(first: Int, tags: [String]): [Node] @public  node: Node @public }
type Node { name: String nodes(last: Int): [Node] node: Node }
type Mutation { note(text: String!): String @public  pause(ms: Int!): Int @public }
`;
const LIMITS = {
  'http-status': 2026, 'max-body-bytes': 3000, 'max-variables-bytes': 500, 'max-depth': 4, 'max-tokens': 300, 'max-root-fields': 6,
  'max-aliases': 9, 'max-directives': 5, 'max-complexity': 1000, 'max-operations': 3, 'operation-timeout-ms': 1500, 'call-timeout-ms': 1000,
};

let usual, strict, system;
before(async () => {
  system = await startSystem({ gateways: 0, stores: 0, postgres: false });
  const endpoint = `ipc://${system.dir}/odd.ipc`;
  const odd = new Process('odd', '/usr/bin/python3', [ODD, endpoint], { env: { ODD_SDL: SDL } });
  system.others.push(odd);
  odd.start();
  system.options.services = [`odd=${endpoint}`];
  usual = (await system.addGateway()).start();
  system.options.gatewayArgs = Object.entries(LIMITS).map(([name, value]) => `--${name}=${value}`);
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
    'a limit': [{ query: `{${' a: __typename'.repeat(10)} }` }, 422],
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

describe('limits', () => {
  const deep = (levels) => `{ node ${'{ node '.repeat(levels - 2)}{ name }${' }'.repeat(levels - 1)}`;
  const fields = (count) => `{${Array.from({ length: count }, (_, i) => ` a${i}: who`).join('')} }`;
  // What is asked, with `n` of it; the limit that is usual and the strict one; what the error says of value and limit.
  const cases = {
    depth: { usual: 50, strict: 4, body: (n) => ({ query: deep(n) }), says: (n, limit) => new RegExp(`depth.*${n}.*${limit}|${n}.*depth.*${limit}`) },
    aliases: { usual: 200, strict: 9, body: (n) => ({ query: `{ node {${' a: name'.repeat(n)} } }` }) },
    'root fields': { usual: 50, strict: 6, body: (n) => ({ query: fields(n) }) },
    tokens: { usual: 50000, strict: 300, body: (n) => ({ query: `{ node {${' name'.repeat(n - 5)} } }` }) },
    directives: { usual: 500, strict: 5, body: (n) => ({ query: `{ node {${' name @skip(if: true)'.repeat(n)} } }` }) },
    variables: { usual: 524288, strict: 500, body: (n) => ({ query: '{ __typename }', variables: { a: 'x'.repeat(n - 8) } }) },
    // one for `list` and, per item, one for `name`: n - 1 items
    complexity: { usual: 5000000, strict: 1000, body: (n) => ({ query: `{ list(first: ${n - 1}) { name } }` }) },
  };
  for (const [name, { usual: high, strict: low, body, says }] of Object.entries(cases)) {
    test(name, async () => {
      for (const [gateway, limit] of [[usual, high], [strict, low]]) {
        assert.notEqual((await send(gateway, body(limit))).code, 'LIMIT_EXCEEDED', `${name} ${limit} is within the limit`);
        const answer = await send(gateway, body(limit + 1));
        assert.equal(answer.code, 'LIMIT_EXCEEDED', answer.text);
        assert.ok(!('data' in JSON.parse(answer.text)), 'it was not executed');
        assert.match(answer.message, says ? says(limit + 1, limit) : new RegExp(`${name.slice(0, 9)}.* ${limit + 1}.* ${limit}\\b|${limit + 1} ${name.slice(0, 9)}.* ${limit}\\b`));
      }
    });
  }

  test('complexity of lists in lists, by a variable', async () => {
    for (const [gateway, limit] of [[usual, 5000000], [strict, 1000]]) {
      const items = Math.floor((limit - 1) / 5);
      const ask = (n) => send(gateway, { query: 'query ($n: Int) { list(first: $n) { nodes(last: 4) { name } } }', variables: { n } });
      assert.notEqual((await ask(items)).code, 'LIMIT_EXCEEDED');
      const { code, message } = await ask(items + 1);
      assert.equal(code, 'LIMIT_EXCEEDED');
      assert.equal(message, `The operation's complexity of ${5 * (items + 1) + 1} exceeds the limit of ${limit}.`);
    }
  });

  test('operations of one WebSocket', async () => {
    for (const [gateway, limit] of [[usual, 200], [strict, 3]]) {
      const client = createClient({ url: gateway.wsUrl, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 });
      const ended = Array.from({ length: limit + 1 }, () => new Promise((resolve) => client.subscribe({ query: '{ silent }' }, { next: resolve, error: resolve, complete() {} })));
      const [error] = await ended.at(-1);
      assert.equal(error.extensions.code, 'LIMIT_EXCEEDED');
      assert.equal(error.message, `${limit + 1} operations at a time on one connection; the limit is ${limit}`);
      await client.dispose();
    }
  });

  test('time of a call', async () => {
    const { text } = await send(strict, { query: '{ __typename silent }' });
    const { data, errors } = JSON.parse(text);
    assert.deepEqual(data, { __typename: 'Query', silent: null });
    assert.equal(errors[0].extensions.code, 'TIMEOUT');
    assert.equal(errors[0].extensions.outcome, 'unknown');
  });

  test('time of an operation: calls one after the other, none of them too long', async () => {
    const started = Date.now();
    const { text } = await send(strict, { query: 'mutation { a: pause(ms: 600) b: pause(ms: 600) c: pause(ms: 600) d: note(text: "never") }' });
    assert.ok(Date.now() - started < 2500, 'it ended in time');
    const { data, errors } = JSON.parse(text);
    assert.deepEqual(data, { a: 600, b: 600, c: null, d: null });
    assert.deepEqual(errors.map(({ path, extensions }) => [path, extensions.code, extensions.outcome]), [[['c'], 'TIMEOUT', 'unknown'], [['d'], 'TIMEOUT', 'none']]);
    for (const { message } of errors) assert.match(message, /the operation took 1[45]\d\d ms; the limit is 1500 ms/);
  });
});
