// Follows one room, one subscription after the other. Kinds: `stays` never leaves by itself, and begins anew when it is thrown
// out; `resumes` leaves now and then, and goes on behind what it got last; `visits` leaves now and then, and begins anew,
// often with a page of what is newest, and then behind that.
import { ADD, post } from '../e2e/harness/client.mjs';
import { ACKNOWLEDGES, DIALECTS } from './connections.mjs';
import { seqOf } from './cursor.mjs';

// The end of a subscription that its client may try again.
const PASSING = new Set(['UNAVAILABLE', 'TIMEOUT', 'LIMIT_EXCEEDED']);
const mayTryAgain = ({ extensions, errorCode }) => PASSING.has(extensions?.code) || errorCode === 503; // AppSync's connection_error has numbers
const BACK_OFF_MS = [20, 400];
const VISIT_MS = [500, 8000];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Subscriber {
  constructor({ name, kind, dialect, room, token, gateways, history, random }) {
    Object.assign(this, { name, kind, dialect, room, token, gateways, history, random, isStopped: false, isSettled: false });
    this.isEnded = true;
    this.cursor = null; // of what came last, over all subscriptions
  }

  async run() {
    while (!this.isStopped) {
      const page = this.kind === 'visits' && this.random.chance(0.5) ? await this.#read() : null;
      if (this.isStopped) break;
      await this.#subscribe(page);
      if (!this.isStopped) await sleep(this.random.between(...BACK_OFF_MS));
    }
  }

  // From now on it leaves no more.
  settle() {
    this.isSettled = true;
    clearTimeout(this.leaving);
  }

  // What it holds now, if it is connected: whoever was never acknowledged and got nothing holds nothing.
  get isLive() {
    const { record, isEnded } = this;
    return !isEnded && (record.acked !== null || record.deliveries.length > 0 || record.start.after !== undefined);
  }

  hasReached(head) {
    const { record } = this;
    return this.isLive && (record.deliveries.at(-1)?.seq ?? record.start.after ?? 0) >= head;
  }

  // Ends it; what is open now stayed to the end.
  stop() {
    if (this.record) this.record.open = this.isLive;
    this.isStopped = true;
    this.cut?.();
  }

  // {cursor, read}: the end of a page; null if there is none.
  async #read() {
    const { history, room } = this;
    const begin = performance.now();
    const query = 'query ($room: String, $last: Int) { getMessages(room: $room, last: $last) { messageId body cursor } }';
    const variables = { room, last: this.random.integer(1, 50) };
    const answer = await post(this.random.pick(this.gateways).url, { query, variables, token: this.token, signal: AbortSignal.timeout(12_000) }).catch(() => null);
    const page = answer?.data?.getMessages;
    for (const error of answer?.errors ?? []) if (!mayTryAgain(error)) history.complaints.push(`a read of ${room} was answered with ${JSON.stringify(error)}`);
    if (!page) return null;
    const read = { id: history.reads.length + 1, room, begin, messages: page.map(({ messageId, body, cursor }) => ({ seq: seqOf(cursor), messageId, body })) };
    history.reads.push(read);
    return page.length > 0 ? { cursor: page.at(-1).cursor, read: read.id } : null;
  }

  #subscribe(page) {
    const { random, history, room, kind } = this;
    const resume = page?.cursor ?? (kind === 'resumes' ? this.cursor : null);
    const knowsAck = ACKNOWLEDGES.has(this.dialect);
    const last = knowsAck && random.chance(0.5) ? undefined : random.integer(1, 5);
    const start = resume ? { after: seqOf(resume), read: page?.read } : last ? { last } : 'live';
    const record = { id: history.subscriptions.length + 1, subscriber: this.name, dialect: this.dialect, room, start, begin: performance.now(), acked: null, open: false, deliveries: [] };
    history.subscriptions.push(record);
    this.record = record;
    this.isEnded = false;
    return new Promise((resolve) => {
      const on = {
        ack: () => (record.acked ??= performance.now()),
        next: (result, id) => this.#take(record, result, id),
        refused: (errors) => {
          for (const error of errors)
            if (!mayTryAgain(error)) history.complaints.push(`subscription ${record.id} (${this.dialect}) ended with ${JSON.stringify(error)}`);
        },
        end: () => {
          clearTimeout(this.leaving);
          this.isEnded = true;
          resolve();
        },
      };
      const cut = DIALECTS[this.dialect]({ gateway: random.pick(this.gateways), token: this.token, query: ADD, variables: { room, last }, resume }, on);
      this.cut = cut;
      if (kind !== 'stays' && !this.isSettled) this.leaving = setTimeout(cut, random.between(...VISIT_MS));
    });
  }

  #take(record, result, id) {
    if (this.isStopped || this.record !== record) return;
    const message = result.data?.addMessage;
    if (!message || result.errors) {
      this.history.complaints.push(`subscription ${record.id} (${this.dialect}) got ${JSON.stringify(result)}`);
      return;
    }
    const { cursor, messageId, body } = message;
    if (result.extensions?.cursor !== cursor || (id ?? cursor) !== cursor)
      this.history.complaints.push(`subscription ${record.id} (${this.dialect}): cursors ${cursor}, ${result.extensions?.cursor}, ${id}`);
    record.deliveries.push({ seq: seqOf(cursor), messageId, body });
    this.cursor = cursor;
  }
}
