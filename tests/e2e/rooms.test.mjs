// Private rooms end to end: nothing at or behind a removal reaches the removed, on any gateway, live or replayed, under load and
// while stores die; everybody else goes on without a hole.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CREATE, create, data, handle, post, signUp, subscribe, subscribeLive, wsClient } from './harness/client.mjs';
import { startSystem, until } from './harness/system.mjs';

const seqOf = (cursor) => Number(Buffer.from(cursor, 'base64url').readBigUInt64BE(17));
const seqs = (messages) => messages.map(({ cursor }) => seqOf(cursor));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const MEMBER = '{ room handle role changedBy changedAt cursor }';
const CHANGES = `subscription ($room: String!, $after: String) { roomChanges(room: $room, after: $after) ${MEMBER} }`;

let system, ann, ben, cat;
const clients = [];
const client = (gateway, who) => {
  clients.push(wsClient(gateway.wsUrl, who.token));
  return clients.at(-1);
};

async function run(who, query, variables, url = system.url) {
  const [result] = Object.values(await data(url, { query, variables, token: who.token }));
  return result;
}

// The code of the error that an operation ends with.
async function refusal(who, query, variables) {
  const { errors } = await post(system.url, { query, variables, token: who.token });
  return errors?.[0].extensions.code;
}

const invite = (room, who, url) => run(ann, `mutation ($room: String!, $handle: String!) { inviteToRoom(room: $room, handle: $handle) ${MEMBER} }`, { room, handle: who.handle }, url);
const remove = (room, who, url) => run(ann, `mutation ($room: String!, $handle: String!) { removeFromRoom(room: $room, handle: $handle) ${MEMBER} }`, { room, handle: who.handle }, url);

async function makeRoom(...members) {
  const { room } = await run(ann, 'mutation { createRoom(title: "Plans") { room title role createdAt } }');
  for (const member of members) await invite(room, member);
  return room;
}

async function wholeRoom(who, room) {
  const all = [];
  for (let cursor; ; ) {
    const page = await run(who, 'query ($room: String, $after: String) { getMessages(room: $room, first: 500, after: $after) { messageId body handle cursor } }', { room, after: cursor });
    all.push(...page);
    if (page.length < 500) return all;
    cursor = page.at(-1).cursor;
  }
}

// Posts through each gateway in turn until told to stop. What has no clear outcome is sent again under its id.
function poster(who, room) {
  const self = { sent: 0, isStopped: false };
  self.finished = (async () => {
    for (let turn = 0; !self.isStopped; turn++) {
      const id = randomUUID();
      for (;;) {
        const { url } = system.gateways[turn % system.gateways.length];
        const answer = await post(url, { query: CREATE, variables: { body: `${who.handle} ${turn}`, room, id }, token: who.token });
        if (answer.data?.createMessage) break;
        assert.ok(['UNAVAILABLE', 'TIMEOUT'].includes(answer.errors[0].extensions.code), JSON.stringify(answer.errors));
      }
      self.sent++;
    }
  })();
  self.finished.catch(() => {});
  self.stop = () => {
    self.isStopped = true;
    return self.finished;
  };
  return self;
}

const codes = (subscriber) => subscriber.errors.flat().map((error) => error.extensions?.code ?? String(error));

before(async () => {
  system = await startSystem({ gateways: 2, stores: 2, gatewayArgs: ['--call-timeout-ms', '5000'] });
  [ann, ben, cat] = await Promise.all(['ann', 'ben', 'cat'].map((name) => signUp(system.url, handle(name))));
});
after(async () => {
  for (const open of clients) await open.dispose();
  await system?.stop();
});

describe('a private room', () => {
  test('is refused to outsiders in the words that are used for no room', async () => {
    const room = await makeRoom(ben);
    await create(system.url, ann.token, 'secret', { room });
    for (const [query, variables] of [
      ['query ($room: String) { getMessages(room: $room) { body } }', {}],
      [CREATE, { body: 'x' }],
      [`query ($room: String!) { roomMembers(room: $room) ${MEMBER} }`, {}],
      ['mutation ($room: String!) { leaveRoom(room: $room) { handle } }', {}],
    ]) {
      const answers = [];
      for (const name of [room, `private/${randomUUID()}`]) {
        const { errors, data: none } = await post(system.url, { query, variables: { ...variables, room: name }, token: cat.token });
        answers.push({ errors, none });
        assert.equal(errors[0].extensions.code, 'FORBIDDEN');
      }
      assert.deepEqual(answers[0], answers[1], query);
    }
    for (const name of [room, `private/${randomUUID()}`])
      for (const query of [undefined, CHANGES]) {
        const subscriber = subscribe(client(system.gateways[1], cat), { query, variables: { room: name } });
        await until('the refusal', () => subscriber.done);
        assert.deepEqual(codes(subscriber), ['FORBIDDEN']);
      }
    assert.deepEqual((await run(ben, 'query { myRooms { room title role } }')), [{ room, title: 'Plans', role: 'MEMBER' }]);
    assert.deepEqual(await run(cat, 'query { myRooms { room } }'), []);
  });

  test('tells its members who comes, goes and gets another role', async () => {
    const room = await makeRoom(ben);
    const watch = subscribe(client(system.gateways[0], ben), { query: CHANGES, variables: { room }, field: 'roomChanges' });
    await until('the subscription to be live', async () => {
      await run(ann, 'mutation ($room: String!, $handle: String!) { setRoomRole(room: $room, handle: $handle, role: MEMBER) { role } }', { room, handle: ben.handle });
      await pause(20);
      return watch.messages.length > 0;
    });
    const before = watch.messages.length;
    const steps = [await invite(room, cat, system.gateways[1].url), await remove(room, cat, system.gateways[1].url)];
    await watch.wait(before + 2);
    assert.deepEqual(watch.messages.slice(before), steps);
    assert.deepEqual(steps.map(({ role }) => role), ['MEMBER', null]);
    assert.ok(!watch.done);
  });
});

describe('a removal', () => {
  test('under load: the removed gets all before it and nothing behind it, on both gateways; the others go on', async () => {
    const room = await makeRoom(ben, cat);
    const open = randomUUID();
    const posters = [poster(ann, room), poster(cat, room)];
    const bens = system.gateways.map((gateway) => client(gateway, ben));
    const elsewhere = await subscribeLive(system.url, bens[0], ben.token, open);
    const removed = bens.map((each) => subscribe(each, { variables: { room, last: 1 } }));
    const changes = subscribe(bens[1], { query: CHANGES, variables: { room }, field: 'roomChanges' });
    const others = system.gateways.map((gateway) => subscribe(client(gateway, cat), { variables: { room, last: 1 } }));
    for (const subscriber of [...removed, ...others]) await subscriber.wait(20);
    const gone = await remove(room, ben, system.gateways[1].url);
    const revoked = seqOf(gone.cursor) - 1;
    for (const subscriber of [...removed, changes]) await until('the end', () => subscriber.done);
    const sent = posters[0].sent;
    await until('more of it', () => posters[0].sent > sent + 20);
    await Promise.all(posters.map((each) => each.stop()));
    const all = await wholeRoom(cat, room);
    for (const subscriber of removed) {
      assert.deepEqual(codes(subscriber), ['FORBIDDEN']);
      const got = seqs(subscriber.messages);
      assert.deepEqual(got, seqs(all).filter((seq) => seq >= got[0] && seq < revoked));
    }
    assert.deepEqual(codes(changes), ['FORBIDDEN']);
    assert.deepEqual(changes.messages, []);
    for (const subscriber of others) {
      const from = all.findIndex(({ cursor }) => cursor === subscriber.messages[0].cursor);
      await subscriber.wait(all.length - from);
      assert.deepEqual(seqs(subscriber.messages), seqs(all.slice(from)));
      assert.ok(!subscriber.done);
    }
    const open2 = elsewhere.messages.length;
    await create(system.url, ben.token, 'still here', { room: open });
    await elsewhere.wait(open2 + 1); // on the same socket

    // Nor does he come back: with his cursor, with one of the end, by a page, by a message.
    const cursor = removed[0].messages.at(-1).cursor;
    for (const variables of [{ room, after: cursor }, { room, after: all.at(-1).cursor }, { room, last: 5 }, { room }]) {
      const again = subscribe(client(system.gateways[1], ben), { variables });
      await until('the refusal', () => again.done);
      assert.deepEqual([codes(again), again.messages], [['FORBIDDEN'], []]);
    }
    assert.equal(await refusal(ben, 'query ($room: String) { getMessages(room: $room) { body } }', { room }), 'FORBIDDEN');
    assert.equal(await refusal(ben, CREATE, { room, body: 'x' }), 'FORBIDDEN');

    // Invited again he goes on from where he was, across his old removal.
    await invite(room, ben);
    const back = subscribe(client(system.gateways[1], ben), { variables: { room, after: cursor } });
    const later = await create(system.url, ben.token, 'back', { room });
    const missed = [...seqs(all).filter((seq) => seq > seqOf(cursor)), seqOf(later.cursor)];
    await back.wait(missed.length);
    assert.deepEqual(seqs(back.messages), missed);
    const final = await remove(room, ben);
    await until('the end', () => back.done);
    assert.deepEqual([codes(back), seqs(back.messages)], [['FORBIDDEN'], missed]);
    assert.ok(seqOf(final.cursor) > seqOf(later.cursor));
  });

  test('while stores die: no subscription passes it, however often it comes back', async () => {
    const room = await makeRoom(ben, cat);
    const posters = [poster(ann, room), poster(cat, room)];
    const others = system.gateways.map((gateway) => subscribe(client(gateway, cat), { variables: { room, last: 1 } }));
    let isOver = false;
    const taken = [];
    const comers = system.gateways.map(async (gateway, turn) => {
      const socket = client(gateway, ben);
      for (let i = turn; !isOver; i++) {
        const subscriber = subscribe(socket, { variables: { room, ...(i % 2 ? { last: 1 } : {}) } });
        taken.push(Object.assign(subscriber, { before: i % 2 })); // so many of its messages may lie before its right
        await until('its end', () => subscriber.done || isOver, { timeoutMs: 60_000, everyMs: 2 });
        if (!subscriber.done && isOver) await until('the last end', () => subscriber.done);
        await pause(5);
      }
    });
    const changes = [];
    for (let round = 0; round < 8; round++) {
      const clear = async (act, url) => {
        for (;;) {
          try {
            return changes.push((await act(room, ben, url)).cursor);
          } catch (error) {
            const { code } = error.answer.errors[0].extensions;
            if (code === 'CONFLICT' || code === 'NOT_FOUND') return undefined; // its outcome was unknown before
            assert.ok(['UNAVAILABLE', 'TIMEOUT'].includes(code), error.message);
          }
        }
      };
      const { url } = system.gateways[round % 2];
      await pause(150);
      if (round % 2) {
        const store = system.stores[(round >> 1) % 2];
        const removing = clear(remove, url);
        await store.stop('SIGKILL');
        store.start();
        await removing;
      } else {
        await clear(remove, url);
      }
      if (round < 7) await clear(invite, url);
    }
    isOver = true;
    await Promise.all(comers);
    await Promise.all(posters.map((each) => each.stop()));
    await system.ready();
    const all = await wholeRoom(cat, room);
    const log = await (async () => {
      const everything = subscribe(client(system.gateways[0], cat), { query: CHANGES, variables: { room, after: all[0].cursor }, field: 'roomChanges' });
      await until('all changes', () => everything.messages.some(({ cursor }) => cursor === changes.at(-1)));
      return everything.messages;
    })();
    const revokes = log.filter(({ role }) => role === null).map(({ cursor }) => seqOf(cursor) - 1);
    assert.ok(revokes.length >= 8);
    let received = 0;
    for (const subscriber of taken) {
      assert.deepEqual(codes(subscriber).filter((code) => code !== 'FORBIDDEN' && code !== 'UNAVAILABLE'), []);
      const got = seqs(subscriber.messages);
      if (got.length === 0) continue;
      received += got.length;
      assert.deepEqual(got, seqs(all).filter((seq) => seq >= got[0] && seq <= got.at(-1)), 'a hole');
      assert.ok(!revokes.some((seq) => seq > got[subscriber.before] && seq < got.at(-1)), `passed a removal: ${got[0]} … ${got.at(-1)}, ${revokes}`);
    }
    assert.ok(received > 50, `only ${received} were received`);
    assert.ok(taken.every(({ done }) => done));
    for (const subscriber of others) {
      const from = all.findIndex(({ cursor }) => cursor === subscriber.messages[0].cursor);
      await subscriber.wait(all.length - from);
      assert.deepEqual(seqs(subscriber.messages), seqs(all.slice(from)));
    }
  });
});
