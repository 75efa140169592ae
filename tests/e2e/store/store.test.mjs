// The tests of the store that stand in for a gateway, in Python: each of them is a test here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BIN, freePort } from '../harness/system.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's, with python3-zmq; another may come first on the PATH
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const TAIL = 6000;
const SLOW_S = 5;
const TIMEOUT = { timeout: 280_000 };
const AT_A_TIME = 2;

// The largest first: it takes longest.
const sizeOf = (name) => fs.statSync(path.join(FOLDER, name)).size;
const files = fs.readdirSync(FOLDER).filter((name) => /^test_.*\.py$/.test(name)).sort((a, b) => sizeOf(b) - sizeOf(a));

// Runs a file; gives { status, results, output }, where results are the lines of run_file.py and output is the rest.
async function run(file, signal) {
  const child = spawn(PYTHON, [path.join(FOLDER, 'run_file.py'), path.join(FOLDER, file)], {
    env: {
      ...process.env,
      PARLEY_STORE_BIN: path.join(BIN, 'parley-store'),
      PARLEY_TEST_PORTS: String(await freePort()),
      PYTHONDONTWRITEBYTECODE: '1',
      ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:disable_coredump=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let lines = '';
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (lines += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, name) => resolve(name ?? code));
  });
  const results = [];
  for (const line of lines.split('\n')) {
    if (line.startsWith('{"test":')) results.push(JSON.parse(line));
    else if (line) output += `${line}\n`;
  }
  return { status, results, output };
}

test('there are Python tests', () => assert.ok(files.length > 0));

// They mostly wait, and each has its own database.
describe('the store without a gateway', { concurrency: AT_A_TIME }, () => {
  for (const file of files)
    test(file, TIMEOUT, async (t) => {
      const { status, results, output } = await run(file, t.signal);
      for (const { test: name, failure } of results)
        await t.test(name, () => assert.equal(failure, null, `${failure?.slice(-TAIL)}\n${output.slice(-TAIL)}`));
      const slow = results.filter(({ seconds }) => seconds > SLOW_S).map(({ test: name, seconds }) => `${name} ${seconds} s`);
      t.diagnostic(`${results.length} tests; slow: ${slow.join(', ') || 'none'}`);
      assert.equal(status, 0, `${file} ended with ${status}\n${output.slice(-TAIL)}`);
      assert.ok(results.length > 0, `${file} has no tests\n${output.slice(-TAIL)}`);
    });
});
