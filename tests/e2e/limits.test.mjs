// How often something may be done: operations, sign-ins, sign-ups; and that refusals tell nobody which accounts exist.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { create, handle, post, signUp, subscribe, wsClient } from './harness/client.mjs';
import { metrics, metricSum, startSystem } from './harness/system.mjs';

const SIGN_IN = 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { handle } }';

describe('limits', () => {
  let system, ada;
  let lastAddress = 0;
  // Another client: this machine is a trusted proxy.
  const address = () => `10.1.${(lastAddress += 1) >> 8}.${lastAddress & 255}`;
  const from = (client) => ({ 'x-forwarded-for': client });
  const signIn = (h, p, client) => post(system.url, { query: SIGN_IN, variables: { h, p }, headers: from(client) });
  const code = ({ errors }) => errors?.[0].extensions.code;

  // What of `count` operations at once must be refused at `rate` a second: all but a second's worth and what came meanwhile.
  async function flood(rate, count, ask) {
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(i)));
    const granted = answers.filter(({ status }) => status === 200).length;
    const most = rate * (1 + (performance.now() - start) / 1000) + 1;
    assert.ok(granted >= Math.min(rate, count) && granted <= most, `${granted} of ${count} were granted, ${most} at most expected`);
    assert.ok(granted < count, 'none was refused');
    return answers.filter(({ status }) => status === 429);
  }

  before(async () => {
    system = await startSystem({
      gatewayArgs: ['--trusted-proxies', '127.0.0.1', '--rate-handle', '20', '--rate-address', '60', '--rate-connection', '20'],
      storeArgs: ['--sign-ups-per-minute', '20', '--failures-per-minute', '20'],
    });
    ada = await signUp(system.url);
  });
  after(() => system?.stop());

  test('operations of one handle: 429, Retry-After and retryAfterMs, and the others go on', async () => {
    const client = from(address());
    const ask = (token) => post(system.url, { query: '{ me { handle } }', token, headers: client });
    const refused = await flood(20, 60, () => ask(ada.token));
    const { errors, headers } = refused[0];
    assert.equal(errors[0].extensions.code, 'RATE_LIMITED');
    assert.ok(errors[0].extensions.retryAfterMs > 0 && errors[0].extensions.retryAfterMs <= 1000);
    assert.equal(headers.get('retry-after'), '1');
    const bob = await signUp(system.url);
    assert.equal((await ask(bob.token)).data.me.handle, bob.handle);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal((await ask(ada.token)).status, 200);
    const values = await metrics(system.gateways[0]);
    assert.equal(metricSum(values, 'parley_rate_limited_total', 'by="handle"'), refused.length);
  });

  test('operations of one WebSocket: an error on the id, and subscriptions live on', async () => {
    const bob = await signUp(system.url);
    const client = wsClient(system.wsUrl, bob.token);
    const room = handle('room');
    const heard = subscribe(client, { variables: { room } });
    const asked = Array.from({ length: 60 }, () => subscribe(client, { query: '{ __typename }', field: '__typename' }));
    for (const one of asked) while (!one.done) await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = asked.filter(({ errors }) => errors.length > 0);
    assert.ok(refused.length >= 1 && refused.length <= 41, `${refused.length} refused`);
    assert.equal(refused[0].errors[0][0].extensions.code, 'RATE_LIMITED');
    await create(system.url, ada.token, 'still there', { room });
    await heard.wait(1);
    await client.dispose();
  });

  test('operations of one address, whoever sends them', async () => {
    const client = from(address());
    await flood(60, 300, () => post(system.url, { query: '{ __typename }', headers: client }));
    assert.equal((await post(system.url, { query: '{ __typename }', headers: from(address()) })).status, 200);
  });

  test('the same /64 is one client', async () => {
    await flood(60, 300, (i) => post(system.url, { query: '{ __typename }', headers: from(`2001:db8::${(i + 1).toString(16)}`) }));
  });

  test('from the fifth wrong password on the next attempt has to wait, for existing and unknown handles alike', async () => {
    const { handle: existing } = await signUp(system.url);
    for (const name of [existing, handle('nobody')]) {
      const client = address();
      for (let i = 0; i < 5; i++) assert.equal(code(await signIn(name, 'wrong', client)), 'UNAUTHENTICATED');
      const { errors, status, headers } = await signIn(name, 'correct horse 1', client);
      assert.equal(status, 429);
      assert.equal(headers.get('retry-after'), '1');
      assert.equal(errors[0].extensions.code, 'RATE_LIMITED');
      assert.ok(errors[0].extensions.retryAfterMs > 0 && errors[0].extensions.retryAfterMs <= 1000);
      // A stranger's attempts lock nobody out.
      const owner = await signIn(name, 'correct horse 1', address());
      assert.equal(code(owner) ?? owner.data.signIn.handle, name === existing ? existing : 'UNAUTHENTICATED');
      await new Promise((resolve) => setTimeout(resolve, errors[0].extensions.retryAfterMs));
      assert.notEqual(code(await signIn(name, 'correct horse 1', client)), 'RATE_LIMITED');
    }
    const values = await metrics(system.stores[0]);
    assert.equal(metricSum(values, 'parley_store_attempts_refused_total'), 2);
  });

  test('an unknown handle is as much work as a wrong password', async () => {
    const { handle: existing } = await signUp(system.url);
    const times = { existing: [], unknown: [] };
    const hashes = async () => metricSum(await metrics(system.stores[0]), 'parley_password_hash_seconds_count');
    const begin = await hashes();
    for (let i = 0; i < 15; i++)
      for (const [kind, name] of [['existing', existing], ['unknown', handle('nobody')]]) {
        const start = performance.now();
        const answer = await signIn(name, 'wrong', address());
        times[kind].push(performance.now() - start);
        assert.deepEqual(
          [answer.status, answer.errors[0].message, code(answer)],
          [200, 'wrong handle or password', 'UNAUTHENTICATED'],
        );
      }
    assert.equal((await hashes()) - begin, 30);
    const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
    const ratio = median(times.unknown) / median(times.existing);
    assert.ok(ratio > 0.5 && ratio < 2, `an unknown handle takes ${ratio} of the time`);
  });

  test('an address cannot go through many accounts, nor make many', async () => {
    const client = address();
    const wrong = await Promise.all(Array.from({ length: 30 }, () => signIn(handle('nobody'), 'wrong', client)));
    const limited = wrong.filter((answer) => code(answer) === 'RATE_LIMITED');
    assert.ok(limited.length >= 1 && limited.length <= 10, `${limited.length} of 30 refused`);
    const made = await Promise.all(
      Array.from({ length: 30 }, () =>
        post(system.url, {
          query: 'mutation ($h: String!) { signUp(handle: $h, password: "correct horse 1") { handle } }',
          variables: { h: handle('many') },
          headers: from(client),
        }),
      ),
    );
    const refused = made.filter((answer) => code(answer) === 'RATE_LIMITED');
    assert.ok(refused.length >= 1 && refused.length <= 10, `${refused.length} of 30 refused`);
  });
});
