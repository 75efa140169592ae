// The load generators: wrk for HTTP, bench_wsload for subscriptions, pgbench for the database alone.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { cpu } from './proc.mjs';

const DONE = `
done = function(summary, latency)
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"us":%d,"p50Ms":%.3f,"p99Ms":%.3f,"p999Ms":%.3f,"errors":%d}', summary.requests, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
`;

// A wrk script that posts one of several GraphQL requests in turn. Requests are made before, so that wrk only sends.
export function wrkScript(dir, name, requests, headers = {}) {
  const file = path.join(dir, `${name}.lua`);
  const bodies = requests.map((request) => `[==[${JSON.stringify(request)}]==]`);
  const lines = ['wrk.method = "POST"', ...Object.entries({ 'Content-Type': 'application/json', ...headers }).map(([key, value]) => `wrk.headers["${key}"] = "${value}"`)];
  if (bodies.length === 1) lines.push(`wrk.body = ${bodies[0]}`);
  else
    lines.push(
      `local bodies = { ${bodies.join(', ')} }`,
      'local requests, i = {}, 0',
      'init = function() for k, body in ipairs(bodies) do requests[k] = wrk.format(nil, nil, nil, body) end end',
      'request = function() i = i % #requests + 1 return requests[i] end',
    );
  fs.writeFileSync(file, lines.join('\n') + DONE);
  return file;
}

// Runs a load generator to its end: what it wrote, and how many cores it used.
async function load(command, args) {
  const child = spawn(command, args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  const first = cpu([child.pid]);
  let last = first;
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  // its CPU must be read while it lives
  const timer = setInterval(() => {
    const now = cpu([child.pid]);
    if (now.byThread.size > 0) last = now;
  }, 100);
  await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  return { output, loadCores: last === first ? 0 : last.since(first).cores };
}

// Runs wrk and gives { requests, perSecond, p50Ms, p99Ms, p999Ms, loadCores }.
export async function wrk(url, script, { connections, seconds }) {
  const { output, loadCores } = await load('wrk', ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s', '-s', script, url]);
  const match = /RESULT (\{.*\})/.exec(output);
  if (!match) throw new Error(`wrk: ${output}`);
  const { us, errors, ...result } = JSON.parse(match[1]);
  if (errors > 0) throw new Error(`wrk: ${errors} errors at ${url}\n${output}`);
  return { ...result, perSecond: result.requests / (us * 1e-6), loadCores };
}

// One thread; what it measures of latency is a mean, which is not asked for.
export async function pgbench(postgres, dir, text, { clients, seconds }) {
  const file = path.join(dir, 'pgbench.sql');
  fs.writeFileSync(file, text);
  const { output, loadCores } = await load('pgbench', ['-n', '-M', 'prepared', '-c', String(clients), '-j', '1', '-T', String(seconds), '-f', file, '-h', postgres.dir, '-U', 'parley', 'postgres']);
  const requests = Number(/actually processed: (\d+)/.exec(output)?.[1]);
  if (!(requests > 0)) throw new Error(`pgbench: ${output}`);
  return { requests, perSecond: Number(/tps = ([\d.]+)/.exec(output)[1]), loadCores };
}

// A running bench_wsload: say(command) gives its answer.
export class WsLoad {
  constructor(bin, options) {
    const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
    this.child = spawn(path.join(bin, 'bench_wsload'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.errors = '';
    this.child.stderr.on('data', (chunk) => (this.errors += chunk));
    this.child.stdin.on('error', () => {}); // it has ended: the next answer says so
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  async say(command) {
    this.child.stdin.write(`${command}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`bench_wsload ended at "${command}": ${this.errors}`);
    return JSON.parse(value);
  }

  async end() {
    this.child.stdin.end();
    await this.ended;
  }
}
