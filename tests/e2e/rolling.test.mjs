// Gateways are restarted in good order, one after the other, behind the balancer and under load: no request fails, no message is
// lost, and those whose connections are closed come back one by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIALECTS } from '../chaos/connections.mjs';
import { startBalancer } from './harness/balancer.mjs';
import { ADD, create, data, signUp } from './harness/client.mjs';
import { metricSum, metrics, startSystem, until } from './harness/system.mjs';

const GATEWAYS = 3;
const POSTERS = 6;
const SUBSCRIBERS = 40;
const SPREAD_MS = 1000;
const CLOSED_IN_GOOD_ORDER = 1001;

// Follows a room as people's programs do: whenever the connection is closed, it comes back behind the last cursor.
class Follower {
  constructor(gateway, token, dialect, room) {
    Object.assign(this, { gateway, token, dialect, room, cursors: [], closes: [], complaints: [], isOver: false });
    this.#open();
  }

  #open() {
    const on = {
      ack() {},
      next: ({ data: { addMessage } }) => this.cursors.push(addMessage.cursor),
      refused: (errors) => this.complaints.push(errors),
      end: (code) => {
        if (this.isOver) return;
        this.closes.push({ at: performance.now(), code });
        setTimeout(() => this.#open(), 50);
      },
    };
    const resume = this.cursors.at(-1);
    this.cut = DIALECTS[this.dialect]({ gateway: this.gateway, token: this.token, query: ADD, variables: { room: this.room, last: resume ? undefined : 1 }, resume }, on);
  }

  stop() {
    this.isOver = true;
    this.cut();
  }
}

test('three gateways are restarted one after the other', { timeout: 150_000 }, async (t) => {
  const system = await startSystem({ gateways: GATEWAYS, gatewayArgs: ['--drain-spread-ms', String(SPREAD_MS)] });
  let balancer;
  const followers = [];
  try {
    balancer = await startBalancer(system);
    const { token } = await signUp(balancer.url);
    const room = 'rolling';
    await create(balancer.url, token, 'the first', { room });
    const dialects = Object.keys(DIALECTS);
    for (let i = 0; i < SUBSCRIBERS; i++) followers.push(new Follower({ ...balancer, port: 0 }, token, dialects[i % dialects.length], room));
    await until('all to be there', () => followers.every((follower) => follower.cursors.length > 0));

    let isOver = false;
    const failures = [];
    const counts = { posts: 1, reads: 0 };
    const lane = async (work) => {
      while (!isOver) await work().catch((error) => failures.push(error.cause ?? error));
    };
    const load = [
      ...Array.from({ length: POSTERS }, (_, i) => lane(async () => create(balancer.url, token, `${i} ${(counts.posts += 1)}`, { room }))),
      ...Array.from({ length: 2 }, () => lane(async () => data(balancer.url, { query: '{ getMessages(room: "rolling", last: 5) { body } }', token }).then(() => (counts.reads += 1)))),
    ];
    const open = async (gateway) => metricSum(await metrics(gateway), 'parley_connections');
    const drains = [];
    for (const gateway of system.gateways) {
      await until('the gateway to have clients', async () => (await open(gateway)) > 0);
      const from = performance.now();
      assert.deepEqual(await gateway.stop('SIGTERM'), { code: 0, signal: null });
      drains.push({ from, to: performance.now() });
      gateway.start();
      await system.ready();
      const posts = counts.posts;
      await until('the load to go on', () => counts.posts > posts + 50);
    }
    isOver = true;
    await Promise.all(load);

    const log = [];
    for (let after; ; after = log.at(-1)) {
      const query = 'query ($after: String) { getMessages(room: "rolling", first: 500, after: $after) { cursor } }';
      const { getMessages: page } = await data(balancer.url, { query, variables: { after }, token });
      log.push(...page.map(({ cursor }) => cursor));
      if (page.length < 500) break;
    }
    await until('everybody to have everything', () => followers.every(({ cursors }) => cursors.at(-1) === log.at(-1))).catch(() => {});
    for (const follower of followers) follower.stop();

    const closes = followers.flatMap((follower) => follower.closes.map((close) => ({ ...close, dialect: follower.dialect })));
    t.diagnostic(`${counts.posts} posts, ${counts.reads} reads, ${failures.length} failed; ${closes.length} connections closed`);
    assert.deepEqual(failures, []);
    assert.equal(log.length, counts.posts);
    for (const { cursors, complaints, dialect } of followers) {
      assert.deepEqual(complaints, []);
      assert.deepEqual(cursors, log.slice(log.indexOf(cursors[0])), dialect);
    }
    // Each drain closed somebody, over the spread and not at once, with the code on which clients come back.
    for (const { from, to } of drains) {
      const times = closes.filter(({ at }) => at > from && at < to).map(({ at }) => at);
      assert.ok(times.length >= 3, `${times.length} closed`);
      assert.ok(Math.max(...times) - Math.min(...times) > SPREAD_MS / 4, `all closed within ${Math.max(...times) - Math.min(...times)} ms`);
    }
    for (const { code, dialect } of closes) if (dialect === 'graphql-transport-ws') assert.equal(code, CLOSED_IN_GOOD_ORDER);
  } finally {
    for (const follower of followers) follower.stop();
    await balancer?.stop();
    await system.stop();
  }
});
