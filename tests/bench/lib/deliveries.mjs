// Subscribers of one system: bench_wsload in one hand, the servers' CPU in the other.
import { BIN } from '../../e2e/harness/system.mjs';
import { WsLoad } from './loads.mjs';

// Everything for some subscribers: connect, wait until all are live, then run rates.
export class Audience {
  constructor(context, system, options) {
    Object.assign(this, { context, system, load: new WsLoad(BIN, { ...system.loadOptions, ...options }) });
  }

  async open() {
    const connected = await this.load.say('connect');
    await this.load.say('live');
    return connected;
  }

  // Posts at a rate and says what each delivery cost.
  async run(rate, seconds) {
    const before = this.system.cpu();
    const postgresBefore = this.context.database.cpuUs();
    const result = await this.load.say(`post ${rate} ${seconds}`);
    const used = this.system.cpu().since(before);
    return {
      ...result,
      p50Ms: result.sentP50Ms,
      p99Ms: result.sentP99Ms,
      p999Ms: result.sentP999Ms,
      cpuUs: used.us / result.deliveries,
      postgresUs: (this.context.database.cpuUs() - postgresBefore) / result.deliveries,
      busiestThread: used.busiestThread,
      loadCores: result.loadCpuS / result.seconds,
      rssMb: this.system.rssKb() / 1024,
      // what was asked for was posted, accepted and delivered, in time
      sustained: result.refused === 0 && result.missing === 0 && result.answered >= 0.9 * rate * seconds && result.sentP99Ms < 500,
    };
  }

  async close() {
    await this.load.end();
  }
}

// The faults that a result shows, in words; "" if there are none.
export function faults({ missing, disordered, refused, strange }) {
  const found = { missing, disordered, refused, strange };
  return Object.entries(found)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
