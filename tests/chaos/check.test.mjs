// The checker itself: it accepts good histories, and names what is wrong with each kind of bad one.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, RULES } from './check.mjs';

// A small good history, made anew for each test: room `r` with a1 … a4 of sender a; one send of b that was refused, one that
// was never answered and did happen (b2), one that did not.
function history() {
  const id = (body) => `id-${body}`;
  const message = (seq, body) => ({ seq, messageId: id(body), body });
  const log = [message(1, 'a1'), message(2, 'a2'), message(3, 'b2'), message(4, 'a3'), message(5, 'a4')];
  const send = (sender, body, begin, end, outcome, seq) => ({ sender, room: 'r', messageId: id(body), body, begin, end, outcome, answers: seq ? [{ seq, messageId: id(body) }] : [] });
  const follow = (number, subscriber, start, from, to, more = {}) => ({ id: number, subscriber, room: 'r', start, begin: 5, acked: null, open: true, deliveries: log.slice(from - 1, to).map((m) => ({ ...m })), ...more });
  return {
    sends: [
      send('a', 'a1', 0, 10, 'ok', 1),
      send('a', 'a2', 20, 30, 'ok', 2),
      send('a', 'a3', 40, 50, 'ok', 4),
      send('a', 'a4', 60, 70, 'ok', 5),
      send('b', 'b1', 20, 30, 'none'),
      send('b', 'b2', 31, 40, 'unknown'),
      send('b', 'b3', 41, 70, 'unknown'),
    ],
    subscriptions: [
      follow(1, 'stays', { last: 1 }, 1, 5),
      follow(2, 'resumes', { last: 2 }, 1, 2, { open: false }),
      follow(3, 'resumes', { after: 2 }, 3, 2, { open: false }),
      follow(4, 'resumes', { after: 2 }, 3, 5),
      follow(5, 'visits', 'live', 2, 3, { acked: 15, open: false }),
      follow(6, 'visits', 'live', 5, 5, { acked: 55 }),
      follow(7, 'came late', 'live', 6, 5, { acked: 75 }),
      follow(8, 'read first', { after: 3, read: 1 }, 4, 5),
    ],
    reads: [
      { id: 1, room: 'r', begin: 35, messages: log.slice(1, 3) },
      { id: 2, room: 'r', begin: 51, messages: log.slice(0, 4) },
      { id: 3, room: 'r', begin: 5, messages: [] },
    ],
    log: { r: log },
    complaints: [],
  };
}

const rules = (found) => [...new Set(found.map(({ rule }) => rule))].sort();

test('a good history', () => {
  assert.deepEqual(check(history()), []);
});

test('an empty one', () => {
  assert.deepEqual(check({ sends: [], subscriptions: [], log: {} }), []);
});

test('an acknowledgement that overlaps the next send says nothing about order', () => {
  const h = history();
  h.sends[2].sender = 'c'; // a3 is answered after a4, but stands before it
  h.sends[2].end = 90;
  assert.deepEqual(check(h), []);
});

describe('a bad one', () => {
  const swap = (list, i, j) => ([list[i], list[j]] = [list[j], list[i]]);
  const sub = (h, number) => h.subscriptions[number - 1];
  const cases = [
    ['an error that no fault excuses', ['complaint'], (h) => h.complaints.push('INTERNAL')],
    ['a hole in the log', ['dense', 'lost', 'names'], (h) => h.log.r.splice(1, 1)],
    ['a log that begins at 2', ['dense', 'lost', 'names'], (h) => h.log.r.shift()],
    ['one send twice', ['behind', 'once', 'stranger'], (h) => h.log.r.push({ seq: 6, messageId: 'other', body: 'b2' })],
    ['one send twice, without an id of its own', ['behind', 'once'], (h) => {
      h.sends[5].messageId = null;
      h.log.r.push({ seq: 6, messageId: 'other', body: 'b2' });
    }],
    ['one id twice', ['behind', 'once', 'stranger'], (h) => h.log.r.push({ seq: 6, messageId: 'id-a1', body: 'b3' })],
    ['a message that nobody sent', ['behind', 'stranger'], (h) => h.log.r.push({ seq: 6, messageId: 'x', body: 'x' })],
    ['a message in the wrong room', ['stranger'], (h) => (h.log.q = [{ seq: 1, messageId: 'id-b3', body: 'b3' }])],
    ['an acknowledged message that is not there', ['lost', 'names'], (h) => h.log.r.pop()],
    ['an acknowledged message whose room is not there', ['lost'], (h) => {
      h.log = {};
      h.subscriptions = [];
      h.reads = [];
    }],
    ['an acknowledgement with another seq', ['lost', 'sender'], (h) => (h.sends[0].answers[0].seq = 3)],
    ['a repetition with another answer', ['lost'], (h) => h.sends[1].answers.push({ seq: 2, messageId: 'id-new' })],
    ['a refused send in the log', ['behind', 'refused'], (h) => h.log.r.push({ seq: 6, messageId: 'id-b1', body: 'b1' })],
    ['a refused send delivered', ['names', 'refused', 'repeat'], (h) => sub(h, 1).deliveries.push({ seq: 5, messageId: 'id-b1', body: 'b1' })],
    ['another body under a seq', ['names'], (h) => (sub(h, 1).deliveries[1].body = 'a3')],
    ['another id under a seq', ['names'], (h) => (sub(h, 1).deliveries[1].messageId = 'id-a3')],
    ['a delivery twice', ['repeat'], (h) => sub(h, 1).deliveries.splice(2, 0, sub(h, 1).deliveries[1])],
    ['two deliveries in the wrong order', ['gap', 'repeat'], (h) => swap(sub(h, 1).deliveries, 1, 2)],
    ['a delivery left out', ['gap'], (h) => sub(h, 1).deliveries.splice(2, 1)],
    ['left out by a subscription that was cut off later', ['gap'], (h) => (sub(h, 1).deliveries.splice(2, 1), h.subscriptions.push({ ...sub(h, 1), open: false }), swap(h.subscriptions, 0, 8))],
    ['resumed one further', ['start'], (h) => sub(h, 4).deliveries.shift()],
    ['resumed one earlier', ['repeat'], (h) => sub(h, 4).deliveries.unshift(h.log.r[1])],
    ['resumed behind what never came', ['start'], (h) => {
      sub(h, 4).start.after = 3;
      sub(h, 4).deliveries.shift();
    }],
    ['the first event after the acknowledgement', ['start'], (h) => sub(h, 5).deliveries.shift()],
    ['the only event after the acknowledgement', ['behind'], (h) => sub(h, 6).deliveries.shift()],
    ['one who stays and is not at the head', ['behind'], (h) => sub(h, 1).deliveries.pop()],
    ['one who resumed and got nothing', ['behind'], (h) => (sub(h, 4).deliveries = [])],
    ['one who wanted the newest and got nothing', ['behind'], (h) => (sub(h, 1).deliveries = [])],
    ['one without a connection at the end', ['down'], (h) => (sub(h, 1).open = false)],
    ['a page that is too old', ['read'], (h) => h.reads[1].messages.pop()],
    ['an empty page that is too old', ['read'], (h) => (h.reads[2].begin = 11)],
    ['a page with a hole', ['read'], (h) => h.reads[1].messages.splice(1, 1)],
    ['a page with another message', ['names'], (h) => (h.reads[0].messages[0].messageId = 'x')],
    ['a subscription behind a page that leaves something out', ['start'], (h) => sub(h, 8).deliveries.shift()],
    ['a sender’s messages in the wrong order', ['names', 'real-time', 'sender', 'start'], (h) => {
      swap(h.log.r, 0, 1);
      h.log.r.forEach((m, i) => (m.seq = i + 1));
      h.sends[0].answers[0].seq = 2;
      h.sends[1].answers[0].seq = 1;
    }],
    ['an unanswered send before what was acknowledged before it', ['real-time'], (h) => (h.sends[5].begin = 55)],
  ];
  for (const [name, expected, spoil] of cases)
    test(name, () => {
      const h = history();
      // The log's own objects are shared with nobody.
      h.log.r = h.log.r.map((m) => ({ ...m }));
      for (const read of h.reads) read.messages = read.messages.map((m) => ({ ...m }));
      spoil(h);
      const found = check(h);
      assert.deepEqual(rules(found), expected, JSON.stringify(found, null, 1));
    });

  test('each rule has a case', () => {
    assert.deepEqual([...new Set(cases.flatMap(([, expected]) => expected))].sort(), Object.keys(RULES).sort());
  });
});
