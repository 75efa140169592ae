// Attacks a gateway, one way after the other, while a well-behaved client measures how long its requests take.
// As a program: tests/abuse/abuse.mjs [--count 10000] [--seconds 10] [--only idle,bombs]; it starts a system of its own
// (PARLEY_BIN).
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { signUp } from '../e2e/harness/client.mjs';
import { metrics, metricSum, startSystem, until } from '../e2e/harness/system.mjs';
import { ATTACKS } from './attacks.mjs';

const run = promisify(execFile);
const attacks = fileURLToPath(new URL('./attacks.mjs', import.meta.url));

export const GATEWAY_ARGS = ['--request-timeout-ms', '1500', '--init-timeout-s', '1', '--idle-timeout-s', '3'];

export const residentKb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

const EVERY_MS = 20;

// Asks a request each 20 ms, however long the others take, until stop() is called; gives { count, failed, reasons, p50, p99, max }
// in ms, counted from when a request was due. What meets a kept connection that the gateway ends at that moment, idle for long
// enough, is asked again, as HTTP clients do (RFC 9112 9.3.1).
export function measure(url, token) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16, localAddress: '127.0.0.2' }); // the attackers are another client
  const times = [];
  const reasons = [];
  let stopped = false;
  const bodies = ['{"query":"{ __typename }"}', '{"query":"{ getMessages(last: 5) { body } }"}', '{"query":"mutation { createMessage(body: \\"hello\\") { seq: cursor } }"}'];
  const ask = (body, start) =>
    new Promise((resolve) => {
      const request = http.request(`${url}/graphql`, { agent, method: 'POST', timeout: 10_000, headers: { 'content-type': 'application/json', authorization: token, 'content-length': Buffer.byteLength(body) } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk)).on('end', () => {
          times.push(performance.now() - start);
          if (response.statusCode !== 200 || text.includes('"errors"')) reasons.push(`${response.statusCode} ${text.slice(0, 200)}`);
          resolve();
        });
      });
      const onError = (error) => {
        if (request.reusedSocket && error.code === 'ECONNRESET') return resolve(ask(body, start));
        reasons.push(`${error.code ?? error.message} after ${Math.round(performance.now() - start)} ms`);
        return resolve();
      };
      request.on('error', onError).on('timeout', () => request.destroy(new Error('late')));
      request.end(body);
    });
  const asked = [];
  const loop = (async () => {
    const begin = performance.now();
    for (let i = 0; !stopped; i++) {
      const due = begin + i * EVERY_MS;
      if (due > performance.now()) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
      asked.push(ask(bodies[i % bodies.length], due));
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    await Promise.all(asked);
    agent.destroy();
    times.sort((a, b) => a - b);
    const at = (q) => Number(times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(1));
    return { count: times.length, failed: reasons.length, reasons: reasons.slice(0, 5), p50: at(0.5), p99: at(0.99), max: at(1) };
  };
}

// `count` connections that are only held open, half of them WebSockets, on a gateway with its usual timeouts, while a client
// measures; gives what it saw, how many were open in the end, and the memory of one in KB.
export async function holdIdle(system, token, { count, seconds }) {
  const usual = { ...system.options };
  system.options.gatewayArgs = [];
  const gateway = await system.addGateway();
  system.options = usual;
  gateway.start();
  await system.ready();
  await (await measure(gateway.url, token))(); // connects, and prepares its documents
  const before = residentKb(gateway.child.pid);
  const child = run(process.execPath, [attacks, 'idle', String(gateway.port), String(count), String(seconds)], { timeout: (seconds + 120) * 1000 });
  await until('all to be connected', async () => metricSum(await metrics(gateway), 'parley_connections') >= count, { timeoutMs: 100_000, everyMs: 100 });
  const grownKb = residentKb(gateway.child.pid) - before;
  const stop = measure(gateway.url, token);
  const { stdout } = await child;
  const client = await stop();
  await gateway.stop();
  return { ...client, tally: JSON.parse(stdout), eachKb: Number((grownKb / count).toFixed(2)) };
}

// One attack by a process of its own; gives what became of it.
export async function strike(system, name, { count, seconds }) {
  const { stdout } = await run(process.execPath, [attacks, name, String(system.gateways[0].port), String(count), String(seconds)], { timeout: (seconds + 60) * 1000 });
  return JSON.parse(stdout);
}

// One attack; gives what the client saw, what became of the attack, and how the gateway's memory grew.
export async function attack(system, token, name, { count, seconds }) {
  const { pid } = system.gateways[0].child;
  const before = residentKb(pid);
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, residentKb(pid))), 50);
  const stop = measure(system.url, token);
  const tally = await strike(system, name, { count, seconds });
  const client = await stop();
  clearInterval(watch);
  return { ...client, tally, grownKb: most - before };
}

async function main() {
  const value = (name, fallback) => Number(process.argv[process.argv.indexOf(name) + 1 || process.argv.length] ?? fallback);
  const only = process.argv[process.argv.indexOf('--only') + 1 || process.argv.length]?.split(',');
  const options = { count: value('--count', 10_000), seconds: value('--seconds', 10) };
  const system = await startSystem({ gatewayArgs: GATEWAY_ARGS });
  const rows = [];
  try {
    const { token } = await signUp(system.url);
    const stop = measure(system.url, token);
    await new Promise((resolve) => setTimeout(resolve, options.seconds * 1000));
    rows.push({ attack: 'none', ...(await stop()) });
    if (!only || only.includes('idle')) {
      const { tally, ...client } = await holdIdle(system, token, options);
      rows.push({ attack: 'idle', ...client, became: JSON.stringify(tally) });
      console.error(JSON.stringify(rows.at(-1)));
    }
    for (const name of Object.keys(ATTACKS).filter((each) => !only || only.includes(each))) {
      const { tally, ...client } = await attack(system, token, name, options);
      rows.push({ attack: name, ...client, became: JSON.stringify(tally) });
      console.error(JSON.stringify(rows.at(-1)));
    }
  } finally {
    await system.stop();
  }
  console.table(rows);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
