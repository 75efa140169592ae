// deploy/run when it cannot: one clear line, a status, promptly, and nothing left behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, it } from 'node:test';
import { Deployed, RUN, dataFolder, freeSettings, removeData } from './deployed.mjs';

const folders = [];
after(() => folders.forEach(removeData));

function folder(mode = 0o700) {
  const made = dataFolder();
  fs.chmodSync(made, mode);
  folders.push(made);
  return made;
}

async function refusal(settings, options) {
  const all = { ...(await freeSettings({ PARLEY_DATA: folder() })), ...settings };
  const system = new Deployed(all, options);
  const result = await system.failure();
  if (fs.existsSync(all.PARLEY_DATA)) assert.deepEqual(system.processes(), []);
  assert.equal(result.code, 1, system.words());
  assert.equal(result.lines.length, 1, result.lines.join('\n'));
  assert.match(result.lines[0], /^parley: /);
  return { ...result, line: result.lines[0] };
}

it('--help names every setting', () => {
  const help = execFileSync(RUN, ['--help'], { encoding: 'utf8' });
  for (const name of ['PORT', 'DATA', 'GATEWAYS', 'STORES', 'DATABASE_URL', 'TLS_PORT', 'TLS_CERT', 'ORIGINS', 'API_KEY', 'FIXED_CODE', 'SMTP_URL'])
    assert.match(help, new RegExp(`\\bPARLEY_${name}\\b`));
});

it('an unknown argument', async () => {
  assert.match((await refusal({}, { args: ['--frobnicate'] })).line, /--frobnicate/);
});

for (const [name, value] of [['PARLEY_PORT', 'http'], ['PARLEY_PORT', '70000'], ['PARLEY_GATEWAYS', '0'], ['PARLEY_STORES', '-1']]) {
  it(`${name}=${value}`, async () => {
    assert.match((await refusal({ [name]: value })).line, new RegExp(`${name} is a number from 1 to \\d+, not "${value}"`));
  });
}

it('a data folder that cannot be', async () => {
  assert.match((await refusal({ PARLEY_DATA: '/proc/parley' })).line, /cannot create \/proc\/parley: .*PARLEY_DATA/);
});

it('an admin port that is taken', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => {
    server.once('listening', resolve);
  });
  const { port } = server.address();
  const { line } = await refusal({ PARLEY_ADMIN_STORE: String(port) });
  server.close();
  assert.match(line, new RegExp(`port ${port} is taken by .*\\(pid ${process.pid}\\): choose another with PARLEY_ADMIN_STORE`));
});

it('a database that nobody serves', async () => {
  const nobody = (await freeSettings()).PARLEY_PORT;
  const { line, afterMs } = await refusal({ PARLEY_DATABASE_URL: `postgresql://parley:very-secret@127.0.0.1:${nobody}/parley` });
  assert.match(line, /database/);
  assert.doesNotMatch(line, /very-secret/);
  assert.ok(afterMs < 20_000);
});

it('a database URL that is none', async () => {
  assert.match((await refusal({ PARLEY_DATABASE_URL: 'mysql://x' })).line, /database/);
});

it('a folder in place of the database that is no cluster', async () => {
  const data = folder();
  fs.mkdirSync(path.join(data, 'postgres'));
  fs.writeFileSync(path.join(data, 'postgres', 'notes.txt'), 'mine');
  const { line } = await refusal({ PARLEY_DATA: data });
  assert.match(line, /is no PostgreSQL cluster/);
  assert.ok(fs.existsSync(path.join(data, 'postgres', 'notes.txt')));
});

it('a certificate that is none', async () => {
  const data = folder();
  const certificate = path.join(data, 'certificate.pem');
  fs.writeFileSync(certificate, 'not a certificate');
  const port = (await freeSettings()).PARLEY_PORT;
  const { line } = await refusal({ PARLEY_DATA: data, PARLEY_TLS_PORT: port, PARLEY_TLS_CERT: certificate });
  assert.match(line, /certificate\.pem/);
});

// What follows needs somebody who is not root.
const isRoot = process.getuid() === 0;
const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
const canBeNobody = isRoot && isReachable();
function isReachable() {
  try {
    execFileSync(nobody[0], [...nobody.slice(1), RUN, '--help'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('missing packages without root', { skip: !canBeNobody && 'needs root, and a checkout that others can read' }, async () => {
  const tools = folder(0o755);
  // a machine without the packages, and without sudo
  for (const [name, text] of [['dpkg-query', 'exit 1'], ['sudo', 'exit 1']])
    fs.writeFileSync(path.join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const { line } = await refusal(
    { PARLEY_DATA: path.join(folder(0o777), 'data'), PARLEY_BIN: '', PATH: `${tools}:${process.env.PATH}` },
    { prefix: nobody },
  );
  assert.match(line, /needs root: apt-get install .*libzmq3-dev/);
});

it('a low port without root', { skip: !canBeNobody && 'needs root, and a checkout that others can read' }, async (t) => {
  const lowest = Number(fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  if (lowest <= 79) return t.skip('every port is free for all here');
  const { line } = await refusal({ PARLEY_DATA: path.join(folder(0o777), 'data'), PARLEY_PORT: '79' }, { prefix: nobody });
  assert.match(line, /port 79 needs root: choose one from \d+ on with PARLEY_PORT/);
});

it('runs without root', { skip: !canBeNobody && 'needs root, and a checkout that others can read' }, async () => {
  const data = path.join(folder(0o777), 'data');
  const system = await new Deployed(await freeSettings({ PARLEY_DATA: data, HOME: '/nonexistent' }), { prefix: nobody }).ready();
  await system.isServing();
  await system.cleanUp();
});
