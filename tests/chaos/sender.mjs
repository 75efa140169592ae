// Sends numbered messages one after the other, as an impatient but careful client: repeats under the same id what may not have
// happened, and now and then gives up.
import { randomUUID } from 'node:crypto';
import { CREATE, post } from '../e2e/harness/client.mjs';
import { seqOf } from './cursor.mjs';

const ATTEMPT_MS = 12_000;
const CLEAR = new Set(['UNAVAILABLE', 'TIMEOUT', 'LIMIT_EXCEEDED']);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Sender {
  // pauseMs: the longest pause between two sends.
  constructor({ name, token, gateways, rooms, history, random, pauseMs }) {
    Object.assign(this, { name, token, gateways, rooms, history, random, pauseMs, isStopped: false, sent: 0 });
  }

  async run() {
    while (!this.isStopped) {
      await this.send(this.random.pick(this.rooms));
      await sleep(this.random.between(0, this.pauseMs));
    }
  }

  async send(room, { patient = false } = {}) {
    const { random, history } = this;
    const withId = patient || random.chance(0.75);
    const send = { sender: this.name, room, messageId: withId ? randomUUID() : null, body: `${this.name} ${this.sent++}`, begin: performance.now(), end: null, outcome: null, answers: [] };
    history.sends.push(send);
    let uncertain = false;
    for (;;) {
      const outcome = await this.#attempt(send);
      if (outcome === 'ok') break;
      if (outcome === 'unknown') uncertain = true;
      const mayRepeat = withId || !uncertain;
      if (!mayRepeat || (!patient && random.chance(0.3))) {
        send.outcome = uncertain ? 'unknown' : 'none';
        send.end = performance.now();
        return send;
      }
      await sleep(random.between(20, 300));
    }
    send.outcome = 'ok';
    send.end = performance.now();
    // What was acknowledged may be repeated: it gets the first answer again.
    if (withId && random.chance(0.1)) await this.#attempt(send);
    return send;
  }

  async #attempt(send) {
    const { room, body, messageId } = send;
    let answer;
    try {
      answer = await post(this.random.pick(this.gateways).url, {
        query: CREATE,
        variables: { body, room, id: messageId },
        token: this.token,
        signal: AbortSignal.timeout(ATTEMPT_MS),
      });
    } catch (error) {
      return error.cause?.code === 'ECONNREFUSED' ? 'none' : 'unknown';
    }
    const message = answer.data?.createMessage;
    if (message) {
      send.answers.push({ seq: seqOf(message.cursor), messageId: message.messageId });
      if (message.body !== body || message.room !== room) this.history.complaints.push(`${body} was answered with ${JSON.stringify(message)}`);
      return 'ok';
    }
    const { code, outcome } = answer.errors?.[0]?.extensions ?? {};
    if (!CLEAR.has(code) || !['none', 'unknown'].includes(outcome)) this.history.complaints.push(`${body} was answered with ${JSON.stringify(answer.errors)}`);
    return outcome === 'none' ? 'none' : 'unknown';
  }
}
