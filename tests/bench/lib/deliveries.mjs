// Subscribers of one system: bench_wsload in one hand, the servers' CPU in the other.
import { BIN } from '../../e2e/harness/system.mjs';
import { WsLoad } from './loads.mjs';
import { cpu, machine } from './proc.mjs';

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
    const [before, gatewayBefore, postgresBefore, machineBefore] = [this.system.cpu(), cpu(this.system.gatewayPids), this.context.database.cpuUs(), machine()];
    const result = await this.load.say(`post ${rate} ${seconds}`);
    const used = this.system.cpu().since(before);
    return {
      ...result,
      p50Ms: result.sentP50Ms,
      p99Ms: result.sentP99Ms,
      p999Ms: result.sentP999Ms,
      cpuUs: used.us / result.deliveries,
      gatewayCpuUs: cpu(this.system.gatewayPids).since(gatewayBefore).us / result.deliveries,
      postgresUs: (this.context.database.cpuUs() - postgresBefore) / result.deliveries,
      busiestThread: used.busiestThread,
      loadCores: result.loadCpuS / result.seconds,
      busyPercent: machine().since(machineBefore).busy * 100,
      rssMb: this.system.rssKb() / 1024,
      faults: Math.abs(result.missing) + result.disordered + result.strange,
    };
  }

  // Waits until nothing comes any more: what a system could not take in time must not burden the next step.
  calm(seconds) {
    return this.load.say(`calm ${seconds}`);
  }

  async close() {
    await this.load.end();
  }
}

// Whether what was asked for was posted, accepted and delivered, in time.
export function isSustained(result, rate, seconds) {
  return result.refused === 0 && result.missing === 0 && result.answered >= 0.95 * rate * seconds && result.sentP99Ms < 500;
}

// The faults that a result shows, in words; "" if there are none.
export function faults({ missing, disordered, refused, strange }) {
  const found = { missing, disordered, refused, strange };
  return Object.entries(found)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
