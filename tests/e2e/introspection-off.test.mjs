// --no-introspection: the schema is not told, neither when asked nor by helpful errors. Beside it a gateway that tells.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { getIntrospectionQuery } from 'graphql';
import { data, post, wsClient } from './harness/client.mjs';
import { Process, startSystem } from './harness/system.mjs';

const ODD = fileURLToPath(new URL('./services/odd.py', import.meta.url));

let system, open, closed;
before(async () => {
  system = await startSystem({ gateways: 0, stores: 0, postgres: false });
  const endpoint = `ipc://${system.dir}/odd.ipc`;
  const odd = new Process('odd', '/usr/bin/python3', [ODD, endpoint]);
  system.others.push(odd);
  odd.start();
  system.options.services = [`odd=${endpoint}`];
  open = (await system.addGateway()).start();
  system.options.gatewayArgs = ['--no-introspection'];
  closed = (await system.addGateway()).start();
  await system.ready();
});
after(() => system?.stop());

const HINT = /did you mean/i;

// Each of them nearly hits a name of the schema.
const near = {
  'a field': { query: '{ addd(a: 1) }', name: 'add' },
  'a field of an object': { query: '{ holes { nam } }', name: 'name' },
  'a field of one of the types': { query: '{ shapes { radius } }', name: 'Circle' },
  'an argument': { query: '{ shapes(coun: 1) { name } }', name: 'count' },
  'an argument of a directive': { query: '{ who @skip(iff: true) }', name: 'if' },
  'a type': { query: '{ shapes { ... on Squares { side } } }', name: 'Square' },
  'the type of a variable': { query: 'query ($b: Boxx) { echo(value: $b) }', name: 'Box' },
  'a field of an input object': { query: '{ echo(value: { width: 1, tag: [] }) }', name: 'tags' },
  'an enum value': { query: '{ echo(value: { width: 1, color: GREN }) }', name: 'GREEN' },
  'an enum value as a string': { query: '{ echo(value: { width: 1, color: "GREEN" }) }', name: 'GREEN' },
  'a field of an input object in variables': { query: 'query ($b: Box) { echo(value: $b) }', variables: { b: { width: 1, tag: [] } }, name: 'tags' },
  'an enum value in variables': { query: 'query ($b: Box) { echo(value: $b) }', variables: { b: { width: 1, color: 'GREN' } }, name: 'GREEN' },
};

describe('errors', () => {
  for (const [what, { query, variables, name }] of Object.entries(near))
    test(`no hint at ${what}, but the same error`, async () => {
      const told = await post(open.url, { query, variables });
      const silent = await post(closed.url, { query, variables });
      const hints = told.errors.filter((error) => HINT.test(error.message));
      assert.equal(hints.length, 1, JSON.stringify(told.errors));
      assert.match(hints[0].message, new RegExp(`did you mean.*"${name}"`, 'i'));
      assert.doesNotMatch(JSON.stringify(silent), HINT);
      assert.equal(silent.status, told.status);
      const cut = (error) => ({ ...error, message: error.message.replace(/(\. Did you mean|, found:).*$|\.$/, '') });
      assert.deepEqual(silent.errors.map(cut), told.errors.map(cut));
    });

  test('nor over a WebSocket', async () => {
    const client = wsClient(closed.wsUrl);
    const errors = await new Promise((resolve) => {
      client.subscribe({ query: '{ addd(a: 1) }' }, { next: (result) => resolve(result.errors), error: resolve, complete: () => resolve([]) });
    });
    await client.dispose();
    assert.match(errors[0].message, /addd/);
    assert.doesNotMatch(JSON.stringify(errors), HINT);
  });
});

describe('introspection', () => {
  const asks = {
    __schema: getIntrospectionQuery(),
    __type: '{ __type(name: "Box") { inputFields { name } } }',
    'under an alias': '{ x: __schema { types { name } } }',
    'in a fragment': '{ ...F } fragment F on Query { __schema { types { name } } }',
    'beside others': '{ who __type(name: "Box") { name } }',
  };
  for (const [what, query] of Object.entries(asks))
    test(`refused: ${what}`, async () => {
      assert.ok((await data(open.url, { query })) !== null);
      const answer = await post(closed.url, { query });
      assert.equal(answer.data, undefined);
      assert.match(answer.errors[0].message, /introspection/i);
      assert.equal(answer.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    });

  test('__typename is none', async () => {
    const query = '{ __typename shapes(count: 1) { __typename } }';
    assert.deepEqual(await data(closed.url, { query }), { __typename: 'Query', shapes: [{ __typename: 'Square' }] });
  });
});
