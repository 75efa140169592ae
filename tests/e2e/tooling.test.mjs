// The tools around GraphQL: urql as a page would set it up, and graphql-codegen, which takes the introspection or the printed
// schema and makes TypeScript of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { buildClientSchema, getIntrospectionQuery, parse, printSchema } from 'graphql';
import { create, data, signUp, wsClient } from './harness/client.mjs';
import { BIN, startSystem, until } from './harness/system.mjs';

let system, alice;
before(async () => {
  system = await startSystem();
  alice = await signUp(system.url);
});
after(() => system?.stop());

const PAGE = `
  query Page($room: String!, $last: Int) {
    getMessages(room: $room, last: $last) { ...Line cursor }
  }
  fragment Line on Message { messageId body handle }
`;
const POST = `
  mutation Post($room: String!, $body: String!) {
    createMessage(room: $room, body: $body) { messageId body handle }
  }
`;
const LIVE = `
  subscription Live($room: String!, $last: Int) {
    addMessage(room: $room, last: $last) { body handle }
  }
`;

describe('urql', () => {
  let socket, requests;
  before(() => {
    socket = wsClient(system.wsUrl, alice.token, { lazy: true });
  });
  after(() => socket?.dispose());

  function client(options = {}) {
    requests = [];
    return new Client({
      url: `${system.url}/graphql`,
      fetchOptions: () => ({ headers: { authorization: `Bearer ${alice.token}` } }),
      fetch: (url, init) => {
        requests.push(`${init.method} ${new URL(url).pathname}`);
        return fetch(url, init);
      },
      exchanges: [
        cacheExchange,
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: (request) => ({
            subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink) }),
          }),
        }),
      ],
      ...options,
    });
  }

  for (const preferGetMethod of [false, 'force'])
    test(`query and mutation, queries by ${preferGetMethod ? 'GET' : 'POST'}`, async () => {
      const urql = client({ preferGetMethod });
      const room = randomUUID();
      const posted = await urql.mutation(POST, { room, body: 'Grüße, 世界 🎉' }).toPromise();
      assert.equal(posted.error, undefined);
      assert.equal(posted.data.createMessage.handle, alice.handle);
      const page = await urql.query(PAGE, { room, last: 5 }).toPromise();
      assert.equal(page.error, undefined);
      const { messageId } = posted.data.createMessage;
      assert.deepEqual(
        page.data.getMessages.map(({ cursor, ...rest }) => ({ ...rest, cursor: typeof cursor })),
        [{ __typename: 'Message', messageId, body: 'Grüße, 世界 🎉', handle: alice.handle, cursor: 'string' }],
      );
      assert.deepEqual(requests, ['POST /graphql', `${preferGetMethod ? 'GET' : 'POST'} /graphql`]);
    });

  test('a mutation makes the cache ask again', async () => {
    const urql = client();
    const room = randomUUID();
    await create(system.url, alice.token, 'first', { room });
    const bodies = [];
    const { unsubscribe } = urql.query(PAGE, { room }).subscribe((result) => {
      bodies.push(result.data?.getMessages.map(({ body }) => body).join());
    });
    await until('the first page', () => bodies.includes('first'));
    await urql.mutation(POST, { room, body: 'second' }).toPromise();
    await until('the second page', () => bodies.includes('first,second'));
    unsubscribe();
  });

  test('errors arrive as GraphQL errors', async () => {
    const wrong = await client().query(PAGE, { room: randomUUID(), last: -1 }).toPromise();
    assert.equal(wrong.error.networkError, undefined);
    assert.equal(wrong.error.graphQLErrors[0].extensions.code, 'BAD_USER_INPUT');
    assert.deepEqual(wrong.error.graphQLErrors[0].path, ['getMessages']);
    const nobody = await client({ fetchOptions: {} }).query(PAGE, { room: 'x' }).toPromise();
    assert.equal(nobody.error.response.status, 401);
    assert.equal(nobody.error.graphQLErrors[0].extensions.code, 'UNAUTHENTICATED');
    const invalid = await client().query('{ nope }', {}).toPromise();
    assert.equal(invalid.error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });

  test('subscription over graphql-ws', async () => {
    const urql = client();
    const room = randomUUID();
    await create(system.url, alice.token, 'before', { room });
    const results = [];
    const { unsubscribe } = urql.subscription(LIVE, { room, last: 1 }).subscribe((result) => results.push(result));
    await until('what was there', () => results.length === 1);
    for (const body of ['one', 'two', 'three']) await urql.mutation(POST, { room, body }).toPromise();
    await until('what came', () => results.length === 4);
    unsubscribe();
    assert.deepEqual(results.map(({ error }) => error), Array(4).fill(undefined));
    assert.deepEqual(results.map((result) => result.data.addMessage.body), ['before', 'one', 'two', 'three']);
    assert.ok(results.every((result) => result.extensions.cursor));
    await create(system.url, alice.token, 'after the end', { room });
    await create(system.url, alice.token, 'and another', { room });
    assert.equal(results.length, 4);
  });

  test('a subscription that is refused', async () => {
    const { error } = await new Promise((resolve) => {
      client().subscription('subscription { nope }', {}).subscribe(resolve);
    });
    assert.equal(error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });
});

describe('graphql-codegen', () => {
  const texts = { Page: PAGE, Post: POST, Live: LIVE };

  function generate(schema, documents = texts) {
    return codegen({
      filename: 'chat.ts',
      schema,
      documents: Object.entries(documents).map(([name, text]) => ({ location: `${name}.graphql`, document: parse(text) })),
      config: { skipTypename: true },
      plugins: [{ typescript: {} }, { typescriptOperations: {} }],
      pluginMap: { typescript, typescriptOperations },
    });
  }

  const introspected = async () => printSchema(buildClientSchema(await data(system.url, { query: getIntrospectionQuery() })));
  const printed = () =>
    execFileSync(path.join(BIN, 'parley-gateway'), ['schema', '--services', `store=${system.stores[0].bus}`], { encoding: 'utf8' });

  // A type without the spaces that the generator puts in.
  const typeOf = (code, name) => new RegExp(`export type ${name} = ([^;]*);`).exec(code)?.[1].replace(/\s+/g, ' ');

  test('types of schema and operations, from the introspection', async () => {
    const code = await generate(parse(await introspected()));
    assert.match(code, /export type Message = \{/);
    assert.match(code, /AWSDateTime: \{ input: any; output: any; \}/);
    assert.match(code, /export type MutationCreateMessageArgs = \{\s+body: Scalars\['String'\]\['input'\];/);
    const line = '{ messageId: string, body: string, handle: string }';
    assert.equal(typeOf(code, 'PostMutation'), `{ createMessage: ${line} }`);
    assert.equal(typeOf(code, 'PageQuery'), `{ getMessages: Array<{ cursor: string, messageId: string, body: string, handle: string }> }`);
    assert.equal(typeOf(code, 'LiveSubscription'), '{ addMessage?: { body: string, handle: string } | null }');
  });

  test('the same from the schema that the gateway prints', async () => {
    assert.equal(await generate(parse(printed())), await generate(parse(await introspected())));
  });

  test('generator and check agree on a wrong operation', async () => {
    const file = path.join(system.dir, 'wrong.graphql');
    const wrong = '{ getMessages { bodi } }';
    fs.writeFileSync(file, wrong);
    const schema = path.join(system.dir, 'schema.graphql');
    fs.writeFileSync(schema, printed());
    assert.throws(
      () => execFileSync(path.join(BIN, 'parley-gateway'), ['check', '--schema', schema, file], { encoding: 'utf8' }),
      (error) => error.status === 1 && /wrong\.graphql:1:17: Cannot query field "bodi" on type "Message"/.test(error.stdout),
    );
    await assert.rejects(async () => generate(parse(printed()), { wrong }), /Cannot query field "bodi" on type "Message"/);
  });
});
