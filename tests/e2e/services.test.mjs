// The gateway knows no chat: with a service in another language and another schema it serves that schema; and it survives
// what services do: be silent, be wrong, go away, come back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { data, post } from './harness/client.mjs';
import { Process, startSystem, until } from './harness/system.mjs';

const script = fileURLToPath(new URL('./services/odd.py', import.meta.url));
const TIMEOUT_MS = 1500;

let system, odd, endpoint;

function startOdd(env = {}) {
  odd = new Process('odd', '/usr/bin/python3', [script, endpoint], { env });
  system.others.push(odd);
  return odd.start();
}

before(async () => {
  system = await startSystem({ gateways: 0, stores: 0, postgres: false });
  endpoint = `ipc://${system.dir}/odd.ipc`;
  system.options.services = [`odd=${endpoint}`];
  system.options.gatewayArgs = ['--call-timeout-ms', String(TIMEOUT_MS)];
  (await system.addGateway()).start();
  await until('alive', async () => (await fetch(`${system.url}/livez`)).ok);
});
after(() => system?.stop());

const ask = (query, variables) => post(system.url, { query, variables });

describe('before the service is there', () => {
  test('not ready, but alive, and it says so', async () => {
    const response = await fetch(`${system.url}/readyz`);
    assert.equal(response.status, 503);
    assert.match(await response.text(), /odd/);
  });
});

describe('another schema', () => {
  before(async () => {
    startOdd();
    await system.ready();
  });

  test('arguments, defaults, enums, input objects', async () => {
    assert.deepEqual(await data(system.url, { query: '{ add(a: 2) three: add(a: 1, b: 2) who }' }), { add: 2 + 1, three: 3, who: null });
    const { echo } = await data(system.url, { query: 'query ($b: Box) { echo(value: $b) }', variables: { b: { width: 3, tags: ['x'] } } });
    assert.deepEqual(JSON.parse(echo), { value: { color: 'RED', tags: ['x'], width: 3 } });
    const bad = await ask('query ($b: Box) { echo(value: $b) }', { b: { width: 'x', nope: 1 } });
    assert.equal(bad.errors[0].extensions.code, 'BAD_USER_INPUT');
    assert.match(bad.errors[0].message, /\$b/);
  });

  test('interfaces by __typename', async () => {
    const { shapes } = await data(system.url, { query: '{ shapes { name ... on Circle { radius color } ... on Square { side __typename } } }' });
    assert.deepEqual(shapes, [{ name: 's', side: 1.5, __typename: 'Square' }, { name: 'c', radius: 2, color: 'GREEN' }]);
  });

  test('an identity where there is no @public', async () => {
    const answer = await ask('{ secret }');
    assert.equal(answer.status, 401);
    assert.equal(answer.errors[0].extensions.code, 'UNAUTHENTICATED');
  });

  test('errors of a service are field errors; the neighbours live', async () => {
    const answer = await ask('{ add(a: 1) fails }');
    assert.deepEqual(answer.data, { add: 2, fails: null });
    assert.deepEqual(answer.errors[0].path, ['fails']);
    assert.equal(answer.errors[0].message, 'there is no such thing');
    assert.deepEqual(answer.errors[0].extensions, { code: 'NOT_FOUND', argument: 'none' });
  });

  test('malformed answers are field errors at the right path', async () => {
    const answer = await ask('{ add(a: 1) notJson wrongType }');
    assert.deepEqual(answer.data, { add: 2, notJson: null, wrongType: null });
    assert.deepEqual(answer.errors.map((error) => error.path).sort(), [['notJson'], ['wrongType']]);
    const holes = await ask('{ holes { name side } }');
    assert.equal(holes.data, null);
    assert.equal(holes.errors[0].path[0], 'holes');
    assert.ok(await data(system.url, { query: '{ add(a: 1) }' }), 'nothing worse');
  });

  test('a service that does not answer: TIMEOUT within the deadline', async () => {
    const start = Date.now();
    const answer = await ask('{ silent add(a: 1) }');
    const took = Date.now() - start;
    assert.deepEqual(answer.data, { silent: null, add: 2 });
    assert.equal(answer.errors[0].extensions.code, 'TIMEOUT');
    assert.equal(answer.errors[0].extensions.outcome, 'unknown');
    assert.ok(took >= TIMEOUT_MS - 300 && took < TIMEOUT_MS + 1000, `${took} ms`);
  });

  test('a service that is away: UNAVAILABLE within the deadline; back within 2 s of its return', async () => {
    await odd.stop('SIGKILL');
    const start = Date.now();
    const answer = await ask('{ add(a: 1) }');
    assert.equal(answer.errors[0].extensions.code, 'UNAVAILABLE', JSON.stringify(answer));
    assert.ok(Date.now() - start < TIMEOUT_MS + 1000);
    const mutation = await ask('mutation { note(text: "x") }');
    assert.equal(mutation.errors[0].extensions.outcome, 'none');
    assert.equal((await fetch(`${system.url}/readyz`)).status, 503);
    startOdd();
    await until('the process to run', () => odd.isRunning);
    const returned = Date.now();
    await until('used again', async () => (await ask('{ add(a: 1) }')).data?.add === 2, { timeoutMs: 5000 });
    assert.ok(Date.now() - returned < 2000 + 700, `${Date.now() - returned} ms (python itself needs some of that)`);
  });

  test('a changed schema is swapped in; a broken one is refused and the old one stays', async () => {
    await odd.stop('SIGKILL');
    startOdd({ ODD_SDL: 'type Query { add(a: Int!, b: Int! = 1): Int! @public, who: String @public, more: Int @public }' });
    await until('the new field', async () => !(await ask('{ __type(name: "Query") { fields { name } } }')).data.__type.fields.every((f) => f.name !== 'more'));
    await odd.stop('SIGKILL');
    startOdd({ ODD_SDL: 'type Query { broken(: Int }' });
    await until('the refusal in the log', () => /refused|broken/.test(system.gateways[0].output.slice(-5000)));
    assert.ok((await ask('{ __type(name: "Query") { fields { name } } }')).data.__type.fields.some((f) => f.name === 'more'));
    await odd.stop('SIGKILL');
    startOdd();
    await until('the old schema again', async () => (await ask('{ shapes { name } }')).data?.shapes?.length === 2);
  });
});

test('malformed bytes on the bus end neither the process nor the service', async () => {
  await odd.stop('SIGKILL');
  const rubbish = new Process('rubbish', '/usr/bin/python3', [
    '-c',
    `import zmq,sys,os,time
r=zmq.Context().socket(zmq.ROUTER); r.linger=0; r.bind(sys.argv[1])
end=time.time()+3
while time.time()<end:
    if r.poll(100):
        p,m=r.recv_multipart()
        for junk in [b"", b"x", os.urandom(40), b"PRL\\x01\\x02\\x01"+os.urandom(100), m[:39], m[:4]+b"\\x01\\x01"+m[6:], m[:5]+b"\\x01"+m[6:]]:
            r.send_multipart([p,junk])
`,
    endpoint,
  ]).start();
  await rubbish.exited;
  startOdd();
  await until('used again', async () => (await ask('{ add(a: 1) }')).data?.add === 2);
  assert.ok(system.gateways[0].isRunning);
});
