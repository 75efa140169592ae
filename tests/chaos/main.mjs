// The command line of tests/chaos/run.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos, writeHistory } from './chaos.mjs';

const SHOWN = 10;
const NUMBERS = ['seconds', 'seed', 'gateways', 'stores', 'senders', 'subscribers', 'rooms', 'pause-ms'];

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(NUMBERS.map((name) => [name, { type: 'string' }])),
    bus: { type: 'string' },
    'gateway-fault': { type: 'string' },
    'store-fault': { type: 'string' },
    keep: { type: 'string' },
    verbose: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(`tests/chaos/run [--seconds 45] [--seed N] [--gateways 2] [--stores 2] [--senders 12] [--subscribers 24] [--rooms 4]
    [--bus ipc|tcp|mixed]   between gateways and stores; tcp with CURVE; mixed: every other store (default ipc)
    [--pause-ms 60]         the longest pause of a sender between two sends
    [--keep FILE]           write the history there in any case
    [--gateway-fault X] [--store-fault X]   PARLEY_FAULT of the daemons: a guard is removed, and this must fail
    [--verbose]             say each fault
Kills, pauses and cuts off gateways, stores and PostgreSQL while clients use them; exits with 1 if a promise was broken.`);
  process.exit(0);
}

const options = { seed: Math.floor(Math.random() * 2 ** 32) };
for (const name of NUMBERS) {
  if (values[name] === undefined) continue;
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 0) {
    console.error(`--${name} wants a number`);
    process.exit(2);
  }
  options[name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())] = number;
}
if (values.bus !== undefined) {
  if (!['ipc', 'tcp', 'mixed'].includes(values.bus)) {
    console.error('--bus wants ipc, tcp or mixed');
    process.exit(2);
  }
  options.bus = values.bus;
}
const began = Date.now();
if (values.verbose) options.say = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1)} s: ${text}`);

function keep(history) {
  const file = values.keep ?? path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'parley-chaos-')), 'history.jsonl');
  writeHistory(file, history);
  console.log(`history: ${file}`);
}

console.log(`seed ${options.seed}`);
try {
  const result = await runChaos({ ...options, gatewayFault: values['gateway-fault'], storeFault: values['store-fault'] });
  const { history, violations } = result;
  for (const [name, count] of [...result.counts].sort((a, b) => b[1] - a[1])) console.log(`  ${count} × ${name}`);
  for (const { rule, text } of violations.slice(0, SHOWN)) console.log(`VIOLATION ${rule}: ${text}`);
  if (violations.length > 0 || values.keep) keep(history);
  console.log(`${result.refused} sends refused, ${result.unanswered} unanswered, ${result.subscriptions} subscriptions, ${result.reads} reads`);
  console.log(`${result.sends} sends, ${result.acknowledged} acknowledged, ${result.deliveries} deliveries, ${result.faults} faults, ${violations.length} violations`);
  process.exit(violations.length > 0 ? 1 : 0);
} catch (error) {
  console.log(error.stack);
  if (error.history) keep(error.history);
  process.exit(1);
}
