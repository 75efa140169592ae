// Commands of parley-gateway for people and their CI: the merged schema, of files and of a running system, and the verdict
// on operation files.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql';
import { data } from './harness/client.mjs';
import { BIN, Process, ROOT, startSystem } from './harness/system.mjs';

const ODD = fileURLToPath(new URL('./services/odd.py', import.meta.url));
const CHAT = path.join(ROOT, 'proto/chat.graphql');
const SANITIZERS = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:disable_coredump=1', UBSAN_OPTIONS: 'print_stacktrace=1' };
const EVERYTHING = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true };

let dir;
before(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-commands-'));
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function write(name, text) {
  const file = path.join(dir, name);
  fs.writeFileSync(file, text);
  return file;
}

// Runs parley-gateway in dir; gives { status, out, err, ms }.
async function gateway(args, { env = {}, signal } = {}) {
  const start = Date.now();
  const child = spawn(path.join(BIN, 'parley-gateway'), args, { cwd: dir, env: { ...process.env, ...SANITIZERS, ...env }, signal });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (err += chunk));
  const status = await new Promise((resolve) => child.once('close', (code, name) => resolve(name ?? code)));
  assert.doesNotMatch(err, /Sanitizer|runtime error/);
  return { status, out, err, ms: Date.now() - start };
}

function assertRefused({ status, out, err }, wanted, pattern) {
  assert.match(err, pattern);
  assert.equal(err.trimEnd().split('\n').length, 1, err);
  assert.deepEqual({ status, out }, { status: wanted, out: '' });
}

describe('schema of files', () => {
  test('one file: what graphql-js reads in it', async () => {
    const { status, out, err } = await gateway(['schema', CHAT]);
    assert.deepEqual({ status, err }, { status: 0, err: '' });
    const known = 'directive @public on FIELD_DEFINITION directive @aws_subscribe(mutations: [String!]) on FIELD_DEFINITION scalar AWSDateTime scalar AWSEmail ';
    const sorted = (sdl) => printSchema(lexicographicSortSchema(buildSchema(sdl)));
    const wanted = sorted(known + fs.readFileSync(CHAT, 'utf8')).replace(/directive @.*\n\n/g, '');
    assert.equal(sorted(out.replace(/""".*"""\n(?=scalar AWS)/g, '')), wanted);
    assert.equal(`${printSchema(buildSchema(out))}\n`, out, 'in its form, too');
  });

  test('several files: root types by field, types extended across files', async () => {
    write('books.graphql', 'type Query { book(id: ID!): Book @public }\ntype Book { id: ID! title: String! }\n');
    write('prices.graphql', 'type Query { cheapest: Book }\nextend type Book { price: Float! @resolve(needs: ["id"]) }\ntype Mutation { pay: Boolean! }\n');
    const { status, out } = await gateway(['schema', 'books.graphql', 'prices.graphql']);
    assert.equal(status, 0);
    const wanted = 'type Query { book(id: ID!): Book cheapest: Book } type Book { id: ID! title: String! price: Float! } type Mutation { pay: Boolean! }';
    assert.equal(out, `${printSchema(buildSchema(wanted))}\n`);
  });

  test('what it prints can be read again', async () => {
    write('once.graphql', (await gateway(['schema', CHAT])).out);
    assert.equal((await gateway(['schema', 'once.graphql'])).out, (await gateway(['schema', CHAT])).out);
  });

  test('one type in two files: both are named', async () => {
    write('red.graphql', 'type Query { a: Thing }\ntype Thing { a: Int }\n');
    write('blue.graphql', 'type Query { b: Thing }\ntype Thing { b: Int }\n');
    const result = await gateway(['schema', 'red.graphql', 'blue.graphql']);
    assertRefused(result, 1, /Thing/);
    assert.match(result.err, /red/);
    assert.match(result.err, /blue/);
  });

  test('a broken file: service, line and column', async () => {
    write('broken.graphql', 'type Query {\n  a: Nope\n}\n');
    assertRefused(await gateway(['schema', 'broken.graphql']), 1, /service broken, line 2, column 6: .*Nope/);
    write('syntax.graphql', 'type Query {\n  a Int\n}\n');
    assertRefused(await gateway(['schema', 'syntax.graphql']), 1, /service syntax, line 2, column 5: /);
  });

  test('no file, no text, no room for the output', async () => {
    assertRefused(await gateway(['schema', 'none.graphql']), 2, /none\.graphql: No such file/);
    assertRefused(await gateway(['schema', '.']), 2, /\.: Is a directory/);
    write('latin.graphql', Buffer.from('"caf\xe9" type Query { a: Int }', 'latin1'));
    assertRefused(await gateway(['schema', 'latin.graphql']), 2, /latin\.graphql: .*UTF-8/);
    assertRefused(await gateway(['schema']), 2, /--services/);
    assertRefused(await gateway(['schema', '--schem', CHAT]), 2, /unknown option --schem, did you mean --schema/);
  });
});

describe('schema of a running system', () => {
  let system, list;
  before(async () => {
    system = await startSystem({ gateways: 0, tcp: true });
    const odd = new Process('odd', '/usr/bin/python3', [ODD, `ipc://${system.dir}/odd.ipc`]);
    system.others.push(odd);
    odd.start();
    system.options.services = [`odd=ipc://${system.dir}/odd.ipc`];
    (await system.addGateway()).start();
    await system.ready();
    list = `store=${system.stores[0].bus},${system.options.services[0]}`;
  });
  after(() => system?.stop());

  const options = () => ['--services', list, '--keys', path.join(system.keys, 'gateway')];

  test('is what introspection gives', async () => {
    const { status, out, err } = await gateway(['schema', ...options()]);
    assert.deepEqual({ status, err }, { status: 0, err: '' });
    const introspection = await data(system.url, { query: getIntrospectionQuery(EVERYTHING) });
    assert.equal(out, `${printSchema(buildClientSchema(introspection))}\n`);
    assert.match(out, /createMessage\(/);
    assert.match(out, /shapes\(/);
  });

  test('settings may come from the environment', async () => {
    const { status, out } = await gateway(['schema'], { env: { PARLEY_SERVICES: list, PARLEY_KEYS: path.join(system.keys, 'gateway') } });
    assert.equal(status, 0);
    assert.match(out, /type Mutation/);
  });

  test('check, too, asks it', async () => {
    write('live.graphql', '{ add(a: 1) getMessages { body } }');
    const right = await gateway(['check', ...options(), 'live.graphql']);
    assert.deepEqual([right.status, right.out, right.err], [0, '', '']);
    write('dead.graphql', '{ add getMessages { body } }');
    const wrong = await gateway(['check', ...options(), 'dead.graphql']);
    assert.deepEqual([wrong.status, wrong.err], [1, '']);
    assert.match(wrong.out, /^dead\.graphql:1:3: .*a:/);
  });

  test('a service that is silent is named, in time', async () => {
    const result = await gateway(['schema', ...options(), '--services', `${list},ghost=ipc://${dir}/ghost.ipc`, '--call-timeout-ms', '700']);
    assertRefused(result, 1, /service ghost at ipc:.*ghost\.ipc .*700 ms/);
    assert.ok(result.ms < 5000, `${result.ms} ms`);
  });

  test('a service that goes by another name is no answer', async () => {
    const result = await gateway(['schema', '--services', `even=ipc://${system.dir}/odd.ipc`, '--call-timeout-ms', '700']);
    assert.deepEqual([result.status, result.out], [1, '']);
    assert.match(result.err, /service even at ipc:/);
  });

  test('keys: missing ones are said at once, foreign ones get no answer', async () => {
    const missing = await gateway(['schema', '--services', list]);
    assert.deepEqual([missing.status, missing.out], [2, '']);
    assert.match(missing.err, /keys/);
    const foreign = path.join(dir, 'keys');
    execFileSync(path.join(BIN, 'parley-store'), ['keygen', foreign], { env: { ...process.env, ...SANITIZERS } });
    const refused = await gateway(['schema', '--services', list, '--keys', path.join(foreign, 'gateway'), '--call-timeout-ms', '700']);
    assert.deepEqual([refused.status, refused.out], [1, '']);
    assert.match(refused.err, /service store at tcp:/);
  });

  test('lists that are none', async () => {
    assertRefused(await gateway(['schema', '--services', 'nonsense']), 2, /nonsense/);
  });
});

describe('check', () => {
  const check = (...files) => gateway(['check', '--schema', CHAT, ...files]);
  before(() => {
    write('good.graphql', 'query Page($n: Int) { getMessages(last: $n) { ...M } }\nfragment M on Message { body cursor }\nsubscription { addMessage { body } }'.replace('subscription', 'subscription Live'));
    write('bad.graphql', 'query {\n  getMessage { body }\n  me { nope }\n  getMessages(last: "x") { body }\n}\n');
    write('syntax.graphql', '{ me {\n');
  });

  test('what is right needs no words', async () => {
    const { status, out, err } = await check('good.graphql');
    assert.deepEqual({ status, out, err }, { status: 0, out: '', err: '' });
  });

  test('each error has its line; the other files are read all the same', async () => {
    const { status, out, err } = await check('bad.graphql', 'good.graphql', 'syntax.graphql');
    assert.deepEqual({ status, err }, { status: 1, err: '' });
    const lines = out.trimEnd().split('\n');
    assert.deepEqual(lines.map((line) => /^[\w.]+:\d+:\d+: (?=\S)/.exec(line)?.[0]), ['bad.graphql:2:3: ', 'bad.graphql:3:8: ', 'bad.graphql:4:21: ', 'syntax.graphql:2:1: ']);
    assert.match(lines[0], /"getMessage" on type "Query"\. Did you mean "getMessages"\?/);
    assert.match(lines[3], /Syntax Error: Expected Name, found <EOF>/);
  });

  test('all errors, not the first hundred', async () => {
    write('many.graphql', `{ ${Array.from({ length: 150 }, (_, i) => `wrong${i}`).join('\n')} }`);
    const { out } = await gateway(['check', '--schema', CHAT, '--max-root-fields', '0', 'many.graphql']);
    assert.equal(out.trimEnd().split('\n').length, 150);
  });

  test('schema in several files', async () => {
    write('a.graphql', 'type Query { a: Int }');
    write('b.graphql', 'type Query { b: Int }');
    write('ab.graphql', '{ a b }');
    assert.equal((await gateway(['check', '--schema', 'a.graphql,b.graphql', 'ab.graphql'])).status, 0);
    const half = await gateway(['check', '--schema', 'a.graphql', 'ab.graphql']);
    assert.equal(half.status, 1);
    assert.match(half.out, /^ab\.graphql:1:5: .*"b"/);
  });

  test('with the gateway’s limits and switches', async () => {
    write('deep.graphql', '{ getMessages { body } }');
    const deep = await gateway(['check', '--schema', CHAT, '--max-depth', '1', 'deep.graphql']);
    assert.equal(deep.status, 1);
    assert.match(deep.out, /^deep\.graphql:.*depth/i);
    write('meta.graphql', '{ __schema { queryType { name } } }');
    assert.equal((await check('meta.graphql')).status, 0);
    assert.equal((await gateway(['check', '--schema', CHAT, '--no-introspection', 'meta.graphql'])).status, 1);
  });

  test('an empty file is an error in it', async () => {
    write('empty.graphql', '');
    const { status, out } = await check('empty.graphql');
    assert.equal(status, 1);
    assert.match(out, /^empty\.graphql:1:1: Syntax Error/);
  });

  test('usage', async () => {
    assertRefused(await check(), 2, /operations/);
    assertRefused(await gateway(['check', 'good.graphql']), 2, /--schema is missing/);
    assertRefused(await gateway(['check', '--schema', ',', 'good.graphql']), 2, /--schema/);
    assertRefused(await gateway(['check', '--schema', 'none.graphql', 'good.graphql']), 2, /none\.graphql: No such file/);
    assertRefused(await check('none.graphql'), 2, /none\.graphql: No such file/);
    assertRefused(await gateway(['check', '--schema', 'bad.graphql', 'good.graphql']), 1, /service bad, line 1, column 1/);
  });

  test('help mentions the commands', async () => {
    const { status, out } = await gateway(['--help']);
    assert.equal(status, 0);
    assert.match(out, /schema \[FILES…\]/);
    assert.match(out, /check \[--schema FILES\] OPERATIONS…/);
  });
});
