// Does a history keep the promise? History in, violations out; no clock, no sockets.
//
// A history is
//   sends          [{sender, room, messageId, body, begin, end, outcome, answers: [{seq, messageId}]}]
//                  outcome: `ok` (acknowledged at `end`), `none` (every attempt was certainly not executed, and it was given
//                  up), `unknown` (at least one attempt may have been executed, none was acknowledged). Bodies are unique.
//   subscriptions  [{id, subscriber, room, start, begin, acked, open, deliveries: [{seq, messageId, body}]}]
//                  in the order in which each subscriber made them. start: `live`, {last: n} or {after: seq}, with
//                  read: id if it goes on behind a page; acked: when it was acknowledged, or null; open: it lived, and had time to catch up, when the log was read
//   reads          [{id, room, begin, messages: [{seq, messageId, body}]}]: pages of the newest messages
//   log            {room: [{seq, messageId, body}]}, read when everything had healed
//   complaints     what clients were told that nobody may be told
// Times are of one clock. A violation is {rule, text}.

export const RULES = {
  complaint: 'errors are of the kinds that faults excuse',
  dense: 'seqs of a room are 1, 2, 3 …',
  once: 'a send is in the log at most once',
  stranger: 'the log holds only what was sent, where it was sent',
  lost: 'an acknowledged message is in the log, as it was acknowledged',
  refused: 'what was certainly not executed is nowhere',
  names: '(room, seq) names one message for ever',
  repeat: 'a subscription goes forward only',
  gap: 'a subscription leaves nothing out',
  start: 'a subscription begins where it was said to',
  behind: 'whoever stays or resumes gets everything',
  down: 'a subscriber is connected when everything has healed',
  read: 'a page holds all that was acknowledged before it was asked for',
  sender: 'messages of one sender, each sent after the previous answer, are in order',
  'real-time': 'acknowledged before another began: a smaller seq',
};

export function check(history) {
  const found = [];
  const say = (rule, text) => found.push({ rule, text });
  for (const text of history.complaints ?? []) say('complaint', text);
  const index = indexOf(history);
  checkLog(history, index, say);
  checkSends(history, index, say);
  for (const subscription of history.subscriptions) checkSubscription(subscription, index, say);
  checkSubscribers(history, say);
  checkReads(history, index, say);
  return found;
}

function indexOf({ sends, log }) {
  const byBody = new Map(sends.map((send) => [send.body, send]));
  const rooms = new Map();
  for (const [room, messages] of Object.entries(log)) {
    const bySeq = new Map(messages.map((message) => [message.seq, message]));
    rooms.set(room, { messages, bySeq, head: messages.length === 0 ? 0 : messages.at(-1).seq, seqsOf: new Map() });
    for (const { body, seq } of messages) rooms.get(room).seqsOf.set(body, [...(rooms.get(room).seqsOf.get(body) ?? []), seq]);
  }
  for (const { room } of sends)
    if (!rooms.has(room)) rooms.set(room, { messages: [], bySeq: new Map(), head: 0, seqsOf: new Map() });
  return { byBody, rooms };
}

function checkLog(history, { byBody, rooms }, say) {
  for (const [room, { messages, seqsOf }] of rooms) {
    const ids = new Map();
    messages.forEach(({ seq, messageId, body }, i) => {
      if (seq !== (messages[i - 1]?.seq ?? 0) + 1) say('dense', `${room}: ${seq} follows ${messages[i - 1]?.seq ?? 'nothing'}`);
      if (ids.has(messageId)) say('once', `${room}: id ${messageId} at ${ids.get(messageId)} and at ${seq}`);
      ids.set(messageId, seq);
      const send = byBody.get(body);
      if (!send || send.room !== room) say('stranger', `${room} ${seq}: ${body} was ${send ? `sent to ${send.room}` : 'never sent'}`);
      else if (send.messageId && send.messageId !== messageId) say('stranger', `${room} ${seq}: ${body} was sent as ${send.messageId}, stored as ${messageId}`);
    });
    for (const [body, seqs] of seqsOf) if (seqs.length > 1) say('once', `${room}: ${body} at ${seqs.join(' and ')}`);
    checkRealTime(room, messages, byBody, say);
  }
}

// From the end: of everything with a larger seq, what was acknowledged first?
function checkRealTime(room, messages, byBody, say) {
  let earliest = null;
  for (const { seq, body } of messages.toReversed()) {
    const send = byBody.get(body);
    if (!send) continue;
    if (earliest && earliest.end < send.begin)
      say('real-time', `${room}: ${body} (${seq}) began after ${earliest.body} (${earliest.seq}) was acknowledged`);
    if (send.outcome === 'ok' && (!earliest || send.end < earliest.end)) earliest = { end: send.end, body, seq };
  }
}

function checkSends({ sends }, { rooms }, say) {
  const lastOf = new Map();
  for (const { sender, room, messageId, body, outcome, answers } of sends) {
    const { bySeq, seqsOf } = rooms.get(room);
    if (outcome === 'none' && seqsOf.has(body)) say('refused', `${room}: ${body} was refused for certain and is at ${seqsOf.get(body)}`);
    for (const answer of answers) {
      const message = bySeq.get(answer.seq);
      if (message?.body !== body || message.messageId !== answer.messageId)
        say('lost', `${room}: ${body} was acknowledged as ${answer.seq} ${answer.messageId}, where ${message ? `${message.body} ${message.messageId} is` : 'nothing is'}`);
      if (messageId && answer.messageId !== messageId) say('lost', `${room}: ${body} was sent as ${messageId}, acknowledged as ${answer.messageId}`);
    }
    if (outcome !== 'ok') continue;
    const key = JSON.stringify([sender, room]);
    const before = lastOf.get(key);
    if (before && before.seq >= answers[0].seq) say('sender', `${room}: ${body} (${answers[0].seq}) was sent after ${before.body} (${before.seq}) was answered`);
    lastOf.set(key, { body, seq: answers[0].seq });
  }
}

function checkSubscription({ id, room, start, acked, open, deliveries }, { byBody, rooms }, say) {
  const { messages, bySeq, head } = rooms.get(room) ?? { messages: [], bySeq: new Map(), head: 0 };
  const who = `subscription ${id} of ${room}`;
  let last = start.after ?? null;
  for (const { seq, messageId, body } of deliveries) {
    const message = bySeq.get(seq);
    if (message?.body !== body || message.messageId !== messageId)
      say('names', `${who}: ${seq} was ${body} ${messageId}, the log has ${message ? `${message.body} ${message.messageId}` : 'nothing'}`);
    if (byBody.get(body)?.outcome === 'none') say('refused', `${who}: got ${body}, which was refused for certain`);
    if (last !== null && seq <= last) say('repeat', `${who}: ${seq} after ${last}`);
    else if (last !== null && seq > last + 1) say(last === start.after ? 'start' : 'gap', `${who}: ${seq} after ${last}`);
    last = seq;
  }
  // Acknowledged: what was sent from then on arrives. `last` begins no later than that.
  const first = deliveries[0]?.seq ?? Infinity;
  if (acked !== null && start.after === undefined && (open || deliveries.length > 0))
    for (const { seq, body } of messages)
      if (seq < first && byBody.get(body)?.begin > acked) {
        say(open && deliveries.length === 0 ? 'behind' : 'start', `${who}: without ${body} (${seq}), which was sent after the acknowledgement`);
        break;
      }
  if (!open) return;
  if (last !== null && last < head) say('behind', `${who}: ended at ${last} of ${head}`);
  if (start.last !== undefined && deliveries.length === 0 && head > 0) say('behind', `${who}: got nothing of ${head}`);
}

// The last subscription of each stays; one that resumes goes on behind what came last.
function checkSubscribers({ subscriptions, reads = [] }, say) {
  const pages = new Map(reads.map(({ id, messages }) => [id, messages.at(-1)?.seq]));
  const chains = new Map();
  for (const subscription of subscriptions) {
    const before = chains.get(subscription.subscriber);
    const got = subscription.deliveries.at(-1)?.seq ?? subscription.start.after ?? before?.got;
    const { after, read } = subscription.start;
    const due = read === undefined ? before?.got : pages.get(read);
    if (after !== undefined && after !== due) say('start', `subscription ${subscription.id} resumes behind ${after}, not behind ${due}`);
    chains.set(subscription.subscriber, { got, subscription });
  }
  for (const [subscriber, { subscription }] of chains)
    if (!subscription.open) say('down', `${subscriber} has no connection at the end`);
}

// Pages are of the newest, without a hole, and no older than what was acknowledged before they were asked for.
function checkReads({ reads = [], sends }, { rooms }, say) {
  const ends = new Map();
  for (const [room] of rooms) {
    let top = 0;
    const acknowledged = sends.filter((send) => send.room === room && send.outcome === 'ok').sort((a, b) => a.end - b.end);
    ends.set(room, acknowledged.map(({ end, answers: [{ seq }] }) => ({ end, top: (top = Math.max(top, seq)) })));
  }
  for (const { id, room, begin, messages } of reads) {
    messages.forEach(({ seq, messageId, body }, i) => {
      const message = rooms.get(room)?.bySeq.get(seq);
      if (message?.body !== body || message.messageId !== messageId) say('names', `read ${id} of ${room}: ${seq} was ${body} ${messageId}, the log has ${message ? `${message.body} ${message.messageId}` : 'nothing'}`);
      if (i > 0 && seq !== messages[i - 1].seq + 1) say('read', `read ${id} of ${room}: ${seq} follows ${messages[i - 1].seq}`);
    });
    const wanted = newestBefore(ends.get(room) ?? [], begin);
    const last = messages.at(-1)?.seq ?? 0;
    if (last < wanted) say('read', `read ${id} of ${room}: ends at ${last}, though ${wanted} had been acknowledged`);
  }
}

// The largest seq of what was acknowledged before the time; steps are in order of time.
function newestBefore(steps, time) {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle].end < time) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : steps[low - 1].top;
}
